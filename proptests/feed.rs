//! The feed is complete and in order from any position on, however many pages it is read in.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tufstore::terms::{Position, RepositoryName};
use tufstore::{Change, ChangeKind, Options, Store, Upload};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys};

use crate::config;

const NAMES: [&str; 3] = ["example.com/0", "example.com/1", "example.com/2"];

/// What a change must say, its position apart: repository, life, revision, and the timestamp's version or a deletion.
type Told = (RepositoryName, u64, u64, Option<u64>);

fn told(change: &Change) -> Told {
    let version = match change.kind {
        ChangeKind::Published { version, .. } => Some(version.get()),
        ChangeKind::Deleted => None,
        other @ (ChangeKind::Restored { .. } | _) => panic!("{other:?}"),
    };
    (change.repository.clone(), change.incarnation.get(), change.revision.get(), version)
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn the_feed_after_any_position_is_all_that_followed(
        steps in vec((0..NAMES.len(), proptest::bool::weighted(0.05)), 1..700),
        after in vec(any::<Index>(), 1..5),
    ) {
        let options = Options::default().with_online_keys(SeededOnlineKeys::new("feed"));
        let store = Store::in_memory(options).unwrap();
        // Of each repository: its life, and the publications in it.
        let mut lives = [(0, 0); NAMES.len()];
        let mut expected: Vec<Told> = Vec::new();
        for (number, delete) in steps {
            let name: RepositoryName = NAMES[number].parse().unwrap();
            let (life, revision) = &mut lives[number];
            if *revision > 0 && delete {
                store.delete(&name, NOW).unwrap().unwrap();
                expected.push((name, *life, *revision + 1, None));
                *revision = 0;
                continue;
            }
            if *revision == 0 {
                *life += 1;
                Publisher::for_store(NAMES[number], &store).publish(&store).unwrap();
            } else {
                store.publish(&name, &Upload::new(), NOW).unwrap();
            }
            *revision += 1;
            expected.push((name, *life, *revision, Some(*revision)));
        }
        for after in after.iter().map(|after| after.index(expected.len() + 1)).chain([0]) {
            let position = Position::new(u64::try_from(after).unwrap());
            let changes: Vec<_> = store.changes(position).collect::<Result<_, _>>().unwrap();
            let positions: Vec<_> = changes.iter().map(|change| change.position.get()).collect();
            prop_assert_eq!(positions, (position.get() + 1..=store.position().get()).collect::<Vec<_>>());
            prop_assert_eq!(changes.iter().map(told).collect::<Vec<_>>(), &expected[after..]);
        }
    }
}
