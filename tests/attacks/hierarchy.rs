//! What does not belong together: every file is the very bytes that the file above names.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tufstore::crypto::{sha256, sha512};
use tufstore::metadata::write::FileMeta;
use tufstore::terms::Sha256;
use tufstore::{ParseError, TrustError, Upload, Warning};
use tufstore_testkit::{CompleteParts, Forge, ForgedFile, ForgedKey, ForgedSigners, digest};

use crate::twins::{REPOSITORY, Refusal, Twins, role, upload};

/// The file above names something else of `name` than the bytes at hand.
#[track_caller]
fn names_other_bytes(refusal: &Refusal, listed_by: &str, name: &str, listed: FileMeta, bytes: &[u8]) {
    let (sha256, length) = (sha256(bytes), bytes.len());
    let said = format!(
        "{listed_by} names {} bytes of {name} with SHA-256 {}, but there are {length} with SHA-256 {sha256}",
        listed.length,
        listed.sha256.unwrap()
    );
    let (listed_by, role, listed) = (role(listed_by), role(name), Box::new(listed));
    refusal.is_untrusted(
        "snapshot",
        TrustError::WrongContent { listed_by, role, listed, length, sha256 },
        &said,
    );
}

/// A repository with one delegation, whose author holds the snapshot key.
struct Author {
    forge: Forge,
    releases: ForgedSigners,
}

impl Author {
    fn new(forge: Forge) -> Self {
        Self { forge, releases: ForgedSigners::one(ForgedKey::seeded("releases")) }
    }

    fn root(&self) -> Arc<[u8]> {
        self.forge.roots[0].clone()
    }

    fn targets(&self, version: u64) -> Arc<[u8]> {
        self.forge.targets(version, &[]).delegating("targets/releases", &self.releases, &[""]).bytes()
    }

    fn releases(&self, version: u64, tags: &[(&str, Sha256)]) -> Arc<[u8]> {
        ForgedFile::targets(version, tags).signed_by(&self.releases.keys).bytes()
    }

    /// A snapshot that names everything as it should.
    fn snapshot(&self, version: u64, targets: &[u8], releases: &[u8]) -> ForgedFile {
        let root = self.root();
        let names = [("root", &*root), ("targets", targets), ("targets/releases", releases)];
        self.forge.snapshot(version, &names)
    }

    /// Everything at version 1.
    fn first(&self) -> Upload {
        let (targets, releases) = (self.targets(1), self.releases(1, &[]));
        let snapshot = self.snapshot(1, &targets, &releases).bytes();
        let files = [("root", self.root()), ("targets", targets), ("targets/releases", releases)];
        upload(files).with(role("snapshot"), snapshot)
    }
}

#[test]
fn a_snapshot_that_names_other_targets_is_refused() {
    let twins = Twins::in_folders();
    let author = Author::new(twins.forge_with_snapshot_key());
    twins.both_publish(&author.first());
    let (old, new, releases) = (author.targets(1), author.targets(2), author.releases(1, &[]));
    let with = |named: &[u8]| {
        upload([("targets", new.clone()), ("snapshot", author.snapshot(2, named, &releases).bytes())])
    };
    names_other_bytes(
        &twins.publish(&with(&new), &with(&old)),
        "snapshot",
        "targets",
        FileMeta::of(&old),
        &new,
    );
}

#[test]
fn a_snapshot_that_names_an_older_delegation_is_refused() {
    let twins = Twins::new();
    let author = Author::new(twins.forge_with_snapshot_key());
    twins.both_publish(&author.first());
    let (targets, old, new) = (author.targets(1), author.releases(1, &[]), author.releases(2, &[]));
    let with = |named: &[u8]| {
        upload([("targets/releases", new.clone()), ("snapshot", author.snapshot(2, &targets, named).bytes())])
    };
    names_other_bytes(
        &twins.publish(&with(&new), &with(&old)),
        "snapshot",
        "targets/releases",
        FileMeta::of(&old),
        &new,
    );
    // Neither does a later snapshot alone bring it back.
    let alone = |named: &[u8]| upload([("snapshot", author.snapshot(3, &targets, named).bytes())]);
    names_other_bytes(
        &twins.publish(&alone(&new), &alone(&old)),
        "snapshot",
        "targets/releases",
        FileMeta::of(&old),
        &new,
    );
}

#[test]
fn a_timestamp_that_names_another_snapshot_is_refused() {
    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let right = forge.parts(2, &[]);
    let mut wrong = right.clone();
    let another = forge.snapshot(3, &[]).bytes();
    wrong.timestamp = forge.timestamp(2, &another).bytes();
    let refusal = twins.mirror(&right.clone().set(), &wrong.set());
    names_other_bytes(&refusal, "timestamp", "snapshot", FileMeta::of(&another), &right.snapshot);
}

#[test]
fn mirrored_targets_of_another_publication_are_refused() {
    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let right = forge.parts(2, &[("3.22", digest("a manifest"))]);
    let mut wrong = right.clone();
    wrong.targets = forge.targets(3, &[]).bytes();
    let named = FileMeta::of(&right.targets);
    let refusal = twins.mirror(&right.set(), &wrong.clone().set());
    names_other_bytes(&refusal, "snapshot", "targets", named, &wrong.targets);
}

/// A right set, and the same with each entry of the files above changed.
fn with_entries_changed(
    author: &Author,
    change: impl Fn(&mut Value),
) -> (CompleteParts, [(&'static str, CompleteParts); 4]) {
    let (targets, releases) = (author.targets(1), author.releases(1, &[("3.22", digest("a manifest"))]));
    let right = author.forge.parts_of(1, targets.clone(), &[("targets/releases", releases.clone())]);
    let wrong = ["root", "targets", "targets/releases", "snapshot"].map(|name| {
        let mut parts = right.clone();
        if name != "snapshot" {
            let file = author.snapshot(1, &targets, &releases);
            parts.snapshot = file.edit(|signed| change(&mut signed["meta"][name])).bytes();
        }
        let timestamp = author.forge.timestamp(1, &parts.snapshot);
        parts.timestamp = match name {
            "snapshot" => timestamp.edit(|signed| change(&mut signed["meta"][name])).bytes(),
            _ => timestamp.bytes(),
        };
        (name, parts)
    });
    (right, wrong)
}

#[track_caller]
fn each_entry_must_match(change: impl Fn(&mut Value), as_listed: impl Fn(&mut FileMeta)) {
    let (twins, author) = (Twins::new(), Author::new(Forge::new(REPOSITORY)));
    let (right, wrong) = with_entries_changed(&author, change);
    let names = wrong.each_ref().map(|(name, _)| *name);
    let refusals = twins.mirror_each(&right.clone().set(), wrong.map(|(_, parts)| parts.set()));
    let releases = right.delegations[&role("targets/releases")].clone();
    let files = [right.roots[0].clone(), right.targets, releases, right.snapshot];
    for ((refusal, name), bytes) in refusals.into_iter().zip(names).zip(files) {
        let listed_by = if name == "snapshot" { "timestamp" } else { "snapshot" };
        let mut listed = FileMeta::of(&bytes);
        as_listed(&mut listed);
        names_other_bytes(&refusal, listed_by, name, listed, &bytes);
    }
}

#[test]
fn a_file_of_another_length_than_the_snapshot_names_is_refused() {
    for by in [-1, 1] {
        each_entry_must_match(
            |entry| entry["length"] = json!(entry["length"].as_i64().unwrap() + by),
            |listed| listed.length = listed.length.strict_add_signed(by),
        );
    }
}

#[test]
fn a_file_that_matches_only_one_of_its_digests_is_refused() {
    let other = digest("another file");
    each_entry_must_match(
        |entry| entry["hashes"]["sha256"] = json!(STANDARD.encode(other.as_bytes())),
        |listed| listed.sha256 = Some(other),
    );
    let other = sha512(b"another file");
    each_entry_must_match(
        |entry| entry["hashes"]["sha512"] = json!(STANDARD.encode(other.as_bytes())),
        |listed| listed.sha512 = Some(other),
    );
}

#[test]
fn a_snapshot_entry_without_a_known_digest_is_refused() {
    let hashes = [json!({}), json!(null), json!({"sha1": "AAAA"}), json!({"SHA256": "AAAA"})];
    for hashes in hashes {
        let (twins, author) = (Twins::new(), Author::new(Forge::new(REPOSITORY)));
        let (right, wrong) = with_entries_changed(&author, |entry| entry["hashes"] = hashes.clone());
        let names = wrong.each_ref().map(|(name, _)| *name);
        let refusals = twins.mirror_each(&right.set(), wrong.map(|(_, parts)| parts.set()));
        for (refusal, name) in refusals.into_iter().zip(names) {
            let file = if name == "snapshot" { "timestamp" } else { "snapshot" };
            let said = format!("the entry for {name} has no digest that it needs");
            refusal.is_malformed(file, ParseError::MissingHash { role: role(name) }, &said);
        }
    }
}

#[test]
fn a_snapshot_that_names_a_missing_file_is_refused() {
    let (twins, author) = (Twins::new(), Author::new(Forge::new(REPOSITORY)));
    let releases = author.releases(1, &[]);
    let right = author.forge.parts_of(1, author.targets(1), &[("targets/releases", releases)]);
    let mut wrong = right.clone();
    wrong.delegations.clear();
    twins.mirror(&right.set(), &wrong.set()).is_untrusted(
        "snapshot",
        TrustError::Missing { role: role("targets/releases") },
        "targets/releases is named, but its file is missing",
    );
}

#[test]
fn an_uploaded_snapshot_that_names_a_missing_file_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge_with_snapshot_key();
    let author = Author::new(forge);
    let (root, targets) = (author.root(), author.targets(1));
    let with = |snapshot: ForgedFile| {
        upload([("root", root.clone()), ("targets", targets.clone()), ("snapshot", snapshot.bytes())])
    };
    let right = author.forge.snapshot(1, &[("root", &root), ("targets", &targets)]);
    let wrong = author.snapshot(1, &targets, &author.releases(1, &[]));
    twins.publish(&with(right), &with(wrong)).is_untrusted(
        "snapshot",
        TrustError::Missing { role: role("targets/releases") },
        "targets/releases is named, but its file is missing",
    );
}

#[test]
fn what_a_snapshot_names_beyond_the_tree_is_warned_of_and_never_served() {
    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    let author = Author::new(forge.clone());
    let mut parts = forge.parts(1, &[]);
    parts.snapshot = author.snapshot(1, &parts.targets, b"whatever").bytes();
    parts.timestamp = forge.timestamp(1, &parts.snapshot).bytes();
    let warnings = twins.accepted_mirror(&parts.set()).warnings;
    assert_eq!(warnings, [Warning::Stray { role: role("targets/releases") }]);
    assert_eq!(warnings[0].to_string(), "the snapshot names targets/releases, which nobody delegates to");
    let view = twins.store().view(&forge.repository).unwrap().unwrap();
    assert_eq!(view.document(&role("targets/releases")), None);
}

#[test]
fn a_snapshot_that_drops_a_delegation_is_refused() {
    let twins = Twins::new();
    let author = Author::new(twins.forge_with_snapshot_key());
    twins.both_publish(&author.first());
    let (root, targets, releases) = (author.root(), author.targets(1), author.releases(1, &[]));
    let rule = || TrustError::NotListed { listed_by: role("snapshot"), role: role("targets/releases") };
    let said = "snapshot does not name targets/releases, which is part of the repository";
    let right = author.snapshot(2, &targets, &releases).bytes();
    let wrong = author.forge.snapshot(2, &[("root", &root), ("targets", &targets)]).bytes();
    twins.publish(&upload([("snapshot", right)]), &upload([("snapshot", wrong)])).is_untrusted(
        "snapshot",
        rule(),
        said,
    );

    let (twins, author) = (Twins::new(), Author::new(Forge::new(REPOSITORY)));
    let set = |version, file: &Arc<[u8]>| {
        author.forge.parts_of(version, author.targets(1), &[("targets/releases", file.clone())])
    };
    twins.both_mirror(&set(1, &releases).set());
    // Who holds the online keys alone cannot hide it, with its file or without.
    let without = author.forge.parts_of(2, author.targets(1), &[]);
    let mut unnamed = without.clone();
    unnamed.delegations.insert(role("targets/releases"), releases.clone());
    for refusal in twins.mirror_each(&set(2, &releases).set(), [unnamed.set(), without.set()]) {
        refusal.is_untrusted("snapshot", rule(), said);
    }
}

#[test]
fn a_delegation_that_its_parent_ended_may_leave_the_snapshot() {
    let (twins, author) = (Twins::new(), Author::new(Forge::new(REPOSITORY)));
    let releases = author.releases(1, &[]);
    let set = author.forge.parts_of(1, author.targets(1), &[("targets/releases", releases)]);
    twins.both_mirror(&set.set());
    twins.both_mirror(&author.forge.complete(2, &[]));
}

#[test]
fn a_snapshot_without_root_or_targets_is_refused() {
    let (twins, author) = (Twins::new(), Author::new(Forge::new(REPOSITORY)));
    let (right, _) = with_entries_changed(&author, |_| {});
    let releases = &right.delegations[&role("targets/releases")];
    let wrong = ["root", "targets"].map(|name| {
        let mut parts = right.clone();
        let file = author.snapshot(1, &right.targets, releases);
        parts.snapshot =
            file.edit(|signed| drop(signed["meta"].as_object_mut().unwrap().remove(name))).bytes();
        parts.timestamp = author.forge.timestamp(1, &parts.snapshot).bytes();
        parts.set()
    });
    for (refusal, name) in twins.mirror_each(&right.set(), wrong).into_iter().zip(["root", "targets"]) {
        let reason = ParseError::MissingRole { role: role(name) };
        refusal.is_malformed("snapshot", reason, &format!("no entry for {name}"));
    }
}

#[test]
fn a_file_of_another_type_is_refused() {
    let kinds =
        [("root", "Root"), ("targets", "Targets"), ("targets/releases", "Targets"), ("snapshot", "Snapshot")];
    let twins = Twins::new();
    let author = Author::new(twins.forge_with_snapshot_key());
    let (root, targets, releases) = (author.root(), author.targets(1), author.releases(1, &[]));
    let files = [root, targets.clone(), releases.clone(), author.snapshot(1, &targets, &releases).bytes()];
    let right = [0, 1, 2, 3].map(|at| (kinds[at].0, files[at].clone()));
    let with = |place: usize, bytes: Arc<[u8]>| {
        let mut wrong = right.clone();
        wrong[place].1 = bytes;
        upload(wrong)
    };
    // Another role's file, and its own with a type that only looks alike.
    let others = [0, 1, 2, 3].map(|place| with(place, files[[3, 0, 3, 1][place]].clone()));
    let alike = [
        with(0, author.forge.root(1).with("_type", json!("root")).bytes()),
        with(1, author.forge.targets(1, &[]).with("_type", json!("targets")).bytes()),
        with(
            2,
            ForgedFile::targets(1, &[])
                .with("_type", json!("Delegation"))
                .signed_by(&author.releases.keys)
                .bytes(),
        ),
        with(3, author.snapshot(1, &targets, &releases).with("_type", json!("snapshot")).bytes()),
    ];
    for (twins, wrong) in [(twins, others), (Twins::new(), alike)] {
        let refusals = twins.publish_each(&upload(right.clone()), wrong);
        for (refusal, (name, expected)) in refusals.into_iter().zip(kinds) {
            let said = format!("the file does not say that it is of type {expected}");
            refusal.is_malformed(name, ParseError::WrongRole { expected }, &said);
        }
    }
}

/// Whom the current snapshot of a store names.
fn named_by_snapshot(twins: &Twins, forge: &Forge) -> Value {
    let view = twins.store().view(&forge.repository).unwrap().unwrap();
    let file: Value = serde_json::from_slice(view.document(&role("snapshot")).unwrap().bytes()).unwrap();
    file["signed"]["meta"].clone()
}

#[test]
fn a_snapshot_made_here_names_every_current_role_and_no_other() {
    let twins = Twins::new();
    let author = Author::new(twins.forge());
    let names = || -> BTreeSet<String> {
        named_by_snapshot(&twins, &author.forge).as_object().unwrap().keys().cloned().collect()
    };
    let files = [("root", author.root()), ("targets", author.targets(1))];
    twins.accepted(&upload(files).with(role("targets/releases"), author.releases(1, &[])));
    assert_eq!(names(), ["root", "targets", "targets/releases"].map(str::to_owned).into());
    twins.accepted(&upload([("targets", author.forge.targets(2, &[]).bytes())]));
    assert_eq!(names(), ["root", "targets"].map(str::to_owned).into());
    // Made anew, it begins anew: what was signed for the ended one does not come back.
    twins.accepted(&upload([("targets", author.targets(3))]));
    assert_eq!(names(), ["root", "targets"].map(str::to_owned).into());
}

#[test]
fn a_snapshot_made_here_names_the_bytes_as_they_were_received() {
    let twins = Twins::new();
    let forge = twins.forge();
    let spaced = forge.targets(1, &[]).replaced(r#"{"signed":"#, "  {\n\"signed\" :");
    twins.accepted(&upload([("root", forge.roots[0].clone()), ("targets", spaced.clone())]));
    let entry = &named_by_snapshot(&twins, &forge)["targets"];
    assert_eq!(entry["length"], json!(spaced.len()));
    assert_eq!(entry["hashes"]["sha256"], json!(STANDARD.encode(sha256(&spaced).as_bytes())));
    let view = twins.store().view(&forge.repository).unwrap().unwrap();
    assert_eq!(*view.document(&role("targets")).unwrap().bytes(), spaced);
}

#[test]
fn a_digest_is_found_only_under_its_own_role() {
    let twins = Twins::in_folders();
    let author = Author::new(twins.forge());
    let releases = author.releases(1, &[]);
    let files = [("root", author.root()), ("targets", author.targets(1))];
    twins.accepted(&upload(files).with(role("targets/releases"), releases.clone()));
    let found = |name| {
        twins
            .store()
            .history(&author.forge.repository, &role(name), sha256(&releases))
            .unwrap()
            .map(|found| found.document)
    };
    assert_eq!(found("targets/releases").map(|document| document.bytes().clone()), Some(releases.clone()));
    for name in ["targets", "root", "snapshot", "timestamp", "targets/other"] {
        assert_eq!(found(name), None, "{name}");
    }
}
