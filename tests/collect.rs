//! What a collection keeps, what it drops, and that nobody notices who reads or publishes meanwhile.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tufstore::storage::device::{Device, DeviceFile};
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{CollectReport, Options, Retention, Stage, StorageError, Store};
use tufstore_testkit::device::CrashDevice;
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest, observe};

const NAME: &str = "example.com/app";
const DAY: Duration = Duration::from_hours(24);

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("collect"))
}

fn name() -> RepositoryName {
    NAME.parse().unwrap()
}

fn day(number: u32) -> UnixTime {
    NOW.after(DAY * number)
}

/// Publishes one tag a day, the first on day 0; on day 5 with a new root.
fn daily(store: &Store, days: u32) -> Publisher {
    let mut publisher = Publisher::for_store(NAME, store);
    for number in 0..days {
        publisher.set_now(day(number));
        if number == 5 {
            publisher.author().rotate_root(day(number)).unwrap();
        }
        publisher.tag(&[("latest", digest(&number.to_string()))]);
        publisher.publish(store).unwrap();
    }
    publisher
}

fn collect(store: &Store, retention: Retention, now: UnixTime) -> CollectReport {
    store.collect(&retention.with_worth(0), now, &mut |_| true).unwrap()
}

/// The versions of a role whose bytes are there.
fn versions(store: &Store, role: &str) -> Vec<u64> {
    let role: RoleName = role.parse().unwrap();
    let entries = store.documents(&name()).map(Result::unwrap).filter(|entry| entry.role == role);
    let there = entries.filter(|entry| {
        let found = store.history(&name(), &role, entry.sha256).unwrap();
        found.is_some_and(|found| tufstore::crypto::sha256(found.document.bytes()) == entry.sha256)
    });
    there.map(|entry| entry.version.get()).collect()
}

fn short(versions: u64) -> Retention {
    Retention::default().with_versions(versions).with_age(Duration::ZERO)
}

#[test]
fn the_last_versions_stay_and_every_root() {
    let store = Store::in_memory(options()).unwrap();
    daily(&store, 40);
    let before = observe(&store);
    // All timestamps have expired.
    let report = collect(&store, short(3), day(100));
    assert!(report.documents > 50 && report.freed_bytes > 0, "{report:?}");
    assert_eq!(observe(&store), before);
    assert_eq!(versions(&store, "root"), [1, 2]);
    for role in ["targets", "snapshot", "timestamp"] {
        let there = versions(&store, role);
        assert!(there.ends_with(&[38, 39, 40]), "{role}: {there:?}");
        // Beside these, what they are stored as differences to.
        assert!(there.len() < 20, "{role}: {there:?}");
    }
    assert_eq!(store.documents(&name()).count(), 40 * 3 + 2);
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
    let again = collect(&store, short(3), day(100));
    assert_eq!((again.documents, again.freed_bytes), (report.documents, 0));
}

#[test]
fn what_was_replaced_lately_stays() {
    let store = Store::in_memory(options()).unwrap();
    daily(&store, 40);
    let retention = Retention::default().with_versions(1).with_age(DAY * 10);
    collect(&store, retention, day(39).after(DAY * 20));
    let all: Vec<_> = (1..=40).collect();
    assert_ne!(versions(&store, "targets"), all);
    let store = Store::in_memory(options()).unwrap();
    daily(&store, 40);
    // Version 30 was replaced on day 30.
    collect(&store, retention, day(39).after(Duration::from_secs(1)));
    assert!(versions(&store, "targets").ends_with(&(30..=40).collect::<Vec<_>>()));
}

#[test]
fn what_a_fresh_timestamp_leads_to_stays_whatever_is_asked() {
    let store = Store::in_memory(options()).unwrap();
    daily(&store, 40);
    // Timestamps live 14 days: that of day 26 is fresh until day 40.
    collect(&store, short(1), day(40));
    let reached: Vec<_> = (27..=40).collect();
    for role in ["targets", "snapshot", "timestamp"] {
        let there = versions(&store, role);
        assert!(there.ends_with(&reached), "{role}: {there:?}");
        assert!(there.len() < 30, "{role}: {there:?}");
    }
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
}

#[test]
fn a_store_goes_on_after_a_collection_as_if_there_had_been_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), options()).unwrap();
    let mut publisher = daily(&store, 30);
    collect(&store, short(1), day(100));
    for number in 30..60 {
        publisher.set_now(day(number));
        publisher.tag(&[("latest", digest(&number.to_string()))]);
        publisher.publish(&store).unwrap();
    }
    let everything = observe(&store);
    store.close().unwrap();
    drop(store);
    let store = Store::open(folder.path(), options()).unwrap();
    assert_eq!(observe(&store), everything);
    collect(&store, short(1), day(200));
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
    drop(store);
    // Built without a database, a store has its index in memory.
    let index = cfg!(any(feature = "redb", feature = "sled")).then_some("index");
    for lost in index.into_iter().chain(["journal/checkpoint"]) {
        lose(&folder.path().join(lost));
        let store = Store::open(folder.path(), options()).unwrap();
        assert_eq!(observe(&store), everything, "{lost}");
        assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
    }
}

#[expect(clippy::disallowed_methods, reason = "files are lost behind the store's back")]
fn lose(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

fn journal(folder: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| fs::read(path).unwrap()).collect()
}

/// Whether these bytes stand in any file of the journal.
fn on_disk(folder: &Path, needle: &[u8]) -> bool {
    let mut contents = journal(folder).into_iter();
    contents.any(|content| content.windows(needle.len()).any(|window| window == needle))
}

/// Up to where the longest file is no zeros, and that file.
fn used(folder: &Path) -> (usize, Vec<u8>) {
    let used = |content: &Vec<u8>| content.iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let files = journal(folder).into_iter().map(|content| (used(&content), content));
    files.max_by_key(|(used, _)| *used).unwrap()
}

#[test]
fn nothing_of_a_deleted_repository_is_left_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), options()).unwrap();
    let other = "example.com/other";
    Publisher::for_store(other, &store).publish(&store).unwrap();
    let (before, _) = used(folder.path());
    let mut publisher = Publisher::for_store(NAME, &store);
    publisher.tag(&[("secret", digest("x"))]);
    publisher.publish(&store).unwrap();
    let (after, content) = used(folder.path());
    // The record's header comes first, and is short.
    let payload = &content[before + (after - before) / 2..][..100];
    let view = store.view(&name()).unwrap().unwrap();
    let bytes = view.document(&RoleName::Targets).unwrap().bytes().clone();
    store.delete(&name(), NOW).unwrap();
    assert!(on_disk(folder.path(), payload), "until it is collected");
    collect(&store, Retention::of_everything(), NOW);
    assert!(!on_disk(folder.path(), payload));
    // Who pinned it reads on.
    assert_eq!(view.document(&RoleName::Targets).unwrap().bytes(), &bytes);
    assert!(store.view(&name()).unwrap().is_none());
    assert!(store.view(&other.parse().unwrap()).unwrap().is_some());
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
    // The next life begins as it would have.
    let receipt = Publisher::for_store(NAME, &store).publish(&store).unwrap();
    assert_eq!(receipt.incarnation.get(), 2);
}

#[test]
fn it_stops_where_it_is_told_to_and_loses_nothing() {
    let store = Store::in_memory(options()).unwrap();
    daily(&store, 20);
    let before = observe(&store);
    for stage in [Stage::Choosing, Stage::Compacting] {
        let mut go_on = |progress: tufstore::Progress| progress.stage != stage;
        let stopped = store.collect(&short(1).with_worth(0), day(100), &mut go_on).unwrap();
        assert_eq!(stopped.freed_bytes, 0);
        assert_eq!(versions(&store, "targets"), (1..=20).collect::<Vec<_>>());
        assert_eq!(observe(&store), before);
    }
}

#[test]
fn readers_and_publishers_notice_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), options().with_memory(1 << 20)).unwrap();
    let mut publisher = daily(&store, 60);
    let pinned = store.view(&name()).unwrap().unwrap();
    let held: Vec<_> = pinned.documents().cloned().collect();
    let first = store.documents(&name()).map(Result::unwrap).collect::<Vec<_>>();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = || {
            let mut rounds = 0_u32;
            while !done.load(Ordering::Acquire) || rounds == 0 {
                for entry in &first {
                    if let Some(found) = store.history(&name(), &entry.role, entry.sha256).unwrap() {
                        assert_eq!(*found.document.sha256(), entry.sha256);
                    }
                }
                assert!(store.documents(&name()).map(Result::unwrap).count() >= first.len());
                assert!(pinned.documents().eq(&held));
                let view = store.view(&name()).unwrap().unwrap();
                for document in view.documents() {
                    let found = store.history(&name(), document.role(), *document.sha256()).unwrap();
                    assert_eq!(found.unwrap().document.bytes(), document.bytes());
                }
                rounds += 1;
            }
        };
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(reader)).collect();
        let publishing = scope.spawn(|| {
            let mut number = 60_u32;
            // Each makes the rounds of everybody longer.
            while !done.load(Ordering::Acquire) && number < 600 {
                // Certificates last some thousand days.
                publisher.set_now(day(60).after(Duration::from_secs(number.into())));
                publisher.tag(&[("latest", digest(&number.to_string()))]);
                publisher.publish(&store).unwrap();
                number += 1;
            }
            number
        });
        for round in 0..12 {
            collect(&store, short(1), day(10_000 + round));
        }
        done.store(true, Ordering::Release);
        let count = publishing.join().unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(store.view(&name()).unwrap().unwrap().revision().get(), u64::from(count));
    });
    let gone =
        first.iter().filter(|entry| store.history(&name(), &entry.role, entry.sha256).unwrap().is_none());
    assert!(gone.count() > 60);
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
}

/// Damages the one segment in which that name stands, so many bytes after where it stands first.
#[expect(clippy::disallowed_methods, reason = "a file is damaged behind the store's back")]
fn flip(data: &Path, name: &str, after: usize) {
    let segments = fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut hit = 0;
    for segment in segments.filter(|path| path.extension().is_some_and(|end| end == "segment")) {
        let mut bytes = fs::read(&segment).unwrap();
        if let Some(at) = bytes.windows(name.len()).position(|window| window == name.as_bytes()) {
            *bytes.get_mut(at + after).unwrap() ^= 1;
            fs::write(&segment, bytes).unwrap();
            hit += 1;
        }
    }
    assert_eq!(hit, 1);
}

#[test]
fn a_damaged_repository_stops_no_collection_of_another_and_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let damaged: RepositoryName = "example.com/damaged".parse().unwrap();
    let store = Store::open(&data, options()).unwrap();
    Publisher::for_store(damaged.as_str(), &store).publish(&store).unwrap();
    // What comes next stands in another file.
    store.close().unwrap();
    drop(store);
    let store = Store::open(&data, options()).unwrap();
    daily(&store, 20);
    store.close().unwrap();
    drop(store);
    // Some way behind its name in the record's header stands the record's payload.
    flip(&data, damaged.as_str(), 900);
    let store = Store::open(&data, options()).unwrap();
    assert!(matches!(store.view(&damaged), Err(StorageError::Corrupt { .. })));
    let collected = store.collect(&short(3).with_worth(0), day(100), &mut |_| true);
    assert!(matches!(collected, Err(StorageError::Corrupt { .. })), "{collected:?}");
    let left = versions(&store, "timestamp");
    assert!(left.ends_with(&[18, 19, 20]) && left.len() < 8, "{left:?}");
    store.delete(&damaged, NOW).unwrap().unwrap();
    assert!(store.view(&damaged).unwrap().is_none());
}

/// An index that is made anew at each open would read the damaged header.
#[cfg(feature = "redb")]
#[test]
fn a_damaged_header_in_the_newest_segment_stops_no_collection_of_those_before() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = Store::open(&data, options()).unwrap();
    daily(&store, 20);
    store.close().unwrap();
    drop(store);
    let store = Store::open(&data, options()).unwrap();
    for name in ["example.com/damaged", "example.com/last"] {
        Publisher::for_store(name, &store).publish(&store).unwrap();
    }
    store.close().unwrap();
    drop(store);
    flip(&data, "example.com/damaged", 0);
    // Its checkpoint knows where everything stands, so it opens.
    let store = Store::open(&data, options()).unwrap();
    let before: usize = journal(&data).iter().map(Vec::len).sum();
    let collected = store.collect(&short(3).with_worth(0), day(100), &mut |_| true);
    assert!(matches!(collected, Err(StorageError::Corrupt { .. })), "{collected:?}");
    let after: usize = journal(&data).iter().map(Vec::len).sum();
    assert!(after < before, "{after} of {before}");
    let left = versions(&store, "timestamp");
    assert!(left.ends_with(&[18, 19, 20]) && left.len() < 8, "{left:?}");
}

/// A range of a file.
type Place = (String, Range<u64>);

/// A disk of which some places cannot be read.
#[derive(Clone, Default)]
struct Worn {
    disk: CrashDevice,
    unreadable: Arc<Mutex<Vec<Place>>>,
}

struct WornFile {
    name: String,
    file: Box<dyn DeviceFile>,
    disk: Worn,
}

impl Worn {
    /// Wears out the place where that stands, so many bytes after.
    fn wear(&self, needle: &str, after: u64) {
        for name in self.disk.list().unwrap().into_iter().filter(|name| name.ends_with(".segment")) {
            let file = self.disk.open(&name).unwrap();
            let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
            file.read(0, &mut bytes).unwrap();
            if let Some(at) = bytes.windows(needle.len()).position(|window| window == needle.as_bytes()) {
                let at = u64::try_from(at).unwrap() + after;
                self.unreadable.lock().unwrap().push((name, at..at + 8));
                return;
            }
        }
        unreachable!("{needle} is nowhere");
    }
}

impl Device for Worn {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        self.disk.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let file = self.disk.open(name)?;
        Ok(Box::new(WornFile { name: name.to_owned(), file, disk: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.unreadable.lock().unwrap().retain(|(name, _)| name != to);
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }
}

impl DeviceFile for WornFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset + u64::try_from(buffer.len()).unwrap();
        let unreadable = self.disk.unreadable.lock().unwrap();
        let hit = |(name, range): &Place| *name == self.name && range.start < end && offset < range.end;
        if unreadable.iter().any(hit) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.read(offset, buffer)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write(offset, bytes)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn what_the_disk_cannot_read_stops_no_collection_of_the_rest_no_scrub_and_no_deletion() {
    let damaged: RepositoryName = "example.com/damaged".parse().unwrap();
    let device = Worn::default();
    let open = || Store::open_on(Arc::new(device.clone()), options()).unwrap();
    for name in ["example.com/damaged", NAME, "example.com/last"] {
        // Each in a segment of its own.
        let store = open();
        if name == NAME {
            daily(&store, 20);
        } else {
            Publisher::for_store(name, &store).publish(&store).unwrap();
        }
        store.close().unwrap();
    }
    let store = open();
    // In a payload, some way behind the name in the header; and in a header of the newest segment.
    device.wear(damaged.as_str(), 900);
    device.wear("example.com/last", 0);
    let unread = |error: &StorageError| matches!(error, StorageError::Io { .. });
    assert!(store.view(&damaged).is_err_and(|error| unread(&error)));
    let found = store.scrub(&mut |_| true).unwrap().unwrap().findings;
    assert!(found.len() >= 2, "{found:?}");
    let collected = store.collect(&short(3).with_worth(0), day(100), &mut |_| true);
    assert!(collected.as_ref().is_err_and(unread), "{collected:?}");
    let left = versions(&store, "timestamp");
    assert!(left.ends_with(&[18, 19, 20]) && left.len() < 8, "{left:?}");
    store.delete(&damaged, NOW).unwrap().unwrap();
    assert!(store.view(&damaged).unwrap().is_none());
    // What is left of it cannot be read to be written anew.
    let collected = store.collect(&short(3).with_worth(0), day(100), &mut |_| true);
    assert!(collected.as_ref().is_err_and(unread), "{collected:?}");
    // A scrub tells of it still, and of nothing else.
    let found = store.scrub(&mut |_| true).unwrap().unwrap().findings;
    assert!(found.iter().all(|finding| finding.place.contains("segment")), "{found:?}");
}
