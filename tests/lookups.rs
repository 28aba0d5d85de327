//! What tags stand for: one or many, warm or cold, and with little memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tufstore::terms::{RoleName, Sha256, UnixTime, Version};
use tufstore::{IndexKind, Lookup, Options, Store, Upload};
use tufstore_testkit::device::CrashDevice;
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

const REPOSITORIES: usize = 40;

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("lookups"))
}

fn open(folder: &Path, memory: u64) -> Store {
    Store::open(folder, options().with_memory(memory)).unwrap()
}

fn name(number: usize) -> String {
    format!("reg.example.com/team/app-{number}")
}

fn content(number: usize, tag: usize, round: usize) -> Sha256 {
    digest(&format!("{number} {tag} {round}"))
}

/// Publishes every repository, with as many tags as its number.
fn fill(store: &Store) -> Vec<Publisher> {
    (0..REPOSITORIES)
        .map(|number| {
            let mut publisher = Publisher::for_store(&name(number), store);
            round(&mut publisher, number, 0);
            publisher.publish(store).unwrap();
            publisher
        })
        .collect()
}

fn round(publisher: &mut Publisher, number: usize, round: usize) {
    let tags: Vec<_> = (0..number).map(|tag| (format!("v{tag}"), content(number, tag, round))).collect();
    let tags: Vec<_> = tags.iter().map(|(tag, content)| (tag.as_str(), *content)).collect();
    publisher.tag(&tags);
}

fn found(lookup: &Lookup) -> Option<Sha256> {
    match lookup {
        Lookup::Found(found) => Some(found.target.sha256),
        Lookup::NoSuchTag | Lookup::NoSuchRepository | Lookup::Expired { .. } => None,
    }
}

/// Asks for every tag, for one that is not there, and for a repository that is not, in all ways.
#[track_caller]
fn holds(store: &Store, expected: impl Fn(usize) -> usize, now: UnixTime) {
    let mut questions = Vec::new();
    let mut answers = Vec::new();
    for number in 0..REPOSITORIES {
        for tag in 0..=number {
            questions.push((name(number), format!("v{tag}")));
            answers.push((tag < number).then(|| content(number, tag, expected(number))));
        }
        questions.push((format!("{}x", name(number)), "v0".to_owned()));
        answers.push(None);
    }
    let questions: Vec<_> = questions.iter().map(|(name, tag)| (name.as_str(), tag.as_str())).collect();
    let many = store.lookup_many(&questions, now).unwrap();
    assert_eq!(many.iter().map(found).collect::<Vec<_>>(), answers);
    for ((name, tag), answer) in questions.iter().zip(&many) {
        assert_eq!(store.lookup(name, tag, now).unwrap(), *answer);
        assert_eq!(store.repository(name).lookup(tag, now).unwrap(), *answer);
        if let Some(view) = store.view(&name.parse().unwrap()).unwrap() {
            assert_eq!(view.lookup_many(&[tag], now), std::slice::from_ref(answer));
        }
    }
}

#[test]
fn many_questions_are_answered_as_each_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), u64::MAX);
    assert_eq!(store.view_in_memory(&name(1).parse().unwrap()).map(|view| view.is_some()), Ok(false));
    fill(&store);
    holds(&store, |_| 0, NOW);
    assert_eq!(store.lookup_many(&[], NOW).unwrap(), []);
    drop(store);
    // Cold.
    let store = open(folder.path(), u64::MAX);
    let in_memory =
        || store.view_in_memory(&name(1).parse().unwrap()).map(|view| view.unwrap().revision().get());
    assert!(in_memory().is_err());
    holds(&store, |_| 0, NOW);
    assert_eq!(in_memory(), Ok(1));
}

#[test]
fn a_repository_that_was_found_once_is_seen_as_it_is_now() {
    let store = Store::in_memory(options()).unwrap();
    let (one, other) = (name(3), name(4));
    let (found, never) = (store.repository(&one), store.repository(&other));
    let same = |tag: &str, now| {
        let answer = found.lookup(tag, now).unwrap();
        assert_eq!(answer, store.lookup(&one, tag, now).unwrap());
        answer
    };
    assert_eq!(same("v0", NOW), Lookup::NoSuchRepository);
    fill(&store);
    assert_eq!(self::found(&same("v0", NOW)), Some(content(3, 0, 0)));
    assert_eq!(same("v3", NOW), Lookup::NoSuchTag);
    assert!(matches!(same("v0", NOW.after(Duration::from_hours(4000 * 24))), Lookup::Expired { .. }));
    store.delete(&one.parse().unwrap(), NOW).unwrap();
    assert_eq!(same("v0", NOW), Lookup::NoSuchRepository);
    assert_eq!(self::found(&never.lookup("v0", NOW).unwrap()), Some(content(4, 0, 0)));
}

#[test]
fn what_nobody_asked_for_lately_is_read_again_and_lookups_need_none_of_it() {
    let device = CrashDevice::new();
    let readings = |memory: u64| {
        let store = Store::open_on(Arc::new(device.clone()), options().with_memory(memory)).unwrap();
        let view = |number: usize| drop(store.view(&name(number).parse().unwrap()).unwrap().unwrap());
        (0..REPOSITORIES).for_each(view);
        let before = device.readings();
        (0..REPOSITORIES).for_each(view);
        device.readings() - before
    };
    fill(&Store::open_on(Arc::new(device.clone()), options()).unwrap());
    assert_eq!(readings(u64::MAX), 0);
    assert!(readings(1) >= u64::try_from(REPOSITORIES).unwrap() - 1);
    // Enough for all tables, and not for the documents.
    let store = Store::open_on(Arc::new(device.clone()), options().with_memory(192 << 10)).unwrap();
    let ask = || {
        for number in 1..REPOSITORIES {
            assert!(found(&store.lookup(&name(number), "v0", NOW).unwrap()).is_some());
        }
    };
    ask();
    let before = device.readings();
    ask();
    assert_eq!(device.readings(), before);
    (1..REPOSITORIES).for_each(|number| drop(store.view(&name(number).parse().unwrap()).unwrap().unwrap()));
    assert!(device.readings() > before);
}

/// Whether the documents of any repository are in memory.
fn any_documents(store: &Store) -> bool {
    let view = |number| store.view_in_memory(&name(number).parse().unwrap());
    (0..REPOSITORIES).any(|number| matches!(view(number), Ok(Some(_))))
}

/// Every tag, without pinning a view.
#[track_caller]
fn looks_up(store: &Store, expected: impl Fn(usize) -> usize) {
    for number in 0..REPOSITORIES {
        for tag in 0..=number {
            let answer = store.lookup(&name(number), &format!("v{tag}"), NOW).unwrap();
            let expected = (tag < number).then(|| content(number, tag, expected(number)));
            assert_eq!(found(&answer), expected, "{number} {tag}");
        }
    }
}

#[test]
fn tables_are_there_after_a_restart_without_their_documents() {
    let built_in = [(IndexKind::Redb, cfg!(feature = "redb")), (IndexKind::Sled, cfg!(feature = "sled"))];
    for (kind, _) in built_in.into_iter().filter(|(_, is_built_in)| *is_built_in) {
        let folder = tempfile::tempdir().unwrap();
        let open =
            |memory: u64| Store::open(folder.path(), options().with_memory(memory).with_index(kind)).unwrap();
        let store = open(u64::MAX);
        let mut publishers = fill(&store);
        drop(store);
        let store = open(u64::MAX);
        looks_up(&store, |_| 0);
        assert!(!any_documents(&store), "{kind:?}");
        // What is published now is what is there next time: tags, nothing but other times, another life.
        for number in (0..REPOSITORIES).step_by(2) {
            round(&mut publishers[number], number, 1);
            publishers[number].publish(&store).unwrap();
        }
        let renewed = name(5).parse().unwrap();
        store.publish(&renewed, &Upload::new(), NOW).unwrap();
        let expires = store.view(&renewed).unwrap().unwrap().expires().0;
        store.delete(&name(9).parse().unwrap(), NOW).unwrap();
        let mut again = Publisher::for_store(&name(9), &store);
        round(&mut again, 9, 2);
        again.publish(&store).unwrap();
        store.delete(&name(11).parse().unwrap(), NOW).unwrap();
        drop(store);
        // Whether there is room for all tables or hardly for one.
        for memory in [u64::MAX, 8 << 10, 0] {
            let store = open(memory);
            assert_eq!(store.lookup(&name(11), "v0", NOW).unwrap(), Lookup::NoSuchRepository);
            for _ in 0..2 {
                for number in (0..REPOSITORIES).filter(|number| *number != 11) {
                    let expected = content(number, 0, if number == 9 { 2 } else { (number + 1) % 2 });
                    let answer = store.lookup(&name(number), "v0", NOW).unwrap();
                    assert_eq!(
                        found(&answer),
                        (number > 0).then_some(expected),
                        "{kind:?} {memory} {number}"
                    );
                }
            }
            assert!(!any_documents(&store), "{kind:?} {memory}");
            // Of 39 tags, the largest is.
            let taken = store.memory_use();
            assert!((1..=(memory / 4 * 3).max(43 * 64)).contains(&taken.tables), "{memory} {taken:?}");
            assert_eq!(taken.documents, 0);
            assert!(found(&store.lookup(renewed.as_str(), "v0", expires).unwrap()).is_some());
            let after = store.lookup(renewed.as_str(), "v0", expires.after(Duration::from_nanos(1))).unwrap();
            assert!(matches!(after, Lookup::Expired { .. }), "{after:?}");
            assert!(store.verify(&mut |_| {}).unwrap().findings.is_empty());
        }
    }
}

#[cfg(any(feature = "redb", feature = "sled"))]
#[test]
fn a_table_that_a_crash_left_behind_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("running"), u64::MAX);
    let mut publishers = fill(&store);
    drop(store);
    let store = open(&folder.path().join("running"), u64::MAX);
    round(&mut publishers[5], 5, 1);
    publishers[5].publish(&store).unwrap();
    // As after a power cut at this moment: tables are not written for some seconds.
    let crashed = folder.path().join("crashed");
    tufstore_testkit::copy(&folder.path().join("running"), &crashed);
    let rounds = |number: usize| usize::from(number == 5);
    let is_in_memory =
        |store: &Store, number: usize| store.view_in_memory(&name(number).parse().unwrap()).is_ok();
    for documents in [true, false] {
        let store = open(&crashed, u64::MAX);
        looks_up(&store, rounds);
        assert_eq!((is_in_memory(&store, 5), is_in_memory(&store, 6)), (documents, false));
    }
}

#[cfg(feature = "redb")]
#[test]
fn a_table_that_was_damaged_is_found_and_made_anew() {
    const ROWS: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("prebuilt");
    let folder = tempfile::tempdir().unwrap();
    let open = || open(folder.path(), u64::MAX);
    fill(&open());
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let database = redb::Database::open(folder.path().join("index/redb")).unwrap();
        let writing = database.begin_write().unwrap();
        let mut rows = writing.open_table(ROWS).unwrap();
        let tables: Vec<_> = redb::ReadableTable::iter(&rows)
            .unwrap()
            .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).unwrap())
            .filter(|(key, _)| key.len() == 17 && key.ends_with(b"t"))
            .collect();
        assert_eq!(tables.len(), REPOSITORIES);
        for (key, mut value) in tables {
            change(&mut value);
            rows.insert(key.as_slice(), value.as_slice()).unwrap();
        }
        drop(rows);
        writing.commit().unwrap();
    };
    for damage in [0, 40, 300] {
        change(&|value| {
            let at = damage.min(value.len() - 1);
            value[at] ^= 4;
        });
        let store = open();
        let findings = store.verify(&mut |_| {}).unwrap().findings;
        assert_eq!(findings.len(), REPOSITORIES, "{findings:?}");
        looks_up(&store, |_| 0);
        assert!(any_documents(&store));
        drop(store);
        // As it was left.
        let store = open();
        assert!(store.verify(&mut |_| {}).unwrap().findings.is_empty());
        looks_up(&store, |_| 0);
        assert!(!any_documents(&store));
    }
}

#[test]
fn with_little_memory_everything_is_answered_and_published_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1);
    let mut publishers = fill(&store);
    holds(&store, |_| 0, NOW);
    for (number, publisher) in publishers.iter_mut().enumerate().step_by(2) {
        round(publisher, number, 1);
        publisher.publish(&store).unwrap();
    }
    let rounds = |number: usize| usize::from(number.is_multiple_of(2));
    holds(&store, rounds, NOW);
    for number in 0..REPOSITORIES {
        let name = name(number).parse().unwrap();
        let view = store.view(&name).unwrap().unwrap();
        assert_eq!(view.tags().count(), number);
        assert!(store.history(&name, &RoleName::Targets, Version::FIRST).unwrap().is_some());
    }
    store.delete(&name(7).parse().unwrap(), NOW).unwrap();
    assert_eq!(store.lookup(&name(7), "v0", NOW).unwrap(), Lookup::NoSuchRepository);
    assert_eq!(store.lookup_many(&[(&name(7), "v0")], NOW).unwrap(), [Lookup::NoSuchRepository]);
    drop(store);
    let store = open(folder.path(), 1);
    assert_eq!(found(&store.lookup(&name(8), "v3", NOW).unwrap()), Some(content(8, 3, 1)));
}
