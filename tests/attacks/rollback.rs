//! Older than what is known.

use core::time::Duration;
use std::collections::BTreeMap;

use serde_json::json;
use tufstore::terms::Sha256;
use tufstore::{CompleteSet, ParseError, TrustError};
use tufstore_testkit::{CompleteParts, Forge, ForgedFile, ForgedKey, ForgedSigners, NOW, digest};

use crate::twins::{REPOSITORY, Refusal, Twins, parts_at, role, upload, version};

/// Stores that have mirrored targets, snapshot and timestamp 2.
fn mirrored() -> (Twins, Forge) {
    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&parts_at(&forge, [2, 2, 2]).set());
    (twins, forge)
}

#[track_caller]
fn is_rollback(refusal: &Refusal, name: &str, trusted: u64, offered: u64) {
    let rule = TrustError::Rollback { trusted: version(trusted), offered: version(offered) };
    let said = format!("version {offered} is older than the trusted version {trusted}");
    refusal.is_untrusted(name, rule, &said);
}

#[test]
fn a_mirrored_timestamp_that_falls_is_refused() {
    let (twins, forge) = mirrored();
    let [right, wrong] = [[3, 3, 3], [3, 3, 1]].map(|versions| parts_at(&forge, versions).set());
    is_rollback(&twins.mirror(&right, &wrong), "timestamp", 2, 1);
}

#[test]
fn a_mirrored_snapshot_that_falls_is_refused() {
    let (twins, forge) = mirrored();
    let [right, wrong] = [[3, 3, 3], [3, 1, 3]].map(|versions| parts_at(&forge, versions).set());
    is_rollback(&twins.mirror(&right, &wrong), "snapshot", 2, 1);
}

#[test]
fn mirrored_targets_that_fall_are_refused() {
    let (twins, forge) = mirrored();
    let [right, wrong] = [[3, 3, 3], [1, 3, 3]].map(|versions| parts_at(&forge, versions).set());
    is_rollback(&twins.mirror(&right, &wrong), "targets", 2, 1);
}

/// Targets 2 that delegate, with a delegation's file at a version of its own.
fn delegated(forge: &Forge, set: u64, file: u64, tags: &[(&str, Sha256)]) -> CompleteParts {
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let targets = forge.targets(2, &[]).delegating("targets/releases", &releases, &[""]).bytes();
    let file = ForgedFile::targets(file, tags).signed_by(&releases.keys).bytes();
    forge.parts_of(set, targets, &[("targets/releases", file)])
}

#[test]
fn a_mirrored_delegation_that_falls_is_refused() {
    let (twins, forge) = (Twins::in_folders(), Forge::new(REPOSITORY));
    twins.both_mirror(&delegated(&forge, 2, 2, &[]).set());
    let [right, wrong] = [3, 1].map(|file| delegated(&forge, 3, file, &[]).set());
    is_rollback(&twins.mirror(&right, &wrong), "targets/releases", 2, 1);
}

#[test]
fn another_file_of_the_same_version_is_refused() {
    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&delegated(&forge, 2, 2, &[]).set());
    let other_tags = [("3.22", digest("another"))];
    let targets = forge.parts_of(3, forge.targets(2, &other_tags).bytes(), &[]);
    let right = delegated(&forge, 3, 2, &[]);
    let snapshot = forge.snapshot(2, &[("root", &forge.roots[0]), ("targets", &right.targets)]).bytes();
    let snapshot = CompleteParts {
        timestamp: forge.timestamp(3, &snapshot).bytes(),
        snapshot,
        delegations: BTreeMap::new(),
        ..right.clone()
    };
    let wrong = [targets.set(), delegated(&forge, 3, 2, &other_tags).set(), snapshot.set()];
    let refusals = twins.mirror_each(&right.set(), wrong);
    for (refusal, name) in refusals.into_iter().zip(["targets", "targets/releases", "snapshot"]) {
        let said = "version 2 is already known with other content";
        refusal.is_untrusted(name, TrustError::SameVersion { version: version(2) }, said);
    }
}

#[test]
fn another_timestamp_of_the_same_version_is_refused() {
    let (twins, forge) = mirrored();
    let mut wrong = parts_at(&forge, [2, 2, 2]);
    let later = NOW.after(Duration::from_hours(24 * 400));
    wrong.timestamp = forge.timestamp(2, &wrong.snapshot).expiring(later).bytes();
    twins.mirror(&parts_at(&forge, [2, 2, 3]).set(), &wrong.set()).is_untrusted(
        "timestamp",
        TrustError::SameVersion { version: version(2) },
        "version 2 is already known with other content",
    );
}

#[test]
fn the_same_set_mirrored_again_changes_nothing() {
    let (twins, forge) = (Twins::in_folders(), Forge::new(REPOSITORY));
    let set = parts_at(&forge, [2, 2, 2]).set();
    let first = twins.accepted_mirror(&set);
    assert_eq!(first.documents.len(), 4);
    let again = twins.unchanged(|store| store.mirror(&forge.repository, &set, NOW).unwrap());
    assert_eq!(
        (again.position, again.revision, again.documents),
        (first.position, first.revision, Vec::new())
    );
}

#[test]
fn a_timestamp_that_names_an_older_snapshot_is_not_kept() {
    let (twins, forge) = mirrored();
    // If the wrong timestamp 3 were kept, the right timestamp 3 would be another of the same version.
    let [right, wrong] = [[2, 3, 3], [2, 1, 3]].map(|versions| parts_at(&forge, versions).set());
    is_rollback(&twins.mirror(&right, &wrong), "snapshot", 2, 1);
}

#[test]
fn an_older_set_replayed_whole_is_refused() {
    let (twins, forge) = (Twins::in_folders(), Forge::new(REPOSITORY));
    let [old, newer, newest] = [1, 2, 3].map(|version| forge.complete(version, &[("3.22", digest("x"))]));
    twins.both_mirror(&old);
    twins.both_mirror(&newer);
    is_rollback(&twins.mirror(&newest, &old), "timestamp", 2, 1);
}

#[test]
fn an_uploaded_snapshot_that_falls_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge_with_snapshot_key();
    let root = forge.roots[0].clone();
    let with = |targets: u64, snapshot: u64| {
        let targets = forge.targets(targets, &[]).bytes();
        let snapshot = forge.snapshot(snapshot, &[("root", &root), ("targets", &targets)]).bytes();
        upload([("targets", targets), ("snapshot", snapshot)])
    };
    twins.both_publish(&with(1, 2).with(role("root"), root.clone()));
    let [same, lower] = twins.publish_each(&with(2, 3), [with(2, 2), with(2, 1)]);
    same.is_superseded("snapshot", 2, 2);
    lower.is_superseded("snapshot", 2, 1);
}

#[test]
fn uploaded_targets_that_fall_are_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    let targets = |version| ("targets", forge.targets(version, &[("3.22", digest("x"))]).bytes());
    twins.both_publish(&upload([("root", forge.roots[0].clone()), targets(2)]));
    let [same, lower] =
        twins.publish_each(&upload([targets(4)]), [upload([targets(2)]), upload([targets(1)])]);
    same.is_superseded("targets", 2, 2);
    lower.is_superseded("targets", 2, 1);
}

#[test]
fn an_uploaded_delegation_that_falls_is_refused() {
    let twins = Twins::in_folders();
    let forge = twins.forge();
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let targets = forge.targets(1, &[]).delegating("targets/releases", &releases, &[""]).bytes();
    let file =
        |version| ("targets/releases", ForgedFile::targets(version, &[]).signed_by(&releases.keys).bytes());
    twins.both_publish(&upload([("root", forge.roots[0].clone()), ("targets", targets), file(2)]));
    let [same, lower] = twins.publish_each(&upload([file(3)]), [upload([file(2)]), upload([file(1)])]);
    same.is_superseded("targets/releases", 2, 2);
    lower.is_superseded("targets/releases", 2, 1);
}

#[test]
fn after_its_key_was_rotated_a_mirrored_timestamp_may_start_anew() {
    const LAST: u64 = (1 << 53) - 1;
    let (twins, mut forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&parts_at(&forge, [1, LAST, LAST]).set());
    let stuck = parts_at(&forge, [1, 2, 2]).set();
    forge.rotate(|forge| {
        forge.snapshot = ForgedSigners::one(ForgedKey::seeded("new snapshots"));
        forge.timestamp = ForgedSigners::one(ForgedKey::seeded("new timestamps"));
    });
    let anew: CompleteSet = parts_at(&forge, [1, 2, 2]).set();
    is_rollback(&twins.mirror(&anew, &stuck), "timestamp", LAST, 2);
}

#[test]
fn a_version_above_what_clients_read_exactly_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let file = forge.targets((1 << 53) - 1, &[]);
    let right = upload([("targets", file.bytes())]);
    let numbers = ["9007199254740992", "18446744073709551615", "18446744073709551616", "1e300"];
    let wrong = numbers.map(|number| upload([("targets", file.replaced("9007199254740991", number))]));
    for refusal in twins.publish_each(&right, wrong) {
        refusal.is_malformed("targets", ParseError::VersionTooLarge, "a version above 2^53 - 1");
    }
}

#[test]
fn a_version_of_zero_negative_or_fractional_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let file = forge.targets(2, &[]);
    let cases = [
        (json!(0).to_string(), ParseError::VersionZero, "version 0"),
        (json!(-1).to_string(), ParseError::VersionNegative, "a negative version"),
        ("1.5".to_owned(), ParseError::VersionNotAnInteger, "the version is not written as an integer"),
        ("2.0".to_owned(), ParseError::VersionNotAnInteger, "the version is not written as an integer"),
        ("2e0".to_owned(), ParseError::VersionNotAnInteger, "the version is not written as an integer"),
        (json!("2").to_string(), ParseError::VersionNotAnInteger, "the version is not written as an integer"),
        (json!(null).to_string(), ParseError::Missing { member: "version" }, "version is missing"),
    ];
    let wrong = cases.clone().map(|(number, ..)| {
        upload([("targets", file.replaced(r#""version":2"#, &format!(r#""version":{number}"#)))])
    });
    let refusals = twins.publish_each(&upload([("targets", file.bytes())]), wrong);
    for (refusal, (_, reason, message)) in refusals.into_iter().zip(cases) {
        refusal.is_malformed("targets", reason, message);
    }
}
