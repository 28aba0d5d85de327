//! Key files, as Docker and Notary keep them.

use std::path::Path;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use tufstore::crypto::{InvalidPublicKey, PublicKey};
use tufstore::terms::{InvalidRepositoryName, RepositoryName};
use zeroize::Zeroizing;

use crate::error::{KeyError, failed};
use crate::file::{self, FileError};
use crate::private_key::PrivateKey;

mod block;
mod pbes2;

use block::Block;

/// A private key's file: what it is labelled with, and the key, encrypted or not.
///
/// # Source
/// The files of Notary v1 (`~/.docker/trust/private`, `~/.notary/private`), those it wrote before version 0.6, and what
/// OpenSSL writes for the same algorithms.
pub struct KeyPem {
    label: KeyLabel,
    form: Form,
    content: Zeroizing<Vec<u8>>,
}

/// What a key file says about the use of its key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyLabel {
    /// A role's name, or the free name of a signer.
    pub role: Option<String>,
    /// The collection. Notary labels keys of targets, snapshot and timestamp with it, no others.
    pub repository: Option<RepositoryName>,
    /// The name of the file that it was exported from.
    pub path: Option<String>,
}

/// Why a key file could not be read, opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyPemError {
    /// The file could not be read or written.
    #[error("a key file cannot be used")]
    File(#[from] FileError),
    /// Nothing between lines of `BEGIN` and `END` that could be a key of the wanted kind.
    #[error("holds no key in PEM")]
    NoKey,
    /// Lines that begin a block and do not end it, or what is no base64 between them.
    #[error("the PEM around the key is damaged")]
    Damaged,
    /// A label that no repository has, or that no file can carry.
    #[error("the key is labelled with no name of a repository")]
    Repository(#[from] InvalidRepositoryName),
    /// A role or path that does not fit in one line.
    #[error("a label has to be one line, without spaces around it")]
    Label,
    /// The key is encrypted and no passphrase was given.
    #[error("the key is encrypted")]
    PassphraseNeeded,
    /// The passphrase is another one than it was encrypted with; or the file was changed, which nothing can tell apart.
    #[error("this passphrase does not open the key")]
    WrongPassphrase,
    /// A passphrase of no characters protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The key itself cannot be used.
    #[error("the key cannot be used")]
    Key(#[from] KeyError),
    /// The public key itself cannot be used.
    #[error("the public key cannot be used")]
    PublicKey(#[from] InvalidPublicKey),
}

/// What stands between `BEGIN` and `END`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    /// PKCS#8 `EncryptedPrivateKeyInfo`.
    Encrypted,
    /// PKCS#8 `PrivateKeyInfo`.
    Plain,
    /// What was written before PKCS#8.
    Legacy { kind: Legacy, iv: Option<[u8; IV]> },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Legacy {
    Ec,
    Ed25519,
    Rsa,
}

const IV: usize = 16;

impl KeyLabel {
    /// For a role, or for the free name of a signer.
    pub fn of_role(role: impl Into<String>) -> Self {
        Self { role: Some(role.into()), ..Self::default() }
    }

    /// Used for this collection alone.
    #[must_use]
    pub fn in_repository(self, repository: RepositoryName) -> Self {
        Self { repository: Some(repository), ..self }
    }
}

impl KeyPem {
    /// Encrypts a key exactly as Notary's clients do: they can read the file.
    ///
    /// # Errors
    /// [`KeyPemError::EmptyPassphrase`], [`KeyPemError::Label`] or [`KeyPemError::Key`].
    ///
    /// # Source
    /// PBES2 with PBKDF2 (HMAC-SHA1, 2,048 rounds) and AES-256-CBC: they read nothing stronger. What protects such a key
    /// is a long passphrase.
    pub fn encrypted(key: &PrivateKey, label: KeyLabel, passphrase: &[u8]) -> Result<Self, KeyPemError> {
        label.check()?;
        if passphrase.is_empty() {
            return Err(KeyPemError::EmptyPassphrase);
        }
        let content = Zeroizing::new(pbes2::encrypted(&key.to_pkcs8()?, passphrase)?);
        Ok(Self { label, form: Form::Encrypted, content })
    }

    /// The key as it is, for whoever can read the file.
    ///
    /// # Errors
    /// [`KeyPemError::Label`] or [`KeyPemError::Key`].
    pub fn plain(key: &PrivateKey, label: KeyLabel) -> Result<Self, KeyPemError> {
        label.check()?;
        Ok(Self { label, form: Form::Plain, content: key.to_pkcs8()? })
    }

    /// Reads the first private key of a text.
    ///
    /// # Errors
    /// [`KeyPemError::NoKey`], [`KeyPemError::Damaged`], or [`KeyPemError::Key`] for an encryption that is not supported.
    pub fn read(text: &str) -> Result<Self, KeyPemError> {
        Self::read_all(text)?.into_iter().next().ok_or(KeyPemError::NoKey)
    }

    /// Reads every private key of a text, as an export holds them. Passes over certificates and public keys.
    ///
    /// # Errors
    /// As [`KeyPem::read`]; a text without keys is no error.
    pub fn read_all(text: &str) -> Result<Vec<Self>, KeyPemError> {
        block::blocks(text)?.into_iter().filter_map(|block| Self::of_block(block).transpose()).collect()
    }

    fn of_block(block: Block<'_>) -> Result<Option<Self>, KeyPemError> {
        let legacy = |kind| Ok::<_, KeyPemError>(Form::Legacy { kind, iv: block.legacy_iv()? });
        let form = match block.kind {
            "ENCRYPTED PRIVATE KEY" => Form::Encrypted,
            "PRIVATE KEY" => Form::Plain,
            "EC PRIVATE KEY" => legacy(Legacy::Ec)?,
            "ED25519 PRIVATE KEY" => legacy(Legacy::Ed25519)?,
            "RSA PRIVATE KEY" => legacy(Legacy::Rsa)?,
            _ => return Ok(None),
        };
        let text = |name| block.header(name).map(str::to_owned);
        let repository = block.header("gun").map(str::parse).transpose()?;
        let label = KeyLabel { role: text("role"), repository, path: text("path") };
        Ok(Some(Self { label, form, content: block.content }))
    }

    /// Reads the first private key of a file.
    ///
    /// # Errors
    /// [`KeyPemError::File`], and as [`KeyPem::read`].
    pub fn load(path: &Path) -> Result<Self, KeyPemError> {
        let bytes = file::read(path)?;
        Self::read(core::str::from_utf8(&bytes).map_err(|_| KeyPemError::NoKey)?)
    }

    /// Writes a new file that only its owner can read. When this returns `Ok`, it is on disk.
    ///
    /// # Errors
    /// [`FileError::Exists`] if something stands there already, which is left as it is.
    pub fn save(&self, path: &Path) -> Result<(), KeyPemError> {
        Ok(file::create(path, self.to_text().as_bytes())?)
    }

    /// The text of the file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let (kind, iv) = match self.form {
            Form::Encrypted => ("ENCRYPTED PRIVATE KEY", None),
            Form::Plain => ("PRIVATE KEY", None),
            Form::Legacy { kind: Legacy::Ec, iv } => ("EC PRIVATE KEY", iv),
            Form::Legacy { kind: Legacy::Ed25519, iv } => ("ED25519 PRIVATE KEY", iv),
            Form::Legacy { kind: Legacy::Rsa, iv } => ("RSA PRIVATE KEY", iv),
        };
        let repository = self.label.repository.as_ref().map(RepositoryName::as_str);
        let labels =
            [("gun", repository), ("path", self.label.path.as_deref()), ("role", self.label.role.as_deref())];
        block::written(kind, iv, &labels, &self.content)
    }

    /// What the file says about the use of its key.
    pub fn label(&self) -> &KeyLabel {
        &self.label
    }

    /// Whether it takes a passphrase to open.
    pub fn is_encrypted(&self) -> bool {
        match self.form {
            Form::Encrypted | Form::Legacy { iv: Some(_), .. } => true,
            Form::Plain | Form::Legacy { iv: None, .. } => false,
        }
    }

    /// The key. A passphrase for a key that is not encrypted is passed over.
    ///
    /// # Errors
    /// [`KeyPemError::PassphraseNeeded`], [`KeyPemError::WrongPassphrase`] or [`KeyPemError::Key`].
    pub fn open(&self, passphrase: Option<&[u8]>) -> Result<PrivateKey, KeyPemError> {
        let needed = || passphrase.ok_or(KeyPemError::PassphraseNeeded);
        match self.form {
            Form::Encrypted => {
                let decrypted = pbes2::decrypted(&self.content, needed()?)?;
                PrivateKey::from_pkcs8(&decrypted).map_err(wrong_if_garbage)
            }
            Form::Plain => Ok(PrivateKey::from_pkcs8(&self.content)?),
            Form::Legacy { kind, iv: Some(iv) } => {
                let key = block::legacy_key(needed()?, &iv);
                let decrypted = decrypted_by_aes(key.as_slice(), iv, &self.content)?;
                // Random bytes that happen to end like padding are all but never a key.
                kind.read(&decrypted).map_err(|_| KeyPemError::WrongPassphrase)
            }
            Form::Legacy { kind, iv: None } => Ok(kind.read(&self.content)?),
        }
    }
}

impl Legacy {
    fn read(self, content: &[u8]) -> Result<PrivateKey, KeyError> {
        match self {
            Self::Ec => PrivateKey::from_sec1(content),
            Self::Ed25519 => PrivateKey::from_ed25519_of_notary(content),
            Self::Rsa => PrivateKey::from_pkcs1(content),
        }
    }
}

impl KeyLabel {
    /// A label must not be able to end its line and write another.
    fn check(&self) -> Result<(), KeyPemError> {
        let fits =
            |text: &String| !text.is_empty() && text.trim() == text && !text.contains(char::is_control);
        if self.role.iter().chain(&self.path).all(fits) { Ok(()) } else { Err(KeyPemError::Label) }
    }
}

/// Reads the first `PUBLIC KEY` of a text, and the name of the signer that it may be labelled with.
///
/// # Errors
/// [`KeyPemError::NoKey`], [`KeyPemError::Damaged`] or [`KeyPemError::PublicKey`].
pub fn read_public_key(text: &str) -> Result<(PublicKey, Option<String>), KeyPemError> {
    let blocks = block::blocks(text)?;
    let block = blocks.iter().find(|block| block.kind == "PUBLIC KEY").ok_or(KeyPemError::NoKey)?;
    Ok((PublicKey::from_spki(&block.content)?, block.header("role").map(str::to_owned)))
}

/// Random bytes that happen to end like padding are all but never a key.
fn wrong_if_garbage(error: KeyError) -> KeyPemError {
    if matches!(error, KeyError::Malformed(_)) {
        KeyPemError::WrongPassphrase
    } else {
        KeyPemError::Key(error)
    }
}

fn decrypted_by_aes(key: &[u8], iv: [u8; IV], content: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyPemError> {
    let key = UnboundCipherKey::new(&AES_256, key).map_err(failed("decrypting a key"))?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(failed("decrypting a key"))?;
    let mut content = Zeroizing::new(content.to_vec());
    let length = key
        .decrypt(&mut content, DecryptionContext::Iv128(iv.into()))
        .map_err(|_| KeyPemError::WrongPassphrase)?
        .len();
    content.truncate(length);
    Ok(content)
}

fn encrypted_by_aes(key: &[u8], iv: [u8; IV], secret: &[u8]) -> Result<Vec<u8>, KeyError> {
    let key = UnboundCipherKey::new(&AES_256, key).map_err(failed("encrypting a key"))?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(failed("encrypting a key"))?;
    // Room for the padding from the start, so that growing leaves no copy behind.
    let mut content = Vec::with_capacity(secret.len() + IV);
    content.extend_from_slice(secret);
    match key.less_safe_encrypt(&mut content, EncryptionContext::Iv128(iv.into())) {
        Ok(_) => Ok(content),
        Err(error) => {
            drop(Zeroizing::new(content));
            Err(failed("encrypting a key")(error))
        }
    }
}

impl core::fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KeyPem").field("label", &self.label).field("form", &self.form).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
