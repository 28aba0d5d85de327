//! A process that is killed while it publishes loses nothing that it acknowledged, and goes on where it was.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tufstore::terms::{Position, RepositoryName};
use tufstore::{Options, Store};

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/official-images-slice.tsv.zst");
const PUBLICATIONS: usize = 1_348;

fn replay(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tufstore"))
        .args(["replay", TRACE, "--publishers", "4", "--data"])
        .arg(folder.join("data"))
        .arg("--acks")
        .arg(folder.join("acks"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The Position of the newest publication that was acknowledged, of each repository. A line that the kill cut short
/// acknowledges nothing.
fn acknowledged(folder: &Path) -> BTreeMap<RepositoryName, u64> {
    let text = std::fs::read_to_string(folder.join("acks")).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let mut newest = BTreeMap::new();
    for line in whole {
        let parts: Vec<_> = line.split(' ').collect();
        let [repository, position, _role, _version, _sha256] = parts.as_slice() else { panic!("{line:?}") };
        newest.insert(repository.parse().unwrap(), position.parse().unwrap());
    }
    newest
}

/// Opens the store as it was left and compares it with what was acknowledged.
fn check(folder: &Path) -> u64 {
    let store = Store::open(folder.join("data"), Options::default()).unwrap();
    let changes: Vec<_> = store.changes(Position::START).map(Result::unwrap).collect();
    for (repository, position) in acknowledged(folder) {
        let view = store.view(&repository).unwrap().unwrap_or_else(|| panic!("{repository} is gone"));
        let change = changes.iter().find(|change| change.position.get() == position).unwrap();
        assert_eq!(change.repository, repository);
        assert!(view.revision() >= change.revision, "{repository} fell behind position {position}");
    }
    u64::try_from(changes.len()).unwrap()
}

#[test]
fn killed_at_ten_moments_a_replay_loses_nothing_acknowledged_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // Somewhere between the start of the process and some hundred publications; different in each run.
    let mut moments = std::iter::repeat_with(|| {
        let random = tempfile::NamedTempFile::new().unwrap();
        let hash = tufstore::crypto::sha256(random.path().as_os_str().as_encoded_bytes());
        Duration::from_millis(u64::from(hash.as_bytes()[0]) * 3 + 5)
    });
    let mut held = 0;
    for kill in 1..=10 {
        let mut process = replay(folder.path());
        let moment = moments.next().unwrap();
        thread::sleep(moment);
        if process.try_wait().unwrap().is_some() {
            break;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        let now = check(folder.path());
        assert!(now >= held, "kill {kill} after {moment:?}: {held} publications, then {now}");
        held = now;
    }
    let finished = replay(folder.path()).wait_with_output().unwrap();
    assert!(finished.status.success(), "{}", String::from_utf8_lossy(&finished.stderr));
    assert_eq!(check(folder.path()), u64::try_from(PUBLICATIONS).unwrap());
    let verified = Command::new(env!("CARGO_BIN_EXE_tufstore"))
        .arg("verify")
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
