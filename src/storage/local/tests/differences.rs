//! Documents that stand on others.

use super::*;
use crate::storage::local::delta::{Payload, unpack};
use crate::storage::local::journal::{At, Form, encode_payload};

fn open(device: &MemoryDevice, recent: usize) -> LocalStorage {
    let options = LocalOptions { recent, ..SMALL };
    LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &options).unwrap()
}

/// How each document of a record is stored, and in how many bytes.
fn forms(storage: &LocalStorage, position: Position) -> Vec<(Form, usize)> {
    let record = storage.journal.stored(position).unwrap();
    delta::numbers(record.header.documents.len())
        .map(|number| {
            let (_, (form, bytes)) = record.document(number).unwrap();
            (form, bytes.len())
        })
        .collect()
}

#[test]
fn each_stands_on_what_its_step_says_whether_it_is_at_hand_or_has_to_be_read() {
    for (recent, reopened) in [(1 << 20, false), (0, false), (1 << 20, true)] {
        let device = MemoryDevice::new();
        let mut storage = open(&device, recent);
        let mut author = Author::default();
        let mut records = Vec::new();
        for number in 1..=40_u64 {
            let commit = author.publish("a", 2_000);
            records.push(commit.record.clone());
            let position = committed(&storage, commit);
            let (form, length) = forms(&storage, position)[0];
            match (number - 1, form) {
                (0, Form::Whole) => {}
                (step, Form::Difference { base, step: stored }) => {
                    // Position and step differ by one here: each record is a publication of this repository.
                    let expected = if step % 16 == 0 { step - 16 } else { step - 1 };
                    let at = At { position: Position::new(expected + 1), number: 0 };
                    assert_eq!((stored, base), (step, at));
                    assert!(length < 1_100, "half of it is what the base has: {length}");
                }
                other => panic!("{other:?}"),
            }
            if reopened && number % 7 == 0 {
                storage = open(&device, recent);
            }
        }
        holds_exactly(&storage, &records);
        assert_eq!(damages(&storage), []);
        drop(storage);
        let storage = open(&device, recent);
        holds_exactly(&storage, &records);
        assert_eq!(damages(&storage), []);
    }
}

#[test]
fn a_new_life_stands_on_nothing_of_the_one_before() {
    let device = MemoryDevice::new();
    let storage = open(&device, 1 << 20);
    let mut author = Author::default();
    let mut commits = vec![author.publish("a", 2_000), author.publish("a", 2_000), author.delete("a")];
    commits.push(author.publish("a", 2_000));
    commits.push(author.publish("b", 2_000));
    let records: Vec<_> = commits.iter().map(|commit| commit.record.clone()).collect();
    let positions: Vec<_> = commits.into_iter().map(|commit| committed(&storage, commit)).collect();
    assert!(matches!(forms(&storage, positions[1])[0].0, Form::Difference { .. }));
    assert_eq!(forms(&storage, positions[3])[0].0, Form::Whole);
    assert_eq!(forms(&storage, positions[4])[0].0, Form::Whole);
    holds_exactly(&storage, &records);
}

#[test]
fn what_stands_on_a_damaged_record_is_named_and_the_next_document_stands_alone() {
    let device = MemoryDevice::new();
    let storage = open(&device, 1 << 20);
    let mut author = Author::default();
    let records: Vec<Record> = (0..20)
        .map(|_| {
            let commit = author.publish("a", 2_000);
            committed(&storage, commit.clone());
            commit.record
        })
        .collect();
    storage.close().unwrap();
    // In the payload of the third record.
    let (segment, at) = device
        .list()
        .unwrap()
        .into_iter()
        .find_map(|name| {
            let file = device.open(&name).unwrap();
            let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
            file.read(0, &mut bytes).unwrap();
            let own = &records[2].documents[0].bytes[..200];
            bytes.windows(200).position(|window| window == own).map(|at| (name, at))
        })
        .expect("its own half is stored as it is");
    device.open(&segment).unwrap().write(u64::try_from(at).unwrap(), b"damaged").unwrap();
    let storage = open(&device, 0);
    for (number, record) in (1..).zip(&records) {
        match storage.record(Position::new(number)) {
            Ok(read) => assert!(same(&read, record) && !(3..=16).contains(&number), "{number}"),
            Err(StorageError::Corrupt { repository, finding, .. }) => {
                assert!((3..=16).contains(&number), "{number}: {finding}");
                assert_eq!(repository, Some(name("a")));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    let damaged = damages(&storage);
    assert_eq!(damaged.len(), 14, "{damaged:#?}");
    // 16 stands on 0, 17 to 19 on it: none of them is lost. The next one needs 19 only.
    let commit = author.publish("a", 2_000);
    let position = committed(&storage, commit.clone());
    assert!(matches!(forms(&storage, position)[0].0, Form::Difference { .. }));
    assert!(same(&storage.record(position).unwrap(), &commit.record));
    // Whose predecessor is one of those that are lost: it stands alone.
    let mut commit = author.publish("a", 2_000);
    commit.replaced = records[9].documents.clone();
    let position = committed(&storage, commit.clone());
    assert_eq!(forms(&storage, position)[0].0, Form::Whole);
    assert!(same(&storage.record(position).unwrap(), &commit.record));
}

#[test]
fn a_difference_to_anything_but_an_earlier_document_of_its_role_is_refused() {
    let next = Position::new(4);
    for (repository, position, number) in [
        ("a", next, 0),             // itself
        ("a", next.next(), 0),      // what is not there yet
        ("a", Position::START, 0),  // before the first
        ("a", Position::new(1), 1), // another role
        ("a", Position::new(1), 9), // no document
        ("a", Position::new(2), 0), // another repository
        ("b", Position::new(2), 0), // another life
    ] {
        let storage = open(&MemoryDevice::new(), 1 << 20);
        let mut author = Author::default();
        committed(&storage, author.publish("a", 2_000));
        committed(&storage, author.publish("b", 2_000));
        committed(&storage, author.delete("b"));
        let mut prepared = storage.prepare(author.publish(repository, 2_000)).unwrap();
        let form = Form::Difference { base: At { position, number }, step: 1 };
        let stored = [(form, b"anything".as_slice()), (Form::Whole, &prepared.record.documents[1].bytes)];
        prepared.payload = Arc::new(Payload::of(encode_payload(stored, &[]).unwrap()));
        let Outcome::Committed(position) = storage.commit(vec![prepared]).remove(0) else { panic!() };
        let read = storage.record(position);
        assert!(
            matches!(read, Err(StorageError::Corrupt { finding, .. }) if finding.starts_with("the difference to")),
            "{repository} {number}: {read:?}"
        );
        assert_eq!(damages(&storage).len(), 1);
    }
    assert_eq!(unpack(None, b"anything", 8), None);
}
