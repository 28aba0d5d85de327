//! Forged sets are taken when they are right, and refused for the one thing that is wrong.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use tufstore::crypto::SignatureMethod;
use tufstore::terms::RoleName;
use tufstore::{Lookup, MirrorError, Options, PublishError, Store, TrustError};
use tufstore_testkit::dialect::FileSignature;
use tufstore_testkit::{Forge, ForgedKey, ForgedSigners, NOW, Publisher, SeededOnlineKeys, digest, observe};

fn store() -> Store {
    Store::in_memory(Options::default().with_online_keys(SeededOnlineKeys::new("server"))).unwrap()
}

#[test]
fn a_forged_chain_is_mirrored_and_resolves() {
    let (store, mut forge) = (store(), Forge::new("example.com/forged"));
    store.mirror(&forge.repository, &forge.complete(1, &[("v1", digest("one"))]), NOW).unwrap();
    forge.rotate(|forge| {
        forge.root = ForgedSigners::one(ForgedKey::root("another root", &forge.repository));
        forge.targets = ForgedSigners::new(["a", "b", "c"].map(ForgedKey::seeded), 2);
    });
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let targets = forge.targets(2, &[("v1", digest("one"))]).delegating("targets/releases", &releases, &[""]);
    let file = tufstore_testkit::ForgedFile::targets(1, &[("v1", digest("two"))]).signed_by(&releases.keys);
    let parts = forge.parts_of(2, targets.bytes(), &[("targets/releases", file.bytes())]);
    let receipt = store.mirror(&forge.repository, &parts.set(), NOW).unwrap();
    assert_eq!(receipt.warnings, []);
    let answer = store.lookup("example.com/forged", "v1", NOW).unwrap();
    assert!(matches!(answer, Lookup::Found(ref found) if found.target.sha256 == digest("two")), "{answer:?}");
    assert_eq!(observe(&store).repositories.len(), 1);
}

#[test]
fn a_refused_set_changes_nothing() {
    let (store, forge) = (store(), Forge::new("example.com/forged"));
    store.mirror(&forge.repository, &forge.complete(1, &[("v1", digest("one"))]), NOW).unwrap();
    let before = observe(&store);

    let mut parts = forge.parts(2, &[]);
    parts.timestamp = forge.timestamp(2, b"another snapshot").bytes();
    let refused = store.mirror(&forge.repository, &parts.set(), NOW).unwrap_err();
    assert!(
        matches!(refused, MirrorError::Untrusted { source: TrustError::WrongContent { .. }, .. }),
        "{refused:?}"
    );

    let mut parts = forge.parts(2, &[]);
    let message = forge.targets(2, &[]).message();
    let empty = FileSignature::new(forge.targets.keys[0].id(), SignatureMethod::EdDsa, Vec::new());
    let file = forge
        .targets(2, &[])
        .unsigned()
        .with_signature(empty)
        .with_signature(ForgedKey::seeded("x").sign(&message));
    parts.targets = file.bytes();
    let refused = store.mirror(&forge.repository, &parts.set(), NOW).unwrap_err();
    assert!(
        matches!(
            &refused,
            MirrorError::Untrusted {
                role: RoleName::Targets,
                source: TrustError::TooFewKeys { valid: 0, .. }
            }
        ),
        "{refused:?}"
    );
    assert_eq!(observe(&store), before);
}

#[test]
fn a_forged_upload_is_taken_or_refused_as_an_authors() {
    let store = store();
    let forge = Forge::for_store("example.com/forged", &store);
    let bad = forge.first_upload(&[]).with(RoleName::Targets, forge.targets(1, &[]).bytes());
    assert!(matches!(store.publish(&forge.repository, &bad, NOW), Err(PublishError::Repeated { .. })));
    store.publish(&forge.repository, &forge.first_upload(&[("v1", digest("one"))]), NOW).unwrap();
    let twice = ForgedKey::seeded("example.com/forged targets");
    let file = forge.targets(2, &[]).signed_by([&twice]).bytes();
    store.publish(&forge.repository, &tufstore::Upload::new().with(RoleName::Targets, file), NOW).unwrap();
}

#[test]
fn keys_and_files_are_the_same_in_every_run() {
    let upload = |store: &Store| {
        let mut publisher = Publisher::for_store("example.com/same", store);
        publisher.publish(store).unwrap();
        publisher.tag_upload(&[("v1", digest("one"))]);
        publisher.publish(store).unwrap();
        let view = store.view(publisher.repository()).unwrap().unwrap();
        *view.document(&RoleName::Targets).unwrap().sha256()
    };
    assert_eq!(upload(&store()), upload(&store()));
}
