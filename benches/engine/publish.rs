//! One publication at a time, on disk: one tag of a repository moves, or the store renews what it signs.

use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;

use criterion::{BatchSize, BenchmarkId, Criterion};
use tufstore::terms::{RepositoryName, RoleName};
use tufstore::{Options, Store, Upload};
use tufstore_keys::SealedOnlineKeys;
use tufstore_testkit::{NOW, digest};

use crate::by_hand::{ByHand, Change};
use crate::fixture;

const REPOSITORY: &str = "registry.example.com/team/app";

pub(crate) fn bench(criterion: &mut Criterion) {
    disk(criterion);
    for tags in [10, 1_000] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("tufstore"));
        let by_hand = ByHand::open(&folder.path().join("sled"));
        let mut publisher = fixture::publish(&store, REPOSITORY, tags);
        let name = publisher.repository().clone();
        by_hand.copy(&store, &name);
        let moved = fixture::tag(tags / 2);
        let mut count = 0_u64;
        let mut next = || {
            count += 1;
            digest(&format!("moved {count} times"))
        };

        let mut group = criterion.benchmark_group("sign, the author's part");
        group.bench_function(BenchmarkId::new("tufstore", tags), |bencher| {
            let mut author = publisher.clone();
            author.tag(&[(&moved, next())]);
            bencher.iter(|| black_box(author.author().sign(NOW).unwrap()));
        });
        group.finish();

        let mut group = criterion.benchmark_group("publish, one tag moves");
        group.bench_function(BenchmarkId::new("tufstore", tags), |bencher| {
            // Uploads are signed ahead, in their order: the next takes for granted that the one before is accepted.
            let sign = || publisher.tag_upload(&[(&moved, next())]);
            let publish = |upload: Upload| store.publish(&name, &upload, NOW).unwrap();
            bencher.iter_batched(sign, publish, BatchSize::SmallInput);
        });
        let mut written = Written::of(&store, &name);
        group.bench_function(BenchmarkId::new("sled", tags), |bencher| {
            let sign = || Change {
                documents: written.next(&[RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp]),
                tags: vec![(moved.clone(), next(), 1_024)],
            };
            let publish = |change: Change| by_hand.publish(REPOSITORY, &change);
            bencher.iter_batched(sign, publish, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::new("sled and fdatasync", tags), |bencher| {
            let sign = || Change {
                documents: written.next(&[RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp]),
                tags: vec![(moved.clone(), next(), 1_024)],
            };
            let publish = |change: Change| {
                by_hand.publish(REPOSITORY, &change);
                by_hand.sync();
            };
            bencher.iter_batched(sign, publish, BatchSize::SmallInput);
        });
        group.finish();

        let mut group = criterion.benchmark_group("publish, renewal");
        group.bench_function(BenchmarkId::new("tufstore", tags), |bencher| {
            bencher.iter(|| store.publish(&name, &Upload::new(), NOW).unwrap());
        });
        group.bench_function(BenchmarkId::new("sled", tags), |bencher| {
            let roles = [RoleName::Snapshot, RoleName::Timestamp];
            let sign = || Change { documents: written.next(&roles), tags: Vec::new() };
            let publish = |change: Change| by_hand.publish(REPOSITORY, &change);
            bencher.iter_batched(sign, publish, BatchSize::SmallInput);
        });
        group.finish();
    }
}

/// What the disk alone takes: 4 KiB over zeros that are there already, and a sync.
fn disk(criterion: &mut Criterion) {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&vec![0; 256 << 10], 0).unwrap();
    file.sync_all().unwrap();
    let mut places = (0_u64..64).map(|page| page * 4_096).cycle();
    criterion.bench_function("disk, 4 KiB and fdatasync", |bencher| {
        bencher.iter(|| {
            file.write_all_at(&[1; 4_096], places.next().unwrap()).unwrap();
            file.sync_data().unwrap();
        });
    });
}

/// With online keys as a server has them: opened at each signature.
fn open(folder: &Path) -> Store {
    Store::open(folder, Options::default().with_online_keys(SealedOnlineKeys::in_memory().unwrap())).unwrap()
}

/// Documents of the size that the store's have, each new.
struct Written {
    documents: Vec<(RoleName, Vec<u8>)>,
    count: u64,
}

impl Written {
    fn of(store: &Store, name: &RepositoryName) -> Self {
        let view = store.view(name).unwrap().unwrap();
        let documents = view.documents().map(|document| (document.role().clone(), document.bytes().to_vec()));
        Self { documents: documents.collect(), count: 0 }
    }

    fn next(&mut self, roles: &[RoleName]) -> Vec<(RoleName, Vec<u8>)> {
        self.count += 1;
        let mut documents: Vec<_> =
            self.documents.iter().filter(|(role, _)| roles.contains(role)).cloned().collect();
        for (_, bytes) in &mut documents {
            bytes.iter_mut().zip(self.count.to_le_bytes()).for_each(|(byte, count)| *byte = count);
        }
        documents
    }
}
