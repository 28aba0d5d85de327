//! Users and their roles, as Docker's command line shows them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::engine::{CLIENTS, Said, User};
use crate::house::{House, PASSWORD, each};
use crate::repository;

const UNAUTHORISED: &str = "you are not authorized to perform this operation: server returned 401.";
/// What an engine says to whom a registry does not let push, and before a login to whom it does not let pull.
const DENIED: &str = "denied: requested access to the resource is denied";
/// What is said to whoever logs in with another password, or is nobody any more.
const WRONG: &str = "unauthorized: authentication required";

/// For whom a client has credentials.
fn known_at(user: &User<'_>) -> Vec<String> {
    let config = fs::read(user.config.path().join("config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    config["auths"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn who_logs_in_at_the_registry_is_known_to_the_trust_server() {
    each(|house, client| {
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        signer.run(&["push", &image]).ok();

        house.add("alice", &["AcrPull"]);
        let alice = house.stranger(client);
        for (name, password) in [("alice", "another password"), ("nobody", PASSWORD)] {
            alice.login(&house.registry, name, password).fails(WRONG);
        }
        alice.run(&["pull", &image]).fails(UNAUTHORISED);
        alice.without(&["pull", &image]).fails(DENIED);
        alice.run(&["trust", "inspect", &image]).fails("no signatures or cannot access");

        assert!(alice.login(&house.registry, "alice", PASSWORD).ok().stdout.contains("Login Succeeded"));
        assert_eq!(known_at(&alice), [house.registry.as_str()]);
        alice.run(&["pull", &image]).ok();
        alice.run(&["trust", "inspect", &image]).ok();
        // Docker has one name and password for an image, whichever server it asks about it. Logging in at the trust server
        // leads nowhere: it knows who that is, and has nothing for whoever names no repository.
        let trust = format!("localhost:{}", house.server.port);
        assert_ne!(alice.login(&trust, "alice", PASSWORD).code, 0);

        // What was right is remembered, and counts no more once there is another.
        house.password("alice", "a new password");
        alice.without(&["pull", &image]).fails(WRONG);
        alice.login(&house.registry, "alice", PASSWORD).fails(WRONG);
        alice.login(&house.registry, "alice", "a new password").ok();
        house.password("alice", PASSWORD);
        alice.login(&house.registry, "alice", PASSWORD).ok();
        house.ours(&["user", "rename", "alice", "alicia"]);
        alice.forget(repository(&image));
        alice.run(&["pull", &image]).fails(WRONG);
        alice.login(&house.registry, "alicia", PASSWORD).ok();
        alice.run(&["pull", &image]).ok();
        alice.without(&["logout", &house.registry]).ok();
        alice.without(&["pull", &image]).fails(DENIED);
    });
}

/// The certificate that the registry was given is good for ever.
#[test]
fn nobody_has_to_log_in_again_after_the_server_was_started_anew() {
    for client in CLIENTS.iter() {
        let house = House::new();
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        signer.run(&["push", &image]).ok();
        let house = house.started_anew();
        house.image("app:v1", "two");
        let digest = User::digest(&signer.run(&["push", &image]).ok());
        assert!(signer.run(&["pull", &image]).ok().stdout.contains(&digest));
        signer.without(&["push", &image]).ok();
    }
}

/// For a registry on loopback Docker verifies nobody; for this one it does, and the token service with the trust server.
#[test]
fn the_token_service_is_verified_for_a_registry_elsewhere() {
    for client in CLIENTS.iter() {
        let house = House::elsewhere();
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        let digest = User::digest(&signer.run(&["push", &image]).ok());
        let reader = house.user(client, "reader", &["AcrPull"]);
        assert!(reader.run(&["pull", &image]).ok().stdout.contains(&digest));
        fs::remove_dir_all(reader.config.path().join("tls")).unwrap();
        reader.forget(repository(&image));
        reader.run(&["pull", &image]).fails("certificate signed by unknown authority");
    }
}

#[test]
fn who_tries_passwords_is_told_to_wait() {
    each(|house, client| {
        let (alice, other) = (house.user(client, "alice", &[]), house.stranger(client));
        let url = format!("{}/oauth2/token?service=tufstore", house.server.url);
        for _ in 0..30 {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--user", "alice:a guess", &url, "--cacert"]).arg(house.server.ca());
            assert!(curl.output().unwrap().status.success());
        }
        // One more may be tried every two seconds.
        let mut tried = (0..100).map(|_| other.login(&house.registry, "alice", "a guess"));
        let told = |said: &Said| said.code != 0 && said.stderr.contains("Too many passwords were tried");
        assert!(tried.any(|said| told(&said)));
        // Whose password was right before does not notice.
        alice.login(&house.registry, "alice", PASSWORD).ok();
    });
}

#[test]
fn readers_pull_what_is_signed_and_push_nothing() {
    each(|house, client| {
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        let digest = User::digest(&signer.run(&["push", &image]).ok());

        let reader = house.user(client, "reader", &["AcrPull"]);
        assert!(reader.run(&["pull", &image]).ok().stdout.contains(&digest));
        let unsigned = house.image("app:v2", "two");
        reader.without(&["push", &unsigned]).fails(DENIED);
        reader.run(&["push", &unsigned]).fails(DENIED);
        reader.run(&["trust", "sign", &unsigned]).fails(DENIED);
        assert_ne!(signer.without(&["pull", &unsigned]).code, 0, "it is not there");
        assert!(!house.ours(&["tags", repository(&image)]).contains("v2"));
        // Read where? Where the role holds.
        let elsewhere = house.stranger(client);
        house.add("elsewhere", &[]);
        house.assign("AcrPull", &format!("{}/team/", house.registry), "elsewhere");
        elsewhere.login(&house.registry, "elsewhere", PASSWORD).ok();
        elsewhere.run(&["pull", &image]).fails(UNAUTHORISED);
        let of_team = house.image("team/app:v1", "one");
        signer.run(&["push", &of_team]).ok();
        elsewhere.run(&["pull", &of_team]).ok();
    });
}

#[test]
fn who_pushes_does_not_sign() {
    each(|house, client| {
        let pusher = house.user(client, "pusher", &["AcrPush"]);
        let image = house.image("app:v1", "one");
        pusher.without(&["push", &image]).ok();
        // The image is pushed by then: Docker signs after it.
        pusher.run(&["push", &image]).fails(UNAUTHORISED);
        pusher.run(&["trust", "sign", &image]).fails(UNAUTHORISED);
        assert_eq!(house.signed(), 0);
        pusher.run(&["pull", &image]).fails("does not have trust data for");

        // Where somebody else has signed, with their keys at hand.
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        signer.run(&["push", &image]).ok();
        tufstore_testkit::copy(&signer.config.path().join("trust"), &pusher.config.path().join("trust"));
        let second = house.image("app:v2", "two");
        pusher.run(&["push", &second]).fails(UNAUTHORISED);
        pusher.run(&["trust", "revoke", "--yes", &image]).fails(UNAUTHORISED);
        let tags = house.ours(&["tags", repository(&image)]);
        assert!(tags.contains("v1") && !tags.contains("v2"), "{tags}");
    });
}

/// Azure wants both roles, and so does Docker, which pushes what it signs.
#[test]
fn who_signs_and_does_not_push_signs_what_is_there() {
    each(|house, client| {
        let both = house.user(client, "both", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        both.run(&["push", &image]).ok();
        house.unassign("AcrPush", &house.registry, "both");
        let second = house.image("app:v2", "two");
        both.run(&["push", &second]).fails(DENIED);
        both.run(&["trust", "revoke", "--yes", &image]).ok();
        both.run(&["pull", &image]).fails("No valid trust data for v1");
    });
}

#[test]
fn roles_count_from_the_next_command_on() {
    each(|house, client| {
        let alice = house.user(client, "alice", &[]);
        let image = house.image("app:v1", "one");
        alice.without(&["push", &image]).fails(DENIED);
        house.assign("AcrPush", &house.registry, "alice");
        alice.without(&["push", &image]).ok();
        alice.run(&["push", &image]).fails(UNAUTHORISED);
        // By a group, this time.
        house.ours(&["group", "add", "signers"]);
        let to_group = ["--scope", &house.registry, "--to-group", "signers"];
        house.ours(&[&["role", "assign", "AcrImageSigner"], &to_group[..]].concat());
        alice.run(&["push", &image]).fails(UNAUTHORISED);
        house.ours(&["group", "join", "signers", "alice"]);
        alice.run(&["push", &image]).ok();
        house.ours(&["group", "leave", "signers", "alice"]);
        house.image("app:v1", "two");
        alice.run(&["push", &image]).fails(UNAUTHORISED);
        house.assign("AcrImageSigner", repository(&image), "alice");
        let signed = User::digest(&alice.run(&["push", &image]).ok());
        assert!(house.ours(&["lookup", repository(&image), "v1"]).contains(&signed));
        house.unassign("AcrImageSigner", repository(&image), "alice");
        alice.run(&["push", &image]).fails(UNAUTHORISED);
        house.unassign("AcrPush", &house.registry, "alice");
        alice.without(&["pull", &image]).fails(DENIED);
        alice.forget(repository(&image));
        alice.run(&["pull", &image]).fails(UNAUTHORISED);
    });
}

#[test]
fn administrators_push_and_never_sign() {
    each(|house, client| {
        house.add_admin("admin");
        let admin = house.login(client, "admin", PASSWORD);
        let image = house.image("app:v1", "one");
        for who in ["admin", "first"] {
            let given = ["role", "assign", "AcrImageSigner", "--scope", &house.registry, "--to", who];
            let said = house.refused(&given);
            assert!(said.contains("cannot be given AcrImageSigner"), "{said}");
        }
        for who in [&admin, &house.login(client, "first", PASSWORD)] {
            who.without(&["push", &image]).ok();
            who.run(&["push", &image]).fails(UNAUTHORISED);
        }
        // By a group, or by a token of theirs, neither.
        house.ours(&["group", "add", "signers"]);
        house.ours(&["group", "join", "signers", "admin"]);
        let by_group = ["role", "assign", "AcrImageSigner", "--scope", "*", "--to-group", "signers"];
        let said = house.refused(&by_group);
        assert!(said.contains("signers") && said.contains("AcrImageSigner"), "{said}");
        let token = house.json(&["token", "create", "of-admin", "--of", "admin"])["secret"].clone();
        house.login(client, "of-admin", token.as_str().unwrap()).run(&["push", &image]).fails(UNAUTHORISED);
        assert_eq!(house.signed(), 0);
    });
}

#[test]
fn who_is_disabled_or_removed_may_nothing_from_then_on() {
    each(|house, client| {
        let alice = house.user(client, "alice", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        alice.run(&["push", &image]).ok();
        let nothing = |what: &str| {
            // Of what it has seen, a client needs no server: until it expires, and with an engine that has the image.
            alice.forget(repository(&image));
            for command in [["pull", &image], ["push", &image]] {
                alice.run(&command).fails(WRONG);
                alice.without(&command).fails(WRONG);
            }
            alice.run(&["trust", "sign", &image]).fails(WRONG);
            alice.run(&["trust", "inspect", &image]).fails("no signatures or cannot access");
            alice.login(&house.registry, "alice", PASSWORD).fails(WRONG);
            assert_eq!(
                house.json(&["history", repository(&image), "targets"]).as_array().unwrap().len(),
                1,
                "{what}"
            );
        };
        house.ours(&["user", "disable", "alice"]);
        nothing("disabled");
        house.ours(&["user", "enable", "alice"]);
        alice.run(&["pull", &image]).ok();
        house.ours(&["user", "remove", "alice"]);
        nothing("removed");
        // Somebody else of that name has none of it.
        house.add("alice", &[]);
        alice.login(&house.registry, "alice", PASSWORD).ok();
        alice.run(&["pull", &image]).fails(UNAUTHORISED);
    });
}
