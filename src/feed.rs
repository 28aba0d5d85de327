//! What happened, in order and complete: a reading of the journal's headers, not a second truth.

mod audit;

use std::sync::Arc;
use std::vec;

pub use audit::{Audit, AuditLine, Audited, NoHeader};

use crate::catalog::Catalog;
use crate::storage::{RecordHeader, RecordKind, Storage, StorageError};
use crate::terms::{Incarnation, Position, RepositoryName, Revision, Sha256, UnixTime, Version};

/// One commit.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// Its place in the order of all commits: where to go on after it.
    pub position: Position,
    /// Whose.
    pub repository: RepositoryName,
    /// Which life of the repository.
    pub incarnation: Incarnation,
    /// The count of the repository's publications with this one.
    pub revision: Revision,
    /// The committer's `now`.
    pub time: UnixTime,
    /// What it was.
    pub kind: ChangeKind,
}

/// What a commit was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// New metadata, under this timestamp.
    Published {
        /// Of the timestamp.
        version: Version,
        /// Of the timestamp's bytes.
        sha256: Sha256,
    },
    /// The repository's life ended.
    Deleted,
    /// The store was restored from a backup, and the repository goes on with what it was then, under this timestamp: what was
    /// published after the backup is gone.
    Restored {
        /// Of the timestamp.
        version: Version,
        /// Of the timestamp's bytes.
        sha256: Sha256,
    },
}

/// Changes after a position, oldest first. Reads the journal in pages as it goes; ends at the newest change there is when
/// it gets there. Sees every change exactly once, and none before every view does. It holds the journal open by itself: who
/// keeps it after the last `Store` was dropped can read on to the end that there was.
pub struct Changes(Headers);

impl Changes {
    pub(crate) fn new(storage: Arc<dyn Storage>, catalog: Arc<Catalog>, after: Position) -> Self {
        Self(Headers::new(storage, catalog, after))
    }
}

impl Iterator for Changes {
    type Item = Result<Change, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Settings are of no repository.
        let of_repository = |header: &Result<RecordHeader, StorageError>| {
            header.as_ref().map_or(true, |header| header.kind != RecordKind::Settings)
        };
        self.0.by_ref().find(of_repository).map(|header| header.and_then(change))
    }
}

/// Headers after a position, as far as views show what they tell of.
struct Headers {
    storage: Arc<dyn Storage>,
    catalog: Arc<Catalog>,
    after: Position,
    page: vec::IntoIter<RecordHeader>,
    failed: bool,
}

impl Headers {
    const PAGE: usize = 256;

    fn new(storage: Arc<dyn Storage>, catalog: Arc<Catalog>, after: Position) -> Self {
        Self { storage, catalog, after, page: Vec::new().into_iter(), failed: false }
    }
}

impl Iterator for Headers {
    type Item = Result<RecordHeader, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.page.len() == 0 {
            // What is durable is visible a moment later. Told of it before that, a reader would take the state of before
            // for the one after.
            let visible = self.catalog.arrivals().newest();
            match self.storage.headers(self.after, Self::PAGE) {
                Ok(mut page) => {
                    page.retain(|header| header.position <= visible);
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        let header = self.page.next()?;
        self.after = header.position;
        Some(Ok(header))
    }
}

fn change(header: RecordHeader) -> Result<Change, StorageError> {
    let kind = match (header.kind, header.timestamp) {
        (RecordKind::Publication, Some((version, sha256))) => ChangeKind::Published { version, sha256 },
        (RecordKind::Deletion, None) => ChangeKind::Deleted,
        (RecordKind::Restoration, Some((version, sha256))) => ChangeKind::Restored { version, sha256 },
        (RecordKind::Publication | RecordKind::Restoration, None)
        | (RecordKind::Deletion, Some(_))
        | (RecordKind::Settings, _) => {
            return Err(StorageError::Corrupt {
                place: format!("journal, position {}", header.position),
                repository: Some(header.repository),
                finding: "a publication without a timestamp, or a deletion with one",
            });
        }
    };
    let RecordHeader { position, repository, incarnation, revision, time, .. } = header;
    Ok(Change { position, repository, incarnation, revision, time, kind })
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("after", &self.0.after).finish_non_exhaustive()
    }
}
