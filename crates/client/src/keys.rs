use tufstore::crypto::{CertificateBundle, KeyAlgorithm, PublicKey};
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore_keys::{KeyError, PrivateKey};

use crate::error::AuthorError;

/// The private keys that an author holds, and the certificates of the root keys among them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AuthorKeys {
    pub(crate) held: Vec<HeldKey>,
    /// PEM, one for each repository that a root key was used for.
    pub(crate) certificates: Vec<String>,
}

/// One private key.
#[derive(Clone, Debug)]
pub(crate) struct HeldKey {
    /// A role's name, or for the key of a delegation any name that its owner gave it.
    pub(crate) label: String,
    /// `None`: for any. Root keys and those of delegations always are.
    pub(crate) repository: Option<RepositoryName>,
    pub(crate) key: PrivateKey,
}

impl AuthorKeys {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// New keys for root, targets and snapshot: ECDSA on P-256, as every client makes them.
    ///
    /// # Errors
    /// [`KeyError`] without randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for role in [RoleName::Root, RoleName::Targets, RoleName::Snapshot] {
            keys.add(&role, PrivateKey::generate(KeyAlgorithm::EcdsaP256)?);
        }
        Ok(keys)
    }

    /// With one more key, for `role`. Which files it signs depends on what they list alone.
    pub fn add(&mut self, role: &RoleName, key: PrivateKey) {
        if !self.held.iter().any(|held| held.key.public() == key.public()) {
            self.held.push(HeldKey { label: role.as_str().to_owned(), repository: None, key });
        }
    }

    /// The public halves of the keys for `role`, as they were added.
    pub fn public(&self, role: &RoleName) -> impl Iterator<Item = &PublicKey> {
        self.held.iter().filter(move |held| held.label == role.as_str()).map(|held| held.key.public())
    }

    /// The private halves of those of `listed` that are the author's, each with what it is listed as.
    pub(crate) fn held_of<'a>(&'a self, listed: &'a [AuthorKey]) -> Vec<(&'a AuthorKey, &'a PrivateKey)> {
        let mut found: Vec<(&AuthorKey, &PrivateKey)> = Vec::new();
        for key in listed {
            let held =
                self.held.iter().map(|held| &held.key).find(|held| key.public() == Some(held.public()));
            // A key that is listed twice counts once.
            if let Some(held) =
                held.filter(|held| !found.iter().any(|(_, other)| other.public() == held.public()))
            {
                found.push((key, held));
            }
        }
        found
    }

    /// The first key for `role` that belongs to `repository` or to none; from then on it belongs to it.
    pub(crate) fn take(
        &mut self,
        role: &RoleName,
        repository: &RepositoryName,
    ) -> Result<PrivateKey, AuthorError> {
        let usable = |held: &&mut HeldKey| {
            held.label == role.as_str() && held.repository.as_ref().is_none_or(|owner| owner == repository)
        };
        let held = self.held.iter_mut().find(usable);
        let held =
            held.ok_or_else(|| AuthorError::NoKey { repository: repository.clone(), role: role.clone() })?;
        if *role != RoleName::Root {
            held.repository = Some(repository.clone());
        }
        Ok(held.key.clone())
    }

    /// What a root of `repository` lists `key` as: under the certificate that it has, or a new one.
    pub(crate) fn certified(
        &mut self,
        key: &PrivateKey,
        repository: &RepositoryName,
        now: UnixTime,
    ) -> Result<AuthorKey, AuthorError> {
        let usable = |pem: &&String| {
            let bundle = CertificateBundle::from_pem(pem.as_bytes(), 1).ok();
            bundle.as_ref().and_then(CertificateBundle::leaf).is_some_and(|leaf| {
                leaf.names(repository) && leaf.is_acceptable_at(now) && leaf.public() == Some(key.public())
            })
        };
        if let Some(pem) = self.certificates.iter().find(usable) {
            return Ok(AuthorKey::certified(pem)?);
        }
        let pem = tufstore_keys::root_certificate(key, repository, now)?;
        let listed = AuthorKey::certified(&pem)?;
        self.certificates.push(pem);
        Ok(listed)
    }
}
