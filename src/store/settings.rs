use std::sync::Arc;

use super::Store;
use crate::feed::Audit;
use crate::publish::{self, DeleteError, Receipt, Settings, SettingsError};
use crate::storage::StorageError;
use crate::terms::{Note, Position, RepositoryName, Revision, UnixTime};

/// What concerns whoever embeds the store, and not its repositories.
impl Store {
    /// [`Store::delete`], with what stays told of it.
    ///
    /// # Errors
    /// [`DeleteError`].
    pub fn delete_noting(
        &self,
        repository: &RepositoryName,
        note: Option<&Note>,
        now: UnixTime,
    ) -> Result<Option<Receipt>, DeleteError> {
        publish::delete(&self.0.publisher, repository, note, now)
    }

    /// What [`Store::set_settings`] set last; `None` if it never did.
    ///
    /// # Errors
    /// [`StorageError`] if they cannot be read.
    ///
    /// # Cost
    /// One read of the journal.
    pub fn settings(&self) -> Result<Option<Settings>, StorageError> {
        publish::settings(&*self.0.publisher.loader.storage)
    }

    /// Keeps a document of the embedding application's own with the repositories: who may do what, say. The store looks at its
    /// bytes only. It replaces the settings of revision `after` ([`Revision::NONE`] if there are none), and no others.
    ///
    /// When this returns `Ok`, they are on disk and every later reader gets them. A change costs what differs. [`Store::audit`]
    /// tells of it, with the note; [`Store::changes`], which are repositories', does not.
    ///
    /// # Errors
    /// [`SettingsError`].
    ///
    /// # Cost
    /// One read of the journal, one append of about what differs, one sync shared with whoever publishes at the time.
    pub fn set_settings(
        &self,
        after: Revision,
        bytes: impl Into<Arc<[u8]>>,
        note: Option<Note>,
        now: UnixTime,
    ) -> Result<Settings, SettingsError> {
        publish::set_settings(&self.0.publisher, after, bytes.into(), note, now)
    }

    /// Every commit after a position, oldest first, with what was noted of it: publications, deletions, settings.
    ///
    /// # Cost
    /// Reads the journal's headers, in pages, as it goes.
    pub fn audit(&self, after: Position) -> Audit {
        let loader = &self.0.publisher.loader;
        Audit::new(Arc::clone(&loader.storage), Arc::clone(&loader.catalog), after)
    }
}
