use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::crypto::sha256;
use crate::storage::local::journal::End;
use crate::storage::{DocumentHeader, Head, RecordKind};
use crate::terms::{
    Incarnation, Note, Position, RecordName, RepositoryName, Revision, Sha256, UnixTime, Version,
};

fn header() -> RecordHeader {
    RecordHeader {
        position: Position::new(7),
        kind: RecordKind::Publication,
        repository: "reg/app".parse().unwrap(),
        incarnation: Incarnation::new(2),
        revision: Revision::new(300),
        time: UnixTime::new(-1, 999_999_488),
        timestamp: Some((Version::new(9).unwrap(), sha256(b"t"))),
        documents: vec![DocumentHeader {
            role: "targets/a".parse().unwrap(),
            version: Version::new(1 << 32).unwrap(),
            sha256: sha256(b"d"),
            length: 250,
        }],
        previous: [0xab; 32],
        note: None,
    }
}

/// The bytes that `docs/format.md` promises, put together by hand.
fn golden() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.push(7); // position
    bytes.push(0); // kind: publication
    bytes.push(7); // length of the name
    bytes.extend(b"reg/app");
    bytes.push(2); // incarnation
    bytes.extend([251, 0x2c, 0x01]); // revision
    bytes.push(1); // seconds: -1
    bytes.extend([252, 0x00, 0xc8, 0x9a, 0x3b]); // nanoseconds
    bytes.push(1); // a timestamp follows
    bytes.push(9); // its version
    bytes.extend(sha256(b"t").as_bytes());
    bytes.push(1); // count of documents
    bytes.push(9); // length of the role's name
    bytes.extend(b"targets/a");
    bytes.extend([253, 0, 0, 0, 0, 1, 0, 0, 0]); // version
    bytes.extend(sha256(b"d").as_bytes());
    bytes.push(250); // length
    bytes.extend([0xab; 32]); // previous
    bytes
}

#[test]
fn a_record_header_has_the_bytes_that_the_format_says() {
    assert_eq!(encode_header(&header()).unwrap(), golden());
    assert_eq!(decode_header(&golden()).unwrap(), header());
    let digest = blake3::hash(&golden()).to_hex();
    assert_eq!(digest.as_str(), "b8815996cbda03e5d5e61671fd7943a6a5df698cf14ea06f2ecc441048f1224a");
}

#[test]
fn a_deletion_is_encoded_without_timestamp_and_documents() {
    let deletion =
        RecordHeader { kind: RecordKind::Deletion, timestamp: None, documents: Vec::new(), ..header() };
    let bytes = encode_header(&deletion).unwrap();
    assert_eq!(bytes.get(1), Some(&1));
    assert_eq!(bytes.len(), 1 + 1 + 8 + 1 + 3 + 1 + 5 + 1 + 1 + 32);
    assert_eq!(decode_header(&bytes).unwrap(), deletion);
}

#[test]
fn settings_and_notes_are_encoded_as_the_format_says() {
    let note: Note = "by a".parse().unwrap();
    let noted = RecordHeader { note: Some(note.clone()), ..header() };
    let mut expected = golden();
    expected[1] = 8; // a publication, and a note follows
    expected.extend([4, b'b', b'y', b' ', b'a']);
    assert_eq!(encode_header(&noted).unwrap(), expected);
    assert_eq!(decode_header(&expected).unwrap(), noted);

    let settings = RecordHeader {
        kind: RecordKind::Settings,
        repository: RepositoryName::of_settings(),
        timestamp: None,
        documents: Vec::new(),
        note: Some(note),
        ..header()
    };
    let bytes = encode_header(&settings).unwrap();
    assert_eq!(bytes.get(..4), Some([7, 11, 1, b'*'].as_slice()));
    assert_eq!(decode_header(&bytes).unwrap(), settings);
}

#[test]
fn only_settings_have_their_name_and_no_kind_is_guessed() {
    let mut of_a_repository =
        encode_header(&RecordHeader { repository: "a".parse().unwrap(), ..header() }).unwrap();
    of_a_repository[1] = 3;
    assert_eq!(decode_header(&of_a_repository), Err(Undecodable));
    of_a_repository[1] = 0;
    assert!(decode_header(&of_a_repository).is_ok());
    of_a_repository[3] = b'*';
    assert_eq!(decode_header(&of_a_repository), Err(Undecodable));
    for unknown in [4, 7, 12, 255] {
        let mut bytes = golden();
        bytes[1] = unknown;
        assert_eq!(decode_header(&bytes), Err(Undecodable), "{unknown}");
    }
    let mut without_its_note = golden();
    without_its_note[1] = 8;
    assert_eq!(decode_header(&without_its_note), Err(Undecodable));
}

/// Whatever is decoded encodes to just the bytes that it was decoded from.
fn is_total(bytes: &[u8]) {
    if let Ok(header) = decode_header(bytes) {
        assert_eq!(encode_header(&header).unwrap(), bytes);
    }
    if let Ok(checkpoint) = decode_checkpoint(bytes) {
        assert_eq!(encode_checkpoint(&checkpoint).unwrap(), bytes);
    }
}

#[test]
fn decoding_is_the_inverse_of_encoding_and_ends_on_any_bytes() {
    let whole = golden();
    for length in 0..whole.len() {
        assert_eq!(decode_header(&whole[..length]), Err(Undecodable));
    }
    let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
    assert_eq!(decode_header(&longer), Err(Undecodable));
    for at in 0..whole.len() {
        for value in 0..=255 {
            let mut altered = whole.clone();
            altered[at] = value;
            is_total(&altered);
        }
    }
    let mut state = 1_u64;
    for length in 0..2_000 {
        let noise = core::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Mostly small numbers, which lengths and tags are made of.
            if state >> 62 == 0 { state.to_be_bytes()[0] } else { 0 }
        });
        is_total(&noise.take(length % 300).collect::<Vec<u8>>());
    }
}

#[test]
fn lengths_that_nothing_backs_are_refused_before_memory_is_taken() {
    let long = |at: usize, number: u64| {
        let mut bytes = golden();
        assert!(bytes[at] < 251);
        bytes.splice(at..=at, [253].into_iter().chain(number.to_le_bytes()));
        bytes
    };
    let (name, documents) = (2, 10 + 1 + 3 + 1 + 5 + 34);
    for number in [u64::MAX, u64::MAX / 2, 1 << 40] {
        assert_eq!(decode_header(&long(name, number)), Err(Undecodable));
    }
    assert_eq!(golden()[documents], 1);
    for number in [u64::MAX, u64::MAX / 2, 1 << 40, 1 << 24, 2] {
        assert_eq!(decode_header(&long(documents, number)), Err(Undecodable));
    }
    // The right length, in more bytes than it takes.
    assert_eq!(decode_header(&long(name, 7)), Err(Undecodable));
    assert_eq!(decode_header(&long(documents, 1)), Err(Undecodable));
}

fn version() -> impl Strategy<Value = Version> {
    (1..=u64::MAX).prop_map(|number| Version::new(number).unwrap())
}

fn digest() -> impl Strategy<Value = Sha256> {
    any::<[u8; 32]>().prop_map(Sha256::new)
}

fn document() -> impl Strategy<Value = DocumentHeader> {
    let role = prop_oneof!["root", "targets", "snapshot", "timestamp", "targets(/[a-z0-9_-]{1,8}){1,3}"];
    (role, version(), digest(), any::<u64>()).prop_map(|(role, version, sha256, length)| DocumentHeader {
        role: role.parse().unwrap(),
        version,
        sha256,
        length,
    })
}

fn any_header() -> impl Strategy<Value = RecordHeader> {
    let counts = any::<(u64, u64, u64)>();
    let kind = select(vec![
        RecordKind::Publication,
        RecordKind::Deletion,
        RecordKind::Restoration,
        RecordKind::Settings,
    ]);
    let name = r"[a-zA-Z0-9é_:-]{1,9}(/[a-zA-Z0-9é_:-]{1,9}){0,3}";
    let time = (any::<i64>(), 0u32..1_000_000_000);
    let timestamp = option::of((version(), digest()));
    let note = option::of(".{1,40}");
    (counts, kind, name, time, timestamp, vec(document(), 0..5), any::<[u8; 32]>(), note).prop_map(
        |(
            (position, incarnation, revision),
            kind,
            name,
            (seconds, nanoseconds),
            timestamp,
            documents,
            previous,
            note,
        )| {
            let is_of_settings = kind == RecordKind::Settings;
            let repository =
                if is_of_settings { RepositoryName::of_settings() } else { name.parse().unwrap() };
            RecordHeader {
                position: Position::new(position),
                kind,
                repository,
                incarnation: Incarnation::new(incarnation),
                revision: Revision::new(revision),
                time: UnixTime::new(seconds, nanoseconds),
                timestamp,
                documents,
                previous,
                note: note.map(|note| note.parse().unwrap()),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_header_reads_back_as_it_was_written(header in any_header()) {
        prop_assert_eq!(decode_header(&encode_header(&header).unwrap()), Ok(header));
    }

    #[test]
    fn a_record_header_whose_bytes_changed_is_refused_or_encodes_to_just_them(
        header in any_header(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<Index>()),
        more in vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = encode_header(&header).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len() + 1)));
        bytes.extend(more);
        is_total(&bytes);
    }
}

#[test]
fn a_checkpoint_of_any_length_is_read_and_a_lying_length_in_it_is_refused() {
    let head = Head {
        incarnation: Incarnation::new(1),
        revision: Revision::new(1),
        position: Position::new(1),
        documents: 4,
        deleted: false,
    };
    let end = End { position: Position::new(1), chain: [1; 32], confirms: [2; 32] };
    for count in [0, 1, 10_000] {
        let of_settings = (RecordName(RepositoryName::of_settings()), head.clone());
        let heads = (0..count).map(|number| (format!("reg/app-{number}").parse().unwrap(), head.clone()));
        let heads = heads.chain([of_settings]);
        let checkpoint = Checkpoint { end, segments: Vec::new(), heads: heads.collect() };
        let mut bytes = encode_checkpoint(&checkpoint).unwrap();
        assert_eq!(decode_checkpoint(&bytes), Ok(checkpoint));
        if let Some(at) = bytes.windows(9).position(|part| part == b"reg/app-0") {
            bytes[at - 8..at].copy_from_slice(&(8_u64 << 30).to_le_bytes());
            assert_eq!(decode_checkpoint(&bytes), Err(Undecodable));
        }
    }
}
