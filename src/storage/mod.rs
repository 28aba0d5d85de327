//! The seam between publications and bytes at rest.
//!
//! What stands above speaks of repositories and publications; what stands below, of files. `Storage` is per
//! repository: a commit is guarded by the [`Revision`] that it was staged on, and no operation spans repositories. A
//! second implementation (an object store, a replicated database) would stand beside `local`.

pub mod device;
pub(crate) mod local;

mod error;
mod header;

pub use error::StorageError;
pub use local::IndexKind;
pub(crate) use local::{
    Building, Payload, Raw, Salvage, SalvagedRecord, Witnessed, decode_attachment, decode_record_header,
    encode_attachment, encode_record_header,
};

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::terms::{
    Incarnation, Note, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version,
};

/// The newest record of a repository, held in memory for every one of them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Which life; after a deletion, the one that ended.
    pub(crate) incarnation: Incarnation,
    /// How many publications this life has seen.
    pub(crate) revision: Revision,
    /// Of the newest record.
    pub(crate) position: Position,
    /// How many documents the history of this life holds.
    pub(crate) documents: u64,
    /// Whether the newest record is a deletion.
    pub(crate) deleted: bool,
}

/// What a record tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordKind {
    /// New metadata.
    Publication,
    /// The end of a repository's life.
    Deletion,
    /// What a restored store goes on with: metadata of before, with what the store signs itself signed anew.
    Restoration,
    /// New settings: of no repository.
    Settings,
}

/// One durable event of one repository, or of the settings, before it has a [`Position`].
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) repository: RepositoryName,
    pub(crate) incarnation: Incarnation,
    /// The count after this record; a deletion counts as well.
    pub(crate) revision: Revision,
    pub(crate) time: UnixTime,
    /// The timestamp that this record makes current; none in a deletion.
    pub(crate) timestamp: Option<(Version, Sha256)>,
    /// What is new, exact bytes; roots may stand several times, in order of version.
    pub(crate) documents: Vec<StoredDocument>,
    /// What only this record's reader needs to know; opaque here. See `recover`.
    pub(crate) attachment: Arc<[u8]>,
    pub(crate) note: Option<Note>,
}

/// One role's bytes at one version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StoredDocument {
    pub(crate) role: RoleName,
    pub(crate) version: Version,
    pub(crate) sha256: Sha256,
    pub(crate) bytes: Arc<[u8]>,
}

/// A record and the state that it was staged on.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// The repository's incarnation and revision when this was staged; `None` if it had never lived.
    /// A first record of a new life names the deleted life it follows.
    pub(crate) base: Option<(Incarnation, Revision)>,
    /// The files whose place the record's documents take: what they are probably alike. For size alone.
    pub(crate) replaced: Vec<StoredDocument>,
    pub(crate) record: Record,
}

/// A commit that has nothing left to do but to be written.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) base: Option<(Incarnation, Revision)>,
    pub(crate) record: Record,
    /// The record as the storage that prepared it keeps it.
    pub(crate) payload: Arc<Payload>,
}

/// What became of one [`Commit`] of a group. Never a guess.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// On disk; survives a power cut.
    Committed(Position),
    /// The repository has moved on; nothing of this commit was written.
    Conflict,
    /// Nothing of this commit was written, and the storage goes on: there was no room for it, say.
    Refused(StorageError),
    /// The write or its sync failed: whole or absent, known after reopening. The storage takes no more writes.
    Unknown(StorageError),
}

/// A record's small part, which stays for ever: what the feed and the audit trail serve. `header` has its encoding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RecordHeader {
    pub(crate) position: Position,
    pub(crate) kind: RecordKind,
    pub(crate) repository: RepositoryName,
    pub(crate) incarnation: Incarnation,
    pub(crate) revision: Revision,
    pub(crate) time: UnixTime,
    pub(crate) timestamp: Option<(Version, Sha256)>,
    /// In the order of the payload.
    pub(crate) documents: Vec<DocumentHeader>,
    /// BLAKE3 of the encoded header before this one; zeros before the first.
    pub(crate) previous: [u8; 32],
    pub(crate) note: Option<Note>,
}

/// What a header says of one document.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct DocumentHeader {
    pub(crate) role: RoleName,
    pub(crate) version: Version,
    pub(crate) sha256: Sha256,
    pub(crate) length: u64,
}

/// A document in the store: which of which record.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct DocumentAt {
    pub(crate) position: Position,
    /// From 0 on, in the order of the record's header.
    pub(crate) number: u32,
}

/// What of a record may be dropped.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Discard {
    /// The documents, by number, in order.
    pub(crate) documents: Vec<u32>,
    pub(crate) attachment: bool,
}

/// As long as there is one, every document that was there when it was made stays.
#[derive(Debug, Default)]
pub(crate) struct Kept(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl Kept {
    pub(crate) fn of(counted: &Arc<()>) -> Self {
        Self(Arc::clone(counted))
    }
}

impl Discard {
    /// Everything of a record.
    pub(crate) fn all(header: &RecordHeader) -> Self {
        let documents: Vec<_> = (0..).take(header.documents.len()).collect();
        Self { attachment: !documents.is_empty(), documents }
    }

    pub(crate) fn drops(&self, number: u32) -> bool {
        self.documents.binary_search(&number).is_ok()
    }

    /// How many documents, the attachment counted as one.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.documents.len()).unwrap_or(u32::MAX).saturating_add(self.attachment.into())
    }
}

/// How a document of a repository's history is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// The newest of this version in the repository's current life.
    Version(RoleName, Version),
    /// These very bytes, in the repository's current life.
    Digest(RoleName, Sha256),
}

/// A document that was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    pub(crate) document: StoredDocument,
    /// Of the record that it stands in.
    pub(crate) time: UnixTime,
}

/// What lookups need of a repository's newest publication, ready for use. Opaque here.
#[derive(Clone)]
pub(crate) struct Prebuilt {
    /// Of the publication.
    pub(crate) position: Position,
    /// Of two with the same origin, the tables are the same.
    pub(crate) origin: [u8; 32],
    /// What changes with each publication.
    pub(crate) standing: Vec<u8>,
    /// What only changes with what is published in it, about so many bytes.
    pub(crate) table: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub(crate) bytes: usize,
}

impl fmt::Debug for Prebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prebuilt").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// What a check of everything stored has to say, piece by piece. `maintain::verify` turns it into its report.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Damage {
    /// The repository that it concerns, where that is known.
    pub repository: Option<RepositoryName>,
    /// File and offset, or the index's entry.
    pub place: String,
    /// What was expected and found.
    pub finding: String,
}

/// How a store is doing, for those who watch it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Of the newest durable commit.
    pub position: Position,
    /// Whether a write would be tried: false once it was closed, or once a write failed.
    pub takes_writes: bool,
    /// How many bytes the journal and its checkpoint take on disk, without the room that is kept for a full one.
    pub journal_bytes: u64,
    /// Which key-value store holds the index; `None` if it is in memory only.
    pub index: Option<IndexKind>,
    /// How many bytes the index takes on disk.
    pub index_bytes: u64,
    /// How many commits the index has yet to take in; what they published is found all the same.
    pub index_behind: u64,
    /// False once an index that was made anew still did not count what the journal holds: the journal is searched then.
    pub index_relied_on: bool,
}

impl Status {
    /// How many bytes the store takes on disk.
    pub fn bytes(&self) -> u64 {
        self.journal_bytes.saturating_add(self.index_bytes)
    }
}

/// A store of publications. All calls may come from many threads at once.
pub(crate) trait Storage: Send + Sync + 'static {
    /// Every repository that lives, and the position of its newest record, in any order. The settings are none.
    fn living(&self) -> Vec<(RepositoryName, Position)>;

    /// The head of one repository. Memory only.
    fn head(&self, repository: &RepositoryName) -> Option<Head>;

    /// Does what takes time and needs no order, in the caller's thread.
    fn prepare(&self, commit: Commit) -> Result<Prepared, StorageError>;

    /// Commits a group in order, one durable write for all. One outcome for each commit, in order. A commit sees those
    /// before it in the group: the second of two on one base conflicts.
    fn commit(&self, group: Vec<Prepared>) -> Vec<Outcome>;

    /// One record whole, every digest checked.
    fn record(&self, position: Position) -> Result<Record, StorageError>;

    /// What a record holds beside its documents.
    fn attachment(&self, position: Position) -> Result<Arc<[u8]>, StorageError>;

    /// A document of the current life of `repository`. `None` only if the journal proves that there is none.
    fn find(&self, repository: &RepositoryName, wanted: &Wanted) -> Result<Option<Found>, StorageError>;

    /// Where the records of the present life of `repository` stand, in order: as many as its revision says. `None` if the
    /// index cannot be relied on for that; the headers can. A position that turns out to be of another record is a lie
    /// of the index, too.
    fn positions(&self, repository: &RepositoryName) -> Option<Vec<Position>>;

    /// A secret of 16 random bytes, for what is prebuilt: kept as long as that is.
    fn hash_key(&self) -> [u8; 16];

    /// Keeps what lookups need of a repository in place of what it had. It may be lost at any time.
    fn keep_prebuilt(&self, repository: &RepositoryName, prebuilt: Prebuilt);

    /// A life ended: what was prebuilt of it is of no use.
    fn forget_prebuilt(&self, repository: &RepositoryName);

    /// Shows standing and table of what was kept last, if both are there. They may be of an earlier publication, or damaged:
    /// they carry checks of their own.
    fn prebuilt(&self, repository: &RepositoryName, read: &mut dyn FnMut(&[u8], &[u8]));

    /// The documents that these stand on, and they themselves: while these are to be read, none of them may be dropped.
    fn standing_on(&self, documents: &[DocumentAt]) -> Result<HashSet<DocumentAt>, StorageError>;

    /// Drops what `may` be dropped of each record, file by file: those of which it frees one of so many parts.
    /// `progress` is told files done and files in all, between which it may take its time; it answers whether to go on.
    fn compact(
        &self,
        may: &dyn Fn(&RecordHeader) -> Discard,
        part: u64,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<u64, StorageError>;

    /// Records after a position as they stand, as many as have about so many bytes; none at the end.
    fn export(&self, after: Position, bytes: usize) -> Result<Vec<Raw>, StorageError>;

    /// BLAKE3 of the encoded header of the newest record up to a position, zeros before the first; `None` beyond the end.
    fn chain_up_to(&self, position: Position) -> Result<Option<[u8; 32]>, StorageError>;

    /// From now on until the answer is dropped, no document is. Waits for what is being dropped.
    fn keep(&self) -> Kept;

    /// At most `limit` headers after a position, in order, complete.
    fn headers(&self, after: Position, limit: usize) -> Result<Vec<RecordHeader>, StorageError>;

    /// Position of the newest durable record; [`Position::START`] if there is none.
    fn end(&self) -> Position;

    /// How it is doing. Waits for no write.
    fn status(&self) -> Result<Status, StorageError>;

    /// Makes the index anew from the journal. `progress` is told records done and records in all.
    fn reindex(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), StorageError>;

    /// Reads everything, checks every checksum, chain link and digest, and the index against the journal. Damage is
    /// reported, not returned as an error; `Err` only if reading itself is impossible. `progress` is told records done and in
    /// all, and answers whether to go on; `false` if it did not.
    fn verify(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> bool,
        report: &mut dyn FnMut(Damage),
    ) -> Result<bool, StorageError>;

    /// Seals, writes a checkpoint, flushes the index. Later commits are refused. Idempotent.
    fn close(&self) -> Result<(), StorageError>;
}
