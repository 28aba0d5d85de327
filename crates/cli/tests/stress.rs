//! What was acknowledged is there: after a clean run, after kills at any moment, and while a server has the store open.
//!
//! The usual run kills some times; with `TUFSTORE_LONG=1`, 200 times.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::{Ran, command, run, text, write};

fn stress<'a>(data: &'a str, acks: &'a str, seconds: &'a str) -> Vec<&'a str> {
    let publishers = ["--publishers", "4", "--repositories", "7", "--seconds", seconds];
    [&["stress", "--data", data, "--acks", acks], &publishers[..]].concat()
}

fn verify(data: &str, acks: &str) -> Ran {
    run(&["verify", data, "--acks", acks, "--output", "json"])
}

#[test]
fn every_acknowledged_document_is_found_and_one_that_was_not_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let (data, acks) = (path("data"), path("acks"));
    let first = run(&[&stress(&data, &acks, "1")[..], &["--output", "json"]].concat()).ok().json();
    run(&["delete", "example.com/stress/00003", "--yes", "--data", &data]).ok();
    let second = run(&[&stress(&data, &acks, "1")[..], &["--output", "json"]].concat()).ok().json();
    let documents = first["documents"].as_u64().unwrap() + second["documents"].as_u64().unwrap();
    let lines = fs::read_to_string(&acks).unwrap();
    assert_eq!(u64::try_from(lines.lines().count()).unwrap(), documents);

    let verified = verify(&data, &acks).ok().json();
    let acknowledged = &verified["acknowledged"];
    assert_eq!((&verified["sound"], acknowledged["lost"].as_u64()), (&true.into(), Some(0)));
    let ended = acknowledged["ended"].as_u64().unwrap();
    assert_eq!(acknowledged["whole"].as_u64().unwrap() + ended, documents);
    assert!(ended > 0);

    // Each part of a line counts.
    let line = lines.lines().rfind(|line| line.contains("/00001 ") && line.contains(" targets ")).unwrap();
    let parts: Vec<_> = line.split(' ').collect();
    let [repository, position, _, version, sha256] = parts.as_slice() else { unreachable!("{line}") };
    let other = sha256.chars().rev().collect::<String>();
    for forged in [
        format!("{repository} {position} targets {version} {other}\n"),
        format!("{repository} {position} targets 1{version} {sha256}\n"),
        format!("{repository} {position} timestamp {version} {sha256}\n"),
        format!("{repository} 1{position}99 targets {version} {sha256}\n"),
        format!("example.com/stress/00002 {position} targets {version} {sha256}\n"),
        format!("example.com/never {position} targets {version} {sha256}\n"),
    ] {
        let file = write(&folder.path().join("forged"), forged.as_bytes());
        let verified = verify(&data, text(&file));
        assert_eq!(verified.code, 1, "{forged}: {verified:?}");
        assert_eq!(verified.json()["acknowledged"]["lost"], 1, "{forged}");
    }
}

/// Lets it run for so long, and kills it. Whether it was still running.
fn killed_after(moment: Duration, data: &str, acks: &str) -> bool {
    let mut process =
        command(&stress(data, acks, "20")).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    thread::sleep(moment);
    let running = process.try_wait().unwrap().is_none();
    process.kill().unwrap();
    process.wait().unwrap();
    running
}

/// Other moments in each run.
fn moments() -> impl Iterator<Item = u64> {
    std::iter::repeat_with(|| {
        let random = tempfile::NamedTempFile::new().unwrap();
        let hash = tufstore::crypto::sha256(random.path().as_os_str().as_encoded_bytes());
        u64::from(hash.as_bytes()[0])
    })
}

fn long() -> bool {
    std::env::var_os("TUFSTORE_LONG").is_some_and(|value| value == "1")
}

#[test]
fn killed_at_any_moment_a_store_holds_all_that_it_acknowledged() {
    // A new store now and then, as looking through one takes as long as it has grown.
    let (stores, kills) = if long() { (20, 10) } else { (1, 6) };
    for store in 0..stores {
        let folder = tempfile::tempdir().unwrap();
        let (data, acks) = (folder.path().join("data"), folder.path().join("acks"));
        let mut acknowledged = 0;
        for (kill, moment) in (1..=kills).zip(moments()) {
            let case = format!("store {store}, kill {kill}");
            let moment = Duration::from_millis(moment * 4);
            assert!(killed_after(moment, text(&data), text(&acks)), "{case}: it ended by itself");
            if kill % 2 == 0 {
                let verified = verify(text(&data), text(&acks)).ok().json();
                let now = verified["acknowledged"]["documents"].as_u64().unwrap();
                assert!(now >= acknowledged, "{case}");
                acknowledged = now;
            }
        }
        assert!(acknowledged > 0);
    }
}

#[test]
fn killed_while_it_is_made_a_store_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let rounds = if long() { 200 } else { 25 };
    for (round, moment) in (0..rounds).zip(moments()) {
        let home = folder.path().join(round.to_string());
        let (data, acks) = (home.join("data"), home.join("acks"));
        write(&acks, b"");
        let moment = Duration::from_micros(moment * 200);
        killed_after(moment, text(&data), text(&acks));
        finished(&data, &acks, round);
    }
}

/// It goes on where it was killed.
fn finished(data: &Path, acks: &Path, round: u32) {
    let ran = run(&[&stress(text(data), text(acks), "60")[..], &["--publications", "5"]].concat());
    assert_eq!(ran.code, 0, "round {round}: {ran:?}");
    let verified = verify(text(data), text(acks));
    assert_eq!(verified.code, 0, "round {round}: {verified:?}");
}
