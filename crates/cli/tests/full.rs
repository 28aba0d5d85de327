//! A disk that is really full: publishing is refused, nothing is lost, and erasing and collecting make room again.
//!
//! On a small file system in memory, where this process may mount one; elsewhere the test says so, and the faults that the
//! engine's tests inject stand for it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Ran, run, text};
use serde_json::json;

/// A file system of three megabytes, gone with this.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(folder.path());
        // Where there is no such program, nothing can be mounted either.
        mount.output().ok().filter(|output| output.status.success()).map(|_| Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

#[test]
fn a_full_disk_still_lets_an_operator_erase_and_collect() {
    let Some(small) = Small::mount() else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let beside = tempfile::tempdir().unwrap();
    let path = |folder: &Path, name: &str| text(&folder.join(name)).to_owned();
    let data = path(small.0.path(), "data");
    let [keys, acks] = ["keys", "acks"].map(|name| path(beside.path(), name));
    let stress = |seconds: &str| -> Ran {
        let store = ["stress", "--data", &data, "--keys", &keys, "--acks", &acks];
        run(&[&store[..], &["--seconds", seconds, "--repositories", "4"]].concat())
    };
    let verify = || run(&["verify", &data, "--acks", &acks, "--output", "json"]).ok().json();
    let refused = stress("120");
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("No space left"), "{refused:?}");
    assert_eq!(verify()["acknowledged"]["lost"], json!(0));
    for number in ["00000", "00001", "00002"] {
        run(&["delete", &format!("example.com/stress/{number}"), "--yes", "--data", &data]).ok();
    }
    let collected = run(&["collect", "--deleted-only", "--data", &data, "--output", "json"]).ok().json();
    assert!(collected["freed_bytes"].as_u64().unwrap() > 1 << 18, "{collected}");
    // There is room again, and the store takes what comes.
    let taken = run(&[
        "stress",
        "--data",
        &data,
        "--keys",
        &keys,
        "--acks",
        &acks,
        "--publications",
        "50",
        "--seconds",
        "60",
    ]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let verified = verify();
    assert_eq!((&verified["sound"], &verified["acknowledged"]["lost"]), (&json!(true), &json!(0)));
}
