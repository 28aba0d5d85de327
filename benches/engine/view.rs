//! Reading more than one thing of a repository.

use std::hint::black_box;

use criterion::Criterion;
use tufstore::terms::{RepositoryName, RoleName};
use tufstore_testkit::NOW;

use crate::fixture::{Both, tag};

const TAGS: usize = 1_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let both = Both::new(8, TAGS);
    let names: Vec<RepositoryName> = both.store.repositories();
    let tag = tag(TAGS / 2);

    let mut group = criterion.benchmark_group("view, pin alone");
    group.bench_function("tufstore", |bencher| {
        let mut names = names.iter().cycle();
        bencher.iter(|| black_box(both.store.view(names.next().unwrap()).unwrap()));
    });
    group.finish();

    let mut group = criterion.benchmark_group("view, one tag and the targets file");
    group.bench_function("tufstore", |bencher| {
        let mut names = names.iter().cycle();
        bencher.iter(|| {
            let view = both.store.view(names.next().unwrap()).unwrap().unwrap();
            black_box((view.lookup(&tag, NOW), view.document(&RoleName::Targets).unwrap().bytes().len()))
        });
    });
    group.bench_function("sled", |bencher| {
        let mut names = names.iter().cycle();
        bencher.iter(|| {
            let name = names.next().unwrap().as_str();
            let found = both.by_hand.lookup(name, &tag);
            black_box((found, both.by_hand.document(name, &RoleName::Targets).unwrap().len()))
        });
    });
    group.finish();
}
