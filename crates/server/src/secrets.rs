//! What the server signs with, and what opens it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use tufstore::crypto::KeyAlgorithm;
use tufstore_keys::{KeyError, MasterKeyError, MasterKeyFile, Opener, SealedOnlineKeys, create_key_file};

use crate::settings::{OpenedBy, Settings};

/// The master key, in the store's folder: sealed.
const MASTER: &str = "master";

/// Why the online keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// A file or folder.
    #[error("{doing} failed")]
    Io {
        /// What was tried.
        doing: String,
        /// Why.
        source: io::Error,
    },
    /// The master key cannot be opened or made.
    #[error("the master key in {} cannot be opened", path.display())]
    Master {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: MasterKeyError,
    },
    /// It cannot be used.
    #[error("the online keys cannot be made")]
    Key(#[from] KeyError),
}

/// The online keys, by the master key in the store's folder; both are made where there is nothing yet.
pub(crate) fn online_keys(settings: &Settings) -> Result<SealedOnlineKeys, SecretsError> {
    let made = |source| SecretsError::Io { doing: format!("making {}", settings.data.display()), source };
    std::fs::create_dir_all(&settings.data).map_err(made)?;
    let path = settings.data.join(MASTER);
    let failed = |source| SecretsError::Master { path: path.clone(), source };
    let opener_path;
    let by = match &settings.opened_by {
        OpenedBy::Passphrase(passphrase) => Opener::Passphrase(passphrase),
        OpenedBy::KeyFile(file) => {
            opener_path = file.clone().unwrap_or_else(|| {
                let mut name: OsString = settings.data.clone().into_os_string();
                name.push(".key");
                PathBuf::from(name)
            });
            if !opener_path.exists() && !path.exists() {
                create_key_file(&opener_path).map_err(failed)?;
            }
            Opener::KeyFile(&opener_path)
        }
    };
    let file = if path.exists() { MasterKeyFile::open(&path, by) } else { MasterKeyFile::create(&path, by) };
    Ok(file.map_err(failed)?.online_keys(KeyAlgorithm::EcdsaP256)?)
}
