//! The examples of `--help`: each can be copied into a shell, and does what it says.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::process::{Command, Stdio};

use common::{Server, now, run, text, write};
use tempfile::TempDir;
use tufstore::crypto::KeyAlgorithm;
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RoleName, Threshold};
use tufstore_keys::PrivateKey;
use tufstore_testkit::digest;

const APP: &str = "registry.example.com/team/app";

/// The commands about people and trust.
const TAUGHT: [&[&str]; 9] = [
    &["user"],
    &["principal"],
    &["group"],
    &["role"],
    &["token"],
    &["policy"],
    &["audit"],
    &["repository"],
    &["signed"],
];

/// Asks at a terminal, and is refused where there is none.
const ASKS: [&str; 3] = ["user add alice --data", "--content-trust disabled --data", "repository reset"];

#[test]
fn each_example_is_one_line_and_does_what_it_says() {
    for command in TAUGHT {
        let help = run(&[command, &["--help"]].concat()).ok().stdout;
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{help}");
        // A store of its own for each, where one example may go on from the one before.
        let folder = fresh();
        for example in examples {
            if example.starts_with("docker login") {
                continue;
            }
            let output = Command::new("bash")
                .args(["-e", "-o", "pipefail", "-c", &example])
                .current_dir(folder.path())
                .env("PATH", path())
                .env("PASSWORD", "the password of somebody")
                .env_remove("TUFSTORE_DATA")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let code = if ASKS.iter().any(|asks| example.contains(asks)) { 2 } else { 0 };
            assert_eq!(output.status.code(), Some(code), "{example}: {output:?}");
        }
    }
}

/// What a help shows below `Examples:`, each as it stands there.
fn examples(help: &str) -> Vec<String> {
    let (_, below) = help.rsplit_once("\nExample").unwrap();
    let lines: Vec<_> = below.lines().skip(1).map(str::trim).map(str::to_owned).collect();
    for line in &lines {
        let begins = ["tufstore ", "printf ", "docker "].iter().any(|begin| line.starts_with(begin));
        assert!(begins, "broken by the width of a terminal, or no command: {line:?}");
    }
    lines
}

/// Everybody whom the examples name, and an image that both signers signed.
fn fresh() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(APP, now());
    for signer in ["targets/alice", "targets/bob", "targets/releases"] {
        let role: RoleName = signer.parse().unwrap();
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        server.author.hold(&role, key.clone());
        let listed = [AuthorKey::bare(key.public().clone())];
        server.author.add_delegation(&role, listed, &[""], Threshold::ONE).unwrap();
        server.author.set_tag_in(&role, "v1", digest("v1"), 1).unwrap();
    }
    server.publish();
    let (cache, data) = (folder.path().join("cache"), folder.path().join("store"));
    server.write_cache(&cache);
    run(&["import", APP, text(&cache), "--data", text(&data)]).ok();
    let password = write(&folder.path().join("password"), b"a long password\n");
    for name in ["alice", "carol"] {
        let added = ["user", "add", name, "--password-file", text(&password), "--data", text(&data)];
        run(&added).ok();
    }
    folder
}

fn path() -> std::ffi::OsString {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_tufstore")).parent().unwrap().to_owned();
    let before = std::env::var_os("PATH").unwrap();
    std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&before))).unwrap()
}
