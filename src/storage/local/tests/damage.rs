//! Damage to a closed store is noticed or repaired, and never becomes content.

use std::sync::Arc;

use super::crash::CrashDevice;
use super::{Author, SMALL, committed, damages, holds_exactly, same};
use crate::storage::device::Device;
use crate::storage::local::LocalStorage;
use crate::storage::local::index::Behind;
use crate::storage::{Record, Storage, StorageError};
use crate::terms::Position;

fn open(device: &CrashDevice) -> Result<LocalStorage, StorageError> {
    LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &SMALL)
}

/// A store of several segments, closed or killed.
fn store(close: bool) -> (CrashDevice, Vec<Record>) {
    let device = CrashDevice::new();
    let storage = open(&device).unwrap();
    let mut author = Author::default();
    let mut records = Vec::new();
    for length in [10, 400, 30, 600, 20] {
        let commit = author.publish(if length == 30 { "b" } else { "a" }, length);
        records.push(commit.record.clone());
        committed(&storage, commit);
    }
    if close {
        storage.close().unwrap();
    }
    (device, records)
}

fn segments(device: &CrashDevice) -> Vec<String> {
    let mut names = device.list().unwrap();
    names.retain(|name| name.ends_with(".segment"));
    names
}

/// Opens, and reads whatever can be read: an error, or the truth. Whether all of it could be read.
fn tells_the_truth(device: &CrashDevice, records: &[Record], all: bool) -> bool {
    let Ok(storage) = open(device) else { return false };
    let mut whole = true;
    for (number, record) in (1..=storage.end().get()).zip(records) {
        match storage.record(Position::new(number)) {
            Ok(found) => assert!(same(&found, record), "{number}"),
            Err(_) => whole = false,
        }
    }
    assert!(storage.end().get() <= u64::try_from(records.len()).unwrap());
    if all {
        assert_eq!(storage.end().get(), u64::try_from(records.len()).unwrap());
    }
    whole
}

#[test]
fn a_flipped_bit_in_a_closed_store_is_an_error_or_repaired() {
    let (device, records) = store(true);
    assert!(segments(&device).len() >= 3);
    for file in device.list().unwrap() {
        for offset in 0..device.content(&file).len() {
            let bit = 1 << (offset % 8);
            let altered = device.altered(&file, |bytes| bytes[offset] ^= bit);
            let whole = tells_the_truth(&altered, &records, true);
            if file == "checkpoint" {
                assert!(whole, "{file} {offset}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_found_by_a_check_or_was_in_no_use() {
    let (device, records) = store(true);
    for file in segments(&device) {
        for offset in (0..device.content(&file).len()).step_by(3) {
            let altered = device.altered(&file, |bytes| bytes[offset] ^= 4);
            let Ok(storage) = open(&altered) else { continue };
            if damages(&storage).is_empty() {
                holds_exactly(&storage, &records);
            }
        }
    }
}

#[test]
fn a_damaged_record_is_named_with_its_repository_and_all_others_are_read() {
    let (device, records) = store(true);
    let hit = &records[2];
    let needle = &hit.documents[0].bytes;
    let found = segments(&device).into_iter().find_map(|file| {
        let content = device.content(&file);
        Some((file, content.windows(needle.len()).position(|window| window == &**needle)?))
    });
    let (file, place) = found.unwrap();
    let storage = open(&device.altered(&file, |bytes| bytes[place] ^= 1)).unwrap();
    for (position, record) in (1..).map(Position::new).zip(&records) {
        match storage.record(position) {
            Ok(whole) => assert!(same(&whole, record) && position.get() != 3),
            Err(StorageError::Corrupt { repository: Some(repository), .. }) => {
                assert_eq!((repository.as_str(), position.get()), ("b", 3));
            }
            Err(error) => panic!("{error}"),
        }
    }
    let damages = damages(&storage);
    let named: Vec<_> =
        damages.iter().map(|damage| damage.repository.as_ref().map(ToString::to_string)).collect();
    assert_eq!(named, [Some("b".to_owned())], "{damages:?}");
}

#[test]
fn a_flipped_bit_without_a_checkpoint_is_never_a_shorter_history() {
    let (device, records) = store(true);
    device.remove("checkpoint").unwrap();
    for file in segments(&device) {
        for offset in 0..device.content(&file).len() {
            let altered = device.altered(&file, |bytes| bytes[offset] ^= 1 << (offset % 7));
            tells_the_truth(&altered, &records, true);
        }
    }
}

#[test]
fn a_cut_segment_opens_as_a_part_of_the_truth_or_is_refused() {
    for close in [true, false] {
        let (device, records) = store(close);
        for checkpoint in [true, false] {
            if !checkpoint && device.list().unwrap().contains(&"checkpoint".to_owned()) {
                device.remove("checkpoint").unwrap();
            }
            for file in segments(&device) {
                for length in 0..device.content(&file).len() {
                    let altered = device.altered(&file, |bytes| bytes.truncate(length));
                    tells_the_truth(&altered, &records, true);
                }
            }
        }
    }
}

#[test]
fn damage_before_a_later_group_is_refused_and_names_the_repository() {
    // All in one segment, so that nothing but the groups tell.
    let options = crate::storage::local::LocalOptions::default();
    let device = CrashDevice::new();
    let storage = LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &options).unwrap();
    let mut author = Author::default();
    let records: Vec<Record> = ["a", "hit", "c"]
        .into_iter()
        .map(|name| {
            let commit = author.publish(name, 100);
            committed(&storage, commit.clone());
            commit.record
        })
        .collect();
    drop(storage);
    let file = segments(&device).pop().unwrap();
    let content = device.content(&file);
    let place = |record: &Record| {
        let needle = &record.documents[0].bytes;
        content.windows(needle.len()).position(|window| window == &**needle).unwrap()
    };
    let altered = device.altered(&file, |bytes| bytes[place(&records[1])] ^= 1);
    let refused = open(&altered).err();
    let Some(StorageError::Corrupt { repository: Some(repository), .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(repository.as_str(), "hit");
    // The very last group after an unclean end cannot be told from a torn write.
    let altered = device.altered(&file, |bytes| bytes[place(&records[2])] ^= 1);
    holds_exactly(&open(&altered).unwrap(), &records[..2]);
}

#[test]
fn a_missing_swapped_or_older_segment_is_refused() {
    let (device, _) = store(true);
    let (other_store, _) = store(true);
    let names = segments(&device);
    for checkpoint in [true, false] {
        if !checkpoint {
            device.remove("checkpoint").unwrap();
        }
        let copy = || device.altered(&names[0], |_| {});
        for (number, name) in names.iter().enumerate() {
            let missing = copy();
            missing.remove(name).unwrap();
            let refused = open(&missing).err();
            assert!(
                matches!(refused, Some(StorageError::Corrupt { .. } | StorageError::LostRecords { .. })),
                "{name}: {refused:?}"
            );
            let another = device.content(&names[(number + 1) % names.len()]);
            for other in [another, other_store.content(name)] {
                let refused = open(&device.altered(name, |bytes| *bytes = other)).err();
                assert!(matches!(refused, Some(StorageError::Corrupt { .. })), "{name}: {refused:?}");
            }
        }
    }
}

#[test]
fn an_older_copy_of_the_newest_segment_is_refused_by_the_checkpoint() {
    let device = CrashDevice::new();
    let options = crate::storage::local::LocalOptions::default();
    let storage = LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &options).unwrap();
    let mut author = Author::default();
    committed(&storage, author.publish("a", 10));
    let name = segments(&device).pop().unwrap();
    let older = device.content(&name);
    committed(&storage, author.publish("a", 10));
    storage.close().unwrap();
    assert_eq!(segments(&device).pop().unwrap(), name);
    let altered = device.altered(&name, |bytes| *bytes = older);
    let names = altered.list().unwrap();
    let refused = open(&altered).err();
    assert!(matches!(refused, Some(StorageError::LostRecords { .. })), "{refused:?}");
    // And nothing was written over it: with the right segment it opens.
    assert_eq!(altered.list().unwrap(), names);
}

#[test]
fn a_newer_format_is_named_as_such() {
    let (device, _) = store(true);
    let newer = |bytes: &mut Vec<u8>, checked: usize| {
        bytes[8] = 9;
        let digest = blake3::hash(&bytes[..checked]);
        bytes[checked..checked + 32].copy_from_slice(digest.as_bytes());
    };
    let name = segments(&device).pop().unwrap();
    let refused = open(&device.altered(&name, |bytes| newer(bytes, 128))).err();
    assert!(matches!(refused, Some(StorageError::NewerFormat { found: 9, supported: 3, .. })), "{refused:?}");
    let length = device.content("checkpoint").len();
    let refused = open(&device.altered("checkpoint", |bytes| newer(bytes, length - 32))).err();
    assert!(matches!(refused, Some(StorageError::NewerFormat { found: 9, supported: 1, .. })), "{refused:?}");
}
