use serde_json::{Value, json};
use tufstore::crypto::{KeyAlgorithm, KeyId, PublicKey};
use tufstore::terms::{RepositoryName, UnixTime};
use tufstore_keys::{PrivateKey, root_certificate};

use crate::dialect::{FileSignature, bare_key, certified_key, key_id};
use crate::must;
use crate::seed::{NOW, seeded_key};

/// A key as a forged file lists it, with its private half if it is ours.
#[derive(Clone, Debug)]
pub struct ForgedKey {
    id: KeyId,
    object: Value,
    private: Option<PrivateKey>,
}

impl ForgedKey {
    /// The Ed25519 key that belongs to a label.
    pub fn seeded(label: &str) -> Self {
        Self::of(&seeded_key(KeyAlgorithm::Ed25519, label))
    }

    /// A private key, listed as its bare public half.
    pub fn of(private: &PrivateKey) -> Self {
        Self { private: Some(private.clone()), ..Self::of_another(private.public()) }
    }

    /// Somebody else's key: it can be listed, and signs nothing.
    pub fn of_another(public: &PublicKey) -> Self {
        Self::listing(bare_key(public), None)
    }

    /// The ECDSA key that belongs to a label, in a new certificate for `repository`: what a root key has to be.
    ///
    /// # Panics
    /// If no certificate can be made.
    #[track_caller]
    pub fn root(label: &str, repository: &RepositoryName) -> Self {
        Self::root_made_at(label, repository, NOW)
    }

    /// The same with a certificate that begins at another time.
    ///
    /// # Panics
    /// If no certificate can be made.
    #[track_caller]
    pub fn root_made_at(label: &str, repository: &RepositoryName, at: UnixTime) -> Self {
        let private = seeded_key(KeyAlgorithm::EcdsaP256, label);
        let pem = must("making a certificate", root_certificate(&private, repository, at));
        Self::listing(certified_key(private.algorithm(), &pem), Some(private))
    }

    #[track_caller]
    fn listing(object: Value, private: Option<PrivateKey>) -> Self {
        Self { id: must("writing a key", key_id(&object)), object, private }
    }

    /// The same key, listed under an id that is not its own.
    #[must_use]
    pub fn listed_under(mut self, id: KeyId) -> Self {
        self.id = id;
        self
    }

    /// The same key, listed as another object, such as one with a member more: by the id that belongs to the object.
    ///
    /// # Panics
    /// If the object holds a number that cannot be signed.
    #[must_use]
    #[track_caller]
    pub fn listed_as(self, object: Value) -> Self {
        Self::listing(object, self.private)
    }

    /// What it is listed under.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What it is listed as.
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// Its signature over anything, under the id that it is listed by.
    ///
    /// # Panics
    /// If it is another's.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test that forges with a key which it does not have is wrong")]
    pub fn sign(&self, message: &[u8]) -> FileSignature {
        let Some(private) = &self.private else { panic!("{} is another's key", self.id()) };
        let (method, bytes) = must("signing", private.sign(message));
        FileSignature::new(self.id(), method, bytes)
    }
}

/// Whom a forged file lets sign for a role. The threshold may be anything, zero too.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests build it")]
pub struct ForgedSigners {
    /// In the order of the list; one may stand twice.
    pub keys: Vec<ForgedKey>,
    /// How many must sign.
    pub threshold: u32,
}

impl ForgedSigners {
    /// One key, which suffices.
    pub fn one(key: ForgedKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }

    /// Several keys, so many of which must sign.
    pub fn new(keys: impl Into<Vec<ForgedKey>>, threshold: u32) -> Self {
        Self { keys: keys.into(), threshold }
    }

    pub(super) fn listed(&self) -> Value {
        let ids: Vec<_> = self.keys.iter().map(|key| key.id().to_string()).collect();
        json!({"keyids": ids, "threshold": self.threshold})
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = (String, Value)> {
        self.keys.iter().map(|key| (key.id().to_string(), key.object().clone()))
    }
}
