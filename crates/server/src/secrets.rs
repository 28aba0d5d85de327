//! What the server signs with, and what opens it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{self, Path, PathBuf};

use tufstore::crypto::KeyAlgorithm;
use tufstore_keys::{
    KeyError, MasterKeyError, MasterKeyFile, Opener, PrivateKey, SealedOnlineKeys, create_key_file,
};
use zeroize::Zeroizing;

use crate::settings::{Algorithm, OpenedBy, Settings};

/// The master key, in the store's folder, sealed.
const MASTER: &str = "master";
/// Where a store keeps its records.
const JOURNAL: &str = "journal";

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
    /// What opens the data would lie in the data.
    #[error("the key file {} lies in the data folder: whoever copies the data has what opens it", path.display())]
    KeyFileInData {
        /// The key file.
        path: PathBuf,
    },
    /// The online keys cannot be made.
    #[error("the online keys cannot be made")]
    Key(#[from] KeyError),
    /// The master key cannot be opened or made.
    #[error("the master key in {} cannot be opened", path.display())]
    Master {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: MasterKeyError,
    },
    /// The store holds records, and the master key that its online keys are sealed by is gone.
    #[error("the store in {} has records, but no master key", folder.display())]
    NoMaster {
        /// The store's folder.
        folder: PathBuf,
    },
    /// No name for a key file beside the data folder.
    #[error("{} has no name that a key file beside it could be named after", data.display())]
    Unnamed {
        /// The data folder.
        data: PathBuf,
    },
}

/// The online keys, and how they came to be there.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) keys: SealedOnlineKeys,
    /// What vouches for the tokens of the server's own token service.
    pub(crate) tokens: PrivateKey,
    /// A key file that was made just now, which somebody has to know of.
    pub(crate) made: Option<PathBuf>,
}

/// What will open the master key, and whether it is there. Holds a secret, so it cannot be shown.
pub(crate) struct Plan {
    folder: PathBuf,
    master: PathBuf,
    opener: PlannedOpener,
    algorithm: KeyAlgorithm,
}

enum PlannedOpener {
    Passphrase(Zeroizing<Vec<u8>>),
    KeyFile(PathBuf),
}

impl PlannedOpener {
    fn of(opened_by: &OpenedBy, folder: &Path) -> Result<Self, SecretsError> {
        Ok(match opened_by {
            OpenedBy::Passphrase(passphrase) => {
                Self::Passphrase(Zeroizing::new(passphrase.as_bytes().to_vec()))
            }
            OpenedBy::PassphraseFile(path) => Self::Passphrase(read_passphrase(path)?),
            OpenedBy::KeyFile(path) => Self::KeyFile(key_file(path.as_deref(), folder)?),
        })
    }

    fn get(&self) -> Opener<'_> {
        match self {
            Self::Passphrase(passphrase) => Opener::Passphrase(passphrase),
            Self::KeyFile(path) => Opener::KeyFile(path),
        }
    }
}

impl Plan {
    /// Reads what was given, and changes nothing.
    pub(crate) fn new(settings: &Settings) -> Result<Self, SecretsError> {
        let folder = settings.data.clone();
        let master = folder.join(MASTER);
        if !master.exists()
            && !settings.keys.new_master_key
            && (holds_any(&folder.join(JOURNAL))? || second_holds_any(settings)?)
        {
            return Err(SecretsError::NoMaster { folder });
        }
        let opener = PlannedOpener::of(&settings.keys.opened_by, &folder)?;
        let algorithm = match settings.keys.algorithm {
            Algorithm::Ecdsa => KeyAlgorithm::EcdsaP256,
            Algorithm::Ed25519 => KeyAlgorithm::Ed25519,
        };
        Ok(Self { folder, master, opener, algorithm })
    }

    /// Whether the master key opens; `false` if there is none yet.
    pub(crate) fn check(&self) -> Result<bool, SecretsError> {
        let there = self.master.exists();
        if there {
            MasterKeyFile::open(&self.master, self.opener()).map_err(|source| self.failed(source))?;
        }
        Ok(there)
    }

    /// Opens the master key, or makes it.
    pub(crate) fn open(self) -> Result<Secrets, SecretsError> {
        let doing = || format!("making the folder {}", self.folder.display());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| SecretsError::Io { doing: doing(), source })?;
        let mut made = None;
        let file = if self.master.exists() {
            MasterKeyFile::open(&self.master, self.opener())
        } else {
            if let PlannedOpener::KeyFile(path) = &self.opener
                && !path.exists()
            {
                create_key_file(path).map_err(|source| self.failed(source))?;
                // Said now, since the start may yet fail, and the next one finds it made.
                tracing::warn!(path = %path.display(), "made a key file: keep a copy of it, apart from copies of the data");
                made = Some(path.clone());
            }
            MasterKeyFile::create(&self.master, self.opener())
        };
        let file = file.map_err(|source| self.failed(source))?;
        let tokens = file.key_for("tokens of the token service")?;
        Ok(Secrets { keys: file.online_keys(self.algorithm)?, tokens, made })
    }

    fn opener(&self) -> Opener<'_> {
        self.opener.get()
    }

    fn failed(&self, source: MasterKeyError) -> SecretsError {
        SecretsError::Master { path: self.master.clone(), source }
    }
}

/// The online keys of a store that is being restored, and the master key file that it is to have: with a new salt, since
/// keys that were handed out after the backup may be known to others. `opened_by`: as a server is told; a key file by default
/// beside `store`.
///
/// # Errors
/// [`SecretsError`]. The file in `master` is left as it is.
pub fn of_restored(
    master: &[u8],
    store: &Path,
    opened_by: &OpenedBy,
) -> Result<(SealedOnlineKeys, Vec<u8>), SecretsError> {
    let io = |source| SecretsError::Io { doing: "copying the master key".to_owned(), source };
    let opener = PlannedOpener::of(opened_by, store)?;
    let folder = tempfile::tempdir().map_err(io)?;
    let path = folder.path().join(MASTER);
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
    options.open(&path).and_then(|mut file| file.write_all(master)).map_err(io)?;
    let failed = |source| SecretsError::Master { path: PathBuf::from(MASTER), source };
    let mut file = MasterKeyFile::open(&path, opener.get()).map_err(failed)?;
    file.start_new_salt(opener.get()).map_err(failed)?;
    let keys = file.online_keys(KeyAlgorithm::EcdsaP256)?;
    Ok((keys, fs::read(&path).map_err(io)?))
}

/// The same of the second journal, which all records come back from.
fn second_holds_any(settings: &Settings) -> Result<bool, SecretsError> {
    settings.second_journal.as_deref().map_or(Ok(false), holds_any)
}

/// Whether something was written to a journal ever: another master key would not open what sealed keys it holds. Whatever else
/// lies there, as in the root of a file system, is no journal's.
fn holds_any(folder: &Path) -> Result<bool, SecretsError> {
    let failed = |source| SecretsError::Io { doing: format!("looking into {}", folder.display()), source };
    let files = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        files => files.map_err(failed)?,
    };
    for file in files {
        if Path::new(&file.map_err(failed)?.file_name()).extension() == Some(OsStr::new("segment")) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read_passphrase(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let failed =
        |source| SecretsError::Io { doing: format!("reading the passphrase in {}", path.display()), source };
    let mut text = Zeroizing::new(fs::read(path).map_err(failed)?);
    if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others than its owner may read the passphrase file");
    }
    if text.ends_with(b"\n") {
        text.pop();
    }
    if text.ends_with(b"\r") {
        text.pop();
    }
    Ok(text)
}

/// Where the key file is: as given, or beside the data folder.
fn key_file(given: Option<&Path>, data: &Path) -> Result<PathBuf, SecretsError> {
    let whole = |path: &Path| {
        let doing = || format!("finding {}", path.display());
        path::absolute(path).map_err(|source| SecretsError::Io { doing: doing(), source })
    };
    let data = whole(data)?;
    let Some(given) = given else {
        let mut name: OsString =
            data.file_name().ok_or_else(|| SecretsError::Unnamed { data: data.clone() })?.to_owned();
        name.push(".key");
        return Ok(data.with_file_name(name));
    };
    let path = whole(given)?;
    if path.starts_with(&data) { Err(SecretsError::KeyFileInData { path }) } else { Ok(path) }
}
