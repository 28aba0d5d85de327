//! A journal that is kept twice: whatever is damaged or missing in the one comes back from the other. And an anchor, which
//! finds out that an old copy was put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tufstore::{Options, Retention, StorageError, Store};
use tufstore_testkit::{NOW, Publisher, copy, digest};

use crate::long;
use crate::workload::{Everything, WORKLOAD, everything, options};

struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    /// A store that went through the workload with a second journal, and was closed.
    fn new() -> Self {
        let kept = Self { folder: tempfile::tempdir().unwrap() };
        let mut store = kept.open().unwrap();
        for step in &WORKLOAD.steps {
            step.apply(&store).unwrap();
            if matches!(step, crate::workload::Step::Reopen) {
                drop(store);
                store = kept.open().unwrap();
            }
        }
        store.close().unwrap();
        drop(store);
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn journals(&self) -> [PathBuf; 2] {
        [self.path("data/journal"), self.path("second")]
    }

    fn open(&self) -> Result<Store, StorageError> {
        Store::open(self.path("data"), options().with_second_journal(self.path("second")))
    }

    /// Opens it, finds everything, and both copies the same afterwards.
    #[track_caller]
    fn is_whole(&self, case: &str) {
        let store = self.open().unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(everything(&store) == *WORKLOAD.last(), "{case}");
        assert_eq!(store.verify(&mut |_| {}).unwrap().findings, [], "{case}");
        drop(store);
        let [first, second] = self.journals().map(|folder| segments(&folder));
        assert!(first == second, "{case}: the copies differ");
    }
}

/// Names and bytes of the segments.
fn segments(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "segment"));
    paths.sort();
    let named =
        paths.into_iter().map(|path| (PathBuf::from(path.file_name().unwrap()), fs::read(&path).unwrap()));
    named.collect()
}

#[expect(clippy::disallowed_methods, reason = "files are damaged behind the store's back")]
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "files are lost behind the store's back")]
fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

fn flipped(bytes: &[u8], offset: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset] ^= 1 << (offset % 8);
    bytes
}

#[test]
fn both_copies_are_the_same() {
    let kept = Kept::new();
    let [first, second] = kept.journals().map(|folder| segments(&folder));
    assert!(first.len() > 2 && first == second);
    kept.is_whole("closed");
}

#[test]
fn a_byte_that_is_wrong_in_the_one_comes_back_from_the_other() {
    let kept = Kept::new();
    for folder in kept.journals() {
        for (name, bytes) in segments(&folder) {
            let step = if long() { 61 } else { 1_777 };
            for offset in (0..bytes.len()).step_by(step) {
                write(&folder.join(&name), &flipped(&bytes, offset));
                kept.is_whole(&format!("{} of {} at {offset}", name.display(), folder.display()));
            }
        }
    }
}

#[test]
fn what_is_wrong_in_both_comes_back_where_it_is_not_the_same_record() {
    let kept = Kept::new();
    let [first, second] = kept.journals();
    let all = segments(&first);
    let (name, bytes) = all.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let used = bytes.len() - 200;
    for (one, other) in [(400, used), (used, 400), (170, used), (used, 260)] {
        write(&first.join(name), &flipped(bytes, one));
        write(&second.join(name), &flipped(bytes, other));
        kept.is_whole(&format!("{one} and {other}"));
    }
    // The same byte in both is lost, and refused as ever.
    for folder in [&first, &second] {
        write(&folder.join(name), &flipped(bytes, used / 2));
    }
    let refused = kept.open().map(|store| store.verify(&mut |_| {}).unwrap().findings.len());
    assert!(matches!(refused, Err(StorageError::Corrupt { .. }) | Ok(1..)), "{refused:?}");
}

#[test]
fn a_file_that_is_missing_cut_short_or_zeros_comes_back_and_so_does_a_whole_folder() {
    let kept = Kept::new();
    for folder in kept.journals() {
        for (name, bytes) in segments(&folder) {
            let case = format!("{} of {}", name.display(), folder.display());
            remove(&folder.join(&name));
            kept.is_whole(&format!("{case} is missing"));
            for length in [0, 100, bytes.len() / 2, bytes.len() - 1] {
                write(&folder.join(&name), &bytes[..length]);
                kept.is_whole(&format!("{case} has {length} bytes"));
            }
            write(&folder.join(&name), &vec![0; bytes.len()]);
            kept.is_whole(&format!("{case} is zeros"));
        }
        if folder.join("checkpoint").exists() {
            write(&folder.join("checkpoint"), b"nothing");
            kept.is_whole("a checkpoint is damaged");
            remove(&folder.join("checkpoint"));
            kept.is_whole("a checkpoint is missing");
        }
        remove(&folder);
        kept.is_whole(&format!("{} is gone", folder.display()));
    }
}

#[test]
fn what_is_read_while_the_store_is_open_is_healed_as_well() {
    let kept = Kept::new();
    let store = kept.open().unwrap();
    let [first, _] = kept.journals();
    let before = segments(&first);
    for (name, bytes) in &before {
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let mut damaged = bytes.clone();
        damaged[160..end].iter_mut().step_by(50).for_each(|byte| *byte ^= 1);
        write(&first.join(name), &damaged);
    }
    let observed: Everything = everything(&store);
    assert!(observed == *WORKLOAD.last());
    assert_eq!(store.scrub(&mut |_| true).unwrap().unwrap().findings.len(), 0);
    drop(store);
    kept.is_whole("healed");
}

#[test]
fn a_store_that_is_open_goes_on_while_files_of_either_copy_are_damaged_and_scrubbing_heals_them() {
    type Damaging = fn(&Path, &[u8]);
    let damages: [(&str, Damaging); 5] = [
        ("missing", |path, _| remove(path)),
        ("short", |path, bytes| write(path, &bytes[..bytes.len() / 2])),
        ("shorter than a header", |path, bytes| write(path, &bytes[..50])),
        ("without its header", |path, bytes| write(path, &[&[0; 160], &bytes[160..]].concat())),
        ("zeros", |path, bytes| write(path, &vec![0; bytes.len()])),
    ];
    let kept = Kept::new();
    for folder in kept.journals() {
        for (damage, apply) in damages {
            let case = format!("{} is {damage}", folder.display());
            let store = kept.open().unwrap();
            for (name, bytes) in segments(&folder) {
                apply(&folder.join(name), &bytes);
            }
            assert!(everything(&store) == *WORKLOAD.last(), "{case}");
            let found = store.scrub(&mut |_| true).unwrap().unwrap().findings;
            assert_eq!(found, [], "{case}");
            let [first, second] = kept.journals().map(|folder| segments(&folder));
            assert!(first == second && first.len() > 2, "{case}");
            store.close().unwrap();
            drop(store);
            kept.is_whole(&case);
        }
    }
}

#[test]
fn what_is_published_after_a_scrub_is_in_both_though_the_newest_segment_was_missing_in_one() {
    for lost in [0, 1] {
        let kept = Kept { folder: tempfile::tempdir().unwrap() };
        let store = kept.open().unwrap();
        Publisher::for_store("example.com/a", &store).publish(&store).unwrap();
        let lost = &kept.journals()[lost];
        remove(&lost.join(segments(lost).pop().unwrap().0));
        assert_eq!(store.scrub(&mut |_| true).unwrap().unwrap().findings, []);
        Publisher::for_store("example.com/b", &store).publish(&store).unwrap();
        // The other disk is lost now.
        copy(lost, &kept.path("left"));
        let left = Store::open(kept.path("new"), options().with_second_journal(kept.path("left"))).unwrap();
        assert_eq!(left.repositories().len(), 2);
        store.close().unwrap();
        drop(store);
        let [first, second] = kept.journals().map(|folder| segments(&folder));
        assert!(first == second);
        let checked = kept.open().unwrap();
        assert_eq!(checked.verify(&mut |_| {}).unwrap().findings, []);
    }
}

#[test]
fn a_header_that_is_damaged_in_the_one_comes_back_and_so_does_a_record_in_the_other() {
    let kept = Kept::new();
    let [first, second] = kept.journals();
    for (header, record) in [(&first, &second), (&second, &first)] {
        for (name, bytes) in segments(&first) {
            for damaged in [0, 20, 120, 140] {
                write(&header.join(&name), &flipped(&bytes, damaged));
                let lost = bytes.len() / 2 + damaged;
                write(&record.join(&name), &flipped(&bytes, lost));
                kept.is_whole(&format!("{} of {}", name.display(), header.display()));
            }
        }
    }
}

#[test]
fn what_stands_between_groups_is_the_same_again_too() {
    let kept = Kept::new();
    let [first, second] = kept.journals();
    let mut tried = 0;
    for (name, bytes) in segments(&first) {
        // Zeros right before what every group begins with.
        let begins = (168..bytes.len() - 8)
            .filter(|at| (at - 160) % 8 == 0 && bytes[*at..].starts_with(&bytes[160..168]));
        for at in begins.filter(|at| bytes[at - 1] == 0) {
            for folder in [&first, &second] {
                write(&folder.join(&name), &flipped(&bytes, at - 1));
                kept.is_whole(&format!("{} of {} at {at}", name.display(), folder.display()));
            }
            tried += 1;
        }
    }
    assert!(tried > 3, "{tried}");
}

#[test]
fn what_both_copies_lack_is_reported_by_a_scrub_and_the_rest_is_healed_all_the_same() {
    let kept = Kept::new();
    let store = kept.open().unwrap();
    let [first, second] = kept.journals();
    let all = segments(&first);
    let ((lost, before), (healed, bytes)) = (&all[0], &all[1]);
    for (folder, byte) in [(&first, 1), (&second, 2)] {
        // Headers of other segments, both.
        let mut header = before.clone();
        header[96] ^= byte;
        let digest = *blake3::hash(&header[..128]).as_bytes();
        header[128..160].copy_from_slice(&digest);
        write(&folder.join(lost), &header);
    }
    write(&second.join(healed), &flipped(bytes, bytes.len() / 2));
    let found = store.scrub(&mut |_| true).unwrap().unwrap().findings;
    assert!(found.iter().any(|damage| damage.place.contains(lost.to_str().unwrap())), "{found:?}");
    assert_eq!(fs::read(second.join(healed)).unwrap(), *bytes);
}

#[test]
fn a_copy_that_was_left_behind_catches_up() {
    let kept = Kept::new();
    let store = Store::open(kept.path("data"), options()).unwrap();
    let mut publisher = Publisher::for_store("example.com/alone", &store);
    publisher.tag(&[("v1", digest("alone"))]);
    publisher.publish(&store).unwrap();
    store.close().unwrap();
    drop(store);
    let [first, second] = kept.journals();
    assert_ne!(segments(&first), segments(&second));
    let store = kept.open().unwrap();
    assert!(store.view(&"example.com/alone".parse().unwrap()).unwrap().is_some());
    store.close().unwrap();
    drop(store);
    assert_eq!(segments(&first), segments(&second));
}

#[test]
fn the_journal_of_another_store_is_refused_and_neither_is_written_to() {
    let kept = Kept::new();
    let [first, second] = kept.journals();
    let other = tempfile::tempdir().unwrap();
    let path = |name: &str| other.path().join(name);
    let mut publisher = None;
    // Each time in a segment of its own, until there is one whose number is not taken here.
    for round in 0..=segments(&first).len() {
        let alone = options().with_second_journal(path("second"));
        let store = Store::open(path("data"), alone).unwrap();
        let publisher = publisher.get_or_insert_with(|| Publisher::for_store("example.com/other", &store));
        publisher.tag(&[("v1", digest(&round.to_string()))]);
        publisher.publish(&store).unwrap();
        store.close().unwrap();
    }
    let theirs = segments(&path("second"));
    let ours = segments(&first);
    // Of the same number, as one that was written anew may be of this store for all that its header says.
    let (rewritten, mut bytes) = theirs[0].clone();
    bytes[112..120].copy_from_slice(&0_u64.to_le_bytes());
    let digest = *blake3::hash(&bytes[..128]).as_bytes();
    bytes[128..160].copy_from_slice(&digest);
    let last = theirs.last().unwrap();
    assert!(ours.iter().all(|(name, _)| *name != last.0));
    for (name, bytes) in [(&rewritten, &bytes), (&theirs[0].0, &theirs[0].1), (&last.0, &last.1)] {
        remove(&second);
        fs::create_dir_all(&second).unwrap();
        write(&second.join(name), bytes);
        let before = segments(&second);
        let refused = kept.open().err();
        assert!(matches!(refused, Some(StorageError::Corrupt { .. })), "{refused:?}");
        assert!(segments(&first) == ours, "{}", name.display());
        assert!(segments(&second) == before, "{}", name.display());
    }
    remove(&second);
    kept.is_whole("the other one is gone");
}

#[test]
fn journals_that_went_different_ways_are_refused_and_neither_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let both =
        |data: &str, second: &str| Store::open(path(data), options().with_second_journal(path(second)));
    let publish = |store: &Store, names: &[&str]| {
        for name in names {
            Publisher::for_store(name, store).publish(store).unwrap();
        }
    };
    let store = both("data", "second").unwrap();
    publish(&store, &["example.com/base"]);
    store.close().unwrap();
    drop(store);
    copy(&path("data"), &path("before"));
    // The first alone.
    let store = Store::open(path("data"), options()).unwrap();
    publish(&store, &["example.com/first"]);
    store.close().unwrap();
    drop(store);
    // The second in another store, killed once, so that its newest segment has a number that the first does not know.
    let store = both("other", "second").unwrap();
    publish(&store, &["example.com/second"]);
    copy(&path("other"), &path("killed"));
    copy(&path("second"), &path("killed-second"));
    drop(store);
    let store = both("killed", "killed-second").unwrap();
    publish(&store, &["example.com/third", "example.com/fourth"]);
    store.close().unwrap();
    drop(store);
    let folders = || ["data/journal", "killed-second"].map(|name| segments(&path(name)));
    let before = folders();
    for _ in 0..2 {
        let refused = both("data", "killed-second").err();
        assert!(matches!(refused, Some(StorageError::Corrupt { .. })), "{refused:?}");
        assert!(folders() == before);
    }
    // The one that was left behind catches up.
    let store = both("before", "killed-second").unwrap();
    assert_eq!(store.repositories().len(), 4);
}

#[test]
fn of_two_states_of_a_segment_that_are_both_damaged_neither_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let journals = [path("data/journal"), path("second")];
    let both = || Store::open(path("data"), options().with_second_journal(path("second")));
    let store = both().unwrap();
    let mut publisher = Publisher::for_store("example.com/big", &store);
    for number in 0..20_u32 {
        publisher.tag(&[("latest", digest(&number.to_string()))]);
        publisher.publish(&store).unwrap();
    }
    for name in ["example.com/x", "example.com/y"] {
        Publisher::for_store(name, &store).publish(&store).unwrap();
    }
    store.close().unwrap();
    drop(store);
    // The first is written anew, while the second is not there.
    let store = Store::open(path("data"), options()).unwrap();
    let retention = Retention::default().with_versions(1).with_age(Duration::ZERO).with_worth(0);
    let later = NOW.after(Duration::from_hours(24 * 1_000));
    assert!(store.collect(&retention, later, &mut |_| true).unwrap().freed_bytes > 0);
    store.close().unwrap();
    drop(store);
    let sound = journals.clone().map(|folder| segments(&folder).remove(0).1);
    let damaged = |number: usize, name: &str| {
        let at = sound[number].windows(13).position(|bytes| bytes == name.as_bytes()).unwrap();
        flipped(&sound[number], at + 900)
    };
    let put = |number: usize, bytes: &[u8]| {
        write(&journals[number].join(format!("{:020}.segment", 1)), bytes);
    };
    put(0, &damaged(0, "example.com/x"));
    put(1, &damaged(1, "example.com/y"));
    let before = journals.clone().map(|folder| segments(&folder));
    let refused = both().err();
    assert!(matches!(refused, Some(StorageError::Corrupt { .. })), "{refused:?}");
    assert!(journals.clone().map(|folder| segments(&folder)) == before);
    // Either alone heals the other.
    for whole in [0, 1] {
        put(whole, &sound[whole]);
        put(1 - whole, &damaged(1 - whole, "example.com/x"));
        let store = both().unwrap();
        assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
        assert_eq!(store.repositories().len(), 3);
        drop(store);
        let [first, second] = journals.clone().map(|folder| segments(&folder));
        assert!(first == second);
    }
}

#[test]
fn two_stores_do_not_share_a_second_journal() {
    let kept = Kept::new();
    let store = kept.open().unwrap();
    let other = Options::default().with_second_journal(kept.path("second"));
    let refused = Store::open(kept.path("another"), other).err();
    assert!(refused.is_some(), "{refused:?}");
    drop(store);
}

fn anchored(data: &Path, anchor: &Path) -> Result<Store, StorageError> {
    Store::open(data, options().with_anchor(anchor))
}

#[test]
fn an_old_copy_of_the_whole_folder_is_found_out_by_the_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, anchor) = (path("data"), path("elsewhere/anchor"));
    let store = anchored(&data, &anchor).unwrap();
    let mut publisher = Publisher::for_store("example.com/app", &store);
    publisher.publish(&store).unwrap();
    store.close().unwrap();
    drop(store);
    copy(&data, &path("old"));
    let store = anchored(&data, &anchor).unwrap();
    publisher.tag(&[("v1", digest("new"))]);
    publisher.publish(&store).unwrap();
    store.close().unwrap();
    drop(store);
    anchored(&data, &anchor).unwrap();
    let refused = anchored(&path("old"), &anchor).err();
    assert!(matches!(refused, Some(StorageError::LostRecords { witness: "the anchor", .. })), "{refused:?}");
    // The old copy itself says nothing.
    Store::open(path("old"), options()).unwrap();

    // It went on from there, and is as long: another history.
    let store = Store::open(path("old"), options()).unwrap();
    store.publish(&"example.com/app".parse().unwrap(), &tufstore::Upload::new(), NOW).unwrap();
    store.close().unwrap();
    drop(store);
    let refused = anchored(&path("old"), &anchor).err();
    assert!(matches!(refused, Some(StorageError::Corrupt { .. })), "{refused:?}");
    // One that is damaged can say nothing, and says so.
    write(&anchor, b"x");
    assert!(matches!(anchored(&data, &anchor).err(), Some(StorageError::Corrupt { .. })));
    remove(&anchor);
    anchored(&data, &anchor).unwrap();
    assert!(anchor.exists());
}

#[test]
fn the_anchor_follows_a_store_that_is_not_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, anchor) = (path("data"), path("anchor"));
    let store = anchored(&data, &anchor).unwrap();
    let mut publisher = Publisher::for_store("example.com/app", &store);
    publisher.publish(&store).unwrap();
    copy(&data, &path("old"));
    publisher.tag(&[("v1", digest("new"))]);
    publisher.publish(&store).unwrap();
    // Within a second or so.
    let seen = || fs::read(&anchor).ok().and_then(|bytes| bytes.get(16).copied());
    for _ in 0..1_000 {
        if seen() == Some(2) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(seen(), Some(2));
    let refused = anchored(&path("old"), &anchor).err();
    assert!(matches!(refused, Some(StorageError::LostRecords { .. })), "{refused:?}");
}
