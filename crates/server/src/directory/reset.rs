//! One repository begins anew, after its root key was lost.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tufstore::terms::{Position, RepositoryName, UnixTime};
use tufstore::{DeleteError, DocumentEntry, StorageError, Store};

use super::Directory;
use super::actor::{Actor, Did, Noted};

/// The folder in the store's own where what was there lies.
const ARCHIVE: &str = "archive";
/// In bytes; file systems take 255.
const LONGEST_NAME: usize = 200;

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
    /// Its life ended meanwhile.
    #[error("it was deleted meanwhile: look at it, and reset again")]
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
        let _resetting = self.resetting.lock();
        let missing = || ResetError::NoSuchRepository { repository: repository.clone() };
        let view = self.store.view(repository)?.ok_or_else(missing)?;
        let mut archive = Archive::begin(&self.folder.join(ARCHIVE), view.position())?;
        // What may be long, while others publish; and then nothing between what is archived and the end.
        archive.take(&self.store, repository)?;
        let _alone = self.publishing.write();
        let last = self.store.view(repository)?.ok_or(ResetError::Moved)?;
        if last.incarnation() != view.incarnation() {
            return Err(ResetError::Moved);
        }
        archive.take(&self.store, repository)?;
        let files = archive.files;
        let about = json!({
            "repository": repository,
            "incarnation": last.incarnation(),
            "revision": last.revision(),
            "reset": now.to_string(),
            "by": by,
            "files": archive.listed,
        });
        let archive = archive.finish(&about)?;
        // A renewal may have come between: what it signed is worth nothing to anybody.
        let note = Noted::by(by.clone()).because(Did::Reset).to_note();
        let ended = self.store.delete_noting(repository, note.as_ref(), now)?;
        let ended = ended.ok_or(ResetError::Moved)?;
        Ok(ResetDone { position: ended.position, archive, files })
    }
}

/// A folder in which every file of a repository's present life is being written.
struct Archive {
    /// While it is not whole.
    beside: PathBuf,
    folder: PathBuf,
    /// All up to there was written by the calls before.
    up_to: Position,
    /// And that is the newest of them all.
    taken: Position,
    names: BTreeSet<String>,
    listed: Vec<Value>,
    files: u64,
}

impl Archive {
    /// Of a reset that did not come to its end, whatever there is is written anew.
    fn begin(archives: &Path, position: Position) -> Result<Self, ResetError> {
        let folder = archives.join(format!("{:020}", position.get()));
        let beside = folder.with_extension("unfinished");
        let archive = Self {
            beside,
            folder,
            up_to: Position::new(0),
            taken: Position::new(0),
            names: BTreeSet::new(),
            listed: Vec::new(),
            files: 0,
        };
        let mut folders = DirBuilder::new();
        let made = without(&archive.beside)
            .and_then(|()| folders.recursive(true).mode(0o700).create(&archive.beside));
        made.map_err(|source| archive.failed(source))?;
        Ok(archive)
    }

    /// Writes what was published since this was called last.
    fn take(&mut self, store: &Store, repository: &RepositoryName) -> Result<(), ResetError> {
        for entry in store.documents(repository) {
            let entry = entry?;
            if entry.position <= self.up_to {
                continue;
            }
            // What a collection dropped is not there any more.
            let Some(published) = store.history(repository, &entry.role, entry.sha256)? else { continue };
            let name = self.name(&entry);
            // By digest, it is the same file whichever role it is of.
            if self.names.insert(name.clone()) {
                let written = write(&self.beside.join(&name), published.document.bytes());
                written.map_err(|source| self.failed(source))?;
                self.files += 1;
            }
            let DocumentEntry { role, version, sha256, .. } = &entry;
            self.listed.push(
                json!({ "file": name, "role": role, "version": version, "sha256": sha256.to_string() }),
            );
            self.taken = self.taken.max(entry.position);
        }
        self.up_to = self.taken;
        Ok(())
    }

    /// `7.targets.json`; slashes of a delegation become dots, which no role has. By digest, where that is too long for a file's
    /// name, or there already: a delegation that was removed and made anew begins at version 1 again.
    fn name(&self, entry: &DocumentEntry) -> String {
        let DocumentEntry { role, version, sha256, .. } = entry;
        let plain = format!("{version}.{}.json", role.as_str().replace('/', "."));
        if plain.len() > LONGEST_NAME || self.names.contains(&plain) {
            format!("{version}.{sha256}.json")
        } else {
            plain
        }
    }

    fn finish(self, about: &Value) -> Result<PathBuf, ResetError> {
        let finished = write(&self.beside.join("about.json"), about.to_string().as_bytes())
            .and_then(|()| sync(&self.beside))
            // Whole, and of a reset that failed after it.
            .and_then(|()| without(&self.folder))
            .and_then(|()| rename(&self.beside, &self.folder))
            .and_then(|()| self.folder.parent().map_or(Ok(()), sync));
        finished.map_err(|source| self.failed(source))?;
        Ok(self.folder)
    }

    fn failed(&self, source: io::Error) -> ResetError {
        ResetError::Archive { path: self.folder.clone(), source }
    }
}

/// Removes a folder, if there is one.
fn without(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "files beside the store's, which nothing is read back from")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "a folder beside the store's")]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
