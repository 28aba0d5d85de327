//! Content trust on or off for a registry, with the meaning of `az acr config content-trust`.

use serde::{Deserialize, Serialize};
use tufstore::terms::{Position, RepositoryName, UnixTime};
use tufstore::{DeleteError, Progress, Retention, StorageError, Store};

use super::actor::{Actor, Did, Noted};
use super::{ChangeError, Directory};
use crate::access::{Change, ContentTrust, Registry};

/// What disabling content trust for a registry would delete.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Weight {
    /// Repositories with trust data.
    pub repositories: u64,
    /// Tags that are signed in them.
    pub tags: u64,
}

/// What disabling deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Disabled {
    /// Repositories whose trust data is gone.
    pub repositories: u64,
    /// By how many bytes the journal became smaller.
    pub freed_bytes: u64,
}

/// Why disabling did not come to its end. From the moment that it is written down, nothing is taken or shown there; what is
/// left is deleted when a server starts on the store, or before content trust is enabled again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisableError {
    /// It was not even begun.
    #[error("content trust stays enabled")]
    Change(#[from] ChangeError),
    /// A repository was not deleted.
    #[error("content trust is disabled, and {repository} is not deleted yet: start the server again")]
    Delete {
        /// Which.
        repository: RepositoryName,
        /// Why.
        source: DeleteError,
    },
    /// The bytes were not given back.
    #[error("content trust is disabled and all is deleted; its bytes are still on the disk: collect later")]
    Collect(#[source] StorageError),
}

impl Directory {
    /// What a registry holds.
    ///
    /// # Errors
    /// [`StorageError`] where a repository cannot be read.
    ///
    /// # Cost
    /// Reads each repository of the registry.
    pub fn weigh(&self, registry: &Registry) -> Result<Weight, StorageError> {
        let mut weight = Weight::default();
        for repository in of(&self.store, registry) {
            let Some(view) = self.store.glance(&repository)? else { continue };
            weight.repositories += 1;
            weight.tags += u64::try_from(view.tags().count()).unwrap_or(u64::MAX);
        }
        Ok(weight)
    }

    /// Has content trust enabled for a registry from now on. What was left of it when it was disabled is deleted before.
    ///
    /// # Errors
    /// [`DisableError`].
    pub fn enable(&self, registry: Registry, by: &Actor, now: UnixTime) -> Result<(), DisableError> {
        let _settling = self.policies.lock();
        let access = self.access();
        let was_disabled = |(one, policy): (&Registry, crate::access::Policy)| {
            *one == registry && policy.content_trust == ContentTrust::Disabled
        };
        if access.policies().any(was_disabled) && !of(&self.store, &registry).is_empty() {
            self.delete_all(&registry, &self.disabled_by(&registry), now)?;
        }
        let content_trust = Some(ContentTrust::Enabled);
        self.change(vec![Change::SetContentTrust { registry, content_trust }], by, now)?;
        Ok(())
    }

    /// Has it disabled from now on, and deletes all trust data there is, keys included. It takes effect at once and for good:
    /// after a crash the rest is deleted when the store is opened.
    ///
    /// # Errors
    /// [`DisableError`].
    ///
    /// # Cost
    /// A commit for each repository; then files of the journal are written anew without them.
    pub fn disable(
        &self,
        registry: &Registry,
        by: &Actor,
        now: UnixTime,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Disabled, DisableError> {
        let settling = self.policies.lock();
        {
            let _changing = self.changing.lock();
            // Whoever publishes now has it done first; whoever comes later is told.
            let _alone = self.publishing.write();
            let content_trust = Some(ContentTrust::Disabled);
            let change = Change::SetContentTrust { registry: registry.clone(), content_trust };
            self.change_alone(vec![change], by, now)?;
        }
        let repositories = self.delete_all(registry, by, now)?;
        drop(settling);
        let everything = Retention::of_everything().with_worth(0);
        let collected = self.store.collect(&everything, now, &mut |made| {
            progress(made);
            true
        });
        let freed_bytes = collected.map_err(DisableError::Collect)?.freed_bytes;
        Ok(Disabled { repositories, freed_bytes })
    }

    /// Deletes what was to be deleted when the process before this one ended, on behalf of whoever wanted that.
    ///
    /// # Errors
    /// [`DisableError`].
    ///
    /// # Cost
    /// A look at the names of repositories; if there is anything to delete, the headers of the whole journal are read.
    pub fn resume(&self, now: UnixTime) -> Result<(), DisableError> {
        let access = self.access();
        let disabled = access.policies().filter(|(_, policy)| policy.content_trust == ContentTrust::Disabled);
        for (registry, _) in disabled {
            if of(&self.store, registry).is_empty() {
                continue;
            }
            let deleted = self.delete_all(registry, &self.disabled_by(registry), now)?;
            if deleted > 0 {
                tracing::info!(%registry, deleted, "deleted what was left of a registry without content trust");
            }
        }
        Ok(())
    }

    /// Who disabled it last, as far as the audit trail can be read.
    fn disabled_by(&self, registry: &Registry) -> Actor {
        let change = Change::SetContentTrust {
            registry: registry.clone(),
            content_trust: Some(ContentTrust::Disabled),
        };
        let disabling = change.describe();
        let lines = self.store.audit(Position::START).map_while(Result::ok);
        let notes = lines.filter_map(|line| Noted::read(line.note.as_ref()?));
        let last = notes.filter(|noted| noted.did.contains(&disabling)).last();
        last.map_or_else(Actor::operator, |noted| noted.by)
    }

    fn delete_all(&self, registry: &Registry, by: &Actor, now: UnixTime) -> Result<u64, DisableError> {
        let note = Noted::by(by.clone()).because(Did::Disabled).to_note();
        let mut deleted = 0;
        for repository in of(&self.store, registry) {
            let gone = self.store.delete_noting(&repository, note.as_ref(), now);
            let gone = gone.map_err(|source| DisableError::Delete { repository, source })?;
            deleted += u64::from(gone.is_some());
        }
        Ok(deleted)
    }
}

/// The repositories of a registry that hold trust data.
fn of(store: &Store, registry: &Registry) -> Vec<RepositoryName> {
    let mut repositories = store.repositories();
    repositories.retain(|repository| Registry::of(repository) == *registry);
    repositories
}
