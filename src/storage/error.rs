use std::io;
use std::sync::Arc;

use crate::terms::{Position, RepositoryName};

/// Why bytes at rest could not be read or written. The operator must act.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A rule of ours was broken by ourselves; please report it.
    #[error("a broken invariant, please report it: {0}")]
    Bug(&'static str),
    /// What was asked for was dropped, as the retention that was asked for has it.
    #[error("it was dropped by retention; what was published is recorded, and its bytes are gone")]
    Collected,
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
    /// What is on disk is not what was written there.
    #[error("{place} is damaged{}: {finding}", of_repository(repository.as_ref()))]
    Corrupt {
        /// File and offset.
        place: String,
        /// Whose record it is, where that can be told.
        repository: Option<RepositoryName>,
        /// What was expected and found.
        finding: &'static str,
    },
    /// An earlier write or sync failed; what it left is known after reopening.
    #[error("an earlier write failed, so no more are taken: open the store again")]
    Halted,
    /// Another process, or another store in this one, has the folder open.
    #[error("the store is in use by {holder}")]
    InUse {
        /// What the holder said of itself: program and process id.
        holder: String,
    },
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        /// What was being done, with the file's name.
        doing: String,
        /// The operating system's reason.
        source: Arc<io::Error>,
    },
    /// The checkpoint or the index reached further than the journal does now: the journal lost records.
    #[error(
        "the journal ends at {end}, but {witness} has seen {seen}: records are lost; restore the journal's files"
    )]
    LostRecords {
        /// Where the journal ends.
        end: Position,
        /// What proves it.
        witness: &'static str,
        /// How far that reached.
        seen: Position,
    },
    /// A newer release wrote this.
    #[error("{file} has format {found}, this release reads up to {supported}: use a newer release")]
    NewerFormat {
        /// Which file.
        file: String,
        /// What it says.
        found: u16,
        /// What this release knows.
        supported: u16,
    },
    /// The index failed in its own way; `tufstore reindex` makes it anew.
    #[error("the index failed: {reason}; it can be made anew from the journal")]
    Index {
        /// The index's own words.
        reason: String,
    },
}

fn of_repository(repository: Option<&RepositoryName>) -> String {
    repository.map(|name| format!(" (record of {name})")).unwrap_or_default()
}

impl StorageError {
    /// A refusal of the operating system, `doing` something to a file.
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source: Arc::new(source) }
    }

    /// Whether no room is left on the disk, or none that may be used.
    pub(crate) fn is_full_disk(&self) -> bool {
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::Io { source, .. } if full(source.kind()))
    }

    /// Whether it is what a damaged disk answers to whoever reads: other bytes than were written, or none.
    pub(crate) fn is_of_damage(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Io { .. })
    }

    /// Damage at an offset of a file.
    pub(crate) fn corrupt(file: &str, offset: u64, finding: &'static str) -> Self {
        Self::Corrupt { place: format!("{file} at {offset}"), repository: None, finding }
    }
}
