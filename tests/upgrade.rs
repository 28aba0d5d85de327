//! A store that an earlier release wrote opens, is sound, holds the very bytes that it held, and takes what comes next.
//!
//! `tests/data/format-N` is a store that the release which introduced format N wrote and closed; `documents` beside it lists
//! what it held: position, repository, role, version, SHA-256. They are never written again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use tufstore::crypto::sha256;
use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, UnixTime};
use tufstore::{Lookup, Options, Store};
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
    let listed = listed(folder);
    assert!(!listed.is_empty());
    for (position, repository, role, expected) in &listed {
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
