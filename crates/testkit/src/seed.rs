//! What is the same in every run: the time, digests, keys.

use tufstore::crypto::{
    KeyAlgorithm, KeyId, OnlineKeyError, OnlineKeys, OnlineScope, OnlineSignature, PublicKey, SealedKey,
    sha256,
};
use tufstore::terms::{Sha256, UnixTime};
use tufstore_keys::PrivateKey;

use crate::must;

/// The time at which tests take place: 2027-01-15T08:00:00Z.
pub const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// The digest of a text, to stand for a manifest's.
pub fn digest(text: &str) -> Sha256 {
    sha256(text.as_bytes())
}

/// The key that belongs to a label: Ed25519 or ECDSA on P-256.
///
/// # Panics
/// For another algorithm.
#[track_caller]
pub fn seeded_key(algorithm: KeyAlgorithm, label: &str) -> PrivateKey {
    must("deriving a key", PrivateKey::from_seed(algorithm, digest(label).as_bytes()))
}

/// Online keys that follow from a label, and are therefore no secret: the same in every run, for every store that is
/// opened with the same label. What they "seal" is empty, since the key can always be derived again.
#[derive(Clone, Debug)]
pub struct SeededOnlineKeys {
    label: String,
}

impl SeededOnlineKeys {
    /// The keys that belong to a label.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned() }
    }

    fn derived(&self, scope: OnlineScope<'_>, generation: u32) -> Result<PrivateKey, OnlineKeyError> {
        let (repository, life, role) = (scope.repository, scope.incarnation, scope.role);
        let seed = digest(&format!("{}\n{repository}\n{life}\n{role:?}\n{generation}", self.label));
        PrivateKey::from_seed(KeyAlgorithm::Ed25519, seed.as_bytes())
            .map_err(|error| OnlineKeyError::caused("a key cannot be derived", error))
    }

    fn unused(&self, scope: OnlineScope<'_>) -> Result<(u32, PrivateKey), OnlineKeyError> {
        let used =
            scope.held.iter().filter(|held| held.role == scope.role).filter_map(|held| held.generation).max();
        let generation = used.map_or(0, |used| used.saturating_add(1));
        Ok((generation, self.derived(scope, generation)?))
    }
}

impl OnlineKeys for SeededOnlineKeys {
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        Ok(self.unused(scope)?.1.public().clone())
    }

    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        let mut keys = Vec::new();
        for held in scope.held.iter().filter(|held| held.role == scope.role && wanted.contains(&held.id)) {
            if let Some(generation) = held.generation {
                keys.push((self.derived(scope, generation)?, None));
            }
        }
        let (generation, unused) = self.unused(scope)?;
        let id = unused.id();
        if wanted.contains(&id) {
            let sealed = SealedKey::new(scope.role, id, Some(generation), unused.algorithm(), Vec::new());
            keys.push((unused, Some(sealed)));
        }
        let signed = |(key, first_use): (PrivateKey, Option<SealedKey>)| {
            let signature =
                key.sign(message).map_err(|error| OnlineKeyError::caused("signing failed", error));
            signature.map(|(method, bytes)| OnlineSignature::new(key.id(), method, bytes, first_use))
        };
        keys.into_iter().map(signed).collect()
    }
}
