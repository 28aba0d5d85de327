//! A journal that is kept twice survives power cuts at any operation on either disk, and the loss of either.

use std::sync::Arc;

use super::crash::{CrashDevice, Fault, Loss};
use super::{Author, SMALL, committed, damages, holds_exactly};
use crate::storage::device::{Device as _, TwinDevice};
use crate::storage::local::LocalStorage;
use crate::storage::local::index::Behind;
use crate::storage::local::journal::Journal;
use crate::storage::local::journal::twins::{Copy, heal};
use crate::storage::local::twins::Twins;
use crate::storage::{Discard, Outcome, Record, RecordHeader, Storage, StorageError};
use crate::terms::Position;

const LOSSES: [Loss; 4] =
    [Loss::All, Loss::None, Loss::Some { piece: 512, seed: 1 }, Loss::Some { piece: 4096, seed: 2 }];

fn open(one: &CrashDevice, other: &CrashDevice) -> Result<LocalStorage, StorageError> {
    heal(&Copy { device: one, name: "one" }, &Copy { device: other, name: "other" })?;
    // As whoever opens both does with what is only an aid.
    for device in [one, other] {
        crate::storage::local::checkpoint::discard(device)?;
    }
    let device = TwinDevice::new(Arc::new(one.clone()), Arc::new(other.clone()));
    LocalStorage::on_device(Arc::new(device), Behind::in_memory(), &SMALL)
}

#[derive(Default)]
struct Told {
    acknowledged: Vec<Record>,
    unknown: Vec<Record>,
}

impl Told {
    fn kept_by(&self, storage: &LocalStorage, case: &str) {
        let count = usize::try_from(storage.end().get()).unwrap();
        let whole = self.acknowledged.len() + self.unknown.len();
        assert!(count == self.acknowledged.len() || count == whole, "{case}: {count} of {whole}");
        holds_exactly(storage, self.acknowledged.iter().chain(&self.unknown).take(count));
    }
}

/// Publications, a deletion, a kill, a compaction, a clean close: until a disk fails or all is done.
fn work(one: &CrashDevice, other: &CrashDevice) -> Told {
    let mut told = Told::default();
    let mut author = Author::default();
    for round in 0..3 {
        let Ok(storage) = open(one, other) else { return told };
        for length in [40, 700, 1_500] {
            let commit = author.publish(["a", "b", "c"][round], length);
            match super::commit(&storage, vec![commit.clone()]).as_slice() {
                [Outcome::Committed(_)] => told.acknowledged.push(commit.record),
                [Outcome::Refused(_)] => return told,
                [Outcome::Unknown(_)] => {
                    told.unknown.push(commit.record);
                    return told;
                }
                outcomes => panic!("{outcomes:?}"),
            }
        }
        if round == 1 && storage.close().is_err() {
            return told;
        }
    }
    told
}

#[test]
fn a_power_cut_at_any_operation_on_either_disk_loses_nothing() {
    for which in [0, 1] {
        for operation in 1.. {
            let devices = [CrashDevice::new(), CrashDevice::new()];
            devices[which].set_fault(operation, Fault::PowerCut);
            let told = work(&devices[0], &devices[1]);
            for (number, loss) in LOSSES.into_iter().enumerate() {
                // The one disk loses something else than the other.
                let left = [devices[0].after_power_cut(loss), devices[1].after_power_cut(LOSSES[3 - number])];
                let case = format!("disk {which}, operation {operation}, {loss:?}");
                let storage = open(&left[0], &left[1]).unwrap_or_else(|error| panic!("{case}: {error}"));
                told.kept_by(&storage, &case);
                assert_eq!(damages(&storage), [], "{case}");
                committed(&storage, Author::default().publish("later", 50));
            }
            // Either disk alone has all of it, too.
            for (lost, kept) in [(CrashDevice::new(), 1), (CrashDevice::new(), 0)] {
                let kept = devices[kept].after_power_cut(Loss::All);
                let case = format!("disk {which}, operation {operation}, one disk is new");
                let storage = open(&lost, &kept).unwrap_or_else(|error| panic!("{case}: {error}"));
                told.kept_by(&storage, &case);
            }
            if !devices[which].met_fault() {
                assert!(operation > 40, "{operation}");
                break;
            }
        }
    }
}

#[test]
fn a_power_cut_while_one_disk_is_healed_from_the_other_loses_nothing() {
    let devices = [CrashDevice::new(), CrashDevice::new()];
    let told = work(&devices[0], &devices[1]);
    let whole = devices[1].after_power_cut(Loss::All);
    for operation in 1.. {
        let fresh = CrashDevice::new();
        let source = whole.after_power_cut(Loss::All);
        fresh.set_fault(operation, Fault::PowerCut);
        let healed = heal(&Copy { device: &fresh, name: "one" }, &Copy { device: &source, name: "other" });
        assert_eq!(healed.is_err(), fresh.met_fault());
        for loss in LOSSES {
            let case = format!("operation {operation}, {loss:?}");
            let storage = open(&fresh.after_power_cut(loss), &source.after_power_cut(loss)).unwrap();
            told.kept_by(&storage, &case);
        }
        if !fresh.met_fault() {
            assert!(operation > 5, "{operation}");
            return;
        }
    }
}

#[test]
fn a_group_that_is_damaged_in_both_is_made_whole_record_by_record() {
    let devices = [CrashDevice::new(), CrashDevice::new()];
    let storage = open(&devices[0], &devices[1]).unwrap();
    let mut author = Author::default();
    let group: Vec<_> = ["a", "b", "c"].into_iter().map(|name| author.publish(name, 200)).collect();
    let records: Vec<_> = group.iter().map(|commit| commit.record.clone()).collect();
    assert!(super::commit(&storage, group).iter().all(|outcome| matches!(outcome, Outcome::Committed(_))));
    // Something after it, so that it is no torn end.
    let last = author.publish("d", 10);
    committed(&storage, last.clone());
    drop(storage);
    let needle = |record: &Record| record.documents[0].bytes[..32].to_vec();
    let name = devices[0].list().unwrap().into_iter().find(|name| name.ends_with("1.segment")).unwrap();
    let content = devices[0].content(&name);
    let place = |record: &Record| {
        let needle = needle(record);
        content.windows(needle.len()).position(|window| window == needle).unwrap()
    };
    let [first, second, third] = [&records[0], &records[1], &records[2]].map(place);
    let altered = [
        devices[0].altered(&name, |bytes| bytes[first] ^= 1),
        devices[1].altered(&name, |bytes| bytes[third] ^= 1),
    ];
    let storage = open(&altered[0], &altered[1]).unwrap();
    holds_exactly(&storage, records.iter().chain([&last.record]));
    assert_eq!(damages(&storage), []);
    drop(storage);
    assert_eq!(altered[0].content(&name), altered[1].content(&name));
    // The same record in both is lost, and no other.
    let altered = [
        devices[0].altered(&name, |bytes| [first, second].iter().for_each(|at| bytes[*at] ^= 1)),
        devices[1].altered(&name, |bytes| [second, third].iter().for_each(|at| bytes[*at] ^= 1)),
    ];
    assert!(matches!(open(&altered[0], &altered[1]), Err(StorageError::Corrupt { .. })));
    for device in &altered {
        let salvaged = Journal::salvage(Arc::new(device.clone())).unwrap();
        let whole: Vec<_> = salvaged.headers.iter().map(|header| header.position.get()).collect();
        assert_eq!(whole, [1, 3, 4]);
    }
    let altered = [0, 1].map(|number: usize| devices[number].altered(&name, |bytes| bytes[first] ^= 1));
    assert!(matches!(open(&altered[0], &altered[1]), Err(StorageError::Corrupt { .. })));
}

#[test]
fn a_disk_that_fails_while_a_segment_is_written_anew_leaves_one_state_of_it_or_a_store_that_takes_no_more() {
    // Of one repository everything may be dropped, of the others nothing.
    let may = |header: &RecordHeader| match header.repository.as_str() {
        "gone" => Discard::all(header),
        _ => Discard { documents: Vec::new(), attachment: false },
    };
    let stands = |storage: &LocalStorage, kept: &[(Position, Record)], case: &str| {
        for (position, record) in kept {
            assert!(super::same(&storage.record(*position).unwrap(), record), "{case}: {position}");
        }
    };
    let (mut halted, mut went_on) = (0, 0);
    for which in [0, 1] {
        for operation in 1.. {
            let case = format!("disk {which}, operation {operation}");
            let devices = [CrashDevice::new(), CrashDevice::new()];
            let storage = open(&devices[0], &devices[1]).unwrap();
            let mut author = Author::default();
            let mut kept = Vec::new();
            for round in 0..4 {
                committed(&storage, author.publish("gone", 900 + round));
                let commit = author.publish("a", 300);
                kept.push((committed(&storage, commit.clone()), commit.record));
            }
            devices[which].set_fault(operation, Fault::Error);
            let compacted = storage.compact(&may, 100, &mut |_, _| true);
            if !devices[which].met_fault() {
                assert!(compacted.unwrap() > 1_000 && operation > 20, "{case}");
                break;
            }
            stands(&storage, &kept, &case);
            let later = author.publish("a", 60);
            match super::commit(&storage, vec![later.clone()]).as_slice() {
                [Outcome::Committed(position)] => {
                    went_on += 1;
                    kept.push((*position, later.record));
                    storage.compact(&may, 100, &mut |_, _| true).unwrap();
                    stands(&storage, &kept, &case);
                    assert_eq!(damages(&storage), [], "{case}");
                }
                [Outcome::Unknown(StorageError::Halted)] => halted += 1,
                outcomes => panic!("{case}: {outcomes:?}"),
            }
            drop(storage);
            for loss in LOSSES {
                let left = [0, 1].map(|number: usize| devices[number].after_power_cut(loss));
                let alone = CrashDevice::new();
                for pair in [[&left[0], &left[1]], [&left[0], &alone], [&CrashDevice::new(), &left[1]]] {
                    let storage = open(pair[0], pair[1]).unwrap_or_else(|error| panic!("{case}: {error}"));
                    stands(&storage, &kept, &case);
                    assert_eq!(damages(&storage), [], "{case}");
                }
            }
        }
    }
    assert!(halted > 0 && went_on > 10, "{halted} {went_on}");
}

#[test]
fn a_scrub_of_a_store_that_takes_no_more_breaks_no_reading() {
    let may = |header: &RecordHeader| match header.repository.as_str() {
        "gone" => Discard::all(header),
        _ => Discard { documents: Vec::new(), attachment: false },
    };
    let mut halted = 0;
    for which in [0, 1] {
        for operation in 1.. {
            let case = format!("disk {which}, operation {operation}");
            let devices = [CrashDevice::new(), CrashDevice::new()];
            let mut storage = open(&devices[0], &devices[1]).unwrap();
            let [first, second] = devices.clone().map(Arc::new);
            storage.twins = Some(Twins::of(first, second));
            let mut author = Author::default();
            let mut kept = Vec::new();
            for round in 0..4 {
                committed(&storage, author.publish("gone", 900 + round));
                let commit = author.publish("a", 300);
                kept.push((committed(&storage, commit.clone()), commit.record));
            }
            devices[which].set_fault(operation, Fault::Error);
            let compacted = storage.compact(&may, 100, &mut |_, _| true);
            if !devices[which].met_fault() {
                compacted.unwrap();
                break;
            }
            halted += u32::from(!storage.journal.takes_writes());
            for _ in 0..2 {
                assert_eq!(damages(&storage), [], "{case}");
                for (position, record) in &kept {
                    assert!(super::same(&storage.record(*position).unwrap(), record), "{case}: {position}");
                }
            }
        }
    }
    assert!(halted > 0);
}

#[test]
fn two_journals_are_compared_segment_by_segment_and_in_between_others_go_on_or_it_stops() {
    let devices = [CrashDevice::new(), CrashDevice::new()];
    let mut author = Author::default();
    let storage = open(&devices[0], &devices[1]).unwrap();
    for length in [40, 700, 1_500, 3_000] {
        committed(&storage, author.publish("a", length));
    }
    storage.close().unwrap();
    drop(storage);
    let mut names = devices[0].list().unwrap();
    names.retain(|name| name.ends_with(".segment"));
    names.sort();
    let [_, second, ..] = names.as_slice() else { panic!("{names:?}") };
    let whole = devices[1].content(second);
    let mut storage = open(&devices[0], &devices[1]).unwrap();
    let damaged = devices[1].altered(second, |bytes| bytes[300] ^= 1);
    storage.twins = Some(Twins::of(Arc::new(devices[0].clone()), Arc::new(damaged.clone())));
    // It is stopped after the first.
    let mut asked = 0;
    let finished = storage.verify(
        &mut |_, _| {
            asked += 1;
            assert!(storage.compacting.try_lock().is_some());
            false
        },
        &mut |damage| panic!("{damage:?}"),
    );
    assert!(!finished.unwrap() && asked == 1);
    assert!(damaged.content(second) != whole);
    assert_eq!(damages(&storage), []);
    assert!(damaged.content(second) == whole);
}
