//! What was published before: all of it bit for bit, at the cost of what changed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;

use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{IndexKind, Options, Store, Upload};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

type Files = BTreeSet<(RoleName, Vec<u8>)>;

fn open(folder: &Path, index: Option<IndexKind>) -> Store {
    let mut options = Options::default().with_online_keys(SeededOnlineKeys::new("history"));
    options.index = index;
    Store::open(folder, options).unwrap()
}

/// Publishes a tag at a time; the bytes of all files.
fn publish(store: &Store, publications: usize) -> Files {
    let mut publisher = Publisher::for_store("reg.example.com/app", store);
    let name = publisher.repository().clone();
    let mut files = Files::new();
    let mut keep = |store: &Store| {
        let view = store.view(&name).unwrap().unwrap();
        files.extend(view.documents().map(|document| (document.role().clone(), document.bytes().to_vec())));
    };
    for number in 0..publications {
        publisher.tag(&[(&format!("1.{number}"), digest(&format!("{number}")))]);
        publisher.publish(store).unwrap();
        keep(store);
        if number % 10 == 0 {
            store.publish(&name, &Upload::new(), NOW).unwrap();
            keep(store);
        }
    }
    files
}

fn comes_back(store: &Store, files: &Files) {
    let name: RepositoryName = "reg.example.com/app".parse().unwrap();
    let entries: Vec<_> = store.documents(&name).collect::<Result<_, _>>().unwrap();
    assert_eq!(entries.len(), files.len());
    for entry in &entries {
        let by_digest = store.history(&name, &entry.role, entry.sha256).unwrap().unwrap().document;
        let by_version = store.history(&name, &entry.role, entry.version).unwrap().unwrap().document;
        assert_eq!(by_digest, by_version);
        let file = (entry.role.clone(), by_digest.bytes().to_vec());
        assert!(files.contains(&file), "{} {}", entry.role, entry.version);
    }
}

#[test]
fn every_version_comes_back_bit_for_bit_and_costs_its_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None);
    // Further than two digits of a step reach.
    let files = publish(&store, 300);
    comes_back(&store, &files);
    store.close().unwrap();
    let documents: u64 = files.iter().map(|(_, bytes)| u64::try_from(bytes.len()).unwrap()).sum();
    let journal = store.status().unwrap().journal_bytes;
    assert!(journal < documents / 8, "{journal} bytes of journal for {documents} bytes of documents");
    drop(store);
    let store = open(folder.path(), None);
    comes_back(&store, &files);
    let report = store.verify(&mut |_| {}).unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    // The next one is a difference as well, although nothing is at hand.
    let before = store.status().unwrap().journal_bytes;
    let name: RepositoryName = "reg.example.com/app".parse().unwrap();
    for day in 1..=20 {
        store.publish(&name, &Upload::new(), UnixTime::from_seconds(NOW.seconds() + day)).unwrap();
    }
    store.close().unwrap();
    let each = (store.status().unwrap().journal_bytes - before) / 20;
    assert!(each < 1_200, "{each} bytes a renewal");
}

#[test]
fn an_index_of_either_kind_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), None);
    let files = publish(&store, 40);
    drop(store);
    for kind in [IndexKind::Sled, IndexKind::Redb] {
        // A crate without it says so, and leaves the one that is there.
        match Store::open(folder.path(), Options::default().with_index(kind)) {
            Ok(store) => {
                comes_back(&store, &files);
                assert!(store.verify(&mut |_| {}).unwrap().findings.is_empty());
            }
            Err(refused) => {
                assert!(refused.to_string().contains("this build"), "{refused}");
                assert_eq!(folder.path().join("index/redb").exists(), cfg!(feature = "redb"));
            }
        }
        comes_back(&open(folder.path(), None), &files);
    }
}

/// What an index says is checked: here each key by version leads to the record of another repository, or is gone.
#[cfg(feature = "redb")]
#[test]
fn an_index_that_lies_or_forgets_hides_nothing() {
    use redb::{ReadableTable as _, TableDefinition};

    const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("index");
    let name: RepositoryName = "reg.example.com/app".parse().unwrap();
    for forgets in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), Some(IndexKind::Redb));
        let other = Publisher::for_store("reg.example.com/other", &store).publish(&store).unwrap();
        let files = publish(&store, 12);
        drop(store);
        let database = redb::Database::open(folder.path().join("index/redb")).unwrap();
        let writing = database.begin_write().unwrap();
        let mut table = writing.open_table(TABLE).unwrap();
        let keys: Vec<Vec<u8>> = table.iter().unwrap().map(|pair| pair.unwrap().0.value().to_vec()).collect();
        let by_version = keys.iter().filter(|key| key.get(24) == Some(&b'v'));
        for key in by_version.skip(3).step_by(4) {
            let value = table.remove(key.as_slice()).unwrap().unwrap().value().to_vec();
            if !forgets {
                let mut elsewhere = key.clone();
                elsewhere.splice(key.len() - 8.., other.position.get().to_be_bytes());
                table.insert(elsewhere.as_slice(), value.as_slice()).unwrap();
            }
        }
        drop(table);
        writing.commit().unwrap();
        drop(database);
        let store = open(folder.path(), None);
        assert!(!store.verify(&mut |_| {}).unwrap().findings.is_empty());
        let listed: Vec<_> = store.documents(&name).collect::<Result<_, _>>().unwrap();
        assert_eq!(listed.len(), files.len(), "forgets: {forgets}");
        assert!(listed.is_sorted_by_key(|entry| entry.position));
        comes_back(&store, &files);
    }
}
