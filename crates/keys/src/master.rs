//! The one secret behind every online key, and the small file that it rests in, sealed.

use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use tufstore::crypto::KeyAlgorithm;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::file::{self, FileError};
use crate::online::SealedOnlineKeys;
use crate::private_key::PrivateKey;
use crate::sealing::{SECRET, Secret, derived, random};

mod format;

/// What opens a [`MasterKeyFile`].
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "another way to open it is another format of the file")]
pub enum Opener<'a> {
    /// What an operator types, or a secret that the service manager hands over. Stretched by Argon2id.
    Passphrase(&'a [u8]),
    /// A file of 32 random bytes, made by [`create_key_file`]; kept away from the data that it opens.
    KeyFile(&'a Path),
}

/// How a [`MasterKeyFile`] is sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "another way to open it is another format of the file")]
pub enum SealedBy {
    /// By a passphrase.
    Passphrase,
    /// By a key file.
    KeyFile,
}

/// The master key of a store's online keys: never leaves memory but sealed, erased when dropped.
pub(crate) struct MasterKey {
    pub(crate) secret: Secret,
    /// What unused keys are derived with, the newest first. Never empty.
    pub(crate) salts: Vec<Secret>,
}

/// A master key with the file that it rests in, outside the journal and replaceable alone.
///
/// It holds a random secret, which opens the sealed keys of the journal, and salts, which keys that were never used are
/// derived with.
pub struct MasterKeyFile {
    path: PathBuf,
    master: MasterKey,
}

/// Why a master key could not be made, opened or sealed anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// The file could not be read or written.
    #[error("a file of the master key cannot be used")]
    File(#[from] FileError),
    /// The file is whole, the passphrase or key file is another one than sealed it.
    #[error("this passphrase or key file does not open the master key file")]
    WrongOpener,
    /// The file is sealed in the other way.
    #[error("the master key file is sealed by {}", match .by { SealedBy::Passphrase => "a passphrase", SealedBy::KeyFile => "a key file" })]
    OtherOpener {
        /// In which.
        by: SealedBy,
    },
    /// The file is cut off or changed.
    #[error("the master key file is damaged")]
    Damaged,
    /// Written by a later version.
    #[error("the master key file has format {found}, this version reads up to {supported}")]
    NewerFormat {
        /// The file's.
        found: u16,
        /// The newest that is known here.
        supported: u16,
    },
    /// A passphrase of no characters protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The key file is not one of 32 bytes.
    #[error("{path} is no key file of 32 bytes")]
    NoKeyFile {
        /// Which file.
        path: PathBuf,
    },
    /// Others than its owner can read or write the key file.
    #[error("{path} is open to others than its owner")]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The secret could not be made or sealed.
    #[error("the master key could not be used")]
    Key(#[from] KeyError),
}

impl MasterKey {
    pub(crate) fn generate() -> Result<Self, KeyError> {
        Ok(Self { secret: random()?, salts: vec![random()?] })
    }

    /// What opens and seals the keys of the journal. Apart from the salts, so that a new salt closes nothing.
    pub(crate) fn sealing_secret(&self) -> Result<Secret, KeyError> {
        derived(&Salt::new(HKDF_SHA256, b"tufstore sealed keys 1").extract(self.secret.as_slice()), &[])
    }

    /// What a key for another purpose than the online roles grows from. Apart from the salts: who knows of it need not learn of
    /// a new one when a store is restored.
    fn seed_for(&self, purpose: &str) -> Result<Secret, KeyError> {
        let from = Salt::new(HKDF_SHA256, b"tufstore keys by purpose 1").extract(self.secret.as_slice());
        derived(&from, &[purpose.as_bytes()])
    }

    /// What unused keys are derived from, the newest salt first.
    pub(crate) fn derivations(&self) -> Vec<Prk> {
        let prk = |salt: &Secret| Salt::new(HKDF_SHA256, salt.as_slice()).extract(self.secret.as_slice());
        self.salts.iter().map(prk).collect()
    }
}

impl MasterKeyFile {
    /// Makes a new random master key and its file, sealed.
    ///
    /// When this returns `Ok`, the file is on disk.
    ///
    /// # Errors
    /// [`FileError::Exists`] if the file stands there already; otherwise as [`MasterKeyError`] says.
    ///
    /// # Cost
    /// With a passphrase 64 MiB of memory for some hundred milliseconds.
    pub fn create(path: &Path, opener: Opener<'_>) -> Result<Self, MasterKeyError> {
        let master = MasterKey::generate()?;
        file::create(path, &format::sealed(&master, opener)?)?;
        Ok(Self { path: path.to_owned(), master })
    }

    /// Opens the file.
    ///
    /// # Errors
    /// [`MasterKeyError::WrongOpener`] or [`MasterKeyError::OtherOpener`] if this is not what it was sealed with;
    /// [`MasterKeyError::Damaged`] if it is not what was written.
    ///
    /// # Cost
    /// With a passphrase 64 MiB of memory for some hundred milliseconds.
    pub fn open(path: &Path, opener: Opener<'_>) -> Result<Self, MasterKeyError> {
        let master = format::opened(&file::read(path)?, opener)?;
        Ok(Self { path: path.to_owned(), master })
    }

    /// How the file at `path` is sealed, so that the right question can be asked.
    ///
    /// # Errors
    /// [`MasterKeyError::File`] or [`MasterKeyError::Damaged`].
    pub fn sealed_by(path: &Path) -> Result<SealedBy, MasterKeyError> {
        format::sealed_by(&file::read(path)?)
    }

    /// Seals the same master key by another passphrase or key file. Rewrites this file alone: whole or not at all.
    ///
    /// # Errors
    /// After an error the old opener still opens the file, unless the folder alone could not be synced; then one of
    /// the two does.
    pub fn reseal(&self, opener: Opener<'_>) -> Result<(), MasterKeyError> {
        Ok(file::replace(&self.path, &format::sealed(&self.master, opener)?)?)
    }

    /// Derives unused keys anew from now on, as after restoring a backup: keys handed out since then may be known to
    /// others. Keys derived before stay recognised until [`MasterKeyFile::forget_former_salts`].
    ///
    /// Ports made before keep what they had.
    ///
    /// # Errors
    /// [`MasterKeyError::WrongOpener`] if `opener` does not open the file now: then nothing was changed.
    pub fn start_new_salt(&mut self, opener: Opener<'_>) -> Result<(), MasterKeyError> {
        let newest = random()?;
        self.resalt(opener, |former| {
            former.insert(0, newest);
            former.truncate(format::MOST_SALTS);
        })
    }

    /// Destroys all salts but the newest: keys that were derived with them and never signed are gone for good.
    ///
    /// # Errors
    /// [`MasterKeyError::WrongOpener`] if `opener` does not open the file now: then nothing was changed.
    pub fn forget_former_salts(&mut self, opener: Opener<'_>) -> Result<(), MasterKeyError> {
        self.resalt(opener, |salts| salts.truncate(1))
    }

    fn resalt(
        &mut self,
        opener: Opener<'_>,
        change: impl FnOnce(&mut Vec<Secret>),
    ) -> Result<(), MasterKeyError> {
        // Opened first, so that a slip of the finger does not seal the file by something nobody knows.
        let mut master = format::opened(&file::read(&self.path)?, opener)?;
        change(&mut master.salts);
        file::replace(&self.path, &format::sealed(&master, opener)?)?;
        self.master = master;
        Ok(())
    }

    /// A key on P-256 for a purpose beside the online roles: the same for ever, and no other purpose's.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn key_for(&self, purpose: &str) -> Result<PrivateKey, KeyError> {
        let seed = self.master.seed_for(purpose)?;
        PrivateKey::from_seed(KeyAlgorithm::EcdsaP256, &seed)
    }

    /// The online keys behind this master key. New ones are of `algorithm`: Ed25519, or ECDSA on P-256. Those that were
    /// handed out before are recognised in both.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for another algorithm.
    pub fn online_keys(&self, algorithm: KeyAlgorithm) -> Result<SealedOnlineKeys, KeyError> {
        SealedOnlineKeys::new(&self.master, algorithm)
    }
}

/// Makes a key file: 32 random bytes that only its owner can read. When this returns `Ok`, it is on disk.
///
/// # Errors
/// [`MasterKeyError::File`].
pub fn create_key_file(path: &Path) -> Result<(), MasterKeyError> {
    Ok(file::create(path, random()?.as_slice())?)
}

fn read_key_file(path: &Path) -> Result<Secret, MasterKeyError> {
    if file::is_exposed(path)? {
        return Err(MasterKeyError::Exposed { path: path.to_owned() });
    }
    let bytes: Zeroizing<Vec<u8>> = file::read(path)?;
    let secret: [u8; SECRET] =
        bytes.as_slice().try_into().map_err(|_| MasterKeyError::NoKeyFile { path: path.to_owned() })?;
    Ok(Zeroizing::new(secret))
}

impl core::fmt::Debug for MasterKeyFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "master key in {}", self.path.display())
    }
}

impl core::fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("a passphrase"),
            Self::KeyFile(path) => write!(f, "the key file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests;
