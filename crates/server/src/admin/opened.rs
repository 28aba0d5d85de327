use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tufstore::Store;

use super::{Kind, Refusal};
use crate::access::ContentTrust;
use crate::directory::{Actor, Directory};

/// A store that is open, and who asks.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The store.
    pub(super) store: Store,
    /// Who asks.
    pub(super) by: Actor,
    folder: PathBuf,
    /// Read when it is first needed: much can be asked of a store of which it cannot be read.
    directory: OnceLock<Arc<Directory>>,
}

impl Opened {
    /// A store that this process has open, in `folder`, for whoever runs it.
    pub fn here(store: Store, folder: impl Into<PathBuf>) -> Self {
        Self { store, by: Actor::operator(), folder: folder.into(), directory: OnceLock::new() }
    }

    /// A server's, for somebody.
    pub(super) fn by(by: Actor, store: Store, directory: Arc<Directory>) -> Self {
        Self { store, by, folder: PathBuf::new(), directory: OnceLock::from(directory) }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who may do what with it.
    pub(super) fn directory(&self) -> Result<&Directory, Refusal> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let opened = Directory::open(self.store.clone(), &self.folder, ContentTrust::default());
        let opened = opened.map_err(|error| {
            Refusal::new(Kind::Damaged, "it cannot be told who may do what").because(&error)
        })?;
        Ok(self.directory.get_or_init(|| Arc::new(opened)))
    }
}
