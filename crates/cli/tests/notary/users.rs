//! With users of the server's own: what `notary` asks for, and what their roles give it of that.

use serde_json::Value;

use crate::NAME;
use crate::client::{Client, Served};

const PASSWORD: &str = "correct horse";
const UNAUTHORISED: &str = "you are not authorized to perform this operation: server returned 401.";
/// Where the roles hold.
const REGISTRY: &str = "reg.example.com:5000";

/// A server with users, and content trust enabled for that registry.
fn served() -> Served {
    let served = Served::new(&[]);
    served.ours(&["user", "add", "first", "--no-password"]);
    served.ours(&["policy", "set", "--registry", REGISTRY, "--content-trust", "enabled"]);
    served
}

/// A user with these roles, who gives their name and password.
fn user(served: &Served, name: &str, roles: &[&str]) -> Client {
    let client = served.client();
    let password = client.write("password", PASSWORD.as_bytes());
    served.ours(&["user", "add", name, "--password-file", &password]);
    for role in roles {
        served.ours(&["role", "assign", role, "--scope", REGISTRY, "--to", name]);
    }
    client.known_as(format!("{name}:{PASSWORD}"))
}

/// How many versions of root there are: each rotation makes one.
fn roots(served: &Served) -> usize {
    served.ours(&["history", NAME, "root", "--output", "json"]).matches("\"version\"").count()
}

#[test]
fn who_has_the_role_does_what_it_allows_and_nothing_else() {
    let served = served();
    let signer = user(&served, "signer", &["AcrImageSigner"]);
    signer.run(&["init", "-p", NAME]).ok();
    signer.tag(NAME, "v1", "one");
    assert_eq!(signer.list(NAME).len(), 1);
    // It asks for everything there, and gets what the role gives.
    for role in ["snapshot", "timestamp"] {
        let before = roots(&served);
        signer.run(&["key", "rotate", NAME, role, "-r"]).ok();
        assert_eq!(roots(&served), before + 1, "{role}");
        signer.tag(NAME, &format!("after-{role}"), "x");
    }
    signer.run(&["delete", NAME, "--remote"]).fails("401");

    let reader = user(&served, "reader", &["AcrPull"]);
    assert_eq!(reader.list(NAME).len(), 3);
    let pusher = user(&served, "pusher", &["AcrPush"]);
    let owner = user(&served, "owner", &["Owner"]);
    let before = served.ours(&["history", NAME]);
    for other in [&reader, &pusher, &owner] {
        // With the author's keys, so that it is the role that is not enough.
        tufstore_testkit::copy(&signer.path("trust/private"), &other.path("trust/private"));
        let file = other.write("content", b"two");
        other.run(&["add", NAME, "v2", &file]).ok();
        other.run(&["publish", NAME]).fails(UNAUTHORISED);
        other.run(&["init", "-p", "reg.example.com:5000/other"]).fails(UNAUTHORISED);
        for role in ["snapshot", "timestamp"] {
            other.run(&["key", "rotate", NAME, role, "-r"]).fails("401");
        }
    }
    for other in [&reader, &pusher] {
        other.run(&["delete", NAME, "--remote"]).fails("401");
    }
    // Who gives nothing is asked, and answers something: as whoever gives another password.
    for nobody in [served.client(), served.client().known_as(format!("reader:{PASSWORD}s"))] {
        nobody.run(&["list", NAME]).fails("unauthorized: authentication required");
    }
    assert_eq!(served.ours(&["history", NAME]), before);

    let deleter = user(&served, "deleter", &["AcrDelete"]);
    deleter.run(&["delete", NAME, "--remote"]).ok();
    assert_eq!(served.ours(&["repositories"]).matches("example.com").count(), 0);
    let audit = served.ours(&["audit"]);
    let says = |who: &str, what: &str| {
        audit.lines().any(|line| line.contains(&format!(" {who} ")) && line.contains(what))
    };
    assert!(says("signer", "published") && says("deleter", "deleted"), "{audit}");
}

#[test]
fn a_token_is_good_for_its_repository_and_revoked_at_once() {
    let served = served();
    let made = ["token", "create", "of-app", "--scope", NAME, "--may", "pull,push,sign,delete"];
    let made: Value =
        serde_json::from_str(&served.ours(&[&made, &["--output", "json"][..]].concat())).unwrap();
    let holder = served.client().known_as(format!("of-app:{}", made["secret"].as_str().unwrap()));
    holder.run(&["init", "-p", NAME]).ok();
    holder.tag(NAME, "v1", "one");
    holder.run(&["key", "rotate", NAME, "snapshot", "-r"]).ok();
    holder.run(&["init", "-p", "reg.example.com:5000/team/app"]).fails(UNAUTHORISED);
    served.ours(&["token", "revoke", "of-app"]);
    holder.run(&["delete", NAME, "--remote"]).fails("unauthorized");
    assert_eq!(served.ours(&["repositories"]).matches("example.com").count(), 1);
}

#[test]
fn content_trust_that_is_off_is_named() {
    let served = served();
    let signer = user(&served, "signer", &["AcrImageSigner"]);
    signer.run(&["init", "-p", NAME]).ok();
    let sure = ["--content-trust", "disabled", "--yes-delete-all-trust-data", REGISTRY];
    served.ours(&[&["policy", "set", "--registry", REGISTRY], &sure[..]].concat());
    let off = format!("content trust is disabled for the registry {REGISTRY}");
    let file = signer.write("content", b"one");
    signer.run(&["add", "-p", NAME, "v1", &file]).fails(&off);
    signer.run(&["init", "-p", "reg.example.com:5000/other"]).fails(&off);
    signer.run(&["key", "rotate", NAME, "snapshot", "-r"]).fails(&off);
    let reader = user(&served, "reader", &["AcrPull"]);
    reader.run(&["list", NAME]).fails("does not have trust data for");
}
