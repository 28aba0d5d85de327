//! A server with users of its own, and content trust of registries.

mod common;
mod serving;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use common::{Ran, run, text};
use serde_json::Value;
use serving::Server;
use tempfile::TempDir;

const KEY: &str = "/v2/reg.example.com/app/_trust/tuf/timestamp.key";

fn on(folder: &TempDir, arguments: &[&str]) -> Ran {
    run(&[arguments, &["--data", text(&folder.path().join("store"))]].concat())
}

#[test]
fn other_machines_reach_a_server_that_has_users() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let server = Server::start(&data, &["--no-tls"]);
    assert!(server.stop().success());
    let refused = on(&folder, &["serve", "--no-tls", "--listen", "0.0.0.0:0"]);
    assert!(refused.code != 0 && refused.stderr.contains("there are no users"), "{refused:?}");
    assert!(refused.stderr.contains("tufstore user add"), "{refused:?}");
    on(&folder, &["user", "add", "alice", "--no-password"]).ok();
    let server = Server::start_on("0.0.0.0:0", &data, &["--no-tls"], &[]);
    assert_eq!(server.get(KEY).status, 401);
    assert!(server.stop().success());
}

/// A role is in the token; whoever shows it has to be somebody still.
#[test]
fn a_token_that_is_out_outlives_a_role_and_nobody_who_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("store"), &["--no-tls"]);
    on(&folder, &["user", "add", "alice", "--no-password"]).ok();
    let everywhere = ["AcrPull", "--scope", "*", "--to", "alice"];
    on(&folder, &[&["role", "assign"], &everywhere[..]].concat()).ok();
    let made = on(&folder, &["token", "create", "laptop", "--of", "alice", "--output", "json"]).ok().json();
    let login = STANDARD.encode(format!("alice:{}", made["secret"].as_str().unwrap()));
    let path = "/oauth2/token?service=tufstore&scope=repository:reg.example.com/app:pull";
    let answer = server.http_with("GET", path, &format!("Authorization: Basic {login}\r\n"), b"");
    let token: Value = serde_json::from_slice(&answer.body).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", token["token"].as_str().unwrap());
    let shows =
        || server.http_with("GET", "/v2/reg.example.com/app/_trust/tuf/root.json", &bearer, b"").status;
    assert_eq!(shows(), 404);
    on(&folder, &[&["role", "unassign"], &everywhere[..]].concat()).ok();
    assert_eq!(shows(), 404);
    on(&folder, &["user", "disable", "alice"]).ok();
    assert_eq!(shows(), 401);
    on(&folder, &["user", "enable", "alice"]).ok();
    assert_eq!(shows(), 404);
    on(&folder, &["token", "revoke", "laptop"]).ok();
    assert_eq!(shows(), 401);
}

#[test]
fn a_restored_store_has_the_users_roles_and_tokens_of_the_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (store, backup) = (folder.path().join("store"), folder.path().join("backup"));
    let server = Server::start(&store, &["--no-tls"]);
    on(&folder, &["user", "add", "alice", "--no-password"]).ok();
    on(&folder, &["token", "create", "laptop", "--of", "alice"]).ok();
    on(&folder, &["backup", "--to", text(&backup)]).ok();
    on(&folder, &["token", "revoke", "laptop"]).ok();
    on(&folder, &["user", "add", "bob", "--no-password"]).ok();
    assert!(server.stop().success());
    let restored = folder.path().join("restored");
    let rollback = ["restore", text(&backup), "--to", text(&restored), "--rollback", "--old", text(&store)];
    run(&rollback).ok();
    let of = |arguments: &[&str]| run(&[arguments, &["--data", text(&restored)]].concat()).ok().stdout;
    let users = of(&["user", "list"]);
    assert!(users.contains("alice") && !users.contains("bob"), "{users}");
    // It was revoked, and nobody knows: whoever restores has to do it again.
    assert!(of(&["token", "list"]).contains("laptop"));
    assert!(!of(&["audit"]).contains("bob"));
}

#[test]
fn a_server_with_users_does_not_say_that_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let server = Server::start(&data, &["--no-tls"]);
    server.says("there are no users");
    assert_eq!(server.get(KEY).status, 200);
    on(&folder, &["user", "add", "alice", "--no-password"]).ok();
    assert_eq!(server.get(KEY).status, 401);
    assert!(server.stop().success());
    let again = Server::start(&data, &["--no-tls"]);
    assert_eq!(again.get(KEY).status, 401);
    // What it says at its start it has said before it answers.
    again.says(KEY);
    assert!(!again.log().contains("no users"), "{}", again.log());
}

/// Clients show the reason of this refusal, and of a 404 say that the repository has to be initialised.
#[test]
fn who_asks_for_a_key_is_told_that_content_trust_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("store"), &["--no-tls"]);
    let set = |on_or_off| {
        let registry = ["--registry", "reg.example.com", "--yes-delete-all-trust-data", "reg.example.com"];
        on(&folder, &[&["policy", "set", "--content-trust", on_or_off], &registry[..]].concat()).ok();
    };
    set("disabled");
    for method in ["GET", "POST"] {
        let answer = server.http(method, KEY, None, b"");
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("content trust is disabled for the registry reg.example.com"));
    }
    assert_eq!(server.get("/v2/reg.example.com/app/_trust/tuf/root.json").status, 404);
    assert_eq!(server.get("/v2/other.example.com/app/_trust/tuf/timestamp.key").status, 200);
    set("enabled");
    assert_eq!(server.get(KEY).status, 200);
}

#[test]
fn tokens_of_nobody_that_somebody_made_are_named_when_they_are_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("store"), &["--no-tls"]);
    on(&folder, &["user", "add", "alice", "--no-password"]).ok();
    on(&folder, &["role", "assign", "Owner", "--scope", "*", "--to", "alice"]).ok();
    let made = on(&folder, &["token", "create", "laptop", "--of", "alice", "--output", "json"]).ok().json();
    let login = STANDARD.encode(format!("alice:{}", made["secret"].as_str().unwrap()));
    let order =
        br#"{"order":"create-token","name":"job","limit":{"a/b":["registries/pull/read"]},"lifetime":60}"#;
    let headers = format!("Authorization: Basic {login}\r\nContent-Type: application/json\r\n");
    assert_eq!(server.http_with("POST", "/v1/access", &headers, order).status, 200);
    let said = "these tokens of nobody were made by alice and still count: job;";
    for command in ["disable", "remove"] {
        let gone = on(&folder, &["user", command, "alice"]).ok();
        assert!(gone.stderr.contains(said), "{gone:?}");
    }
}
