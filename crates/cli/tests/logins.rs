//! Who may do what, against a server with users: what `docs/threats.md` says of logins, roles, the switch and the audit trail.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;
mod people;
mod serving;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Ran, now, run, text, write};
use serde_json::Value;
use serving::{Answer, Server};
use tempfile::TempDir;
use tufstore::{Options, Store};
use tufstore_server::access::{Change, ContentTrust, Registry};
use tufstore_server::directory::{Actor, Directory};
use tufstore_testkit::digest;

const REGISTRY: &str = "registry.example.com";
const APP: &str = "registry.example.com/team/app";
const PASSWORD: &str = "the password of alice";

/// A server whose operator added alice, who signs in [`REGISTRY`], and bob, who pushes images there.
struct Served {
    folder: TempDir,
    server: Server,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let begun = Self { server: Server::start(&folder.path().join("store"), &["--no-tls"]), folder };
        let password = write(&begun.folder.path().join("password"), PASSWORD.as_bytes());
        for name in ["alice", "bob"] {
            begun.ours(&["user", "add", name, "--password-file", text(&password)]).ok();
        }
        begun.ours(&["policy", "set", "--registry", REGISTRY, "--content-trust", "enabled"]).ok();
        begun.ours(&["role", "assign", "AcrImageSigner", "--scope", REGISTRY, "--to", "alice"]).ok();
        begun.ours(&["role", "assign", "AcrPush", "--scope", REGISTRY, "--to", "bob"]).ok();
        begun
    }

    fn ours(&self, arguments: &[&str]) -> Ran {
        run(&[arguments, &["--data", text(&self.server.data)]].concat())
    }

    /// What alice shows to sign.
    fn alice(&self) -> String {
        people::to_sign(&self.server, "alice", PASSWORD, APP)
    }

    /// The status of a new tag, signed with that token, in a repository that is begun for it.
    fn sign(&self, token: &str) -> u16 {
        let mut author = match people::author(&self.server, token, APP, now()) {
            Ok(author) => author,
            Err(status) => return status,
        };
        author.set_tag("v1", digest("one"), 1);
        people::publish(&self.server, token, &author, now()).map_or_else(|answer| answer.status, |_| 200)
    }

    fn order(&self, headers: &str, order: &str) -> Answer {
        self.server.http_with("POST", "/v1/access", headers, order.as_bytes())
    }
}

#[test]
fn who_was_disabled_or_removed_is_nobody_at_once_whatever_token_they_hold() {
    let served = Served::new();
    let token = served.alice();
    assert_eq!(served.sign(&token), 200);
    served.ours(&["user", "disable", "alice"]).ok();
    assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 401);
    assert_eq!(served.sign(&token), 401);
    served.ours(&["user", "enable", "alice"]).ok();
    assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 200);
    served.ours(&["user", "remove", "alice"]).ok();
    assert_eq!(served.sign(&token), 401);
    // Somebody else of that name is somebody else.
    let password = served.folder.path().join("password");
    served.ours(&["user", "add", "alice", "--password-file", text(&password)]).ok();
    assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 401);
}

#[test]
fn a_token_that_was_revoked_gets_nothing_and_neither_does_what_it_got_before() {
    let served = Served::new();
    let made = ["token", "create", "release", "--scope", APP, "--may", "pull,sign", "--output", "json"];
    let made = served.ours(&made).ok().json();
    let secret = made["secret"].as_str().unwrap();
    let token = people::to_sign(&served.server, "release", secret, APP);
    assert_eq!(served.sign(&token), 200);
    served.ours(&["token", "revoke", "release"]).ok();
    assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 401);
    let again = people::ask_token(&served.server, "release", secret, "repository:a:pull");
    assert_eq!(again.status, 401, "{}", again.text());
}

#[test]
fn a_role_that_was_taken_away_is_in_no_token_from_then_on() {
    let served = Served::new();
    assert_eq!(served.sign(&served.alice()), 200);
    served.ours(&["role", "unassign", "AcrImageSigner", "--scope", REGISTRY, "--to", "alice"]).ok();
    let token = served.alice();
    assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 401);
    assert_eq!(served.sign(&token), 401);
    served.ours(&["role", "assign", "AcrPull", "--scope", REGISTRY, "--to", "alice"]).ok();
    let token = served.alice();
    assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 200);
    assert_eq!(served.sign(&token), 401);
}

#[test]
fn the_admin_account_and_who_pushes_sign_nothing_over_http() {
    let served = Served::new();
    let password = served.folder.path().join("password");
    served.ours(&["user", "add", "root", "--admin", "--password-file", text(&password)]).ok();
    let refused = served.ours(&["role", "assign", "AcrImageSigner", "--scope", REGISTRY, "--to", "root"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    served.ours(&["role", "assign", "Owner", "--scope", "*", "--to", "bob"]).ok();
    for name in ["root", "bob"] {
        let token = people::to_sign(&served.server, name, PASSWORD, APP);
        assert_eq!(served.sign(&token), 401, "{name}");
    }
    assert_eq!(served.ours(&["repositories", "--output", "json"]).ok().json(), serde_json::json!([]));
}

#[test]
fn a_token_for_the_registry_of_images_signs_nothing() {
    let served = Served::new();
    assert_eq!(served.sign(&served.alice()), 200);
    for name in ["alice", "bob"] {
        for repository in ["team/app", APP] {
            let path = format!("/oauth2/token?service={REGISTRY}&scope=repository:{repository}:push,pull");
            let answer = served.server.http_with("GET", &path, &people::basic(name, PASSWORD), b"");
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            let token = format!("Authorization: Bearer {}\r\n", answer["token"].as_str().unwrap());
            assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 401, "{name}");
            assert_eq!(served.sign(&token), 401, "{name}");
        }
    }
}

#[test]
fn what_is_signed_after_content_trust_was_disabled_is_not_taken() {
    let served = Served::new();
    let token = served.alice();
    assert_eq!(served.sign(&token), 200);
    // One more who has all that it takes, and only has to send it.
    let other = "registry.example.com/other";
    let begins = people::to_sign(&served.server, "alice", PASSWORD, other);
    let author = people::author(&served.server, &begins, other, now()).unwrap();
    let disable = ["policy", "set", "--registry", REGISTRY, "--content-trust", "disabled"];
    served.ours(&[&disable[..], &["--yes-delete-all-trust-data", REGISTRY]].concat()).ok();
    let refused = people::publish(&served.server, &begins, &author, now()).map(drop).unwrap_err();
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("content trust is disabled for the registry"), "{}", refused.text());
    for token in [token, served.alice()] {
        assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 404);
        assert_ne!(served.sign(&token), 200);
    }
    assert_eq!(served.ours(&["repositories", "--output", "json"]).ok().json(), serde_json::json!([]));
}

/// As if the power had gone between the switch and the deletions.
#[test]
fn what_a_disabled_registry_still_holds_is_deleted_at_the_next_start() {
    let served = Served::new();
    assert_eq!(served.sign(&served.alice()), 200);
    let Served { folder, server } = served;
    let data = server.data.clone();
    assert!(server.stop().success());
    let store = Store::open(&data, Options::default()).unwrap();
    let directory = Directory::open(store.clone(), &data, ContentTrust::Disabled).unwrap();
    let registry: Registry = REGISTRY.parse().unwrap();
    let switched = Change::SetContentTrust { registry, content_trust: Some(ContentTrust::Disabled) };
    directory.change(vec![switched], &Actor::operator(), now()).unwrap();
    assert_eq!(store.repositories().len(), 1);
    drop(directory);
    store.close().unwrap();
    drop(store);
    let served = Served { folder, server: Server::start(&data, &["--no-tls"]) };
    assert_eq!(people::status(&served.server, &served.alice(), APP, "timestamp.json"), 404);
    assert_eq!(served.ours(&["repositories", "--output", "json"]).ok().json(), serde_json::json!([]));
    let told = served.ours(&["audit"]).ok().stdout;
    assert!(told.contains(&format!("deleted {APP}")), "{told}");
}

#[test]
fn a_name_that_nobody_has_is_refused_as_a_wrong_password_is() {
    let served = Served::new();
    let asked = |name: &str| {
        let answer = people::ask_token(&served.server, name, "no password of anybody", "repository:a:pull");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        (answer.status, body["errors"].clone())
    };
    served.ours(&["user", "disable", "bob"]).ok();
    let refusals = ["alice", "bob", "nobody"].map(asked);
    assert_eq!(refusals[0].0, 401);
    assert!(refusals.iter().all(|refused| *refused == refusals[0]), "{refusals:?}");
}

#[test]
fn passwords_are_tried_so_many_times_a_minute_and_no_more() {
    let served = Served::new();
    // She logged in before: she is let in again while others guess.
    served.alice();
    let guess = |number: usize| {
        people::ask_token(&served.server, "alice", &format!("a guess, number {number}"), "repository:a:pull")
            .status
    };
    let tried =
        (0..1000).map(guess).take_while(|status| *status != 429).filter(|status| *status == 401).count();
    // One more every two seconds.
    assert!((20..1000).contains(&tried), "{tried}");
    assert_eq!(guess(1000), 429);
    served.alice();
}

/// Each try takes a processor for some hundredths of a second, and memory.
#[test]
fn a_flood_of_logins_keeps_nobody_waiting_who_reads() {
    let served = Served::new();
    let token = served.alice();
    assert_eq!(served.sign(&token), 200);
    let (ended, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for flood in 0..64 {
            let (served, ended, refused) = (&served, &ended, &refused);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let name = format!("nobody{flood}");
                    let answer =
                        people::ask_token(&served.server, &name, "a guess at something", "repository:a:pull");
                    assert!([401, 429, 503].contains(&answer.status), "{}", answer.text());
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..20 {
            let begun = clock();
            assert_eq!(people::status(&served.server, &token, APP, "timestamp.json"), 200);
            assert!(begun.elapsed() < Duration::from_secs(5));
            thread::sleep(Duration::from_millis(20));
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(refused.into_inner() > 64);
}

#[test]
fn a_web_page_orders_nothing() {
    let served = Served::new();
    served.ours(&["role", "assign", "Owner", "--scope", "*", "--to", "bob"]).ok();
    let order = r#"{"order":"disable","principal":"alice"}"#;
    let bob = people::basic("bob", PASSWORD);
    let answer = served.order(&format!("{bob}Origin: https://evil.example.com\r\n"), order);
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(served.sign(&served.alice()), 200, "she may as before");
    let answer = served.order(&bob, order);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(people::ask_token(&served.server, "alice", PASSWORD, "repository:a:pull").status, 401);
}

#[test]
fn lists_say_in_words_what_programs_are_told_by_a_name() {
    let served = Served::new();
    served.ours(&["user", "add", "root", "--admin", "--no-password"]).ok();
    served.ours(&["principal", "create", "ci"]).ok();
    let listed = served.ours(&["user", "list", "--output", "json"]).ok().json();
    let mut kinds: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["admin", "service", "user", "user"]);
    let table = served.ours(&["user", "list"]).ok().stdout;
    assert!(table.contains("the admin account") && table.contains("a service principal"), "{table}");
    // The shortest life is over when the list is asked for.
    served.ours(&["token", "create", "short", "--of", "alice", "--expires", "1s"]).ok();
    thread::sleep(Duration::from_millis(1100));
    let table = served.ours(&["token", "list"]).ok().stdout;
    assert_eq!(table.matches("expired 20").count(), 1, "{table}");
}

#[test]
fn an_audit_trail_that_was_changed_after_its_export_is_found_out() {
    let served = Served::new();
    assert_eq!(served.sign(&served.alice()), 200);
    let exported = served.ours(&["audit", "--output", "json"]).ok().json();
    let lines = exported.as_array().unwrap();
    assert_eq!(lines.last().unwrap()["note"]["by"]["name"], "alice", "{exported}");
    let verify = |lines: &[Value]| {
        let bytes = serde_json::to_vec(lines).unwrap();
        let file = write(&served.folder.path().join("audit.json"), &bytes);
        run(&["audit", "--verify", text(&file)]).code
    };
    assert_eq!(verify(lines), 0);
    for number in 1..lines.len() - 1 {
        assert_eq!(
            verify(&[&lines[..number], &lines[number + 1..]].concat()),
            1,
            "line {number} is left out"
        );
        let mut swapped = lines.clone();
        swapped.swap(number, number + 1);
        assert_eq!(verify(&swapped), 1, "line {number} comes later");
    }
    for number in 0..lines.len() {
        let mut blamed = lines.clone();
        blamed[number]["note"]["by"] = serde_json::json!({ "kind": "external", "subject": "somebody else" });
        assert_eq!(verify(&blamed), 1, "line {number} names somebody else");
        let mut moved = lines.clone();
        moved[number]["time"] = "2020-01-01T00:00:00Z".into();
        assert_eq!(verify(&moved), 1, "line {number} was earlier");
    }
    let mut twice = lines.clone();
    twice.push(lines.last().unwrap().clone());
    assert_eq!(verify(&twice), 1);
}

#[expect(clippy::disallowed_methods, reason = "a deadline of the test")]
fn clock() -> Instant {
    Instant::now()
}
