//! All that a store does, in some seconds.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Serialize;
use tufstore::terms::{RepositoryName, Sha256};
use tufstore::{Lookup, Options, Store, View};
use tufstore_server::admin::Opened;

use crate::args;
use crate::clock::{self, Stopwatch};
use crate::failure::Failure;
use crate::output::{self, Output, as_text, number, per_second, size};
use crate::replay::{Checked, KeysFolder, Plan, Player, check};
use crate::store::{self, Reached};
use crate::trace::{SLICE, TraceReader};

/// What was done, and how fast.
#[derive(Serialize)]
struct Quickstarted {
    repositories: usize,
    publications: u64,
    tag_updates: u64,
    tags: u64,
    publishers: u16,
    seconds: f64,
    publications_per_second: u64,
    lookups_per_second: u64,
    pinned: Option<Pinned>,
    seconds_to_reopen: f64,
    bytes_on_disk: u64,
    /// Where the store is kept; none if it is gone.
    data: Option<PathBuf>,
}

/// A tag as a view and as the store had it after a publication that moved it.
#[derive(Serialize)]
struct Pinned {
    repository: RepositoryName,
    tag: String,
    #[serde(serialize_with = "as_text")]
    view: Sha256,
    #[serde(serialize_with = "as_text")]
    store: Sha256,
}

/// `tufstore quickstart`
pub(crate) fn quickstart(args: &args::Quickstart, output: Output) -> Result<(), Failure> {
    let Some(keep) = &args.keep else {
        let folder = tempfile::tempdir().map_err(Failure::file("making a temporary folder"))?;
        let told = run(folder.path(), args.publishers)?;
        folder.close().map_err(Failure::file("removing the temporary folder"))?;
        return output.result(&told, format!("{}\n\n{}", told.text(), next_steps(None)));
    };
    let is_empty = fs::read_dir(keep).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(Failure::NotEmpty { folder: keep.clone() });
    }
    let data = keep.join("data");
    let told = Quickstarted { data: Some(data.clone()), ..run(keep, args.publishers)? };
    output.result(&told, format!("{}\n\n{}", told.text(), next_steps(Some(&data))))
}

fn run(folder: &Path, publishers: u16) -> Result<Quickstarted, Failure> {
    let data = folder.join("data");
    let mut plan = Plan::read(TraceReader::read(SLICE)?)?;
    let (publications, tag_updates) = (plan.publications(), plan.tag_updates());
    let keys = KeysFolder::open_or_make(&folder.join("keys"), &data)?;
    let store = store::open_or_make(&data, Options::default().with_online_keys(keys.online()?))?;
    let reached = Reached::Folder(Opened::here(store.clone(), &data));
    let player = Player { store: &reached, keys: &keys, publishers, acks: None };
    let bar = output::bar("publishing", publications);

    // All but one, then a view is pinned, then that one.
    let held_back = plan.hold_back();
    let watch = Stopwatch::start();
    player.play(&plan, &bar)?;
    let mut time = watch.elapsed();
    let mut pinned = None;
    if let Some(held_back) = held_back {
        let (repository, tag) = (held_back.repository.clone(), held_back.moves.clone());
        plan.give_back(held_back);
        let view = store.view(&repository).map_err(Failure::storage("pinning a view"))?;
        let view = view.ok_or_else(|| Failure::NothingSigned { repository: repository.clone() })?;
        let watch = Stopwatch::start();
        player.play(&plan, &bar)?;
        time += watch.elapsed();
        pinned = compare(&store, &view, repository, tag)?;
    }
    bar.finish_and_clear();
    check(&reached, &plan)?;
    reached.close()?;
    drop((store, reached));

    let watch = Stopwatch::start();
    let store = store::open_or_make(&data, Options::default())?;
    let reopened = watch.elapsed();
    let Checked { tags, lookups, time: looked_up } =
        check(&Reached::Folder(Opened::here(store.clone(), &data)), &plan)?;
    store::close(&store)?;
    Ok(Quickstarted {
        repositories: plan.repositories.len(),
        publications,
        tag_updates,
        tags,
        publishers,
        seconds: time.as_secs_f64(),
        publications_per_second: per_second(publications, time),
        lookups_per_second: per_second(lookups, looked_up),
        pinned,
        seconds_to_reopen: reopened.as_secs_f64(),
        bytes_on_disk: store.status().map_err(Failure::storage("measuring the store"))?.bytes(),
        data: None,
    })
}

/// What the view that was pinned before, and the store now, say of a tag.
fn compare(
    store: &Store,
    view: &View,
    repository: RepositoryName,
    tag: String,
) -> Result<Option<Pinned>, Failure> {
    let now = clock::now();
    let answer =
        store.lookup(repository.as_str(), &tag, now).map_err(Failure::storage("looking a tag up"))?;
    Ok(match (view.lookup(&tag, now), answer) {
        (Lookup::Found(before), Lookup::Found(after)) => {
            let (view, store) = (before.target.sha256, after.target.sha256);
            Some(Pinned { repository, tag, view, store })
        }
        _ => None,
    })
}

impl Quickstarted {
    fn text(&self) -> String {
        let &Self { publications_per_second, lookups_per_second, .. } = self;
        let mut facts = vec![
            (
                "published",
                format!(
                    "{} publications of {} of Docker's official images, {} tags set or moved",
                    number(self.publications),
                    self.repositories,
                    number(self.tag_updates)
                ),
            ),
            (
                "signed, verified, durable",
                format!(
                    "in {:.1} s by {} publishers: {} a second",
                    self.seconds,
                    self.publishers,
                    number(publications_per_second)
                ),
            ),
            ("looked up", format!("{} tags, each what was published", number(self.tags))),
        ];
        if let Some(Pinned { repository, tag, view, store }) = &self.pinned {
            facts.push((
                "a view, pinned",
                format!("before the last publication of {repository}: {tag} is {}", short(view)),
            ));
            facts.push(("the store, after it", format!("{tag} is {}; the view stays", short(store))));
        }
        facts.push((
            "closed and reopened",
            format!(
                "in {:.0} ms; all tags looked up again, {} a second on one thread",
                self.seconds_to_reopen * 1_000.0,
                number(lookups_per_second)
            ),
        ));
        facts.push((
            "on disk",
            format!("{}, every version of every file, and the index", size(self.bytes_on_disk)),
        ));
        output::facts(&facts)
    }
}

/// The beginning of a digest: enough to see a difference.
fn short(sha256: &Sha256) -> String {
    let digits: String = sha256.to_string().chars().take(12).collect();
    format!("sha256:{digits}\u{2026}")
}

/// Commands that work as they stand here.
fn next_steps(data: Option<&Path>) -> String {
    let program = env::args_os().next().map(PathBuf::from);
    // Called by its path, as cargo does, it is not found by its name.
    let program = match &program {
        Some(path) if path.components().count() > 1 => path.display().to_string(),
        Some(_) | None => "tufstore".to_owned(),
    };
    let (intro, data) = match data {
        Some(data) => ("What to try next, on this store:", data.display().to_string()),
        None => ("The store is gone. To keep one and look into it:", "demo/data".to_owned()),
    };
    let mut lines = vec![intro.to_owned()];
    if intro.starts_with("The store is gone") {
        lines.push(format!("  {program} quickstart --keep demo"));
    }
    for (command, rest) in [
        ("lookup", " docker.io/library/alpine latest"),
        ("tags", " docker.io/library/redis"),
        ("history", " docker.io/library/alpine root"),
        ("changes", " --limit 5"),
        ("verify", ""),
    ] {
        lines.push(format!("  {program} {command}{rest} --data {data}"));
    }
    lines.push(format!("  {program} --help"));
    lines.join("\n")
}
