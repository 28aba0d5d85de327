//! What honest publishers do, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tufstore::crypto::{KeyAlgorithm, OnlineRole, sha256};
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{Incarnation, RepositoryName, RoleName, Sha256, Threshold, UnixTime, Version};
use tufstore::{
    CompleteSet, Document, Lookup, Options, PublishError, Receipt, Store, TrustError, Upload, View, Warning,
};
use tufstore_client::{Author, SnapshotHolder};
use tufstore_testkit::{
    CompleteParts, Forge, ForgedFile, ForgedKey, ForgedSigners, NOW, Publisher, SeededOnlineKeys, digest,
    observe, seeded_key,
};

const REPOSITORY: &str = "docker.io/library/alpine";
const DAY: Duration = Duration::from_hours(24);

fn store() -> Store {
    Store::in_memory(Options::default().with_online_keys(SeededOnlineKeys::new("publish"))).unwrap()
}

fn name() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

fn releases() -> RoleName {
    "targets/releases".parse().unwrap()
}

fn view(store: &Store) -> View {
    store.view(&name()).unwrap().unwrap()
}

fn document(store: &Store, role: &RoleName) -> Document {
    view(store).document(role).unwrap().clone()
}

fn version(store: &Store, role: &RoleName) -> u64 {
    document(store, role).version().get()
}

fn lookup_at(store: &Store, tag: &str, now: UnixTime) -> Option<Sha256> {
    match store.lookup(REPOSITORY, tag, now).unwrap() {
        Lookup::Found(found) => Some(found.target.sha256),
        Lookup::NoSuchTag | Lookup::NoSuchRepository | Lookup::Expired { .. } => None,
    }
}

fn lookup(store: &Store, tag: &str) -> Option<Sha256> {
    lookup_at(store, tag, NOW)
}

fn json(document: &Document) -> Value {
    serde_json::from_slice(document.bytes()).unwrap()
}

fn new_files(receipt: &Receipt) -> Vec<(&str, u64)> {
    receipt.documents.iter().map(|(role, version, _)| (role.as_str(), version.get())).collect()
}

/// What a client would download, with the roots that it lacks.
fn downloaded(store: &Store, roots: core::ops::RangeInclusive<u64>) -> CompleteSet {
    let root = |version| {
        let root = store
            .history(&name(), &RoleName::Root, Version::new(version).unwrap())
            .unwrap()
            .map(|found| found.document);
        root.unwrap().bytes().clone()
    };
    let bytes = |role| document(store, &role).bytes().clone();
    let set = CompleteSet::new(
        roots.map(root).collect(),
        bytes(RoleName::Timestamp),
        bytes(RoleName::Snapshot),
        bytes(RoleName::Targets),
    );
    let view = view(store);
    let delegations = view.documents().filter(|file| matches!(file.role(), RoleName::Delegation(_)));
    delegations.fold(set, |set, file| set.with(file.role().clone(), file.bytes().clone()))
}

#[test]
fn a_first_publication_is_complete_and_visible_at_once() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("a manifest"))]);
    let receipt = publisher.publish(&store).unwrap();
    assert_eq!(new_files(&receipt), [("root", 1), ("targets", 1), ("snapshot", 1), ("timestamp", 1)]);
    assert_eq!((receipt.revision.get(), receipt.position.get()), (1, 1));
    assert_eq!(receipt.incarnation, Incarnation::FIRST);
    assert_eq!(receipt.warnings, []);
    assert_eq!(lookup(&store, "3.22"), Some(digest("a manifest")));
    assert_eq!(store.position(), receipt.position);
    for (role, version, sha256) in &receipt.documents {
        let file = document(&store, role);
        assert_eq!((file.version(), file.sha256()), (*version, sha256));
        assert_eq!(*sha256, tufstore::crypto::sha256(file.bytes()));
    }
    assert_eq!(view(&store).expires().0, NOW.after(14 * DAY));
}

#[test]
fn an_empty_upload_renews_the_timestamp_and_a_snapshot_that_is_due() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("a manifest"))]);
    publisher.publish(&store).unwrap();

    let later = NOW.after(10 * DAY);
    let receipt = store.publish(&name(), &Upload::new(), later).unwrap();
    assert_eq!(new_files(&receipt), [("timestamp", 2)]);
    assert_eq!(receipt.revision.get(), 2);
    assert_eq!(view(&store).expires(), (later.after(14 * DAY), RoleName::Timestamp));
    assert_eq!(lookup_at(&store, "3.22", NOW.after(20 * DAY)), Some(digest("a manifest")));
    assert_eq!(lookup_at(&store, "3.22", NOW.after(30 * DAY)), None);

    // A snapshot lives for three years and is renewed in the third.
    let late = NOW.after(2 * 365 * DAY + DAY);
    let receipt = store.publish(&name(), &Upload::new(), late).unwrap();
    assert_eq!(new_files(&receipt), [("snapshot", 2), ("timestamp", 3)]);
    assert_eq!(receipt.warnings, []);
}

#[test]
fn an_empty_upload_leaves_the_snapshot_of_whoever_signs_it() {
    let store = store();
    let mut publisher = Publisher::holding_snapshot(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("a manifest"))]);
    publisher.publish(&store).unwrap();
    let late = NOW.after(4 * 365 * DAY);
    let receipt = store.publish(&name(), &Upload::new(), late).unwrap();
    assert_eq!(new_files(&receipt), [("timestamp", 2)]);
    let warning = |role| Warning::Expired { role, expires: NOW.after(3 * 365 * DAY) };
    assert_eq!(receipt.warnings, [warning(RoleName::Targets), warning(RoleName::Snapshot)]);
    publisher.set_now(late);
    publisher.author().renew(&RoleName::Targets).unwrap();
    assert_eq!(publisher.publish(&store).unwrap().warnings, []);
    assert_eq!(lookup_at(&store, "3.22", late), Some(digest("a manifest")));
}

#[test]
fn an_uploaded_timestamp_is_left_out() {
    let store = store();
    let forge = Forge::for_store(REPOSITORY, &store);
    let theirs = ForgedFile::timestamp(9, b"any snapshot").signed_by([&ForgedKey::seeded("somebody")]);
    let upload = forge.first_upload(&[]).with(RoleName::Timestamp, theirs.bytes());
    let receipt = store.publish(&name(), &upload, NOW).unwrap();
    assert_eq!(new_files(&receipt), [("root", 1), ("targets", 1), ("snapshot", 1), ("timestamp", 1)]);
}

#[test]
fn the_snapshot_is_handed_to_its_author_and_back() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("1"))]);
    publisher.publish(&store).unwrap();

    let keys = publisher.author().keys().clone();
    *publisher.author() = Author::resume(name(), keys, &view(&store)).unwrap();
    publisher.author().rotate_snapshot(SnapshotHolder::Author).unwrap();
    publisher.tag(&[("3.22", digest("2"))]);
    let upload = publisher.upload();
    assert!(upload.roles().any(|role| *role == RoleName::Snapshot));
    let receipt = store.publish(&name(), &upload, NOW).unwrap();
    assert_eq!(new_files(&receipt), [("root", 2), ("targets", 2), ("snapshot", 2), ("timestamp", 2)]);
    assert_eq!(lookup(&store, "3.22"), Some(digest("2")));
    publisher.tag(&[("3.22", digest("3"))]);
    let receipt = publisher.publish(&store).unwrap();
    assert_eq!(new_files(&receipt), [("targets", 3), ("snapshot", 3), ("timestamp", 3)]);

    let key = store.online_key(&name(), OnlineRole::Snapshot).unwrap();
    publisher.author().rotate_snapshot(SnapshotHolder::Server(key)).unwrap();
    publisher.tag(&[("3.22", digest("4"))]);
    let upload = publisher.upload();
    assert!(!upload.roles().any(|role| *role == RoleName::Snapshot));
    let receipt = store.publish(&name(), &upload, NOW).unwrap();
    assert_eq!(new_files(&receipt), [("root", 3), ("targets", 4), ("snapshot", 4), ("timestamp", 4)]);
    assert_eq!(lookup(&store, "3.22"), Some(digest("4")));

    // Whoever knows the first root alone follows all the way.
    let client = Store::in_memory(Options::default()).unwrap();
    client.mirror(&name(), &downloaded(&store, 1..=3), NOW).unwrap();
    assert_eq!(lookup(&client, "3.22"), Some(digest("4")));
}

#[test]
fn a_removed_delegation_leaves_the_snapshot_and_begins_anew_at_version_1() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.delegate("targets/releases", &[""], &[("3.22", digest("1"))]);
    publisher.publish(&store).unwrap();
    let first = document(&store, &releases());
    publisher.author().set_tag_in(&releases(), "3.22", digest("2"), 3).unwrap();
    publisher.publish(&store).unwrap();
    let second = document(&store, &releases());
    assert_eq!((first.version().get(), second.version().get()), (1, 2));

    publisher.author().remove_delegation(&releases());
    publisher.publish(&store).unwrap();
    assert_eq!(view(&store).document(&releases()), None);
    assert_eq!(lookup(&store, "3.22"), None);
    let snapshot = json(&document(&store, &RoleName::Snapshot));
    assert_eq!(snapshot["signed"]["meta"].get("targets/releases"), None);

    publisher.delegate("targets/releases", &[""], &[("3.22", digest("3"))]);
    publisher.publish(&store).unwrap();
    let anew = document(&store, &releases());
    assert_eq!(anew.version(), Version::FIRST);
    assert_eq!(lookup(&store, "3.22"), Some(digest("3")));
    // By version the newest answers, by digest each.
    let history = |which: tufstore::Which| {
        store.history(&name(), &releases(), which).unwrap().map(|found| found.document)
    };
    assert_eq!(history(Version::FIRST.into()), Some(anew.clone()));
    for file in [first, second, anew] {
        assert_eq!(history((*file.sha256()).into()), Some(file));
    }
    publisher.author().set_tag_in(&releases(), "3.22", digest("4"), 3).unwrap();
    publisher.publish(&store).unwrap();
    assert_eq!(version(&store, &releases()), 2);
    assert_eq!(history(Version::new(2).unwrap().into()), Some(document(&store, &releases())));
}

#[test]
fn bytes_are_stored_and_named_as_they_were_received() {
    let store = store();
    let forge = Forge::for_store(REPOSITORY, &store);
    let tags = [("3.22", digest("a manifest"))];
    let spaced = forge.targets(1, &tags).altered(|bytes| {
        let value: Value = serde_json::from_slice(bytes).unwrap();
        *bytes = serde_json::to_vec_pretty(&value).unwrap();
        bytes.splice(..0, *b"\n\t ");
        bytes.extend(b"\r\n \n");
    });
    assert_ne!(spaced, forge.targets(1, &tags).bytes());
    let upload = Upload::new().with(RoleName::Root, forge.roots[0].clone());
    store.publish(&name(), &upload.with(RoleName::Targets, spaced.clone()), NOW).unwrap();

    let stored = document(&store, &RoleName::Targets);
    assert_eq!(*stored.bytes(), spaced);
    assert_eq!(
        store.history(&name(), &RoleName::Targets, sha256(&spaced)).unwrap().map(|found| found.document),
        Some(stored)
    );
    assert_eq!(lookup(&store, "3.22"), Some(digest("a manifest")));
    let snapshot = json(&document(&store, &RoleName::Snapshot));
    let named = &snapshot["signed"]["meta"]["targets"];
    assert_eq!(named["length"], spaced.len());
    assert_eq!(named["hashes"]["sha256"], STANDARD.encode(sha256(&spaced).as_bytes()));
}

#[test]
fn a_delegation_whose_keys_were_replaced_is_skipped_until_its_signer_signs_anew() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("of targets"))]);
    publisher.delegate("targets/releases", &[""], &[("3.22", digest("of releases"))]);
    publisher.publish(&store).unwrap();
    assert_eq!(lookup(&store, "3.22"), Some(digest("of releases")));

    let key = seeded_key(KeyAlgorithm::Ed25519, "the next signer");
    let listed = AuthorKey::bare(key.public().clone());
    publisher.author().add_delegation(&releases(), [listed], &[""], Threshold::ONE).unwrap();
    let lost = |receipt: &Receipt| match receipt.warnings.as_slice() {
        [Warning::Untrusted { role, source: TrustError::TooFewKeys { .. } }] => *role == releases(),
        _ => false,
    };
    let receipt = publisher.publish(&store).unwrap();
    assert!(lost(&receipt), "{:?}", receipt.warnings);
    assert_eq!(lookup(&store, "3.22"), Some(digest("of targets")));
    assert_eq!(view(&store).targets_of(&releases()).count(), 0);
    assert_eq!(version(&store, &releases()), 1);
    // Whatever else is published meanwhile, it is said again.
    assert!(lost(&store.publish(&name(), &Upload::new(), NOW).unwrap()));

    // A witness: the new signer signs what is there.
    let mut witness = publisher.clone();
    witness.author().hold(&releases(), key);
    witness.author().renew(&releases()).unwrap();
    let receipt = witness.publish(&store).unwrap();
    assert_eq!(receipt.warnings, []);
    assert_eq!(new_files(&receipt), [("targets/releases", 2), ("snapshot", 3), ("timestamp", 4)]);
    assert_eq!(lookup(&store, "3.22"), Some(digest("of releases")));
}

#[test]
fn a_targets_file_that_expired_meanwhile_holds_up_no_delegation() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.delegate("targets/releases", &[""], &[]);
    publisher.publish(&store).unwrap();
    let late = NOW.after(4 * 365 * DAY);
    publisher.set_now(late);
    publisher.author().set_tag_in(&releases(), "3.22", digest("1"), 3).unwrap();
    let receipt = publisher.publish(&store).unwrap();
    let expired = receipt
        .warnings
        .iter()
        .any(|warning| matches!(warning, Warning::Expired { role, .. } if *role == RoleName::Targets));
    assert!(expired, "{:?}", receipt.warnings);
    assert!(matches!(
        store.lookup(REPOSITORY, "3.22", late).unwrap(),
        Lookup::Expired { role: RoleName::Targets, .. }
    ));
    publisher.author().renew(&RoleName::Targets).unwrap();
    assert_eq!(publisher.publish(&store).unwrap().warnings, []);
    assert_eq!(lookup_at(&store, "3.22", late), Some(digest("1")));
}

#[test]
fn root_keys_are_rotated_and_old_roots_stay_in_history() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("1"))]);
    publisher.publish(&store).unwrap();
    let client = Store::in_memory(Options::default()).unwrap();
    client.mirror(&name(), &downloaded(&store, 1..=1), NOW).unwrap();
    let first = document(&store, &RoleName::Root);

    publisher.author().rotate_root(NOW).unwrap();
    assert_eq!(new_files(&publisher.publish(&store).unwrap())[0], ("root", 2));
    publisher.author().rotate_root(NOW).unwrap();
    publisher.author().rotate_targets().unwrap();
    publisher.tag(&[("3.22", digest("2"))]);
    assert_eq!(new_files(&publisher.publish(&store).unwrap())[0], ("root", 3));
    assert_eq!(lookup(&store, "3.22"), Some(digest("2")));
    assert_eq!(
        store.history(&name(), &RoleName::Root, Version::FIRST).unwrap().map(|found| found.document),
        Some(first)
    );

    // Who trusts root 1 is led on by the roots between.
    client.mirror(&name(), &downloaded(&store, 2..=3), NOW).unwrap();
    assert_eq!(lookup(&client, "3.22"), Some(digest("2")));
    assert_eq!(version(&client, &RoleName::Root), 3);
}

#[test]
fn online_keys_are_rotated_by_listing_the_pending_one() {
    for role in [OnlineRole::Timestamp, OnlineRole::Snapshot] {
        let store = store();
        let mut publisher = Publisher::for_store(REPOSITORY, &store);
        publisher.tag(&[("3.22", digest("1"))]);
        publisher.publish(&store).unwrap();
        let client = Store::in_memory(Options::default()).unwrap();
        client.mirror(&name(), &downloaded(&store, 1..=1), NOW).unwrap();

        let former = store.online_key(&name(), role).unwrap();
        let pending = store.pending_key(&name(), role).unwrap();
        assert_ne!(pending, former);
        assert_eq!(store.pending_key(&name(), role).unwrap(), pending, "the same until it has signed");
        assert_eq!(store.online_key(&name(), role).unwrap(), former);
        match role {
            OnlineRole::Timestamp => publisher.author().rotate_timestamp(&pending),
            OnlineRole::Snapshot => {
                let to = SnapshotHolder::Server(pending.clone());
                publisher.author().rotate_snapshot(to).unwrap();
            }
        }
        let receipt = publisher.publish(&store).unwrap();
        assert_eq!(new_files(&receipt), [("root", 2), ("snapshot", 2), ("timestamp", 2)]);
        assert_eq!(store.online_key(&name(), role).unwrap(), pending);
        assert_ne!(store.pending_key(&name(), role).unwrap(), pending);
        store.publish(&name(), &Upload::new(), NOW).unwrap();
        client.mirror(&name(), &downloaded(&store, 2..=2), NOW).unwrap();
        assert_eq!(lookup(&client, "3.22"), Some(digest("1")));
    }
}

#[test]
fn a_first_root_may_be_version_2_and_other_roles_may_skip() {
    let store = store();
    let forge = Forge::for_store(REPOSITORY, &store);
    let root = forge.root(2).bytes();
    let targets = forge.targets(2, &[("3.22", digest("1"))]).bytes();
    let upload = Upload::new().with(RoleName::Root, root).with(RoleName::Targets, targets);
    let receipt = store.publish(&name(), &upload, NOW).unwrap();
    assert_eq!(new_files(&receipt), [("root", 2), ("targets", 2), ("snapshot", 1), ("timestamp", 1)]);
    let targets = forge.targets(7, &[("3.22", digest("2"))]).bytes();
    store.publish(&name(), &Upload::new().with(RoleName::Targets, targets), NOW).unwrap();
    assert_eq!(lookup(&store, "3.22"), Some(digest("2")));
    store.publish(&name(), &Upload::new().with(RoleName::Root, forge.root(3).bytes()), NOW).unwrap();
    assert_eq!((version(&store, &RoleName::Root), version(&store, &RoleName::Targets)), (3, 7));
    assert_eq!(
        store.history(&name(), &RoleName::Root, Version::FIRST).unwrap().map(|found| found.document),
        None
    );
}

#[test]
fn a_mirrored_set_is_served_as_it_is_then_replaced_by_a_newer_and_taken_once() {
    let store = store();
    let forge = Forge::new(REPOSITORY);
    let first = forge.parts(1, &[("3.22", digest("1"))]);
    let receipt = store.mirror(&name(), &first.clone().set(), NOW).unwrap();
    assert_eq!(new_files(&receipt), [("root", 1), ("targets", 1), ("snapshot", 1), ("timestamp", 1)]);
    let CompleteParts { roots, timestamp, snapshot, targets, .. } = first;
    for (role, bytes) in [
        (RoleName::Root, &roots[0]),
        (RoleName::Timestamp, &timestamp),
        (RoleName::Snapshot, &snapshot),
        (RoleName::Targets, &targets),
    ] {
        assert_eq!(document(&store, &role).bytes(), bytes, "{role}");
    }

    let signers = ForgedSigners::one(ForgedKey::seeded("releases"));
    let releases = ForgedFile::targets(1, &[("3.22", digest("2"))]).signed_by(&signers.keys).bytes();
    let targets = ForgedFile::targets(2, &[("3.22", digest("1"))])
        .delegating("targets/releases", &signers, &[""])
        .signed_by(&forge.targets.keys)
        .bytes();
    let newer = forge.parts_of(5, targets, &[("targets/releases", releases)]);
    let receipt = store.mirror(&name(), &newer.clone().set(), NOW).unwrap();
    assert_eq!(
        new_files(&receipt),
        [("targets", 2), ("targets/releases", 1), ("snapshot", 5), ("timestamp", 5)]
    );
    assert_eq!(lookup(&store, "3.22"), Some(digest("2")));

    let before = observe(&store);
    let again = store.mirror(&name(), &newer.set(), NOW).unwrap();
    assert_eq!((again.position, again.revision), (receipt.position, receipt.revision));
    assert_eq!(again.documents, []);
    assert_eq!(observe(&store), before);

    // The store has none of its keys, so it never renews it.
    let refused = store.publish(&name(), &Upload::new(), NOW).unwrap_err();
    assert!(matches!(refused, PublishError::NotHeld { role: OnlineRole::Timestamp }), "{refused}");
    assert_eq!(observe(&store), before);
}

#[test]
fn an_expired_set_is_mirrored_with_a_warning_and_answers_expired() {
    let store = store();
    let forge = Forge::new(REPOSITORY);
    let late = NOW.after(2 * 365 * DAY);
    let receipt = store.mirror(&name(), &forge.complete(1, &[("3.22", digest("1"))]), late).unwrap();
    assert!(receipt.warnings.iter().all(|warning| matches!(warning, Warning::Expired { .. })));
    assert_eq!(receipt.warnings.len(), 4);
    assert!(matches!(store.lookup(REPOSITORY, "3.22", late).unwrap(), Lookup::Expired { .. }));
    assert_eq!(lookup(&store, "3.22"), Some(digest("1")));
}

#[test]
fn a_chain_of_roots_is_mirrored_from_its_first_and_from_any_that_is_trusted() {
    let mut forge = Forge::new(REPOSITORY);
    let mut sets = vec![forge.complete(1, &[("3.22", digest("1"))])];
    for version in 2..=4 {
        forge.rotate(|forge| {
            let label = format!("root {version}");
            forge.root = ForgedSigners::one(ForgedKey::root(&label, &forge.repository));
            forge.targets = ForgedSigners::one(ForgedKey::seeded(&format!("targets {version}")));
        });
        sets.push(forge.complete(version, &[("3.22", digest(&version.to_string()))]));
    }
    for known in 0..=3 {
        let store = store();
        if let Some(known) = sets.get(..known).and_then(<[_]>::last) {
            store.mirror(&name(), known, NOW).unwrap();
        }
        let receipt = store.mirror(&name(), &sets[3], NOW).unwrap();
        let roots = receipt.documents.iter().filter(|(role, ..)| *role == RoleName::Root);
        assert_eq!(roots.count(), 4 - known);
        assert_eq!(lookup(&store, "3.22"), Some(digest("4")));
        for version in 1..=4 {
            let version = Version::new(version).unwrap();
            let root = store
                .history(&name(), &RoleName::Root, version)
                .unwrap()
                .map(|found| found.document)
                .unwrap();
            assert_eq!(*root.bytes(), forge.roots[usize::try_from(version.get()).unwrap() - 1]);
        }
    }
    // The roots that are trusted already need not be offered again.
    let store = store();
    store.mirror(&name(), &sets[1], NOW).unwrap();
    let mut parts = forge.parts(9, &[("3.22", digest("9"))]);
    parts.roots.drain(..2);
    store.mirror(&name(), &parts.set(), NOW).unwrap();
    assert_eq!(lookup(&store, "3.22"), Some(digest("9")));
}

#[test]
fn a_deleted_repository_begins_anew_with_other_keys_and_without_its_history() {
    let store = store();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("1"))]);
    publisher.publish(&store).unwrap();
    let root = document(&store, &RoleName::Root);
    let key = store.online_key(&name(), OnlineRole::Timestamp).unwrap();
    let receipt = store.delete(&name(), NOW).unwrap().unwrap();
    assert_eq!((receipt.incarnation, receipt.revision.get()), (Incarnation::FIRST, 2));
    assert!(store.delete(&name(), NOW).unwrap().is_none());
    assert!(store.view(&name()).unwrap().is_none());
    assert_eq!(store.lookup(REPOSITORY, "3.22", NOW).unwrap(), Lookup::NoSuchRepository);
    assert_eq!(store.repositories(), []);
    assert_eq!(
        store.history(&name(), &RoleName::Root, *root.sha256()).unwrap().map(|found| found.document),
        None
    );

    assert_ne!(store.online_key(&name(), OnlineRole::Timestamp).unwrap(), key);
    let receipt = Publisher::for_store(REPOSITORY, &store).publish(&store).unwrap();
    assert_eq!((receipt.incarnation, receipt.revision.get()), (Incarnation::FIRST.next(), 1));
    assert_eq!(new_files(&receipt), [("root", 1), ("targets", 1), ("snapshot", 1), ("timestamp", 1)]);
    assert_eq!(
        store.history(&name(), &RoleName::Root, *root.sha256()).unwrap().map(|found| found.document),
        None
    );
}
