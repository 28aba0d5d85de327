//! What an operator asks of a whole store.

mod backup;
mod collect;
mod repair;
mod restore;
mod verify;

pub(crate) use backup::backup;
pub use backup::file::InvalidBackup;
pub use backup::{BackupError, BackupReport};
pub(crate) use collect::collect;
pub use collect::{CollectReport, Retention};
pub(crate) use repair::repair;
pub use repair::{Repair, RepairReport};
pub use restore::{Lost, RestoreError, RestoreReport, RestoredRepository, Since};
pub(crate) use restore::{Restoring, begin as begin_restoring, files_in};
pub use verify::{Finding, VerifyReport};
pub(crate) use verify::{scrub, verify};

/// How far something that takes its time is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// So much of it is done.
    pub done: u64,
    /// Of so much in all.
    pub all: u64,
}

/// What is being done to a whole store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// Scrubbing, and verifying, first: checksums, the chain of headers, digests, and the index against the journal, record by record.
    Bytes,
    /// Verifying, then: signatures and rules of every publication, on top of the one before.
    Trust,
    /// Collecting, first: what is kept, repository by repository.
    Choosing,
    /// Collecting, then: dropping what is not, file by file.
    Compacting,
    /// Writing a backup, record by record.
    BackingUp,
    /// Restoring, first: what stands in the backups, record by record.
    Restoring,
    /// Restoring, then: what the store signs, repository by repository.
    Signing,
    /// Repairing: what can be read, record by record.
    Repairing,
}
