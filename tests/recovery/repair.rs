//! What a repair saves of a store that is damaged, whatever is damaged of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, Version};
use tufstore::{Lost, Repair, RepairReport, Restore, RestoreReport, Since, StorageError, Store, Upload};
use tufstore_testkit::{NOW, Publisher, copy, digest};

use crate::long;
use crate::workload::{WORKLOAD, options};

/// A store that went through the workload and was closed.
fn store(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    let store = WORKLOAD.play_in(&data);
    store.close().unwrap();
    data
}

fn open(folder: &Path) -> Store {
    Store::open(folder, options()).unwrap()
}

fn repair(from: &Path, to: &Path) -> RepairReport {
    let repair = Repair { from: from.into(), to: to.into(), ..Repair::default() };
    Store::repair(&repair, &mut |_| {}).unwrap()
}

/// What a backup holds, above all that a damaged store tells.
fn restore(backup: &Path, old: &Path, to: &Path) -> RestoreReport {
    let since = Since::Lost(Lost { old: Some(old.into()), ..Lost::default() });
    let restore = Restore { backups: vec![backup.into()], to: to.into(), since, files: Vec::new() };
    Store::restore(&restore, options(), NOW, &mut |_| {}).unwrap()
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "segment"));
    paths.sort();
    paths
}

/// Where the groups of a segment begin.
fn groups(segment: &[u8]) -> Vec<usize> {
    (160..segment.len()).step_by(8).filter(|at| segment[*at..].starts_with(b"tufs-grp")).collect()
}

/// Every document whose bytes are there, of every repository that lives.
fn documents(store: &Store) -> BTreeMap<RepositoryName, Vec<Sha256>> {
    let of = |name: RepositoryName| {
        let entries = store.documents(&name).map(Result::unwrap);
        let there =
            entries.filter(|entry| store.history(&name, &entry.role, entry.sha256).unwrap().is_some());
        let digests = there.map(|entry| entry.sha256).collect();
        (name, digests)
    };
    store.repositories().into_iter().map(of).collect()
}

#[expect(clippy::disallowed_methods, reason = "files are damaged behind the store's back")]
fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "files are lost behind the store's back")]
fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn of_a_sound_store_everything_is_saved_and_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let before = tufstore_testkit::files(&data);
    let to = folder.path().join("repaired");
    let report = repair(&data, &to);
    assert!(report.findings.is_empty() && report.gaps.is_empty(), "{report:?}");
    assert_eq!(tufstore_testkit::files(&data), before);
    let (old, new) = (open(&data), open(&to));
    assert_eq!(documents(&new), documents(&old));
    assert_eq!(new.verify(&mut |_| {}).unwrap().findings, []);
    // Who has heard of everything hears of it again.
    let changes: Vec<_> = new.changes(old.position()).map(Result::unwrap).collect();
    assert_eq!(u64::try_from(changes.len()).unwrap(), report.saved);
    assert_eq!(new.changes(Position::START).count(), changes.len());
    for name in old.repositories() {
        let (was, is) = (old.view(&name).unwrap().unwrap(), new.view(&name).unwrap().unwrap());
        assert!(is.documents().eq(was.documents()), "{name}");
        assert_eq!(is.incarnation(), was.incarnation());
    }
    // The store signs with the keys that it had.
    for name in ["example.com/first", "example.com/second"] {
        new.publish(&name.parse().unwrap(), &Upload::new(), NOW).unwrap();
    }
    Publisher::for_store("example.com/more", &new).publish(&new).unwrap();
    new.close().unwrap();
    drop(new);
    assert_eq!(open(&to).verify(&mut |_| {}).unwrap().findings, []);
}

#[test]
fn a_byte_that_is_wrong_anywhere_costs_what_it_stands_in_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let whole = documents(&open(&data));
    let everything = whole.values().map(Vec::len).sum::<usize>();
    let mut named = 0;
    for path in segments(&data) {
        let sound = fs::read(&path).unwrap();
        let used = sound.iter().rposition(|byte| *byte != 0).unwrap();
        let step = if long() { 97 } else { 4_001 };
        for offset in (0..used).step_by(step) {
            let case = format!("{} at {offset}", path.display());
            let mut bytes = sound.clone();
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1 << (offset % 8);
            }
            write(&path, &bytes);
            let to = folder.path().join("repaired");
            let report = repair(&data, &to);
            let repaired = open(&to);
            assert_eq!(repaired.verify(&mut |_| {}).unwrap().findings, [], "{case}");
            let saved = documents(&repaired);
            for (name, digests) in &saved {
                let all = whole.get(name).unwrap_or_else(|| panic!("{case}: {name} lived no more"));
                assert!(digests.iter().all(|digest| all.contains(digest)), "{case}: {name}");
            }
            let count = saved.values().map(Vec::len).sum::<usize>();
            let damaged = !report.findings.is_empty() || !report.gaps.is_empty();
            assert!(damaged || count == everything, "{case}: {count} of {everything}");
            assert!(!damaged || offset < 160 || !report.findings.is_empty(), "{case}: {report:?}");
            // One record and what stands on it, of one repository: which, is said unless just that cannot be read.
            let lost: u64 = report.gaps.iter().map(|(first, last)| last.get() - first.get() + 1).sum();
            assert!(lost <= 1, "{case}: {report:?}");
            let hit: Vec<_> =
                report.findings.iter().filter_map(|finding| finding.repository.as_ref()).collect();
            named += usize::from(!hit.is_empty());
            let less: Vec<_> =
                whole.iter().filter(|(name, digests)| saved.get(*name) != Some(*digests)).collect();
            assert!(less.len() <= 1, "{case}: {report:?}");
            let is_known = less.iter().all(|(name, _)| hit.contains(name)) || (lost == 1 && hit.is_empty());
            assert!(is_known, "{case}: {report:?}");
            drop(repaired);
            fs::remove_dir_all(&to).unwrap();
        }
        write(&path, &sound);
    }
    assert!(named > 2, "{named}");
}

#[test]
fn files_go_along_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let to = folder.path().join("repaired");
    let along = |name: &str| Repair {
        from: data.clone(),
        to: to.clone(),
        files: vec![(name.to_owned(), b"sealed".to_vec())],
        ..Repair::default()
    };
    for name in ["../out", "/tmp/tufstore-out", "tls/../../out", "", ".."] {
        let refused = Store::repair(&along(name), &mut |_| {});
        assert!(matches!(refused, Err(StorageError::Io { .. })), "{name}: {refused:?}");
        assert!(!to.exists() && !folder.path().join("out").exists());
        assert!(!folder.path().join("repaired.unfinished").exists());
    }
    for name in ["master", "tls/key"] {
        Store::repair(&along(name), &mut |_| {}).unwrap();
        assert_eq!(fs::read(to.join(name)).unwrap(), b"sealed");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&to), mode(&to.join(name))), (0o700, 0o600));
        fs::remove_dir_all(&to).unwrap();
    }
}

#[test]
fn without_a_segment_or_its_header_the_others_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let all = segments(&data);
    assert!(all.len() > 2, "{all:?}");
    for (number, path) in all.iter().enumerate() {
        let sound = fs::read(path).unwrap();
        for how in ["missing", "zeros", "no header"] {
            match how {
                "missing" => remove(path),
                "zeros" => write(path, &vec![0; sound.len()]),
                _ => {
                    let mut bytes = sound.clone();
                    bytes.iter_mut().take(40).for_each(|byte| *byte = 0);
                    write(path, &bytes);
                }
            }
            let to = folder.path().join(format!("{number} {how}"));
            let report = repair(&data, &to);
            let repaired = open(&to);
            assert_eq!(repaired.verify(&mut |_| {}).unwrap().findings, [], "{number} {how}");
            if how == "no header" {
                assert_eq!((report.gaps.len(), report.findings.len()), (0, 1), "{number} {report:?}");
            }
            Publisher::for_store("example.com/more", &repaired).publish(&repaired).unwrap();
            write(path, &sound);
        }
    }
}

#[test]
fn nothing_is_written_where_something_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let before = tufstore_testkit::files(&data);
    for (from, to) in [(&data, &data), (&folder.path().join("none"), &folder.path().join("to"))] {
        let repair = Repair { from: from.clone(), to: to.clone(), ..Repair::default() };
        let refused = Store::repair(&repair, &mut |_| {});
        assert!(matches!(refused, Err(StorageError::Io { .. })), "{refused:?}");
    }
    assert_eq!(tufstore_testkit::files(&data), before);
    assert!(!folder.path().join("to").exists() && !folder.path().join("none").exists());
}

#[test]
fn a_store_that_is_in_use_is_not_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let (data, to) = (store(folder.path()), folder.path().join("repaired"));
    let held = open(&data);
    let before = tufstore_testkit::files(&data);
    let asked = Repair { from: data.clone(), to: to.clone(), ..Repair::default() };
    let refused = Store::repair(&asked, &mut |_| {});
    assert!(matches!(refused, Err(StorageError::InUse { .. })), "{refused:?}");
    assert!(!to.exists());
    assert_eq!(tufstore_testkit::files(&data), before);
    drop(held);
    repair(&data, &to);
}

#[test]
fn a_repair_that_was_cut_short_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let to = folder.path().join("repaired");
    copy(&data, &folder.path().join("repaired.unfinished"));
    write(&folder.path().join("repaired.unfinished/journal/junk.segment"), digest("x").as_bytes());
    repair(&data, &to);
    assert_eq!(documents(&open(&to)), documents(&open(&data)));
    assert!(!folder.path().join("repaired.unfinished").exists());
}

/// What damaged stores say of a repository that was deleted: `(unreadable, ended)`.
fn after_a_deletion(with_checkpoint: bool) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let data = path("data");
    let store = open(&data);
    let deleted: RepositoryName = "example.com/deleted".parse().unwrap();
    Publisher::for_store(deleted.as_str(), &store).publish(&store).unwrap();
    store.backup(path("full"), None, &[], &mut |_| {}).unwrap();
    store.delete(&deleted, NOW).unwrap();
    Publisher::for_store("example.com/other", &store).publish(&store).unwrap();
    store.close().unwrap();
    drop(store);
    if !with_checkpoint {
        remove(&data.join("journal/checkpoint"));
    }
    let segment = segments(&data).remove(0);
    let sound = fs::read(&segment).unwrap();
    let end = sound.iter().rposition(|byte| *byte != 0).unwrap();
    let (mut unreadable, mut ended) = (0, 0);
    for offset in (160..end).step_by(if long() { 3 } else { 41 }) {
        let mut bytes = sound.clone();
        bytes[offset] ^= 0x10;
        write(&segment, &bytes);
        let to = path("repaired");
        let report = repair(&data, &to);
        let new = open(&to);
        let case = format!("at {offset}: {report:?}");
        assert_eq!(new.verify(&mut |_| {}).unwrap().findings, [], "{case}");
        let lives = new.view(&deleted).unwrap().is_some();
        let nobody_tells = report.gaps == [(Position::new(2), Position::new(2))] && !with_checkpoint;
        assert!(!lives || nobody_tells, "{case}");
        let other: RepositoryName = "example.com/other".parse().unwrap();
        if with_checkpoint && new.view(&other).unwrap().is_none() {
            let named = report.findings.iter().any(|finding| finding.repository.as_ref() == Some(&other));
            assert!(named, "{case}");
        }
        unreadable += u64::from(lives);
        if !lives {
            // The next life is above the one that ended, though nothing of that may be left.
            let receipt = Publisher::for_store(deleted.as_str(), &new).publish(&new).unwrap();
            let nobody_tells = !with_checkpoint
                && report.gaps.iter().any(|(first, last)| first.get() <= 2 && last.get() >= 2);
            assert!(receipt.incarnation.get() == 2 || nobody_tells, "{case}");
            ended += 1;
        }
        drop(new);
        fs::remove_dir_all(&to).unwrap();
        if with_checkpoint {
            let report = restore(&path("full"), &data, &to);
            let new = open(&to);
            assert!(new.view(&deleted).unwrap().is_none(), "at {offset}: {report:?}");
            drop(new);
            fs::remove_dir_all(&to).unwrap();
        }
    }
    (unreadable, ended)
}

#[test]
fn what_was_deleted_comes_back_only_where_nothing_tells_that_it_was_and_lives_never_go_back() {
    let (unreadable, ended) = after_a_deletion(false);
    assert!(unreadable > 0 && ended > 10, "{unreadable} {ended}");
}

#[test]
fn what_the_checkpoint_saw_deleted_stays_so_in_repair_and_restore_whatever_is_damaged() {
    let (unreadable, ended) = after_a_deletion(true);
    assert!(unreadable == 0 && ended > 10, "{unreadable} {ended}");
}

#[test]
fn a_repaired_store_goes_on_above_what_somebody_else_has_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (data, to) = (store(folder.path()), folder.path().join("repaired"));
    let above = Position::new(open(&data).position().get() + 100);
    let repair = Repair { from: data, to: to.clone(), position_above: Some(above), ..Repair::default() };
    let report = Store::repair(&repair, &mut |_| {}).unwrap();
    assert_eq!(report.gaps.last().unwrap().1, above);
    let new = open(&to);
    assert!(new.changes(Position::START).map(Result::unwrap).all(|change| change.position > above));
    assert_eq!(new.verify(&mut |_| {}).unwrap().findings, []);
}

/// A store of a publication, a backup of it, and renewals after that in another segment; and the end of it.
fn renewed(folder: &Path) -> (PathBuf, RepositoryName, Position, Version) {
    let data = folder.join("data");
    let app: RepositoryName = "example.com/app".parse().unwrap();
    let store = open(&data);
    Publisher::for_store(app.as_str(), &store).publish(&store).unwrap();
    store.backup(folder.join("full"), None, &[], &mut |_| {}).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&data);
    for _ in 0..3 {
        store.publish(&app, &Upload::new(), NOW).unwrap();
    }
    let end = (store.position(), timestamp(&store, &app));
    store.close().unwrap();
    (data, app, end.0, end.1)
}

fn timestamp(store: &Store, repository: &RepositoryName) -> Version {
    store.view(repository).unwrap().unwrap().document(&RoleName::Timestamp).unwrap().version()
}

/// Repairs and restores, and sees that both go on above that Position and that version.
fn goes_on_above(folder: &Path, data: &Path, app: &RepositoryName, end: Position, version: Version) {
    let to = folder.join("repaired");
    repair(data, &to);
    let new = open(&to);
    assert!(new.changes(Position::START).map(Result::unwrap).all(|change| change.position > end));
    assert_eq!(new.verify(&mut |_| {}).unwrap().findings, []);
    let to = folder.join("restored");
    let report = restore(&folder.join("full"), data, &to);
    assert_eq!(report.goes_on_after, end, "{report:?}");
    assert!(timestamp(&open(&to), app) > version, "{report:?}");
}

#[test]
fn the_seal_and_the_groups_that_are_damaged_tell_how_far_the_store_had_come() {
    for damage in ["the last record", "the last record and the seal", "every record, and the seal"] {
        let folder = tempfile::tempdir().unwrap();
        let (data, app, end, version) = renewed(folder.path());
        remove(&data.join("journal/checkpoint"));
        if data.join("index").exists() {
            fs::remove_dir_all(data.join("index")).unwrap();
        }
        let last = segments(&data).pop().unwrap();
        let mut bytes = fs::read(&last).unwrap();
        let groups = groups(&bytes);
        let [records @ .., seal] = groups.as_slice() else { panic!("{groups:?}") };
        assert_eq!(records.len(), 3);
        for (number, group) in records.iter().enumerate() {
            if number == 2 || damage.starts_with("every") {
                // In the repository's name: the record's header.
                let name = bytes[*group..].windows(15).position(|bytes| bytes == b"example.com/app");
                bytes[group + name.unwrap()] ^= 1;
            }
        }
        if damage.contains("seal") {
            bytes[seal + 100] ^= 1;
        }
        write(&last, &bytes);
        goes_on_above(folder.path(), &data, &app, end, version);
    }
}

#[test]
#[cfg(feature = "redb")]
fn the_index_tells_how_far_a_store_had_come_that_lost_its_newest_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (data, app, end, version) = renewed(folder.path());
    remove(&data.join("journal/checkpoint"));
    remove(&segments(&data).pop().unwrap());
    let before = tufstore_testkit::files(&data);
    goes_on_above(folder.path(), &data, &app, end, version);
    assert_eq!(tufstore_testkit::files(&data), before);
    // One that cannot be read tells nothing, and holds nobody up.
    let to = folder.path().join("of a damaged index");
    write(&data.join("index/redb"), b"nothing");
    repair(&data, &to);
    assert!(open(&to).position() < end);
}

/// A store whose newest group was torn by a power cut; the segment with it, as it is again if another one undoes its cutting.
fn torn(folder: &Path, last: impl FnOnce(&Store), tear: impl FnOnce(&mut [u8], usize)) -> (PathBuf, Vec<u8>) {
    let data = folder.join("data");
    let store = open(&folder.join("before"));
    Publisher::for_store("example.com/a", &store).publish(&store).unwrap();
    store.backup(folder.join("full"), None, &[], &mut |_| {}).unwrap();
    Publisher::for_store("example.com/b", &store).publish(&store).unwrap();
    last(&store);
    copy(&folder.join("before"), &data);
    drop(store);
    if data.join("index").exists() {
        fs::remove_dir_all(data.join("index")).unwrap();
    }
    let first = segments(&data).remove(0);
    let mut torn = fs::read(&first).unwrap();
    let newest = *groups(&torn).last().unwrap();
    tear(&mut torn, newest);
    write(&first, &torn);
    (data, torn)
}

#[test]
fn a_deletion_that_was_torn_and_never_counted_ends_no_life_in_repair_and_restore() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let a: RepositoryName = "example.com/a".parse().unwrap();
    let (data, torn) = torn(
        folder.path(),
        |store| store.delete(&a, NOW).map(|_| ()).unwrap(),
        |bytes, group| {
            // The payload of the deletion is the last of its body.
            let body = u64::from_le_bytes(bytes[group + 16..group + 24].try_into().unwrap());
            bytes[group + 127 + usize::try_from(body).unwrap()] ^= 1;
        },
    );
    let store = open(&data);
    assert!(store.view(&a).unwrap().is_some());
    store.publish(&a, &Upload::new(), NOW).unwrap();
    store.close().unwrap();
    drop(store);
    write(&segments(&data)[0], &torn);
    let store = open(&data);
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
    drop(store);
    write(&segments(&data)[0], &torn);
    let report = repair(&data, &path("repaired"));
    assert!(report.findings.is_empty() && report.gaps.is_empty(), "{report:?}");
    assert!(open(&path("repaired")).view(&a).unwrap().is_some());
    let report = restore(&path("full"), &data, &path("restored"));
    assert!(open(&path("restored")).view(&a).unwrap().is_some(), "{report:?}");
}

#[test]
fn a_publication_of_a_torn_group_does_not_come_back_unless_what_took_over_is_damaged() {
    let c: RepositoryName = "example.com/c".parse().unwrap();
    let publish = |store: &Store| Publisher::for_store(c.as_str(), store).publish(store).map(|_| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Its header alone: the record in it is whole.
    let (data, before) = torn(folder.path(), publish, |bytes, group| bytes[group + 100] ^= 1);
    let store = open(&data);
    assert!(store.view(&c).unwrap().is_none());
    store.close().unwrap();
    drop(store);
    write(&segments(&data)[0], &before);
    let report = repair(&data, &folder.path().join("repaired"));
    assert!(report.findings.is_empty(), "{report:?}");
    assert!(open(&folder.path().join("repaired")).view(&c).unwrap().is_none());

    // It was whole, and is taken over; and then that is damaged.
    let folder = tempfile::tempdir().unwrap();
    let (data, before) = torn(folder.path(), publish, |_, _| {});
    let store = open(&data);
    assert!(store.view(&c).unwrap().is_some());
    store.close().unwrap();
    drop(store);
    let [first, taken_over] = segments(&data).try_into().unwrap();
    write(&first, &before);
    let mut bytes = fs::read(&taken_over).unwrap();
    let name = bytes.windows(13).position(|bytes| bytes == b"example.com/c").unwrap();
    bytes[name] ^= 1;
    write(&taken_over, &bytes);
    let report = repair(&data, &folder.path().join("repaired"));
    assert!(report.gaps.is_empty() && !report.findings.is_empty(), "{report:?}");
    assert!(open(&folder.path().join("repaired")).view(&c).unwrap().is_some());
}

#[test]
fn what_the_backup_knows_to_be_deleted_is_not_gone_with_the_old_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let deleted: RepositoryName = "example.com/a".parse().unwrap();
    let store = open(&path("data"));
    Publisher::for_store(deleted.as_str(), &store).publish(&store).unwrap();
    store.delete(&deleted, NOW).unwrap();
    store.backup(path("full"), None, &[], &mut |_| {}).unwrap();
    store.close().unwrap();
    drop(store);
    remove(&path("data/journal/checkpoint"));
    let segment = segments(&path("data")).remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    let group = groups(&bytes)[1];
    let name = bytes[group..].windows(13).position(|bytes| bytes == b"example.com/a").unwrap();
    bytes[group + name] ^= 1;
    write(&segment, &bytes);
    let report = restore(&path("full"), &path("data"), &path("restored"));
    assert!(report.gone.is_empty(), "{report:?}");
    assert!(open(&path("restored")).view(&deleted).unwrap().is_none());
}
