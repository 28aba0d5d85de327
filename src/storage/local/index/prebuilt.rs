//! What lookups need of each repository, kept beside the index's entries so that nobody has to make it from documents.
//!
//! Written behind by a thread of its own, which gathers longer than the one for entries: a repository that is published into
//! again and again costs one write of its table in a few seconds, and none if its tags stay as they are. Whatever is lost or
//! too much to be gathered is made anew by whoever needs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::behind::guarded;
use super::{Index, IndexError, short_hash};
use crate::storage::Prebuilt;
use crate::terms::RepositoryName;

/// For how long is gathered.
const GATHER: Duration = Duration::from_secs(5);
/// For how long what comes too early waits.
const SOON: Duration = Duration::from_millis(50);
/// How many bytes are gathered at most before they are written.
const MUCH: usize = 32 << 20;
/// How many bytes may wait; what comes beyond is not kept.
const TOO_MUCH: usize = 2 * MUCH;
/// What a pending one takes beside its table, about.
const EACH: usize = 512;
/// How much is written in one step, about.
const STEP: usize = 4 << 20;

/// Keys of a key-value store, and what they shall have from now on, if anything.
pub(crate) type Rows = Vec<(Vec<u8>, Option<Vec<u8>>)>;

const HASH_KEY: &[u8] = b"hash key";
const STANDING: u8 = b's';
const TABLE: u8 = b't';

/// Writes and reads what was prebuilt.
pub(super) struct PrebuiltRows {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    index: Arc<dyn Index>,
    pending: Mutex<Pending>,
    /// There is much to write, or somebody waits for all of it, or it is to end.
    work: Condvar,
    /// All that was pending at a time is written.
    done: Condvar,
}

#[derive(Default)]
struct Pending {
    changes: HashMap<RepositoryName, Change>,
    /// Of all of them, about.
    bytes: usize,
    /// Counts changes.
    number: u64,
    hurried: bool,
    ending: bool,
}

#[derive(Clone)]
struct Change {
    number: u64,
    /// `None`: to be forgotten.
    prebuilt: Option<Prebuilt>,
    /// Whether the table has to be written even if one of its origin is there.
    anew: bool,
}

impl Change {
    fn bytes(&self) -> usize {
        EACH + self.prebuilt.as_ref().map_or(0, |prebuilt| prebuilt.bytes)
    }
}

impl Pending {
    /// Nothing is left to do for these, unless others came.
    fn done(&mut self, changes: &[(RepositoryName, Change)]) {
        for (repository, change) in changes {
            if self.changes.get(repository).is_some_and(|now| now.number == change.number) {
                self.changes.remove(repository);
                self.bytes -= change.bytes();
            }
        }
    }
}

impl PrebuiltRows {
    /// `None` if there is no thread to be had.
    pub(super) fn on(index: Arc<dyn Index>) -> Option<Self> {
        let shared = Shared { index, pending: Mutex::default(), work: Condvar::new(), done: Condvar::new() };
        let shared = Arc::new(shared);
        let writer = Arc::clone(&shared);
        let spawned =
            thread::Builder::new().name("tufstore-tables".to_owned()).spawn(move || writer.write_on());
        if let Err(error) = &spawned {
            tracing::warn!(%error, "no thread to keep tables with: they will be made from documents after the next start");
        }
        Some(Self { shared, thread: Some(spawned.ok()?) })
    }

    pub(super) fn keep(&self, repository: &RepositoryName, prebuilt: Prebuilt) {
        self.shared.change(repository, Some(prebuilt));
    }

    pub(super) fn forget(&self, repository: &RepositoryName) {
        self.shared.change(repository, None);
    }

    /// Shows standing and table, if both are there.
    pub(super) fn read(
        &self,
        repository: &RepositoryName,
        read: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), IndexError> {
        let pending = self.shared.pending.lock().changes.get(repository).cloned();
        if let Some(Change { prebuilt, .. }) = pending {
            if let Some(prebuilt) = prebuilt {
                read(&prebuilt.standing, &(prebuilt.table)());
            }
            return Ok(());
        }
        let mut standing = Vec::new();
        let mut shown = 0_u32;
        let mut visit = |value: &[u8]| {
            if shown == 0 {
                value.get(ORIGIN..).unwrap_or_default().clone_into(&mut standing);
            } else {
                read(&standing, value);
            }
            shown += 1;
        };
        guarded(|| self.shared.index.kept(&keys(repository), &mut visit))?;
        if shown == 1 {
            // A table that was lost would not be written again, since it counts as there.
            self.forget(repository);
        }
        Ok(())
    }

    /// Writes all that is pending.
    pub(super) fn settle(&self) {
        let mut pending = self.shared.pending.lock();
        while !pending.changes.is_empty() {
            pending.hurried = true;
            self.shared.work.notify_one();
            self.shared.done.wait(&mut pending);
        }
    }
}

impl Drop for PrebuiltRows {
    fn drop(&mut self) {
        self.shared.pending.lock().ending = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps tables panicked; they will be made from documents");
        }
    }
}

impl Shared {
    fn change(&self, repository: &RepositoryName, prebuilt: Option<Prebuilt>) {
        let mut pending = self.pending.lock();
        let before = pending.changes.get(repository);
        let is_older = |(new, old): (&Prebuilt, &Prebuilt)| new.position < old.position;
        if prebuilt.as_ref().zip(before.and_then(|before| before.prebuilt.as_ref())).is_some_and(is_older) {
            return;
        }
        let anew = before.is_some_and(|before| before.anew || before.prebuilt.is_none());
        pending.number += 1;
        let change = Change { number: pending.number, prebuilt, anew };
        if let Some(before) = pending.changes.remove(repository) {
            pending.bytes -= before.bytes();
        }
        if pending.bytes.saturating_add(change.bytes()) > TOO_MUCH {
            // What is there is of an earlier publication, and will be seen to be.
            return;
        }
        pending.bytes += change.bytes();
        pending.changes.insert(repository.clone(), change);
        if pending.bytes >= MUCH {
            self.work.notify_one();
        }
    }

    /// The thread: gathers, writes, until it is told to end and nothing is left.
    fn write_on(&self) {
        loop {
            let mut pending = self.pending.lock();
            if !pending.hurried && !pending.ending && pending.bytes < MUCH {
                self.work.wait_for(&mut pending, GATHER);
            }
            let changes: Vec<_> =
                pending.changes.iter().map(|(name, change)| (name.clone(), change.clone())).collect();
            let (hurried, ending) = (pending.hurried, pending.ending);
            drop(pending);
            if changes.is_empty() && ending {
                return;
            }
            let left = self.write(changes);
            let mut pending = self.pending.lock();
            if hurried || ending {
                // Nobody waits for what the index does not take.
                pending.done(&left);
            } else if !left.is_empty() {
                self.work.wait_for(&mut pending, SOON);
            }
            pending.hurried = pending.hurried && !pending.changes.is_empty();
            drop(pending);
            self.done.notify_all();
        }
    }

    /// In steps. What is written stays visible as pending until it is. Returns those that are too early: an index that a table
    /// is in has reached its publication, so that it is found out if it is of another journal.
    fn write(&self, changes: Vec<(RepositoryName, Change)>) -> Vec<(RepositoryName, Change)> {
        let reached = guarded(|| self.index.reached()).ok().flatten().map(|reached| reached.position);
        let is_early = |change: &Change| {
            change.prebuilt.as_ref().is_some_and(|prebuilt| Some(prebuilt.position) > reached)
        };
        let (early, changes): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|(_, change)| is_early(change));
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            let mut bytes = 0;
            let some: Vec<_> = std::iter::from_fn(|| {
                if bytes >= STEP {
                    return None;
                }
                let change = changes.next()?;
                bytes += change.1.bytes();
                Some(change)
            })
            .collect();
            let written = guarded(|| self.index.keep(self.rows(&some)?));
            if let Err(error) = written {
                tracing::warn!(%error, "tables could not be kept; they will be made from documents");
            }
            let mut pending = self.pending.lock();
            pending.done(&some);
        }
        early
    }

    /// What has to be written for some changes.
    fn rows(&self, changes: &[(RepositoryName, Change)]) -> Result<Rows, IndexError> {
        let mut rows = Rows::new();
        for (repository, Change { prebuilt, anew, .. }) in changes {
            let [standing, table] = keys(repository);
            let Some(prebuilt) = prebuilt else {
                rows.extend([(standing, None), (table, None)]);
                continue;
            };
            let value = [&prebuilt.origin, &*prebuilt.standing].concat();
            let mut there = Vec::new();
            self.index.kept(std::slice::from_ref(&standing), &mut |value| value.clone_into(&mut there))?;
            if *anew || there.get(..ORIGIN) != Some(&prebuilt.origin) {
                rows.push((table, Some((prebuilt.table)())));
            }
            if *anew || there != value {
                rows.push((standing, Some(value)));
            }
        }
        Ok(rows)
    }
}

/// A standing's row begins with its origin.
const ORIGIN: usize = 32;

/// Of standing and table.
fn keys(repository: &RepositoryName) -> [Vec<u8>; 2] {
    let name = short_hash(repository.as_str());
    [STANDING, TABLE].map(|kind| [name.as_slice(), &[kind]].concat())
}

/// The key that is kept, or one that is made now.
pub(super) fn hash_key(index: &dyn Index) -> [u8; 16] {
    let mut key = None;
    let asked = guarded(|| index.kept(&[HASH_KEY.to_vec()], &mut |value| key = value.try_into().ok()));
    if let (Ok(()), Some(key)) = (asked, key) {
        return key;
    }
    let key = rand::random();
    keep_hash_key(index, key);
    key
}

/// Without it, what is kept is of no use after the next start.
pub(super) fn keep_hash_key(index: &dyn Index, key: [u8; 16]) {
    if let Err(error) = guarded(|| index.keep(vec![(HASH_KEY.to_vec(), Some(key.to_vec()))])) {
        tracing::warn!(%error, "the key of what is prebuilt cannot be kept; tables will be made from documents");
    }
}

#[cfg(test)]
mod tests;
