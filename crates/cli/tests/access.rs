//! Who may do what, content trust of registries, and the audit trail: on a folder, as whoever runs the store asks for it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod serving;

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use common::{Played, Ran, command, run, text};
use serde_json::Value;
use serving::Server;
use tufstore::{Options, Store};
use tufstore_server::access::Access;

const APP: &str = "docker.io/library/app";

/// A command that is told something on its standard input.
fn told(arguments: &[&str], input: &str) -> Ran {
    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn add(played: &Played, name: &str) {
    told(&["user", "add", name, "--password-stdin", "--data", &played.data()], "correct horse\n").ok();
}

fn assign(played: &Played, role: &str, scope: &str, to: &str) -> Ran {
    played.run(&["role", "assign", role, "--scope", scope, "--to", to])
}

fn list(played: &Played, arguments: &[&str]) -> Vec<Value> {
    let Value::Array(entries) = played.run(&[arguments, &["--output", "json"]].concat()).ok().json() else {
        unreachable!("a list")
    };
    entries
}

/// What is written down, as the server reads it.
fn written(played: &Played) -> Access {
    let store = Store::open(played.data(), Options::default()).unwrap();
    Access::from_bytes(&store.settings().unwrap().unwrap().bytes).unwrap()
}

#[test]
fn users_and_their_roles_are_written_down_and_listed() {
    let played = Played::new();
    add(&played, "alice");
    played.run(&["user", "add", "bob", "--no-password"]).ok();
    assert!(
        assign(&played, "acrimagesigner", "docker.io/library/", "alice")
            .ok()
            .stdout
            .contains("AcrImageSigner")
    );
    let again = assign(&played, "AcrImageSigner", "docker.io/library/", "alice").ok();
    assert_eq!(again.stdout, "nothing had to be changed\n");
    played.run(&["group", "add", "readers"]).ok();
    played.run(&["group", "join", "readers", "bob"]).ok();
    played.run(&["role", "assign", "AcrPull", "--scope", "*", "--to-group", "readers"]).ok();

    let users = list(&played, &["user", "list"]);
    let told: Vec<_> =
        users.iter().map(|user| (user["names"][0].clone(), user["password"].clone())).collect();
    assert_eq!(told, [("alice".into(), true.into()), ("bob".into(), false.into())]);
    let assignments = list(&played, &["role", "assignments"]);
    assert_eq!(assignments.len(), 2);
    assert_eq!((&assignments[0]["scope"], &assignments[0]["to"]["group"]), (&"*".into(), &"readers".into()));
    let table = played.run(&["role", "assignments"]).ok().stdout;
    assert!(table.contains("docker.io/library/  AcrImageSigner  alice"), "{table}");

    played
        .run(&["role", "unassign", "AcrImageSigner", "--scope", "docker.io/library/", "--to", "alice"])
        .ok();
    played.run(&["user", "rename", "alice", "alicia"]).ok();
    played.run(&["user", "disable", "ALICIA"]).ok();
    played.run(&["group", "leave", "readers", "bob"]).ok();
    let access = written(&played);
    assert_eq!(access.assignments().count(), 1);
    assert!(access.answering_to("alicia").unwrap().1.disabled && access.answering_to("alice").is_none());
    assert!(access.groups().all(|(_, group)| group.members.is_empty()));
}

#[test]
fn what_breaks_a_rule_is_refused_with_what_to_do_instead_and_changes_nothing() {
    let played = Played::new();
    add(&played, "alice");
    played.run(&["user", "add", "root", "--admin", "--no-password"]).ok();
    let before = (written(&played), played.run(&["changes"]).stdout);
    let refused = |arguments: &[&str], why: &str| {
        let refused = played.run(arguments);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.stderr.contains(why), "{why}: {refused:?}");
    };
    let signer = ["role", "assign", "AcrImageSigner", "--scope", "*", "--to"];
    refused(&[&signer[..], &["root"]].concat(), "the admin account cannot be given AcrImageSigner");
    refused(&[&signer[..], &["nobody"]].concat(), "nobody answers to \"nobody\"");
    refused(&["user", "add", "ALICE", "--no-password"], "is taken");
    refused(&["token", "revoke", "none"], "there is no token");
    refused(&["role", "remove", "none"], "there is no role");
    let short = told(&["user", "add", "carol", "--password-stdin", "--data", &played.data()], "short");
    assert!(short.code == 4 && short.stderr.contains("at least 8 bytes"), "{short:?}");
    for arguments in [
        &["user", "add", "a b", "--no-password"][..],
        &["role", "assign", "AcrPull", "--scope", "a//b", "--to", "alice"],
    ] {
        assert_eq!(played.run(arguments).code, 2, "{arguments:?}");
    }
    assert_eq!((written(&played), played.run(&["changes"]).stdout), before);
    played.run(&["user", "remove", "root"]).ok();
    refused(&["user", "remove", "alice"], "nobody would be left");
}

#[test]
fn a_token_is_shown_once_and_nothing_secret_is_ever_shown_again() {
    let played = Played::new();
    let made = played.run(&[
        "principal",
        "create",
        "ci",
        "--also",
        "deploy",
        "--expires",
        "30d",
        "--output",
        "json",
    ]);
    let made = made.ok().json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("tufs_") && secret.len() == 5 + 16 + 1 + 43, "{secret}");
    let narrowed = played.run(&["token", "create", "app", "--scope", APP, "--may", "pull,sign"]).ok();
    let other = narrowed.stdout.split_whitespace().last().unwrap().to_owned();
    assert!(other.starts_with("tufs_"), "{narrowed:?}");
    add(&played, "alice");
    played.run(&["token", "create", "laptop", "--of", "alice"]).ok();
    let tokens = list(&played, &["token", "list"]);
    let names: Vec<_> = tokens.iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["app", "ci.token-1", "laptop"]);
    let shown: Vec<String> =
        [&["token", "list"][..], &["user", "list"], &["audit"], &["audit", "--output", "json"]]
            .iter()
            .map(|arguments| played.run(arguments).ok().stdout)
            .collect();
    for shown in &shown {
        for hidden in [&secret[22..], &other[22..], "correct horse", "argon2"] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
    }
    played.run(&["token", "revoke", "laptop"]).ok();
    assert_eq!(list(&played, &["token", "list"]).len(), 2);
    let missing = run(&["token", "create", "x", "--data", &played.data()]);
    assert_eq!(missing.code, 2, "{missing:?}");
}

#[test]
fn the_first_user_leaves_content_trust_on_where_trust_data_is_and_off_elsewhere() {
    let played = Played::new();
    let trust = |registry: &str| {
        list(&played, &["policy", "show", "--registry", registry])[0]["content_trust"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!((trust("docker.io"), trust("reg.example.com")), ("enabled".to_owned(), "enabled".to_owned()));
    add(&played, "alice");
    assert_eq!((trust("docker.io"), trust("reg.example.com")), ("enabled".to_owned(), "disabled".to_owned()));
    played.run(&["policy", "set", "--registry", "reg.example.com", "--content-trust", "enabled"]).ok();
    assert_eq!(trust("reg.example.com"), "enabled");
    let table = played.run(&["policy", "show"]).ok().stdout;
    assert!(table.contains("docker.io        enabled                   2     4"), "{table}");
}

#[test]
fn disabling_takes_the_registrys_name_and_deletes_all_of_it_and_nothing_else() {
    let played = Played::new();
    let off = ["policy", "set", "--registry", "docker.io", "--content-trust", "disabled"];
    for confirmed in [&[][..], &["--yes-delete-all-trust-data", "docker.example.com"]] {
        let refused = played.run(&[&off[..], confirmed].concat());
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("2 repositories with 4 signed tags"), "{refused:?}");
        played.run(&["lookup", APP, "latest"]).ok();
    }
    let done = played
        .run(&[&off[..], &["--yes-delete-all-trust-data", "docker.io", "--output", "json"]].concat())
        .ok()
        .json();
    assert_eq!(done["deleted"]["repositories"], 2);
    assert_eq!(played.run(&["lookup", APP, "latest"]).code, 1);
    assert_eq!(list(&played, &["repositories"]), Vec::<Value>::new());
    assert!(done["deleted"]["freed_bytes"].as_u64().unwrap() > 0, "the bytes are gone as well");
    let trace = played.folder.path().join("trace.tsv");
    let refused = run(&["replay", text(&trace), "--data", &played.data(), "--publishers", "1"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("content trust is disabled for the registry docker.io"), "{refused:?}");
    played.run(&["policy", "set", "--registry", "docker.io", "--content-trust", "enabled"]).ok();
    let audit = played.run(&["audit"]).ok().stdout;
    assert!(audit.contains("deleted docker.io/library/app (content trust was disabled)"), "{audit}");
}

#[test]
fn a_repository_that_is_reset_is_archived_and_begins_anew() {
    let played = Played::new();
    let asked = played.run(&["repository", "reset", APP]);
    assert_eq!(asked.code, 2, "{asked:?}");
    let reset = played.run(&["repository", "reset", APP, "--yes", "--output", "json"]).ok().json();
    let archive = std::path::PathBuf::from(reset["archive"].as_str().unwrap());
    let mut names: Vec<_> = fs::read_dir(&archive)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in ["1.root.json", "1.targets.json", "2.targets.json", "about.json"] {
        assert!(names.iter().any(|there| there == name), "{name} in {names:?}");
    }
    assert_eq!(u64::try_from(names.len()).unwrap(), reset["files"].as_u64().unwrap() + 1);
    let about: Value = serde_json::from_slice(&fs::read(archive.join("about.json")).unwrap()).unwrap();
    assert_eq!((&about["repository"], &about["incarnation"]), (&APP.into(), &1.into()));
    assert_eq!(played.run(&["lookup", APP, "latest"]).code, 1);
    assert_eq!(played.run(&["repository", "reset", APP, "--yes"]).code, 1);
    let audit = played.run(&["audit"]).ok().stdout;
    assert!(audit.contains("deleted docker.io/library/app (begins anew)"), "{audit}");
}

#[test]
fn the_audit_trail_says_who_did_what_and_an_export_of_it_can_be_checked_anywhere() {
    let played = Played::new();
    add(&played, "alice");
    assign(&played, "AcrPull", "*", "alice").ok();
    played.run(&["delete", APP, "--yes"]).ok();
    let exported = played.run(&["audit", "--output", "json"]).ok();
    let lines: Vec<Value> = serde_json::from_str(&exported.stdout).unwrap();
    assert_eq!(lines.len(), 6);
    let by: Vec<_> = lines.iter().map(|line| line["note"]["by"]["kind"].as_str().unwrap_or("")).collect();
    assert_eq!(by, ["", "", "", "operator", "operator", "operator"]);
    assert_eq!(lines[4]["note"]["did"][0]["role"], "AcrPull");
    let check = |name: &str, lines: &[Value]| {
        let file = played.write(name, &serde_json::to_vec(lines).unwrap());
        run(&["audit", "--verify", text(&file)])
    };
    let sound = check("whole.json", &lines).ok();
    assert!(sound.stdout.starts_with("6 lines follow each other; the last one's header is "), "{sound:?}");
    check("part.json", &lines[2..5]).ok();
    let mut changed = lines.clone();
    changed[4]["note"]["did"][0]["role"] = "AcrPush".into();
    let mut added = lines.clone();
    added[4]["approved_by"] = "the board".into();
    let mut within = lines.clone();
    within[4]["note"]["by"]["acting_for"] = "the board".into();
    let mut without = lines.clone();
    without.remove(3);
    let mut twice = lines.clone();
    twice.insert(2, lines[1].clone());
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    for (name, lines) in [
        ("changed", &changed),
        ("added", &added),
        ("within", &within),
        ("without", &without),
        ("twice", &twice),
        ("swapped", &swapped),
    ] {
        let wrong = check(&format!("{name}.json"), lines);
        assert_eq!(wrong.code, 1, "{name}: {wrong:?}");
    }
    let page = played.run(&["audit", "--after", "3", "--limit", "2", "--output", "json"]).ok().json();
    assert_eq!(page.as_array().unwrap().as_slice(), &lines[3..5]);
}

#[test]
fn what_was_refused_is_told_apart_from_what_was_done() {
    let played = Played::new();
    assert_eq!(list(&played, &["audit", "--refused"]), Vec::<Value>::new());
    let data = played.data();
    add(&played, "alice");
    let server = Server::start(std::path::Path::new(&data), &["--no-tls", "--new-master-key"]);
    for (method, path) in [("GET", "/v2/"), ("GET", "/oauth2/token?service=x%2F"), ("POST", "/oauth2/token")]
    {
        server.http(
            method,
            path,
            None,
            b"grant_type=password&service=tufstore&username=alice&password=wrong%20horse",
        );
    }
    // Written beside, a moment later.
    let refused = loop {
        let refused = list(&played, &["audit", "--refused"]);
        if refused.iter().any(|refused| refused["status"] == 401) {
            break refused;
        }
    };
    let last = refused.last().unwrap();
    assert_eq!(
        (&last["method"], &last["path"], &last["code"]),
        (&"POST".into(), &"/oauth2/token".into(), &"UNAUTHORIZED".into())
    );
    assert_eq!(played.run(&["audit", "--output", "json"]).ok().json().as_array().unwrap().len(), 4);
    assert!(!played.run(&["audit", "--refused"]).ok().stdout.contains("wrong horse"));
    assert!(server.stop().success());
}

#[test]
fn an_image_may_run_if_its_tag_is_signed_for_that_digest_by_all_who_have_to() {
    let played = Played::new();
    let found = played.run(&["lookup", APP, "latest"]).ok().stdout;
    let digest = found.split_whitespace().next().unwrap();
    let image = format!("{APP}:latest");
    let bound = format!("{image}@{digest}");
    played.run(&["signed", &image, &bound, "--signer", "targets"]).ok();
    let cases = [
        (format!("{APP}:none"), "nobody signed the tag"),
        ("docker.io/library/none:latest".to_owned(), "there is no trust data"),
        (format!("{image}@sha256:{}", "0".repeat(64)), "the tag stands for another digest"),
    ];
    for (image, why) in &cases {
        let refused = played.run(&["signed", &bound, image]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stdout.contains(why), "{why}: {refused:?}");
    }
    let missing = played.run(&["signed", &image, "--signer", "targets", "--signer", "alice"]);
    assert!(missing.code == 1 && missing.stdout.contains("not signed by alice"), "{missing:?}");
    for image in [APP, "localhost:5000/app", "app@sha256:00", "a//b:c"] {
        assert_eq!(played.run(&["signed", image]).code, 2, "{image}");
    }
}
