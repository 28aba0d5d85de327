//! One machine's folder: the journal is the truth, the index finds things in it, a checkpoint spares reading all of it.
//!
//! ```text
//! FOLDER/lock                 who has it open
//! FOLDER/journal/N.segment    the records
//! FOLDER/journal/checkpoint   heads and places at some Position
//! FOLDER/index/               a key-value store; may be lost
//! ```

mod anchor;
mod catch_up;
mod checkpoint;
mod codec;
mod commit;
mod compact;
mod delta;
mod find;
mod heads;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod index;
mod journal;
mod lock;
mod salvage;
mod twins;
mod verify;

pub(crate) use codec::{
    decode_attachment, decode_header as decode_record_header, encode_attachment,
    encode_header as encode_record_header,
};
pub(crate) use delta::Payload;
pub(crate) use journal::Raw;
pub(crate) use salvage::{Building, Salvage, SalvagedRecord, Witnessed};

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::storage::device::{Device, FileDevice, MemoryDevice};
use crate::storage::local::anchor::Anchor;
use crate::storage::local::checkpoint::Checkpoint;
use crate::storage::local::delta::{Reader, Recent};
use crate::storage::local::heads::Heads;
pub(crate) use crate::storage::local::index::Behind;
pub use crate::storage::local::index::IndexKind;
use crate::storage::local::index::{IndexError, Reached};
use crate::storage::local::journal::{End, Journal, JournalOptions, RESERVE, Segment};
use crate::storage::local::lock::FolderLock;
use crate::storage::local::twins::Twins;
use crate::storage::{
    Commit, Damage, Discard, DocumentAt, Found, Head, Kept, Outcome, Prebuilt, Prepared, Record,
    RecordHeader, Status, Storage, StorageError, Wanted,
};
use crate::terms::{Position, RecordName, RepositoryName};

/// What may be tuned.
#[derive(Clone, Debug)]
pub(crate) struct LocalOptions {
    pub(crate) journal: JournalOptions,
    /// After how many bytes of journal a checkpoint is written; more if the checkpoint itself is larger than a part of
    /// that.
    pub(crate) checkpoint_every: u64,
    /// How many bytes of documents are kept at hand because the next ones will be differences to them, about.
    pub(crate) recent: usize,
    /// Whether lives may begin later than the next incarnation: those of a store that is restored or repaired.
    pub(crate) rebuilding: bool,
    /// Of what kind the index is to be; as it is found, if nothing is said.
    pub(crate) index: Option<IndexKind>,
    /// Another folder, on another disk, for a copy of the journal.
    pub(crate) second_journal: Option<PathBuf>,
    /// A file, on other storage, that knows how far the journal has come.
    pub(crate) anchor: Option<PathBuf>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            journal: JournalOptions::default(),
            checkpoint_every: 16 << 20,
            recent: 32 << 20,
            rebuilding: false,
            index: None,
            second_journal: None,
            anchor: None,
        }
    }
}

/// [`Storage`] in one folder.
pub(crate) struct LocalStorage {
    heads: Heads,
    journal: Journal,
    recent: Recent,
    index: Behind,
    /// The index was made anew and still does not count what the heads count: denials are taken from the journal.
    distrusted: AtomicBool,
    device: Arc<dyn Device>,
    checkpoint_every: u64,
    rebuilding: bool,
    checkpointed: Mutex<Checkpointed>,
    /// Held by who writes segments anew.
    compacting: Mutex<()>,
    /// Counts who needs that nothing is dropped.
    kept: Arc<()>,
    anchor: Option<Anchor>,
    twins: Option<Twins>,
    /// Released last.
    locks: Vec<FolderLock>,
}

/// When there was a checkpoint, and when there will be.
#[derive(Clone, Copy, Debug)]
struct Checkpointed {
    /// How far the one on disk reaches; `None` if none is there.
    position: Option<Position>,
    /// At which length of the journal the next one is due.
    due: u64,
}

impl From<IndexError> for StorageError {
    fn from(error: IndexError) -> Self {
        Self::Index { reason: error.to_string() }
    }
}

impl LocalStorage {
    /// Opens the store in a folder, or begins one.
    ///
    /// # Errors
    /// [`StorageError::InUse`] if it is open elsewhere; otherwise what part of it cannot be read, and why.
    pub(crate) fn open(folder: &Path, options: &LocalOptions) -> Result<Self, StorageError> {
        let failed = |source| StorageError::io(format!("opening {}", folder.display()), source);
        let device = Arc::new(FileDevice::open(folder.join("journal")).map_err(failed)?);
        let mut locks = vec![FolderLock::take(&folder.join("lock"))?];
        let (device, twins): (Arc<dyn Device>, _) = match &options.second_journal {
            None => (device, None),
            Some(second) => {
                let twins = Twins::open(device, second)?;
                locks.push(FolderLock::take(&second.join("lock"))?);
                twins.heal_all()?;
                (Arc::new(twins.device()), Some(twins))
            }
        };
        let index = Behind::open(folder, options.index)?;
        let anchor = options.anchor.as_deref().map(Anchor::open).transpose()?;
        let (anchor, seen) = anchor.map_or((None, None), |(anchor, seen)| (Some(anchor), seen));
        let mut storage = Self::assemble(device, index, options, seen)?;
        storage.locks = locks;
        storage.twins = twins;
        storage.hold_to(anchor, seen)?;
        storage.bring_index_up()?;
        Ok(storage)
    }

    /// Opens the store on a device; nothing but the caller keeps others away.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn on_device(
        device: Arc<dyn Device>,
        index: Behind,
        options: &LocalOptions,
    ) -> Result<Self, StorageError> {
        let mut storage = Self::assemble(device, index, options, None)?;
        storage.bring_index_up()?;
        Ok(storage)
    }

    /// An empty store that is gone when it is dropped.
    ///
    /// # Errors
    /// None that are known.
    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        Self::on_device(Arc::new(MemoryDevice::new()), Behind::in_memory(), &LocalOptions::default())
    }

    /// All but the index, which is still where it was left.
    fn assemble(
        device: Arc<dyn Device>,
        index: Behind,
        options: &LocalOptions,
        anchored: Option<Reached>,
    ) -> Result<Self, StorageError> {
        let checkpoint = Checkpoint::read(&*device)?;
        let seen = checkpoint.as_ref().map(|checkpoint| checkpoint.end.position);
        // Counted from the last one, not from now: a store that is killed often shall not read ever more at each open.
        let before =
            checkpoint.iter().flat_map(|checkpoint| &checkpoint.segments).map(Segment::bytes).sum::<u64>();
        let due = before.saturating_add(options.checkpoint_every);
        let (heads, journal) = open_journal(&device, checkpoint, &index, anchored, options.journal)?;
        journal.keep_reserve();
        Ok(Self {
            heads,
            journal,
            recent: Recent::new(options.recent),
            index,
            distrusted: AtomicBool::new(false),
            device,
            checkpoint_every: options.checkpoint_every,
            rebuilding: options.rebuilding,
            checkpointed: Mutex::new(Checkpointed { position: seen, due }),
            compacting: Mutex::new(()),
            kept: Arc::default(),
            anchor: None,
            twins: None,
            locks: Vec::new(),
        })
    }

    /// Brings the index to the journal's end; one that cannot be written is made anew, and where that fails, held in memory.
    fn bring_index_up(&mut self) -> Result<(), StorageError> {
        let failed = match self.catch_up() {
            Err(StorageError::Index { reason }) => reason,
            caught_up => return caught_up,
        };
        tracing::warn!(reason = failed, "the index cannot be written and is made anew");
        let failed = match self.rebuild_index(&self.journal.appender(), &mut |_, _| {}) {
            Err(StorageError::Index { reason }) => reason,
            rebuilt => return rebuilt,
        };
        tracing::error!(
            reason = failed,
            "the index cannot be made anew, and is held in memory until the store is opened again"
        );
        self.index = Behind::in_memory();
        self.rebuild_index(&self.journal.appender(), &mut |_, _| {})
    }

    /// The caller holds the journal's writer, so that heads and journal agree.
    fn write_checkpoint(&self, bytes: u64) -> Result<(), StorageError> {
        let (end, segments) = self.journal.reached();
        let heads = self.heads.all().into_iter().map(|(name, head)| (RecordName(name), head)).collect();
        let written = Checkpoint { end, segments, heads }.write(&*self.device)?;
        // A large one is written less often, so that checkpoints stay a small part of all that is written.
        let after = self.checkpoint_every.max(written.saturating_mul(4));
        *self.checkpointed.lock() =
            Checkpointed { position: Some(end.position), due: bytes.saturating_add(after) };
        Ok(())
    }
}

/// Reads the journal, from the checkpoint on if that fits, and refuses it if it holds less than a witness has seen.
/// Only then is it written to.
fn open_journal(
    device: &Arc<dyn Device>,
    checkpoint: Option<Checkpoint>,
    index: &Behind,
    anchored: Option<Reached>,
    options: JournalOptions,
) -> Result<(Heads, Journal), StorageError> {
    let seen = checkpoint.as_ref().map(|checkpoint| checkpoint.end);
    if let Some(checkpoint) = checkpoint {
        let heads = Heads::new(checkpoint.heads.into_iter().map(|(RecordName(name), head)| (name, head)));
        let from = Some((checkpoint.end, checkpoint.segments));
        match Journal::scan(&**device, from, &mut |header| heads.follow(header)) {
            Ok(scanned) => {
                let end = scanned.end();
                beyond(index, anchored, end)?;
                return Ok((heads, scanned.open(Arc::clone(device), options)?));
            }
            Err(error @ StorageError::Corrupt { .. }) => {
                tracing::warn!(%error, "the checkpoint does not fit the journal: the whole journal is read");
            }
            Err(error) => return Err(error),
        }
    }
    let heads = Heads::new([]);
    let scanned = Journal::scan(&**device, None, &mut |header| {
        match seen {
            Some(seen) if header.position == seen.position.next() && header.previous != seen.chain => {
                return Err("not the record after those that the checkpoint has seen");
            }
            Some(_) | None => {}
        }
        heads.follow(header)
    })?;
    let end = scanned.end();
    if let Some(seen) = seen {
        if seen.position > end.position {
            return Err(StorageError::LostRecords {
                end: end.position,
                witness: "the checkpoint",
                seen: seen.position,
            });
        }
        if seen.position == end.position && seen.chain != end.chain {
            let finding = "the journal's newest record is not the one that the checkpoint has seen";
            return Err(StorageError::corrupt("checkpoint", 0, finding));
        }
    }
    beyond(index, anchored, end)?;
    Ok((heads, scanned.open(Arc::clone(device), options)?))
}

/// Whether index or anchor prove that the journal lost records. An index that cannot say is made anew later.
fn beyond(index: &Behind, anchored: Option<Reached>, end: End) -> Result<(), StorageError> {
    if let Some(seen) = anchored.filter(|seen| seen.position > end.position) {
        let seen = seen.position;
        return Err(StorageError::LostRecords { end: end.position, witness: "the anchor", seen });
    }
    match index.reached() {
        Ok(Some(reached)) if reached.position > end.position => {
            Err(StorageError::LostRecords { end: end.position, witness: "the index", seen: reached.position })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

impl LocalStorage {
    /// Sees that the journal is the one that the anchor has seen, and keeps the anchor from now on.
    fn hold_to(&mut self, anchor: Option<Anchor>, seen: Option<Reached>) -> Result<(), StorageError> {
        if let Some(seen) = seen
            && self.journal.chain_up_to(seen.position)? != Some(seen.chain)
        {
            let finding = "it has seen another journal: this one is of another store, or was restored since";
            return Err(StorageError::corrupt("the anchor", 0, finding));
        }
        self.anchor = anchor;
        self.anchored();
        Ok(())
    }

    /// Tells the anchor how far the journal has come.
    fn anchored(&self) {
        if let Some(anchor) = &self.anchor {
            let End { position, chain, .. } = self.journal.end();
            anchor.note(Reached { position, chain });
        }
    }

    /// Whether there is such a record.
    fn holds(&self, position: Position) -> bool {
        self.journal.holds(position)
    }
}

impl Storage for LocalStorage {
    fn living(&self) -> Vec<(RepositoryName, Position)> {
        self.heads.living()
    }

    fn head(&self, repository: &RepositoryName) -> Option<Head> {
        self.heads.get(repository)
    }

    fn prepare(&self, commit: Commit) -> Result<Prepared, StorageError> {
        self.pack(commit)
    }

    fn commit(&self, group: Vec<Prepared>) -> Vec<Outcome> {
        self.commit_group(group)
    }

    fn record(&self, position: Position) -> Result<Record, StorageError> {
        self.journal.steadily(|| Reader::new(&self.journal, &self.recent).record(position))
    }

    fn attachment(&self, position: Position) -> Result<Arc<[u8]>, StorageError> {
        Ok(self.journal.stored(position)?.attachment().into())
    }

    fn find(&self, repository: &RepositoryName, wanted: &Wanted) -> Result<Option<Found>, StorageError> {
        match self.journal.steadily(|| self.find_document(repository, wanted)) {
            Err(StorageError::Collected) => Ok(None),
            found => found,
        }
    }

    fn positions(&self, repository: &RepositoryName) -> Option<Vec<Position>> {
        self.positions_of_life(repository)
    }

    fn hash_key(&self) -> [u8; 16] {
        self.index.hash_key()
    }

    fn keep_prebuilt(&self, repository: &RepositoryName, prebuilt: Prebuilt) {
        self.index.keep_prebuilt(repository, prebuilt);
    }

    fn forget_prebuilt(&self, repository: &RepositoryName) {
        self.index.forget_prebuilt(repository);
    }

    fn prebuilt(&self, repository: &RepositoryName, read: &mut dyn FnMut(&[u8], &[u8])) {
        if let Err(error) = self.index.prebuilt(repository, read) {
            tracing::warn!(%error, %repository, "the index failed; tags are read from documents");
        }
    }

    fn standing_on(&self, documents: &[DocumentAt]) -> Result<HashSet<DocumentAt>, StorageError> {
        self.stand_on(documents)
    }

    fn compact(
        &self,
        may: &dyn Fn(&RecordHeader) -> Discard,
        part: u64,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<u64, StorageError> {
        self.compact_segments(may, part, progress)
    }

    fn keep(&self) -> Kept {
        self.keep_all()
    }

    fn export(&self, after: Position, bytes: usize) -> Result<Vec<Raw>, StorageError> {
        self.journal.export(after, bytes)
    }

    fn chain_up_to(&self, position: Position) -> Result<Option<[u8; 32]>, StorageError> {
        self.journal.chain_up_to(position)
    }

    fn headers(&self, after: Position, limit: usize) -> Result<Vec<RecordHeader>, StorageError> {
        let headers = self.journal.headers(after, limit)?;
        Ok(headers.into_iter().map(|(header, _)| header).collect())
    }

    fn end(&self) -> Position {
        self.journal.end().position
    }

    fn status(&self) -> Result<Status, StorageError> {
        let failed = |source| StorageError::io("measuring the journal", source);
        let position = self.end();
        let reached = self.index.reached()?.map_or(Position::START, |reached| reached.position);
        let mut journal_bytes = 0_u64;
        for name in self.device.list().map_err(failed)?.into_iter().filter(|name| name != RESERVE) {
            match self.device.open(&name) {
                // A checkpoint that was being written has its name by now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => {
                    let length = opened.map_err(failed)?.length().map_err(failed)?;
                    journal_bytes = journal_bytes.saturating_add(length);
                }
            }
        }
        Ok(Status {
            position,
            takes_writes: self.journal.takes_writes(),
            journal_bytes,
            index: self.index.kind(),
            index_bytes: self.index.size()?,
            index_behind: position.get().saturating_sub(reached.get()),
            index_relied_on: !self.distrusted.load(Ordering::Acquire),
        })
    }

    fn reindex(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), StorageError> {
        // Nobody may commit meanwhile: what is noted out of order would leave a gap.
        let writer = self.journal.appender();
        self.rebuild_index(&writer, progress)?;
        self.distrusted.store(false, Ordering::Release);
        Ok(())
    }

    fn verify(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> bool,
        report: &mut dyn FnMut(Damage),
    ) -> Result<bool, StorageError> {
        self.verify_all(progress, report)
    }

    fn close(&self) -> Result<(), StorageError> {
        let mut writer = self.journal.appender();
        writer.seal()?;
        let end = self.journal.end().position;
        let checkpointed = self.checkpointed.lock().position;
        if checkpointed != Some(end) && (end != Position::START || checkpointed.is_some()) {
            match self.write_checkpoint(writer.bytes()) {
                Err(error) if error.is_full_disk() => {
                    tracing::warn!(%error, "no checkpoint on a full disk; opening will take longer");
                }
                written => written?,
            }
        }
        drop(writer);
        if let Err(error) = self.index.settle() {
            // Nothing is lost: it is brought up to date at the next open.
            tracing::warn!(%error, "the index could not be written to its end");
        }
        if let Some(anchor) = &self.anchor {
            self.anchored();
            anchor.end();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
