mod restore;
mod settings;

pub use restore::Restore;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Catalog, HashKey, Lookup, MemoryUse, Visible};
use crate::crypto::{NoOnlineKeys, OnlineKeys, OnlineRole, PublicKey};
use crate::feed::Changes;
use crate::maintain::{
    self, BackupError, BackupReport, CollectReport, Progress, Repair, RepairReport, Retention, VerifyReport,
};
use crate::metadata::Limits;
use crate::publish::{
    self, Committer, DeleteError, Lifetimes, MirrorError, OnlineKeyRefused, PublishError, Publisher, Receipt,
    Upload,
};
use crate::recover::Loader;
use crate::storage::device::Device;
use crate::storage::local::{Behind, LocalOptions, LocalStorage};
use crate::storage::{IndexKind, Status, Storage, StorageError};
use crate::terms::{Position, RepositoryName, RoleName, UnixTime};
use crate::trust::CompleteSet;
use crate::view::{self, Documents, Published, Repository, View, Which};

/// A repository lives, and has to be loaded before it can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the repository is not in memory")]
#[non_exhaustive]
pub struct NotInMemory;

/// How a store is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// What signs for the roles that the store holds. None by default: then the store takes what others signed whole.
    pub online_keys: Arc<dyn OnlineKeys>,
    /// How long what it signs is valid.
    pub lifetimes: Lifetimes,
    /// How much of anything one file may hold.
    pub limits: Limits,
    /// About how many bytes of memory tag tables and documents may take, 256 MiB by default. Above it, what nobody asked for
    /// lately is let go, and read again when somebody does: first documents, then tables, which may have three quarters of it
    /// for themselves. Lookups need tables only, at some 70 bytes a tag. Beside it, 32 MiB hold what the next publications
    /// are stored as differences to, and up to 64 MiB of tables wait a few seconds to be kept in the index. Where the index is
    /// in memory, tables that were let go are made from documents again, which takes longer.
    pub memory: u64,
    /// Which key-value store holds the index. By default the one that is there; in a new store, redb.
    pub index: Option<IndexKind>,
    /// Another folder, best on another disk, where a second copy of the journal is kept: what is published is durable in both
    /// before [`Store::publish`] returns. What is damaged in the one is healed from the other, when the store is opened,
    /// when it is read, and when it is scrubbed. None by default.
    pub second_journal: Option<PathBuf>,
    /// A small file, best on other storage, that knows how far the store has come, a second late at most: with it, a store is
    /// refused of which an old copy was put back whole. None by default.
    pub anchor: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            online_keys: Arc::new(NoOnlineKeys),
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
            memory: 256 << 20,
            index: None,
            second_journal: None,
            anchor: None,
        }
    }
}

impl Options {
    /// With online keys behind a port.
    #[must_use]
    pub fn with_online_keys(mut self, online_keys: impl OnlineKeys) -> Self {
        self.online_keys = Arc::new(online_keys);
        self
    }

    /// With other lifetimes of what the store signs.
    #[must_use]
    pub fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// With another bound to the memory that tables and documents may take.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// With the index in that key-value store. One of another kind that is there is removed, and the index made anew from
    /// the journal when the store is opened.
    #[must_use]
    pub fn with_index(mut self, kind: IndexKind) -> Self {
        self.index = Some(kind);
        self
    }

    /// With a second copy of the journal in that folder.
    #[must_use]
    pub fn with_second_journal(mut self, folder: impl Into<PathBuf>) -> Self {
        self.second_journal = Some(folder.into());
        self
    }

    /// With a file that knows how far the store has come.
    #[must_use]
    pub fn with_anchor(mut self, file: impl Into<PathBuf>) -> Self {
        self.anchor = Some(file.into());
        self
    }

    /// With other limits to what one file may hold.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("lifetimes", &self.lifetimes)
            .field("limits", &self.limits)
            .field("memory", &self.memory)
            .field("index", &self.index)
            .field("second_journal", &self.second_journal)
            .field("anchor", &self.anchor)
            .finish_non_exhaustive()
    }
}

/// A trust store: every repository's signed metadata, durable, and its tags in memory.
///
/// Cheap to clone; clones are one store. May be used from many threads, and from async code on a blocking thread.
/// Dropping the last clone closes it cleanly, which an application that wants to hear of failures does by
/// [`Store::close`] itself; views and receipts outlive it. A publication that ends before its write, by an error or by a
/// panic in a port, leaves nothing behind.
#[derive(Clone)]
pub struct Store(Arc<Engine>);

struct Engine {
    publisher: Publisher,
}

impl Store {
    /// Opens the store in `folder`, or makes one there. One process at a time has it open.
    ///
    /// After a crash this brings everything back that was acknowledged, and writes what may not be on disk anew before it
    /// serves it.
    ///
    /// # Errors
    /// [`StorageError::InUse`] names who has it open; [`StorageError::Corrupt`] and [`StorageError::LostRecords`] refuse a
    /// store that lost what it had acknowledged; [`StorageError::NewerFormat`] wants a newer release.
    ///
    /// # Cost
    /// Reading the checkpoint and the journal after it; repositories are loaded when they are first asked for.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, StorageError> {
        let local = LocalOptions {
            index: options.index,
            second_journal: options.second_journal.clone(),
            anchor: options.anchor.clone(),
            ..LocalOptions::default()
        };
        Ok(Self::on(Arc::new(LocalStorage::open(folder.as_ref(), &local)?), options))
    }

    /// Opens the store on a device of one's own; its index is held in memory.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(device: Arc<dyn Device>, options: Options) -> Result<Self, StorageError> {
        Ok(Self::on(
            Arc::new(LocalStorage::on_device(device, Behind::in_memory(), &LocalOptions::default())?),
            options,
        ))
    }

    /// A new store that lives no longer than its last clone.
    ///
    /// # Errors
    /// [`StorageError`] if the system gives no randomness.
    pub fn in_memory(options: Options) -> Result<Self, StorageError> {
        Ok(Self::on(Arc::new(LocalStorage::in_memory()?), options))
    }

    fn on(storage: Arc<dyn Storage>, options: Options) -> Self {
        let catalog = Arc::new(Catalog::new(HashKey::new(storage.hash_key()), storage.end(), options.memory));
        catalog.add_cold(&storage.living());
        let publisher = Publisher {
            committer: Committer::new(Arc::clone(&storage), Arc::clone(&catalog)),
            loader: Loader { catalog, storage, limits: options.limits },
            online: options.online_keys,
            lifetimes: options.lifetimes,
        };
        Self(Arc::new(Engine { publisher }))
    }

    /// Makes a store from what can be read of a damaged one: every publication that is whole, in order. Nothing is there
    /// until all of it is.
    ///
    /// What it saves is what was written; whether it is what was signed, [`Store::verify`] says.
    ///
    /// # Errors
    /// [`StorageError`] if the old store cannot be listed, or the new one not be written. What is damaged stands in the report.
    ///
    /// # Cost
    /// Reads all of the old store and writes all of the new one; the header of each record is held in memory.
    pub fn repair(repair: &Repair, progress: &mut dyn FnMut(Progress)) -> Result<RepairReport, StorageError> {
        maintain::repair(repair, progress)
    }

    /// Publishes an author's new metadata, all of it or none.
    ///
    /// When this returns `Ok`, the change is on disk and every later read sees it; views taken before keep what they
    /// pinned. An empty upload renews the roles that the store signs. Where another publication of other roles came
    /// between, this one is verified again on the newer state by itself.
    ///
    /// # Errors
    /// [`PublishError`] says which role broke which rule, and [`PublishError::fault`] who must act. Nothing was written,
    /// except that after [`PublishError::Storage`] the outcome is unknown until the store is reopened.
    ///
    /// # Cost
    /// Reading and verifying the uploaded files, one append of about their size, one sync shared with whoever else
    /// publishes at the time.
    pub fn publish(
        &self,
        repository: &RepositoryName,
        upload: &Upload,
        now: UnixTime,
    ) -> Result<Receipt, PublishError> {
        publish::publish(&self.0.publisher, repository, upload, now)
    }

    /// Takes a complete set that another server signed, checked as a client checks it.
    ///
    /// When this returns `Ok`, the set is on disk and every later read sees it. A set that is known already answers with the
    /// position it has and no documents. Expiry is a warning.
    ///
    /// # Errors
    /// [`MirrorError`], as [`Store::publish`].
    ///
    /// # Cost
    /// Reading and verifying every file of the set, known or not; one append of about the size of what is new, one sync
    /// shared with whoever else publishes at the time.
    pub fn mirror(
        &self,
        repository: &RepositoryName,
        set: &CompleteSet,
        now: UnixTime,
    ) -> Result<Receipt, MirrorError> {
        publish::mirror(&self.0.publisher, repository, set, now)
    }

    /// Ends the life of a repository at once; `None` if it does not live. Published anew, it begins at version 1.
    ///
    /// When this returns `Ok`, the end is on disk and every later read sees it; views taken before keep what they pinned.
    /// What the life published stays in the journal, and is not served any more.
    ///
    /// # Errors
    /// [`DeleteError`].
    ///
    /// # Cost
    /// One small append, one sync shared with whoever else publishes at the time.
    pub fn delete(&self, repository: &RepositoryName, now: UnixTime) -> Result<Option<Receipt>, DeleteError> {
        publish::delete(&self.0.publisher, repository, None, now)
    }

    /// What `tag` stands for at `now`: already verified, by Docker's rule (`targets/releases` first, then `targets`).
    ///
    /// # Errors
    /// [`StorageError`] only where the repository is cold and cannot be loaded.
    ///
    /// # Cost
    /// Warm: two hashes and two probes in memory, no lock. Cold: one read of the repository's table from the index, or, where
    /// a crash left none behind, of its documents from the journal.
    pub fn lookup(&self, repository: &str, tag: &str, now: UnixTime) -> Result<Lookup, StorageError> {
        view::lookup(&self.0.publisher.loader, repository, tag, now)
    }

    /// For many lookups in one repository, which need not live (yet).
    pub fn repository<'a>(&'a self, name: &'a str) -> Repository<'a> {
        Repository::new(&self.0.publisher.loader, name)
    }

    /// What many tags stand for at `now`, each a pair of repository and tag: as many answers, in their order. Each is what
    /// [`Store::lookup`] would answer during the call; all together are no view of one moment.
    ///
    /// # Errors
    /// [`StorageError`] only where a repository is cold and cannot be loaded.
    ///
    /// # Cost
    /// Less than that many calls of [`Store::lookup`]: the processor waits for the memory of several at once.
    pub fn lookup_many(
        &self,
        questions: &[(&str, &str)],
        now: UnixTime,
    ) -> Result<Vec<Lookup>, StorageError> {
        view::lookup_many(&self.0.publisher.loader, questions, now)
    }

    /// Pins a repository as it is now; `None` if it does not live.
    ///
    /// # Errors
    /// [`StorageError`] only where the repository is cold and cannot be loaded.
    ///
    /// # Cost
    /// Warm: one probe in memory. Cold: one load of the repository. A name that does not live costs no disk read.
    pub fn view(&self, repository: &RepositoryName) -> Result<Option<View>, StorageError> {
        Ok(self.0.publisher.loader.current(repository)?.map(View::new))
    }

    /// As [`Store::view`], for those who look at one repository after the other: a cold one is read, and not kept in memory.
    ///
    /// # Errors
    /// As [`Store::view`].
    ///
    /// # Cost
    /// Warm: one probe in memory. Cold: one load of the repository, each time.
    pub fn glance(&self, repository: &RepositoryName) -> Result<Option<View>, StorageError> {
        Ok(self.0.publisher.loader.glance(repository)?.map(View::new))
    }

    /// As [`Store::view`], for those who may not wait for a disk: on an event loop, say.
    ///
    /// # Errors
    /// [`NotInMemory`] where the repository is cold.
    ///
    /// # Cost
    /// One probe in memory.
    pub fn view_in_memory(&self, repository: &RepositoryName) -> Result<Option<View>, NotInMemory> {
        match self.0.publisher.loader.catalog.visible(repository) {
            Visible::Not => Ok(None),
            Visible::Warm(current) => Ok(Some(View::new(current))),
            Visible::Cold => Err(NotInMemory),
        }
    }

    /// A document that the repository published in its present life, by version or SHA-256, bit for bit; `None` if it never
    /// did, or if [`Store::collect`] dropped it.
    ///
    /// # Errors
    /// [`StorageError`] if it is there but cannot be read.
    ///
    /// # Cost
    /// One look into the index and one read of the record, every digest checked. That there is none costs a count of the
    /// life's entries in the index.
    pub fn history(
        &self,
        repository: &RepositoryName,
        role: &RoleName,
        which: impl Into<Which>,
    ) -> Result<Option<Published>, StorageError> {
        view::history(&*self.0.publisher.loader.storage, repository, role, which.into())
    }

    /// Every document that the present life of a repository has published, oldest first; none if it does not live.
    ///
    /// # Cost
    /// Reads the headers of the whole journal, page by page as it is asked.
    pub fn documents(&self, repository: &RepositoryName) -> Documents {
        Documents::new(Arc::clone(&self.0.publisher.loader.storage), repository)
    }

    /// The names of all repositories that live, sorted.
    ///
    /// # Cost
    /// A copy of each name, and sorting them.
    pub fn repositories(&self) -> Vec<RepositoryName> {
        self.0.publisher.loader.catalog.names()
    }

    /// Whether anything was ever published under that name. Memory only.
    pub fn knows(&self, repository: &RepositoryName) -> bool {
        self.0.publisher.loader.storage.head(repository).is_some()
    }

    /// How many repositories live.
    pub fn repository_count(&self) -> usize {
        self.0.publisher.loader.catalog.count()
    }

    /// What happened after a position, oldest first; from [`Position::START`] on for all of it.
    ///
    /// # Cost
    /// Reads the journal's headers from there on, page by page as it is asked.
    pub fn changes(&self, after: Position) -> Changes {
        let loader = &self.0.publisher.loader;
        Changes::new(Arc::clone(&loader.storage), Arc::clone(&loader.catalog), after)
    }

    /// Waits until something after `position` is visible, at most so long; answers whether it is.
    pub fn wait_for_change(&self, after: Position, at_most: Duration) -> bool {
        self.0.publisher.loader.catalog.arrivals().wait(after, at_most)
    }

    /// The public key that signs for `role` in this repository, or that would in its first publication.
    ///
    /// # Errors
    /// [`OnlineKeyRefused`].
    pub fn online_key(
        &self,
        repository: &RepositoryName,
        role: OnlineRole,
    ) -> Result<PublicKey, OnlineKeyRefused> {
        publish::online_key(&self.0.publisher, repository, role)
    }

    /// The public key to list next for `role` in order to rotate it: the same at each call until it has signed.
    ///
    /// # Errors
    /// [`OnlineKeyRefused`].
    pub fn pending_key(
        &self,
        repository: &RepositoryName,
        role: OnlineRole,
    ) -> Result<PublicKey, OnlineKeyRefused> {
        publish::pending_key(&self.0.publisher, repository, role)
    }

    /// Position of the newest commit: whatever is read after asking shows it or a later one, so that who reads and then
    /// follows [`Store::changes`] from here on misses nothing.
    pub fn position(&self) -> Position {
        self.0.publisher.loader.catalog.arrivals().newest()
    }

    /// How the store is doing, for those who watch it. Waits for no write.
    ///
    /// # Errors
    /// [`StorageError`].
    ///
    /// # Cost
    /// Asks for the length of each of its files.
    pub fn status(&self) -> Result<Status, StorageError> {
        self.0.publisher.loader.storage.status()
    }

    /// How much of [`Options::memory`] is taken.
    pub fn memory_use(&self) -> MemoryUse {
        self.0.publisher.loader.catalog.memory_use()
    }

    /// Makes the index anew from the journal. `progress` hears records done and in all.
    ///
    /// # Errors
    /// [`StorageError`].
    ///
    /// # Cost
    /// Reads every header of the journal. Publications wait meanwhile, readers do not.
    pub fn reindex(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), StorageError> {
        self.0.publisher.loader.storage.reindex(progress)
    }

    /// Checks every record, digest, signature and tag table, and the index against the journal.
    ///
    /// # Errors
    /// [`StorageError`] if reading itself is impossible; what is wrong stands in the report.
    ///
    /// # Cost
    /// Reads the whole journal and verifies every signature in it. Readers and publishers go on.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<VerifyReport, StorageError> {
        let loader = &self.0.publisher.loader;
        maintain::verify(&*loader.storage, &loader.limits, progress)
    }

    /// Writes a backup to the file `to`: of everything, or of what came after the backup in `since`. It is consistent, and
    /// replaces what was there under that name once it is whole. Metadata and sealed online keys are in it; what opens those
    /// only if it is among the files that go `along`, by name.
    ///
    /// # Errors
    /// [`BackupError`].
    ///
    /// # Cost
    /// Reads the journal from there on, and compresses it. Readers and publishers go on.
    pub fn backup(
        &self,
        to: impl AsRef<Path>,
        since: Option<&Path>,
        along: &[(String, Vec<u8>)],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackupReport, BackupError> {
        maintain::backup(&*self.0.publisher.loader.storage, to.as_ref(), since, along, progress)
    }

    /// Reads everything that is stored, and checks that the bytes are those that were written: every checksum, link and
    /// digest, and the index against the journal. [`Store::verify`] does that, and verifies all signatures, too.
    ///
    /// `progress` is asked after each record whether to go on; `None` if it said no. It may take its time, so that reading
    /// takes no more of the disk than it should.
    ///
    /// # Errors
    /// As [`Store::verify`].
    ///
    /// # Cost
    /// Reads the whole journal. Readers and publishers go on.
    pub fn scrub(
        &self,
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Option<VerifyReport>, StorageError> {
        maintain::scrub(&*self.0.publisher.loader.storage, progress)
    }

    /// Drops what was replaced long ago, and all of repositories that were deleted, and gives its bytes back to the disk. That
    /// something was published stays in [`Store::changes`] and [`Store::documents`]; [`Store::history`] answers `None` for what
    /// was dropped.
    ///
    /// Goes in steps, between which `progress` is asked whether to go on: it may wait before it answers, so that this takes
    /// no more of the machine than it should. What was done until then stays done.
    ///
    /// # Errors
    /// [`StorageError`]; nothing is lost then that is kept.
    ///
    /// # Cost
    /// Reads the history of each repository, and writes files of the journal anew of which enough may go: each step holds one
    /// group of publications in memory. Readers and publishers go on.
    pub fn collect(
        &self,
        retention: &Retention,
        now: UnixTime,
        progress: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<CollectReport, StorageError> {
        maintain::collect(&self.0.publisher.loader, retention, now, progress)
    }

    /// Seals the journal and writes a checkpoint. Every later write is refused; reads go on. Idempotent.
    ///
    /// # Errors
    /// [`StorageError`]: nothing acknowledged is lost, but the next open has to recover.
    pub fn close(&self) -> Result<(), StorageError> {
        self.0.publisher.loader.storage.close()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.publisher.loader.storage.close() {
            tracing::error!(%error, "the store could not be closed cleanly; the next open will recover it");
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("position", &self.position()).finish_non_exhaustive()
    }
}
