use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::storage::{DocumentHeader, RecordKind};
use crate::terms::{Incarnation, Position, Revision, UnixTime, Version};

fn record() -> impl Strategy<Value = Record> {
    let bytes = || vec(any::<u8>(), 0..200);
    (vec(bytes(), 0..5), bytes()).prop_map(|(documents, attachment)| Record {
        kind: RecordKind::Publication,
        repository: "a".parse().unwrap(),
        incarnation: Incarnation::FIRST,
        revision: Revision::new(1),
        time: UnixTime::from_seconds(1),
        timestamp: None,
        documents: (1..).zip(documents).map(|(number, bytes)| document(number, bytes)).collect(),
        attachment: attachment.into(),
    })
}

fn document(number: u64, bytes: Vec<u8>) -> StoredDocument {
    let (role, version) = ("targets".parse().unwrap(), Version::new(number).unwrap());
    StoredDocument { role, version, sha256: sha256(&bytes), bytes: bytes.into() }
}

fn header(record: &Record) -> RecordHeader {
    let documents = record.documents.iter().map(|document| DocumentHeader {
        role: document.role.clone(),
        version: document.version,
        sha256: document.sha256,
        length: u64::try_from(document.bytes.len()).unwrap(),
    });
    RecordHeader {
        position: Position::new(1),
        kind: record.kind,
        repository: record.repository.clone(),
        incarnation: record.incarnation,
        revision: record.revision,
        time: record.time,
        timestamp: record.timestamp,
        documents: documents.collect(),
        previous: [0; 32],
    }
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_payload_reads_back_as_it_was_written(record in record()) {
        let bytes = encoded(&record);
        prop_assert_eq!(bytes.len(), length(&record));
        let read = decode(header(&record), &bytes).unwrap();
        prop_assert_eq!(&read.documents, &record.documents);
        prop_assert_eq!(&read.attachment, &record.attachment);
        prop_assert_eq!(encoded(&read), bytes);
    }

    #[test]
    fn a_payload_whose_bytes_changed_is_refused_or_encodes_to_just_them(
        record in record(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<Index>()),
        more in vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = encoded(&record);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len() + 1)));
        bytes.extend(more);
        if let Ok(read) = decode(header(&record), &bytes) {
            prop_assert_eq!(&read.documents, &record.documents);
            prop_assert_eq!(encoded(&read), bytes);
        }
    }
}
