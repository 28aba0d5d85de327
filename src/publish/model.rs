//! The shipped committer and catalog under many schedules of the model checker: `./test models`.
//!
//! The storage is a stand-in that yields where the real one waits for its sync, so that every other thread gets its turn
//! there. Two mutations were tried against these tests, and each was caught: installing a state before the storage's
//! commit returned, and comparing the guard when a publication is queued instead of when it is written.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use shuttle::thread;

use super::commit::{Answer, Committer};
use super::stage::{Next, OnlineAt, Staged};
use crate::catalog::{Catalog, HashKey, State, Visible, model};
use crate::storage::{
    Commit, Damage, Discard, DocumentAt, Found, Head, Kept, Outcome, Prebuilt, Prepared, Raw, Record,
    RecordHeader, RecordKind, Status, Storage, StorageError, Wanted,
};
use crate::sync::Mutex;
use crate::terms::{Incarnation, Position, RepositoryName, Revision, UnixTime};
use crate::trust::Set;

/// Guards and positions as the real storage has them; nothing is written.
#[derive(Default)]
struct Double(Mutex<Written>);

#[derive(Default)]
struct Written {
    heads: BTreeMap<RepositoryName, Head>,
    end: u64,
    durable: u64,
}

impl Double {
    fn durable(&self) -> Position {
        Position::new(self.0.lock().durable)
    }
}

impl Storage for Double {
    fn prepare(&self, commit: Commit) -> Result<Prepared, StorageError> {
        let Commit { base, record, .. } = commit;
        Ok(Prepared { base, record, payload: Arc::default() })
    }

    fn commit(&self, group: Vec<Prepared>) -> Vec<Outcome> {
        let mut written = self.0.lock();
        let outcomes = group
            .into_iter()
            .map(|Prepared { base, record, .. }| {
                let head = written.heads.get(&record.repository);
                if head.map(|head| (head.incarnation, head.revision)) != base {
                    return Outcome::Conflict;
                }
                written.end += 1;
                let position = Position::new(written.end);
                let head = Head {
                    incarnation: record.incarnation,
                    revision: record.revision,
                    position,
                    documents: 0,
                    deleted: record.kind == RecordKind::Deletion,
                };
                written.heads.insert(record.repository, head);
                Outcome::Committed(position)
            })
            .collect();
        let end = written.end;
        drop(written);
        thread::yield_now();
        self.0.lock().durable = end;
        outcomes
    }

    fn living(&self) -> Vec<(RepositoryName, Position)> {
        Vec::new()
    }

    fn head(&self, repository: &RepositoryName) -> Option<Head> {
        self.0.lock().heads.get(repository).cloned()
    }

    fn record(&self, _: Position) -> Result<Record, StorageError> {
        Err(StorageError::Bug("the stand-in keeps no records"))
    }

    fn attachment(&self, _: Position) -> Result<Arc<[u8]>, StorageError> {
        Err(StorageError::Bug("the stand-in keeps no records"))
    }

    fn find(&self, _: &RepositoryName, _: &Wanted) -> Result<Option<Found>, StorageError> {
        Ok(None)
    }

    fn positions(&self, _: &RepositoryName) -> Option<Vec<Position>> {
        None
    }

    fn hash_key(&self) -> [u8; 16] {
        [0; 16]
    }

    fn keep_prebuilt(&self, _: &RepositoryName, _: Prebuilt) {}

    fn keep(&self) -> Kept {
        Kept::default()
    }

    fn forget_prebuilt(&self, _: &RepositoryName) {}

    fn prebuilt(&self, _: &RepositoryName, _: &mut dyn FnMut(&[u8], &[u8])) {}

    fn standing_on(&self, _: &[DocumentAt]) -> Result<HashSet<DocumentAt>, StorageError> {
        Ok(HashSet::new())
    }

    fn compact(
        &self,
        _: &dyn Fn(&RecordHeader) -> Discard,
        _: u64,
        _: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<u64, StorageError> {
        Ok(0)
    }

    fn export(&self, _: Position, _: usize) -> Result<Vec<Raw>, StorageError> {
        Ok(Vec::new())
    }

    fn chain_up_to(&self, _: Position) -> Result<Option<[u8; 32]>, StorageError> {
        Ok(None)
    }

    fn headers(&self, _: Position, _: usize) -> Result<Vec<RecordHeader>, StorageError> {
        Ok(Vec::new())
    }

    fn end(&self) -> Position {
        self.durable()
    }

    fn status(&self) -> Result<Status, StorageError> {
        Err(StorageError::Bug("the stand-in has no disk"))
    }

    fn reindex(&self, _: &mut dyn FnMut(u64, u64)) -> Result<(), StorageError> {
        Ok(())
    }

    fn verify(
        &self,
        _: &mut dyn FnMut(u64, u64) -> bool,
        _: &mut dyn FnMut(Damage),
    ) -> Result<bool, StorageError> {
        Ok(true)
    }

    fn close(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

struct World {
    storage: Arc<Double>,
    catalog: Arc<Catalog>,
    committer: Committer,
    set: Set,
}

impl World {
    fn new(set: &Set) -> Arc<Self> {
        let storage = Arc::new(Double::default());
        let catalog = Arc::new(Catalog::new(HashKey::new([0; 16]), Position::START, u64::MAX));
        let committer = Committer::new(storage.clone(), catalog.clone());
        Arc::new(Self { storage, catalog, committer, set: set.clone() })
    }

    fn publish(&self, name: &str, base: Option<(u64, u64)>) -> bool {
        let (incarnation, revision) = match base {
            None => (1, 1),
            Some((incarnation, revision)) => (incarnation, revision + 1),
        };
        let (incarnation, revision) = (Incarnation::new(incarnation), Revision::new(revision));
        let (time, key) = (UnixTime::from_seconds(0), self.catalog.key());
        let state = State::new(incarnation, revision, time, self.set.clone(), [].into(), key, None);
        let next = Next::State(Box::new(state), OnlineAt::There(None));
        self.commit(name, base, RecordKind::Publication, incarnation, revision, next)
    }

    fn delete(&self, name: &str, base: (u64, u64)) -> bool {
        let (incarnation, revision) = (Incarnation::new(base.0), Revision::new(base.1 + 1));
        self.commit(name, Some(base), RecordKind::Deletion, incarnation, revision, Next::Nothing)
    }

    fn commit(
        &self,
        name: &str,
        base: Option<(u64, u64)>,
        kind: RecordKind,
        incarnation: Incarnation,
        revision: Revision,
        next: Next,
    ) -> bool {
        let record = Record {
            kind,
            repository: name.parse().unwrap(),
            incarnation,
            revision,
            time: UnixTime::from_seconds(0),
            timestamp: None,
            documents: Vec::new(),
            attachment: [].into(),
            note: None,
        };
        let base =
            base.map(|(incarnation, revision)| (Incarnation::new(incarnation), Revision::new(revision)));
        let staged =
            Staged { commit: Commit { base, replaced: Vec::new(), record }, next, warnings: Vec::new() };
        match self.committer.commit(staged).unwrap() {
            Answer::Committed(_) => true,
            Answer::Moved => false,
        }
    }

    fn seen(&self, name: &str) -> Option<Position> {
        match self.catalog.visible(&name.parse().unwrap()) {
            Visible::Warm(current) => Some(current.position),
            Visible::Not | Visible::Cold => None,
        }
    }
}

fn explore(scenario: impl Fn(Arc<World>) + Send + Sync + 'static) {
    let set = model::set(&[], 36);
    model::explore(move || scenario(World::new(&set)));
}

fn all(threads: Vec<thread::JoinHandle<bool>>) -> usize {
    threads.into_iter().map(|thread| thread.join().unwrap()).filter(|committed| *committed).count()
}

#[test]
fn of_many_publications_on_one_base_exactly_one_is_committed() {
    explore(|world| {
        let publish = |_| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.publish("a", None))
        };
        assert_eq!(all((0..3).map(publish).collect()), 1);
        assert_eq!(world.seen("a"), Some(Position::new(1)));
    });
}

#[test]
fn whoever_is_told_of_a_commit_sees_it() {
    explore(|world| {
        let publish = |name: &'static str| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.publish(name, None) && world.seen(name).is_some())
        };
        assert_eq!(all(["a", "b", "c"].into_iter().map(publish).collect()), 3);
    });
}

#[test]
fn what_is_visible_is_durable_and_never_goes_back() {
    explore(|world| {
        let writer = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                (0..3).all(|before| world.publish("a", (before > 0).then_some((1, before))))
            })
        };
        let other = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.publish("b", None))
        };
        let mut newest = None;
        for _ in 0..4 {
            let seen = world.seen("a");
            assert!(seen >= newest, "{newest:?} was seen before {seen:?}");
            assert!(seen.is_none_or(|seen| seen <= world.storage.durable()), "{seen:?} is not durable yet");
            newest = seen;
            thread::yield_now();
        }
        assert_eq!(all(vec![writer, other]), 2);
    });
}

#[test]
fn after_a_deletion_nobody_sees_the_life_that_ended() {
    explore(|world| {
        assert!(world.publish("a", None));
        let publisher = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.publish("a", Some((1, 1))))
        };
        let deleted = world.delete("a", (1, 1));
        let published = publisher.join().unwrap();
        assert!(deleted != published, "both stood on one base");
        assert_eq!(world.seen("a").is_none(), deleted);
    });
}
