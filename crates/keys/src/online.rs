//! The keys that a server holds: derived until they sign, sealed in the journal from then on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hkdf::Prk;
use tufstore::crypto::{
    KeyAlgorithm, KeyId, OnlineKeyError, OnlineKeys, OnlineRole, OnlineScope, OnlineSignature, PublicKey,
    SealedKey,
};

use crate::error::KeyError;
use crate::master::MasterKey;
use crate::private_key::PrivateKey;
use crate::sealing::{Sealer, derived, label};

/// The algorithms that unused keys are derived in, and what they are called there.
const DERIVED: [(KeyAlgorithm, &[u8]); 2] =
    [(KeyAlgorithm::Ed25519, b"ed25519"), (KeyAlgorithm::EcdsaP256, b"ecdsa-p256")];

/// Online keys behind one master key. Holds nothing for a repository that has not signed, so that asking for keys of endless
/// names costs nothing.
pub struct SealedOnlineKeys {
    sealer: Sealer,
    /// Those that have signed lately, at most [`LATELY`], by label and sealed bytes: opening one costs more than to sign.
    opened: Mutex<HashMap<Vec<u8>, PrivateKey>>,
    /// One for each salt, the newest first.
    derivations: Vec<Prk>,
    /// Of keys that are handed out from now on.
    algorithm: (KeyAlgorithm, &'static [u8]),
}

const LATELY: usize = 1024;

struct Unused {
    key: PrivateKey,
    generation: u32,
}

impl SealedOnlineKeys {
    pub(crate) fn new(master: &MasterKey, algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let algorithm = DERIVED
            .into_iter()
            .find(|(derived, _)| *derived == algorithm)
            .ok_or(KeyError::Unsupported { what: "online keys of this algorithm" })?;
        let sealer = Sealer::new(&master.sealing_secret()?)?;
        Ok(Self { sealer, opened: Mutex::default(), derivations: master.derivations(), algorithm })
    }

    /// Behind a new random master key that is written nowhere: what it sealed is lost when it is dropped. For tests and
    /// for trying things out. Its keys are Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Library`] without randomness.
    pub fn in_memory() -> Result<Self, KeyError> {
        Self::new(&MasterKey::generate()?, KeyAlgorithm::Ed25519)
    }

    /// Seals a key that was made elsewhere, such as one of a former signing server, for the journal to hold.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn seal(&self, scope: OnlineScope<'_>, key: &PrivateKey) -> Result<SealedKey, KeyError> {
        self.sealed(scope, key, None)
    }

    fn sealed(
        &self,
        scope: OnlineScope<'_>,
        key: &PrivateKey,
        generation: Option<u32>,
    ) -> Result<SealedKey, KeyError> {
        let id = key.id();
        let sealed = self.sealer.seal(&label_of_sealed(scope, id), &key.to_pkcs8()?)?;
        Ok(SealedKey::new(scope.role, id, generation, key.algorithm(), sealed))
    }

    fn opened(&self, scope: OnlineScope<'_>, held: &SealedKey) -> Result<PrivateKey, OnlineKeyError> {
        let label = label_of_sealed(scope, held.id);
        let lately = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        // Of both, since it opens for this scope alone.
        let name = [label.as_slice(), &held.sealed].concat();
        if let Some(key) = lately().get(&name) {
            return Ok(key.clone());
        }
        let secret = self.sealer.open(&label, &held.sealed).map_err(|_| {
            OnlineKeyError::new("a sealed key was changed, or belongs to another master key or scope")
        })?;
        let key = PrivateKey::from_pkcs8(&secret)
            .map_err(|source| OnlineKeyError::caused("a sealed key cannot be read", source))?;
        let mut lately = lately();
        if lately.len() >= LATELY {
            lately.clear();
        }
        lately.insert(name, key.clone());
        Ok(key)
    }

    /// Whichever unused key has this id: of any algorithm, and of any salt that was not forgotten.
    fn unused_by_id(&self, scope: OnlineScope<'_>, id: KeyId) -> Result<Option<Unused>, OnlineKeyError> {
        for salt in &self.derivations {
            for algorithm in DERIVED {
                let unused = unused(scope, algorithm, salt)?;
                if unused.key.id() == id {
                    return Ok(Some(unused));
                }
            }
        }
        Ok(None)
    }

    fn sign_with(
        &self,
        scope: OnlineScope<'_>,
        id: KeyId,
        message: &[u8],
    ) -> Result<Option<OnlineSignature>, OnlineKeyError> {
        let held = scope.held.iter().find(|held| held.role == scope.role && held.id == id);
        let (key, first_use) = match held {
            Some(held) => (self.opened(scope, held)?, None),
            None => match self.unused_by_id(scope, id)? {
                Some(Unused { key, generation }) => {
                    let sealed = self
                        .sealed(scope, &key, Some(generation))
                        .map_err(|source| OnlineKeyError::caused("a key cannot be sealed", source))?;
                    (key, Some(sealed))
                }
                None => return Ok(None),
            },
        };
        let (method, bytes) =
            key.sign(message).map_err(|source| OnlineKeyError::caused("signing failed", source))?;
        Ok(Some(OnlineSignature::new(id, method, bytes, first_use)))
    }
}

impl OnlineKeys for SealedOnlineKeys {
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        let salt = self.derivations.first().ok_or(OnlineKeyError::new("the master key has no salt"))?;
        Ok(unused(scope, self.algorithm, salt)?.key.public().clone())
    }

    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        let mut signatures: Vec<OnlineSignature> = Vec::new();
        for &id in wanted {
            if signatures.iter().any(|signature| signature.key == id) {
                continue;
            }
            signatures.extend(self.sign_with(scope, id, message)?);
        }
        Ok(signatures)
    }
}

/// The key that comes after those that have signed.
fn unused(
    scope: OnlineScope<'_>,
    (algorithm, name): (KeyAlgorithm, &[u8]),
    salt: &Prk,
) -> Result<Unused, OnlineKeyError> {
    let generation = next_generation(scope, algorithm)
        .ok_or(OnlineKeyError::new("all generations of a key are used up"))?;
    let parts = label(&[
        b"tufstore online key 1",
        scope.repository.as_str().as_bytes(),
        &scope.incarnation.get().to_be_bytes(),
        name_of_role(scope.role),
        name,
        &generation.to_be_bytes(),
    ]);
    let derive = || PrivateKey::from_seed(algorithm, &*derived(salt, &[&parts])?);
    let key = derive().map_err(|source| OnlineKeyError::caused("a key cannot be derived", source))?;
    Ok(Unused { key, generation })
}

/// One more than the greatest that this role holds in this algorithm. `None` after the last.
fn next_generation(scope: OnlineScope<'_>, algorithm: KeyAlgorithm) -> Option<u32> {
    let of_this = |held: &&SealedKey| held.role == scope.role && held.algorithm == algorithm;
    match scope.held.iter().filter(of_this).filter_map(|held| held.generation).max() {
        Some(greatest) => greatest.checked_add(1),
        None => Some(0),
    }
}

/// What a sealed key belongs to; it opens for nothing else.
fn label_of_sealed(scope: OnlineScope<'_>, id: KeyId) -> Vec<u8> {
    label(&[
        b"tufstore sealed key 1",
        scope.repository.as_str().as_bytes(),
        &scope.incarnation.get().to_be_bytes(),
        name_of_role(scope.role),
        id.digest().as_bytes(),
    ])
}

fn name_of_role(role: OnlineRole) -> &'static [u8] {
    match role {
        OnlineRole::Snapshot => b"snapshot",
        OnlineRole::Timestamp => b"timestamp",
    }
}

impl core::fmt::Debug for SealedOnlineKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SealedOnlineKeys").field("algorithm", &self.algorithm.0).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
