//! One tag, warm: one thread, independent questions in random order.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use tufstore_testkit::NOW;

use crate::fixture::Both;

pub(crate) fn bench(criterion: &mut Criterion) {
    for (repositories, tags) in [(50, 100), (4, 20_000)] {
        let both = Both::new(repositories, tags);
        let hits = both.questions(tags);
        let misses: Vec<_> =
            hits.iter().map(|(repository, tag)| (repository.clone(), format!("{tag}-gone"))).collect();
        let unknown: Vec<_> =
            hits.iter().map(|(repository, tag)| (format!("{repository}-gone"), tag.clone())).collect();
        let size = format!("{repositories}x{tags}");
        for (kind, questions) in [("hit", hits), ("no such tag", misses), ("no such repository", unknown)] {
            let mut group = criterion.benchmark_group(format!("lookup, {kind}"));
            group.bench_function(BenchmarkId::new("tufstore", &size), |bencher| {
                let mut questions = questions.iter().cycle();
                bencher.iter(|| {
                    let (repository, tag) = questions.next().unwrap();
                    black_box(both.store.lookup(repository, tag, NOW).unwrap())
                });
            });
            group.bench_function(BenchmarkId::new("sled", &size), |bencher| {
                let mut questions = questions.iter().cycle();
                bencher.iter(|| {
                    let (repository, tag) = questions.next().unwrap();
                    black_box(both.by_hand.lookup(repository, tag))
                });
            });
            group.finish();
        }
    }
}
