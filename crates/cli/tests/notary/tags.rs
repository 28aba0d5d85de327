//! What a single author does, and what others see of it.

use tufstore_keys::{KeyLabel, KeyPem};

use crate::NAME;
use crate::client::Served;

fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(tag, role)| ((*tag).to_owned(), (*role).to_owned())).collect()
}

#[test]
fn a_repository_is_begun_and_published() {
    let served = Served::new(&[]);
    let author = served.client();
    author.run(&["init", NAME]).ok();
    author.run(&["publish", NAME]).ok();
    let file = author.write("v1", b"one");
    author.run(&["add", NAME, "v1", &file]).ok();
    assert!(author.run(&["status", NAME]).ok().stdout.contains("v1"));
    author.run(&["publish", NAME]).ok();
    assert_eq!(author.list(NAME), tags(&[("v1", "targets")]));

    let reader = served.client();
    assert_eq!(reader.list(NAME), tags(&[("v1", "targets")]));
    let sha256 = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    assert!(reader.run(&["lookup", NAME, "v1"]).ok().stdout.contains(sha256));
    assert!(served.ours(&["lookup", NAME, "v1"]).contains(sha256));
    let good = reader.write("good", b"one");
    let bad = reader.write("bad", b"two");
    reader.run(&["verify", NAME, "v1", "-i", &good]).ok();
    reader.run(&["verify", NAME, "v1", "-i", &bad]).fails("did not match");
}

#[test]
fn init_with_publish_and_publish_without_init() {
    let served = Served::new(&[]);
    let author = served.client();
    author.run(&["init", "-p", NAME]).ok();
    assert_eq!(served.client().list(NAME), tags(&[]));
    // The first publication of a repository that nobody began begins it.
    author.tag("reg.example.com/other", "v1", "x");
    assert_eq!(served.client().list("reg.example.com/other"), tags(&[("v1", "targets")]));
}

#[test]
fn a_root_key_and_a_root_certificate_of_ones_own() {
    let served = Served::new(&[]);
    let author = served.client();
    let (certificate, key) = author.certificate("root", "reg.example.com/team/*");
    // Root keys are imported encrypted only.
    let key = KeyPem::read(&std::fs::read_to_string(key).unwrap()).unwrap().open(None).unwrap();
    let key = KeyPem::encrypted(&key, KeyLabel::of_role("root"), b"a passphrase").unwrap().to_text();
    let key = author.write("root.pem", key.as_bytes());
    author
        .run(&["init", "-p", "reg.example.com/team/one", "--rootkey", &key, "--rootcert", &certificate])
        .ok();
    author
        .run(&["init", "-p", "reg.example.com/team/two", "--rootkey", &key, "--rootcert", &certificate])
        .ok();
    author.tag("reg.example.com/team/two", "v1", "x");
    assert_eq!(served.client().list("reg.example.com/team/two"), tags(&[("v1", "targets")]));
    // The certificate is not for that name.
    let elsewhere =
        author.run(&["init", "-p", "reg.example.com/other", "--rootkey", &key, "--rootcert", &certificate]);
    assert_ne!(elsewhere.code, 0, "{elsewhere:?}");
}

#[test]
fn tags_are_added_by_hash_removed_and_reset() {
    let served = Served::new(&[]);
    let author = served.client();
    author.begin(NAME, "v1");
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    author.run(&["addhash", "-p", NAME, "v2", "3", "--sha256", sha256]).ok();
    assert!(served.client().run(&["lookup", NAME, "v2"]).ok().stdout.contains(sha256));
    author.run(&["remove", "-p", NAME, "v1"]).ok();
    assert_eq!(served.client().list(NAME), tags(&[("v2", "targets")]));
    author.run(&["remove", NAME, "v2"]).ok();
    author.run(&["reset", NAME, "--all"]).ok();
    author.run(&["publish", NAME]).ok();
    assert_eq!(served.client().list(NAME), tags(&[("v2", "targets")]));
    served.client().run(&["lookup", NAME, "v1"]).fails("No valid trust data for v1");
}

#[test]
fn what_is_not_there_is_said_as_clients_know_it() {
    let served = Served::new(&[]);
    let port = served.server.port;
    let said = served.client().run(&["list", "reg.example.com/none"]);
    said.fails(&format!("localhost:{port} does not have trust data for reg.example.com/none"));
}

#[test]
fn who_comes_second_is_refused_and_succeeds_again() {
    let served = Served::new(&[]);
    let author = served.client();
    author.begin(NAME, "v1");
    // The same author on another machine: the same keys, and a cache of its own.
    let second = served.client();
    tufstore_testkit::copy(&author.path("trust/private"), &second.path("trust/private"));
    assert_eq!(second.list(NAME), tags(&[("v1", "targets")]));
    let file = second.write("content", b"two");
    second.run(&["add", NAME, "v2", &file]).ok();
    second.run(&["publish", NAME]).ok();
    author.tag(NAME, "v3", "three");
    let mut seen = served.client().list(NAME);
    seen.sort();
    assert_eq!(seen, tags(&[("v1", "targets"), ("v2", "targets"), ("v3", "targets")]));
}

#[test]
fn custom_data_that_no_verifier_accepts_is_refused_with_a_reason() {
    let served = Served::new(&[]);
    let author = served.client();
    author.begin(NAME, "v1");
    let file = author.write("content", b"x");
    let sorted = author.write("sorted.json", br#"{"a": 1}"#);
    author.run(&["add", "-p", NAME, "fine", &file, "--custom", &sorted]).ok();
    let before = served.ours(&["history", NAME]);
    // Unsorted members: the client signs them as they are, and every verifier sorts them.
    let unsorted = author.write("unsorted.json", br#"{"b": 1, "a": 2}"#);
    author.run(&["add", NAME, "bad", &file, "--custom", &unsorted]).ok();
    author.run(&["publish", NAME]).fails("valid signatures did not meet threshold for targets");
    assert_eq!(served.ours(&["history", NAME]), before);
    assert_eq!(served.client().list(NAME).len(), 2);
}

#[test]
fn names_outside_the_prefixes_are_refused() {
    let served = Served::new(&["--gun-prefix", "reg.example.com/"]);
    let author = served.client();
    author.run(&["init", "-p", "reg.example.com/app"]).ok();
    let elsewhere = author.run(&["init", "-p", "other.example.com/app"]);
    assert_ne!(elsewhere.code, 0, "{elsewhere:?}");
    assert_eq!(served.ours(&["repositories"]).matches("example.com").count(), 1);
}

#[test]
fn a_deleted_repository_is_gone_and_can_be_begun_anew() {
    let served = Served::new(&[]);
    let (author, reader) = (served.client(), served.client());
    author.begin(NAME, "v1");
    assert_eq!(reader.list(NAME).len(), 1);
    author.run(&["delete", NAME, "--remote"]).ok();
    served.client().run(&["list", NAME]).fails("does not have trust data");
    // Who has a cache goes on from it, with a warning.
    assert_eq!(reader.list(NAME), tags(&[("v1", "targets")]));
    author.run(&["delete", "reg.example.com/never", "--remote"]).ok();

    let another = served.client();
    another.begin(NAME, "v2");
    assert_eq!(served.client().list(NAME), tags(&[("v2", "targets")]));
    reader.run(&["list", NAME]).fails("could not rotate trust to a new trusted root");
}
