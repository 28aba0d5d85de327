//! What the store promises, over every device.

mod crash;
mod damage;
mod differences;
mod indexes;
mod power_cuts;
mod twins;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::crypto::sha256;
use crate::storage::{RecordKind, StorageError, StoredDocument};
use crate::terms::{Incarnation, RecordName, Revision, RoleName, Sha256, UnixTime, Version};

/// Segments so small that a few records fill one.
const SMALL: LocalOptions = LocalOptions {
    journal: JournalOptions { smallest_segment: 1 << 10, largest_segment: 4 << 10 },
    checkpoint_every: 3 << 10,
    recent: 4 << 10,
    rebuilding: false,
    index: None,
    second_journal: None,
    anchor: None,
};

pub(super) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// Makes commits that may follow each other.
#[derive(Clone, Default)]
pub(super) struct Author {
    heads: HashMap<RepositoryName, (Incarnation, Revision, bool)>,
    newest: HashMap<(RepositoryName, RoleName), StoredDocument>,
    made: u64,
}

impl Author {
    /// The next publication of a repository, with a document of `length` bytes and another one.
    pub(super) fn publish(&mut self, repository: &str, length: usize) -> Commit {
        self.made += 1;
        let repository = name(repository);
        let before = self.heads.get(&repository).copied();
        let (incarnation, revision) = match before {
            None => (Incarnation::FIRST, Revision::NONE),
            Some((incarnation, _, true)) => (incarnation.next(), Revision::NONE),
            Some((incarnation, revision, false)) => (incarnation, revision),
        };
        let revision = revision.next();
        let version = Version::new(revision.get()).unwrap();
        let documents = vec![
            self.document(RoleName::Targets, version, length),
            self.document(RoleName::Timestamp, version, 20),
        ];
        self.heads.insert(repository.clone(), (incarnation, revision, false));
        let record = Record {
            kind: RecordKind::Publication,
            timestamp: Some((version, documents[1].sha256)),
            repository,
            incarnation,
            revision,
            time: UnixTime::from_seconds(i64::try_from(self.made).unwrap()),
            documents,
            attachment: vec![7; 5].into(),
            note: None,
        };
        let base = before.map(|(incarnation, revision, _)| (incarnation, revision));
        let replaced = record.documents.iter().filter_map(|document| {
            self.newest.insert((record.repository.clone(), document.role.clone()), document.clone())
        });
        Commit { base, replaced: replaced.collect(), record }
    }

    pub(super) fn delete(&mut self, repository: &str) -> Commit {
        let repository = name(repository);
        let (incarnation, before, _) = self.heads[&repository];
        let revision = before.next();
        self.heads.insert(repository.clone(), (incarnation, revision, true));
        self.newest.retain(|(of, _), _| *of != repository);
        let record = Record {
            kind: RecordKind::Deletion,
            repository,
            incarnation,
            revision,
            time: UnixTime::from_seconds(1),
            timestamp: None,
            documents: Vec::new(),
            attachment: Vec::new().into(),
            note: None,
        };
        Commit { base: Some((incarnation, before)), replaced: Vec::new(), record }
    }

    /// Bytes that cannot be compressed: half of them those of every document of that role.
    fn document(&self, role: RoleName, version: Version, length: usize) -> StoredDocument {
        let mut bytes = vec![0; length.max(20)];
        let half = bytes.len() / 2;
        let (own, common) = bytes.split_at_mut(half);
        fill(common, role.as_str());
        fill(own, &format!("{role} {version} {}", self.made));
        StoredDocument { role, version, sha256: sha256(&bytes), bytes: bytes.into() }
    }
}

fn fill(bytes: &mut [u8], seed: &str) {
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(bytes);
}

pub(super) fn commit(storage: &LocalStorage, group: Vec<Commit>) -> Vec<Outcome> {
    storage.commit(group.into_iter().map(|commit| storage.prepare(commit).unwrap()).collect())
}

pub(super) fn same(left: &Record, right: &Record) -> bool {
    left.kind == right.kind
        && left.repository == right.repository
        && (left.incarnation, left.revision, left.time) == (right.incarnation, right.revision, right.time)
        && left.timestamp == right.timestamp
        && left.documents == right.documents
        && left.attachment == right.attachment
}

pub(super) fn committed(storage: &LocalStorage, commit: Commit) -> Position {
    match self::commit(storage, vec![commit]).as_slice() {
        [Outcome::Committed(position)] => *position,
        other => panic!("{other:?}"),
    }
}

pub(super) fn damages(storage: &LocalStorage) -> Vec<Damage> {
    let mut damages = Vec::new();
    assert!(storage.verify(&mut |_, _| true, &mut |damage| damages.push(damage)).unwrap());
    damages
}

/// Each record is there and whole, each head and document what the records say, and there is nothing else.
pub(super) fn holds_exactly<'a>(storage: &LocalStorage, records: impl IntoIterator<Item = &'a Record>) {
    let mut heads: HashMap<RepositoryName, Head> = HashMap::new();
    let mut newest: HashMap<(RepositoryName, RoleName, Version), Found> = HashMap::new();
    let mut position = Position::START;
    for record in records {
        position = position.next();
        assert!(same(&storage.record(position).unwrap(), record), "{position}");
        let documents = u64::try_from(record.documents.len()).unwrap();
        let before = heads.get(&record.repository).filter(|head| head.incarnation == record.incarnation);
        let head = Head {
            incarnation: record.incarnation,
            revision: record.revision,
            position,
            documents: before.map_or(0, |head| head.documents) + documents,
            deleted: record.kind == RecordKind::Deletion,
        };
        heads.insert(record.repository.clone(), head);
        if record.kind == RecordKind::Deletion {
            newest.retain(|(repository, _, _), _| *repository != record.repository);
        }
        for document in &record.documents {
            let key = (record.repository.clone(), document.role.clone(), document.version);
            newest.insert(key, Found { document: document.clone(), time: record.time });
        }
    }
    assert_eq!(storage.end(), position);
    assert_eq!(storage.heads.all().into_iter().collect::<HashMap<_, _>>(), heads);
    for ((repository, role, version), found) in newest {
        let by_version = Wanted::Version(role.clone(), version);
        assert_eq!(storage.find(&repository, &by_version).unwrap().as_ref(), Some(&found));
        let by_digest = Wanted::Digest(role, found.document.sha256);
        assert_eq!(storage.find(&repository, &by_digest).unwrap().as_ref(), Some(&found));
    }
    let headers = storage.headers(Position::START, usize::MAX).unwrap();
    assert!(headers.iter().map(|header| header.position.get()).eq(1..=position.get()));
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tufstore-local-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs a promise over every way to open a store. The closure it gets opens the same store again.
fn over_every_store(promise: fn(&dyn Fn() -> LocalStorage)) {
    let memory = MemoryDevice::new();
    promise(&|| LocalStorage::on_device(Arc::new(memory.clone()), Behind::in_memory(), &SMALL).unwrap());
    let folder = Folder::new();
    promise(&|| {
        let device = FileDevice::open(&folder.0).unwrap();
        LocalStorage::on_device(Arc::new(device), Behind::in_memory(), &SMALL).unwrap()
    });
    let folder = Folder::new();
    promise(&|| LocalStorage::open(&folder.0, &SMALL).unwrap());
}

#[test]
fn what_was_committed_is_found_again_after_each_way_to_end() {
    over_every_store(|open| {
        let mut author = Author::default();
        let mut records = Vec::new();
        for round in 0..4 {
            let storage = open();
            holds_exactly(&storage, &records);
            for commits in [
                vec![author.publish("a", 100), author.publish("b", 700), author.publish("a", 0)],
                vec![author.publish("c", 6_000)],
                vec![author.delete("b")],
                vec![author.publish("b", 40)],
            ] {
                records.extend(commits.iter().map(|commit| commit.record.clone()));
                let outcomes = commit(&storage, commits);
                assert!(
                    outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_))),
                    "{outcomes:?}"
                );
            }
            holds_exactly(&storage, &records);
            assert_eq!(damages(&storage), []);
            if round % 2 == 0 {
                storage.close().unwrap();
                storage.close().unwrap();
                holds_exactly(&storage, &records);
                let refused = commit(&storage, vec![author.clone().publish("a", 1)]);
                assert!(matches!(refused[0], Outcome::Unknown(StorageError::Closed)), "{refused:?}");
            }
        }
        holds_exactly(&open(), &records);
        assert_eq!(damages(&open()), []);
    });
}

#[test]
fn a_commit_on_another_state_conflicts_and_writes_nothing() {
    over_every_store(|open| {
        let storage = open();
        let mut author = Author::default();
        let first = author.publish("a", 10);
        let (second, also_second) = (author.clone().publish("a", 30), author.publish("a", 20));
        let outcomes =
            commit(&storage, vec![first.clone(), second.clone(), also_second.clone(), first.clone()]);
        let [Outcome::Committed(_), Outcome::Committed(_), Outcome::Conflict, Outcome::Conflict] =
            outcomes.as_slice()
        else {
            panic!("{outcomes:?}")
        };
        holds_exactly(&storage, [&first.record, &second.record]);
        let deletion = author.delete("a");
        committed(&storage, deletion.clone());
        // Staged on the life that ended, and on none at all.
        assert!(matches!(commit(&storage, vec![also_second])[0], Outcome::Conflict));
        assert!(matches!(commit(&storage, vec![first.clone()])[0], Outcome::Conflict));
        let again = author.publish("a", 5);
        committed(&storage, again.clone());
        holds_exactly(&storage, [&first.record, &second.record, &deletion.record, &again.record]);
        assert_eq!(again.record.incarnation.get(), 2);
    });
}

#[test]
fn a_record_against_the_rules_is_refused_and_writes_nothing() {
    let storage = LocalStorage::in_memory().unwrap();
    let breaks: [fn(&mut Record); 4] = [
        |record| record.revision = Revision::new(2),
        |record| record.incarnation = Incarnation::new(2),
        |record| record.kind = RecordKind::Deletion,
        |record| record.documents.push(record.documents[0].clone()),
    ];
    for break_rule in breaks {
        let mut commit = Author::default().publish("a", 10);
        break_rule(&mut commit.record);
        let outcomes = self::commit(&storage, vec![commit]);
        assert!(matches!(outcomes[0], Outcome::Refused(StorageError::Bug(_))), "{outcomes:?}");
    }
    assert_eq!((storage.end(), storage.heads.all().len()), (Position::START, 0));
    committed(&storage, Author::default().publish("a", 10));
}

#[test]
fn headers_come_in_order_and_no_more_than_asked_for() {
    over_every_store(|open| {
        let storage = open();
        let mut author = Author::default();
        for _ in 0..20 {
            committed(&storage, author.publish("a", 300));
        }
        for after in 0..22 {
            for limit in [0, 1, 3, 100] {
                let headers = storage.headers(Position::new(after), limit).unwrap();
                let expected = (after + 1..=20).take(limit);
                assert!(headers.iter().map(|header| header.position.get()).eq(expected), "{after} {limit}");
            }
        }
        assert!(storage.headers(Position::new(u64::MAX), 1).unwrap().is_empty());
        assert!(matches!(storage.record(Position::new(21)), Err(StorageError::Bug(_))));
        assert!(matches!(storage.record(Position::START), Err(StorageError::Bug(_))));
    });
}

#[test]
fn what_never_was_is_not_found() {
    over_every_store(|open| {
        let storage = open();
        let mut author = Author::default();
        let digest = author.publish("a", 9).record.documents[0].sha256;
        committed(&storage, Author::default().publish("a", 9));
        let absent =
            |repository: &str, wanted| assert_eq!(storage.find(&name(repository), &wanted).unwrap(), None);
        absent("b", Wanted::Version(RoleName::Targets, Version::FIRST));
        absent("a", Wanted::Version(RoleName::Targets, Version::new(2).unwrap()));
        absent("a", Wanted::Version(RoleName::Root, Version::FIRST));
        absent("a", Wanted::Digest(RoleName::Targets, Sha256::new([1; 32])));
        absent("a", Wanted::Digest(RoleName::Timestamp, digest));
        committed(&storage, author.delete("a"));
        absent("a", Wanted::Version(RoleName::Targets, Version::FIRST));
        absent("a", Wanted::Digest(RoleName::Targets, digest));
    });
}

#[test]
fn an_index_that_lost_everything_denies_nothing() {
    let device = MemoryDevice::new();
    let storage = LocalStorage::on_device(Arc::new(device), Behind::in_memory(), &SMALL).unwrap();
    let mut author = Author::default();
    let commits = [author.publish("a", 10), author.publish("b", 10)];
    let records: Vec<Record> = commits.iter().map(|commit| commit.record.clone()).collect();
    commit(&storage, commits.into());
    storage.index.clear().unwrap();
    assert_eq!(damages(&storage).len(), 1);
    holds_exactly(&storage, &records);
    assert_eq!(damages(&storage), []);
}

#[test]
fn an_index_that_points_elsewhere_is_not_believed() {
    let storage = LocalStorage::in_memory().unwrap();
    let mut author = Author::default();
    let commits = [author.publish("a", 10), author.publish("b", 10)];
    let records: Vec<Record> = commits.iter().map(|commit| commit.record.clone()).collect();
    commit(&storage, commits.into());
    let reached = storage.index.reached().unwrap().unwrap();
    storage.index.clear().unwrap();
    let wrong = records.iter().zip([2, 1]).flat_map(|(record, position)| {
        record.documents.iter().map(move |document| index::Entry {
            repository: record.repository.clone(),
            incarnation: record.incarnation,
            role: document.role.clone(),
            version: document.version,
            sha256: document.sha256,
            position: Position::new(position),
        })
    });
    storage.index.note(wrong.collect(), reached);
    assert_eq!(damages(&storage).len(), 1);
    holds_exactly(&storage, &records);
    storage.reindex(&mut |done, all| assert!(done <= all)).unwrap();
    assert_eq!(damages(&storage), []);
    holds_exactly(&storage, &records);
}

#[test]
fn an_index_of_another_journal_is_made_anew_and_one_that_saw_more_proves_a_loss() {
    let fill = |device: &MemoryDevice, count: usize, length| {
        let storage = LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &SMALL).unwrap();
        let mut author = Author::default();
        let records: Vec<Record> = (0..count)
            .map(|_| author.publish("a", length))
            .map(|commit| {
                committed(&storage, commit.clone());
                commit.record
            })
            .collect();
        storage.close().unwrap();
        (storage.index, records)
    };
    let (ours, others) = (MemoryDevice::new(), MemoryDevice::new());
    let (_, records) = fill(&ours, 3, 10);
    let (index, _) = fill(&others, 3, 77);
    let storage = LocalStorage::on_device(Arc::new(ours.clone()), index, &SMALL).unwrap();
    holds_exactly(&storage, &records);
    assert_eq!(damages(&storage), []);
    drop(storage);
    let (index, _) = fill(&MemoryDevice::new(), 4, 10);
    let refused = LocalStorage::on_device(Arc::new(ours), index, &SMALL).err();
    let Some(StorageError::LostRecords { end, witness: "the index", seen }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((end.get(), seen.get()), (3, 4));
}

#[test]
fn a_checkpoint_is_written_now_and_then_and_is_what_the_next_open_starts_from() {
    let device = MemoryDevice::new();
    let storage = LocalStorage::on_device(Arc::new(device.clone()), Behind::in_memory(), &SMALL).unwrap();
    let mut author = Author::default();
    let mut records = Vec::new();
    while !device.list().unwrap().contains(&"checkpoint".to_owned()) {
        let commit = author.publish("a", 200);
        records.push(commit.record.clone());
        committed(&storage, commit);
        assert!(records.len() < 100);
    }
    let written = Checkpoint::read(&device).unwrap().unwrap();
    assert_eq!(written.end.position, storage.end());
    let heads: Vec<_> = written.heads.into_iter().map(|(RecordName(name), head)| (name, head)).collect();
    assert_eq!(heads, storage.heads.all());
    for length in [5, 900] {
        let commit = author.publish("b", length);
        records.push(commit.record.clone());
        committed(&storage, commit);
    }
    drop(storage);
    let mut read = Vec::new();
    let from = Some((written.end, written.segments));
    Journal::scan(&device, from, &mut |header| {
        read.push(header.position.get());
        Ok(())
    })
    .unwrap();
    let end = u64::try_from(records.len()).unwrap();
    assert_eq!(read, [end - 1, end]);
    let storage = LocalStorage::on_device(Arc::new(device), Behind::in_memory(), &SMALL).unwrap();
    holds_exactly(&storage, &records);
}

#[test]
fn a_second_opener_is_told_who_holds_the_folder() {
    let folder = Folder::new();
    let storage = LocalStorage::open(&folder.0, &SMALL).unwrap();
    let refused = LocalStorage::open(&folder.0, &SMALL).err();
    let Some(StorageError::InUse { holder }) = refused else { panic!("{refused:?}") };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    drop(storage);
    LocalStorage::open(&folder.0, &SMALL).unwrap();
}

#[test]
fn commits_and_reads_from_many_threads_agree() {
    let storage =
        LocalStorage::on_device(Arc::new(MemoryDevice::new()), Behind::in_memory(), &SMALL).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let storage = &storage;
            scope.spawn(move || {
                let mut author = Author::default();
                for _ in 0..50 {
                    let commit = author.publish(&format!("repository/{writer}"), 90);
                    let documents = commit.record.documents.clone();
                    let position = committed(storage, commit);
                    assert_eq!(storage.record(position).unwrap().documents, documents);
                    let wanted = Wanted::Version(RoleName::Targets, documents[0].version);
                    let found = storage.find(&name(&format!("repository/{writer}")), &wanted).unwrap();
                    assert_eq!(found.map(|found| found.document).as_ref(), Some(&documents[0]));
                    let never = Wanted::Version(RoleName::Root, Version::FIRST);
                    assert_eq!(storage.find(&name("repository/0"), &never).unwrap(), None);
                }
            });
        }
    });
    assert_eq!(storage.end().get(), 150);
    assert_eq!(damages(&storage), []);
}

#[test]
fn nothing_is_dropped_as_long_as_somebody_keeps_it() {
    over_every_store(|open| {
        let storage = open();
        let mut author = Author::default();
        for round in 0..6 {
            committed(&storage, author.publish("gone", 900 + round));
        }
        committed(&storage, author.delete("gone"));
        let compact = || storage.compact(&|header| Discard::all(header), 100, &mut |_, _| true).unwrap();
        let kept = [storage.keep(), storage.keep()];
        for kept in kept {
            assert_eq!(compact(), 0);
            assert!(storage.record(Position::START.next()).is_ok());
            drop(kept);
        }
        assert!(compact() > 1_000);
        assert!(matches!(storage.record(Position::START.next()), Err(StorageError::Collected)));
    });
}
