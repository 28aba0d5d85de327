//! Who may do what, as it is in force: kept with the repositories, in memory for every request, changed by one at a time.
//!
//! ```text
//! store ─settings─▶ Access ─▶ in force ─▶ every request
//!                     ▲
//! Order ─resolve─▶ Change ─apply─▶ next Access ─set settings, durable─▶ in force
//! policy disabled ─▶ nothing is published there any more ─▶ every repository of the registry is deleted
//! ```

mod actor;
mod carry;
mod may;
mod order;
mod policy;
mod reset;
mod signed;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tufstore::terms::{RepositoryName, Revision, UnixTime};
use tufstore::{SettingsError, StorageError, Store};

use crate::access::{Access, Change, ContentTrust, DocumentError, Refused, Registry, Rules};

pub use actor::{Actor, Did, Noted};
pub use order::{Done, Order, OrderRefused, To};
pub use order::{Password, UserKind};
pub use policy::{DisableError, Disabled, Weight};
pub use reset::{ResetDone, ResetError};
pub use signed::{Reference, Verdict, WhyNot};

/// Who may do what in a store, and where what is signed is taken. One for each store that is open.
#[derive(Debug)]
pub struct Directory {
    store: Store,
    folder: PathBuf,
    rules: Rules,
    of_new: ContentTrust,
    in_force: RwLock<InForce>,
    /// Held by whoever changes it.
    changing: Mutex<()>,
    /// Held shared while something is published or deleted, and by whoever takes the right to from a whole registry, or from
    /// everybody: so nothing that began before lands after.
    publishing: RwLock<()>,
    /// Held from when content trust is disabled until all is deleted, and by whoever enables it: what is published after that is
    /// not deleted with the rest. Taken before `changing`.
    policies: Mutex<()>,
    /// Held by whoever has a repository begin anew. Taken before `publishing`.
    resetting: Mutex<()>,
}

#[derive(Clone, Debug)]
struct InForce {
    access: Arc<Access>,
    revision: Revision,
}

/// Why there is no telling who may do what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It cannot be read as what it should be.
    #[error("who may do what cannot be told")]
    Document(#[from] DocumentError),
    /// It cannot be read.
    #[error("who may do what cannot be read")]
    Storage(#[from] StorageError),
}

/// Why something was not changed. Nothing was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Everybody could do everything then.
    #[error(
        "nobody would be left, and then everybody may publish: disable it instead, or add somebody else before"
    )]
    NobodyLeft,
    /// It cannot be written.
    #[error("it cannot be written down")]
    Document(#[from] DocumentError),
    /// The store did not take it.
    #[error("the store did not take it")]
    Settings(#[from] SettingsError),
}

/// As long as there is one, nobody's right to publish is taken from all of a registry.
#[derive(Debug)]
pub(crate) struct Publishing<'a>(#[expect(dead_code, reason = "it is held")] RwLockReadGuard<'a, ()>);

impl Directory {
    /// Reads it from the store, which lies in `folder`. `of_new`: what holds for a registry of which nothing is written, once there is somebody.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn open(
        store: Store,
        folder: impl Into<PathBuf>,
        of_new: ContentTrust,
    ) -> Result<Self, DirectoryError> {
        let in_force = match store.settings()? {
            None => InForce { access: Arc::new(Access::default()), revision: Revision::NONE },
            Some(settings) => InForce {
                access: Arc::new(Access::from_bytes(&settings.bytes)?),
                revision: settings.revision,
            },
        };
        Ok(Self {
            store,
            folder: folder.into(),
            rules: Rules::default(),
            of_new,
            in_force: RwLock::new(in_force),
            changing: Mutex::new(()),
            publishing: RwLock::new(()),
            policies: Mutex::new(()),
            resetting: Mutex::new(()),
        })
    }

    /// Who may do what at this moment.
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.in_force.read().access)
    }

    /// Whether nobody was ever added, so that nobody can be asked who they are.
    pub fn is_open(&self) -> bool {
        self.in_force.read().access.is_open()
    }

    /// Whether what is signed is taken and shown in the registry of that repository.
    pub(crate) fn shows(&self, repository: &str) -> bool {
        self.shows_under(&self.in_force.read().access, repository)
    }

    /// The same by what was in force at one moment: for whoever asks of many, as they all answer alike.
    pub(crate) fn shows_under(&self, access: &Access, repository: &str) -> bool {
        access.content_trust_of(repository, self.of_new) == ContentTrust::Enabled
    }

    /// Holds off whoever wants to disable content trust there; `None` if it is.
    pub(crate) fn publishing(&self, repository: &RepositoryName) -> Option<Publishing<'_>> {
        let held = self.hold();
        self.shows(repository.as_str()).then_some(held)
    }

    /// The same whether or not it is.
    pub(crate) fn hold(&self) -> Publishing<'_> {
        Publishing(self.publishing.read())
    }

    /// Makes all of these changes, or none. When this returns `Ok`, they are on disk and in force.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn change(
        &self,
        changes: Vec<Change>,
        by: &Actor,
        now: UnixTime,
    ) -> Result<Arc<Access>, ChangeError> {
        let _changing = self.changing.lock();
        self.change_alone(changes, by, now)
    }

    /// Whoever calls this holds `changing`. What changes nothing is not written down, and the answer is what was in force: the very
    /// same [`Arc`].
    fn change_alone(
        &self,
        mut changes: Vec<Change>,
        by: &Actor,
        now: UnixTime,
    ) -> Result<Arc<Access>, ChangeError> {
        let InForce { access, revision } = self.in_force.read().clone();
        let apply = |access: Access, changes: &[Change]| {
            changes.iter().try_fold(access, |access, change| access.apply(change.clone(), &self.rules, now))
        };
        let mut next = apply((*access).clone(), &changes)?;
        let is_first = access.is_open() && !next.is_open();
        // What anybody publishes until now is there to be seen, and nothing of anybody's comes after.
        // Nor of anybody's who is nobody any more: once this returns, it has landed, or never does.
        let takes_away = changes.iter().any(|change| {
            matches!(
                change,
                Change::Disable { .. } | Change::RemovePrincipal { .. } | Change::RevokeToken { .. }
            )
        });
        let _alone = (is_first || takes_away).then(|| self.publishing.write());
        if is_first {
            // From now on a new registry is what the operator says; those that hold something stay as they are.
            let enabling = self.enabling(&access);
            next = apply(next, &enabling)?;
            changes.extend(enabling);
        }
        if next.is_open() && !access.is_open() {
            return Err(ChangeError::NobodyLeft);
        }
        let bytes = next.to_bytes()?;
        // Names are the same in any case, and written as they were given.
        if next == *access && bytes == access.to_bytes()? {
            return Ok(access);
        }
        let note = Noted::new(by.clone(), changes.iter().map(Change::describe).collect()).to_note();
        let settings = self.store.set_settings(revision, bytes, note, now)?;
        let access = Arc::new(next);
        *self.in_force.write() = InForce { access: Arc::clone(&access), revision: settings.revision };
        Ok(access)
    }

    /// For each registry that holds trust data, and of which nothing is written.
    fn enabling(&self, access: &Access) -> Vec<Change> {
        let registries = self.store.repositories();
        let registries: std::collections::BTreeSet<_> = registries.iter().map(Registry::of).collect();
        let unsaid = |registry: &Registry| access.policies().all(|(one, _)| one != registry);
        let enabled =
            |registry| Change::SetContentTrust { registry, content_trust: Some(ContentTrust::Enabled) };
        registries.into_iter().filter(unsaid).map(enabled).collect()
    }
}

#[cfg(test)]
mod tests;
