//! Commands on a store that a server has open.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod serving;

use std::io::{BufRead as _, BufReader, Write as _};
use std::iter;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{Played, Ran, run, text};
use serving::Server as Running;
use tufstore_testkit::digest;

const APP: &str = "docker.io/library/app";

/// A server on a store that [`common::TRACE`] was played into.
fn serve(played: &Played) -> Running {
    let master = played.folder.path().join("data.keys");
    // A replay keeps the master key beside the data; a server has it in there.
    std::fs::copy(master.join("master"), Path::new(&played.data()).join("master")).unwrap();
    Running::start(Path::new(&played.data()), &["--no-tls", "--key-file", text(&master.join("master.key"))])
}

fn same(through: &Ran, folder: &Ran) {
    assert_eq!((through.code, &through.stdout), (folder.code, &folder.stdout));
    assert!(through.stderr.contains("through the server that has this store open"), "{through:?}");
    assert!(!folder.stderr.contains("through the server"), "{folder:?}");
}

#[test]
fn every_reading_command_says_the_same_through_a_server() {
    let played = Played::new();
    let commands: &[&[&str]] = &[
        &["lookup", APP, "latest"],
        &["lookup", APP, "latest", "--output", "json"],
        &["lookup", APP, "no-such"],
        &["lookup", "docker.io/library/none", "x"],
        &["tags", APP],
        &["tags", APP, "--role", "targets", "--output", "json"],
        &["tags", APP, "--role", "targets/none"],
        &["repositories"],
        &["repositories", "--output", "json"],
        &["show", APP, "root"],
        &["show", APP, "targets", "--version", "1"],
        &["show", APP, "targets", "--version", "99"],
        &["history", APP],
        &["history", APP, "timestamp", "--output", "json"],
        &["changes"],
        &["changes", "--after", "1", "--limit", "1"],
        &["verify"],
        &["verify", "--output", "json"],
    ];
    let closed: Vec<_> = commands.iter().map(|arguments| played.run(arguments)).collect();
    let server = serve(&played);
    for (arguments, closed) in commands.iter().zip(&closed) {
        same(&played.run(arguments), closed);
    }
    assert_eq!(played.run(&["reindex", "--output", "json"]).ok().json()["records"], 3);
    let status = played.run(&["status", "--output", "json"]).ok().json();
    assert_eq!((&status["position"], &status["server"]["process"]), (&3.into(), &server.pid().into()));
    assert!(server.stop().success());
    let status = played.run(&["status", "--output", "json"]).ok().json();
    assert_eq!((&status["repositories"], &status["server"]), (&2.into(), &serde_json::Value::Null));
}

#[test]
fn what_changes_a_store_goes_through_the_server_and_is_seen_at_once() {
    let played = Played::new();
    let server = serve(&played);
    let deleted = played.run(&["delete", APP, "--yes"]).ok();
    assert!(deleted.stdout.contains("is deleted, at position 4"), "{deleted:?}");
    assert_eq!(server.get(&format!("/v2/{APP}/_trust/tuf/root.json")).status, 404);

    let mut elsewhere = common::Server::new("other.example.com/app", common::now());
    elsewhere.author.set_tag("v1", digest("elsewhere"), 7);
    elsewhere.publish();
    let cache = played.folder.path().join("cache");
    elsewhere.write_cache(&cache);
    played.run(&["import", "other.example.com/app", text(&cache)]).ok();
    assert_eq!(server.get("/v2/other.example.com/app/_trust/tuf/timestamp.json").status, 200);
    let found = played.run(&["lookup", "other.example.com/app", "v1"]).ok();
    assert_eq!(found.stdout, format!("sha256:{} 7 targets\n", digest("elsewhere")));
    let again = played.run(&["import", "other.example.com/app", text(&cache)]).ok();
    assert!(again.stdout.contains("known already"), "{again:?}");
    assert!(server.stop().success());
    assert_eq!(played.run(&["verify"]).ok().code, 0);
}

#[test]
fn a_replay_goes_on_through_a_server() {
    let played = Played::new();
    let server = serve(&played);
    let more =
        format!("{}4\tapp\t0000000000000003\tlatest\n5\tnew\t0000000000000004\tfirst\n", common::TRACE);
    let trace = played.write("more.tsv", more.as_bytes());
    let replayed = played.run(&["replay", text(&trace), "--output", "json"]).ok().json();
    assert_eq!((&replayed["publications"], &replayed["published_before"]), (&5.into(), &3.into()));
    let digest = digest("new@0000000000000004");
    assert!(
        played.run(&["lookup", "docker.io/library/new", "first"]).ok().stdout.contains(&digest.to_string())
    );
    assert!(server.stop().success());
}

#[test]
fn an_answer_of_a_hundred_thousand_tags_goes_through() {
    let played = Played::new();
    let lines = (0..100_000).map(|number| format!("9\tlarge\t{number:016x}\tv{number}\n"));
    let all: Vec<String> = iter::once(common::TRACE.to_owned()).chain(lines).collect();
    let trace = played.write("large.tsv", all.concat().as_bytes());
    played.run(&["replay", text(&trace)]).ok();
    let server = serve(&played);
    let asked = ["tags", "docker.io/library/large", "--output", "json"];
    let through = played.run(&asked);
    assert!(server.stop().success());
    same(&through, &played.run(&asked));
    assert_eq!(through.json().as_array().unwrap().len(), 100_000);
}

#[test]
fn the_socket_answers_whatever_comes() {
    let played = Played::new();
    let server = serve(&played);
    let socket = Path::new(&played.data()).join("admin.sock");
    let mut stream = BufReader::new(UnixStream::connect(&socket).unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let greeting: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&greeting["protocol"], &greeting["process"]), (&3.into(), &server.pid().into()));
    let asked = [
        ("nonsense", "misunderstood"),
        ("{}", "misunderstood"),
        (r#"{"ask":"no-such-question"}"#, "misunderstood"),
        (r#"{"ask":"lookup","repository":"*","tag":"x"}"#, "misunderstood"),
        (r#"{"ask":"lookup","repository":"none","tag":"x"}"#, "refused"),
        (r#"{"ask":"publish","repository":"none","files":{"root":"no base64"}}"#, "misunderstood"),
        (r#"{"ask":"publish","repository":"none","files":{"root":"e30="}}"#, "refused"),
        (r#"{"ask":"status"}"#, "answer"),
    ];
    for (ask, said) in asked {
        stream.get_mut().write_all(format!("{ask}\n").as_bytes()).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get(said).is_some(), "{ask}: {line}");
    }
    // Bytes that are no text end the conversation, and nothing else.
    stream.get_mut().write_all(&[0xff, 0xfe, b'\n']).unwrap();
    let mut rest = String::new();
    drop(stream.read_line(&mut rest));
    assert_eq!(played.run(&["status"]).ok().code, 0);
    assert!(server.stop().success());
}

#[test]
fn the_socket_of_a_killed_server_hurts_nobody() {
    let played = Played::new();
    serve(&played).kill();
    let socket = Path::new(&played.data()).join("admin.sock");
    assert!(socket.exists());
    let alone = played.run(&["repositories"]).ok();
    assert!(!alone.stderr.contains("through the server"), "{alone:?}");
    let again = serve(&played);
    assert!(played.run(&["repositories"]).ok().stderr.contains("through the server"));
    assert!(again.stop().success());
    assert!(!socket.exists());
}

#[test]
fn who_asks_and_does_not_listen_does_not_hold_up_the_end() {
    let played = Played::new();
    let server = serve(&played);
    let mut deaf = UnixStream::connect(Path::new(&played.data()).join("admin.sock")).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Until the server is stuck in an answer, and reads no more questions.
    while deaf.write_all(b"{\"ask\":\"status\"}\n").is_ok() {}
    assert_eq!(played.run(&["status"]).ok().code, 0);
    assert!(server.stop().success());
}

#[test]
fn commands_run_beside_each_other() {
    let played = Played::new();
    let server = serve(&played);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..3 {
                    played.run(&["verify"]).ok();
                    played.run(&["tags", APP]).ok();
                }
            });
        }
    });
    assert!(server.stop().success());
}

#[test]
fn a_store_that_another_command_has_open_is_still_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let store = tufstore::Store::open(&data, tufstore::Options::default()).unwrap();
    let refused = run(&["repositories", "--data", text(&data)]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("is in use by"), "{refused:?}");
    store.close().unwrap();
}
