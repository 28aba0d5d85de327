//! Trust data that is gone, and begun anew: by content trust turned off and on, or after a lost root key.

use std::path::Path;

use crate::engine::{CLIENTS, User};
use crate::house::{House, PASSWORD, each};
use crate::repository;

const NONE: &str = "does not have trust data for";
/// What clients say that have seen another root, which did not sign this one.
const OTHER_ROOT: &str = "could not rotate trust to a new trusted root";

#[test]
fn content_trust_of_a_new_registry_is_off_and_said_to_be() {
    for client in CLIENTS.iter() {
        let house = House::without_content_trust();
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let image = house.image("app:v1", "one");
        let off = format!("content trust is disabled for the registry {}", house.registry);
        signer.run(&["push", &image]).fails(&off);
        signer.run(&["trust", "sign", &image]).fails(&off);
        signer.run(&["pull", &image]).fails(NONE);
        signer.without(&["pull", &image]).ok();
        house.content_trust("enabled");
        signer.run(&["push", &image]).ok();
        signer.run(&["pull", &image]).ok();
    }
}

#[test]
fn trust_data_is_gone_with_content_trust_and_begun_anew_with_it() {
    each(|house, client| {
        let signer = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let [warm, cold] = ["warm", "cold"].map(|name| house.user(client, name, &["AcrPull"]));
        let image = house.image("app:v1", "one");
        let name = repository(&image);
        signer.run(&["push", &image]).ok();
        for user in [&signer, &warm] {
            user.run(&["pull", &image]).ok();
        }

        house.content_trust("disabled");
        cold.run(&["pull", &image]).fails(NONE);
        cold.without(&["pull", &image]).ok();
        // Who has a copy goes on by it, and is warned, until its timestamp expires: with a server that has nothing, Docker does so.
        assert!(warm.run(&["pull", &image]).ok().stderr.contains("using cached timestamp"));
        let off = format!("content trust is disabled for the registry {}", house.registry);
        house.image("app:v1", "two");
        signer.run(&["push", &image]).fails(&off);
        signer.run(&["push", &house.image("new:v1", "one")]).fails(&off);
        assert_eq!(house.signed(), 0);

        house.content_trust("enabled");
        cold.run(&["pull", &image]).fails(NONE);
        // What the author knows is of before, and names keys of the server that went with it.
        signer.run(&["push", &image]).fails("server does not hold current snapshot key");
        signer.forget(name);
        let digest = User::digest(&signer.run(&["push", &image]).ok());
        assert!(cold.run(&["pull", &image]).ok().stdout.contains(&digest));
        warm.run(&["pull", &image]).fails(OTHER_ROOT);
        warm.forget(name);
        assert!(warm.run(&["pull", &image]).ok().stdout.contains(&digest));
    });
}

#[test]
fn after_a_lost_root_key_a_repository_is_reset_and_signed_anew() {
    each(|house, client| {
        let lost = house.user(client, "signer", &["AcrPush", "AcrImageSigner"]);
        let [warm, cold] = ["warm", "cold"].map(|name| house.user(client, name, &["AcrPull"]));
        let image = house.image("app:v1", "one");
        let name = repository(&image);
        lost.run(&["push", &image]).ok();
        warm.run(&["pull", &image]).ok();

        // The same person, at a computer that has none of the keys.
        let signer = house.login(client, "signer", PASSWORD);
        let second = house.image("app:v2", "two");
        signer.run(&["push", &second]).fails("could not find necessary signing keys");
        let reset = house.json(&["repository", "reset", name, "--yes"]);
        let archive = Path::new(reset["archive"].as_str().unwrap());
        assert!(archive.join("1.root.json").exists());
        signer.run(&["push", &second]).fails("could not find necessary signing keys");
        signer.forget(name);
        let digest = User::digest(&signer.run(&["push", &second]).ok());
        assert!(cold.run(&["pull", &second]).ok().stdout.contains(&digest));
        cold.run(&["pull", &image]).fails("No valid trust data for v1");

        for command in [["pull", &second], ["pull", &image]] {
            warm.run(&command).fails(OTHER_ROOT);
        }
        warm.forget(name);
        assert!(warm.run(&["pull", &second]).ok().stdout.contains(&digest));
        let audit = house.ours(&["audit"]);
        assert!(
            audit.lines().any(|line| line.contains("operator") && line.contains("(begins anew)")),
            "{audit}"
        );
    });
}
