//! `--second-journal` and `--anchor`, as an operator has them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod serving;

use std::fs;
use std::path::Path;

use common::{now, run, text};
use serving::Server;
use tufstore_testkit::copy;

const NAME: &str = "reg.example.com/app";

fn lose(folder: &str) {
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_store_opens_with_either_of_its_journals_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let [data, second, acks] = ["data", "second", "acks"].map(path);
    let kept = ["--second-journal", &second];
    let stress = ["stress", "--data", &data, "--acks", &acks, "--seconds", "60", "--publications", "20"];
    let verify = ["verify", &data, "--acks", &acks];
    run(&[&stress[..], &kept[..]].concat()).ok();
    for lost in [&format!("{data}/journal"), &second, &format!("{data}/index")] {
        lose(lost);
        run(&[&verify[..], &kept[..]].concat()).ok();
        run(&[&stress[..], &kept[..]].concat()).ok();
        run(&[&verify[..], &kept[..]].concat()).ok();
    }
    // The second one alone is a whole journal.
    run(&["verify", &data, "--acks", &acks]).ok();
}

#[test]
fn a_server_keeps_its_journal_twice_and_its_anchor_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let [data, second, anchor] = ["data", "second", "elsewhere/anchor"].map(path);
    let more = ["--no-tls", "--second-journal", &second, "--anchor", &anchor];
    let server = Server::start(Path::new(&data), &more);
    let author = serving::publish_tag(&server, serving::author(&server, NAME, now()), "v1", now());
    assert!(server.stop().success());
    copy(Path::new(&data), &folder.path().join("old"));
    copy(Path::new(&second), &folder.path().join("old second"));
    let server = Server::start(Path::new(&data), &more);
    serving::publish_tag(&server, author, "v2", now());
    assert!(server.stop().success());
    lose(&format!("{data}/journal"));
    let server = Server::start(Path::new(&data), &more);
    assert_eq!(server.get(&format!("/v2/{NAME}/_trust/tuf/targets.json")).status, 200);
    assert!(server.stop().success());

    let [old, old_second] = ["old", "old second"].map(path);
    let old = ["lookup", NAME, "v1", "--data", &old, "--second-journal", &old_second, "--anchor", &anchor];
    let refused = run(&old);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("the anchor"), "{refused:?}");
}

#[test]
fn the_root_of_a_file_system_is_a_folder_for_a_second_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (data, second) = (folder.path().join("data"), folder.path().join("second"));
    fs::create_dir_all(second.join("lost+found")).unwrap();
    let more = ["--no-tls", "--second-journal", text(&second)];
    let server = Server::start(&data, &more);
    assert!(server.stop().success());
    let server = Server::start(&data, &more);
    assert!(server.stop().success());
}

#[test]
fn with_the_whole_folder_lost_no_new_master_key_is_made_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let [data, second, key] = ["data", "second", "data.key"].map(path);
    let more = ["--no-tls", "--second-journal", &second];
    let server = Server::start(Path::new(&data), &more);
    let author = serving::publish_tag(&server, serving::author(&server, NAME, now()), "v1", now());
    assert!(server.stop().success());
    let master = fs::read(format!("{data}/master")).unwrap();
    lose(&data);
    let refused = run(&[&["serve", "--data", &data, "--listen", "127.0.0.1:0"], &more[..]].concat());
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("no master key"), "{refused:?}");
    assert!(!Path::new(&format!("{data}/master")).exists());
    // With the copy that an operator keeps of it, everything comes back from the second journal.
    fs::create_dir_all(&data).unwrap();
    common::write(Path::new(&format!("{data}/master")), &master);
    let server = Server::start(Path::new(&data), &[&more[..], &["--key-file", &key]].concat());
    serving::publish_tag(&server, author, "v2", now());
    assert!(server.stop().success());
}
