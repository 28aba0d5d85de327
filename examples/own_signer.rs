//! A signer of one's own: the store's online keys live in a key service, and the store sees no private key.
//!
//! The service here is pretended, and has what such services have: keys with names, which never leave it.
//!
//! ```sh
//! cargo run --example own_signer
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tufstore::crypto::{
    KeyAlgorithm, KeyId, OnlineKeyError, OnlineKeys, OnlineRole, OnlineScope, OnlineSignature, PublicKey,
    SealedKey, SignatureMethod, sha256,
};
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{Options, Store};
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_keys::{PrivateKey, notary_key_id};

/// Pretended. A real one is reached over a network, with credentials and a timeout.
#[derive(Default)]
struct KeyService {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<String, PrivateKey>,
    unreachable: bool,
}

/// What can go wrong out there.
#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error("the key service does not answer")]
    Unreachable,
    #[error("the key service failed")]
    Key(#[from] tufstore_keys::KeyError),
}

impl KeyService {
    /// The key of this name; made when it is first asked for.
    fn public_key(&self, name: &str) -> Result<PublicKey, ServiceError> {
        Ok(self.key(name)?.public().clone())
    }

    fn sign(&self, name: &str, message: &[u8]) -> Result<(SignatureMethod, Vec<u8>), ServiceError> {
        Ok(self.key(name)?.sign(message)?)
    }

    fn key(&self, name: &str) -> Result<PrivateKey, ServiceError> {
        let mut state = self.state.lock();
        if state.unreachable {
            return Err(ServiceError::Unreachable);
        }
        if let Some(key) = state.keys.get(name) {
            return Ok(key.clone());
        }
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
        state.keys.insert(name.to_owned(), key.clone());
        Ok(key)
    }
}

/// The port: translates between the store's scopes and the service's names.
struct ServiceKeys {
    service: Arc<KeyService>,
}

impl ServiceKeys {
    /// How many keys of this scope have signed: the next one has this number.
    fn generation(scope: OnlineScope<'_>) -> u32 {
        let of_role = scope.held.iter().filter(|held| held.role == scope.role);
        of_role.filter_map(|held| held.generation).max().map_or(0, |last| last.saturating_add(1))
    }

    /// The name at the service. The incarnation is part of it, so that a deleted repository's key never signs for the one
    /// that is begun anew under its name.
    fn name(scope: OnlineScope<'_>, generation: u32) -> String {
        let role = RoleName::from(scope.role);
        format!("{} life {} {role} {generation}", scope.repository, scope.incarnation.get())
    }
}

impl OnlineKeys for ServiceKeys {
    /// The contract: the same question gets the same key until that key has signed. The name follows from the scope alone,
    /// so nothing has to be remembered here. (A service that anybody may ask for keys of any name should derive them
    /// from one secret, as `tufstore-keys` does, instead of making one for each question.)
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        self.service
            .public_key(&Self::name(scope, Self::generation(scope)))
            .map_err(|error| OnlineKeyError::caused("no key could be asked for", error))
    }

    /// Signs with each wanted key that is held, which is one in the scope's list or the pending one. Keys that are not
    /// ours are passed over: whether the rest suffices is for the engine to say.
    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        let failed = |error| OnlineKeyError::caused("nothing could be signed", error);
        // A held key's "sealed" bytes are ours to fill: here, the name at the service.
        let mut keys: Vec<(KeyId, String, Option<SealedKey>)> = Vec::new();
        for held in scope.held.iter().filter(|held| held.role == scope.role) {
            let name = String::from_utf8(held.sealed.clone())
                .map_err(|error| OnlineKeyError::caused("a key of another port", error))?;
            keys.push((held.id, name, None));
        }
        let generation = Self::generation(scope);
        let name = Self::name(scope, generation);
        let public = self.service.public_key(&name).map_err(failed)?;
        let first_use = SealedKey::new(
            scope.role,
            notary_key_id(&public),
            Some(generation),
            public.algorithm(),
            name.clone().into_bytes(),
        );
        keys.push((notary_key_id(&public), name, Some(first_use)));

        let mut signatures = Vec::new();
        for (id, name, first_use) in keys.into_iter().filter(|(id, ..)| wanted.contains(id)) {
            let (method, bytes) = self.service.sign(&name, message).map_err(failed)?;
            signatures.push(OnlineSignature::new(id, method, bytes, first_use));
        }
        Ok(signatures)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout().lock())
}

pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let service = Arc::new(KeyService::default());
    let store =
        Store::in_memory(Options::default().with_online_keys(ServiceKeys { service: Arc::clone(&service) }))?;
    let now = UnixTime::from_seconds(1_800_000_000);
    let app: RepositoryName = "example.com/team/app".parse()?;

    let timestamp = store.online_key(&app, OnlineRole::Timestamp)?;
    writeln!(out, "the service's key for timestamps is {}", notary_key_id(&timestamp))?;
    let online =
        OnlineKeysOfServer { timestamp, snapshot: Some(store.online_key(&app, OnlineRole::Snapshot)?) };
    let mut author = Author::begin(app.clone(), AuthorKeys::generate()?, online, now)?;
    author.set_tag("1.0", sha256(b"a manifest"), 528);
    let signed = author.sign(now)?;
    let receipt = store.publish(&app, &signed.upload, now)?;
    writeln!(out, "published revision {}, signed by the service", receipt.revision.get())?;

    // Rotating: the key to list next is one that has never signed.
    let mut author = signed.next;
    let next = store.pending_key(&app, OnlineRole::Timestamp)?;
    writeln!(out, "the next one is {}", notary_key_id(&next))?;
    author.rotate_timestamp(&next);
    let receipt = store.publish(&app, &author.sign(now)?.upload, now)?;
    let held = store.online_key(&app, OnlineRole::Timestamp)?;
    writeln!(out, "published revision {}, the key is now {}", receipt.revision.get(), notary_key_id(&held))?;

    // When the service is away, publications are refused, lookups go on, and the operator hears of it.
    service.state.lock().unreachable = true;
    if let Err(refused) = store.publish(&app, &tufstore::Upload::new(), now) {
        let cause = refused.source().map(ToString::to_string).unwrap_or_default();
        writeln!(out, "while the service is away: {refused}: {cause} ({:?} has to act)", refused.fault())?;
    }
    writeln!(out, "and 1.0 is still {:?}", store.lookup("example.com/team/app", "1.0", now)?)?;
    Ok(())
}
