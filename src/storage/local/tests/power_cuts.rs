//! A store survives a power cut at any point, and another one while it recovers.

use std::sync::Arc;

use super::crash::{CrashDevice, Fault, Loss};
use super::{Author, SMALL, damages, holds_exactly};
use crate::storage::device::Device;
use crate::storage::local::LocalStorage;
use crate::storage::local::index::Behind;
use crate::storage::{Commit, Outcome, Record, Storage, StorageError};

const LOSSES: [Loss; 8] = [
    Loss::All,
    Loss::None,
    Loss::Some { piece: 64, seed: 1 },
    Loss::Some { piece: 512, seed: 2 },
    Loss::Some { piece: 512, seed: 3 },
    Loss::Some { piece: 4096, seed: 4 },
    Loss::Some { piece: 4096, seed: 5 },
    Loss::Some { piece: 4096, seed: 6 },
];

/// What a workload has been told by the store.
#[derive(Clone, Default)]
struct Told {
    acknowledged: Vec<Record>,
    /// One group whose outcome is not known.
    unknown: Vec<Record>,
    /// The last thing was a close, and it returned `Ok`.
    closed: bool,
}

impl Told {
    fn all(&self) -> impl Iterator<Item = &Record> {
        self.acknowledged.iter().chain(&self.unknown)
    }

    /// The store holds what was acknowledged, and of the rest all or nothing. How many records that are.
    fn kept_by(&self, storage: &LocalStorage) -> usize {
        let count = usize::try_from(storage.end().get()).unwrap();
        let whole = self.acknowledged.len() + self.unknown.len();
        assert!(count == self.acknowledged.len() || count == whole, "{count} of {whole}");
        holds_exactly(storage, self.all().take(count));
        count
    }
}

fn open(device: &CrashDevice) -> Result<LocalStorage, StorageError> {
    LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &SMALL)
}

/// Several repositories, a deletion and a new life, segments that fill up, checkpoints, closes and a kill: until the device
/// fails or all is done.
fn work(device: &CrashDevice) -> Told {
    let mut told = Told::default();
    let mut author = Author::default();
    let commit = |told: &mut Told, storage: &LocalStorage, group: Vec<Commit>| {
        told.closed = false;
        let records: Vec<Record> = group.iter().map(|commit| commit.record.clone()).collect();
        let outcomes = super::commit(storage, group);
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_))) {
            told.acknowledged.extend(records);
            return true;
        }
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Refused(_))) {
            // Nothing was written: what comes next is taken, unless nothing works any more.
            let another = Author::default().publish("e", 10);
            let outcomes = super::commit(storage, vec![another.clone()]);
            match outcomes.as_slice() {
                [Outcome::Committed(_)] => told.acknowledged.push(another.record),
                [_] => assert!(device.is_cut(), "{outcomes:?}"),
                _ => panic!("{outcomes:?}"),
            }
            return false;
        }
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Unknown(_))), "{outcomes:?}");
        told.unknown = records;
        // Halted: nothing more is taken, and nothing is sealed.
        let operations = device.operations();
        let again = super::commit(storage, vec![Author::default().publish("other", 1)]);
        assert!(matches!(again[0], Outcome::Unknown(StorageError::Halted)), "{again:?}");
        assert!(matches!(storage.close(), Err(StorageError::Halted)));
        assert_eq!(device.operations(), operations);
        false
    };
    let Ok(storage) = open(device) else { return told };
    for group in [
        vec![author.publish("a", 30), author.publish("b", 20)],
        vec![author.publish("a", 300)],
        vec![author.delete("b")],
        vec![author.publish("c", 2_500), author.publish("a", 20)],
        vec![author.publish("b", 10)],
    ] {
        if !commit(&mut told, &storage, group) {
            return told;
        }
    }
    if storage.close().is_err() {
        return told;
    }
    told.closed = true;
    let Ok(storage) = open(device) else { return told };
    for group in [vec![author.publish("a", 1_500)], vec![author.publish("c", 10), author.publish("d", 700)]] {
        if !commit(&mut told, &storage, group) {
            return told;
        }
    }
    drop(storage);
    let Ok(storage) = open(device) else { return told };
    if !commit(&mut told, &storage, vec![author.publish("d", 40)]) {
        return told;
    }
    drop(storage);
    let Ok(storage) = open(device) else { return told };
    told.closed = storage.close().is_ok();
    told
}

/// Runs `then` with the device after each operation of the workload met a fault.
fn at_every_operation(fault: Fault, then: impl Fn(u64, &CrashDevice, &Told)) {
    for operation in 1.. {
        let device = CrashDevice::new();
        device.set_fault(operation, fault);
        let told = work(&device);
        then(operation, &device, &told);
        if !device.met_fault() {
            assert!(operation > 60, "the workload became too short: {operation}");
            return;
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    at_every_operation(Fault::PowerCut, |operation, device, told| {
        for loss in LOSSES {
            let left = device.after_power_cut(loss);
            let storage = open(&left).unwrap_or_else(|error| panic!("{operation} {loss:?}: {error}"));
            told.kept_by(&storage);
            assert_eq!(damages(&storage), []);
            let mut records: Vec<Record> =
                told.all().take(usize::try_from(storage.end().get()).unwrap()).cloned().collect();
            let more = Author::default().publish("later", 50);
            super::committed(&storage, more.clone());
            records.push(more.record);
            let storage = open(&left.after_power_cut(Loss::All)).unwrap();
            holds_exactly(&storage, &records);
        }
    });
}

#[test]
fn a_power_cut_at_any_operation_of_the_recovery_loses_nothing_either() {
    const AGAIN: [Loss; 4] =
        [Loss::All, Loss::None, Loss::Some { piece: 512, seed: 7 }, Loss::Some { piece: 4096, seed: 8 }];
    at_every_operation(Fault::PowerCut, |operation, device, told| {
        for loss in [LOSSES[0], LOSSES[1], LOSSES[3]] {
            for second in 1.. {
                let left = device.after_power_cut(loss);
                left.set_fault(second, Fault::PowerCut);
                let opened = open(&left);
                let done = !left.met_fault();
                // Some operations are an aid only, and the open goes on without them.
                drop(opened);
                for again in AGAIN {
                    let storage = open(&left.after_power_cut(again))
                        .unwrap_or_else(|error| panic!("{operation} {loss:?} {second} {again:?}: {error}"));
                    told.kept_by(&storage);
                }
                if done {
                    break;
                }
            }
        }
    });
}

#[test]
fn what_was_once_served_survives_a_power_cut_whatever_the_page_cache_held() {
    for fault in [Fault::PowerCut, Fault::Error] {
        at_every_operation(fault, |operation, device, told| {
            // The process ends, the machine does not: what was written can be read, durable or not.
            let device = device.next_process();
            let storage = open(&device).unwrap_or_else(|error| panic!("{fault:?} {operation}: {error}"));
            let served = told.kept_by(&storage);
            let mut records: Vec<Record> = told.all().take(served).cloned().collect();
            let survives = |records: &[Record]| {
                for loss in LOSSES {
                    let storage = open(&device.after_power_cut(loss))
                        .unwrap_or_else(|error| panic!("{fault:?} {operation} {loss:?}: {error}"));
                    holds_exactly(&storage, records);
                }
            };
            survives(&records);
            let mut author = Author::default();
            for length in [50, 900] {
                let more = author.publish("later", length);
                super::committed(&storage, more.clone());
                records.push(more.record);
                survives(&records);
            }
        });
    }
}

#[test]
fn after_a_close_seal_cut_and_checkpoint_are_durable() {
    let device = CrashDevice::new();
    let told = work(&device);
    assert!(told.closed);
    let left = device.after_power_cut(Loss::All);
    let newest = left.list().unwrap().into_iter().rfind(|name| name.ends_with(".segment")).unwrap();
    for name in [newest.as_str(), "checkpoint"] {
        assert_eq!(left.content(name), device.content(name), "{name}");
    }
    // Nothing has to be recovered, so nothing is written.
    let storage = open(&left).unwrap();
    assert_eq!(left.operations(), 0);
    storage.close().unwrap();
    assert_eq!(left.operations(), 0);
}
