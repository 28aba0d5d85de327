//! A server's keys over its life: made, used, restarted, given another passphrase, restored from a backup.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use tempfile::TempDir;
use tufstore::crypto::{KeyAlgorithm, KeyId, OnlineKeys, OnlineRole, OnlineScope, PublicKey, SealedKey};
use tufstore::terms::{Incarnation, RepositoryName};
use tufstore_keys::{MasterKeyFile, Opener, SealedOnlineKeys, create_key_file, notary_key_id};

const PASSPHRASE: Opener<'_> = Opener::Passphrase(b"correct horse");

fn repository() -> RepositoryName {
    "reg.example.com/team/app".parse().unwrap()
}

/// The timestamp role of the first life of one repository.
fn scope<'a>(repository: &'a RepositoryName, held: &'a [SealedKey]) -> OnlineScope<'a> {
    OnlineScope::new(repository, Incarnation::FIRST, OnlineRole::Timestamp, held)
}

/// Signs with one key and checks it; what the journal would keep of it.
fn signs(keys: &SealedOnlineKeys, scope: OnlineScope<'_>, by: &PublicKey) -> Option<SealedKey> {
    let mut signatures = keys.sign(scope, &[notary_key_id(by)], b"a timestamp").unwrap();
    assert_eq!(signatures.len(), 1);
    let signature = signatures.remove(0);
    assert!(by.verifies(signature.method, b"a timestamp", &signature.bytes));
    signature.first_use
}

#[test]
fn keys_outlive_a_restart_a_new_passphrase_and_a_change_of_algorithm() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("master");
    let repository = repository();

    let file = MasterKeyFile::create(&path, PASSPHRASE).unwrap();
    let keys = file.online_keys(KeyAlgorithm::Ed25519).unwrap();
    let first = keys.pending(scope(&repository, &[])).unwrap();
    let held = [signs(&keys, scope(&repository, &[]), &first).unwrap()];
    let second = keys.pending(scope(&repository, &held)).unwrap();

    let key_file = folder.path().join("key");
    create_key_file(&key_file).unwrap();
    file.reseal(Opener::KeyFile(&key_file)).unwrap();
    let file = MasterKeyFile::open(&path, Opener::KeyFile(&key_file)).unwrap();
    let keys = file.online_keys(KeyAlgorithm::EcdsaP256).unwrap();
    assert_eq!(signs(&keys, scope(&repository, &held), &first), None);
    // Handed out before the restart, signs for the first time after it.
    let used = signs(&keys, scope(&repository, &held), &second).unwrap();
    assert_eq!((used.algorithm, used.generation), (KeyAlgorithm::Ed25519, Some(1)));
    assert_eq!(keys.pending(scope(&repository, &held)).unwrap().algorithm(), KeyAlgorithm::EcdsaP256);
}

#[test]
fn a_restored_backup_hands_out_other_keys_and_signs_with_all_it_held() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("master");
    let repository = repository();
    let mut file = MasterKeyFile::create(&path, PASSPHRASE).unwrap();
    let keys = file.online_keys(KeyAlgorithm::Ed25519).unwrap();
    let first = keys.pending(scope(&repository, &[])).unwrap();
    let held = [signs(&keys, scope(&repository, &[]), &first).unwrap()];
    let leaked = keys.pending(scope(&repository, &held)).unwrap();

    file.start_new_salt(PASSPHRASE).unwrap();
    let keys = file.online_keys(KeyAlgorithm::Ed25519).unwrap();
    assert_ne!(keys.pending(scope(&repository, &held)).unwrap(), leaked);
    assert_eq!(signs(&keys, scope(&repository, &held), &first), None);
    assert!(signs(&keys, scope(&repository, &held), &leaked).is_some());

    file.forget_former_salts(PASSPHRASE).unwrap();
    let keys = file.online_keys(KeyAlgorithm::Ed25519).unwrap();
    assert_eq!(signs(&keys, scope(&repository, &held), &first), None);
    let forgotten: KeyId = notary_key_id(&leaked);
    assert_eq!(keys.sign(scope(&repository, &held), &[forgotten], b"a timestamp").unwrap(), []);
}

#[test]
fn the_port_is_one_that_a_store_takes() {
    fn takes(_: Box<dyn OnlineKeys>) {}
    takes(Box::new(SealedOnlineKeys::in_memory().unwrap()));
}
