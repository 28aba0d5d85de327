use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Behind;
#[cfg(any(feature = "sled", feature = "redb"))]
use super::super::IndexKind;
use super::super::memory::MemoryIndex;
use super::super::{Entry, Life, Reached, Row};
use super::*;
use crate::terms::{Position, RoleName, Sha256, Version};

fn name(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// Of the publication at `position`; its table is `table`, and asked for as often as `made` says.
fn prebuilt(position: u64, table: &'static str, made: &Arc<AtomicUsize>) -> Prebuilt {
    let made = Arc::clone(made);
    Prebuilt {
        position: Position::new(position),
        origin: *blake3::hash(table.as_bytes()).as_bytes(),
        standing: format!("at {position}").into_bytes(),
        bytes: table.len(),
        table: Arc::new(move || {
            made.fetch_add(1, Ordering::SeqCst);
            table.as_bytes().to_vec()
        }),
    }
}

/// Standing and table of what is there.
fn read(index: &Behind, repository: &str) -> Option<(String, String)> {
    let mut shown = None;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    index
        .prebuilt(&name(repository), &mut |standing, table| shown = Some((text(standing), text(table))))
        .unwrap();
    shown
}

fn of(position: u64, table: &str) -> (String, String) {
    (format!("at {position}"), table.to_owned())
}

#[cfg(any(feature = "sled", feature = "redb"))]
fn reach(index: &Behind, position: u64) {
    index.note(Vec::new(), Reached { position: Position::new(position), chain: [7; 32] });
    index.settle().unwrap();
}

#[cfg(any(feature = "sled", feature = "redb"))]
fn keeps_what_was_prebuilt(kind: IndexKind) {
    let folder = tempfile::tempdir().unwrap();
    let open = || Behind::open(folder.path(), Some(kind)).unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let index = open();
    let key = index.hash_key();
    reach(&index, 9);
    index.keep_prebuilt(&name("a"), prebuilt(2, "first", &made));
    index.keep_prebuilt(&name("b"), prebuilt(3, "other", &made));
    for _ in 0..2 {
        assert_eq!((read(&index, "a"), read(&index, "b")), (Some(of(2, "first")), Some(of(3, "other"))));
        assert_eq!(read(&index, "c"), None);
        index.settle().unwrap();
    }
    // An earlier one comes too late.
    index.keep_prebuilt(&name("a"), prebuilt(5, "second", &made));
    index.keep_prebuilt(&name("a"), prebuilt(4, "first", &made));
    assert_eq!(read(&index, "a"), Some(of(5, "second")));
    index.forget_prebuilt(&name("b"));
    assert_eq!(read(&index, "b"), None);
    drop(index);
    let index = open();
    assert_eq!((index.hash_key(), read(&index, "a"), read(&index, "b")), (key, Some(of(5, "second")), None));
    // The key outlives all else that is emptied.
    index.clear().unwrap();
    assert_eq!(read(&index, "a"), None);
    reach(&index, 9);
    index.keep_prebuilt(&name("a"), prebuilt(6, "second", &made));
    drop(index);
    let index = open();
    assert_eq!((index.hash_key(), read(&index, "a")), (key, Some(of(6, "second"))));
}

#[cfg(feature = "sled")]
#[test]
fn an_index_in_sled_keeps_what_was_prebuilt() {
    keeps_what_was_prebuilt(IndexKind::Sled);
}

#[cfg(feature = "redb")]
#[test]
fn an_index_in_redb_keeps_what_was_prebuilt() {
    keeps_what_was_prebuilt(IndexKind::Redb);
}

#[test]
fn an_index_in_memory_keeps_none_of_it() {
    let index = Behind::in_memory();
    index.keep_prebuilt(&name("a"), prebuilt(1, "first", &Arc::default()));
    assert_eq!(read(&index, "a"), None);
}

/// Keeps rows in memory, and says how many bytes were written.
#[derive(Default)]
struct Kept {
    rows: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    written: AtomicUsize,
    fails: Mutex<bool>,
    /// How far from where it would be it stays.
    short: AtomicUsize,
}

impl Index for Kept {
    fn keep(&self, rows: Rows) -> Result<(), IndexError> {
        if *self.fails.lock() {
            return Err(IndexError::Unreadable("as told"));
        }
        let mut kept = self.rows.lock();
        for (key, value) in rows {
            match value {
                Some(value) => {
                    self.written.fetch_add(value.len(), Ordering::SeqCst);
                    kept.insert(key, value);
                }
                None => drop(kept.remove(&key)),
            }
        }
        Ok(())
    }
    fn kept(&self, keys: &[Vec<u8>], visit: &mut dyn FnMut(&[u8])) -> Result<(), IndexError> {
        let kept = self.rows.lock();
        keys.iter().map_while(|key| kept.get(key)).for_each(|value| visit(value));
        Ok(())
    }
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        let position = Position::new(9 - u64::try_from(self.short.load(Ordering::SeqCst)).unwrap());
        Ok(Some(Reached { position, chain: [7; 32] }))
    }
    fn apply(&self, _: &[Entry], _: Reached) -> Result<(), IndexError> {
        Ok(())
    }
    fn by_version(&self, _: Life<'_>, _: &RoleName, _: Version) -> Result<Option<Position>, IndexError> {
        Ok(None)
    }
    fn by_digest(&self, _: Life<'_>, _: &RoleName, _: &Sha256) -> Result<Option<Position>, IndexError> {
        Ok(None)
    }
    fn count(&self, _: Life<'_>) -> Result<u64, IndexError> {
        Ok(0)
    }
    fn positions(&self, _: Life<'_>) -> Result<Vec<Position>, IndexError> {
        Ok(Vec::new())
    }
    fn rows(&self, _: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        Ok(())
    }
    fn flush(&self) -> Result<(), IndexError> {
        Ok(())
    }
    fn clear(&self) -> Result<(), IndexError> {
        Ok(())
    }
    fn size(&self) -> Result<u64, IndexError> {
        Ok(0)
    }
}

#[test]
fn a_table_is_written_only_where_its_tags_have_changed() {
    let kept = Arc::new(Kept::default());
    let index = Behind::on(kept.clone());
    let made = Arc::new(AtomicUsize::new(0));
    let settle = |index: &Behind| {
        index.settle().unwrap();
        (made.load(Ordering::SeqCst), kept.written.swap(0, Ordering::SeqCst))
    };
    settle(&index);
    let standing = 32 + "at 1".len();
    index.keep_prebuilt(&name("a"), prebuilt(1, "first", &made));
    assert_eq!(settle(&index), (1, standing + 5));
    index.keep_prebuilt(&name("a"), prebuilt(2, "first", &made));
    assert_eq!(settle(&index), (1, standing));
    // The newest of many; and of the very same, nothing.
    (3..9).for_each(|position| index.keep_prebuilt(&name("a"), prebuilt(position, "other", &made)));
    assert_eq!(settle(&index), (2, standing + 5));
    index.keep_prebuilt(&name("a"), prebuilt(8, "other", &made));
    assert_eq!(settle(&index), (2, 0));
    // What was forgotten, or is found to be lost, is written whole.
    index.forget_prebuilt(&name("a"));
    index.keep_prebuilt(&name("a"), prebuilt(8, "other", &made));
    assert_eq!(settle(&index), (3, standing + 5));
    kept.rows.lock().remove(&keys(&name("a"))[1]);
    assert_eq!(read(&index, "a"), None);
    index.keep_prebuilt(&name("a"), prebuilt(8, "other", &made));
    assert_eq!(settle(&index), (4, standing + 5));
    assert_eq!(read(&index, "a"), Some(of(8, "other")));
}

#[test]
fn what_cannot_be_written_is_left_and_nobody_waits_for_ever() {
    let kept = Arc::new(Kept::default());
    let index = Behind::on(kept.clone());
    *kept.fails.lock() = true;
    index.keep_prebuilt(&name("a"), prebuilt(1, "first", &Arc::default()));
    index.settle().unwrap();
    assert_eq!(read(&index, "a"), None);
    *kept.fails.lock() = false;
    index.keep_prebuilt(&name("a"), prebuilt(1, "first", &Arc::default()));
    index.settle().unwrap();
    assert_eq!(read(&index, "a"), Some(of(1, "first")));
}

#[test]
fn no_table_is_there_before_the_index_has_reached_its_publication() {
    let kept = Arc::new(Kept::default());
    let index = Behind::on(kept.clone());
    kept.short.store(5, Ordering::SeqCst);
    index.keep_prebuilt(&name("a"), prebuilt(4, "first", &Arc::default()));
    index.keep_prebuilt(&name("b"), prebuilt(5, "other", &Arc::default()));
    assert_eq!(read(&index, "b"), Some(of(5, "other")));
    index.settle().unwrap();
    assert_eq!((read(&index, "a"), read(&index, "b")), (Some(of(4, "first")), None));
    // Whoever is not in a hurry waits for the index.
    let rows = PrebuiltRows { shared: shared(kept.clone()), thread: None };
    rows.keep(&name("b"), prebuilt(5, "other", &Arc::default()));
    let pending = || rows.shared.pending.lock().changes.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(rows.shared.write(pending()).len(), 1);
    assert_eq!(pending().len(), 1);
    kept.short.store(4, Ordering::SeqCst);
    assert_eq!((rows.shared.write(pending()).len(), pending().len()), (0, 0));
    assert_eq!(read(&index, "b"), Some(of(5, "other")));
}

fn shared(index: Arc<dyn Index>) -> Arc<Shared> {
    Arc::new(Shared { index, pending: Mutex::default(), work: Condvar::new(), done: Condvar::new() })
}

#[test]
fn what_is_too_much_is_not_gathered() {
    let shared = shared(Arc::new(MemoryIndex::default()));
    let large =
        |position| Prebuilt { bytes: TOO_MUCH / 2 - EACH, ..prebuilt(position, "large", &Arc::default()) };
    let pending = || {
        let pending = shared.pending.lock();
        let mut names: Vec<_> =
            pending.changes.keys().map(RepositoryName::as_str).map(str::to_owned).collect();
        names.sort();
        (names, pending.bytes)
    };
    shared.change(&name("a"), Some(large(1)));
    shared.change(&name("b"), Some(large(2)));
    shared.change(&name("a"), Some(large(3)));
    assert_eq!(pending(), (vec!["a".to_owned(), "b".to_owned()], TOO_MUCH));
    shared.change(&name("c"), Some(prebuilt(4, "small", &Arc::default())));
    assert_eq!(pending(), (vec!["a".to_owned(), "b".to_owned()], TOO_MUCH));
    // What has grown too large takes what was there along.
    shared.change(&name("a"), Some(Prebuilt { bytes: TOO_MUCH, ..large(5) }));
    assert_eq!(pending(), (vec!["b".to_owned()], TOO_MUCH / 2));
    shared.change(&name("b"), None);
    assert_eq!(pending(), (vec!["b".to_owned()], EACH));
}
