//! `tufstore check`: what expires, what clients complain of, and what a cron job makes of it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use common::{Ran, Server, now, run, text};
use tufstore::crypto::KeyAlgorithm;
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RoleName, Threshold, UnixTime};
use tufstore_keys::PrivateKey;
use tufstore_testkit::digest;

const DAY: u64 = 86_400;

fn days_ago(days: u64) -> UnixTime {
    UnixTime::from_seconds(now().seconds() - i64::try_from(days * DAY).unwrap())
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

/// Publishes a tag and a delegation for `paths`, and imports what came of it.
fn import(folder: &Path, name: &str, published: UnixTime, paths: &[&str], change: impl FnOnce(&mut Server)) {
    let mut server = Server::new(name, published);
    server.author.set_tag("v1", digest("one"), 1);
    let (releases, signer) = (releases(), key());
    server.author.hold(&releases, signer.clone());
    let listed = [AuthorKey::bare(signer.public().clone())];
    server.author.add_delegation(&releases, listed, paths, Threshold::ONE).unwrap();
    server.author.set_tag_in(&releases, "v2", digest("two"), 2).unwrap();
    server.publish();
    change(&mut server);
    let cache = folder.join("caches").join(name);
    server.write_cache(&cache);
    run(&["import", name, text(&cache), "--data", text(&folder.join("data"))]).ok();
}

fn releases() -> RoleName {
    "targets/releases".parse().unwrap()
}

fn check(folder: &Path, within: &str) -> Ran {
    run(&["check", "--data", text(&folder.join("data")), "--within", within, "--output", "json"])
}

/// Role, kind and whether it is due.
fn concerns(ran: &Ran) -> BTreeSet<(String, String, bool)> {
    let concern = |concern: &serde_json::Value| {
        let word = |field: &str| concern[field].as_str().unwrap().to_owned();
        (word("role"), word("kind"), concern["is_due"].as_bool().unwrap())
    };
    ran.json()["concerns"].as_array().unwrap().iter().map(concern).collect()
}

fn expected<const N: usize>(rows: [(&str, &str, bool); N]) -> BTreeSet<(String, String, bool)> {
    rows.map(|(role, kind, due)| (role.to_owned(), kind.to_owned(), due)).into()
}

#[test]
fn nothing_is_named_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), "example.com/new", now(), &[""], |_| {});
    let checked = check(folder.path(), "10d");
    assert_eq!((checked.code, concerns(&checked)), (0, BTreeSet::new()), "{checked:?}");
    // A timestamp of another server, which nobody here renews.
    let checked = check(folder.path(), "20d");
    assert_eq!((checked.code, concerns(&checked)), (1, expected([("timestamp", "file", false)])));
    assert!(check(folder.path(), "soon").code == 2);
}

#[test]
fn targets_and_delegations_are_named_before_they_expire_and_after() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), "example.com/old", days_ago(3 * 365 - 20), &[""], |_| {});
    let timestamp = ("timestamp", "file", true);
    let checked = check(folder.path(), "10d");
    assert_eq!((checked.code, concerns(&checked)), (3, expected([timestamp])), "{checked:?}");
    let soon = ["targets", "targets/releases", "snapshot"].map(|role| (role, "file", false));
    let checked = check(folder.path(), "30d");
    assert_eq!((checked.code, concerns(&checked)), (3, expected([timestamp, soon[0], soon[1], soon[2]])));
    let older = tempfile::tempdir().unwrap();
    import(older.path(), "example.com/older", days_ago(3 * 366 + 1), &[""], |_| {});
    let due = soon.map(|(role, kind, _)| (role, kind, true));
    let checked = check(older.path(), "0s");
    assert_eq!((checked.code, concerns(&checked)), (3, expected([timestamp, due[0], due[1], due[2]])));
}

#[test]
fn a_root_and_its_certificate_are_named() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), "example.com/ancient", days_ago(10 * 366), &[""], |_| {});
    let checked = check(folder.path(), "0s");
    let found = concerns(&checked);
    for kind in ["file", "certificate"] {
        assert!(found.contains(&("root".to_owned(), kind.to_owned(), true)), "{kind}: {checked:?}");
    }
    let text = run(&["check", "--data", text(&folder.path().join("data"))]);
    assert_eq!(text.code, 3);
    assert!(text.stdout.contains("the certificate of root key"), "{text:?}");
    assert!(text.stderr.contains("docs/operate.md"), "{text:?}");
}

#[test]
fn a_delegation_that_clients_skip_and_tags_that_they_do_not_see_are_named() {
    let folder = tempfile::tempdir().unwrap();
    import(folder.path(), "example.com/paths", now(), &["other"], |_| {});
    let checked = check(folder.path(), "1d");
    let outside = expected([("targets/releases", "outside-paths", true)]);
    assert_eq!((checked.code, concerns(&checked)), (1, outside), "{checked:?}");

    let folder = tempfile::tempdir().unwrap();
    // Its only key is replaced, and the new one has not signed.
    import(folder.path(), "example.com/lost", now(), &[""], |server| {
        let view = server.store.view(server.author.repository()).unwrap().unwrap();
        let before = view.document(&releases()).unwrap().clone();
        assert!(server.author.remove_delegation(&releases()));
        let listed = [AuthorKey::bare(key().public().clone())];
        server.author.add_delegation(&releases(), listed, &[""], Threshold::ONE).unwrap();
        let signed = server.author.sign(server.now).unwrap();
        assert!(!signed.upload.roles().any(|role| *role == *before.role()));
        server.store.publish(server.author.repository(), &signed.upload, server.now).unwrap();
    });
    let checked = check(folder.path(), "1d");
    let untrusted = expected([("targets/releases", "untrusted", true)]);
    assert_eq!((checked.code, concerns(&checked)), (1, untrusted), "{checked:?}");
}

#[test]
fn what_the_store_renews_itself_is_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = text(&folder.path().join("data")).to_owned();
    run(&["stress", "--data", &data, "--seconds", "1", "--repositories", "2"]).ok();
    let within = Duration::from_secs(40 * DAY);
    let checked = run(&["check", "--data", &data, "--within", &format!("{}s", within.as_secs())]);
    assert_eq!((checked.code, checked.stdout.lines().count()), (0, 1), "{checked:?}");
}

#[test]
fn one_repository_that_cannot_be_read_is_named_and_the_others_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two", "three"] {
        import(folder.path(), &format!("example.com/{name}"), days_ago(3 * 366 + 1), &[""], |_| {});
    }
    let journal = folder.path().join("data/journal");
    let path = std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let path =
        path.max_by_key(|path| (path.extension().is_some_and(|end| end == "segment"), path.clone())).unwrap();
    // The newest segment holds what was imported last.
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len() - 400;
    bytes[end] ^= 1;
    common::write(&path, &bytes);
    let checked = check(folder.path(), "0s");
    assert_eq!(checked.code, 3, "{checked:?}");
    let json = checked.json();
    let concerns = json["concerns"].as_array().unwrap();
    let unreadable: Vec<_> = concerns.iter().filter(|concern| concern["kind"] == "unreadable").collect();
    assert_eq!(unreadable.len(), 1, "{json}");
    assert!(
        unreadable[0]["role"].is_null() && unreadable[0]["text"].as_str().unwrap().contains("damaged"),
        "{json}"
    );
    for name in ["example.com/one", "example.com/two"] {
        assert!(concerns.iter().any(|concern| concern["repository"] == name), "{json}");
    }
    let people = run(&["check", "--data", text(&folder.path().join("data"))]);
    assert!(people.stdout.contains("cannot be read"), "{people:?}");
}
