//! What an author signs, a store takes and serves.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use tufstore::crypto::{KeyAlgorithm, OnlineRole, sha256};
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RepositoryName, RoleName, Sha256, Threshold, UnixTime, Version};
use tufstore::{Lookup, Options, Store};
use tufstore_client::{Author, AuthorError, AuthorKeys, OnlineKeysOfServer, SnapshotHolder};
use tufstore_keys::{PrivateKey, SealedOnlineKeys};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn repository() -> RepositoryName {
    "docker.io/library/alpine".parse().unwrap()
}

fn store() -> Store {
    Store::in_memory(Options::default().with_online_keys(SealedOnlineKeys::in_memory().unwrap())).unwrap()
}

fn online(store: &Store, holds_snapshot: bool) -> OnlineKeysOfServer {
    let key = |role| store.online_key(&repository(), role).unwrap();
    let snapshot = holds_snapshot.then(|| key(OnlineRole::Snapshot));
    OnlineKeysOfServer { timestamp: key(OnlineRole::Timestamp), snapshot }
}

fn listed(key: &PrivateKey) -> AuthorKey {
    AuthorKey::bare(key.public().clone())
}

fn begun(store: &Store, holds_snapshot: bool) -> Author {
    let keys = AuthorKeys::generate().unwrap();
    Author::begin(repository(), keys, online(store, holds_snapshot), NOW).unwrap()
}

#[track_caller]
fn publish(store: &Store, author: &Author) -> Author {
    let signed = author.sign(NOW).unwrap();
    let receipt = store.publish(&repository(), &signed.upload, NOW).unwrap();
    assert_eq!(receipt.warnings, []);
    signed.next
}

fn lookup(store: &Store, tag: &str) -> Option<Sha256> {
    match store.lookup(repository().as_str(), tag, NOW).unwrap() {
        Lookup::Found(found) => Some(found.target.sha256),
        Lookup::NoSuchTag | Lookup::NoSuchRepository => None,
        Lookup::Expired { role, since } => panic!("{role} expired at {since}"),
    }
}

fn version(store: &Store, role: &RoleName) -> u64 {
    store.view(&repository()).unwrap().unwrap().document(role).unwrap().version().get()
}

fn resumed(store: &Store, keys: AuthorKeys) -> Author {
    Author::resume(repository(), keys, &store.view(&repository()).unwrap().unwrap()).unwrap()
}

#[test]
fn a_published_tag_resolves_whoever_holds_the_snapshot_key() {
    for holds_snapshot in [true, false] {
        let store = store();
        let mut author = begun(&store, holds_snapshot);
        author.set_tag("a&b <c>", sha256(b"one"), 3);
        author = publish(&store, &author);
        assert_eq!(lookup(&store, "a&b <c>"), Some(sha256(b"one")));
        author.set_tag("a&b <c>", sha256(b"two"), 3);
        author.set_tag("other", sha256(b"other"), 5);
        author = publish(&store, &author);
        assert_eq!(lookup(&store, "a&b <c>"), Some(sha256(b"two")));
        assert!(author.remove_tag("other"));
        assert!(!author.remove_tag("never there"));
        publish(&store, &author);
        assert_eq!(lookup(&store, "other"), None);
        assert_eq!(version(&store, &RoleName::Root), 1);
        assert_eq!(version(&store, &RoleName::Targets), 3);
    }
}

#[test]
fn what_was_refused_is_signed_again_at_the_same_version() {
    let store = store();
    let mut author = publish(&store, &begun(&store, true));
    author.set_tag("v1", sha256(b"one"), 3);
    drop(author.sign(NOW).unwrap());
    let author = publish(&store, &author);
    assert_eq!(author.version(&RoleName::Targets), Version::new(2));
    assert_eq!(author.sign(NOW).unwrap().upload.roles().count(), 0);
}

#[test]
fn every_role_can_be_rotated() {
    let store = store();
    let mut author = begun(&store, true);
    author.set_tag("v1", sha256(b"one"), 3);
    author = publish(&store, &author);
    author.rotate_root(NOW).unwrap();
    author = publish(&store, &author);
    author.rotate_root(NOW).unwrap();
    author.rotate_targets().unwrap();
    author = publish(&store, &author);
    author.rotate_timestamp(&store.pending_key(&repository(), OnlineRole::Timestamp).unwrap());
    author = publish(&store, &author);
    let next = store.pending_key(&repository(), OnlineRole::Snapshot).unwrap();
    author.rotate_snapshot(SnapshotHolder::Server(next)).unwrap();
    author = publish(&store, &author);
    assert!(matches!(author.rotate_snapshot(SnapshotHolder::Author), Err(AuthorError::UnseenSnapshot)));
    author = resumed(&store, author.keys().clone());
    author.rotate_snapshot(SnapshotHolder::Author).unwrap();
    author = publish(&store, &author);
    let back = store.pending_key(&repository(), OnlineRole::Snapshot).unwrap();
    author.rotate_snapshot(SnapshotHolder::Server(back)).unwrap();
    publish(&store, &author);
    assert_eq!(version(&store, &RoleName::Root), 7);
    assert_eq!(lookup(&store, "v1"), Some(sha256(b"one")));
}

#[test]
fn thresholds_above_one_are_met_or_said_to_be_missed() {
    let store = store();
    let two = Threshold::new(2).unwrap();
    let keys = || (0..3).map(|_| PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()).collect::<Vec<_>>();
    let mut author = begun(&store, true);
    author.set_root_keys(keys(), two, NOW).unwrap();
    author.set_targets_keys(keys(), two).unwrap();
    author = publish(&store, &author);
    author.rotate_root(NOW).unwrap();
    author.set_tag("v1", sha256(b"one"), 3);
    publish(&store, &author);
    assert_eq!(lookup(&store, "v1"), Some(sha256(b"one")));
    let mut stranger = resumed(&store, AuthorKeys::new());
    stranger.set_tag("v2", sha256(b"two"), 3);
    assert!(matches!(stranger.sign(NOW), Err(AuthorError::NotHeld { role: RoleName::Targets, held: 0, .. })));
    let few = vec![PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap()];
    assert!(matches!(author.set_targets_keys(few, two), Err(AuthorError::NeverMet { keys: 1, .. })));
}

#[test]
fn delegations_sign_for_themselves_and_end() {
    for holds_snapshot in [true, false] {
        let store = store();
        let (releases, below): (RoleName, RoleName) =
            ("targets/releases".parse().unwrap(), "targets/releases/eu".parse().unwrap());
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let mut author = publish(&store, &begun(&store, holds_snapshot));
        assert!(author.add_delegation(&below, [listed(&key)], &[""], Threshold::ONE).is_err());
        author.add_delegation(&releases, [listed(&key)], &[""], Threshold::ONE).unwrap();
        author.set_tag("v1", sha256(b"by the owner"), 3);
        author = publish(&store, &author);

        // The delegate works from what the store serves, with that key alone.
        let mut delegate_keys = AuthorKeys::new();
        delegate_keys.add(&releases, key.clone());
        if holds_snapshot {
            let mut delegate = resumed(&store, delegate_keys);
            delegate.set_tag_in(&releases, "v1", sha256(b"by the delegate"), 3).unwrap();
            delegate.add_delegation(&below, [listed(&key)], &["eu-"], Threshold::ONE).unwrap();
            delegate.set_tag_in(&below, "eu-1", sha256(b"below"), 3).unwrap();
            publish(&store, &delegate);
        } else {
            author.hold(&releases, key.clone());
            author.set_tag_in(&releases, "v1", sha256(b"by the delegate"), 3).unwrap();
            author = publish(&store, &author);
        }
        assert_eq!(lookup(&store, "v1"), Some(sha256(b"by the delegate")));

        let mut author = resumed(&store, author.keys().clone());
        assert!(author.remove_delegation(&releases));
        assert!(!author.remove_delegation(&releases));
        author = publish(&store, &author);
        assert_eq!(lookup(&store, "v1"), Some(sha256(b"by the owner")));
        assert!(matches!(
            author.set_tag_in(&releases, "v1", sha256(b""), 0),
            Err(AuthorError::UnknownDelegation { .. })
        ));

        // Made anew it begins anew.
        author.hold(&releases, key.clone());
        author.add_delegation(&releases, [listed(&key)], &[""], Threshold::ONE).unwrap();
        author.set_tag_in(&releases, "v2", sha256(b"anew"), 3).unwrap();
        publish(&store, &author);
        assert_eq!(version(&store, &releases), 1);
        assert_eq!(lookup(&store, "v1"), Some(sha256(b"by the owner")));
        assert_eq!(lookup(&store, "v2"), Some(sha256(b"anew")));
    }
}

#[test]
fn a_delegation_whose_keys_change_is_signed_anew_by_those_held() {
    let store = store();
    let role: RoleName = "targets/releases".parse().unwrap();
    let mut author = begun(&store, false);
    let old = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    author.hold(&role, old.clone());
    author.add_delegation(&role, [listed(&old)], &[""], Threshold::ONE).unwrap();
    author.set_tag_in(&role, "v1", sha256(b"one"), 3).unwrap();
    author = publish(&store, &author);
    let new = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    author.hold(&role, new.clone());
    author.remove_delegation(&role);
    author.add_delegation(&role, [listed(&new)], &[""], Threshold::ONE).unwrap();
    publish(&store, &author);
    assert_eq!(version(&store, &role), 2);
    assert_eq!(lookup(&store, "v1"), Some(sha256(b"one")));
}

#[test]
fn an_author_goes_on_from_saved_keys_and_what_the_store_serves() {
    for passphrase in [None, Some("long enough".as_bytes())] {
        let (store, folder) = (store(), tempfile::tempdir().unwrap());
        let mut author = begun(&store, true);
        author.keys().save(folder.path(), passphrase).unwrap();
        author.keys().save(folder.path(), passphrase).unwrap();
        author.set_tag("v1", sha256(b"one"), 3);
        publish(&store, &author);

        assert_eq!(AuthorKeys::load(folder.path(), None).is_ok(), passphrase.is_none());
        let keys = AuthorKeys::load(folder.path(), passphrase).unwrap();
        let mut author = resumed(&store, keys.clone());
        author.set_tag("v2", sha256(b"two"), 3);
        author.rotate_root(NOW).unwrap();
        author.rotate_targets().unwrap();
        author = publish(&store, &author);
        assert_eq!(lookup(&store, "v1"), Some(sha256(b"one")));
        assert_eq!(lookup(&store, "v2"), Some(sha256(b"two")));
        author.keys().save(folder.path(), passphrase).unwrap();
        let mut author = resumed(&store, AuthorKeys::load(folder.path(), passphrase).unwrap());
        author.renew(&RoleName::Root).unwrap();
        publish(&store, &author);

        // The same root, begun again: the certificate is continued.
        let again = Author::begin(repository(), keys, online(&store, true), NOW).unwrap();
        let certificates = std::fs::read_dir(folder.path().join("certificates")).unwrap().count();
        again.keys().save(folder.path(), passphrase).unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("certificates")).unwrap().count(), certificates);
    }
}

#[test]
fn keys_are_saved_as_notarys_clients_save_them() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    let author = begun(&store, false);
    author.keys().save(folder.path(), Some(b"long enough")).unwrap();
    for role in [RoleName::Root, RoleName::Targets, RoleName::Snapshot] {
        let public = author.keys().public(&role).next().unwrap().clone();
        let name = format!("{}.key", AuthorKey::bare(public).id());
        let text = std::fs::read_to_string(folder.path().join("private").join(name)).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
        assert!(text.contains(&format!("role: {role}\n")), "{text}");
        // A root key may serve several repositories.
        assert_eq!(text.contains("gun: docker.io/library/alpine\n"), role != RoleName::Root, "{text}");
    }
}

#[test]
fn a_root_that_is_due_is_signed_along() {
    let store = store();
    let mut author = begun(&store, true).sign(NOW).unwrap().next;
    let late = NOW.after(std::time::Duration::from_hours(24 * 365 * 10 - 24 * 30));
    assert_eq!(author.sign(late).unwrap().upload.roles().count(), 0);
    author.set_tag("v1", sha256(b"one"), 3);
    let signed = author.sign(late).unwrap();
    assert_eq!(signed.upload.roles().collect::<Vec<_>>(), [&RoleName::Root, &RoleName::Targets]);
}
