//! What an embedding server keeps with its repositories, and what is told of every commit for ever.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests"
)]

use std::path::Path;
use std::sync::Arc;

use tufstore::terms::{InvalidNote, Note, Position, RepositoryName, Revision};
use tufstore::{
    AuditLine, Audited, ChangeKind, Fault, Lost, Options, Repair, Restore, Retention, Settings,
    SettingsError, Since, Store,
};
use tufstore_testkit::device::{CrashDevice, Fault as DiskFault, Survival};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("settings"))
}

fn open(folder: &Path) -> Store {
    Store::open(folder, options()).unwrap()
}

fn note(text: &str) -> Note {
    text.parse().unwrap()
}

fn set(store: &Store, after: u64, bytes: &str) -> Result<Settings, SettingsError> {
    let note = note(&format!("became {}", bytes.len()));
    store.set_settings(Revision::new(after), bytes.as_bytes(), Some(note), NOW)
}

fn present(store: &Store) -> (u64, String) {
    let settings = store.settings().unwrap().unwrap();
    (settings.revision.get(), String::from_utf8(settings.bytes.to_vec()).unwrap())
}

fn notes(store: &Store) -> Vec<Option<String>> {
    store.audit(Position::START).map(|line| line.unwrap().note.map(|note| note.to_string())).collect()
}

/// A repository of two publications, the second one noted, among three settings.
fn filled(folder: &Path) -> (Store, Publisher) {
    let store = open(folder);
    set(&store, 0, "one").unwrap();
    let mut publisher = Publisher::for_store("example.com/app", &store);
    publisher.publish(&store).unwrap();
    set(&store, 1, "another").unwrap();
    let upload = publisher.tag_upload(&[("v1", digest("v1"))]).with_note(note("by somebody"));
    store.publish(publisher.repository(), &upload, NOW).unwrap();
    set(&store, 2, "the third").unwrap();
    (store, publisher)
}

#[test]
fn settings_are_kept_with_their_revision_and_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(store.settings().unwrap(), None);
    for (after, text) in [(0, "one"), (1, "another"), (2, "")] {
        let settings = set(&store, after, text).unwrap();
        assert_eq!(settings.revision.get(), after + 1);
        assert_eq!(store.settings().unwrap(), Some(settings));
    }
    // As a crash leaves them, and after a clean end.
    let crashed = tempfile::tempdir().unwrap();
    tufstore_testkit::copy(folder.path(), crashed.path());
    drop(store);
    for folder in [crashed.path(), folder.path()] {
        assert_eq!(present(&open(folder)), (3, String::new()));
    }
}

#[test]
fn settings_that_were_made_from_others_than_the_present_ones_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for after in [1, u64::MAX] {
        let refused = set(&store, after, "x").unwrap_err();
        assert_eq!(
            (refused.to_string().as_str(), refused.fault()),
            ("the settings have changed meanwhile", Fault::Race)
        );
    }
    set(&store, 0, "one").unwrap();
    let before = (store.position(), tufstore_testkit::files(folder.path()));
    for after in [0, 2] {
        assert!(matches!(set(&store, after, "x"), Err(SettingsError::Superseded)));
    }
    assert_eq!((store.position(), tufstore_testkit::files(folder.path())), before);
    assert_eq!(present(&store), (1, "one".to_owned()));
}

#[test]
fn of_two_who_set_at_once_one_is_refused() {
    let store = Store::in_memory(options()).unwrap();
    for round in 0..50 {
        let won: usize = std::thread::scope(|scope| {
            let run = |text: &'static str| {
                scope.spawn({
                    let store = &store;
                    move || usize::from(set(store, round, text).is_ok())
                })
            };
            [run("a"), run("b"), run("c")].map(|thread| thread.join().unwrap()).into_iter().sum()
        });
        assert_eq!(won, 1);
    }
    assert_eq!(present(&store).0, 50);
}

#[test]
fn settings_are_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    let (store, publisher) = filled(folder.path());
    assert_eq!(store.repositories(), [publisher.repository().clone()]);
    let changes: Vec<_> = store.changes(Position::START).map(Result::unwrap).collect();
    assert_eq!(changes.iter().map(|change| change.position.get()).collect::<Vec<_>>(), [2, 4]);
    assert!("*".parse::<RepositoryName>().is_err());
    assert!(serde_json::from_str::<RepositoryName>("\"*\"").is_err());
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.repositories(), [publisher.repository().clone()]);
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
}

#[test]
fn the_audit_trail_tells_of_every_commit_with_its_note_and_is_chained() {
    let folder = tempfile::tempdir().unwrap();
    let (store, publisher) = filled(folder.path());
    store.delete_noting(publisher.repository(), Some(&note("by an operator")), NOW).unwrap();
    let lines: Vec<AuditLine> = store.audit(Position::START).map(Result::unwrap).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| match &line.what {
            Audited::Settings { revision } => format!("settings {revision}"),
            Audited::Repository { repository, kind: ChangeKind::Deleted, .. } => {
                format!("{repository} deleted")
            }
            Audited::Repository { repository, revision, documents, .. } => {
                format!("{repository} {revision} {}", documents.len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        "settings 1",
        "example.com/app 1 4",
        "settings 2",
        "example.com/app 2 3",
        "settings 3",
        "example.com/app deleted",
    ];
    assert_eq!(told, expected);
    let noted = ["became 3", "", "became 7", "by somebody", "became 9", "by an operator"];
    assert_eq!(notes(&store), noted.map(|note| (!note.is_empty()).then(|| note.to_owned())));
    let mut previous = [0; 32];
    for line in &lines {
        assert_eq!(line.previous, previous, "position {}", line.position);
        previous = *blake3::hash(&line.header).as_bytes();
        assert_eq!((line.digest(), AuditLine::read(&line.header).as_ref()), (previous, Ok(line)));
    }
    for garbage in [&[][..], b"a record", &[0; 200]] {
        assert!(AuditLine::read(garbage).is_err());
    }
    assert_eq!(store.audit(Position::new(4)).count(), 2);
}

/// How many of five steps came to their end: settings, a noted publication, settings, a noted deletion, settings.
fn play(device: &CrashDevice) -> usize {
    let Ok(store) = Store::open_on(Arc::new(device.clone()), options()) else { return 0 };
    let mut publisher = Publisher::for_store("example.com/app", &store);
    let mut step = |number| match number {
        0 => set(&store, 0, "one").is_ok(),
        1 => {
            let upload = publisher.first_upload().with_note(note("by somebody"));
            store.publish(publisher.repository(), &upload, NOW).is_ok()
        }
        2 => set(&store, 1, "another").is_ok(),
        3 => store.delete_noting(publisher.repository(), Some(&note("by an operator")), NOW).is_ok(),
        _ => set(&store, 2, "the third").is_ok(),
    };
    (0..5).take_while(|number| step(*number)).count()
}

#[test]
fn a_power_cut_leaves_settings_and_notes_with_the_commits_that_they_are_of() {
    let told = ["became 3", "by somebody", "became 7", "by an operator", "became 9"];
    let kept = [None, Some("one"), Some("one"), Some("another"), Some("another"), Some("the third")];
    for operation in 1.. {
        let device = CrashDevice::new();
        device.set_fault(operation, DiskFault::PowerCut);
        let done = play(&device);
        if !device.met_fault() {
            assert!(done == told.len() && operation > 15, "{operation}");
            return;
        }
        for survival in [Survival::Dropped, Survival::Kept, Survival::Torn { piece: 512, seed: operation }] {
            let case = format!("operation {operation}, {survival:?}, after {done} steps");
            let left = device.after_power_cut(survival);
            let store = Store::open_on(Arc::new(left), options()).unwrap();
            let lines: Vec<_> = store.audit(Position::START).map(Result::unwrap).collect();
            assert!((done..=done + 1).contains(&lines.len()), "{case}: {lines:?}");
            let found = lines.iter().map(|line| line.note.as_ref().map(ToString::to_string));
            assert_eq!(found.map(Option::unwrap).collect::<Vec<_>>(), told[..lines.len()], "{case}");
            assert!(lines.windows(2).all(|pair| pair[1].previous == pair[0].digest()), "{case}");
            let settings = store.settings().unwrap().map(|settings| settings.bytes.to_vec());
            assert_eq!(settings, kept[lines.len()].map(|text| text.as_bytes().to_vec()), "{case}");
            assert_eq!(store.repositories().len(), usize::from((2..4).contains(&lines.len())), "{case}");
        }
    }
}

#[test]
fn a_note_has_a_bounded_length() {
    assert_eq!("".parse::<Note>(), Err("".parse::<Note>().unwrap_err()));
    assert!("a".repeat(4096).parse::<Note>().is_ok());
    let InvalidNote { length, .. } = "a".repeat(4097).parse::<Note>().unwrap_err();
    assert_eq!(length, 4097);
}

#[test]
fn a_collection_keeps_the_newest_settings_and_every_note() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // Nothing of one is in another, so that none is stored as a difference.
    let secret =
        |number: u64| (0..40).map(|part| digest(&format!("{number} {part}")).to_string()).collect::<String>();
    for number in 0..20 {
        set(&store, number, &secret(number)).unwrap();
    }
    let before = notes(&store);
    // Whatever is kept of repositories: what was taken away from somebody is not.
    let retention = Retention::of_everything().with_worth(0);
    let report = store.collect(&retention, NOW, &mut |_| true).unwrap();
    assert!(report.documents >= 15, "{report:?}");
    assert_eq!(present(&store), (20, secret(19)));
    assert_eq!(notes(&store), before);
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
    set(&store, 20, "after").unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(present(&store), (21, "after".to_owned()));
    assert_eq!(notes(&store).len(), before.len() + 1);
}

#[test]
fn a_backup_holds_them_and_a_restored_store_has_those_of_the_backup() {
    let folders = tempfile::tempdir().unwrap();
    let at = |name: &str| folders.path().join(name);
    let (store, mut publisher) = filled(&at("old"));
    store.backup(at("backup"), None, &[], &mut |_| {}).unwrap();
    set(&store, 3, "lost").unwrap();
    publisher.publish(&store).unwrap();
    drop(store);
    for (to, since) in
        [("quiet", Since::Nothing), ("lossy", Since::Lost(Lost { old: Some(at("old")), ..Lost::default() }))]
    {
        let restore = Restore { backups: vec![at("backup")], to: at(to), since, files: Vec::new() };
        Store::restore(&restore, options(), NOW, &mut |_| {}).unwrap();
        let store = open(&at(to));
        assert_eq!(present(&store), (3, "the third".to_owned()));
        assert_eq!(notes(&store)[..5], notes(&open(&at("old")))[..5]);
        assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
        set(&store, 3, "and on").unwrap();
    }
}

#[test]
fn a_repaired_store_has_the_newest_settings_that_are_whole_and_says_what_is_lost() {
    let folders = tempfile::tempdir().unwrap();
    let at = |name: &str| folders.path().join(name);
    let (store, publisher) = filled(&at("old"));
    store.delete_noting(publisher.repository(), Some(&note("by an operator")), NOW).unwrap();
    drop(store);
    let repair = |to: &str| {
        let repair = Repair { from: at("old"), to: at(to), ..Repair::default() };
        Store::repair(&repair, &mut |_| {}).unwrap()
    };
    let report = repair("whole");
    assert_eq!(report.findings, []);
    let store = open(&at("whole"));
    assert_eq!(present(&store), (3, "the third".to_owned()));
    assert_eq!(notes(&store), notes(&open(&at("old"))));

    damage(&at("old"), b"the third");
    let report = repair("less");
    let lost =
        report.findings.iter().find(|finding| finding.what.contains("those before them hold again")).unwrap();
    assert_eq!((lost.repository.clone(), lost.place.as_str()), (None, "settings"));
    let store = open(&at("less"));
    // Every note stays, and so does the count.
    assert_eq!(present(&store), (4, "another".to_owned()));
    let kept: Vec<_> = notes(&store).into_iter().flatten().collect();
    assert_eq!(kept, ["became 3", "became 7", "by somebody", "became 9", "by an operator"]);
    set(&store, 4, "anew").unwrap();
    assert_eq!(store.verify(&mut |_| {}).unwrap().findings, []);
}

/// Changes a byte of what stands so in a segment.
fn damage(store: &Path, what: &[u8]) {
    let mut damaged = 0;
    for entry in std::fs::read_dir(store.join("journal")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(what.len()).position(|window| window == what);
        if let (Some(found), Some("segment")) = (found, path.extension().and_then(|name| name.to_str())) {
            bytes[found] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
}

#[test]
fn a_repaired_store_without_any_settings_that_are_whole_lets_nobody_take_it_for_one_that_never_had_any() {
    let folders = tempfile::tempdir().unwrap();
    let at = |name: &str| folders.path().join(name);
    let (store, _) = filled(&at("old"));
    let retention = Retention::of_everything().with_worth(0);
    store.collect(&retention, NOW, &mut |_| true).unwrap();
    drop(store);
    damage(&at("old"), b"the third");
    assert!(open(&at("old")).settings().is_err());
    let repair = |to: &str, forget_settings| {
        let repair = Repair { from: at("old"), to: at(to), forget_settings, ..Repair::default() };
        Store::repair(&repair, &mut |_| {}).unwrap()
    };
    let report = repair("closed", false);
    assert!(report.findings.iter().any(|finding| finding.what.contains("none are left that are whole")));
    let store = open(&at("closed"));
    assert!(store.settings().is_err());
    assert!(set(&store, 0, "mine").is_err() && set(&store, 4, "mine").is_err());
    assert!(notes(&store).into_iter().flatten().any(|note| note == "became 9"));
    drop(store);
    repair("begun", true);
    let store = open(&at("begun"));
    assert_eq!(store.settings().unwrap(), None);
    set(&store, 0, "begun anew").unwrap();
}

/// What the segments of a store say of their format, in order.
fn formats(folder: &Path) -> Vec<u16> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|name| name == "segment"));
    paths.sort();
    paths
        .iter()
        .map(|path| u16::from_le_bytes(std::fs::read(path).unwrap()[8..10].try_into().unwrap()))
        .collect()
}

#[test]
fn a_store_of_before_goes_on_in_a_segment_that_releases_before_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut publisher = Publisher::for_store("example.com/app", &store);
    publisher.publish(&store).unwrap();
    assert_eq!(formats(folder.path()), [1]);
    set(&store, 0, "one").unwrap();
    publisher.publish(&store).unwrap();
    set(&store, 1, "two").unwrap();
    assert_eq!(formats(folder.path()), [1, 3]);
    // As a crash leaves it: what is taken over may have notes.
    let crashed = tempfile::tempdir().unwrap();
    tufstore_testkit::copy(folder.path(), crashed.path());
    let recovered = open(crashed.path());
    assert_eq!(present(&recovered), (2, "two".to_owned()));
    assert_eq!(formats(crashed.path()).last(), Some(&3));
    assert_eq!(notes(&recovered), notes(&store));
}
