use std::sync::atomic::{AtomicU8, Ordering};

use super::behind::Behind;
use super::memory::MemoryIndex;
use super::*;
use crate::crypto::sha256;

fn entry(repository: &str, incarnation: u64, role: &str, version: u64, position: u64) -> Entry {
    Entry {
        repository: repository.parse().unwrap(),
        incarnation: Incarnation::new(incarnation),
        role: role.parse().unwrap(),
        version: Version::new(version).unwrap(),
        sha256: sha256(format!("{repository} {incarnation} {role} {version} {position}").as_bytes()),
        position: Position::new(position),
    }
}

fn reached(position: u64) -> Reached {
    Reached { position: Position::new(position), chain: [7; 32] }
}

fn where_is(index: &Behind, of: &Entry) -> (Option<u64>, Option<u64>) {
    let by_version = index.by_version(&of.repository, of.incarnation, &of.role, of.version).unwrap();
    let by_digest = index.by_digest(&of.repository, of.incarnation, &of.role, &of.sha256).unwrap();
    (by_version.map(Position::get), by_digest.map(Position::get))
}

/// What every index promises.
fn promise(index: &Behind) {
    assert_eq!(index.reached().unwrap(), None);
    let entries = [
        entry("a/b", 1, "targets", 1, 1),
        entry("a/b", 1, "targets", 2, 2),
        entry("a/b", 1, "targets/x", 1, 2),
        entry("a/b", 1, "targets/x", 1, 3), // made anew after it was removed
        entry("a/b", 2, "targets", 1, 4),
        entry("a", 1, "targets", 1, 5),
    ];
    index.note(entries.to_vec(), reached(5));
    let ask = |of: &Entry| where_is(index, of);
    for settled in [false, true] {
        if settled {
            index.settle().unwrap();
        }
        assert_eq!(ask(&entries[0]), (Some(1), Some(1)));
        assert_eq!(ask(&entries[2]), (Some(3), Some(2)), "by version the newest answers, by digest each");
        assert_eq!(ask(&entries[4]), (Some(4), Some(4)));
        assert_eq!(ask(&entry("a/b", 3, "targets", 1, 9)), (None, None));
        assert_eq!(ask(&entry("a/b", 1, "targets", 3, 9)), (None, None));
        assert_eq!(index.count(&entries[0].repository, Incarnation::new(1)).unwrap(), 4);
        assert_eq!(index.count(&entries[0].repository, Incarnation::new(2)).unwrap(), 1);
        assert_eq!(index.count(&entries[0].repository, Incarnation::new(3)).unwrap(), 0);
    }
    assert_eq!(index.reached().unwrap(), Some(reached(5)));
    index.note(entries[5..].to_vec(), reached(5)); // again
    let mut seen = Vec::new();
    index.entries(&mut |entry| seen.push(entry)).unwrap();
    seen.sort();
    let mut all = entries.to_vec();
    all.sort();
    assert_eq!(seen, all);
    index.clear().unwrap();
    assert_eq!((index.reached().unwrap(), ask(&entries[0])), (None, (None, None)));
    index.note(entries.to_vec(), reached(5));
    assert_eq!(ask(&entries[0]), (Some(1), Some(1)));
}

#[test]
fn an_index_in_memory_keeps_the_promise() {
    promise(&Behind::in_memory());
    promise(&Behind::on(Box::new(MemoryIndex::default())));
}

#[cfg(feature = "sled")]
#[test]
fn an_index_in_sled_keeps_the_promise_and_what_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    promise(&Behind::open_sled(&path).unwrap());
    let again = Behind::open_sled(&path).unwrap();
    assert_eq!(again.reached().unwrap(), Some(reached(5)));
    assert_eq!(where_is(&again, &entry("a", 1, "targets", 1, 5)), (Some(5), Some(5)));
    drop(again);
    assert_eq!(Behind::recreate_sled(&path).unwrap().reached().unwrap(), None);
}

#[cfg(feature = "sled")]
#[test]
fn a_format_of_another_release_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let database = ::sled::open(folder.path()).unwrap();
    database.insert("reached", &[0, 2, 0, 0]).unwrap();
    drop(database);
    assert!(matches!(Behind::open_sled(folder.path()), Err(IndexError::Unreadable(_))));
}

/// Fails at its next write as it is told: 1 with an error, 2 with a panic.
#[derive(Default)]
struct Faulty {
    inner: MemoryIndex,
    fail: AtomicU8,
}

struct Told(std::sync::Arc<Faulty>);

impl Index for Told {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        self.0.inner.reached()
    }
    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        match self.0.fail.swap(0, Ordering::SeqCst) {
            0 => self.0.inner.apply(entries, reached),
            1 => Err(IndexError::Unreadable("as told")),
            _ => panic!("as told"),
        }
    }
    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        self.0.inner.by_version(life, role, version)
    }
    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        self.0.inner.by_digest(life, role, sha256)
    }
    fn count(&self, life: Life<'_>) -> Result<u64, IndexError> {
        self.0.inner.count(life)
    }
    fn entries(&self, visit: &mut dyn FnMut(Entry)) -> Result<(), IndexError> {
        self.0.inner.entries(visit)
    }
    fn flush(&self) -> Result<(), IndexError> {
        self.0.inner.flush()
    }
    fn clear(&self) -> Result<(), IndexError> {
        self.0.inner.clear()
    }
    fn size(&self) -> Result<u64, IndexError> {
        self.0.inner.size()
    }
}

#[test]
fn after_a_failed_write_an_index_stands_still_until_it_is_filled_anew() {
    for failure in [1, 2] {
        let faulty = std::sync::Arc::new(Faulty::default());
        let index = Behind::on(Box::new(Told(faulty.clone())));
        let first = entry("a", 1, "targets", 1, 1);
        faulty.fail.store(failure, Ordering::SeqCst);
        index.note(vec![first.clone()], reached(1));
        assert!(index.settle().is_err());
        index.note(vec![entry("a", 1, "targets", 2, 2)], reached(2));
        let asked = index.by_version(&first.repository, first.incarnation, &first.role, first.version);
        assert!(matches!(asked, Err(IndexError::StandsStill)), "{asked:?}");
        index.clear().unwrap();
        index.note(vec![first.clone()], reached(1));
        assert_eq!(where_is(&index, &first), (Some(1), Some(1)));
        index.settle().unwrap();
    }
}

#[test]
fn what_is_pending_is_applied_when_the_index_is_dropped() {
    let faulty = std::sync::Arc::new(Faulty::default());
    let index = Behind::on(Box::new(Told(faulty.clone())));
    index.note(vec![entry("a", 1, "targets", 1, 1)], reached(1));
    drop(index);
    assert_eq!(faulty.inner.reached().unwrap(), Some(reached(1)));
}
