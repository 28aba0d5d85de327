//! What holds while the server is restarted, killed, and asked by many.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::NAME;
use crate::client::{Client, Served, ours};
use crate::serving::Server;

/// Every file of a user's cache of a repository.
fn cache(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let metadata = folder.join("trust/tuf").join(NAME).join("metadata");
    let files = fs::read_dir(metadata).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_second_start_serves_the_same_bytes_also_without_the_index() {
    let mut served = Served::new(&[]);
    let author = served.client();
    author.begin(NAME, "v1");
    author.run(&["key", "rotate", NAME, "root"]).ok();
    let first = served.client();
    first.list(NAME);
    for index in ["stays", "is deleted"] {
        let data = served.data();
        assert!(served.server.stop().success());
        if index == "is deleted" {
            fs::remove_dir_all(data.join("index")).unwrap();
        }
        served.server = Server::start(&data, &[]);
        let again = served.client();
        again.list(NAME);
        assert_eq!(cache(&again.path("")), cache(&first.path("")), "the index {index}");
    }
}

#[test]
fn nothing_of_which_a_client_was_told_is_lost_when_the_server_is_killed() {
    let Served { folder, mut server } = Served::new(&[]);
    let data = folder.path().join("store");
    for round in 0..2 {
        let (told, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let publish = |client: Client, number| {
            let name = format!("reg.example.com/{round}/{number}");
            for tag in 0.. {
                let (tag, file) = (format!("v{tag}"), client.write("content", b"x"));
                let said = client.run(&["add", "-p", &name, &tag, &file]);
                if said.code != 0 || over.load(Ordering::Acquire) {
                    break;
                }
                told.lock().unwrap().push((name.clone(), tag));
            }
        };
        thread::scope(|scope| {
            for number in 0..3 {
                let (client, publish) = (Client::new(&server), &publish);
                scope.spawn(move || publish(client, number));
            }
            while told.lock().unwrap().len() < 6 {
                thread::sleep(Duration::from_millis(5));
            }
            server.kill();
            over.store(true, Ordering::Release);
        });
        server = Server::start(&data, &[]);
        let told = told.into_inner().unwrap();
        for (name, tag) in &told {
            assert!(ours(&data, &["lookup", name, tag]).contains("sha256:"), "{name} {tag}");
            assert!(!Client::new(&server).list(name).is_empty());
        }
    }
    assert!(ours(&data, &["verify"]).contains("sound"));
}

#[test]
fn readers_of_an_expired_timestamp_share_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tufstore.toml");
    #[expect(clippy::disallowed_methods, reason = "a file that an operator has")]
    fs::write(&config, "[lifetimes]\ntimestamp = \"3s\"\n").unwrap();
    let served = Served::new(&["--config", config.to_str().unwrap()]);
    let author = served.client();
    author.begin(NAME, "v1");
    let versions = || {
        ours(&served.data(), &["history", NAME, "timestamp", "--output", "json"])
            .matches("\"version\"")
            .count()
    };
    let before = versions();
    thread::sleep(Duration::from_secs(4));
    thread::scope(|scope| {
        for _ in 0..8 {
            let reader = served.client();
            scope.spawn(move || assert_eq!(reader.list(NAME).len(), 1));
        }
    });
    let after = versions();
    // One serves all who come at the same time. On a slow machine they do not, and so short a life ends once more.
    assert!(after > before && after < before + 8, "{before} and then {after}");
}
