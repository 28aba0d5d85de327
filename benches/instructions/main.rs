//! What a processor is asked to do for a lookup, a batch, a publication and an opening: counted, not timed, so that it does not
//! depend on the machine's mood. `benches/instructions/check` runs this under callgrind and compares.
//!
//! Without callgrind it only does the work.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a benchmark that cannot go on is none"
)]

use std::hint::black_box;
use std::path::Path;

use tufstore::{Options, Store, Upload};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

const REPOSITORIES: usize = 50;
const TAGS: usize = 100;
/// How often each is done, so that what varies from one to the next does not matter.
const LOOKUPS: usize = 20_000;
const BATCHES: usize = 1_000;
const BATCH: usize = 32;
const PUBLICATIONS: usize = 20;
const OPENINGS: usize = 5;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let Some(what) =
        arguments.iter().find(|argument| ["lookup", "batch", "publish", "open"].contains(&argument.as_str()))
    else {
        eprintln!("say what: lookup, batch, publish or open");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut publishers = fill(&open(folder.path()));
    let store = open(folder.path());
    let names: Vec<_> = (0..REPOSITORIES).map(name).collect();
    let tags: Vec<_> = (0..TAGS).map(tag).collect();
    let questions: Vec<_> = (0..LOOKUPS.max(BATCHES * BATCH))
        .map(|at| (names[at * 7 % REPOSITORIES].as_str(), tags[at * 13 % TAGS].as_str()))
        .collect();
    // Nothing is cold afterwards.
    black_box(store.lookup_many(&questions, NOW).unwrap());
    match what.as_str() {
        "lookup" => measured_lookup(&store, &questions[..LOOKUPS]),
        "batch" => measured_batch(&store, &questions),
        "publish" => {
            for round in 0..PUBLICATIONS {
                let upload = publishers[0].tag_upload(&[("v1", digest(&format!("round {round}")))]);
                measured_publish(&store, &upload);
            }
        }
        _ => {
            drop(store);
            (0..OPENINGS).for_each(|_| measured_open(folder.path()));
        }
    }
}

fn name(number: usize) -> String {
    format!("reg.example.com/team/app-{number}")
}

fn tag(number: usize) -> String {
    format!("v{number}")
}

fn open(folder: &Path) -> Store {
    Store::open(folder, Options::default().with_online_keys(SeededOnlineKeys::new("instructions"))).unwrap()
}

fn fill(store: &Store) -> Vec<Publisher> {
    (0..REPOSITORIES)
        .map(|number| {
            let mut publisher = Publisher::for_store(&name(number), store);
            let tags: Vec<_> = (0..TAGS).map(|at| (tag(at), digest(&format!("{number}/{at}")))).collect();
            let tags: Vec<_> = tags.iter().map(|(tag, content)| (tag.as_str(), *content)).collect();
            publisher.tag(&tags);
            publisher.publish(store).unwrap();
            publisher
        })
        .collect()
}

#[inline(never)]
fn measured_lookup(store: &Store, questions: &[(&str, &str)]) {
    for (repository, tag) in questions {
        black_box(store.lookup(repository, tag, NOW).unwrap());
    }
}

#[inline(never)]
fn measured_batch(store: &Store, questions: &[(&str, &str)]) {
    for batch in questions.chunks(BATCH).take(BATCHES) {
        black_box(store.lookup_many(batch, NOW).unwrap());
    }
}

#[inline(never)]
fn measured_publish(store: &Store, upload: &Upload) {
    black_box(store.publish(&name(0).parse().unwrap(), upload, NOW).unwrap());
}

#[inline(never)]
fn measured_open(folder: &Path) {
    let store = open(folder);
    black_box(store.lookup(&name(1), "v1", NOW).unwrap());
}
