//! Docker, unmodified, with content trust against `tufstore serve`: each version of its command line that is there, with an
//! engine and a registry of the test's own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../page/mod.rs"]
mod page;
#[path = "../serving/mod.rs"]
mod serving;
mod azure;
mod anew;
mod engine;
mod house;
mod programs;
mod roles;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use engine::{CLIENTS, Client, ELSEWHERE, Engine, User};
use serving::Server;
use tempfile::TempDir;

/// One engine for all tests; each has repositories and a trust server of its own.
static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::start);

struct Trust {
    folder: TempDir,
    server: Server,
}

impl Trust {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("store"), &[]);
        Self { folder, server }
    }

    fn user(&self, client: &Client) -> User<'static> {
        User::new(&ENGINE, client, &self.server)
    }

    fn ours(&self, arguments: &[&str]) -> String {
        ours(&self.folder.path().join("store"), arguments)
    }
}

#[track_caller]
fn ours(data: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tufstore"));
    let output = command.args(arguments).arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The repository of an image, without its tag.
fn repository(image: &str) -> &str {
    image.rsplit_once(':').unwrap().0
}

/// Every test, with every client.
fn each(test: impl Fn(&Trust, &Client)) {
    for client in CLIENTS.iter() {
        test(&Trust::new(), client);
    }
}

#[test]
fn an_image_is_signed_by_its_push_and_pulled_by_its_digest() {
    each(|trust, client| {
        let author = trust.user(client);
        let image = author.image("signed", "v1", "one");
        let pushed = author.run(&["push", &image]).ok();
        let digest = User::digest(&pushed);
        assert!(trust.ours(&["lookup", repository(&image), "v1"]).contains(&digest), "{pushed:?}");

        let reader = trust.user(client);
        let pulled = reader.run(&["pull", &image]).ok();
        assert!(pulled.stdout.contains(&digest), "{pulled:?}");
        let listed = reader.run(&["trust", "inspect", &image]).ok();
        assert!(listed.stdout.contains(digest.trim_start_matches("sha256:")), "{listed:?}");
        reader.run(&["create", &image, "nothing"]).ok();
    });
}

#[test]
fn an_unsigned_tag_in_a_signed_repository_is_refused() {
    each(|trust, client| {
        let author = trust.user(client);
        let image = author.image("mixed", "v1", "one");
        author.run(&["push", &image]).ok();
        let unsigned = author.image("mixed", "unsigned", "two");
        author.without(&["push", &unsigned]).ok();
        let reader = trust.user(client);
        reader.run(&["pull", &unsigned]).fails("No valid trust data for unsigned");
        reader.run(&["create", &unsigned, "nothing"]).fails("No valid trust data for unsigned");
        reader
            .without(&["pull", "--disable-content-trust=false", &unsigned])
            .fails("No valid trust data for unsigned");
        // Without trust it is there.
        reader.without(&["pull", &unsigned]).ok();
        let none = author.image("never-signed", "v1", "three");
        author.without(&["push", &none]).ok();
        reader.run(&["pull", &none]).fails("does not have trust data for");
    });
}

#[test]
fn trust_by_flag_is_trust_by_shell() {
    each(|trust, client| {
        let author = trust.user(client);
        let image = author.image("flag", "v1", "one");
        let pushed = author.without(&["push", "--disable-content-trust=false", &image]).ok();
        let digest = User::digest(&pushed);
        assert!(trust.ours(&["lookup", repository(&image), "v1"]).contains(&digest));
        let pulled = trust.user(client).without(&["pull", "--disable-content-trust=false", &image]).ok();
        assert!(pulled.stdout.contains(&digest), "{pulled:?}");
    });
}

#[test]
fn all_signed_tags_are_pulled_and_no_other() {
    each(|trust, client| {
        let author = trust.user(client);
        let images = ["v1", "v2"].map(|tag| author.image("all", tag, tag));
        for image in &images {
            author.run(&["push", image]).ok();
        }
        let unsigned = author.image("all", "unsigned", "x");
        author.without(&["push", &unsigned]).ok();
        let pulled = trust.user(client).run(&["pull", "-a", repository(&images[0])]).ok();
        assert!(pulled.stdout.contains(":v1") && pulled.stdout.contains(":v2"), "{pulled:?}");
        assert!(!pulled.stdout.contains(":unsigned"), "{pulled:?}");
    });
}

#[test]
fn a_tag_that_moved_is_pulled_as_it_was_signed_last() {
    each(|trust, client| {
        let (author, reader) = (trust.user(client), trust.user(client));
        let image = author.image("moving", "v1", "one");
        let first = User::digest(&author.run(&["push", &image]).ok());
        assert!(reader.run(&["pull", &image]).ok().stdout.contains(&first));
        author.image("moving", "v1", "two");
        let second = User::digest(&author.run(&["push", &image]).ok());
        assert_ne!(first, second);
        assert!(reader.run(&["pull", &image]).ok().stdout.contains(&second));

        // Somebody moves the tag in the registry without signing: what was signed is pulled.
        author.image("moving", "v1", "evil");
        let evil = User::digest(&author.without(&["push", &image]).ok());
        let pulled = reader.run(&["pull", &image]).ok();
        assert!(pulled.stdout.contains(&second) && !pulled.stdout.contains(&evil), "{pulled:?}");
    });
}

#[test]
fn builds_take_what_is_signed_and_nothing_else() {
    each(|trust, client| {
        let author = trust.user(client);
        let image = author.image("base", "v1", "one");
        let digest = User::digest(&author.run(&["push", &image]).ok());
        let unsigned = author.image("base", "unsigned", "two");
        author.without(&["push", &unsigned]).ok();
        let builder = trust.user(client);
        let built = builder.build(&format!("FROM {image}\nLABEL built=yes\n")).ok();
        assert!(format!("{built:?}").contains(&digest), "resolved to its digest: {built:?}");
        builder
            .build(&format!("FROM {unsigned}\nLABEL built=yes\n"))
            .fails("No valid trust data for unsigned");
        // What Docker's own builder leaves out: images that are copied from, and its own stages.
        builder.build(&format!("FROM {image}\nCOPY --from={unsigned} /content /copied\n")).ok();
        let staged = builder.build(&format!("FROM {image} AS first\nFROM first\nLABEL built=yes\n"));
        assert_ne!(staged.code, 0, "{staged:?}");
    });
}

#[test]
fn signers_sign_with_keys_of_their_own() {
    each(|trust, client| {
        let (owner, alice) = (trust.user(client), trust.user(client));
        let image = owner.image("signers", "v1", "one");
        owner.run(&["push", &image]).ok();
        let name = repository(&image);
        // Alice makes her key, and sends its public part.
        let key = alice.config.path().join("alice.pub");
        alice
            .run(&["trust", "key", "generate", "alice", "--dir", alice.config.path().to_str().unwrap()])
            .ok();
        owner.run(&["trust", "signer", "add", "--key", key.to_str().unwrap(), "alice", name]).ok();

        let second = alice.image("signers", "v2", "two");
        let signed = alice.run(&["trust", "sign", &second]).ok();
        assert!(format!("{signed:?}").contains("Successfully signed"), "{signed:?}");
        let inspected = trust.user(client).run(&["trust", "inspect", &second]).ok().stdout;
        assert!(inspected.contains("\"alice\""), "{inspected}");
        assert!(trust.ours(&["lookup", name, "v2"]).contains("targets/releases"));
        assert_eq!(trust.user(client).run(&["pull", &second]).ok().code, 0);

        alice.run(&["trust", "revoke", "-y", &second]).ok();
        trust.user(client).run(&["pull", &second]).fails("No valid trust data for v2");

        let removed = owner.run(&["trust", "signer", "remove", "-f", "alice", name]).ok();
        let listed = trust.user(client).run(&["trust", "inspect", name]).ok().stdout;
        // From version 26 on this command of Docker's does nothing, and says nothing.
        assert_eq!(listed.contains("\"alice\""), client.version >= 26, "{removed:?} {listed}");
    });
}

#[test]
fn a_key_of_ones_own_is_loaded_and_signs() {
    each(|trust, client| {
        let (owner, bob) = (trust.user(client), trust.user(client));
        let image = owner.image("loaded", "v1", "one");
        owner.run(&["push", &image]).ok();
        let (key, public) = (bob.config.path().join("bob.pem"), bob.config.path().join("bob.pub"));
        let openssl = |arguments: &[&str]| {
            assert!(Command::new("openssl").args(arguments).output().unwrap().status.success());
        };
        let (key, public) = (key.to_str().unwrap(), public.to_str().unwrap());
        openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]);
        openssl(&["ec", "-in", key, "-pubout", "-out", public]);
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
        bob.run(&["trust", "key", "load", key, "--name", "bob"]).ok();
        owner.run(&["trust", "signer", "add", "--key", public, "bob", repository(&image)]).ok();
        let second = bob.image("loaded", "v2", "two");
        bob.run(&["trust", "sign", &second]).ok();
        assert!(trust.ours(&["tags", repository(&image)]).contains("v2"));
    });
}

#[test]
fn a_lost_key_folder_is_restored_from_its_archive() {
    each(|trust, client| {
        let author = trust.user(client);
        let image = author.image("restored", "v1", "one");
        author.run(&["push", &image]).ok();
        let archive = tempfile::tempdir().unwrap();
        let backup = archive.path().join("keys.tar");
        let tar = |mode: &str| {
            let mut tar = Command::new("tar");
            tar.arg("-C").arg(author.config.path()).arg(mode).arg(&backup);
            if mode == "-cf" {
                tar.arg("trust/private");
            }
            assert!(tar.status().unwrap().success());
        };
        tar("-cf");
        fs::remove_dir_all(author.config.path().join("trust")).unwrap();
        author.image("restored", "v1", "two");
        author.run(&["push", &image]).fails("could not find necessary signing keys");
        tar("-xf");
        let pushed = User::digest(&author.run(&["push", &image]).ok());
        assert!(trust.ours(&["lookup", repository(&image), "v1"]).contains(&pushed));
    });
}

#[test]
fn a_reader_goes_on_after_the_server_was_started_anew_or_killed() {
    for client in CLIENTS.iter() {
        let Trust { folder, server } = Trust::new();
        let data = folder.path().join("store");
        let author = User::new(&ENGINE, client, &server);
        let image = author.image("killed", "v1", "one");
        author.run(&["push", &image]).ok();
        server.kill();
        let server = Server::start(&data, &[]);
        let author = author.on(&server);
        author.image("killed", "v1", "two");
        // Killed in the midst of it: what the client was told holds.
        let pushed = std::thread::scope(|scope| {
            let pushing = scope.spawn(|| author.run(&["push", &image]));
            while !server.log().contains("root.json") {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            server.kill();
            pushing.join().unwrap()
        });
        let server = Server::start(&data, &[]);
        let said = ours(&data, &["lookup", repository(&image), "v1"]);
        if pushed.code == 0 {
            assert!(said.contains(&User::digest(&pushed)), "{pushed:?} {said}");
        }
        let pulled = User::new(&ENGINE, client, &server).run(&["pull", &image]).ok();
        assert!(said.contains(&User::digest(&pulled)), "{pulled:?} {said}");
        assert!(server.stop().success());
    }
}

/// For a registry on loopback Docker verifies nobody; for this one it does.
#[test]
fn the_trust_server_is_verified_for_a_registry_elsewhere() {
    each(|trust, client| {
        let author = trust.user(client);
        let image = author.image_at(ELSEWHERE, "elsewhere", "v1", "one");
        let digest = User::digest(&author.run(&["push", &image]).ok());
        assert!(trust.user(client).run(&["pull", &image]).ok().stdout.contains(&digest));
        let misled = trust.user(client);
        fs::remove_dir_all(misled.config.path().join("tls")).unwrap();
        misled.run(&["pull", &image]).fails("certificate signed by unknown authority");
    });
}

#[test]
fn a_server_that_is_not_trusted_is_not_asked() {
    each(|trust, client| {
        let user = trust.user(client);
        fs::remove_dir_all(user.config.path().join("tls")).unwrap();
        // A registry that is not on this machine: Docker verifies the trust server for those alone.
        let said = user.run(&["trust", "inspect", "reg.example.com/app:v1"]);
        said.fails("no signatures or cannot access reg.example.com/app:v1");
        assert!(trust.ours(&["repositories"]).lines().count() == 1);
        let asked = trust.server.log().matches("reg.example.com/app").count();
        assert_eq!(asked, 0, "{}", trust.server.log());
        // The same with the certificate reaches it.
        let trusting = trust.user(client);
        trusting.run(&["trust", "inspect", "reg.example.com/app:v1"]).fails("no signatures");
        trust.server.says("reg.example.com/app");
    });
}
