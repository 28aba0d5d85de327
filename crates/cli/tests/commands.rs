//! Every command that reads or maintains a store, run as a user runs it.

mod common;

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use common::{Played, Server, command, now, run, text, write};
use tufstore::terms::UnixTime;
use tufstore::{Options, Store};
use tufstore_testkit::digest;

const APP: &str = "docker.io/library/app";

#[test]
fn lookup_prints_digest_length_and_role() {
    let played = Played::new();
    let expected = digest("app@0000000000000002");
    let length = 500 + u64::from(expected.as_bytes()[0]) * 8;
    let found = played.run(&["lookup", APP, "latest"]).ok();
    assert_eq!(found.stdout, format!("sha256:{expected} {length} targets\n"));
    assert_eq!(found.stderr, "");
    let json = played.run(&["lookup", APP, "latest", "--output", "json"]).ok().json();
    assert_eq!(json["sha256"], expected.to_string());
    assert_eq!((&json["length"], &json["role"]), (&length.into(), &"targets".into()));
    let fresh_until: UnixTime = json["fresh_until"].as_str().unwrap().parse().unwrap();
    assert!(fresh_until > now());
}

#[test]
fn lookup_says_what_is_not_there() {
    let played = Played::new();
    let tag = played.run(&["lookup", APP, "no-such"]);
    assert_eq!((tag.code, tag.stdout.as_str()), (1, ""));
    assert!(tag.stderr.contains("has no tag \"no-such\""), "{tag:?}");
    let repository = played.run(&["lookup", "docker.io/library/none", "latest"]);
    assert_eq!((repository.code, repository.stdout.as_str()), (1, ""));
    assert!(repository.stderr.contains("nothing is published under the name docker.io/library/none"));
}

#[test]
fn lookup_of_expired_metadata_has_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new("old/app", UnixTime::from_seconds(1_600_000_000));
    server.author.set_tag("latest", digest("a manifest"), 1);
    server.publish();
    server.write_cache(&folder.path().join("cache"));
    let (data, cache) = (folder.path().join("data"), folder.path().join("cache"));
    let imported = run(&["import", "old/app", text(&cache), "--data", text(&data)]).ok();
    assert!(imported.stderr.contains("expired"), "{imported:?}");
    let expired = run(&["lookup", "old/app", "latest", "--data", text(&data)]);
    assert_eq!((expired.code, expired.stdout.as_str()), (3, ""));
    assert!(expired.stderr.contains("timestamp expired at 2020-09-27"), "{expired:?}");
    assert!(expired.stderr.contains("who must act"));
}

#[test]
fn wrong_use_is_told_apart_from_failure() {
    let played = Played::new();
    for wrong in [
        &["lookup", APP][..],
        &["lookup", "a//b", "latest"],
        &["lookup", APP, ""],
        &["show", APP, "no-role"],
        &["show", APP, "root", "--version", "0"],
        &["show", APP, "root", "--sha256", "x"],
        &["changes", "--after", "-1"],
        &["no-such-command"],
        &["delete", APP],
    ] {
        let ran = played.run(wrong);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{wrong:?}: {ran:?}");
        assert_ne!(ran.stderr, "");
    }
    // Nobody confirmed the deletion.
    played.run(&["lookup", APP, "latest"]).ok();
    assert_eq!(run(&["lookup", APP, "latest"]).code, 2, "no --data");
    assert_eq!(run(&[]).code, 2);
}

#[test]
fn a_folder_without_a_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-store");
    for arguments in [
        &["lookup", APP, "latest"][..],
        &["tags", APP],
        &["repositories"],
        &["show", APP, "root"],
        &["history", APP],
        &["changes"],
        &["delete", APP, "--yes"],
        &["reindex"],
        &["verify"],
    ] {
        let ran = run(&[arguments, &["--data", text(&missing)]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("there is no store in"));
        assert!(!missing.exists());
    }
}

#[test]
fn a_second_process_is_told_who_has_the_store_open() {
    let played = Played::new();
    let store = Store::open(played.data(), Options::default()).unwrap();
    let refused = played.run(&["repositories"]);
    assert_eq!(refused.code, 4);
    let holder = format!("process {}", std::process::id());
    assert!(refused.stderr.contains(&holder), "{refused:?}");
    drop(store);
    played.run(&["repositories"]).ok();
}

#[test]
fn the_folder_may_come_from_the_environment() {
    let played = Played::new();
    let output = command(&["repositories"]).env("TUFSTORE_DATA", played.data()).output().unwrap();
    assert!(output.status.success());
    let elsewhere = played.folder.path().join("elsewhere");
    let output = command(&["verify", &played.data()]).env("TUFSTORE_DATA", elsewhere).output().unwrap();
    assert!(output.status.success());
}

#[test]
fn tags_and_repositories_are_listed() {
    let played = Played::new();
    let table = played.run(&["tags", APP]).ok().stdout;
    let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["TAG", "1.0", "1.1", "latest"]);
    let of_role = played.run(&["tags", APP, "--role", "targets", "--output", "json"]).ok().json();
    assert_eq!(of_role, played.run(&["tags", APP, "--output", "json"]).ok().json());
    assert_eq!(played.run(&["tags", APP, "--role", "targets/releases"]).code, 1);
    assert_eq!(played.run(&["tags", APP, "--role", "root"]).code, 1);
    assert_eq!(played.run(&["tags", "none"]).code, 1);

    let repositories = played.run(&["repositories", "--output", "json"]).ok().json();
    let row = &repositories.as_array().unwrap()[0];
    assert_eq!(row["repository"], APP);
    assert_eq!((row["revision"].as_u64(), row["tags"].as_u64()), (Some(2), Some(3)));
    assert_eq!((&row["role"], &row["expired"]), (&"timestamp".into(), &false.into()));
    assert!(played.run(&["repositories"]).ok().stdout.contains("docker.io/library/other         1     1"));
}

#[test]
fn show_writes_the_exact_bytes_of_now_and_before() {
    let played = Played::new();
    let current = played.run(&["show", APP, "targets"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&current).unwrap();
    assert_eq!(json["signed"]["_type"], "Targets");
    // Exact bytes: no line end was added.
    assert!(current.ends_with('}'));
    let sha256 = digest(&current).to_string();
    assert_eq!(played.run(&["show", APP, "targets", "--sha256", &sha256]).ok().stdout, current);
    assert_eq!(played.run(&["show", APP, "targets", "--version", "2"]).ok().stdout, current);
    assert_ne!(played.run(&["show", APP, "targets", "--version", "1"]).ok().stdout, current);
    let missing = played.run(&["show", APP, "targets", "--version", "3"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (1, ""));
    assert!(missing.stderr.contains("has published no targets of version 3"), "{missing:?}");
    assert_eq!(played.run(&["show", APP, "targets/none"]).code, 1);
    assert_eq!(played.run(&["show", APP, "root", "--sha256", &sha256]).code, 1);
}

#[test]
fn history_lists_what_show_writes() {
    let played = Played::new();
    let all = played.run(&["history", APP, "--output", "json"]).ok().json();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 7, "a root, and two of each other");
    for entry in all {
        let (role, sha256) = (entry["role"].as_str().unwrap(), entry["sha256"].as_str().unwrap());
        let bytes = played.run(&["show", APP, role, "--sha256", sha256]).ok().stdout;
        assert_eq!(u64::try_from(bytes.len()).ok(), entry["length"].as_u64());
    }
    let table = played.run(&["history", APP, "timestamp"]).ok().stdout;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_eq!(played.run(&["history", "none"]).code, 1);
}

#[test]
fn changes_are_listed_in_pages() {
    let played = Played::new();
    let first = played.run(&["changes", "--limit", "2", "--output", "json"]).ok();
    assert!(first.stderr.contains("go on with --after 2"), "{first:?}");
    let names = |json: &serde_json::Value| -> Vec<_> {
        let rows = json.as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["position"], row["repository"].as_str().unwrap())).collect()
    };
    assert_eq!(names(&first.json()), ["1 docker.io/library/app", "2 docker.io/library/other"]);
    let rest = played.run(&["changes", "--after", "2", "--output", "json"]).ok();
    assert_eq!(names(&rest.json()), ["3 docker.io/library/app"]);
    assert_eq!(rest.stderr, "");
    assert_eq!(
        played.run(&["changes", "--after", "3", "--output", "json"]).ok().json(),
        serde_json::json!([])
    );
    assert_eq!(played.run(&["changes"]).ok().stdout.lines().count(), 4);
}

#[test]
fn a_deleted_repository_is_gone_and_the_feed_tells() {
    let played = Played::new();
    let deleted = played.run(&["delete", APP, "--yes"]).ok();
    assert_eq!(deleted.stdout, format!("{APP} is deleted, at position 4\n"));
    assert_eq!(played.run(&["lookup", APP, "latest"]).code, 1);
    assert_eq!(played.run(&["history", APP]).code, 1);
    assert_eq!(played.run(&["delete", APP, "--yes"]).code, 1);
    let changes = played.run(&["changes", "--after", "3", "--output", "json"]).ok().json();
    assert_eq!((&changes[0]["change"], &changes[0]["sha256"]), (&"deleted".into(), &serde_json::Value::Null));
    played.run(&["lookup", "docker.io/library/other", "only"]).ok();
}

#[test]
fn a_sound_store_verifies_with_and_without_its_index() {
    let played = Played::new();
    let sound = played.run(&["verify", "--output", "json"]).ok().json();
    assert_eq!((&sound["sound"], sound["records"].as_u64()), (&true.into(), Some(3)));
    assert_eq!((sound["tags"].as_u64(), sound["documents"].as_u64()), (Some(4), Some(11)));
    let reindexed = played.run(&["reindex", "--output", "json"]).ok().json();
    assert_eq!(reindexed["records"], 3);
    assert!(run(&["verify", &played.data()]).ok().stdout.contains("yes"));
    let index = played.folder.path().join("data/index");
    assert!(index.is_dir(), "the index lies in its own folder");
    fs::remove_dir_all(&index).unwrap();
    played.run(&["verify"]).ok();
    played.run(&["show", APP, "targets", "--version", "1"]).ok();
}

#[test]
fn an_index_moves_to_another_key_value_store_and_stays_there() {
    let played = Played::new();
    let places = ["data/index/sled", "data/index/redb"].map(|place| played.folder.path().join(place));
    for (kind, is, was) in [("sled", 0, 1), ("redb", 1, 0)] {
        let moved = played.run(&["reindex", "--index", kind, "--output", "json"]).ok().json();
        assert_eq!(moved["records"], 3);
        played.run(&["verify"]).ok();
        played.run(&["show", APP, "targets", "--version", "1"]).ok();
        assert!(places[is].exists() && !places[was].exists(), "{kind}");
        assert_eq!(played.run(&["status", "--output", "json"]).ok().json()["index"], kind);
    }
}

#[test]
fn a_damaged_store_is_not_sound_and_says_what_to_do() {
    let played = Played::new();
    let journal = played.folder.path().join("data/journal");
    let largest = fs::read_dir(journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "segment"))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    write(&largest, &bytes);
    let damaged = played.run(&["verify", "--output", "json"]);
    assert_eq!(damaged.code, 1, "{damaged:?}");
    let json = damaged.json();
    assert_eq!(json["sound"], false);
    let finding = &json["findings"][0];
    assert!(finding["what_to_do"].as_str().unwrap().contains("backup"), "{json}");
    assert!(damaged.stderr.contains("not sound"));
    let table = run(&["verify", &played.data()]);
    assert_eq!(table.code, 1);
    assert!(table.stdout.contains("what to do:"), "{table:?}");
}

#[test]
fn pages_are_made_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(&["completions", "bash"]).ok().stdout.contains("_tufstore"));
    assert!(run(&["man"]).ok().stdout.starts_with(".ie"));
    let out = folder.path().join("pages");
    run(&["man", "--out", text(&out)]).ok();
    for page in ["tufstore.1", "tufstore-lookup.1", "tufstore-replay.1"] {
        assert!(out.join(page).is_file(), "{page}");
    }
    let help = run(&["--help"]).ok().stdout;
    assert!(help.contains("Exit codes:") && help.contains("quickstart"));
    assert!(run(&["lookup", "--help"]).ok().stdout.contains("exit code 3"));
    assert!(run(&["--version"]).ok().stdout.starts_with("tufstore "));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let played = Played::new();
    let mut child = command(&["tags", APP, "--data", &played.data()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaint.as_str()), (Some(0), ""));
}
