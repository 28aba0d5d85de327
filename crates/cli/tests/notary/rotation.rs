//! New keys for every role.

use crate::NAME;
use crate::client::Served;

#[test]
fn every_role_is_rotated_and_readers_follow() {
    let served = Served::new(&[]);
    let (author, reader) = (served.client(), served.client());
    author.begin(NAME, "v1");
    assert_eq!(reader.list(NAME).len(), 1);
    let rotations: [&[&str]; 7] = [
        &["targets"],
        &["snapshot"],
        &["snapshot", "-r"],
        &["timestamp", "-r"],
        &["root"],
        &["snapshot"],
        &["snapshot", "-r"],
    ];
    for (count, rotation) in rotations.iter().enumerate() {
        author.run(&[&["key", "rotate", NAME], *rotation].concat()).ok();
        author.tag(NAME, &format!("after-{count}"), "x");
        assert_eq!(reader.list(NAME).len(), count + 2, "{rotation:?}");
        assert_eq!(served.client().list(NAME).len(), count + 2, "{rotation:?}");
    }
    assert!(served.ours(&["verify"]).contains("sound"));
}

#[test]
fn a_reader_three_root_rotations_behind_catches_up() {
    let served = Served::new(&[]);
    let (author, reader) = (served.client(), served.client());
    author.begin(NAME, "v1");
    assert_eq!(reader.list(NAME).len(), 1);
    for _ in 0..3 {
        author.run(&["key", "rotate", NAME, "root"]).ok();
    }
    author.tag(NAME, "v2", "x");
    assert_eq!(reader.list(NAME).len(), 2);
    for version in 1..=4 {
        let version = version.to_string();
        assert!(served.ours(&["show", NAME, "root", "--version", &version]).contains("\"Root\""));
    }
}

#[test]
fn a_root_rotation_that_was_not_meant_changes_nothing() {
    let served = Served::new(&[]);
    let author = served.client();
    author.begin(NAME, "v1");
    let before = served.ours(&["history", NAME]);
    for role in ["targets", "root"] {
        // The server manages neither of these.
        let said = author.run(&["key", "rotate", NAME, role, "-r"]);
        assert_ne!(said.code, 0, "{said:?}");
    }
    let client_managed = author.run(&["key", "rotate", NAME, "timestamp"]);
    assert_ne!(client_managed.code, 0, "{client_managed:?}");
    assert_eq!(served.ours(&["history", NAME]), before);
}

#[test]
fn keys_of_the_server_are_of_the_kind_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tufstore.toml");
    #[expect(clippy::disallowed_methods, reason = "a file that an operator has")]
    std::fs::write(&config, "[keys]\nalgorithm = \"ed25519\"\n").unwrap();
    let served = Served::new(&["--config", config.to_str().unwrap()]);
    let author = served.client();
    author.begin(NAME, "v1");
    author.run(&["key", "rotate", NAME, "snapshot", "-r"]).ok();
    assert_eq!(served.client().list(NAME).len(), 1);
    assert!(served.ours(&["show", NAME, "timestamp"]).contains("\"method\":\"eddsa\""));
}
