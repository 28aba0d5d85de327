use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::crypto::{KeyAlgorithm, KeyId, OnlineRole, sha256};
use crate::storage::local::LocalStorage;
use crate::storage::{Commit, Outcome, Record, RecordKind};
use crate::terms::{Incarnation, Revision, UnixTime};

#[test]
fn what_is_durable_and_not_yet_visible_is_followed_and_not_shown() {
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::in_memory().unwrap());
    let catalog = Arc::new(Catalog::new(HashKey::new(storage.hash_key()), storage.end(), u64::MAX));
    let repository: RepositoryName = "example.com/a".parse().unwrap();
    let record = Record {
        kind: RecordKind::Publication,
        repository: repository.clone(),
        incarnation: Incarnation::FIRST,
        revision: Revision::NONE.next(),
        time: UnixTime::from_seconds(0),
        timestamp: None,
        documents: Vec::new(),
        attachment: [].into(),
        note: None,
    };
    let prepared = storage.prepare(Commit { base: None, replaced: Vec::new(), record }).unwrap();
    let outcomes = storage.commit(vec![prepared]);
    assert!(matches!(outcomes.as_slice(), [Outcome::Committed(_)]), "{outcomes:?}");
    let loader = Loader { catalog, storage, limits: Limits::default() };
    assert!(loader.current(&repository).unwrap().is_none());
    // It would be built from its record, which holds nothing here: it is not taken for absent.
    assert!(loader.newest(&repository).is_err());
}

#[test]
fn an_attachment_has_the_bytes_that_the_format_says() {
    let key = SealedKey::new(
        OnlineRole::Timestamp,
        KeyId::new(sha256(b"key")),
        Some(7),
        KeyAlgorithm::Ed25519,
        vec![0xaa, 0xbb],
    );
    let attachment = Attachment {
        online: Online::Here(vec![key]),
        carried: vec![(RoleName::Root, sha256(b"root"))],
        faulty: vec!["targets/a".parse().unwrap()],
    };
    let golden = [
        [2].as_slice(),             // the keys stand here
        &[1],                       // one
        &[1],                       // timestamp
        sha256(b"key").as_bytes(),  // its id
        &[1, 7],                    // its generation
        &[3],                       // Ed25519
        &[2],                       // two sealed bytes
        &[0xaa, 0xbb],              // these
        &[1],                       // one file is carried
        &[4],                       // of a role with four letters
        b"root",                    // root
        sha256(b"root").as_bytes(), // this one
        &[1],                       // one delegation is faulty
        &[9],                       // nine letters
        b"targets/a",
    ]
    .concat();
    assert_eq!(&*attachment.encode().unwrap(), golden);
    assert_eq!(Attachment::decode(&golden).unwrap(), attachment);
    let elsewhere = Attachment { online: Online::At(Position::new(5)), carried: vec![], faulty: vec![] };
    let golden = [1, 5, 0, 0];
    assert_eq!(&*elsewhere.encode().unwrap(), golden);
}

fn role() -> impl Strategy<Value = RoleName> {
    prop_oneof!["root", "targets", "snapshot", "timestamp", "targets(/[a-z0-9_-]{1,8}){1,3}"]
        .prop_map(|name| name.parse().unwrap())
}

fn digest() -> impl Strategy<Value = Sha256> {
    any::<[u8; 32]>().prop_map(Sha256::new)
}

fn sealed_key() -> impl Strategy<Value = SealedKey> {
    let role = select(vec![OnlineRole::Snapshot, OnlineRole::Timestamp]);
    let algorithm = select(vec![
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa,
    ]);
    (role, digest(), option::of(any::<u32>()), algorithm, vec(any::<u8>(), 0..100)).prop_map(
        |(role, id, generation, algorithm, sealed)| {
            SealedKey::new(role, KeyId::new(id), generation, algorithm, sealed)
        },
    )
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let online = prop_oneof![
        Just(Online::None),
        any::<u64>().prop_map(|position| Online::At(Position::new(position))),
        vec(sealed_key(), 0..4).prop_map(Online::Here),
    ];
    (online, vec((role(), digest()), 0..4), vec(role(), 0..4))
        .prop_map(|(online, carried, faulty)| Attachment { online, carried, faulty })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_attachment_reads_back_as_it_was_written(attachment in attachment()) {
        prop_assert_eq!(Attachment::decode(&attachment.encode().unwrap()).unwrap(), attachment);
    }

    #[test]
    fn an_attachment_whose_bytes_changed_is_refused_or_encodes_to_just_them(
        attachment in attachment(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<Index>()),
        more in vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = attachment.encode().unwrap().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len() + 1)));
        bytes.extend(more);
        if let Ok(read) = Attachment::decode(&bytes) {
            prop_assert_eq!(&*read.encode().unwrap(), bytes.as_slice());
        }
    }
}
