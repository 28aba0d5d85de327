use std::path::Path;
use std::sync::Arc;

use crate::storage::StorageError;
use crate::storage::device::{Device, FileDevice, TwinDevice};
use crate::storage::local::checkpoint::{self, Checkpoint};
use crate::storage::local::journal::twins::{Copy, copy, heal, heal_segment};

/// The two folders of a journal that is kept twice.
pub(super) struct Twins {
    first: Arc<dyn Device>,
    second: Arc<dyn Device>,
}

impl Twins {
    /// Makes the second folder, if there is none.
    pub(super) fn open(first: Arc<FileDevice>, second: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::io(format!("opening {}", second.display()), source);
        let second = Arc::new(FileDevice::open(second).map_err(failed)?);
        Ok(Self { first, second })
    }

    #[cfg(test)]
    pub(super) fn of(first: Arc<dyn Device>, second: Arc<dyn Device>) -> Self {
        Self { first, second }
    }

    /// Both as one, once they are the same.
    pub(super) fn device(&self) -> TwinDevice {
        TwinDevice::new(Arc::clone(&self.first), Arc::clone(&self.second))
    }

    fn copies(&self) -> (Copy<'_>, Copy<'_>) {
        let first = Copy { device: &*self.first, name: "the journal" };
        (first, Copy { device: &*self.second, name: "the second journal" })
    }

    /// Makes both the same before either is opened.
    pub(super) fn heal_all(&self) -> Result<(), StorageError> {
        let (first, second) = self.copies();
        let healed = heal(&first, &second)?;
        if healed.files + healed.groups > 0 {
            tracing::warn!(healed.files, healed.groups, "the two journals were not the same, and are now");
        }
        let reached = |copy: &Copy<'_>| match Checkpoint::look(copy.device) {
            Ok(seen) => Ok(seen.map(|seen| seen.end.position)),
            Err(error @ StorageError::NewerFormat { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(%error, copy.name, "the other journal's checkpoint is taken");
                Ok(None)
            }
        };
        // The newer one knows more, and one that is damaged is worth nothing.
        match (reached(&first)?, reached(&second)?) {
            (None, None) => {
                checkpoint::discard(first.device)?;
                checkpoint::discard(second.device)
            }
            (ours, theirs) if ours > theirs => copy(&first, &second, checkpoint::NAME),
            (ours, theirs) if ours < theirs => copy(&second, &first, checkpoint::NAME),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// Heals a segment that nobody writes to meanwhile, and that memory knows by the digest of its header.
    pub(super) fn heal_segment(&self, number: u64, known: Option<[u8; 32]>) -> Result<(), StorageError> {
        let (first, second) = self.copies();
        heal_segment(&first, &second, number, known)
    }
}
