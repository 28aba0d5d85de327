//! Who did what: every commit with what was noted of it, and with what chains it to the one before.

use std::sync::Arc;

use super::ChangeKind;
use super::{Headers, change};
use crate::catalog::Catalog;
use crate::storage::{DocumentHeader, RecordHeader, RecordKind, Storage, StorageError, encode_record_header};
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
    let (position, time, note) = (header.position, header.time, header.note.clone());
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
    Ok(AuditLine { position, time, what, note, header: encoded })
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("after", &self.0.after).finish_non_exhaustive()
    }
}
