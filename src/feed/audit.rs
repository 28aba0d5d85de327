//! Who did what: every commit with what was noted of it, and with what chains it to the one before.

use std::sync::Arc;

use super::ChangeKind;
use super::{Headers, change};
use crate::catalog::Catalog;
use crate::storage::{
    DocumentHeader, RecordHeader, RecordKind, Storage, StorageError, decode_record_header,
    encode_record_header,
};
use crate::terms::{
    Incarnation, Note, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version,
};

/// One commit, as the journal has it for ever.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AuditLine {
    /// Its place in the order of all commits.
    pub position: Position,
    /// The committer's `now`.
    pub time: UnixTime,
    /// What it was.
    pub what: Audited,
    /// What whoever embeds the store noted of it.
    pub note: Option<Note>,
    /// The record's header as it is encoded, see the description of the format. BLAKE3 of these bytes stands in the next one's.
    pub header: Vec<u8>,
    /// BLAKE3 of the header before; zeros in the first.
    pub previous: [u8; 32],
}

/// Not the header of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the header of a record")]
#[non_exhaustive]
pub struct NoHeader;

impl AuditLine {
    /// What a header says, wherever it was kept meanwhile: so an audit trail can be checked without the store.
    ///
    /// # Errors
    /// [`NoHeader`].
    pub fn read(header: &[u8]) -> Result<Self, NoHeader> {
        decode_record_header(header)
            .map_err(|_| NoHeader)
            .and_then(|header| line(header).map_err(|_| NoHeader))
    }

    /// BLAKE3 of the header: what the next line has as [`AuditLine::previous`].
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.header).as_bytes()
    }
}

/// What a commit was, for an audit.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Audited {
    /// Of a repository.
    Repository {
        /// Which.
        repository: RepositoryName,
        /// Which life of it.
        incarnation: Incarnation,
        /// The count of its commits with this one.
        revision: Revision,
        /// What it was.
        kind: ChangeKind,
        /// The files that it brought: role, version, SHA-256.
        documents: Vec<(RoleName, Version, Sha256)>,
    },
    /// The settings were set.
    Settings {
        /// How often they were, with this one.
        revision: Revision,
    },
}

/// The audit trail after a position, oldest first. Reads the journal in pages as it goes; ends at the newest commit there is when
/// it gets there.
pub struct Audit(Headers);

impl Audit {
    pub(crate) fn new(storage: Arc<dyn Storage>, catalog: Arc<Catalog>, after: Position) -> Self {
        Self(Headers::new(storage, catalog, after))
    }
}

impl Iterator for Audit {
    type Item = Result<AuditLine, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|header| line(header?))
    }
}

fn line(header: RecordHeader) -> Result<AuditLine, StorageError> {
    let encoded = encode_record_header(&header)?;
    let (position, time, note, previous) =
        (header.position, header.time, header.note.clone(), header.previous);
    let what = if header.kind == RecordKind::Settings {
        Audited::Settings { revision: header.revision }
    } else {
        let file = |document: &DocumentHeader| (document.role.clone(), document.version, document.sha256);
        let documents = header.documents.iter().map(file).collect();
        let change = change(header)?;
        let (repository, kind) = (change.repository, change.kind);
        let (incarnation, revision) = (change.incarnation, change.revision);
        Audited::Repository { repository, incarnation, revision, kind, documents }
    };
    Ok(AuditLine { position, time, what, note, header: encoded, previous })
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("after", &self.0.after).finish_non_exhaustive()
    }
}
