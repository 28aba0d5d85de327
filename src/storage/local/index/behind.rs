use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::impatient::{Impatient, Patience};
use super::memory::MemoryIndex;
use super::place::{IndexKind, discard};
use super::prebuilt::{PrebuiltRows, hash_key, keep_hash_key};
use super::{Entry, Index, IndexError, Life, Reached, Row};
use crate::storage::Prebuilt;
use crate::terms::{Incarnation, Position, RepositoryName, RoleName, Sha256, Version};

/// The index as the store uses it: written behind the journal, in batches, by a thread of its own.
///
/// What is not applied yet is answered from memory, so whoever asks sees all that was noted. A panic inside the index is
/// an error; after a failed write it stands still until it is emptied and filled again. Dropping this applies what is
/// pending and ends the thread.
pub(crate) struct Behind {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    kind: Option<IndexKind>,
    /// `None`: nothing is kept.
    prebuilt: Option<PrebuiltRows>,
    hash_key: [u8; 16],
}

struct Shared {
    index: Arc<dyn Index>,
    /// Held while a batch is applied: one at a time.
    applying: Mutex<()>,
    pending: Mutex<Pending>,
    /// There is something to apply, or it is to end.
    work: Condvar,
    /// Something was applied.
    done: Condvar,
}

#[derive(Default)]
struct Pending {
    /// Noted and not yet in the index, those included that are being applied; oldest first.
    entries: Vec<Entry>,
    reached: Option<Reached>,
    /// Somebody waits: do not gather any longer.
    hurried: bool,
    ending: bool,
    failed: bool,
}

/// From how many entries on they are applied without gathering more.
const BATCH: usize = 4096;
/// How many may wait before whoever commits has to wait as well.
const BACKLOG: usize = 16 * BATCH;
/// How long entries are gathered.
const GATHER: Duration = Duration::from_millis(50);

impl Behind {
    /// In memory: applied at once.
    pub(crate) fn in_memory() -> Self {
        let shared = Arc::new(Shared::new(Arc::new(MemoryIndex::default())));
        Self { shared, thread: None, kind: None, prebuilt: None, hash_key: rand::random() }
    }

    /// On any index.
    pub(crate) fn on(index: Arc<dyn Index>) -> Self {
        Self::waiting(index, Patience::default())
    }

    /// The same, waiting so long for one that may hang.
    pub(crate) fn waiting(index: Arc<dyn Index>, patience: Patience) -> Self {
        let index: Arc<dyn Index> =
            if index.may_hang() { Arc::new(Impatient::new(index, patience)) } else { index };
        let hash_key = hash_key(&*index);
        let prebuilt = PrebuiltRows::on(Arc::clone(&index));
        let shared = Arc::new(Shared::new(index));
        let writer = Arc::clone(&shared);
        let spawned =
            thread::Builder::new().name("tufstore-index".to_owned()).spawn(move || writer.write_on());
        if let Err(error) = &spawned {
            tracing::warn!(%error, "no thread for the index: it is written by whoever commits");
        }
        Self { shared, thread: spawned.ok(), kind: None, prebuilt, hash_key }
    }

    /// In a store's folder: of the kind that is wanted, or else the one that is there, or else the usual one. Others are
    /// removed, and one that cannot be opened is made anew.
    pub(crate) fn open(folder: &Path, wanted: Option<IndexKind>) -> Result<Self, IndexError> {
        let Some(kind) = wanted.or_else(|| IndexKind::found(folder)).or_else(IndexKind::usual) else {
            return Ok(Self::in_memory());
        };
        let index = match guarded(|| kind.open(folder)) {
            Ok(index) => index,
            Err(error @ IndexError::NotBuiltIn(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the index cannot be opened and is made anew");
                match discard(&kind.place(folder)).and_then(|()| guarded(|| kind.open(folder))) {
                    Ok(index) => index,
                    Err(error) => {
                        tracing::error!(%error, "nor can it be made anew: it is held in memory until the next time");
                        return Ok(Self::in_memory());
                    }
                }
            }
        };
        // Only now: whoever asks for a kind that cannot be had keeps the one that is there.
        kind.discard_others(folder)?;
        let mut behind = Self::on(index);
        behind.kind = Some(kind);
        Ok(behind)
    }

    /// Where it lies; `None` if in memory.
    pub(crate) fn kind(&self) -> Option<IndexKind> {
        self.kind
    }

    /// How far the index has been brought, without what is pending.
    pub(crate) fn reached(&self) -> Result<Option<Reached>, IndexError> {
        self.shared.ask(Index::reached)
    }

    /// Takes what a commit has added to the journal. Does not wait for the disk, unless a large backlog has gathered.
    pub(crate) fn note(&self, entries: Vec<Entry>, reached: Reached) {
        let mut pending = self.shared.pending.lock();
        if pending.failed {
            return;
        }
        pending.entries.extend(entries);
        pending.reached = Some(reached);
        if self.thread.is_none() {
            drop(pending);
            self.shared.apply_batch();
            return;
        }
        if pending.entries.len() >= BATCH {
            self.shared.work.notify_one();
        }
        while pending.entries.len() >= BACKLOG && !pending.failed {
            self.shared.done.wait(&mut pending);
        }
    }

    pub(crate) fn by_version(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        let life = Life { repository, incarnation };
        let pending =
            self.shared.newest_pending(life, |entry| entry.role == *role && entry.version == version);
        match pending {
            Some(position) => Ok(Some(position)),
            None => self.shared.ask(|index| index.by_version(life, role, version)),
        }
    }

    pub(crate) fn by_digest(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        let life = Life { repository, incarnation };
        let pending =
            self.shared.newest_pending(life, |entry| entry.role == *role && entry.sha256 == *sha256);
        match pending {
            Some(position) => Ok(Some(position)),
            None => self.shared.ask(|index| index.by_digest(life, role, sha256)),
        }
    }

    /// How many documents of a life are known. Waits until what is pending of it is applied.
    pub(crate) fn count(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
    ) -> Result<u64, IndexError> {
        let life = Life { repository, incarnation };
        self.settle_life(life);
        self.shared.ask(|index| index.count(life))
    }

    /// Where the documents of a life stand, one for each, in any order. Waits until what is pending of it is applied.
    pub(crate) fn positions(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
    ) -> Result<Vec<Position>, IndexError> {
        let life = Life { repository, incarnation };
        self.settle_life(life);
        self.shared.ask(|index| index.positions(life))
    }

    fn settle_life(&self, life: Life<'_>) {
        if self.shared.newest_pending(life, |_| true).is_some() {
            self.shared.apply_all(self.thread.is_some());
        }
    }

    /// Shows what it has of every entry; what is pending is applied first.
    pub(crate) fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        self.shared.apply_all(self.thread.is_some());
        self.shared.ask(|index| index.rows(visit))
    }

    /// A secret that is kept as long as what is prebuilt.
    pub(crate) fn hash_key(&self) -> [u8; 16] {
        self.hash_key
    }

    /// See [`crate::storage::Storage::keep_prebuilt`] and what follows it there.
    pub(crate) fn keep_prebuilt(&self, repository: &RepositoryName, prebuilt: Prebuilt) {
        if let Some(rows) = &self.prebuilt {
            rows.keep(repository, prebuilt);
        }
    }

    pub(crate) fn forget_prebuilt(&self, repository: &RepositoryName) {
        if let Some(rows) = &self.prebuilt {
            rows.forget(repository);
        }
    }

    pub(crate) fn prebuilt(
        &self,
        repository: &RepositoryName,
        read: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), IndexError> {
        self.prebuilt.as_ref().map_or(Ok(()), |rows| rows.read(repository, read))
    }

    /// Applies and flushes everything that was noted.
    pub(crate) fn settle(&self) -> Result<(), IndexError> {
        self.shared.apply_all(self.thread.is_some());
        if let Some(rows) = &self.prebuilt {
            rows.settle();
        }
        self.shared.ask(Index::flush)
    }

    /// Empties the index, so that it can be filled from the journal.
    pub(crate) fn clear(&self) -> Result<(), IndexError> {
        self.shared.apply_all(self.thread.is_some());
        *self.shared.pending.lock() = Pending::default();
        guarded(|| self.shared.index.clear())?;
        keep_hash_key(&*self.shared.index, self.hash_key);
        Ok(())
    }

    pub(crate) fn size(&self) -> Result<u64, IndexError> {
        self.shared.ask(Index::size)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.shared.pending.lock().ending = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the index's thread panicked; the index will be made anew at the next open");
        }
    }
}

impl Shared {
    fn new(index: Arc<dyn Index>) -> Self {
        Self {
            index,
            applying: Mutex::default(),
            pending: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        }
    }

    /// The thread: gathers, applies, until it is told to end and nothing is left.
    fn write_on(&self) {
        loop {
            let mut pending = self.pending.lock();
            while pending.reached.is_none() && !pending.ending {
                self.work.wait_for(&mut pending, GATHER);
            }
            if !pending.hurried && !pending.ending && pending.entries.len() < BATCH {
                self.work.wait_for(&mut pending, GATHER);
            }
            let nothing_left = pending.reached.is_none();
            let ending = pending.ending;
            drop(pending);
            if ending && nothing_left {
                return;
            }
            self.apply_batch();
        }
    }

    /// Applies what is pending now. It stays visible as pending until it is in the index.
    fn apply_batch(&self) {
        let _applying = self.applying.lock();
        let (batch, reached) = {
            let pending = self.pending.lock();
            let Some(reached) = pending.reached else { return };
            (pending.entries.clone(), reached)
        };
        let applied = guarded(|| self.index.apply(&batch, reached));
        let mut pending = self.pending.lock();
        if let Err(error) = applied {
            tracing::warn!(%error, "the index stands still; it will be made anew from the journal");
            *pending = Pending { failed: true, ending: pending.ending, ..Pending::default() };
        } else {
            let applied = batch.len().min(pending.entries.len());
            pending.entries.drain(..applied);
            if pending.reached == Some(reached) {
                pending.reached = None;
                pending.hurried = false;
            }
        }
        self.done.notify_all();
    }

    fn apply_all(&self, by_thread: bool) {
        if !by_thread {
            return self.apply_batch();
        }
        let mut pending = self.pending.lock();
        while pending.reached.is_some() {
            pending.hurried = true;
            self.work.notify_one();
            self.done.wait(&mut pending);
        }
    }

    fn newest_pending(&self, life: Life<'_>, wanted: impl Fn(&Entry) -> bool) -> Option<Position> {
        let pending = self.pending.lock();
        let newest = pending.entries.iter().rev().find(|entry| life.holds(entry) && wanted(entry));
        newest.map(|entry| entry.position)
    }

    fn ask<A>(&self, question: impl FnOnce(&dyn Index) -> Result<A, IndexError>) -> Result<A, IndexError> {
        if self.pending.lock().failed {
            return Err(IndexError::StandsStill);
        }
        guarded(|| question(&*self.index))
    }
}

/// sled panics on damage, and an index never has to be right: a panic is one more way to fail.
pub(super) fn guarded<A>(work: impl FnOnce() -> Result<A, IndexError>) -> Result<A, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Panicked))
}

/// Closes a database, and says whether it closed as it should. What is wrong in its file may show itself only then.
#[cfg(any(feature = "redb", feature = "sled"))]
pub(super) fn let_go<D>(database: D) -> bool {
    let closed = guarded(|| {
        drop(database);
        Ok(())
    });
    if closed.is_err() {
        tracing::warn!("the index did not close cleanly: it is looked through when it is opened again");
    }
    closed.is_ok()
}
