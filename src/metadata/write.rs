//! New metadata, for those who author it: say what a role shall say, sign the [`Message`], and put both into a file.
//!
//! ```text
//! UnsignedTargets ─message─▶ Message ─sign as_bytes() elsewhere─▶ Signature ─envelope─▶ the file's bytes
//! ```

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use super::{Document, Key, Limits, ParseError, notary};
use crate::crypto::{CertificateBundle, InvalidCertificate, KeyId, PublicKey};
use crate::terms::{RoleName, Sha256, Sha512, Tag, Threshold, UnixTime, Version};

pub use super::{FileMeta, Signature};

/// A key as new metadata lists it: alone, or in certificates.
#[derive(Clone, Debug)]
pub struct AuthorKey {
    pub(super) id: KeyId,
    pub(super) keytype: Box<str>,
    pub(super) encoded: Box<[u8]>,
    public: Option<PublicKey>,
    certificates: Option<CertificateBundle>,
}

/// Whom new metadata lets sign for a role, and how many of them must.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Signers {
    /// A key listed twice counts once.
    pub keys: Vec<AuthorKey>,
    /// How many must sign.
    pub threshold: Threshold,
}

/// What a root shall say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnsignedRoot {
    /// One more than the root before it.
    pub version: Version,
    /// Until when it holds.
    pub expires: UnixTime,
    /// Who signs roots: certificates that name the repository.
    pub root: Signers,
    /// Who signs the top-level targets.
    pub targets: Signers,
    /// Who signs snapshots.
    pub snapshot: Signers,
    /// Who signs timestamps.
    pub timestamp: Signers,
    /// Keys of earlier roots, which clients keep describing though no role lists them.
    pub former: Vec<AuthorKey>,
}

/// What `targets` or a delegation shall say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnsignedTargets {
    /// Above the version before it.
    pub version: Version,
    /// Until when it holds.
    pub expires: UnixTime,
    /// In the order of their priority.
    pub delegations: Vec<UnsignedDelegation>,
    /// What each tag stands for.
    pub targets: BTreeMap<Tag, UnsignedTarget>,
}

/// A child role as its parent shall describe it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnsignedDelegation {
    /// Its full name, one below its parent's.
    pub role: RoleName,
    /// Who signs for it.
    pub signers: Signers,
    /// How the tags that it may list begin: `""` for all, none for no tag.
    pub paths: Vec<Box<str>>,
}

/// What a tag shall stand for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnsignedTarget {
    /// Of the content.
    pub sha256: Sha256,
    /// Of the content; Docker leaves it out.
    pub sha512: Option<Sha512>,
    /// Of the content in bytes.
    pub length: u64,
    /// Whatever else its publisher wants signed.
    pub custom: Option<Custom>,
}

/// What a snapshot shall say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnsignedSnapshot {
    /// Above the version before it.
    pub version: Version,
    /// Until when it holds.
    pub expires: UnixTime,
    /// Root, targets and every delegation that has a document.
    pub meta: BTreeMap<RoleName, FileMeta>,
}

/// What a timestamp shall say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnsignedTimestamp {
    /// Above the version before it.
    pub version: Version,
    /// Until when it holds.
    pub expires: UnixTime,
    /// The newest snapshot.
    pub snapshot: FileMeta,
}

/// JSON beside a target, in canonical form: so signed and so verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Custom(Box<str>);

/// What a signature has to cover, and what a file is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message(Vec<u8>);

/// Why metadata cannot be written: no reader would take it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Clients cannot put control characters into a file.
    #[error("{text:?} holds a control character")]
    ControlCharacter {
        /// A tag or the beginning of one.
        text: Box<str>,
    },
    /// One delegation is described twice.
    #[error("{role} is delegated to twice")]
    DuplicateDelegation {
        /// Which.
        role: RoleName,
    },
    /// Beyond the years that dates are written with.
    #[error("the expiry is no date between the years 0 and 9999")]
    Expires,
    /// A document is named without its SHA-256.
    #[error("the entry for {role} has no SHA-256")]
    MissingHash {
        /// Which document.
        role: RoleName,
    },
    /// A snapshot that names no root or no targets, which all clients ask for.
    #[error("no entry for {role}")]
    MissingRole {
        /// Which.
        role: RoleName,
    },
    /// A role is delegated to by one that is not its parent, or named where it does not belong.
    #[error("{role} is not this role's to name")]
    NotAChild {
        /// Which.
        role: RoleName,
    },
    /// A version or a length above 2^53 - 1, which signatures do not cover exactly.
    #[error("{number} is above 2^53 - 1")]
    TooLarge {
        /// Which.
        number: u64,
    },
}

impl AuthorKey {
    /// A public key alone.
    pub fn bare(public: PublicKey) -> Self {
        let keytype = notary::bare_type(public.algorithm());
        let encoded: Box<[u8]> = public.encoded().into();
        Self {
            id: notary::key_id(keytype, &encoded),
            keytype: keytype.into(),
            encoded,
            public: Some(public),
            certificates: None,
        }
    }

    /// PEM certificates, the key's own first. They are written anew as clients do, so that these find the id again.
    ///
    /// # Errors
    /// [`InvalidCertificate`] if they cannot be read or their key is of no type that certificates carry here.
    pub fn certified(text: &str) -> Result<Self, InvalidCertificate> {
        let bundle = CertificateBundle::from_pem(text.as_bytes(), usize::MAX)?;
        let public = bundle.first().and_then(|first| first.public()).cloned().ok_or(InvalidCertificate)?;
        let keytype = notary::certified_type(public.algorithm()).ok_or(InvalidCertificate)?;
        let encoded = bundle.to_pem().into_bytes().into_boxed_slice();
        Ok(Self {
            id: notary::key_id(keytype, &encoded),
            keytype: keytype.into(),
            encoded,
            public: Some(public),
            certificates: Some(bundle),
        })
    }

    /// As a file lists it, spelling and all, even if it can never verify.
    pub(super) fn listed(key: Key, keytype: &str, encoded: Vec<u8>) -> Self {
        let certificates = key.certificates().cloned();
        Self {
            id: key.id,
            keytype: keytype.into(),
            encoded: encoded.into(),
            public: key.public,
            certificates,
        }
    }

    /// What metadata will call it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What its private key is filed under: the id of the key without certificates. `None` if it can never verify.
    pub fn canonical_id(&self) -> Option<KeyId> {
        self.public.as_ref().map(canonical_key_id)
    }

    /// What verifies its signatures; `None` only for a key that was read and can never verify.
    pub fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// The certificates that carry it, if any do.
    pub fn certificates(&self) -> Option<&CertificateBundle> {
        self.certificates.as_ref()
    }
}

/// What metadata calls a public key without certificates, and what its private key is filed under.
pub fn canonical_key_id(public: &PublicKey) -> KeyId {
    notary::key_id(notary::bare_type(public.algorithm()), public.encoded())
}

/// What metadata calls the kind of a public key without certificates, such as `ecdsa`.
pub fn key_type(public: &PublicKey) -> &'static str {
    notary::bare_type(public.algorithm())
}

impl Signers {
    /// These keys, so many of which must sign.
    pub fn new(keys: Vec<AuthorKey>, threshold: Threshold) -> Self {
        Self { keys, threshold }
    }
}

impl UnsignedRoot {
    /// What a root says, one version later: change what shall be otherwise, its expiry for one.
    ///
    /// Nothing is verified. Take the document from a view, which holds none that was not.
    ///
    /// # Errors
    /// [`ParseError`] if the document is no root, or describes a key under an id that is not its hash.
    pub fn revise(document: &Document, limits: &Limits) -> Result<Self, ParseError> {
        notary::revise_root(document, limits)
    }

    /// With the keys of the four roles, in the order of [`RoleName`].
    pub fn new(
        version: Version,
        expires: UnixTime,
        [root, targets, snapshot, timestamp]: [Signers; 4],
    ) -> Self {
        Self { version, expires, root, targets, snapshot, timestamp, former: Vec::new() }
    }

    /// What to sign.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn message(&self) -> Result<Message, WriteError> {
        notary::root(self).map(Message)
    }
}

impl UnsignedTargets {
    /// What `targets` or a delegation says, one version later: change what shall be otherwise, its expiry for one.
    ///
    /// Nothing is verified. Take the document from a view, which holds none that was not.
    ///
    /// # Errors
    /// [`ParseError`] if the document is no targets file, or holds what cannot be written anew: a target without a
    /// SHA-256, a key under an id that is not its hash.
    pub fn revise(document: &Document, limits: &Limits) -> Result<Self, ParseError> {
        notary::revise_targets(document, limits)
    }

    /// Without tags and delegations.
    pub fn new(version: Version, expires: UnixTime) -> Self {
        Self { version, expires, delegations: Vec::new(), targets: BTreeMap::new() }
    }

    /// What to sign for `role`, which is `targets` or a delegation.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn message(&self, role: &RoleName) -> Result<Message, WriteError> {
        notary::targets(role, self).map(Message)
    }
}

impl UnsignedDelegation {
    /// All three parts.
    pub fn new(role: RoleName, signers: Signers, paths: Vec<Box<str>>) -> Self {
        Self { role, signers, paths }
    }
}

impl UnsignedTarget {
    /// As Docker writes it.
    pub fn new(sha256: Sha256, length: u64) -> Self {
        Self { sha256, sha512: None, length, custom: None }
    }
}

impl UnsignedSnapshot {
    /// All parts.
    pub fn new(version: Version, expires: UnixTime, meta: BTreeMap<RoleName, FileMeta>) -> Self {
        Self { version, expires, meta }
    }

    /// What to sign.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn message(&self) -> Result<Message, WriteError> {
        notary::snapshot(self).map(Message)
    }
}

impl UnsignedTimestamp {
    /// All parts.
    pub fn new(version: Version, expires: UnixTime, snapshot: FileMeta) -> Self {
        Self { version, expires, snapshot }
    }

    /// What to sign.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn message(&self) -> Result<Message, WriteError> {
        notary::timestamp(self).map(Message)
    }
}

impl Message {
    /// What the signatures of a document cover, and those signatures, for one who adds another.
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn reopen(document: &Document, limits: &Limits) -> Result<(Self, Vec<Signature>), ParseError> {
        notary::reopen(document, limits).map(|(message, signatures)| (Self(message), signatures))
    }

    /// What to sign.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The file: the bytes to publish. What signs it is not checked here.
    pub fn envelope(&self, signatures: &[Signature]) -> Vec<u8> {
        notary::envelope(&self.0, signatures)
    }
}

impl Custom {
    pub(super) fn canonical(form: &str) -> Self {
        Self(form.into())
    }

    /// In canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Custom {
    type Err = ParseError;

    /// Takes JSON of any kind and puts it into canonical form.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        notary::custom(text).map(Self)
    }
}

impl fmt::Display for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
