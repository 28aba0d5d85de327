//! What a view goes on saying while the store moves on.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::thread;

use tufstore::terms::{RepositoryName, RoleName, Sha256, Version};
use tufstore::{Lookup, Options, Store, Upload, View};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

const REPOSITORY: &str = "docker.io/library/alpine";

fn store() -> Store {
    Store::in_memory(Options::default().with_online_keys(SeededOnlineKeys::new("views"))).unwrap()
}

fn name() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

fn view(store: &Store) -> View {
    store.view(&name()).unwrap().unwrap()
}

fn tagged(store: &Store, tags: &[(&str, Sha256)]) -> Publisher {
    let mut publisher = Publisher::for_store(REPOSITORY, store);
    publisher.delegate("targets/releases", &["v"], &[("v1", digest("released"))]);
    publisher.tag(tags);
    publisher.publish(store).unwrap();
    publisher
}

/// All that a view says.
#[derive(Debug, PartialEq)]
struct Said {
    place: (u64, u64, u64),
    lookups: Vec<Lookup>,
    tags: Vec<(String, Sha256)>,
    documents: Vec<(RoleName, Version, Vec<u8>)>,
    released: Vec<String>,
    expires: String,
}

fn said(view: &View) -> Said {
    let mut tags: Vec<_> = view.tags().map(|(tag, target)| (tag.to_owned(), target.sha256)).collect();
    tags.sort();
    let (expires, role) = view.expires();
    let releases = "targets/releases".parse().unwrap();
    assert!(view.target_of(&releases, "none").is_none());
    Said {
        place: (view.position().get(), view.incarnation().get(), view.revision().get()),
        lookups: ["v1", "v2", "edge", "none"].map(|tag| view.lookup(tag, NOW)).to_vec(),
        tags,
        documents: view
            .documents()
            .map(|file| (file.role().clone(), file.version(), file.bytes().to_vec()))
            .collect(),
        released: view
            .targets_of(&releases)
            .inspect(|target| assert_eq!(view.target_of(&releases, target.tag).as_ref(), Some(target)))
            .map(|target| target.tag.to_owned())
            .collect(),
        expires: format!("{expires} {role}"),
    }
}

fn found(lookup: &Lookup) -> Option<Sha256> {
    match lookup {
        Lookup::Found(found) => Some(found.target.sha256),
        Lookup::NoSuchTag | Lookup::NoSuchRepository | Lookup::Expired { .. } => None,
    }
}

#[test]
fn a_view_answers_from_the_publication_it_was_taken_after() {
    let store = store();
    let mut publisher = tagged(&store, &[("edge", digest("1"))]);
    let first = view(&store);
    let before = said(&first);
    assert_eq!(
        before.lookups.iter().map(found).collect::<Vec<_>>(),
        [Some(digest("released")), None, Some(digest("1")), None]
    );

    publisher.tag(&[("edge", digest("2")), ("v2", digest("2"))]);
    publisher.publish(&store).unwrap();
    let second = view(&store);
    let between = said(&second);
    publisher.author().remove_delegation(&"targets/releases".parse().unwrap());
    publisher.author().remove_tag("edge");
    publisher.publish(&store).unwrap();
    store.publish(&name(), &Upload::new(), NOW).unwrap();

    assert_eq!(said(&first), before);
    assert_eq!(said(&second), between);
    assert_eq!(found(&between.lookups[2]), Some(digest("2")));
    assert_eq!(view(&store).lookup("edge", NOW), Lookup::NoSuchTag);
    assert_eq!(view(&store).revision().get(), 4);
}

#[test]
fn a_view_answers_on_while_others_publish() {
    let store = store();
    let mut publisher = tagged(&store, &[("edge", digest("0"))]);
    thread::scope(|scope| {
        for _ in 0..2 {
            let pinned = view(&store);
            let before = said(&pinned);
            scope.spawn(move || {
                for _ in 0..300 {
                    assert_eq!(said(&pinned), before);
                }
            });
        }
        for round in 1..40 {
            publisher.tag(&[("edge", digest(&round.to_string()))]);
            publisher.publish(&store).unwrap();
        }
    });
    assert_eq!(found(&view(&store).lookup("edge", NOW)), Some(digest("39")));
}

#[test]
fn a_view_outlives_its_repository_and_the_life_after() {
    let store = store();
    tagged(&store, &[("edge", digest("1"))]);
    let pinned = view(&store);
    let before = said(&pinned);
    store.delete(&name(), NOW).unwrap().unwrap();
    assert!(store.view(&name()).unwrap().is_none());
    assert_eq!(said(&pinned), before);
    tagged(&store, &[("edge", digest("another life"))]);
    assert_eq!(said(&pinned), before);
    assert_eq!(pinned.lookup("edge", NOW), before.lookups[2]);
    let next = view(&store);
    assert!(next.incarnation() > pinned.incarnation() && next.position() > pinned.position());
    assert_eq!(found(&next.lookup("edge", NOW)), Some(digest("another life")));
}

#[test]
fn a_view_and_its_clones_outlive_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("views"));
    let store = Store::open(folder.path(), options).unwrap();
    tagged(&store, &[("edge", digest("1"))]);
    let pinned = view(&store);
    let before = said(&pinned);
    store.close().unwrap();
    assert_eq!(said(&pinned), before);
    drop(store);
    drop(folder);
    let clone = pinned.clone();
    drop(pinned);
    assert_eq!(thread::spawn(move || said(&clone)).join().unwrap(), before);
}

#[test]
fn a_view_expires_for_its_lookups_as_the_store_does() {
    let store = store();
    tagged(&store, &[("edge", digest("1"))]);
    let pinned = view(&store);
    let (expires, _) = pinned.expires();
    let late = expires.after(std::time::Duration::from_secs(1));
    assert!(matches!(pinned.lookup("edge", late), Lookup::Expired { role: RoleName::Timestamp, .. }));
    store.publish(&name(), &Upload::new(), expires).unwrap();
    assert_eq!(found(&view(&store).lookup("edge", late)), Some(digest("1")));
    assert!(matches!(pinned.lookup("edge", late), Lookup::Expired { .. }));
    assert_eq!(found(&pinned.lookup("edge", NOW)), Some(digest("1")));
}
