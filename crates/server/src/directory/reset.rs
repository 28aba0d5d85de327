//! One repository begins anew, after its root key was lost.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tufstore::terms::{Position, RepositoryName, RoleName, UnixTime};
use tufstore::{DeleteError, StorageError, Store, View};

use super::Directory;
use super::actor::{Actor, Did, Noted};

/// The folder in the store's own where what was there lies.
const ARCHIVE: &str = "archive";

/// A repository that begins anew.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResetDone {
    /// Of its end.
    pub position: Position,
    /// The folder with every file that it had published and that was still kept.
    pub archive: PathBuf,
    /// How many files are in it.
    pub files: u64,
}

/// Why a repository was not reset. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// Nothing is published there.
    #[error("nothing is published under the name {repository}")]
    NoSuchRepository {
        /// The name.
        repository: RepositoryName,
    },
    /// Something was published meanwhile.
    #[error("something was published meanwhile: look at it, and reset again")]
    Moved,
    /// It cannot be archived.
    #[error("what was there cannot be written to {}", path.display())]
    Archive {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("what was there cannot be read")]
    Read(#[from] StorageError),
    /// It cannot be ended.
    #[error("it cannot be ended")]
    Delete(#[from] DeleteError),
}

impl Directory {
    /// Writes down all that a repository had published, and ends its life: whoever publishes next begins anew, with a root key of
    /// their own. Clients that know the old root refuse the new one until they are told to forget it.
    ///
    /// # Errors
    /// [`ResetError`].
    ///
    /// # Cost
    /// Reads and writes its whole history; one commit.
    pub fn reset(
        &self,
        repository: &RepositoryName,
        by: &Actor,
        now: UnixTime,
    ) -> Result<ResetDone, ResetError> {
        // Nothing may be published between what is archived and the end.
        let _alone = self.publishing.write();
        let missing = || ResetError::NoSuchRepository { repository: repository.clone() };
        let view = self.store.view(repository)?.ok_or_else(missing)?;
        let archive = self.folder.join(ARCHIVE).join(format!("{:020}", view.position().get()));
        let failed = |source| ResetError::Archive { path: archive.clone(), source };
        let files = archived(&self.store, repository, &view, &archive, by, now, &failed)?;
        // A renewal may have come between: what it signed is worth nothing to anybody.
        let note = Noted::by(by.clone()).because(Did::Reset).to_note();
        let ended = match &note {
            Some(note) => self.store.delete_noting(repository, note, now)?,
            None => self.store.delete(repository, now)?,
        };
        let ended = ended.ok_or(ResetError::Moved)?;
        Ok(ResetDone { position: ended.position, archive, files })
    }
}

/// Writes every file of the repository's present life into a folder, durably, under its version and role. How many.
fn archived(
    store: &Store,
    repository: &RepositoryName,
    view: &View,
    folder: &Path,
    by: &Actor,
    now: UnixTime,
    failed: &dyn Fn(io::Error) -> ResetError,
) -> Result<u64, ResetError> {
    let beside = folder.with_extension("unfinished");
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&beside).map_err(failed)?;
    let mut files = 0;
    for entry in store.documents(repository) {
        let entry = entry?;
        // What a collection dropped is not there any more.
        let Some(published) = store.history(repository, &entry.role, entry.sha256)? else { continue };
        let name = name(&entry.role, entry.version.get());
        write(&beside.join(name), published.document.bytes()).map_err(failed)?;
        files += 1;
    }
    let about = json!({
        "repository": repository,
        "incarnation": view.incarnation(),
        "revision": view.revision(),
        "reset": now.to_string(),
        "by": by,
    });
    write(&beside.join("about.json"), about.to_string().as_bytes()).map_err(failed)?;
    sync(&beside).map_err(failed)?;
    rename(&beside, folder).map_err(failed)?;
    folder.parent().map_or(Ok(()), sync).map_err(failed)?;
    Ok(files)
}

/// `7.targets.json`; slashes of a delegation become dots, which no role has.
fn name(role: &RoleName, version: u64) -> String {
    format!("{version}.{}.json", role.as_str().replace('/', "."))
}

#[expect(clippy::disallowed_methods, reason = "files beside the store's, which nothing is read back from")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A version may stand twice, where a delegation was removed and made anew: the later one.
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "a folder beside the store's")]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
