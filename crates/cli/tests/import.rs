//! Metadata of another server, taken from folders of the two kinds that there are.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{Server, now, run, text, write};
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RoleName, Threshold};
use tufstore_keys::PrivateKey;
use tufstore_testkit::digest;

const APP: &str = "reg.example.com/team/app";

/// Publishes five times: tags, a delegation, a root rotation among them.
fn server() -> Server {
    let mut server = Server::new(APP, now());
    server.author.set_tag("v1", digest("one"), 1);
    server.publish();
    let releases: RoleName = "targets/releases".parse().unwrap();
    let key = PrivateKey::generate(tufstore::crypto::KeyAlgorithm::EcdsaP256).unwrap();
    server.author.hold(&releases, key.clone());
    let listed = [AuthorKey::bare(key.public().clone())];
    server.author.add_delegation(&releases, listed, &[""], Threshold::ONE).unwrap();
    server.author.set_tag_in(&releases, "v2", digest("two"), 2).unwrap();
    server.publish();
    server.author.rotate_root(server.now).unwrap();
    server.publish();
    server.author.set_tag_in(&releases, "v3", digest("three"), 3).unwrap();
    server.publish();
    server.author.set_tag("v1", digest("one, moved"), 1);
    server.publish();
    server
}

fn import(folder: &Path, data: &Path) -> common::Ran {
    run(&["import", APP, text(folder), "--data", text(data), "--output", "json"])
}

fn outcomes(json: &serde_json::Value) -> Vec<&str> {
    json["sets"].as_array().unwrap().iter().map(|set| set["outcome"].as_str().unwrap()).collect()
}

fn lookup(tag: &str, data: &Path) -> String {
    run(&["lookup", APP, tag, "--data", text(data)]).ok().stdout
}

#[test]
fn a_clients_cache_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, data) = (folder.path().join("cache"), folder.path().join("data"));
    server().write_cache(&cache);
    assert!(cache.join("targets/releases.json").is_file());
    let imported = import(&cache, &data).ok();
    assert_eq!(outcomes(&imported.json()), ["taken"]);
    assert_eq!(lookup("v1", &data), format!("sha256:{} 1 targets\n", digest("one, moved")));
    assert_eq!(lookup("v3", &data), format!("sha256:{} 3 targets/releases\n", digest("three")));
    let shown = run(&["show", APP, "timestamp", "--data", text(&data)]).ok().stdout;
    assert_eq!(shown, fs::read_to_string(cache.join("timestamp.json")).unwrap());
    run(&["verify", text(&data)]).ok();
}

#[test]
fn a_servers_files_come_with_every_version_and_the_root_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (files, data) = (folder.path().join("files"), folder.path().join("data"));
    server().write_server(&files);
    let imported = import(&files, &data).ok();
    assert_eq!(outcomes(&imported.json()), ["taken"; 5]);
    assert_eq!(imported.json()["other_files"], serde_json::json!([]));
    let history = run(&["history", APP, "root", "--data", text(&data)]).ok().stdout;
    assert_eq!(history.lines().count(), 3, "two roots: {history}");
    run(&["verify", text(&data)]).ok();

    // Once more: nothing is new, and nothing is written.
    let again = import(&files, &data).ok();
    assert_eq!(outcomes(&again.json()), ["known already"; 5]);
    let changes = run(&["changes", "--data", text(&data)]).ok().stdout;
    assert_eq!(changes.lines().count(), 6, "{changes}");
}

#[test]
fn an_older_folder_after_a_newer_one_takes_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, files) = (folder.path().join("cache"), folder.path().join("files"));
    let data = folder.path().join("data");
    let server = server();
    server.write_cache(&cache);
    server.write_server(&files);
    import(&cache, &data).ok();
    let imported = import(&files, &data).ok();
    let expected = ["left out", "left out", "left out", "left out", "known already"];
    assert_eq!(outcomes(&imported.json()), expected);
    assert!(imported.stderr.contains("versions never fall"), "{imported:?}");
    assert_eq!(lookup("v1", &data), format!("sha256:{} 1 targets\n", digest("one, moved")));
}

#[test]
fn what_is_incomplete_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (files, data) = (folder.path().join("files"), folder.path().join("data"));
    server().write_server(&files);
    // The current files are there under two names.
    let releases = fs::read(files.join("targets/releases.json")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "what a user lost")]
    for name in ["targets/releases.json".to_owned(), format!("targets/releases.{}.json", hex(&releases))] {
        fs::remove_file(files.join(name)).unwrap();
    }
    write(&files.join("README.txt"), b"not metadata");
    let imported = import(&files, &data).ok();
    assert_eq!(outcomes(&imported.json()), ["taken", "taken", "taken", "left out", "left out"]);
    assert!(imported.stderr.contains("no file has the bytes of targets/releases"), "{imported:?}");
    assert!(imported.stderr.contains("README.txt: left out"), "{imported:?}");
}

#[test]
fn what_clients_would_not_believe_is_refused_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, data) = (folder.path().join("cache"), folder.path().join("data"));
    let mut forger = Server::new("reg.example.com/team/another", now());
    forger.author.set_tag("v1", digest("evil"), 1);
    forger.publish();
    forger.write_cache(&cache);
    let refused = import(&cache, &data);
    assert_eq!(refused.code, 4);
    assert_eq!(outcomes(&refused.json()), ["refused"]);
    assert!(refused.stderr.contains("root is not trusted"), "{refused:?}");
    assert!(refused.stderr.contains("who must act: the repository's publisher"), "{refused:?}");
    assert_eq!(run(&["lookup", APP, "v1", "--data", text(&data)]).code, 1);
}

#[test]
fn a_folder_without_metadata_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, data) = (folder.path().join("empty"), folder.path().join("data"));
    fs::create_dir(&empty).unwrap();
    let nothing = import(&empty, &data);
    assert_eq!(nothing.code, 4);
    assert!(nothing.stderr.contains("no complete set"), "{nothing:?}");
    assert!(!data.exists());
    assert_eq!(import(&folder.path().join("missing"), &data).code, 4);
}

fn hex(bytes: &[u8]) -> String {
    tufstore::crypto::sha256(bytes).to_string()
}
