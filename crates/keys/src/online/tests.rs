use std::collections::HashSet;
use std::error::Error as _;

use tufstore::terms::{Incarnation, RepositoryName};

use super::*;

struct Life {
    repository: RepositoryName,
    incarnation: Incarnation,
    held: Vec<SealedKey>,
}

impl Life {
    fn of(name: &str) -> Self {
        Self { repository: name.parse().unwrap(), incarnation: Incarnation::FIRST, held: Vec::new() }
    }

    fn scope(&self, role: OnlineRole) -> OnlineScope<'_> {
        OnlineScope::new(&self.repository, self.incarnation, role, &self.held)
    }

    /// Signs with the pending key and keeps it.
    fn use_pending(&mut self, keys: &SealedOnlineKeys, role: OnlineRole) -> KeyId {
        let id = pending_id(keys, self.scope(role));
        let signatures = keys.sign(self.scope(role), &[id], b"message").unwrap();
        self.held.extend(signatures.into_iter().filter_map(|signature| signature.first_use));
        id
    }
}

fn pending_id(keys: &SealedOnlineKeys, scope: OnlineScope<'_>) -> KeyId {
    crate::notary_key_id(&keys.pending(scope).unwrap())
}

fn both() -> [SealedOnlineKeys; 2] {
    let master = MasterKey::generate().unwrap();
    DERIVED.map(|(algorithm, _)| SealedOnlineKeys::new(&master, algorithm).unwrap())
}

#[test]
fn a_pending_key_stays_the_same_until_it_signs_and_is_then_held() {
    for keys in both() {
        let mut life = Life::of("reg.example.com/app");
        let public = keys.pending(life.scope(OnlineRole::Timestamp)).unwrap();
        assert_eq!(public.algorithm(), keys.algorithm.0);
        assert_eq!(keys.pending(life.scope(OnlineRole::Timestamp)).unwrap(), public);
        let id = crate::notary_key_id(&public);

        let first = keys.sign(life.scope(OnlineRole::Timestamp), &[id], b"one").unwrap().remove(0);
        assert!(public.verifies(first.method, b"one", &first.bytes));
        let sealed = first.first_use.unwrap();
        assert_eq!((sealed.id, sealed.generation, sealed.role), (id, Some(0), OnlineRole::Timestamp));
        life.held.push(sealed);

        let second = keys.sign(life.scope(OnlineRole::Timestamp), &[id], b"two").unwrap().remove(0);
        assert!(public.verifies(second.method, b"two", &second.bytes));
        assert_eq!(second.first_use, None, "it is held already");

        assert_ne!(keys.pending(life.scope(OnlineRole::Timestamp)).unwrap(), public);
        life.use_pending(&keys, OnlineRole::Timestamp);
        assert_eq!(life.held[1].generation, Some(1));
    }
}

#[test]
fn every_part_of_the_scope_gives_another_key() {
    let [keys, other_algorithm] = both();
    let mut ids = HashSet::new();
    let mut add =
        |keys: &SealedOnlineKeys, life: &Life, role| assert!(ids.insert(pending_id(keys, life.scope(role))));
    let life = Life::of("a/b");
    add(&keys, &life, OnlineRole::Timestamp);
    add(&keys, &life, OnlineRole::Snapshot);
    add(&other_algorithm, &life, OnlineRole::Timestamp);
    add(&keys, &Life::of("a"), OnlineRole::Timestamp);
    add(&keys, &Life { incarnation: Incarnation::new(2), ..Life::of("a/b") }, OnlineRole::Timestamp);
    add(&SealedOnlineKeys::in_memory().unwrap(), &life, OnlineRole::Timestamp);
    let mut later = Life::of("a/b");
    later.use_pending(&keys, OnlineRole::Timestamp);
    add(&keys, &later, OnlineRole::Timestamp);
}

#[test]
fn a_key_handed_out_in_one_algorithm_signs_after_the_other_was_chosen() {
    let [ed25519, ecdsa] = both();
    let mut life = Life::of("a");
    let early = pending_id(&ecdsa, life.scope(OnlineRole::Timestamp));
    life.use_pending(&ed25519, OnlineRole::Timestamp);
    let signatures = ed25519.sign(life.scope(OnlineRole::Timestamp), &[early], b"message").unwrap();
    assert_eq!(signatures[0].key, early);
    assert_eq!(signatures[0].first_use.as_ref().unwrap().algorithm, KeyAlgorithm::EcdsaP256);
}

#[test]
fn keys_of_others_are_passed_over_and_none_signs_twice() {
    let keys = SealedOnlineKeys::in_memory().unwrap();
    let mut life = Life::of("a");
    let held = life.use_pending(&keys, OnlineRole::Snapshot);
    let pending = pending_id(&keys, life.scope(OnlineRole::Snapshot));
    let stranger = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().id();
    let wanted = [stranger, held, pending, held, pending];
    let signed = keys.sign(life.scope(OnlineRole::Snapshot), &wanted, b"message").unwrap();
    assert_eq!(signed.iter().map(|signature| signature.key).collect::<Vec<_>>(), [held, pending]);
    // The other role of the same life holds neither.
    assert_eq!(keys.sign(life.scope(OnlineRole::Timestamp), &wanted, b"message").unwrap(), []);
}

#[test]
fn an_imported_key_signs_and_counts_as_no_generation() {
    let keys = SealedOnlineKeys::in_memory().unwrap();
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let mut life = Life::of("a");
        let pending = pending_id(&keys, life.scope(OnlineRole::Timestamp));
        life.held.push(keys.seal(life.scope(OnlineRole::Timestamp), &key).unwrap());
        assert_eq!(life.held[0].generation, None);
        assert_eq!(pending_id(&keys, life.scope(OnlineRole::Timestamp)), pending);
        let signed = keys.sign(life.scope(OnlineRole::Timestamp), &[key.id()], b"message").unwrap();
        assert!(key.public().verifies(signed[0].method, b"message", &signed[0].bytes));
    }
}

#[test]
fn a_sealed_key_that_was_changed_is_refused() {
    let keys = SealedOnlineKeys::in_memory().unwrap();
    let mut life = Life::of("a");
    let id = life.use_pending(&keys, OnlineRole::Timestamp);
    // Whether it was opened before or not.
    for at in 0..life.held[0].sealed.len() {
        life.held[0].sealed[at] ^= 1;
        assert!(keys.sign(life.scope(OnlineRole::Timestamp), &[id], b"message").is_err(), "byte {at}");
        life.held[0].sealed[at] ^= 1;
        assert!(keys.sign(life.scope(OnlineRole::Timestamp), &[id], b"message").is_ok());
    }
}

#[test]
fn a_sealed_key_opens_for_its_own_scope_and_master_alone() {
    let keys = SealedOnlineKeys::in_memory().unwrap();
    let mut life = Life::of("a");
    let id = life.use_pending(&keys, OnlineRole::Timestamp);
    let refused = |keys: &SealedOnlineKeys, life: &Life, role, id| {
        let error = keys.sign(life.scope(role), &[id], b"message").unwrap_err();
        assert!(error.source().is_none());
    };
    // It was opened before.
    keys.sign(life.scope(OnlineRole::Timestamp), &[id], b"message").unwrap();
    let held = life.held.clone();
    refused(&keys, &Life { held: held.clone(), ..Life::of("b") }, OnlineRole::Timestamp, id);
    let later = Life { incarnation: Incarnation::new(2), held: held.clone(), ..Life::of("a") };
    refused(&keys, &later, OnlineRole::Timestamp, id);
    refused(&SealedOnlineKeys::in_memory().unwrap(), &life, OnlineRole::Timestamp, id);

    let mut moved = held.clone();
    moved[0].role = OnlineRole::Snapshot;
    refused(&keys, &Life { held: moved, ..Life::of("a") }, OnlineRole::Snapshot, id);

    let other = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap().id();
    let mut renamed = held;
    renamed[0].id = other;
    refused(&keys, &Life { held: renamed, ..Life::of("a") }, OnlineRole::Timestamp, other);
}

#[test]
fn keys_that_were_opened_do_not_pile_up() {
    let keys = SealedOnlineKeys::in_memory().unwrap();
    let lives = || (0..LATELY + 10).map(|number| Life::of(&format!("a{number}")));
    for mut life in lives() {
        let id = life.use_pending(&keys, OnlineRole::Timestamp);
        keys.sign(life.scope(OnlineRole::Timestamp), &[id], b"message").unwrap();
        assert!((1..=LATELY).contains(&keys.opened.lock().unwrap().len()));
    }
    assert!(keys.opened.lock().unwrap().len() < LATELY);
}

#[test]
fn only_what_can_be_derived_is_handed_out() {
    let master = MasterKey::generate().unwrap();
    for algorithm in [KeyAlgorithm::Rsa, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521] {
        assert!(matches!(SealedOnlineKeys::new(&master, algorithm), Err(KeyError::Unsupported { .. })));
    }
}

#[test]
fn the_same_master_key_derives_the_same_keys_for_ever() {
    // Recorded when derivation was written: publishers list keys that depend on it before they first sign.
    let master = MasterKey { secret: [1; 32].into(), salts: vec![[2; 32].into()] };
    let expected = [
        "aed457a5ff3a6fb4b6616162071a8c9e973d88447a4c116cce65bcbf3fb60360",
        "c05a85d7328a9449627b6160b5ef53589eac1e8ed3290ab403fbde9604fbd142",
    ];
    let life = Life::of("reg.example.com/app");
    let ids = DERIVED.map(|(algorithm, _)| {
        let keys = SealedOnlineKeys::new(&master, algorithm).unwrap();
        pending_id(&keys, life.scope(OnlineRole::Timestamp)).to_string()
    });
    assert_eq!(ids, expected);
}
