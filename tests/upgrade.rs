//! A store that an earlier release wrote opens, is sound, holds the very bytes that it held, and takes what comes next.
//!
//! `tests/data/format-N` is a store that the release which introduced format N wrote and closed; `documents` beside it lists
//! what it held: position, repository, role, version, SHA-256. They are never written again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tufstore::crypto::sha256;
use tufstore::storage::device::Device as _;
use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, UnixTime};
use tufstore::{Lookup, Options, Retention, StorageError, Store};
use tufstore_testkit::device::{CrashDevice, Fault, Survival};
use tufstore_testkit::{Publisher, SeededOnlineKeys, copy, digest};

/// When the stores were written: their timestamps are fresh.
const THEN: UnixTime = UnixTime::from_seconds(1_796_000_000);

fn stores() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut stores: Vec<_> = fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
    stores.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("format-"));
    stores.sort();
    stores
}

fn open(folder: &Path) -> Store {
    Store::open(folder, Options::default().with_online_keys(SeededOnlineKeys::new("upgraded"))).unwrap()
}

/// Position, repository, role and SHA-256 of each document that is listed.
fn listed(folder: &Path) -> Vec<(Position, RepositoryName, RoleName, Sha256)> {
    let text = fs::read_to_string(folder.join("documents")).unwrap();
    let row = |line: &str| {
        let parts: Vec<_> = line.split(' ').collect();
        let [position, repository, role, _, sha256] = parts.as_slice() else { panic!("{line}") };
        (
            position.parse().unwrap(),
            repository.parse().unwrap(),
            role.parse().unwrap(),
            sha256.parse().unwrap(),
        )
    };
    text.lines().map(row).collect()
}

fn holds(store: &Store, folder: &Path) {
    holds_but(store, folder, None);
}

/// Everything, but for a repository of which nothing is asked.
fn holds_but(store: &Store, folder: &Path, gone: Option<&RepositoryName>) {
    let listed = listed(folder);
    assert!(!listed.is_empty());
    for (position, repository, role, expected) in &listed {
        if gone == Some(repository) {
            continue;
        }
        let found = store.history(repository, role, *expected).unwrap();
        let found = found.unwrap_or_else(|| panic!("{repository} lost its {role} of {position}"));
        assert_eq!(sha256(found.document.bytes()), *expected);
        let entries = store.documents(repository).map(Result::unwrap);
        assert!(entries.into_iter().any(|entry| entry.position == *position && entry.sha256 == *expected));
    }
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
}

#[test]
fn a_store_of_every_format_opens_and_goes_on() {
    let stores = stores();
    assert!(!stores.is_empty());
    for written in stores {
        for index in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join("data");
            copy(&written.join("journal"), &data.join("journal"));
            if index {
                copy(&written.join("index"), &data.join("index"));
            }
            let store = open(&data);
            holds(&store, &written);
            let name = "docker.io/library/app".parse().unwrap();
            assert!(matches!(store.lookup("docker.io/library/app", "1.1", THEN).unwrap(), Lookup::Found(_)));
            assert_eq!(store.view(&name).unwrap().unwrap().revision().get(), 2);
            let mut publisher = Publisher::for_store("example.com/new", &store);
            publisher.tag(&[("v1", digest("1"))]);
            let before = store.position();
            let receipt = publisher.publish(&store).unwrap();
            assert_eq!(receipt.position, before.next());
            store.close().unwrap();
            drop(store);
            let store = open(&data);
            holds(&store, &written);
            assert!(store.view(&"example.com/new".parse().unwrap()).unwrap().is_some());
        }
    }
}

/// The journal of an earlier release, durable on a disk that can fail.
fn disk(written: &Path) -> CrashDevice {
    let device = CrashDevice::new();
    for entry in fs::read_dir(written.join("journal")).unwrap() {
        let path = entry.unwrap().path();
        let file = device.create(path.file_name().unwrap().to_str().unwrap()).unwrap();
        file.write(0, &fs::read(&path).unwrap()).unwrap();
        file.sync().unwrap();
    }
    device.sync_folder().unwrap();
    device
}

fn open_on(device: &CrashDevice) -> Result<Store, StorageError> {
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("upgraded"));
    Store::open_on(Arc::new(device.clone()), options)
}

/// How far an upgrade came: what was said to be done.
#[derive(Clone, Copy, Debug, Default)]
struct Upgraded {
    published: bool,
    /// `None` if it was not tried.
    deleted: Option<bool>,
    closed: bool,
}

/// The first publication of this release, a deletion, a collection that writes segments anew, and a clean close.
fn upgrade(device: &CrashDevice) -> Upgraded {
    let mut upgraded = Upgraded::default();
    let Ok(store) = open_on(device) else { return upgraded };
    let mut publisher = Publisher::for_store("example.com/new", &store);
    publisher.tag(&[("v1", digest("1"))]);
    upgraded.published = publisher.publish(&store).is_ok();
    upgraded.deleted = upgraded.published.then(|| store.delete(&other(), THEN).is_ok());
    let retention = Retention::of_everything();
    let collected = upgraded.deleted == Some(true) && store.collect(&retention, THEN, &mut |_| true).is_ok();
    upgraded.closed = collected && store.close().is_ok();
    upgraded
}

fn other() -> RepositoryName {
    "docker.io/library/other".parse().unwrap()
}

fn stands(device: &CrashDevice, written: &Path, upgraded: Upgraded, case: &str) {
    let store = open_on(device).unwrap_or_else(|error| panic!("{case}: {error} ({error:?})"));
    holds_but(&store, written, upgraded.deleted.map(|_| other()).as_ref());
    let lives = |name: &str| store.view(&name.parse().unwrap()).unwrap().is_some();
    assert!(lives("example.com/new") || !upgraded.published, "{case}: {upgraded:?}");
    assert!(!lives(other().as_str()) || upgraded.deleted != Some(true), "{case}: {upgraded:?}");
    assert!(lives(other().as_str()) || upgraded.deleted.is_some(), "{case}: {upgraded:?}");
    let mut publisher = Publisher::for_store("example.com/more", &store);
    publisher.publish(&store).unwrap_or_else(|error| panic!("{case}: {error}"));
}

#[test]
fn a_power_cut_at_any_operation_of_an_upgrade_and_of_the_recovery_from_it_loses_nothing() {
    for written in stores() {
        for operation in 1.. {
            let device = disk(&written);
            device.set_fault(operation, Fault::PowerCut);
            let upgraded = upgrade(&device);
            for (seed, piece) in (operation..).zip([512, 4_096]) {
                for survival in [
                    Survival::Dropped,
                    Survival::Kept,
                    Survival::Torn { piece, seed },
                    Survival::Reordered { piece, seed },
                ] {
                    let case = format!("operation {operation}, {survival:?}");
                    stands(&device.after_power_cut(survival), &written, upgraded, &case);
                    // And again, while what is left is opened.
                    let left = device.after_power_cut(survival);
                    left.set_fault(1 + operation % 9, Fault::PowerCut);
                    drop(open_on(&left));
                    stands(&left.after_power_cut(survival), &written, upgraded, &format!("{case}, twice"));
                }
            }
            if !device.met_fault() {
                assert!(upgraded.closed && operation > 30, "{operation} {upgraded:?}");
                break;
            }
        }
    }
}
