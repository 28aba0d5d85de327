//! A whole store in one file, or what came after an earlier backup: consistent, while publications go on.
//!
//! ```text
//! header   what the file reaches from and to; `docs/format.md` has it byte by byte
//! stream   compressed: records as they stand in the journal, and files that go along
//! digest   BLAKE3 of all before
//! ```

pub(super) mod file;

use std::fs;
use std::io;
use std::path::Path;

use super::{Progress, Stage};
use crate::storage::{Storage, StorageError};
use crate::terms::Position;
use file::{BackupFile, Header, InvalidBackup};

/// A backup that was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The backup holds what came after this Position: [`Position::START`] for a whole one.
    pub after: Position,
    /// And up to this one.
    pub to: Position,
    /// Records in it.
    pub records: u64,
    /// Of the file.
    pub bytes: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file cannot be written. What was there under its name is there still.
    #[error("the backup cannot be written")]
    File(#[source] io::Error),
    /// The earlier backup cannot be gone on from.
    #[error("the earlier backup cannot be gone on from")]
    Earlier(#[source] InvalidBackup),
    /// It would be replaced by what goes on from it.
    #[error("a backup of what came since cannot replace the one that it goes on from")]
    Itself,
    /// It is of another store, or of one that was restored or repaired since.
    #[error(
        "the earlier backup ends at position {end}, where this store has another history: make a whole backup"
    )]
    OtherHistory {
        /// Where it ends.
        end: Position,
    },
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Storage(#[from] StorageError),
}

/// About how many bytes are read at once.
const STEP: usize = 4 << 20;

/// Writes a backup to `to`: of everything, or of what came after `since`.
pub(crate) fn backup(
    storage: &dyn Storage,
    to: &Path,
    since: Option<&Path>,
    along: &[(String, Vec<u8>)],
    progress: &mut dyn FnMut(Progress),
) -> Result<BackupReport, BackupError> {
    // What is committed meanwhile is for the next one, and what is there now is not dropped before it is written.
    let _kept = storage.keep();
    let end = storage.end();
    let (mut after, mut chain) = (Position::START, [0; 32]);
    if let Some(since) = since {
        let whole = |path: &Path| fs::canonicalize(path).ok();
        if whole(since).is_some_and(|since| whole(to) == Some(since)) {
            return Err(BackupError::Itself);
        }
        let earlier = file::header_of(since).map_err(BackupError::Earlier)?;
        if storage.chain_up_to(earlier.to)? != Some(earlier.to_chain) {
            return Err(BackupError::OtherHistory { end: earlier.to });
        }
        (after, chain) = (earlier.to, earlier.to_chain);
    }
    let to_chain = storage.chain_up_to(end)?.unwrap_or(chain);
    let header = Header { after, after_chain: chain, to: end, to_chain };
    let mut file = BackupFile::create(to, &header).map_err(BackupError::File)?;
    let (mut position, mut records) = (after, 0);
    for (name, bytes) in along {
        file.along(name, bytes).map_err(BackupError::File)?;
    }
    while position < end {
        let step = storage.export(position, STEP)?;
        let Some(last) = step.last() else { break };
        position = last.header.position;
        for raw in step.into_iter().take_while(|raw| raw.header.position <= end) {
            file.record(&raw)?.map_err(BackupError::File)?;
            records += 1;
        }
        progress(Progress { stage: Stage::BackingUp, done: position.get().min(end.get()), all: end.get() });
    }
    let bytes = file.finish().map_err(BackupError::File)?;
    Ok(BackupReport { after, to: end, records, bytes })
}
