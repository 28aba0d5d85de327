//! What opening, closing, dropping and failing halfway do to a store.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use tufstore::crypto::{KeyId, OnlineKeyError, OnlineKeys, OnlineScope, OnlineSignature, PublicKey};
use tufstore::terms::{Position, RepositoryName, RoleName, Version};
use tufstore::{
    Changes, DeleteError, Fault, Lookup, MirrorError, Options, PublishError, Receipt, StorageError, Store,
    Upload, View,
};
use tufstore_testkit::device::{CrashDevice, Survival};
use tufstore_testkit::{Forge, NOW, Publisher, SeededOnlineKeys, digest, observe};

const REPOSITORY: &str = "docker.io/library/alpine";

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("lifecycle"))
}

fn open(device: &CrashDevice) -> Store {
    Store::open_on(Arc::new(device.clone()), options()).unwrap()
}

fn name() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

fn tagged(store: &Store) -> Publisher {
    let mut publisher = Publisher::for_store(REPOSITORY, store);
    publisher.tag(&[("3.22", digest("1"))]);
    publisher.publish(store).unwrap();
    publisher
}

#[test]
fn a_store_may_be_used_from_any_thread() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sent<T: Send + Sync + 'static>() {}
    fn moved<T: Send + 'static>() {}
    shared::<Store>();
    shared::<View>();
    shared::<Options>();
    shared::<Upload>();
    sent::<Receipt>();
    sent::<PublishError>();
    moved::<Changes>();
}

#[test]
fn dropping_the_last_clone_closes_cleanly_and_no_other_does() {
    let device = CrashDevice::new();
    let store = open(&device);
    let clone = store.clone();
    tagged(&store);
    let operations = device.operations();
    drop(store);
    assert_eq!(device.operations(), operations, "the other clone keeps it open");
    let mut publisher = Publisher::for_store("docker.io/library/debian", &clone);
    publisher.publish(&clone).unwrap();
    let before = observe(&clone);
    drop(clone);
    // What was closed cleanly needs no recovery: nothing is written at open, even after a power cut.
    let left = device.after_power_cut(Survival::Dropped);
    let store = open(&left);
    assert_eq!(left.operations(), 0);
    assert_eq!(observe(&store), before);
}

#[test]
fn a_store_that_was_not_closed_is_recovered() {
    let device = CrashDevice::new();
    let store = open(&device);
    tagged(&store);
    let before = observe(&store);
    let left = device.after_power_cut(Survival::Dropped);
    let recovered = open(&left);
    assert!(left.operations() > 0);
    assert_eq!(observe(&recovered), before);
    recovered.close().unwrap();
}

#[test]
fn dropping_a_view_or_unfinished_changes_leaves_the_store_open() {
    let device = CrashDevice::new();
    let store = open(&device);
    let mut publisher = tagged(&store);
    let operations = device.operations();
    drop(store.view(&name()).unwrap());
    let mut changes = store.changes(Position::START);
    assert!(changes.next().is_some());
    drop(changes);
    assert_eq!(device.operations(), operations);
    publisher.tag(&[("3.22", digest("2"))]);
    publisher.publish(&store).unwrap();
}

/// Keys that fail or panic when they are told to.
struct Unreliable {
    keys: SeededOnlineKeys,
    does: Arc<AtomicU8>,
}

const SIGNS: u8 = 0;
const FAILS: u8 = 1;
const PANICS: u8 = 2;

impl OnlineKeys for Unreliable {
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        self.keys.pending(scope)
    }

    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        match self.does.load(Ordering::SeqCst) {
            SIGNS => self.keys.sign(scope, wanted, message),
            FAILS => Err(OnlineKeyError::new("the signer is away")),
            _ => panic!("the signer panics, as this test wants it to"),
        }
    }
}

#[test]
fn a_publication_that_fails_or_panics_before_its_commit_leaves_no_trace() {
    let device = CrashDevice::new();
    let does = Arc::new(AtomicU8::new(SIGNS));
    let keys = Unreliable { keys: SeededOnlineKeys::new("lifecycle"), does: Arc::clone(&does) };
    let options = Options::default().with_online_keys(keys);
    let store = Store::open_on(Arc::new(device.clone()), options).unwrap();
    let mut publisher = tagged(&store);
    let before = observe(&store);
    let operations = device.operations();
    publisher.tag(&[("3.22", digest("2"))]);
    let mut other = Publisher::for_store("docker.io/library/debian", &store);

    does.store(FAILS, Ordering::SeqCst);
    for publisher in [&mut publisher, &mut other] {
        let refused = publisher.publish(&store).unwrap_err();
        assert!(matches!(refused, PublishError::OnlineKeys(_)), "{refused}");
        assert_eq!(refused.fault(), Fault::Operator);
    }
    does.store(PANICS, Ordering::SeqCst);
    for publisher in [&publisher, &other] {
        let (store, mut publisher) = (store.clone(), publisher.clone());
        assert!(thread::spawn(move || publisher.publish(&store).is_ok()).join().is_err());
    }
    assert_eq!(observe(&store), before);
    assert_eq!(device.operations(), operations);

    does.store(SIGNS, Ordering::SeqCst);
    publisher.publish(&store).unwrap();
    other.publish(&store).unwrap();
    let before = observe(&store);
    assert_eq!(before.position.get(), 3);
    drop(store);
    let left = device.after_power_cut(Survival::Dropped);
    assert_eq!(observe(&open(&left)), before);
    assert_eq!(left.operations(), 0, "a thread that panicked holds no clone back");
}

#[test]
fn closing_is_idempotent_refuses_writes_and_lets_reads_go_on() {
    let device = CrashDevice::new();
    let store = open(&device);
    tagged(&store);
    drop(store);
    // Opened anew, so that the repository is cold when the store is closed.
    let store = open(&device);
    let clone = store.clone();
    store.close().unwrap();
    let operations = device.operations();
    store.close().unwrap();
    clone.close().unwrap();
    assert_eq!(device.operations(), operations);

    let forge = Forge::new("example.com/mirrored");
    let refused = store.publish(&name(), &Upload::new(), NOW);
    assert!(matches!(refused, Err(PublishError::Storage(StorageError::Closed))), "{refused:?}");
    let refused = clone.delete(&name(), NOW);
    assert!(matches!(refused, Err(DeleteError::Storage(StorageError::Closed))), "{refused:?}");
    let refused = clone.mirror(&forge.repository, &forge.complete(1, &[]), NOW);
    assert!(matches!(refused, Err(MirrorError::Storage(StorageError::Closed))), "{refused:?}");

    let observed = observe(&clone);
    assert_eq!(observed.repositories.len(), 1);
    assert!(matches!(store.lookup(REPOSITORY, "3.22", NOW).unwrap(), Lookup::Found(_)));
    assert!(
        store
            .history(&name(), &RoleName::Root, Version::FIRST)
            .unwrap()
            .map(|found| found.document)
            .is_some()
    );
    assert_eq!(store.changes(Position::START).count(), 1);
    assert!(!store.wait_for_change(store.position(), Duration::ZERO));
    assert!(store.verify(&mut |_| {}).unwrap().findings.is_empty());
    drop((store, clone));
    assert_eq!(device.operations(), operations);
    assert_eq!(observe(&open(&device)), observed);
}

#[test]
fn an_empty_store_opens_closes_and_opens() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let store = Store::open(folder.path().join("made/with/its/parents"), options()).unwrap();
        assert_eq!(store.position(), Position::START);
        assert_eq!(store.repositories(), []);
        assert_eq!(store.changes(Position::START).count(), 0);
        assert_eq!(store.lookup(REPOSITORY, "3.22", NOW).unwrap(), Lookup::NoSuchRepository);
        assert_eq!(store.lookup("not a name", "3.22", NOW).unwrap(), Lookup::NoSuchRepository);
        assert!(store.view(&name()).unwrap().is_none());
        store.close().unwrap();
    }
}

/// What a child of a test is told: its task, the folder, and the process that began it.
const TASK: &str = "TUFSTORE_TEST_TASK";
const FOLDER: &str = "TUFSTORE_TEST_FOLDER";
const PARENT: &str = "TUFSTORE_TEST_PARENT";

/// Runs one test of this binary in a process of its own; whether it passes, and what it says.
fn child(test: &str, task: &str, folder: &Path) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(TASK, task).env(FOLDER, folder).env(PARENT, std::process::id().to_string());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn refused_naming(folder: &Path, process: u32) {
    match Store::open(folder, options()) {
        Err(StorageError::InUse { holder }) => {
            assert!(holder.contains(&format!("(process {process})")), "{holder}");
            assert!(holder.contains("lifecycle"), "{holder}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_open_is_refused_naming_the_holder_here_and_in_another_process() {
    const NAME: &str = "a_second_open_is_refused_naming_the_holder_here_and_in_another_process";
    if let Some(task) = std::env::var_os(TASK) {
        let folder = std::env::var_os(FOLDER).unwrap();
        let parent: u32 = std::env::var(PARENT).unwrap().parse().unwrap();
        match task.to_str().unwrap() {
            "refused" => refused_naming(Path::new(&folder), parent),
            "taken" => {
                let store = Store::open(Path::new(&folder), options()).unwrap();
                store.publish(&name(), &Upload::new(), NOW).unwrap();
                // Neither closed nor dropped.
                std::process::abort();
            }
            task => panic!("{task}"),
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), options()).unwrap();
    tagged(&store);
    refused_naming(folder.path(), std::process::id());
    let refused = || {
        let (passed, says) = child(NAME, "refused", folder.path());
        assert!(passed, "{says}");
    };
    refused();
    // Closed is not yet gone: reads go on.
    store.close().unwrap();
    refused_naming(folder.path(), std::process::id());
    refused();
    drop(store);

    // A holder that was killed holds nobody up, and what it was told is kept.
    let (passed, says) = child(NAME, "taken", folder.path());
    assert!(!passed && !says.contains("panicked"), "{says}");
    let store = Store::open(folder.path(), options()).unwrap();
    assert_eq!(store.position().get(), 2);
    assert_eq!(store.view(&name()).unwrap().unwrap().revision().get(), 2);
    refused();
}

#[test]
fn history_answers_by_version_and_by_digest_across_a_reopening() {
    let device = CrashDevice::new();
    let mut store = open(&device);
    let mut publisher = tagged(&store);
    for round in 2..=12 {
        publisher.tag(&[("3.22", digest(&round.to_string()))]);
        publisher.publish(&store).unwrap();
    }
    for _ in 0..2 {
        let entries: Vec<_> = store.documents(&name()).collect::<Result<_, _>>().unwrap();
        assert_eq!(entries.len(), 1 + 3 * 12);
        for entry in entries {
            let by_version = store
                .history(&name(), &entry.role, entry.version)
                .unwrap()
                .map(|found| found.document)
                .unwrap();
            let by_digest = store
                .history(&name(), &entry.role, entry.sha256)
                .unwrap()
                .map(|found| found.document)
                .unwrap();
            assert_eq!(by_version, by_digest);
            assert_eq!((by_digest.role(), by_digest.version()), (&entry.role, entry.version));
            assert_eq!(tufstore::crypto::sha256(by_digest.bytes()), entry.sha256);
            // A digest is looked for in its role alone.
            let other = if entry.role == RoleName::Root { RoleName::Targets } else { RoleName::Root };
            assert_eq!(
                store.history(&name(), &other, entry.sha256).unwrap().map(|found| found.document),
                None
            );
        }
        let beyond = Version::new(13).unwrap();
        assert_eq!(
            store.history(&name(), &RoleName::Targets, beyond).unwrap().map(|found| found.document),
            None
        );
        assert_eq!(
            store
                .history(&name(), &RoleName::Targets, digest("nothing"))
                .unwrap()
                .map(|found| found.document),
            None
        );
        let nobody: RepositoryName = "example.com/nobody".parse().unwrap();
        assert_eq!(
            store.history(&nobody, &RoleName::Root, Version::FIRST).unwrap().map(|found| found.document),
            None
        );
        drop(store);
        store = open(&device);
    }
}

#[test]
fn waiting_ends_with_a_change_or_with_its_time() {
    let store = Store::in_memory(options()).unwrap();
    assert!(!store.wait_for_change(Position::START, Duration::from_millis(20)));
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    let waits: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || {
                // Long beyond the time that a test may take: it has to be woken.
                let woken = store.wait_for_change(Position::START, Duration::from_mins(10));
                (woken, store.view(&name()).unwrap().is_some())
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(20));
    publisher.publish(&store).unwrap();
    for wait in waits {
        assert_eq!(wait.join().unwrap(), (true, true));
    }
    assert!(store.wait_for_change(Position::START, Duration::ZERO));
    assert!(!store.wait_for_change(store.position(), Duration::from_millis(5)));
    let position = store.position();
    store.delete(&name(), NOW).unwrap().unwrap();
    assert!(store.wait_for_change(position, Duration::ZERO));
}

#[test]
fn after_a_reopening_there_is_nothing_to_wait_for_but_what_is_new() {
    let device = CrashDevice::new();
    let store = open(&device);
    let mut publisher = tagged(&store);
    drop(store);
    let store = open(&device);
    assert!(store.wait_for_change(Position::START, Duration::ZERO));
    assert!(!store.wait_for_change(store.position(), Duration::ZERO));
    publisher.tag(&[("3.22", digest("2"))]);
    let receipt = publisher.publish(&store).unwrap();
    assert_eq!(receipt.position.get(), 2);
}
