use std::path::PathBuf;
use std::sync::Arc;

use super::{Options, Store};
use crate::maintain::{self, InvalidBackup, Progress, RestoreError, RestoreReport, Restoring, Since, Stage};
use crate::publish::{self, Floor};
use crate::storage::local::LocalStorage;
use crate::terms::{RepositoryName, RoleName, UnixTime};

/// What to restore, and to where.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "written as a literal")]
pub struct Restore {
    /// A whole backup, and then those of what came after, in order.
    pub backups: Vec<PathBuf>,
    /// The new store's folder; nothing may be in it.
    pub to: PathBuf,
    /// What was published after the last backup.
    pub since: Since,
    /// Files to put into the folder, by name.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Store {
    /// The files that went along with a backup, after every byte of it was checked.
    ///
    /// # Errors
    /// [`InvalidBackup`].
    pub fn files_in_backup(
        backup: impl AsRef<std::path::Path>,
    ) -> Result<Vec<(String, Vec<u8>)>, InvalidBackup> {
        maintain::files_in(backup.as_ref())
    }

    /// Makes a store from backups: all of it, or nothing.
    ///
    /// Where something was published after the last backup, `options` has to have the store's online keys: the roles that it
    /// signs are signed anew, above what clients may have seen, and [`crate::feed::ChangeKind::Restored`] tells whoever follows
    /// [`Store::changes`]. What others signed meanwhile is lost; the report says who has to publish again.
    ///
    /// # Errors
    /// [`RestoreError`]; there is no new store then.
    ///
    /// # Cost
    /// Reads the backups twice and writes all that is in them; after a loss, a publication for each repository.
    pub fn restore(
        restore: &Restore,
        options: Options,
        now: UnixTime,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RestoreReport, RestoreError> {
        let Restore { backups, to, since, files } = restore;
        let mut restoring = maintain::begin_restoring(backups, to, since, progress)?;
        for (name, bytes) in files {
            restoring.building.put(name, bytes)?;
        }
        if matches!(since, Since::Lost(_)) {
            let storage = Arc::<LocalStorage>::clone(restoring.building.storage());
            let store = Self::on(storage, options);
            let names = store.repositories();
            let all = u64::try_from(names.len()).unwrap_or(u64::MAX);
            for (done, repository) in (1..).zip(&names) {
                store.go_on(repository, &mut restoring, now)?;
                progress(Progress { stage: Stage::Signing, done, all });
            }
            // Without closing: the storage is not this store's alone.
        }
        let Restoring { building, report, .. } = restoring;
        building.finish()?;
        Ok(report)
    }

    fn go_on(
        &self,
        repository: &RepositoryName,
        restoring: &mut Restoring,
        now: UnixTime,
    ) -> Result<(), RestoreError> {
        let publisher = &self.0.publisher;
        let Some(before) = publisher.loader.current(repository)? else { return Ok(()) };
        let life = (repository.clone(), before.state.incarnation);
        let set = &before.state.set;
        let floor = |role: &RoleName, version| Some(restoring.floor(&life, role, version));
        let floor = Floor {
            snapshot: floor(&RoleName::Snapshot, set.snapshot.document().version()),
            timestamp: floor(&RoleName::Timestamp, set.timestamp.document().version()),
        };
        let failed = |source| RestoreError::Sign { repository: repository.clone(), source };
        publish::restore(publisher, repository, floor, now).map_err(|error| failed(Box::new(error)))?;
        if let Some(current) = publisher.loader.current(repository)? {
            restoring.restored(&life, set, &current.state.set);
        }
        Ok(())
    }
}
