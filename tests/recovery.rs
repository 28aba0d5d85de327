//! What a crash, a failing disk or a lost file leaves of a store.
//!
//! The usual run takes a sample of the longest rows of cases; with `TUFSTORE_LONG=1` all are run.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "recovery/repair.rs"]
mod repair;
#[path = "recovery/twins.rs"]
mod twins;
#[path = "recovery/workload.rs"]
mod workload;

use tufstore::storage::device::Device;
use tufstore::terms::{Position, RepositoryName};
use tufstore::{PublishError, StorageError, Store, Upload};
use tufstore_testkit::device::{CrashDevice, Fault, Refusal, Survival};
use tufstore_testkit::{NOW, Publisher, copy};

use workload::{Everything, Played, Step, WORKLOAD, everything, open, options};

fn long() -> bool {
    std::env::var_os("TUFSTORE_LONG").is_some_and(|value| value == "1")
}

/// Each kind of survival, with so many seeds.
fn survivals(seeds: u64) -> Vec<Survival> {
    let seeded = (1..=seeds).flat_map(|seed| {
        [512, 4_096].into_iter().flat_map(move |piece| {
            [Survival::Torn { piece, seed }, Survival::Reordered { piece, seed: seed + 1_000 }]
        })
    });
    [Survival::Dropped, Survival::Kept].into_iter().chain(seeded).collect()
}

/// Opens what is left, and finds the state after what was acknowledged, or the one after the step that was under way.
/// Which.
#[track_caller]
fn recovered(left: &CrashDevice, done: usize, case: &str) -> (Store, usize) {
    let store = open(left).unwrap_or_else(|error| panic!("{case}: {error} ({error:?})"));
    let found = everything(&store);
    let state = (done..=done + 1).find(|at| WORKLOAD.is_at(*at, &found));
    (store, state.unwrap_or_else(|| panic!("{case}: after {done} steps there is neither: {found:#?}")))
}

/// Lets the workload meet the fault at each operation, and then `then` look at it.
fn at_every_operation(fault: Fault, then: impl Fn(u64, &CrashDevice, Played)) {
    for operation in 1.. {
        let device = CrashDevice::new();
        device.set_fault(operation, fault);
        let played = WORKLOAD.play(&device, 0);
        if !device.met_fault() {
            assert_eq!(played.done, WORKLOAD.steps.len());
            assert_eq!(everything(&played.store.unwrap()), *WORKLOAD.last());
            assert!(operation > 60, "the workload became too short: {operation}");
            return;
        }
        then(operation, &device, played);
    }
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_set_or_the_new_never_a_mix() {
    let survivals = survivals(if long() { 16 } else { 1 });
    at_every_operation(Fault::PowerCut, |operation, device, played| {
        // What was not acknowledged was answered with an error, unless only a checkpoint was lost.
        assert!(played.end.is_err() || played.done == WORKLOAD.steps.len(), "{operation}");
        drop(played.store);
        for survival in &survivals {
            let case = format!("operation {operation}, {survival:?}");
            let left = device.after_power_cut(*survival);
            let (store, state) = recovered(&left, played.done, &case);
            // It takes what comes next, and that is durable, too.
            let Some(step) = WORKLOAD.steps.get(state) else { continue };
            step.apply(&store).unwrap();
            let found = everything(&open(&left.after_power_cut(Survival::Dropped)).unwrap());
            let next = &WORKLOAD.states[state + 1];
            assert!(found == *next, "{case}: {found:#?}");
        }
    });
}

#[test]
fn a_crash_at_any_operation_of_the_recovery_leaves_the_same() {
    let sample = if long() { 1 } else { 11 };
    let first = survivals(1);
    let again = survivals(if long() { 2 } else { 1 });
    at_every_operation(Fault::PowerCut, |operation, device, played| {
        drop(played.store);
        if operation % sample != 0 {
            return;
        }
        let first = if long() { &first[..] } else { &first[usize::try_from(operation).unwrap() % 3..][..1] };
        for survival in first {
            // The recovery, the next step and a clean close.
            for second in 1.. {
                let left = device.after_power_cut(*survival);
                left.set_fault(second, Fault::PowerCut);
                let mut done = played.done;
                if let Ok(store) = open(&left) {
                    done = usize::from(store.position() > position(&WORKLOAD.states[done])) + done;
                    let next = WORKLOAD.steps.get(done);
                    done += usize::from(next.is_some_and(|step| step.apply(&store).is_ok()));
                    drop(store);
                }
                for survival in &again {
                    let case = format!("operation {operation}, then {second}, {survival:?}");
                    recovered(&left.after_power_cut(*survival), done, &case);
                }
                if !left.met_fault() {
                    // Where the step was the closing, there may be nothing left to do.
                    let closing = matches!(WORKLOAD.steps.get(played.done), None | Some(Step::Reopen));
                    assert!(second > 3 || closing, "{second}");
                    break;
                }
            }
        }
    });
}

fn position(state: &Everything) -> Position {
    state.observed.position
}

#[test]
fn a_crash_under_many_publishers_leaves_each_what_it_was_told() {
    const REPOSITORIES: usize = 6;
    let names: Vec<_> = (0..REPOSITORIES).map(|number| format!("example.com/{number}")).collect();
    for operation in (2..).step_by(if long() { 1 } else { 2 }) {
        let device = CrashDevice::new();
        let store = open(&device).unwrap();
        device.set_fault(operation, Fault::PowerCut);
        let told = std::thread::scope(|scope| {
            let publish = |name: &String| {
                let (store, name) = (&store, name.clone());
                scope.spawn(move || {
                    let mut publisher = Publisher::for_store(&name, store);
                    (1..=4).take_while(|_| publisher.publish(store).is_ok()).count()
                })
            };
            let publishers: Vec<_> = names.iter().map(publish).collect();
            publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect::<Vec<_>>()
        });
        drop(store);
        for survival in survivals(1) {
            let case = format!("operation {operation}, {survival:?}");
            let store = open(&device.after_power_cut(survival)).unwrap();
            let found = everything(&store).observed;
            for (name, told) in names.iter().zip(&told) {
                let theirs = found.repositories.get(name.as_str());
                let revision = theirs.map_or(0, |theirs| theirs.revision.get());
                let told = u64::try_from(*told).unwrap();
                assert!((told..=told + 1).contains(&revision), "{case}: {revision} after {told} of {name}");
            }
        }
        if !device.met_fault() {
            assert!(operation > 10, "{operation}");
            return;
        }
    }
}

/// After an operation failed: the store says so, takes no more unless nothing of it was written, reads on; and the next process finds what was
/// acknowledged, which from then on no power cut can take away.
fn fails_honestly(fault: Fault) {
    at_every_operation(fault, |operation, device, played| {
        let case = format!("operation {operation}, {fault:?}");
        let Played { done, end, store } = played;
        match &end {
            Err(StorageError::Io { source, .. }) => {
                let (Fault::Once(refusal) | Fault::FromThen(refusal)) = fault else { panic!("{fault:?}") };
                assert_eq!(source.raw_os_error(), refusal.error().raw_os_error(), "{case}");
            }
            // Only what is an aid may fail silently.
            Ok(()) => assert_eq!(done, WORKLOAD.steps.len(), "{case}"),
            Err(error) => panic!("{case}: {error:?}"),
        }
        if let (Some(store), Err(_)) = (&store, &end) {
            assert!(WORKLOAD.is_at(done, &everything(store)), "{case}");
            if !matches!(WORKLOAD.steps[done], Step::Reopen) {
                if store.status().is_ok_and(|status| status.takes_writes) {
                    // There was no room for it, say: nothing was written, and once there is room, it goes on.
                    let again = WORKLOAD.steps[done].apply(store);
                    assert_eq!(again.is_ok(), matches!(fault, Fault::Once(_)), "{case}: {again:?}");
                    let now = done + usize::from(again.is_ok());
                    assert!(WORKLOAD.is_at(now, &everything(store)), "{case}");
                } else {
                    takes_no_more(store, device, &case);
                }
            }
        }
        drop(store);
        let next = device.next_process();
        let (store, state) = recovered(&next, done, &case);
        for survival in [Survival::Dropped, Survival::Reordered { piece: 512, seed: operation }] {
            let left = open(&device.after_power_cut(survival)).unwrap();
            assert!(WORKLOAD.is_at(state, &everything(&left)), "{case}, {survival:?}");
        }
        if let Some(step) = WORKLOAD.steps.get(state) {
            step.apply(&store).unwrap();
        }
    });
}

fn takes_no_more(store: &Store, device: &CrashDevice, case: &str) {
    let operations = device.operations();
    let name: RepositoryName = "example.com/first".parse().unwrap();
    if store.view(&name).unwrap().is_some() {
        let refused = store.publish(&name, &Upload::new(), NOW);
        assert!(matches!(refused, Err(PublishError::Storage(StorageError::Halted))), "{case}: {refused:?}");
        let refused = store.delete(&name, NOW);
        assert!(refused.is_err(), "{case}: {refused:?}");
    }
    assert!(matches!(store.close(), Err(StorageError::Halted)), "{case}");
    assert_eq!(device.operations(), operations, "{case}: it was not left alone");
}

#[test]
fn an_operation_that_fails_once_stops_the_store_or_a_publication_and_loses_nothing_acknowledged() {
    fails_honestly(Fault::Once(Refusal::Broken));
}

#[test]
fn no_room_for_one_operation_stops_the_store_or_a_publication_and_loses_nothing_acknowledged() {
    fails_honestly(Fault::Once(Refusal::Full));
}

#[test]
fn a_full_disk_stops_the_store_or_a_publication_and_loses_nothing_acknowledged() {
    fails_honestly(Fault::FromThen(Refusal::Full));
}

#[test]
fn a_reading_that_fails_is_an_error_and_never_another_answer() {
    let device = CrashDevice::new();
    let played = WORKLOAD.play(&device, 0);
    drop(played.store);
    let known = WORKLOAD.last();
    for reading in (1..).step_by(if long() { 1 } else { 3 }) {
        let left = device.after_power_cut(Survival::Kept);
        left.set_reading_fault(reading, Refusal::Broken);
        match open(&left) {
            Err(StorageError::Io { .. }) => {}
            Err(error) => panic!("{reading}: {error:?}"),
            Ok(store) => {
                answers_or_errs(&store, known, reading);
                if left.met_fault() {
                    assert_eq!(everything(&store), *known, "{reading}: what failed once is read again");
                }
            }
        }
        let met = left.met_fault();
        assert_eq!(everything(&open(&left.next_process()).unwrap()), *known, "{reading}");
        if !met {
            assert!(reading > 30, "{reading}");
            return;
        }
    }
}

/// Each answer is right, or an error of reading.
fn answers_or_errs(store: &Store, known: &Everything, reading: u64) {
    let fails = |error: &StorageError| assert!(matches!(error, StorageError::Io { .. }), "{error:?}");
    assert_eq!(store.position(), known.observed.position);
    assert_eq!(store.repositories(), known.observed.repositories.keys().cloned().collect::<Vec<_>>());
    match store.changes(Position::START).collect::<Result<Vec<_>, _>>() {
        Ok(feed) => assert_eq!(feed, known.observed.feed, "{reading}"),
        Err(error) => fails(&error),
    }
    for (name, theirs) in &known.observed.repositories {
        for (tag, answer) in &theirs.lookups {
            match store.lookup(name.as_str(), tag, NOW) {
                Ok(found) => assert_eq!(found, *answer, "{reading}: {tag} of {name}"),
                Err(error) => fails(&error),
            }
        }
        match store.view(name) {
            Ok(view) => assert_eq!(view.unwrap().position(), theirs.position, "{reading}: {name}"),
            Err(error) => fails(&error),
        }
        for (entry, there) in &known.documents[name] {
            match store.history(name, &entry.role, entry.sha256) {
                Ok(found) => assert_eq!(found.is_some(), *there, "{reading}: {} of {name}", entry.role),
                Err(error) => fails(&error),
            }
        }
    }
}

/// The newest segment's name.
fn newest(device: &CrashDevice) -> String {
    device.list().unwrap().into_iter().filter(|name| name.ends_with(".segment")).max().unwrap()
}

/// Opens as one of the states of the workload, or is refused.
#[track_caller]
fn opens_as_a_prefix(left: &CrashDevice, case: &str) -> Option<usize> {
    match open(left) {
        Ok(store) => {
            let found = everything(&store);
            let state = (0..WORKLOAD.states.len()).position(|at| WORKLOAD.is_at(at, &found));
            Some(state.unwrap_or_else(|| panic!("{case}: {found:#?}")))
        }
        Err(StorageError::Corrupt { .. } | StorageError::LostRecords { .. }) => None,
        Err(error) => panic!("{case}: {error:?}"),
    }
}

#[test]
fn every_part_of_the_last_segment_opens_as_a_prefix_or_is_refused() {
    let device = CrashDevice::new();
    let played = WORKLOAD.play(&device, 0);
    let unclean = device.after_power_cut(Survival::Kept);
    played.store.unwrap().close().unwrap();
    let without_checkpoint = device.after_power_cut(Survival::Kept);
    without_checkpoint.remove("checkpoint").unwrap();
    let mut prefixes = std::collections::BTreeSet::new();
    for (kind, device) in [("unclean", &unclean), ("closed", &device), ("no checkpoint", &without_checkpoint)]
    {
        let name = newest(device);
        let content = device.content(&name).unwrap();
        let used = content.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let step = if long() { 7 } else { 211 };
        let lengths = (0..used).step_by(step).chain((used.saturating_sub(20)..used).step_by(3));
        for length in lengths.chain([used, content.len()]) {
            let cut = device.altered(&name, |bytes| bytes.truncate(length)).unwrap();
            let blank = device.altered(&name, |bytes| bytes[length..].fill(0)).unwrap();
            for (how, left) in [("cut", cut), ("blank", blank)] {
                let case = format!("{kind}, {how} from {length} on");
                let state = opens_as_a_prefix(&left, &case);
                if length == content.len() {
                    assert!(state.is_some(), "{case}");
                }
                if kind == "closed" {
                    // The checkpoint knows how far it went.
                    assert!(state.is_none_or(|state| WORKLOAD.states[state] == *WORKLOAD.last()), "{case}");
                }
                prefixes.extend(state);
            }
        }
    }
    assert!(prefixes.len() >= 2, "{prefixes:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "files are lost behind the store's back")]
fn a_store_without_its_index_or_its_checkpoint_opens_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let store = WORKLOAD.play_in(&live);
    assert_eq!(everything(&store), *WORKLOAD.last());
    let killed = folder.path().join("killed");
    copy(&live.join("journal"), &killed.join("journal"));
    store.close().unwrap();
    drop(store);
    for (from, original) in [("closed", &live), ("killed", &killed)] {
        for (index, checkpoint) in [(true, true), (false, true), (true, false), (false, false)] {
            let case = format!("{from} with index {index}, checkpoint {checkpoint}");
            let copied = folder.path().join(&case);
            copy(original, &copied);
            if !index && copied.join("index").exists() {
                std::fs::remove_dir_all(copied.join("index")).unwrap();
            }
            if !checkpoint {
                std::fs::remove_file(copied.join("journal/checkpoint")).unwrap();
            }
            let store = Store::open(&copied, options()).unwrap();
            assert_eq!(everything(&store), *WORKLOAD.last(), "{case}");
            let report = store.verify(&mut |_| {}).unwrap();
            assert!(report.findings.is_empty(), "{case}: {:?}", report.findings);
            drop(store);
            let store = Store::open(&copied, options()).unwrap();
            assert_eq!(everything(&store), *WORKLOAD.last(), "{case}, again");
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "files are lost behind the store's back")]
fn a_journal_that_lost_records_is_refused_by_index_and_by_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let early = folder.path().join("early");
    let live = folder.path().join("live");
    let store = Store::open(&live, options()).unwrap();
    WORKLOAD.steps[0].apply(&store).unwrap();
    copy(&live.join("journal"), &early);
    WORKLOAD.steps[1].apply(&store).unwrap();
    drop(store);
    for (index, checkpoint, witness) in [(true, false, "the index"), (false, true, "the checkpoint")] {
        if index && cfg!(not(feature = "redb")) {
            continue; // an index in memory bears no witness
        }
        let copied = folder.path().join(witness);
        copy(&live, &copied);
        let saved = std::fs::read(copied.join("journal/checkpoint")).unwrap();
        std::fs::remove_dir_all(copied.join("journal")).unwrap();
        copy(&early, &copied.join("journal"));
        if checkpoint {
            std::fs::write(copied.join("journal/checkpoint"), saved).unwrap();
        }
        if !index && copied.join("index").exists() {
            std::fs::remove_dir_all(copied.join("index")).unwrap();
        }
        let refused = Store::open(&copied, options()).unwrap_err();
        let StorageError::LostRecords { end, witness: by, seen } = refused else { panic!("{refused:?}") };
        assert_eq!((end.get(), by, seen.get()), (1, witness, 2));
    }
}
