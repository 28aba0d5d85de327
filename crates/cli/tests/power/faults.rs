//! Operations that fail below everything: each write, sync, rename, removal and creation of a command, once, with each error.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tufstore_testkit::copy;

use crate::common::{run, text};
use crate::recorder::{Entry, Recording};
use crate::{Recorder, long};

/// As the operating system counts them: a disk that is broken, and one that is full.
const ERRORS: [&str; 2] = ["5", "28"];
const COMMANDS: [&str; 6] = ["publish", "collect", "reindex", "backup", "restore", "repair"];

/// A store of some publications and a deletion, a backup of it, and the keys of whoever published.
fn prepare(folder: &Path) {
    let path = |name: &str| text(&folder.join(name)).to_owned();
    fs::create_dir(folder.join("root")).unwrap();
    let (data, keys, acks) = (path("root/data"), path("keys"), path("root/acks"));
    let stress = ["stress", "--data", &data, "--keys", &keys, "--acks", &acks, "--seconds", "60"];
    run(&[&stress[..], &["--repositories", "3", "--publishers", "1", "--publications", "9"]].concat()).ok();
    run(&["delete", "example.com/stress/00001", "--yes", "--data", &data]).ok();
    run(&["backup", "--data", &data, "--to", &path("root/full")]).ok();
}

fn arguments(command: &str, folder: &Path) -> Vec<String> {
    let path = |name: &str| text(&folder.join(name)).to_owned();
    let data = path("root/data");
    let arguments: &[&str] = match command {
        "publish" => &[
            "stress",
            "--data",
            &data,
            "--keys",
            &path("keys"),
            "--acks",
            &path("root/acks"),
            "--seconds",
            "60",
            "--repositories",
            "3",
            "--publishers",
            "1",
            "--publications",
            "4",
        ],
        "collect" => &["collect", "--data", &data, "--deleted-only"],
        "reindex" => &["reindex", "--data", &data],
        "backup" => &["backup", "--data", &data, "--to", &path("root/made")],
        "restore" => &["restore", &path("root/full"), "--to", &path("root/made"), "--nothing-lost"],
        _ => &["repair", &data, "--to", &path("root/made")],
    };
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

/// Lets an operation of a command fail. Whether there is one of that number.
fn one(prepared: &Path, library: &Path, command: &str, operation: u64, error: &str) -> bool {
    let case = format!("{command}, operation {operation}, error {error}");
    let folder = tempfile::tempdir().unwrap();
    copy(prepared, folder.path());
    let recorder = Recorder { folder, library: library.to_owned() };
    let folder = recorder.folder.path();
    let arguments = arguments(command, folder);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut failing = recorder.command(&arguments);
    let ran =
        failing.env("RECORDER_FAILS", operation.to_string()).env("RECORDER_ERRNO", error).output().unwrap();
    let recording = Recording::read(&folder.join("log"));
    let failed = recording.entries.iter().any(|entry| matches!(entry, Entry::Failed));
    // Nothing but an error that says so, or success where it was an aid that failed; and never a crash.
    // A repair may say that it could not ask how far the old store had come, which is told by exit code 1.
    let is_told = matches!((command, ran.status.code()), (_, Some(0 | 4)) | ("repair", Some(1)));
    assert!(is_told, "{case}: {ran:?}");
    assert!(failed || ran.status.success(), "{case}: {ran:?}");
    let path = |name: &str| text(&folder.join(name)).to_owned();
    let (data, acks, made) = (path("root/data"), path("root/acks"), path("root/made"));
    let sound = |store: &str| {
        let verified = run(&["verify", store, "--acks", &acks]);
        assert_eq!(verified.code, 0, "{case}: {store}: {verified:?}");
    };
    sound(&data);
    let is_made = |when: &str| match command {
        "backup" => assert_eq!(
            run(&["restore", &made, "--to", &path(when), "--nothing-lost"]).code,
            0,
            "{case}: the backup"
        ),
        "restore" | "repair" => assert_eq!(run(&["verify", &made]).code, 0, "{case}: {made}"),
        _ => {}
    };
    if Path::new(&made).exists() {
        is_made("first");
    } else {
        assert!(!ran.status.success() || !matches!(command, "backup" | "restore" | "repair"), "{case}");
    }
    // What failed is done when it is asked for again, unless only its last word was missing.
    let is_there = Path::new(&made).exists() && matches!(command, "restore" | "repair");
    if !ran.status.success() && !is_there {
        let again = run(&arguments);
        assert_eq!(again.code, 0, "{case}: again: {again:?}");
        is_made("again");
    }
    let more = self::arguments("publish", folder);
    let more = run(&more.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(more.code, 0, "{case}: {more:?}");
    sound(&data);
    failed
}

#[test]
fn an_operation_of_a_command_that_fails_leaves_everything_acknowledged_and_nothing_half_made() {
    let prepared = tempfile::tempdir().unwrap();
    prepare(prepared.path());
    let own = tempfile::tempdir().unwrap();
    let library = crate::recorder::library(own.path());
    // So many operations further each time; from another one on for each error.
    let step = if long() { 1 } else { 11 };
    for command in COMMANDS {
        let counts = ERRORS.map(|_| AtomicU64::new(0));
        thread::scope(|scope| {
            for (from, (error, count)) in (1..).zip(ERRORS.iter().zip(&counts)) {
                let (prepared, library) = (prepared.path(), &library);
                scope.spawn(move || {
                    let mut operation = from;
                    while one(prepared, library, command, operation, error) {
                        operation += step;
                    }
                    count.store(operation, Ordering::Relaxed);
                });
            }
        });
        let counts = counts.map(AtomicU64::into_inner);
        assert!(counts.iter().all(|count| *count > 12), "{command}: {counts:?}");
        eprintln!("{command}: {counts:?} operations");
    }
}
