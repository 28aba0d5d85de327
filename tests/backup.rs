//! What a backup holds, and what a store is that was restored from one.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tufstore::terms::{Position, RepositoryName, RoleName, UnixTime, Version};
use tufstore::{
    BackupError, BackupReport, ChangeKind, CompleteSet, InvalidBackup, Lost, MirrorError, Options, Restore,
    RestoreError, RestoreReport, Since, StorageError, Store, Upload,
};
use tufstore_testkit::{Forge, NOW, Publisher, SeededOnlineKeys, copy, digest, observe};

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("backup"))
}

fn open(folder: &Path) -> Store {
    Store::open(folder, options()).unwrap()
}

fn name(text: &str) -> RepositoryName {
    format!("example.com/{text}").parse().unwrap()
}

fn publish(store: &Store, publisher: &mut Publisher, tag: &str) {
    publisher.tag(&[(tag, digest(&format!("{tag} {}", publisher.repository())))]);
    publisher.publish(store).unwrap();
}

/// Two repositories of some publications, one mirrored, one deleted.
fn filled(folder: &Path) -> (Store, Publisher) {
    let store = open(folder);
    let mut first = Publisher::for_store("example.com/first", &store);
    for tag in ["v1", "v2", "v3"] {
        publish(&store, &mut first, tag);
    }
    let mut gone = Publisher::for_store("example.com/gone", &store);
    publish(&store, &mut gone, "v1");
    store.delete(&name("gone"), NOW).unwrap();
    let mirrored = Forge::new("example.com/mirrored");
    store.mirror(&name("mirrored"), &mirrored.complete(1, &[("v1", digest("m"))]), NOW).unwrap();
    (store, first)
}

fn backup(store: &Store, to: &Path, since: Option<&Path>) -> BackupReport {
    store.backup(to, since, &[], &mut |_| {}).unwrap()
}

fn restore(backups: &[&Path], to: &Path, since: Since) -> Result<RestoreReport, RestoreError> {
    let backups = backups.iter().map(|path| path.to_path_buf()).collect();
    let restore = Restore { backups, to: to.to_owned(), since, files: Vec::new() };
    Store::restore(&restore, options(), NOW, &mut |_| {})
}

fn sound(store: &Store) {
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
}

#[test]
fn a_restored_store_is_the_one_that_was_backed_up_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, mut first) = filled(&path("data"));
    let report = backup(&store, &path("full"), None);
    assert_eq!((report.after, report.to, report.records), (Position::START, store.position(), 6));
    assert_eq!(report.bytes, fs::metadata(path("full")).unwrap().len());

    let restored = restore(&[&path("full")], &path("restored"), Since::Nothing).unwrap();
    assert_eq!((restored.records, restored.end, restored.goes_on_after), (6, report.to, report.to));
    let new = open(&path("restored"));
    assert_eq!(observe(&new), observe(&store));
    sound(&new);
    for entry in store.documents(&name("first")).map(Result::unwrap) {
        let found = |store: &Store| store.history(&name("first"), &entry.role, entry.sha256).unwrap();
        assert_eq!(found(&new), found(&store));
    }
    publish(&new, &mut first, "v4");
    assert_eq!(new.position(), store.position().next());
    sound(&new);
    // The two histories part here: a backup of the one is not gone on from in the other.
    let incremental = new.backup(path("more"), Some(&path("full")), &[], &mut |_| {}).unwrap();
    assert_eq!((incremental.after, incremental.records), (report.to, 1));
    publish(&store, &mut Publisher::for_store("example.com/other", &store), "v1");
    let refused = store.backup(path("never"), Some(&path("more")), &[], &mut |_| {});
    assert!(matches!(refused, Err(BackupError::OtherHistory { .. })), "{refused:?}");
    assert!(!path("never").exists());
}

#[test]
fn backups_that_follow_each_other_restore_what_the_last_one_saw() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, mut first) = filled(&path("data"));
    backup(&store, &path("0"), None);
    for (number, tag) in ["v4", "v5", "v6"].into_iter().enumerate() {
        publish(&store, &mut first, tag);
        store.publish(&name("first"), &Upload::new(), NOW).unwrap();
        let report = backup(&store, &path(&format!("{}", number + 1)), Some(&path(&number.to_string())));
        assert_eq!(report.records, 2);
    }
    let [a, b, c, d] = ["0", "1", "2", "3"].map(path);
    restore(&[&a, &b, &c, &d], &path("restored"), Since::Nothing).unwrap();
    assert_eq!(observe(&open(&path("restored"))), observe(&store));
    // One that holds nothing new is one all the same.
    assert_eq!(backup(&store, &path("4"), Some(&d)).records, 0);
    restore(&[&a, &b, &c, &d, &path("4")], &path("again"), Since::Nothing).unwrap();

    for wrong in [vec![&a, &c], vec![&b], vec![&a, &b, &b], vec![&b, &a], vec![&a, &a]] {
        let wrong: Vec<&Path> = wrong.into_iter().map(PathBuf::as_path).collect();
        let refused = restore(&wrong, &path("never"), Since::Nothing);
        assert!(matches!(refused, Err(RestoreError::Gap { .. })), "{wrong:?}: {refused:?}");
    }
    assert!(matches!(restore(&[], &path("never"), Since::Nothing), Err(RestoreError::NoBackup)));
    // Of another store that is as long.
    let (other, mut author) = filled(&path("other"));
    publish(&other, &mut author, "v4");
    other.publish(&name("first"), &Upload::new(), NOW.after(std::time::Duration::from_secs(9))).unwrap();
    backup(&other, &path("o1"), None);
    publish(&other, &mut author, "v5");
    backup(&other, &path("o2"), Some(&path("o1")));
    let refused = restore(&[&a, &b, &path("o2")], &path("never"), Since::Nothing);
    assert!(matches!(refused, Err(RestoreError::OtherHistory { .. })), "{refused:?}");
    assert!(!path("never").exists() && !path("never.unfinished").exists());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "files are damaged behind the store's back")]
fn a_damaged_backup_is_refused_whole_whatever_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, _) = filled(&path("data"));
    let sound = path("sound");
    backup(&store, &sound, None);
    let bytes = fs::read(&sound).unwrap();
    let refused = |bytes: &[u8], case: &str| {
        fs::write(path("damaged"), bytes).unwrap();
        match restore(&[&path("damaged")], &path("restored"), Since::Nothing) {
            Err(RestoreError::Backup { source, .. }) => {
                assert!(
                    matches!(source, InvalidBackup::Damaged(_) | InvalidBackup::NoBackup),
                    "{case}: {source:?}"
                );
            }
            other => panic!("{case}: {other:?}"),
        }
        assert!(!path("restored").exists() && !path("restored.unfinished").exists(), "{case}");
    };
    for offset in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 1 << (offset % 8);
        refused(&damaged, &format!("byte {offset}"));
    }
    for length in (0..bytes.len()).step_by(7) {
        refused(&bytes[..length], &format!("{length} bytes"));
    }
    refused(&[bytes.as_slice(), b"x"].concat(), "a byte more");
    let mut newer = bytes.clone();
    newer[8] = 9;
    let check = blake3::hash(&newer[..96]);
    newer[96..128].copy_from_slice(check.as_bytes());
    fs::write(path("damaged"), &newer).unwrap();
    let refused = restore(&[&path("damaged")], &path("restored"), Since::Nothing);
    let Err(RestoreError::Backup { source: InvalidBackup::NewerFormat { found: 9, .. }, .. }) = refused
    else {
        panic!("{refused:?}")
    };
}

#[test]
fn nothing_is_restored_over_a_store_and_what_was_cut_short_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, _) = filled(&path("data"));
    backup(&store, &path("full"), None);
    let before = tufstore_testkit::files(&path("data").join("journal"));
    let refused = restore(&[&path("full")], &path("data"), Since::Nothing);
    assert!(matches!(refused, Err(RestoreError::Storage(_))), "{refused:?}");
    assert_eq!(tufstore_testkit::files(&path("data").join("journal")), before);
    copy(&path("data").join("journal"), &path("restored.unfinished").join("journal"));
    restore(&[&path("full")], &path("restored"), Since::Nothing).unwrap();
    assert_eq!(observe(&open(&path("restored"))), observe(&store));
}

#[test]
fn a_backup_under_load_is_one_moment_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let store = open(&path("data"));
    let done = AtomicBool::new(false);
    let names: Vec<_> = (0..4).map(|number| format!("example.com/{number}")).collect();
    let backups = thread::scope(|scope| {
        for name in &names {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut publisher = Publisher::for_store(name, store);
                while !done.load(Ordering::Acquire) {
                    publish(store, &mut publisher, "latest");
                }
            });
        }
        let backups: Vec<_> = (0..10)
            .map(|number| {
                let (to, since) = (path(&format!("{number}")), path(&format!("{}", number - 1)));
                backup(&store, &to, (number > 0).then_some(since.as_path()));
                to
            })
            .collect();
        done.store(true, Ordering::Release);
        backups
    });
    let all: Vec<&Path> = backups.iter().map(PathBuf::as_path).collect();
    let report = restore(&all, &path("restored"), Since::Nothing).unwrap();
    let new = open(&path("restored"));
    sound(&new);
    let feed = |store: &Store| -> Vec<_> { store.changes(Position::START).map(Result::unwrap).collect() };
    let (old, new) = (feed(&store), feed(&new));
    assert_eq!(u64::try_from(new.len()).unwrap(), report.records);
    assert_eq!(new, old[..new.len()]);
}

#[test]
fn what_a_collection_dropped_stays_dropped_and_the_rest_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, mut first) = filled(&path("data"));
    for number in 0..30 {
        publish(&store, &mut first, &format!("w{number}"));
    }
    let retention = tufstore::Retention::default().with_versions(1).with_age(std::time::Duration::ZERO);
    let later = NOW.after(std::time::Duration::from_hours(24 * 20));
    store.collect(&retention.with_worth(0), later, &mut |_| true).unwrap();
    backup(&store, &path("full"), None);
    restore(&[&path("full")], &path("restored"), Since::Nothing).unwrap();
    let new = open(&path("restored"));
    assert_eq!(observe(&new), observe(&store));
    sound(&new);
    let there = |store: &Store| -> Vec<_> {
        let entries = store.documents(&name("first")).map(Result::unwrap);
        entries
            .map(|entry| store.history(&name("first"), &entry.role, entry.sha256).unwrap().is_some())
            .collect()
    };
    assert_eq!(there(&new), there(&store));
    assert!(there(&new).contains(&false));
}

/// What a client that has been there before downloads.
fn set(store: &Store, repository: &RepositoryName) -> CompleteSet {
    let view = store.view(repository).unwrap().unwrap();
    let role = |role: RoleName| view.document(&role).unwrap().bytes().clone();
    let roots = store.documents(repository).map(Result::unwrap).filter(|entry| entry.role == RoleName::Root);
    let roots = roots.map(|entry| {
        let found = store.history(repository, &RoleName::Root, entry.sha256).unwrap();
        found.unwrap().document.bytes().clone()
    });
    CompleteSet::new(
        roots.collect(),
        role(RoleName::Timestamp),
        role(RoleName::Snapshot),
        role(RoleName::Targets),
    )
}

fn version(store: &Store, repository: &RepositoryName, role: &RoleName) -> Version {
    store.view(repository).unwrap().unwrap().document(role).unwrap().version()
}

/// A store that goes on after a backup: renewals of one repository, a new tag in another, a third deleted, a fourth deleted
/// and made anew, a fifth that is new.
fn lost(folder: &Path) -> (PathBuf, Store) {
    let store = open(&folder.join("data"));
    let mut publishers = ["renewed", "tagged", "deleted", "reborn"].map(|short| {
        let mut publisher = Publisher::for_store(name(short).as_str(), &store);
        publish(&store, &mut publisher, "v1");
        publisher
    });
    let full = folder.join("full");
    backup(&store, &full, None);
    for day in 1..=5 {
        store.publish(&name("renewed"), &Upload::new(), UnixTime::from_seconds(NOW.seconds() + day)).unwrap();
    }
    publish(&store, &mut publishers[1], "v2");
    for ended in ["deleted", "reborn"] {
        store.delete(&name(ended), NOW).unwrap();
    }
    publish(&store, &mut Publisher::for_store(name("reborn").as_str(), &store), "v9");
    publish(&store, &mut Publisher::for_store(name("new").as_str(), &store), "v1");
    (full, store)
}

#[test]
fn after_a_loss_the_store_goes_on_above_all_that_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (full, old) = lost(folder.path());
    // A client that has seen the newest of everything.
    let client = Store::in_memory(Options::default()).unwrap();
    for short in ["renewed", "tagged"] {
        client.mirror(&name(short), &set(&old, &name(short)), NOW).unwrap();
    }
    let newest = old.position();
    old.close().unwrap();
    let since = || Since::Lost(Lost { old: Some(path("data")), ..Lost::default() });
    // Not while somebody has it.
    let refused = restore(&[&full], &path("restored"), since());
    assert!(matches!(refused, Err(RestoreError::Storage(StorageError::InUse { .. }))), "{refused:?}");
    assert!(!path("restored").exists());
    drop(old);
    let report = restore(&[&full], &path("restored"), since()).unwrap();
    let old = open(&path("data"));
    let new = open(&path("restored"));
    sound(&new);

    assert_eq!((report.end.get(), report.goes_on_after, report.unreadable), (4, newest, 0));
    assert_eq!(new.repositories(), [name("renewed"), name("tagged")]);
    assert_eq!(report.gone, [name("new"), name("reborn")]);
    for short in ["renewed", "tagged"] {
        for role in [RoleName::Timestamp, RoleName::Snapshot] {
            let (was, is) = (version(&old, &name(short), &role), version(&new, &name(short), &role));
            assert!(is > was, "{short}: {was} then {is}");
        }
    }
    // Whoever follows the feed misses nothing: that lives ended, and that the others are restored.
    let changes: Vec<_> = new.changes(newest).map(Result::unwrap).collect();
    let told = |short: &str| -> Vec<_> {
        let theirs = changes.iter().filter(|change| change.repository == name(short));
        theirs.map(|change| (change.incarnation.get(), change.kind == ChangeKind::Deleted)).collect()
    };
    assert_eq!(told("deleted"), [(1, true)]);
    assert_eq!(told("reborn"), [(1, true), (2, true)]);
    assert_eq!(told("new"), [(1, true)]);
    for short in ["renewed", "tagged"] {
        let [restored] =
            changes.iter().filter(|change| change.repository == name(short)).collect::<Vec<_>>()[..]
        else {
            panic!("{changes:?}")
        };
        assert!(matches!(restored.kind, ChangeKind::Restored { .. }), "{restored:?}");
    }
    // A warm client goes on where only the store signed, and refuses an older targets file until it is published again.
    client.mirror(&name("renewed"), &set(&new, &name("renewed")), NOW).unwrap();
    let refused = client.mirror(&name("tagged"), &set(&new, &name("tagged")), NOW);
    assert!(matches!(refused, Err(MirrorError::Untrusted { .. })), "{refused:?}");
    let tagged = report.repositories.iter().find(|row| row.repository == name("tagged")).unwrap();
    assert_eq!(tagged.publish_above, [(RoleName::Targets, Version::new(2).unwrap())]);
    let renewed = report.repositories.iter().find(|row| row.repository == name("renewed")).unwrap();
    assert!(renewed.signed && renewed.publish_above.is_empty(), "{renewed:?}");
    // The next life of what was reborn is above all that there were.
    let receipt = Publisher::for_store(name("reborn").as_str(), &new).publish(&new).unwrap();
    assert_eq!(receipt.incarnation.get(), 3);
    new.close().unwrap();
    drop(new);
    sound(&open(&path("restored")));
    // And it can be backed up and restored itself.
    let new = open(&path("restored"));
    backup(&new, &path("second"), None);
    restore(&[&path("second")], &path("third"), Since::Nothing).unwrap();
    let third = open(&path("third"));
    assert_eq!(observe(&third), observe(&new));
    sound(&third);
}

#[test]
fn without_the_old_store_the_operator_says_how_far_it_had_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (full, old) = lost(folder.path());
    let nothing = restore(&[&full], &path("never"), Since::Lost(Lost::default()));
    assert!(matches!(nothing, Err(RestoreError::NoFloor)), "{nothing:?}");
    assert!(!path("never").exists());
    let given = Lost { old: None, position: Some(Position::new(1_000)), version: Version::new(50) };
    let report = restore(&[&full], &path("restored"), Since::Lost(given)).unwrap();
    assert_eq!(report.goes_on_after, Position::new(1_000));
    let new = open(&path("restored"));
    sound(&new);
    for repository in new.repositories() {
        for role in [RoleName::Timestamp, RoleName::Snapshot] {
            assert_eq!(version(&new, &repository, &role).get(), 51);
        }
    }
    assert!(new.changes(old.position()).map(Result::unwrap).all(|change| change.position.get() > 1_000));
    assert_eq!(new.changes(old.position()).count(), 4);
    let row = &report.repositories[0];
    assert_eq!(row.publish_above, [(RoleName::Targets, Version::new(50).unwrap())]);
}

#[test]
fn what_cannot_be_signed_anew_is_no_restored_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (full, _) = lost(folder.path());
    let since = Since::Lost(Lost { old: Some(path("data")), ..Lost::default() });
    let restore = Restore { backups: vec![full], to: path("never"), since, files: Vec::new() };
    let refused = Store::restore(&restore, Options::default(), NOW, &mut |_| {});
    assert!(matches!(refused, Err(RestoreError::Sign { .. })), "{refused:?}");
    assert!(!path("never").exists() && !path("never.unfinished").exists());
}

#[test]
fn a_mirrored_repository_goes_on_as_it_was_and_the_feed_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, _) = filled(&path("data"));
    backup(&store, &path("full"), None);
    copy(&path("data"), &path("old"));
    let since = Since::Lost(Lost { old: Some(path("old")), ..Lost::default() });
    let report = restore(&[&path("full")], &path("restored"), since).unwrap();
    let row = report.repositories.iter().find(|row| row.repository == name("mirrored")).unwrap();
    assert!(!row.signed && row.publish_above.is_empty(), "{row:?}");
    let new = open(&path("restored"));
    let documents = |store: &Store| -> Vec<_> {
        let view = store.view(&name("mirrored")).unwrap().unwrap();
        view.documents().map(|document| document.bytes().clone()).collect()
    };
    assert_eq!(documents(&new), documents(&store));
    let told =
        new.changes(store.position()).map(Result::unwrap).any(|change| change.repository == name("mirrored"));
    assert!(told);
    sound(&new);
}

#[test]
fn files_go_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, _) = filled(&path("data"));
    let along = [("master".to_owned(), b"sealed".to_vec())];
    store.backup(path("full"), None, &along, &mut |_| {}).unwrap();
    assert_eq!(Store::files_in_backup(path("full")).unwrap(), along);
    let restore = Restore {
        backups: vec![path("full")],
        to: path("restored"),
        since: Since::Nothing,
        files: along.to_vec(),
    };
    Store::restore(&restore, options(), NOW, &mut |_| {}).unwrap();
    assert_eq!(fs::read(path("restored/master")).unwrap(), b"sealed");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a file is damaged behind the store's back")]
fn nothing_is_left_of_a_backup_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, _) = filled(&path("data"));
    let segments = fs::read_dir(path("data/journal")).unwrap().map(|entry| entry.unwrap().path());
    for segment in segments.filter(|path| path.extension().is_some_and(|end| end == "segment")) {
        let mut bytes = fs::read(&segment).unwrap();
        bytes.iter_mut().skip(160).for_each(|byte| *byte ^= 1);
        fs::write(&segment, bytes).unwrap();
    }
    let failed = store.backup(path("full"), None, &[], &mut |_| {});
    assert!(matches!(failed, Err(BackupError::Storage(_))), "{failed:?}");
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["data"]);
}

#[test]
fn a_life_that_only_the_backup_knows_goes_on_whatever_the_old_store_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let store = open(&path("data"));
    publish(&store, &mut Publisher::for_store(name("reborn").as_str(), &store), "v1");
    store.delete(&name("reborn"), NOW).unwrap();
    store.close().unwrap();
    drop(store);
    copy(&path("data"), &path("older"));
    let store = open(&path("data"));
    publish(&store, &mut Publisher::for_store(name("reborn").as_str(), &store), "v2");
    backup(&store, &path("full"), None);
    let since =
        Since::Lost(Lost { old: Some(path("older")), position: Some(store.position()), version: None });
    let report = restore(&[&path("full")], &path("restored"), since).unwrap();
    assert!(report.gone.is_empty(), "{report:?}");
    let new = open(&path("restored"));
    assert_eq!(new.repositories(), [name("reborn")]);
    assert_eq!(new.view(&name("reborn")).unwrap().unwrap().incarnation().get(), 2);
    sound(&new);
}

#[test]
fn what_nobody_can_read_any_more_may_have_raised_every_version_and_an_earlier_life_raises_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let store = open(&path("data"));
    let mut first = Publisher::for_store(name("app").as_str(), &store);
    for number in 0..9 {
        publish(&store, &mut first, &format!("v{number}"));
    }
    store.delete(&name("app"), NOW).unwrap();
    publish(&store, &mut Publisher::for_store(name("app").as_str(), &store), "again");
    backup(&store, &path("full"), None);
    let before = |role: &RoleName| version(&store, &name("app"), role).get();
    let roles = [RoleName::Timestamp, RoleName::Snapshot];
    store.close().unwrap();
    copy(&path("data"), &path("old"));
    let targets_above = |report: &RestoreReport| report.repositories[0].publish_above.clone();

    // Nothing was lost: one above, and nobody has to publish.
    let since = Since::Lost(Lost { old: Some(path("old")), ..Lost::default() });
    let report = restore(&[&path("full")], &path("nothing"), since).unwrap();
    assert_eq!((report.unreadable, targets_above(&report)), (0, Vec::new()));
    for role in &roles {
        assert_eq!(version(&open(&path("nothing")), &name("app"), role).get(), before(role) + 1);
    }
    // Seven records, of whatever repository.
    let end = store.position();
    for (to, old) in [("seven", None), ("seven of old", Some(path("old")))] {
        let position = Some(Position::new(end.get() + 7));
        let since = Since::Lost(Lost { old, position, version: None });
        let report = restore(&[&path("full")], &path(to), since).unwrap();
        assert_eq!(report.unreadable, 7);
        for role in &roles {
            assert_eq!(version(&open(&path(to)), &name("app"), role).get(), before(role) + 8);
        }
        let above = Version::new(before(&RoleName::Targets) + 7).unwrap();
        assert_eq!(targets_above(&report), [(RoleName::Targets, above)]);
    }
    let end_of_versions = Version::new((1 << 53) - 1);
    let positions = u64::try_from(i64::MAX).unwrap();
    for (position, version) in [
        (u64::MAX, None),
        (50, Version::new(u64::MAX)),
        (50, end_of_versions),
        (positions, None),
        (positions - 5, None),
    ] {
        let since = Since::Lost(Lost { old: None, position: Some(Position::new(position)), version });
        let refused = restore(&[&path("full")], &path("never"), since);
        assert!(matches!(refused, Err(RestoreError::Beyond)), "{refused:?}");
        assert!(!path("never").exists());
    }
}

#[test]
fn a_backup_is_not_replaced_by_what_goes_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (store, _) = filled(&path("data"));
    backup(&store, &path("full"), None);
    let before = fs::read(path("full")).unwrap();
    let refused = store.backup(path("full"), Some(&path("full")), &[], &mut |_| {});
    assert!(matches!(refused, Err(BackupError::Itself)), "{refused:?}");
    assert_eq!(fs::read(path("full")).unwrap(), before);
}
