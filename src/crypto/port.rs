//! What signs for the roles that a server holds: the one place where the engine asks for a private key's work.

use core::fmt;
use std::error::Error;

use serde::{Deserialize, Serialize};

use super::{KeyAlgorithm, KeyId, PublicKey, SignatureMethod};
use crate::terms::{Incarnation, RepositoryName, RoleName};

/// A role that a server may sign for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the protocol lets a server hold these two and no other")]
pub enum OnlineRole {
    /// Held when its publisher asks for it.
    Snapshot,
    /// Held always.
    Timestamp,
}

/// Whose key is meant, and what the store keeps of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OnlineScope<'a> {
    /// The collection.
    pub repository: &'a RepositoryName,
    /// Which life of it: keys of an earlier life never sign for a later one.
    pub incarnation: Incarnation,
    /// The role that is signed for.
    pub role: OnlineRole,
    /// The sealed keys that the store keeps for this life, of both roles, in the order in which they first signed.
    pub held: &'a [SealedKey],
}

impl<'a> OnlineScope<'a> {
    /// All four parts.
    pub fn new(
        repository: &'a RepositoryName,
        incarnation: Incarnation,
        role: OnlineRole,
        held: &'a [SealedKey],
    ) -> Self {
        Self { repository, incarnation, role, held }
    }
}

/// A private key that only its port can open; kept in the journal beside what it signed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SealedKey {
    /// Which role it signs for.
    pub role: OnlineRole,
    /// The id of the bare public key.
    pub id: KeyId,
    /// Its place in the order of derived keys of this life, role and algorithm; `None` for an imported key.
    pub generation: Option<u32>,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Meaningful to the port alone; never a bare private key.
    pub sealed: Vec<u8>,
}

impl SealedKey {
    /// All parts.
    pub fn new(
        role: OnlineRole,
        id: KeyId,
        generation: Option<u32>,
        algorithm: KeyAlgorithm,
        sealed: Vec<u8>,
    ) -> Self {
        Self { role, id, generation, algorithm, sealed }
    }
}

/// One signature made through the port.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OnlineSignature {
    /// Under which of the keys that were asked for.
    pub key: KeyId,
    /// How.
    pub method: SignatureMethod,
    /// As the dialect carries it: raw `r || s` for ECDSA, 64 bytes for Ed25519.
    pub bytes: Vec<u8>,
    /// The key, sealed, if this is the first time that it signs: the store keeps it with what it signed.
    pub first_use: Option<SealedKey>,
}

impl OnlineSignature {
    /// All parts.
    pub fn new(key: KeyId, method: SignatureMethod, bytes: Vec<u8>, first_use: Option<SealedKey>) -> Self {
        Self { key, method, bytes, first_use }
    }
}

/// The keys of the roles that a server holds. A key service, a token or a file of sealed keys can stand behind it.
///
/// # Contract
/// The same question gets the same key until that key has signed: a key that nobody has used yet is made up again, not
/// stored, so that asking for keys of endless names costs nothing.
pub trait OnlineKeys: Send + Sync + 'static {
    /// The public key that a publisher should list next for this scope: one that has never signed.
    ///
    /// # Errors
    /// [`OnlineKeyError`] if the keys cannot be reached.
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError>;

    /// Signs with each of `wanted` that this port holds for the scope, held or pending; none is no error.
    ///
    /// # Errors
    /// [`OnlineKeyError`] if the keys cannot be reached or a sealed key does not open.
    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError>;
}

/// A store without online keys: it mirrors what others signed, and takes publications of no role that it would sign.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no state and never will")]
pub struct NoOnlineKeys;

impl OnlineKeys for NoOnlineKeys {
    fn pending(&self, _: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        Err(OnlineKeyError::new("this store was opened without online keys"))
    }

    fn sign(
        &self,
        _: OnlineScope<'_>,
        _: &[KeyId],
        _: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        Ok(Vec::new())
    }
}

/// Why online keys could not be used. The operator must act.
#[derive(Debug)]
pub struct OnlineKeyError {
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl OnlineKeyError {
    /// Without a deeper cause.
    pub fn new(what: &'static str) -> Self {
        Self { what, source: None }
    }

    /// With its cause.
    pub fn caused(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { what, source: Some(source.into()) }
    }
}

impl fmt::Display for OnlineKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for OnlineKeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

impl From<OnlineRole> for RoleName {
    fn from(role: OnlineRole) -> Self {
        match role {
            OnlineRole::Snapshot => Self::Snapshot,
            OnlineRole::Timestamp => Self::Timestamp,
        }
    }
}
