//! What tags stand for: one or many, warm or cold, and with little memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tufstore::terms::{RoleName, Sha256, UnixTime, Version};
use tufstore::{Lookup, Options, Store};
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
    let store = Store::open_on(Arc::new(device.clone()), options().with_memory(1)).unwrap();
    let ask = || {
        for number in 1..REPOSITORIES {
            assert!(found(&store.lookup(&name(number), "v0", NOW).unwrap()).is_some());
        }
    };
    ask();
    let before = device.readings();
    ask();
    assert_eq!(device.readings(), before);
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
