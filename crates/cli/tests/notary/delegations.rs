//! Roles that others sign.

use crate::NAME;
use crate::client::{Client, Served};

const RELEASES: &str = "targets/releases";

/// Delegates to somebody with a certificate of theirs; they get the key.
fn delegate(author: &Client, to: &Client, role: &str, name: &str) -> String {
    let (certificate, key) = to.certificate(name, name);
    author.run(&["delegation", "add", "-p", NAME, role, &certificate, "--all-paths"]).ok();
    to.import(&key, role);
    certificate
}

fn add(by: &Client, tag: &str, role: &str) {
    let file = by.write("content", tag.as_bytes());
    by.run(&["add", "-p", NAME, tag, &file, "--roles", role]).ok();
}

/// A repository whose snapshot the server signs, so that delegates can publish.
fn begin(served: &Served) -> Client {
    let author = served.client();
    author.begin(NAME, "v1");
    author.run(&["key", "rotate", NAME, "snapshot", "-r"]).ok();
    author
}

fn sorted(mut list: Vec<(String, String)>) -> Vec<(String, String)> {
    list.sort();
    list
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(tag, role)| ((*tag).to_owned(), (*role).to_owned())).collect()
}

#[test]
fn a_delegate_publishes_with_a_key_of_their_own() {
    let served = Served::new(&[]);
    let (author, delegate_) = (begin(&served), served.client());
    delegate(&author, &delegate_, RELEASES, "alice");
    assert!(served.client().run(&["delegation", "list", NAME]).ok().stdout.contains(RELEASES));
    add(&delegate_, "v2", RELEASES);
    let seen = sorted(served.client().list(NAME));
    assert_eq!(seen, pairs(&[("v1", "targets"), ("v2", RELEASES)]));
    delegate_.run(&["remove", "-p", NAME, "v2", "--roles", RELEASES]).ok();
    assert_eq!(served.client().list(NAME), pairs(&[("v1", "targets")]));
}

#[test]
fn delegations_nest() {
    let served = Served::new(&[]);
    let (author, alice, bob) = (begin(&served), served.client(), served.client());
    delegate(&author, &alice, RELEASES, "alice");
    add(&alice, "v2", RELEASES);
    let (certificate, key) = bob.certificate("bob", "bob");
    alice.run(&["delegation", "add", "-p", NAME, "targets/releases/bob", &certificate, "--all-paths"]).ok();
    bob.import(&key, "targets/releases/bob");
    add(&bob, "v3", "targets/releases/bob");
    let seen = sorted(served.client().list(NAME));
    assert_eq!(seen, pairs(&[("v1", "targets"), ("v2", RELEASES), ("v3", "targets/releases/bob")]));
}

#[test]
fn a_stranger_cannot_sign_for_a_delegation() {
    let served = Served::new(&[]);
    let (author, alice, mallory) = (begin(&served), served.client(), served.client());
    delegate(&author, &alice, RELEASES, "alice");
    let (_, key) = mallory.certificate("mallory", "mallory");
    mallory.import(&key, RELEASES);
    let file = mallory.write("content", b"evil");
    let said = mallory.run(&["add", "-p", NAME, "evil", &file, "--roles", RELEASES]);
    assert_ne!(said.code, 0, "{said:?}");
    assert_eq!(served.client().list(NAME), pairs(&[("v1", "targets")]));
}

#[test]
fn a_delegation_removed_and_added_again_works_with_the_same_key() {
    let served = Served::new(&[]);
    let (author, alice) = (begin(&served), served.client());
    let certificate = delegate(&author, &alice, RELEASES, "alice");
    add(&alice, "v2", RELEASES);
    author.run(&["delegation", "remove", "-p", "-y", NAME, RELEASES]).ok();
    assert_eq!(served.client().list(NAME), pairs(&[("v1", "targets")]));
    author.run(&["delegation", "add", "-p", NAME, RELEASES, &certificate, "--all-paths"]).ok();
    let fresh = served.client();
    tufstore_testkit::copy(&alice.path("trust/private"), &fresh.path("trust/private"));
    add(&fresh, "v3", RELEASES);
    let seen = sorted(served.client().list(NAME));
    assert!(seen.contains(&("v3".to_owned(), RELEASES.to_owned())), "{seen:?}");
}

#[test]
fn a_delegation_whose_only_key_was_replaced_is_witnessed_first() {
    let served = Served::new(&[]);
    let (author, alice, bob) = (begin(&served), served.client(), served.client());
    let first = delegate(&author, &alice, RELEASES, "alice");
    add(&alice, "v2", RELEASES);
    let listed = author.run(&["delegation", "list", NAME]).ok().stdout;
    let key_id = listed
        .split_whitespace()
        .find(|word| word.len() == 64 && word.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .unwrap_or_else(|| panic!("{listed}"))
        .to_owned();
    drop(first);
    let (second, key) = bob.certificate("bob", "bob");
    author.run(&["delegation", "add", NAME, RELEASES, &second]).ok();
    author.run(&["delegation", "remove", "-y", NAME, RELEASES, &key_id]).ok();
    author.run(&["publish", NAME]).ok();
    bob.import(&key, RELEASES);
    // What alice signed is not believed any more, and clients only warn.
    assert_eq!(served.client().list(NAME), pairs(&[("v1", "targets")]));
    bob.run(&["witness", "-p", NAME, RELEASES]).ok();
    let seen = sorted(served.client().list(NAME));
    assert_eq!(seen, pairs(&[("v1", "targets"), ("v2", RELEASES)]), "signed anew by bob");
    add(&bob, "v3", RELEASES);
    assert_eq!(served.client().list(NAME).len(), 3);
}

#[test]
fn a_key_is_purged_from_all_delegations() {
    let served = Served::new(&[]);
    let (author, alice) = (begin(&served), served.client());
    let (certificate, _) = alice.certificate("alice", "alice");
    for role in [RELEASES, "targets/alice"] {
        author.run(&["delegation", "add", "-p", NAME, role, &certificate, "--all-paths"]).ok();
    }
    let (other, _) = alice.certificate("other", "other");
    author.run(&["delegation", "add", "-p", NAME, RELEASES, &other]).ok();
    let listed = author.run(&["delegation", "list", NAME]).ok().stdout;
    let ids: Vec<_> = listed
        .split_whitespace()
        .filter(|word| word.len() == 64 && word.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .collect();
    let twice = ids.iter().find(|id| ids.iter().filter(|other| other == id).count() == 2).unwrap();
    author.run(&["delegation", "purge", "-p", NAME, "--key", twice]).ok();
    let left = served.client().run(&["delegation", "list", NAME]).ok().stdout;
    assert!(!left.contains(twice), "{left}");
}

#[test]
fn a_snapshot_that_the_author_holds_keeps_delegates_from_publishing() {
    let served = Served::new(&[]);
    let (author, alice) = (served.client(), served.client());
    author.begin(NAME, "v1");
    delegate(&author, &alice, RELEASES, "alice");
    let file = alice.write("content", b"x");
    let said = alice.run(&["add", "-p", NAME, "v2", &file, "--roles", RELEASES]);
    said.fails("no snapshot was included in update and server does not hold current snapshot key");
    assert_eq!(served.client().list(NAME), pairs(&[("v1", "targets")]));
}
