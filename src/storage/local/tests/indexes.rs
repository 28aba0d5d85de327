//! Whatever the index does, the store does what it should: an index that lies, forgets, fails, panics or hangs, at any of
//! its calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::crash::CrashDevice;
use super::{Author, SMALL, committed, holds_exactly};
use crate::storage::local::LocalStorage;
use crate::storage::local::index::{
    Behind, Entry, Index, IndexError, Life, MemoryIndex, Patience, Reached, Row,
};
use crate::storage::{Record, Storage, StorageError};
use crate::terms::{Position, RoleName, Sha256, Version};

/// What an index does at one of its calls, and at all after it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Fails,
    Panics,
    Hangs,
    /// Says that there is nothing.
    Forgets,
    /// Says what belongs to something else.
    Lies,
}

/// An index that is right until its calls have been counted so far.
struct Strange {
    inner: MemoryIndex,
    calls: AtomicU64,
    from: u64,
    fault: Fault,
}

impl Strange {
    /// What to do otherwise, if it is time.
    fn now(&self) -> Result<Option<Fault>, IndexError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) < self.from {
            return Ok(None);
        }
        match self.fault {
            Fault::Fails => Err(IndexError::Unreadable("as told")),
            Fault::Panics => panic!("as told"),
            Fault::Hangs => loop {
                std::thread::park();
            },
            Fault::Forgets | Fault::Lies => Ok(Some(self.fault)),
        }
    }

    fn position(&self, found: Result<Option<Position>, IndexError>) -> Result<Option<Position>, IndexError> {
        match self.now()? {
            None => found,
            Some(Fault::Lies) => Ok(Some(found?.map_or(Position::new(2), |at| Position::new(at.get() ^ 1)))),
            Some(_) => Ok(None),
        }
    }
}

impl Index for Strange {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        match self.now()? {
            None => self.inner.reached(),
            Some(Fault::Lies) => Ok(Some(Reached { position: Position::new(1), chain: [9; 32] })),
            Some(_) => Ok(None),
        }
    }
    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        match self.now()? {
            None => self.inner.apply(entries, reached),
            // Only a part of it, or none.
            Some(Fault::Lies) => self.inner.apply(entries.get(1..).unwrap_or_default(), reached),
            Some(_) => Ok(()),
        }
    }
    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        self.position(self.inner.by_version(life, role, version))
    }
    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        self.position(self.inner.by_digest(life, role, sha256))
    }
    fn count(&self, life: Life<'_>) -> Result<u64, IndexError> {
        match self.now()? {
            None => self.inner.count(life),
            Some(Fault::Lies) => Ok(self.inner.count(life)? + 1),
            Some(_) => Ok(0),
        }
    }
    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError> {
        match self.now()? {
            None => self.inner.positions(life),
            Some(Fault::Lies) => Ok(vec![Position::new(1), Position::new(99)]),
            Some(_) => Ok(Vec::new()),
        }
    }
    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        match self.now()? {
            None => self.inner.rows(visit),
            Some(_) => Ok(()),
        }
    }
    fn flush(&self) -> Result<(), IndexError> {
        self.now().map(|_| ())
    }
    fn clear(&self) -> Result<(), IndexError> {
        match self.now()? {
            None | Some(Fault::Lies) => self.inner.clear(),
            Some(_) => Ok(()),
        }
    }
    fn size(&self) -> Result<u64, IndexError> {
        self.now().map(|_| 7)
    }
}

/// Publications of two lives, read in every way after each.
fn work(storage: &LocalStorage) -> Vec<Record> {
    let mut author = Author::default();
    let mut records = Vec::new();
    for step in 0..4 {
        let commit = match step {
            2 => author.delete("b"),
            _ => author.publish(["a", "b", "", "b"][step], 60),
        };
        committed(storage, commit.clone());
        records.push(commit.record);
        holds_exactly(storage, &records);
    }
    records
}

#[test]
fn whatever_an_index_does_at_any_call_the_store_does_what_it_should() {
    for fault in [Fault::Fails, Fault::Panics, Fault::Forgets, Fault::Lies, Fault::Hangs] {
        let sample = if fault == Fault::Hangs { 7 } else { 1 };
        for from in (0..60).step_by(sample) {
            let strange = Strange { inner: MemoryIndex::default(), calls: AtomicU64::new(0), from, fault };
            let limit = Duration::from_millis(60);
            let patience = Patience { reading: limit, writing: limit };
            let index = Behind::waiting(Arc::new(strange), patience);
            let device = CrashDevice::new();
            let storage = match LocalStorage::on_device(Arc::new(device.clone()), index, &SMALL) {
                Ok(storage) => storage,
                // A witness of records that are not there is believed: better refused than rolled back.
                Err(StorageError::LostRecords { witness: "the index", .. }) if fault == Fault::Lies => {
                    continue;
                }
                Err(error) => panic!("{fault:?} {from}: {error:?}"),
            };
            let records = work(&storage);
            // Whether it can be closed well is up to the index; what was published is not.
            let _closed = storage.close();
            drop(storage);
            let again = LocalStorage::on_device(Arc::new(device), Behind::in_memory(), &SMALL).unwrap();
            holds_exactly(&again, &records);
        }
    }
}
