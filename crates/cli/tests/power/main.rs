//! Power cuts below everything: what the whole binary writes and syncs is recorded, and what a disk could hold after a cut at
//! any moment is built from that, and opened.
//!
//! The usual run takes some hundred cuts; with `TUFSTORE_LONG=1`, each cut with each kind of loss.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod faults;
mod recorder;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{command, run, text, write};
use disk::Disk;
use recorder::{Entry, Recording};
use tempfile::TempDir;
use tufstore::terms::Position;
use tufstore::{ChangeKind, Options, Store};
use tufstore_testkit::copy;
use tufstore_testkit::device::Survival;

/// What is recorded: everything below `root`, a store among it.
struct Recorder {
    folder: TempDir,
    library: PathBuf,
}

impl Recorder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = recorder::library(folder.path());
        fs::create_dir(folder.path().join("root")).unwrap();
        Self { folder, library }
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command
            .env("LD_PRELOAD", &self.library)
            .env("RECORDER_ROOT", self.path("root"))
            .env("RECORDER_LOG", self.path("log"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// Runs it, and kills it once it has acknowledged more than so many bytes.
    fn kill(&self, arguments: &[&str], acknowledged: usize) {
        let mut child = self.command(arguments).spawn().unwrap();
        let acks = self.path("root/acks");
        while fs::read(&acks).unwrap().len() <= acknowledged {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Publications from the first on, a clean close, a deletion, a collection, a kill and the recovery from it, a new
/// index, a backup, a restored store and a repaired one. And after how many entries a command had ended that owes something.
fn record(recorder: &Recorder) -> (Recording, Vec<(Owed, usize)>) {
    let path = |name: &str| recorder.path(name);
    let (data, keys, acks) = (path("root/data"), path("keys"), path("root/acks"));
    let stress = |publications: &'static str| {
        let store = ["stress", "--data", &data, "--keys", &keys, "--acks", &acks, "--seconds", "60"];
        let bounds = ["--repositories", "3", "--publishers", "2", "--publications", publications];
        [&store[..], &bounds[..]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let stress = |publications| {
        let arguments = stress(publications);
        recorder.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let entries = || Recording::read(Path::new(&path("log"))).entries.len();
    let mut owed = Vec::new();
    stress("14");
    stress("10");
    recorder.run(&["delete", "example.com/stress/00001", "--yes", "--data", &data]);
    owed.push((Owed::Deletion, entries()));
    recorder.run(&["collect", "--data", &data, "--deleted-only"]);
    stress("6");
    let endless = ["stress", "--data", &data, "--keys", &keys, "--acks", &acks, "--seconds", "60"];
    let so_far = fs::read(&acks).unwrap().len();
    recorder.kill(&[&endless[..], &["--repositories", "2"]].concat(), so_far + 1_000);
    stress("4");
    recorder.run(&["reindex", "--data", &data]);
    recorder.run(&["backup", "--data", &data, "--to", &path("root/backup")]);
    owed.push((Owed::Backup, entries()));
    recorder.run(&["restore", &path("root/backup"), "--to", &path("root/restored"), "--nothing-lost"]);
    owed.push((Owed::Restored, entries()));
    recorder.run(&["repair", &data, "--to", &path("root/repaired")]);
    owed.push((Owed::Repaired, entries()));
    (Recording::read(Path::new(&path("log"))), owed)
}

/// What a command that said it was done leaves whatever happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owed {
    Deletion,
    Backup,
    Restored,
    Repaired,
}

fn long() -> bool {
    std::env::var_os("TUFSTORE_LONG").is_some_and(|value| value == "1")
}

/// What may be left after the cut with that number.
fn survivals(cut: usize) -> Vec<Survival> {
    let seed = u64::try_from(cut).unwrap();
    let chance = [
        Survival::Kept,
        Survival::Torn { piece: 512, seed },
        Survival::Reordered { piece: 512, seed },
        Survival::Torn { piece: 4_096, seed },
        Survival::Reordered { piece: 4_096, seed },
    ];
    if long() {
        [&[Survival::Dropped], &chance[..]].concat()
    } else {
        vec![Survival::Dropped, chance[cut % 5]]
    }
}

/// What was there when the power went.
struct Left {
    case: String,
    folder: TempDir,
}

/// Opens what is left of everything, and finds all that was acknowledged.
fn check(left: &Left, acknowledged: &[u8], owed: &[Owed], keys: Option<&Path>) {
    let Left { case, folder } = left;
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let acks = write(&folder.path().join("acknowledged"), acknowledged);
    let data = path("data");
    if Path::new(&data).join("journal").is_dir() {
        let verified = run(&["verify", &data, "--acks", text(&acks), "--output", "json"]);
        assert_eq!(verified.code, 0, "{case}: {verified:?}");
        if let Some(keys) = keys {
            // It takes what comes next.
            let own = folder.path().join("keys");
            copy(keys, &own);
            let more = ["stress", "--data", &data, "--keys", text(&own), "--acks", text(&acks)];
            let bounds = ["--seconds", "60", "--repositories", "3", "--publications", "5"];
            let more = run(&[&more[..], &bounds[..]].concat());
            assert_eq!(more.code, 0, "{case}: {more:?}");
            let verified = run(&["verify", &data, "--acks", text(&acks)]);
            assert_eq!(verified.code, 0, "{case}: {verified:?}");
        }
    } else {
        assert!(acknowledged.is_empty(), "{case}: no store, and {} bytes acknowledged", acknowledged.len());
    }
    if owed.contains(&Owed::Deletion) {
        let store = Store::open(&data, Options::default()).unwrap();
        let mut changes = store.changes(Position::START).map(Result::unwrap);
        assert!(changes.any(|change| change.kind == ChangeKind::Deleted), "{case}: the deletion is lost");
    }
    // What has its name is whole, and whoever said that it was made has made it.
    for (name, made) in [("restored", Owed::Restored), ("repaired", Owed::Repaired)] {
        if owed.contains(&made) || Path::new(&path(name)).exists() {
            let verified = run(&["verify", &path(name)]);
            assert_eq!(verified.code, 0, "{case}: {name}: {verified:?}");
        }
    }
    if owed.contains(&Owed::Backup) || Path::new(&path("backup")).exists() {
        assert!(Store::files_in_backup(path("backup")).is_ok(), "{case}: the backup is not whole");
    }
}

#[test]
fn after_a_power_cut_at_any_moment_all_that_was_acknowledged_is_there() {
    let recorder = Recorder::new();
    let (recording, owed) = record(&recorder);
    let keys = recorder.folder.path().join("keys");
    let entries = &recording.entries;
    assert!(entries.len() > 300, "the recording became too short: {}", entries.len());
    assert_eq!(owed.len(), 4);
    // Each moment of the beginning, and a part of the rest.
    let step = if long() { 1 } else { (entries.len() / 140).max(1) };
    let cuts: Vec<_> = (0..=entries.len()).filter(|cut| *cut < 40 || cut % step == 0).collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                // Each thread plays the recording by itself, and stops at cuts that no other takes.
                let (mut disk, mut played, mut acknowledged) = (Disk::new(), 0, Vec::new());
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cut) = cuts.get(at) else { return };
                    for entry in &entries[played..*cut] {
                        if let Entry::Write { path, bytes, .. } = entry
                            && path == "acks"
                        {
                            acknowledged.extend(bytes);
                        }
                        disk.play(entry);
                    }
                    played = *cut;
                    let ended = owed.iter().filter(|(_, entries)| entries <= cut);
                    let owed: Vec<_> = ended.map(|(owed, _)| *owed).collect();
                    for survival in survivals(at) {
                        let case = format!("cut {cut} of {}, {survival:?}", entries.len());
                        let left = Left { case, folder: tempfile::tempdir().unwrap() };
                        disk.left_in(survival, left.folder.path());
                        check(&left, &acknowledged, &owed, at.is_multiple_of(10).then_some(keys.as_path()));
                    }
                }
            });
        }
    });
}
