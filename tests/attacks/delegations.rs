//! Who may speak for which tag.

use serde_json::json;
use tufstore::terms::Sha256;
use tufstore::{Lookup, ParseError, SignedIn, TrustError, Warning};
use tufstore_testkit::{Forge, ForgedFile, ForgedKey, ForgedSigners, digest};

use crate::twins::{Twins, role, threshold, upload};

fn key(label: &str) -> ForgedSigners {
    ForgedSigners::one(ForgedKey::seeded(label))
}

/// What a tag stands for, and by whom.
#[track_caller]
fn found(twins: &Twins, tag: &str) -> (Sha256, SignedIn) {
    let answer = twins.lookup(tag);
    let Lookup::Found(found) = answer else { panic!("{tag}: {answer:?}") };
    (found.target.sha256, found.target.from)
}

/// The tags that a view shows of one role.
fn tags_of(twins: &Twins, forge: &Forge, name: &str) -> Vec<String> {
    let view = twins.store().view(&forge.repository).unwrap().unwrap();
    view.targets_of(&role(name)).map(|target| target.tag.to_owned()).collect()
}

/// A first publication: `targets` with these tags, and `targets/releases` for these paths with tags of its own.
fn publish_released(
    twins: &Twins,
    tags: &[(&str, Sha256)],
    paths: &[&str],
    below: &[(&str, Sha256)],
) -> (Forge, Vec<Warning>) {
    let (forge, releases) = (twins.forge(), key("releases"));
    let targets = forge.targets(1, tags).delegating("targets/releases", &releases, paths).bytes();
    let file = ForgedFile::targets(1, below).signed_by(&releases.keys).bytes();
    let files = [("root", forge.roots[0].clone()), ("targets", targets), ("targets/releases", file)];
    let warnings = twins.accepted(&upload(files)).warnings;
    (forge, warnings)
}

#[test]
fn a_tag_outside_its_delegations_paths_is_never_looked_up() {
    let tags = [("v1.0", digest("inside")), ("v2.0", digest("outside")), ("v3.0", digest("outside"))];
    let right = Twins::in_folders();
    let (_, warnings) = publish_released(&right, &[], &["v"], &tags);
    assert_eq!(warnings, []);
    assert_eq!(found(&right, "v2.0"), (digest("outside"), SignedIn::Releases));

    let wrong = Twins::in_folders();
    let (forge, warnings) = publish_released(&wrong, &[("v3.0", digest("targets'"))], &["v1"], &tags);
    let outside = Warning::OutsidePaths { role: role("targets/releases"), count: 2, first: "v2.0".into() };
    let said = "targets/releases names 2 tags outside its paths, v2.0 among them, which clients do not see";
    assert_eq!((warnings[0].to_string().as_str(), warnings), (said, vec![outside]));
    assert_eq!(found(&wrong, "v1.0"), (digest("inside"), SignedIn::Releases));
    assert_eq!(wrong.lookup("v2.0"), Lookup::NoSuchTag);
    assert_eq!(found(&wrong, "v3.0"), (digest("targets'"), SignedIn::Targets));
    assert_eq!(tags_of(&wrong, &forge, "targets/releases"), ["v1.0"]);
}

#[test]
fn a_delegation_without_paths_speaks_for_no_tag() {
    let tags = [("v1.0", digest("a manifest"))];
    let (right, wrong) = (Twins::new(), Twins::new());
    assert_eq!(publish_released(&right, &[], &[""], &tags).1, []);
    assert!(matches!(right.lookup("v1.0"), Lookup::Found(_)));
    let (forge, warnings) = publish_released(&wrong, &[], &[], &tags);
    let outside = Warning::OutsidePaths { role: role("targets/releases"), count: 1, first: "v1.0".into() };
    assert_eq!(warnings, [outside]);
    assert_eq!(wrong.lookup("v1.0"), Lookup::NoSuchTag);
    assert_eq!(tags_of(&wrong, &forge, "targets/releases"), [""; 0]);
}

#[test]
fn a_delegation_cannot_pass_on_paths_it_does_not_have() {
    // What a child of a role for `v1` may sign, by the paths that the role gives it.
    for (paths, seen) in [(["v1.", "v1"], vec!["v1.0"]), (["v2", ""], vec![])] {
        let twins = Twins::new();
        let (forge, alice, below) = (twins.forge(), key("alice"), key("below"));
        let targets = forge.targets(1, &[]).delegating("targets/alice", &alice, &["v1"]).bytes();
        let file = ForgedFile::targets(1, &[]).delegating("targets/alice/below", &below, &paths);
        let file = file.signed_by(&alice.keys).bytes();
        let tags = [("v1.0", digest("one")), ("v2.0", digest("two"))];
        let child = ForgedFile::targets(1, &tags).signed_by(&below.keys).bytes();
        twins.accepted(&upload([
            ("root", forge.roots[0].clone()),
            ("targets", targets),
            ("targets/alice", file),
            ("targets/alice/below", child),
        ]));
        assert_eq!(tags_of(&twins, &forge, "targets/alice/below"), seen, "{paths:?}");
    }
}

#[test]
fn docker_is_answered_by_targets_releases_then_targets_and_no_other() {
    let twins = Twins::new();
    let forge = twins.forge();
    let [alice, releases, below] = ["alice", "releases", "below"].map(key);
    let in_targets =
        [("both", digest("targets'")), ("hidden", digest("targets'")), ("one", digest("targets'"))];
    let targets = forge.targets(1, &in_targets).delegating("targets/alice", &alice, &[""]).delegating(
        "targets/releases",
        &releases,
        &[""],
    );
    let file = ForgedFile::targets(1, &[("both", digest("releases'"))])
        .delegating("targets/releases/below", &below, &[""])
        .signed_by(&releases.keys);
    let others = [("both", digest("hers")), ("one", digest("hers")), ("hers", digest("hers"))];
    let hidden = [("hidden", digest("theirs")), ("both", digest("theirs"))];
    twins.accepted(&upload([
        ("root", forge.roots[0].clone()),
        ("targets", targets.bytes()),
        ("targets/alice", ForgedFile::targets(1, &others).signed_by(&alice.keys).bytes()),
        ("targets/releases", file.bytes()),
        ("targets/releases/below", ForgedFile::targets(1, &hidden).signed_by(&below.keys).bytes()),
    ]));
    assert_eq!(found(&twins, "both"), (digest("releases'"), SignedIn::Releases));
    assert_eq!(found(&twins, "one"), (digest("targets'"), SignedIn::Targets));
    assert_eq!(twins.lookup("hers"), Lookup::NoSuchTag);
    // Docker finds it in a role below first, and refuses what that role says.
    assert_eq!(twins.lookup("hidden"), Lookup::NoSuchTag);
}

/// A file that delegates to this name is refused, though its own signature is right.
#[track_caller]
fn is_no_child<const N: usize>(file: &str, right: &str, wrong: [&str; N]) {
    let twins = Twins::new();
    let (forge, alice, any) = (twins.forge(), key("alice"), key("any"));
    let targets = forge.targets(1, &[]).delegating("targets/alice", &alice, &[""]);
    let with = |name| {
        let above = if file == "targets" { targets.clone() } else { ForgedFile::targets(1, &[]) };
        let keys = if file == "targets" { &[] } else { &*alice.keys };
        let bytes = above.delegating(name, &any, &[""]).signed_by(keys).bytes();
        let root = ("root", forge.roots[0].clone());
        match file {
            "targets" => upload([root, ("targets", bytes)]),
            _ => upload([root, ("targets", targets.bytes()), ("targets/alice", bytes)]),
        }
    };
    let refusals = twins.publish_each(&with(right), wrong.map(with));
    for (refusal, name) in refusals.into_iter().zip(wrong) {
        let reason = ParseError::NotAChild { role: role(name) };
        refusal.is_malformed(file, reason, &format!("{name} is no child of the role that delegates to it"));
    }
}

#[test]
fn a_delegation_to_itself_or_upward_is_refused() {
    is_no_child("targets/alice", "targets/alice/below", ["targets/alice", "targets", "root", "timestamp"]);
    is_no_child("targets", "targets/bob", ["targets", "snapshot"]);
}

#[test]
fn a_delegation_listed_outside_its_parent_is_refused() {
    is_no_child(
        "targets/alice",
        "targets/alice/below",
        ["targets/bob", "targets/bob/below", "targets/alice2/x"],
    );
    is_no_child("targets", "targets/bob", ["targets/bob/below", "targets/alice/below"]);
    is_no_child("targets/alice", "targets/alice/below", ["targets/alice/below/deeper"]);
}

#[test]
fn a_delegation_listed_twice_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let [one, two] = ["one", "two"].map(key);
    let with = |second: &str| {
        let file = forge.targets(2, &[]).delegating("targets/releases", &one, &["v"]);
        upload([("targets", file.delegating(second, &two, &["v"]).bytes())])
    };
    twins.publish(&with("targets/other"), &with("targets/releases")).is_malformed(
        "targets",
        ParseError::DuplicateDelegation { role: role("targets/releases") },
        "targets/releases is delegated to twice",
    );
}

#[test]
fn a_delegation_that_lists_a_key_which_nobody_describes_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let right = forge.targets(2, &[]).delegating("targets/releases", &key("releases"), &[""]);
    let id = key("releases").keys[0].id();
    let wrong = right.clone().edit(|signed| signed["delegations"]["keys"] = json!({}));
    twins.publish(&upload([("targets", right.bytes())]), &upload([("targets", wrong.bytes())])).is_malformed(
        "targets",
        ParseError::UnknownKey { role: role("targets/releases"), key: id },
        &format!("targets/releases lists key {id}, which the file does not describe"),
    );
}

#[test]
fn a_delegation_that_lost_its_signers_answers_nothing_and_is_warned_of() {
    let twins = Twins::in_folders();
    let tags = [("v1.0", digest("a manifest"))];
    let (forge, warnings) = publish_released(&twins, &[], &[""], &tags);
    assert_eq!(warnings, []);
    assert!(matches!(twins.lookup("v1.0"), Lookup::Found(_)));
    let new = key("new signers");
    let targets = forge.targets(2, &[]).delegating("targets/releases", &new, &[""]).bytes();
    let lost = Warning::Untrusted {
        role: role("targets/releases"),
        source: TrustError::TooFewKeys { valid: 0, threshold: threshold(1) },
    };
    assert_eq!(twins.accepted(&upload([("targets", targets.clone())])).warnings, [lost]);
    assert_eq!(twins.lookup("v1.0"), Lookup::NoSuchTag);
    assert_eq!(tags_of(&twins, &forge, "targets/releases"), [""; 0]);
    // Its file is still there, for whoever mends it.
    let mended = ForgedFile::targets(2, &tags).signed_by(&new.keys).bytes();
    assert_eq!(twins.accepted(&upload([("targets/releases", mended)])).warnings, []);
    assert!(matches!(twins.lookup("v1.0"), Lookup::Found(_)));
}

#[test]
fn a_mirrored_delegation_by_a_stranger_answers_nothing_and_is_warned_of() {
    let forge = Forge::new(crate::twins::REPOSITORY);
    let releases = key("releases");
    let tags = [("v1.0", digest("a manifest"))];
    let targets = forge.targets(1, &[]).delegating("targets/releases", &releases, &[""]).bytes();
    let signed_by = |keys: &ForgedSigners| {
        let file = ForgedFile::targets(1, &tags).signed_by(&keys.keys).bytes();
        forge.parts_of(1, targets.clone(), &[("targets/releases", file)]).set()
    };
    let (right, wrong) = (Twins::new(), Twins::new());
    assert_eq!(right.accepted_mirror(&signed_by(&releases)).warnings, []);
    assert!(matches!(right.lookup("v1.0"), Lookup::Found(_)));
    let lost = Warning::Untrusted {
        role: role("targets/releases"),
        source: TrustError::TooFewKeys { valid: 0, threshold: threshold(1) },
    };
    assert_eq!(wrong.accepted_mirror(&signed_by(&key("a stranger"))).warnings, [lost]);
    assert_eq!(wrong.lookup("v1.0"), Lookup::NoSuchTag);
}

#[test]
fn a_mirrored_delegation_whose_keys_its_parent_replaced_answers_nothing() {
    let forge = Forge::new(crate::twins::REPOSITORY);
    let (old, new) = (key("releases"), key("new releases"));
    let file = ForgedFile::targets(1, &[("v1.0", digest("a manifest"))]).signed_by(&old.keys).bytes();
    let set = |version, keys| {
        let targets = forge.targets(version, &[]).delegating("targets/releases", keys, &[""]).bytes();
        forge.parts_of(version, targets, &[("targets/releases", file.clone())]).set()
    };
    let twins = Twins::new();
    assert_eq!(twins.accepted_mirror(&set(1, &old)).warnings, []);
    assert_eq!(twins.accepted_mirror(&set(2, &old)).warnings, []);
    assert!(matches!(twins.lookup("v1.0"), Lookup::Found(_)));
    // These very bytes were believed before, but under keys that no longer count.
    let lost = Warning::Untrusted {
        role: role("targets/releases"),
        source: TrustError::TooFewKeys { valid: 0, threshold: threshold(1) },
    };
    assert_eq!(twins.accepted_mirror(&set(3, &new)).warnings, [lost]);
    assert_eq!(twins.lookup("v1.0"), Lookup::NoSuchTag);
}

#[test]
fn a_file_below_a_delegation_that_the_same_upload_ends_is_refused() {
    let twins = Twins::new();
    let (forge, alice, below) = (twins.forge(), key("alice"), key("below"));
    let targets = |version| forge.targets(version, &[]).delegating("targets/alice", &alice, &[""]);
    let hers = ForgedFile::targets(1, &[]).delegating("targets/alice/below", &below, &[""]);
    let hers = ("targets/alice", hers.signed_by(&alice.keys).bytes());
    let file = ("targets/alice/below", ForgedFile::targets(1, &[]).signed_by(&below.keys).bytes());
    twins.both_publish(&upload([("root", forge.roots[0].clone()), ("targets", targets(1).bytes()), hers]));
    let right = upload([("targets", targets(2).bytes()), file.clone()]);
    let wrong = upload([("targets", forge.targets(2, &[]).bytes()), file]);
    twins.publish(&right, &wrong).is_untrusted(
        "targets/alice/below",
        TrustError::UnknownDelegation { role: role("targets/alice/below") },
        "no delegation to targets/alice/below exists",
    );
}
