//! An author's keys on disk, where Notary's clients keep theirs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tufstore::metadata::write::AuthorKey;
use tufstore::terms::RoleName;
use tufstore_keys::{FileError, KeyLabel, KeyPem, KeyPemError};

use crate::keys::{AuthorKeys, HeldKey};

/// Why an author's keys could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFolderError {
    /// A key could not be written, read or opened.
    #[error("the key in {} cannot be used", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: KeyPemError,
    },
    /// The folder or a certificate could not be written or read.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// As the operating system says.
        source: io::Error,
    },
}

const KEYS: &str = "private";
const CERTIFICATES: &str = "certificates";

impl AuthorKeys {
    /// Saves every key that is not there yet as `private/ID.key`, as Notary's clients do, encrypted where there is a
    /// passphrase, and the root certificates as `certificates/ID.crt`, which those clients leave alone.
    ///
    /// When this returns `Ok`, all of it is on disk.
    ///
    /// # Errors
    /// [`KeyFolderError`]; what was saved before it stays.
    pub fn save(&self, folder: impl AsRef<Path>, passphrase: Option<&[u8]>) -> Result<(), KeyFolderError> {
        let (keys, certificates) = (folder.as_ref().join(KEYS), folder.as_ref().join(CERTIFICATES));
        for folder in [&keys, &certificates] {
            make_folder(folder).map_err(|source| KeyFolderError::File { path: folder.clone(), source })?;
        }
        for held in &self.held {
            let path = keys.join(format!("{}.key", held.key.id()));
            let label = KeyLabel::of_role(held.label.as_str());
            let label = held.repository.clone().into_iter().fold(label, KeyLabel::in_repository);
            let file = match passphrase {
                Some(passphrase) => KeyPem::encrypted(&held.key, label, passphrase),
                None => KeyPem::plain(&held.key, label),
            };
            match file.and_then(|file| file.save(&path)) {
                // The name is the key's own: it is saved already.
                Ok(()) | Err(KeyPemError::File(FileError::Exists { .. })) => {}
                Err(source) => return Err(KeyFolderError::Key { path, source }),
            }
        }
        for pem in &self.certificates {
            // A certificate that no root lists is no loss.
            let Ok(listed) = AuthorKey::certified(pem) else { continue };
            let path = certificates.join(format!("{}.crt", listed.id()));
            write(&path, pem).map_err(|source| KeyFolderError::File { path, source })?;
        }
        Ok(())
    }

    /// Loads every key of a folder, for whichever repository it is; keys that are not encrypted need no passphrase.
    ///
    /// # Errors
    /// [`KeyFolderError`], also if one key is encrypted with another passphrase.
    pub fn load(folder: impl AsRef<Path>, passphrase: Option<&[u8]>) -> Result<Self, KeyFolderError> {
        let mut keys = Self::new();
        for path in list(&folder.as_ref().join(KEYS), "key")? {
            let failed = |source| KeyFolderError::Key { path: path.clone(), source };
            let file = KeyPem::load(&path).map_err(failed)?;
            let key = file.open(passphrase).map_err(failed)?;
            let KeyLabel { role, repository, .. } = file.label().clone();
            keys.held.push(HeldKey { label: role.unwrap_or_default(), repository, key });
        }
        for path in list(&folder.as_ref().join(CERTIFICATES), "crt")? {
            let text = fs::read_to_string(&path).map_err(|source| KeyFolderError::File { path, source })?;
            keys.certificates.push(text);
        }
        Ok(keys)
    }

    /// Whether a key for `role` is held.
    pub fn has(&self, role: &RoleName) -> bool {
        self.public(role).next().is_some()
    }
}

/// The files with that ending, sorted; none in a folder that is not there.
fn list(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, KeyFolderError> {
    let failed = |source| KeyFolderError::File { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|found| found == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Beside and renamed, so that a file is whole or absent.
#[expect(clippy::disallowed_methods, reason = "an author's keys are no part of a store")]
fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
