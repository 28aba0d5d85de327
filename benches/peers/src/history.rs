//! What a history takes on disk, and how long any version of it takes to be read back.

use std::path::PathBuf;
use std::time::Instant;

use tufstore::terms::{RepositoryName, RoleName};
use tufstore::{DocumentEntry, Lookup, Options, Store};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use crate::publish::{milliseconds, parse_and_hash};
use crate::questions::tag;
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many tags are published one by one into one repository.
    #[arg(long, default_value_t = 10_000)]
    tags: usize,
    /// A store that is there already instead, such as the one that `tufstore replay` leaves.
    #[arg(long)]
    store: Option<PathBuf>,
    /// How many documents are read back, evenly over all of them; each is compared with its digest.
    #[arg(long, default_value_t = 2_000)]
    reads: usize,
}

pub(crate) fn run(args: &Args) {
    let options = || Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
    if let Some(folder) = &args.store {
        measure(&Store::open(folder, options()).unwrap(), args.reads);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), options()).unwrap();
    one_by_one(&store, args.tags);
    drop(store);
    // Closed and opened again: nothing of it is at hand, and the newest segment is cut to its content.
    measure(&Store::open(folder.path(), options()).unwrap(), args.reads);
}

fn one_by_one(store: &Store, tags: usize) {
    let repository: RepositoryName = "reg.example.com/app".parse().unwrap();
    let mut publisher = Publisher::with_dockers_keys(repository.as_str(), store);
    publisher.publish(store).unwrap();
    let (mut published, mut compared, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..tags {
        let upload = publisher.tag_upload(&[(tag(number).as_str(), digest(&format!("{number}")))]);
        let file = upload.files().find(|(role, _)| **role == RoleName::Targets).unwrap().1.to_vec();
        compared.push(milliseconds(|| parse_and_hash(&file)));
        published.push(milliseconds(|| drop(store.publish(&repository, &upload, NOW).unwrap())));
        if (number + 1) % tags.div_ceil(5) == 0 || number + 1 == tags {
            let (published, compared) = (std::mem::take(&mut published), std::mem::take(&mut compared));
            let slowest = published.iter().copied().fold(0.0, f64::max);
            let (published, compared) = (table::median(published), table::median(compared));
            rows.push(vec![
                (number + 1).to_string(),
                format!("{published:.2}"),
                format!("{slowest:.1}"),
                format!("{compared:.2}"),
                format!("{:.2}", published / compared),
            ]);
        }
    }
    let heads = ["publications up to", "publish, ms", "the slowest", "parse and hash, ms", "ratio"];
    table::print("one tag at a time, on disk", &heads, &rows);
}

/// Asks each repository once: none of it is in memory.
fn first_lookups(store: &Store) {
    let asked = store.repositories().into_iter().map(|name| {
        milliseconds(|| {
            assert!(!matches!(
                store.lookup(name.as_str(), "no such tag", NOW).unwrap(),
                Lookup::NoSuchRepository
            ))
        })
    });
    let mut asked: Vec<f64> = asked.collect();
    asked.sort_by(f64::total_cmp);
    println!(
        "\nfirst lookups: median {:.3} ms, slowest {:.2} ms",
        asked[asked.len() / 2],
        asked[asked.len() - 1]
    );
}

fn measure(store: &Store, reads: usize) {
    first_lookups(store);
    let documents: Vec<(RepositoryName, DocumentEntry)> = store
        .repositories()
        .into_iter()
        .flat_map(|name| store.documents(&name).map(move |entry| (name.clone(), entry.unwrap())))
        .collect();
    let status = store.status().unwrap();
    let sum: u64 = documents.iter().map(|(_, entry)| entry.length).sum();
    let mut alone = 0;
    let mut read = Vec::new();
    // Two or three documents come with each publication: a step with neither as a factor meets all roles.
    let even = (documents.len() / reads.max(1)).max(1);
    let step = (even..).find(|step| step % 2 != 0 && step % 3 != 0).unwrap();
    for (name, entry) in documents.iter().step_by(step) {
        let began = Instant::now();
        let found = store.history(name, &entry.role, entry.sha256).unwrap().unwrap();
        read.push(began.elapsed().as_secs_f64() * 1e3);
        assert_eq!(found.document.sha256(), &entry.sha256);
        alone += zstd::bulk::compress(found.document.bytes(), 3).unwrap().len() as u64;
    }
    let megabytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1e6);
    let slowest = read.iter().copied().fold(0.0, f64::max);
    let count = read.len();
    let rows = [
        ("documents", documents.len().to_string()),
        ("all of them, MB", megabytes(sum)),
        (
            "each through zstd -3, MB (of those read)",
            megabytes(alone * documents.len() as u64 / count as u64),
        ),
        ("journal, MB", megabytes(status.journal_bytes)),
        ("index, MB", megabytes(status.index_bytes)),
        ("documents / journal", format!("{:.1}", sum as f64 / status.journal_bytes as f64)),
        ("read back", count.to_string()),
        ("median, ms", format!("{:.3}", table::median(read))),
        ("slowest, ms", format!("{slowest:.2}")),
    ];
    let rows: Vec<_> = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect();
    table::print("history", &["what", "is"], &rows);
}
