use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use crate::storage::local::LocalStorage;
use crate::storage::local::delta::Reader;
use crate::storage::{Discard, DocumentAt, Kept, RecordHeader, StorageError};

impl LocalStorage {
    pub(super) fn stand_on(&self, documents: &[DocumentAt]) -> Result<HashSet<DocumentAt>, StorageError> {
        let mut reader = Reader::new(&self.journal, &self.recent);
        let mut all = HashSet::new();
        for DocumentAt { position, number } in documents {
            let record = reader.stored(*position)?;
            let ancestors = match reader.ancestors(&record, *number) {
                // It was dropped before, so it stands on nothing.
                Err(StorageError::Collected) => continue,
                ancestors => ancestors?,
            };
            all.extend(
                ancestors.into_iter().map(|ancestor| DocumentAt {
                    position: ancestor.at.position,
                    number: ancestor.at.number,
                }),
            );
        }
        Ok(all)
    }

    /// One run at a time. Where a full disk leaves no room, the index makes way, and is made anew afterwards.
    pub(super) fn compact_segments(
        &self,
        may: &dyn Fn(&RecordHeader) -> Discard,
        part: u64,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<u64, StorageError> {
        let mut alone = self.compacting.lock();
        // Whoever paces this by pausing in `progress` keeps nobody from a run of their own meanwhile.
        let progress = &mut |done, all| MutexGuard::unlocked_fair(&mut alone, || progress(done, all));
        match self.compact_all(may, part, progress) {
            Err(error) if error.is_full_disk() && self.journal.takes_writes() => {}
            done => return done,
        }
        tracing::warn!("the disk is full: the index makes way, and is made anew afterwards");
        // Until then nobody makes it anew, and nobody believes it.
        self.distrusted.store(true, Ordering::Release);
        if let Err(error) = self.index.clear() {
            tracing::warn!(%error, "the index could not make way");
        }
        let compacted = self.compact_all(may, part, progress);
        let writer = self.journal.appender();
        match self.rebuild_index(&writer, &mut |_, _| {}) {
            Ok(()) => self.distrusted.store(false, Ordering::Release),
            Err(error) => tracing::warn!(%error, "the index is made anew when the store is opened again"),
        }
        compacted
    }

    /// On a full disk, what is short goes first, as each makes room for the next.
    fn compact_all(
        &self,
        may: &dyn Fn(&RecordHeader) -> Discard,
        part: u64,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<u64, StorageError> {
        self.journal.settle_names()?;
        let mut damaged = None;
        match self.journal.should_rotate(may, part) {
            Ok(true) => self.journal.appender().rotate()?,
            Ok(false) => {}
            Err(error) if error.is_of_damage() => {
                tracing::warn!(%error, "the newest segment is left as it is");
                damaged = Some(error);
            }
            Err(error) => return Err(error),
        }
        let mut left = self.journal.followed();
        let (all, mut done, mut freed) = (count(left.len()), 0, 0_u64);
        let mut without_room = None;
        while !left.is_empty() {
            let (mut again, before) = (Vec::new(), freed);
            for number in left {
                if !progress(done, all) || self.is_kept() {
                    self.checkpoint_after(freed)?;
                    return Ok(freed);
                }
                match self.journal.compact(number, may, part) {
                    Ok(bytes) => {
                        freed = freed.saturating_add(bytes);
                        done += 1;
                    }
                    Err(error) if error.is_full_disk() => {
                        again.push(number);
                        without_room = Some(error);
                    }
                    Err(error) if error.is_of_damage() && !self.journal.is_readable(number) => {
                        tracing::warn!(%error, "a segment is left as it is");
                        damaged.get_or_insert(error);
                        done += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
            if let Some(error) = without_room.take_if(|_| freed == before) {
                self.checkpoint_after(freed)?;
                return Err(error);
            }
            again.sort_by_key(|number| self.journal.bytes_of(*number));
            left = again;
        }
        progress(all, all);
        self.checkpoint_after(freed)?;
        self.journal.keep_reserve();
        damaged.map_or(Ok(freed), Err)
    }

    /// Whether somebody reads what would be dropped. What is left is dropped the next time.
    fn is_kept(&self) -> bool {
        let kept = Arc::strong_count(&self.kept) > 1;
        if kept {
            tracing::info!("a backup is being made: what is left to drop is dropped the next time");
        }
        kept
    }

    /// From now on until the answer is dropped, nothing is dropped.
    pub(super) fn keep_all(&self) -> Kept {
        let kept = Kept::of(&self.kept);
        // Waits for the segment that is being written anew.
        drop(self.compacting.lock());
        kept
    }

    /// The one before knows other files: it would cost reading them again.
    fn checkpoint_after(&self, freed: u64) -> Result<(), StorageError> {
        let writer = self.journal.appender();
        if freed > 0 && writer.ready().is_ok() {
            match self.write_checkpoint(writer.bytes()) {
                Err(error) if error.is_full_disk() => {
                    tracing::warn!(%error, "no checkpoint after compacting; opening will take longer");
                }
                written => written?,
            }
        }
        Ok(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
