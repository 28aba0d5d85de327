use std::error::Error;
use std::sync::Arc;
use std::{fmt, fs, io};

use tempfile::TempDir;
use tufstore::crypto::{OnlineRole, PublicKey, sha256};
use tufstore::storage::device::{Device, MemoryDevice};
use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, Version};
use tufstore::{ChangeKind, CompleteSet, Document, Lookup, Options, Store, Upload, View, Which};

use crate::seed::{NOW, SeededOnlineKeys};
use crate::{must, observe};

/// Why a subject did not do what it should have.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What is checked against the model. Time stands still at [`NOW`].
pub trait Subject {
    /// The key that signs for `role`, or that will.
    ///
    /// # Errors
    /// Any fails the run.
    fn online_key(&mut self, repository: &RepositoryName, role: OnlineRole) -> Result<PublicKey, Failure>;

    /// The key to list next for `role`.
    ///
    /// # Errors
    /// Any fails the run.
    fn pending_key(&mut self, repository: &RepositoryName, role: OnlineRole) -> Result<PublicKey, Failure>;

    /// Takes an author's upload.
    ///
    /// # Errors
    /// Any fails the run.
    fn publish(&mut self, repository: &RepositoryName, upload: &Upload) -> Result<(), Failure>;

    /// Takes a set that was signed elsewhere.
    ///
    /// # Errors
    /// Any fails the run.
    fn mirror(&mut self, repository: &RepositoryName, set: &CompleteSet) -> Result<(), Failure>;

    /// Ends a repository's life, if it lives.
    ///
    /// # Errors
    /// Any fails the run.
    fn delete(&mut self, repository: &RepositoryName) -> Result<(), Failure>;

    /// What a tag stands for by Docker's rule, if for anything.
    ///
    /// # Errors
    /// Any fails the run.
    fn lookup(&mut self, repository: &RepositoryName, tag: &str) -> Result<Option<Sha256>, Failure>;

    /// Pins a repository as it is, if it lives.
    ///
    /// # Errors
    /// Any fails the run.
    fn pin(&mut self, repository: &RepositoryName) -> Result<Option<Box<dyn Pin>>, Failure>;

    /// The names of the repositories that live, sorted.
    ///
    /// # Errors
    /// Any fails the run.
    fn repositories(&mut self) -> Result<Vec<RepositoryName>, Failure>;

    /// All that has happened, in order.
    ///
    /// # Errors
    /// Any fails the run.
    fn feed(&mut self) -> Result<Vec<Event>, Failure>;

    /// A file that the repository published in its present life, if it did.
    ///
    /// # Errors
    /// Any fails the run.
    fn history(
        &mut self,
        repository: &RepositoryName,
        role: &RoleName,
        which: Which,
    ) -> Result<Option<File>, Failure>;

    /// Closes and opens, after losing what `reopening` says; one that has no such part reopens whole.
    ///
    /// # Errors
    /// Any fails the run.
    fn reopen(&mut self, reopening: Reopening) -> Result<(), Failure>;

    /// Checks itself by all means that it has, at the end of a run.
    ///
    /// # Errors
    /// Any fails the run.
    fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// A repository as it was.
pub trait Pin {
    /// What a tag stood for.
    fn lookup(&self, tag: &str) -> Option<Sha256>;

    /// Every file that it had.
    fn files(&self) -> Vec<File>;
}

/// A role's file as a subject hands it out.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "subjects build it")]
pub struct File {
    /// Whose.
    pub role: RoleName,
    /// Its version.
    pub version: Version,
    /// Of the bytes that were handed out.
    pub sha256: Sha256,
}

impl From<&Document> for File {
    fn from(document: &Document) -> Self {
        let (role, version) = (document.role().clone(), document.version());
        Self { role, version, sha256: sha256(document.bytes()) }
    }
}

/// One change of the feed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "subjects build it")]
pub struct Event {
    /// Whose.
    pub repository: RepositoryName,
    /// Whether its life ended; else it published.
    pub deleted: bool,
}

/// What is lost between closing and opening.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a new loss must break every subject")]
pub enum Reopening {
    /// Nothing.
    Whole,
    /// The index, which can be made anew.
    WithoutIndex,
    /// The checkpoint, which spares reading the journal.
    WithoutCheckpoint,
    /// Both: the journal alone is left.
    WithoutBoth,
}

/// The delegations that the model knows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "the model is written for these two")]
pub enum Delegate {
    /// `targets/releases`, which Docker asks first.
    Releases,
    /// `targets/other`, which Docker never asks.
    Other,
}

impl Delegate {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Releases => "targets/releases",
            Self::Other => "targets/other",
        }
    }
}

/// A [`Store`] under the model, in a temporary folder or in memory. What it says after it was opened anew must be all
/// that it said before.
pub struct StoreSubject {
    place: Place,
    options: Options,
    /// `None` only while it is reopened.
    store: Option<Store>,
}

enum Place {
    Folder(TempDir),
    Memory(MemoryDevice),
}

impl StoreSubject {
    /// In a folder that is removed when this is dropped.
    ///
    /// # Panics
    /// If none can be made.
    #[track_caller]
    pub fn in_folder() -> Self {
        Self::at(Place::Folder(must("making a folder", tempfile::tempdir())))
    }

    /// On a device in memory. Its index never outlives a reopening.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[track_caller]
    pub fn in_memory() -> Self {
        Self::at(Place::Memory(MemoryDevice::new()))
    }

    #[track_caller]
    fn at(place: Place) -> Self {
        let options = Options::default().with_online_keys(SeededOnlineKeys::new("model"));
        let mut subject = Self { place, options, store: None };
        subject.store = Some(must("opening a store", subject.open()));
        subject
    }

    fn open(&self) -> Result<Store, tufstore::StorageError> {
        match &self.place {
            Place::Folder(folder) => Store::open(folder.path(), self.options.clone()),
            Place::Memory(device) => Store::open_on(Arc::new(device.clone()), self.options.clone()),
        }
    }

    /// The store, to look at.
    ///
    /// # Errors
    /// If it could not be reopened.
    pub fn store(&self) -> Result<&Store, Failure> {
        self.store.as_ref().ok_or_else(|| "the store is not open".into())
    }
}

impl Subject for StoreSubject {
    fn online_key(&mut self, repository: &RepositoryName, role: OnlineRole) -> Result<PublicKey, Failure> {
        Ok(self.store()?.online_key(repository, role)?)
    }

    fn pending_key(&mut self, repository: &RepositoryName, role: OnlineRole) -> Result<PublicKey, Failure> {
        Ok(self.store()?.pending_key(repository, role)?)
    }

    fn publish(&mut self, repository: &RepositoryName, upload: &Upload) -> Result<(), Failure> {
        self.store()?.publish(repository, upload, NOW)?;
        Ok(())
    }

    fn mirror(&mut self, repository: &RepositoryName, set: &CompleteSet) -> Result<(), Failure> {
        self.store()?.mirror(repository, set, NOW)?;
        Ok(())
    }

    fn delete(&mut self, repository: &RepositoryName) -> Result<(), Failure> {
        self.store()?.delete(repository, NOW)?;
        Ok(())
    }

    fn lookup(&mut self, repository: &RepositoryName, tag: &str) -> Result<Option<Sha256>, Failure> {
        resolved(self.store()?.lookup(repository.as_str(), tag, NOW)?)
    }

    fn pin(&mut self, repository: &RepositoryName) -> Result<Option<Box<dyn Pin>>, Failure> {
        let pin = |view| -> Box<dyn Pin> { Box::new(view) };
        Ok(self.store()?.view(repository)?.map(pin))
    }

    fn repositories(&mut self) -> Result<Vec<RepositoryName>, Failure> {
        Ok(self.store()?.repositories())
    }

    fn feed(&mut self) -> Result<Vec<Event>, Failure> {
        let changes = self.store()?.changes(Position::START).collect::<Result<Vec<_>, _>>()?;
        let event = |change: tufstore::Change| Event {
            deleted: change.kind == ChangeKind::Deleted,
            repository: change.repository,
        };
        Ok(changes.into_iter().map(event).collect())
    }

    fn history(
        &mut self,
        repository: &RepositoryName,
        role: &RoleName,
        which: Which,
    ) -> Result<Option<File>, Failure> {
        Ok(self
            .store()?
            .history(repository, role, which)?
            .map(|found| found.document)
            .as_ref()
            .map(File::from))
    }

    fn reopen(&mut self, reopening: Reopening) -> Result<(), Failure> {
        let before = observe(self.store()?);
        if let Some(store) = self.store.take() {
            store.close()?;
        }
        if matches!(reopening, Reopening::WithoutIndex | Reopening::WithoutBoth) {
            self.place.lose_index()?;
        }
        if matches!(reopening, Reopening::WithoutCheckpoint | Reopening::WithoutBoth) {
            self.place.lose_checkpoint()?;
        }
        let store = self.open()?;
        let after = observe(self.store.insert(store));
        if before == after {
            Ok(())
        } else {
            Err(format!("it was {before:?} before, and is {after:?}").into())
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let report = self.store()?.verify(&mut |_| ())?;
        if report.findings.is_empty() {
            Ok(())
        } else {
            Err(format!("a check finds {:?}", report.findings).into())
        }
    }
}

impl Place {
    /// The one in memory is lost at every closing.
    fn lose_index(&self) -> io::Result<()> {
        match self {
            Self::Folder(folder) => lost(fs::remove_dir_all(folder.path().join("index"))),
            Self::Memory(_) => Ok(()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test breaks files behind the store's back")]
    fn lose_checkpoint(&self) -> io::Result<()> {
        match self {
            Self::Folder(folder) => lost(fs::remove_file(folder.path().join("journal").join(CHECKPOINT))),
            Self::Memory(device) => lost(device.remove(CHECKPOINT)),
        }
    }
}

const CHECKPOINT: &str = "checkpoint";

/// What was not there is as lost as what was.
fn lost(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Pin for View {
    fn lookup(&self, tag: &str) -> Option<Sha256> {
        resolved(Self::lookup(self, tag, NOW)).ok().flatten()
    }

    fn files(&self) -> Vec<File> {
        self.documents().map(File::from).collect()
    }
}

fn resolved(answer: Lookup) -> Result<Option<Sha256>, Failure> {
    match answer {
        Lookup::Found(found) => Ok(Some(found.target.sha256)),
        Lookup::NoSuchTag | Lookup::NoSuchRepository => Ok(None),
        Lookup::Expired { role, since } => {
            Err(format!("{role} expired at {since}, and time stands still").into())
        }
    }
}

impl fmt::Debug for StoreSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSubject").field("store", &self.store).finish_non_exhaustive()
    }
}
