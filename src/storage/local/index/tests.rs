use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::behind::Behind;
use super::memory::MemoryIndex;
use super::*;
use crate::crypto::sha256;
#[cfg(any(feature = "sled", feature = "redb"))]
use crate::storage::device::{Device, FileDevice};

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
        let mut positions = index.positions(&entries[0].repository, Incarnation::new(1)).unwrap();
        positions.sort_unstable();
        assert_eq!(positions, [1, 2, 2, 3].map(Position::new));
        assert_eq!(index.count(&entries[0].repository, Incarnation::new(2)).unwrap(), 1);
        assert_eq!(index.count(&entries[0].repository, Incarnation::new(3)).unwrap(), 0);
    }
    assert_eq!(index.reached().unwrap(), Some(reached(5)));
    index.note(entries[5..].to_vec(), reached(5)); // again
    let mut seen = Vec::new();
    index.rows(&mut |row| seen.push(row)).unwrap();
    seen.sort();
    let mut all = entries.each_ref().map(Row::of);
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
    promise(&Behind::on(Arc::new(MemoryIndex::default())));
}

#[cfg(any(feature = "sled", feature = "redb"))]
fn keeps_the_promise_and_what_it_was_told(kind: IndexKind) {
    let folder = tempfile::tempdir().unwrap();
    let open = || Behind::open(folder.path(), Some(kind)).unwrap();
    promise(&open());
    let again = open();
    assert_eq!(again.reached().unwrap(), Some(reached(5)));
    assert_eq!(where_is(&again, &entry("a", 1, "targets", 1, 5)), (Some(5), Some(5)));
    drop(again);
    // As it is found, whatever is the usual one.
    assert_eq!(Behind::open(folder.path(), None).unwrap().reached().unwrap(), Some(reached(5)));
    let many = (0..20_000).map(|number| entry("a", 1, "targets", number + 1, number + 1)).collect();
    let filled = open();
    filled.note(many, reached(20_000));
    filled.settle().unwrap();
    let size = filled.size().unwrap();
    filled.clear().unwrap();
    assert!(filled.size().unwrap() < size / 2, "room is given back: {size}");
    assert_eq!(filled.reached().unwrap(), None);
}

#[cfg(feature = "sled")]
#[test]
fn an_index_in_sled_keeps_the_promise_and_what_it_was_told() {
    keeps_the_promise_and_what_it_was_told(IndexKind::Sled);
}

#[cfg(feature = "redb")]
#[test]
fn an_index_in_redb_keeps_the_promise_and_what_it_was_told() {
    keeps_the_promise_and_what_it_was_told(IndexKind::Redb);
}

#[cfg(all(feature = "sled", feature = "redb"))]
#[test]
fn an_index_of_another_kind_begins_anew_and_what_was_there_goes() {
    let folder = tempfile::tempdir().unwrap();
    let places = [IndexKind::Sled, IndexKind::Redb].map(|kind| kind.place(folder.path()));
    for (kind, is, was) in [(IndexKind::Sled, 0, 1), (IndexKind::Redb, 1, 0), (IndexKind::Sled, 0, 1)] {
        let index = Behind::open(folder.path(), Some(kind)).unwrap();
        assert_eq!(index.reached().unwrap(), None, "{kind:?}");
        index.note(vec![entry("a", 1, "targets", 1, 1)], reached(1));
        index.settle().unwrap();
        assert!(places[is].exists() && !places[was].exists(), "{kind:?}");
    }
}

#[cfg(any(feature = "sled", feature = "redb"))]
#[test]
fn an_index_that_cannot_be_opened_is_made_anew() {
    for kind in [IndexKind::Sled, IndexKind::Redb] {
        let folder = tempfile::tempdir().unwrap();
        let place = kind.place(folder.path());
        let device = FileDevice::open(place.parent().unwrap()).unwrap();
        device.create(place.file_name().unwrap().to_str().unwrap()).unwrap().write(0, b"neither").unwrap();
        match Behind::open(folder.path(), Some(kind)) {
            Ok(index) => assert_eq!(index.reached().unwrap(), None),
            Err(error) => assert!(matches!(error, IndexError::NotBuiltIn(_)), "{kind:?}: {error:?}"),
        }
    }
}

#[cfg(feature = "redb")]
#[test]
fn a_bit_that_is_wrong_in_a_database_ends_no_third_process() {
    let folder = tempfile::tempdir().unwrap();
    let entries: Vec<_> = (1..=30).map(|at| entry("a", 1, "targets", at, at)).collect();
    let index = Behind::open(folder.path(), Some(IndexKind::Redb)).unwrap();
    index.note(entries.clone(), reached(30));
    index.settle().unwrap();
    drop(index);
    let place = IndexKind::Redb.place(folder.path());
    let device = FileDevice::open(place.parent().unwrap()).unwrap();
    let whole = std::fs::read(&place).unwrap();
    let used = whole.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at);
    let mut tried = 0;
    for at in used.step_by(67) {
        device.remove("redb").unwrap();
        let file = device.create("redb").unwrap();
        file.write(0, &whole).unwrap();
        file.write(u64::try_from(at).unwrap(), &[whole[at] ^ 1 << (at % 8)]).unwrap();
        drop(file);
        // As two leave it behind, which redb may have ended: it panics on the way from a panic.
        drop(device.remove("redb.open"));
        device.create("redb.open").unwrap().write(0, b"..").unwrap();
        // What it answers is checked by who asks; that it answers, and closes, is all that is asked here.
        if let Ok(index) = Behind::open(folder.path(), Some(IndexKind::Redb)) {
            let _any = index.count(&entries[0].repository, Incarnation::new(1));
            index.note(vec![entry("a", 1, "targets", 31, 31)], reached(31));
            let _any = index.settle();
        }
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
    drop(Behind::open(folder.path(), Some(IndexKind::Redb)).unwrap());
    assert!(device.open("redb.open").is_err(), "it was closed");
}

#[cfg(feature = "sled")]
#[test]
fn an_index_in_a_format_of_another_release_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let database = ::sled::open(IndexKind::Sled.place(folder.path())).unwrap();
    database.insert("reached", &[0, 1, 0, 0]).unwrap();
    drop(database);
    assert!(matches!(IndexKind::Sled.open(folder.path()), Err(IndexError::Unreadable(_))));
    assert_eq!(Behind::open(folder.path(), None).unwrap().reached().unwrap(), None);
}

/// Fails at its next write as it is told: 1 with an error, 2 with a panic.
#[derive(Default)]
struct Faulty {
    inner: MemoryIndex,
    fail: AtomicU8,
}

struct Told(Arc<Faulty>);

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
    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError> {
        self.0.inner.positions(life)
    }
    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        self.0.inner.rows(visit)
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
        let faulty = Arc::new(Faulty::default());
        let index = Behind::on(Arc::new(Told(faulty.clone())));
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
    let faulty = Arc::new(Faulty::default());
    let index = Behind::on(Arc::new(Told(faulty.clone())));
    index.note(vec![entry("a", 1, "targets", 1, 1)], reached(1));
    drop(index);
    assert_eq!(faulty.inner.reached().unwrap(), Some(reached(1)));
}
