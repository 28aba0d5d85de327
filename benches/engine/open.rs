//! Opening a store that was closed, until it has answered one lookup; closing it is not measured.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;
use tufstore_testkit::{NOW, digest};

use crate::by_hand::ByHand;
use crate::fixture::{open, publish, tag};

const REPOSITORIES: usize = 200;
const TAGS: usize = 100;
/// Of each repository.
const PUBLICATIONS: usize = 10;

pub(crate) fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (ours, by_hand) = (folder.path().join("tufstore"), folder.path().join("sled"));
    fill(&ours, &by_hand);
    let asked = "registry.example.com/team/app-7";

    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    let mut ours_after = |name: &str, prepare: &dyn Fn()| {
        group.bench_function(format!("tufstore, {name}"), |bencher| {
            bencher.iter_custom(|count| {
                let opened = || {
                    let store = open(&ours);
                    store.lookup(asked, &tag(1), NOW).unwrap();
                    store
                };
                (0..count).map(|_| timed(prepare, opened)).sum()
            });
        });
    };
    ours_after("with a checkpoint", &|| {});
    ours_after("without a checkpoint", &|| remove_checkpoint(&ours));
    ours_after("without an index", &|| fs::remove_dir_all(ours.join("index")).unwrap());
    group.bench_function("sled", |bencher| {
        bencher.iter_custom(|count| {
            let opened = || {
                let opened = ByHand::open(&by_hand);
                opened.lookup(asked, &tag(1)).unwrap();
                opened
            };
            (0..count).map(|_| timed(&|| {}, opened)).sum()
        });
    });
    group.finish();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark may lose a file")]
fn remove_checkpoint(store: &Path) {
    fs::remove_file(store.join("journal/checkpoint")).unwrap();
}

fn fill(ours: &Path, by_hand: &Path) {
    let store = open(ours);
    let by_hand = ByHand::open(by_hand);
    for number in 0..REPOSITORIES {
        let mut publisher = publish(&store, &format!("registry.example.com/team/app-{number}"), TAGS);
        by_hand.copy(&store, publisher.repository());
        for count in 1..PUBLICATIONS {
            publisher.tag(&[(&tag(0), digest(&format!("moved {count} times")))]);
            publisher.publish(&store).unwrap();
            by_hand.copy(&store, publisher.repository());
        }
    }
    store.close().unwrap();
}

/// How long `open` takes after `prepare`; what it opened is dropped outside of that.
#[expect(clippy::disallowed_methods, reason = "a benchmark has a clock")]
fn timed<T>(prepare: &dyn Fn(), open: impl Fn() -> T) -> Duration {
    prepare();
    let start = Instant::now();
    let opened = open();
    let took = start.elapsed();
    drop(opened);
    took
}
