//! Signed publications as fast as they go, each acknowledged in a file: what a store is tested with.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use parking_lot::Mutex;
use serde::Serialize;
use tufstore::crypto::sha256;
use tufstore::terms::{RepositoryName, RoleName, Version};
use tufstore_client::Author;
use tufstore_server::admin::ReceiptEntry;

use crate::clock::{self, Stopwatch};
use crate::failure::Failure;
use crate::output::{self, Output, number, per_second, rate};
use crate::replay::{Authors, KeysFolder};
use crate::{acks, args, store};

/// How many tags a repository has once it was published to often: from then on, publications move them.
const TAGS: u64 = 40;

#[derive(Serialize)]
struct Stressed {
    publications: u64,
    documents: u64,
    repositories: u32,
    publishers: u16,
    seconds: f64,
    publications_per_second: u64,
}

/// What all publishers share.
struct Work<'a> {
    authors: Authors<'a>,
    acks: Option<Mutex<File>>,
    watch: Stopwatch,
    time: Duration,
    /// How many publications may still begin.
    left: AtomicU64,
    bar: ProgressBar,
    publications: AtomicU64,
    documents: AtomicU64,
    /// The first; it ends the others, too.
    failure: Mutex<Option<Failure>>,
}

/// `tufstore stress`
pub(crate) fn stress(args: &args::Stress, output: Output) -> Result<(), Failure> {
    let keys = KeysFolder::named_or_beside(args.keys.as_deref(), &args.store.data)?;
    let acks = args.acks.as_deref().map(acks::append_to).transpose()?;
    let store =
        store::reach_or_make(&args.store.data, args.store.kept.options().with_online_keys(keys.online()?))?;
    let time = Duration::from_secs(args.seconds);
    let work = Work {
        authors: Authors { store: &store, keys: &keys },
        acks: acks.map(Mutex::new),
        watch: Stopwatch::start(),
        time,
        left: AtomicU64::new(args.publications.unwrap_or(u64::MAX)),
        bar: output::bar("publishing", args.seconds),
        publications: AtomicU64::new(0),
        documents: AtomicU64::new(0),
        failure: Mutex::new(None),
    };
    thread::scope(|scope| {
        for publisher in 0..u32::from(args.publishers) {
            let work = &work;
            scope.spawn(move || {
                let theirs = (publisher..args.repositories).step_by(args.publishers.into());
                if let Err(failure) = work.publish(theirs) {
                    work.failure.lock().get_or_insert(failure);
                }
            });
        }
    });
    let took = work.watch.elapsed();
    work.bar.finish_and_clear();
    if let Some(failure) = work.failure.into_inner() {
        return Err(failure);
    }
    store.close()?;
    let (publications, documents) = (work.publications.into_inner(), work.documents.into_inner());
    let stressed = Stressed {
        publications,
        documents,
        repositories: args.repositories,
        publishers: args.publishers,
        seconds: took.as_secs_f64(),
        publications_per_second: per_second(publications, took),
    };
    let facts = [
        ("publications", number(publications)),
        ("documents", number(documents)),
        ("repositories, publishers", format!("{}, {}", args.repositories, args.publishers)),
        ("seconds", format!("{:.1}", stressed.seconds)),
        ("publications per second", rate(publications, took)),
    ];
    output.result(&stressed, output::facts(&facts))
}

impl Work<'_> {
    /// Publishes to one repository after the other, until the time is over.
    fn publish(&self, repositories: impl Iterator<Item = u32>) -> Result<(), Failure> {
        let mut authors: Vec<(RepositoryName, Option<Author>)> = Vec::new();
        for number in repositories {
            authors.push((name(number)?, None));
        }
        // With more publishers than repositories, some have nothing to do.
        while !authors.is_empty() {
            for (repository, author) in &mut authors {
                let elapsed = self.watch.elapsed();
                let over = elapsed >= self.time || self.failure.lock().is_some();
                let next = |left: u64| left.checked_sub(1);
                if over || self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_err() {
                    return Ok(());
                }
                self.bar.set_position(elapsed.as_secs());
                let known = match author.take() {
                    Some(author) => author,
                    None => self.authors.of(repository)?,
                };
                *author = Some(self.publish_once(repository, known)?);
            }
        }
        Ok(())
    }

    fn publish_once(&self, repository: &RepositoryName, mut author: Author) -> Result<Author, Failure> {
        let next = author.version(&RoleName::Targets).map_or(0, Version::get);
        let manifest = format!("{repository} {next}");
        author.set_tag(&format!("v{}", next % TAGS), sha256(manifest.as_bytes()), 528);
        let (receipt, author) = self.authors.publish(&author, clock::now())?;
        self.acknowledge(repository, &receipt)?;
        Ok(author)
    }

    fn acknowledge(&self, repository: &RepositoryName, receipt: &ReceiptEntry) -> Result<(), Failure> {
        let documents = u64::try_from(receipt.documents.len()).unwrap_or(u64::MAX);
        self.publications.fetch_add(1, Ordering::Relaxed);
        self.documents.fetch_add(documents, Ordering::Relaxed);
        let Some(acks) = &self.acks else { return Ok(()) };
        // One write, which nothing buffers: a kill leaves whole publications, or cuts the last line.
        let lines = acks::lines(repository, receipt);
        acks.lock().write_all(lines.as_bytes()).map_err(Failure::file("writing the acknowledgements"))
    }
}

fn name(number: u32) -> Result<RepositoryName, Failure> {
    let name = format!("example.com/stress/{number:05}");
    name.parse().map_err(Failure::keys("naming a repository"))
}
