//! Who signed: thresholds are counted in keys, by their material.

use serde_json::json;
use tufstore::terms::Sha256;
use tufstore::{ParseError, TrustError};
use tufstore_testkit::{Forge, ForgedFile, ForgedKey, ForgedSigners, digest};

use crate::twins::{Refusal, Twins, role, stranger, too_few, upload};

fn tags() -> [(&'static str, Sha256); 1] {
    [("3.22", digest("a manifest"))]
}

/// Stores that took a first publication, and who made it.
fn published(change: impl FnOnce(&mut Forge)) -> (Twins, Forge) {
    let twins = Twins::new();
    let mut forge = twins.forge();
    change(&mut forge);
    let forge = forge.begun();
    twins.both_publish(&forge.first_upload(&[]));
    (twins, forge)
}

#[test]
fn metadata_signed_by_a_strangers_key_is_refused() {
    let twins = Twins::in_folders();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let by_stranger = ForgedFile::targets(2, &tags()).signed_by(&stranger().keys);
    let refusal = twins.publish(
        &upload([("targets", forge.targets(2, &tags()).bytes())]),
        &upload([("targets", by_stranger.bytes())]),
    );
    let (rule, message) = too_few(0, 1);
    refusal.is_untrusted("targets", rule, &message);
}

#[test]
fn a_mirrored_file_signed_by_a_strangers_key_is_refused() {
    let (twins, forge) = (Twins::in_folders(), Forge::new(crate::twins::REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let liar = |change: fn(&mut Forge)| {
        let mut liar = forge.clone();
        change(&mut liar);
        liar.complete(2, &tags())
    };
    let wrong = [
        liar(|forge| forge.targets = stranger()),
        liar(|forge| forge.snapshot = stranger()),
        liar(|forge| forge.timestamp = stranger()),
    ];
    let refusals = twins.mirror_each(&forge.complete(2, &tags()), wrong);
    for (refusal, name) in refusals.into_iter().zip(["targets", "snapshot", "timestamp"]) {
        let (rule, message) = too_few(0, 1);
        refusal.is_untrusted(name, rule, &message);
    }
}

#[test]
fn an_uploaded_snapshot_signed_by_a_strangers_key_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge_with_snapshot_key();
    let targets = forge.targets(1, &tags()).bytes();
    let root = forge.roots[0].clone();
    let named = [("root", &*root), ("targets", &*targets)];
    let with = |snapshot: ForgedFile| {
        upload([("root", root.clone()), ("targets", targets.clone()), ("snapshot", snapshot.bytes())])
    };
    let by_stranger = ForgedFile::snapshot(1, &named).signed_by(&stranger().keys);
    let refusal = twins.publish(&with(forge.snapshot(1, &named)), &with(by_stranger));
    let (rule, message) = too_few(0, 1);
    refusal.is_untrusted("snapshot", rule, &message);
}

#[test]
fn a_delegation_signed_by_keys_its_parent_does_not_list_is_refused() {
    let (twins, forge) = published(|_| {});
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let targets = forge.targets(2, &[]).delegating("targets/releases", &releases, &[""]).bytes();
    let with = |file: ForgedFile| upload([("targets", targets.clone()), ("targets/releases", file.bytes())]);
    let file = ForgedFile::targets(1, &tags());
    let refusals = twins.publish_each(
        &with(file.clone().signed_by(&releases.keys)),
        // The key of the role above vouches for the list of keys, not for what they sign.
        [with(file.clone().signed_by(&stranger().keys)), with(file.signed_by(&forge.targets.keys))],
    );
    for refusal in refusals {
        let (rule, message) = too_few(0, 1);
        refusal.is_untrusted("targets/releases", rule, &message);
    }
}

#[test]
fn a_delegation_that_no_parent_lists_is_refused() {
    let (twins, forge) = published(|_| {});
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let file = |version| ForgedFile::targets(version, &tags()).signed_by(&releases.keys).bytes();
    let targets = forge.targets(2, &[]).delegating("targets/releases", &releases, &[""]).bytes();
    let right = upload([("targets", targets.clone()), ("targets/releases", file(1))]);
    let wrong = [
        upload([("targets/releases", file(1))]),
        upload([("targets", targets.clone()), ("targets/other", file(1))]),
        upload([("targets", targets), ("targets/releases/below", file(1))]),
    ];
    let refusals = twins.publish_each(&right, wrong);
    for (refusal, name) in
        refusals.into_iter().zip(["targets/releases", "targets/other", "targets/releases/below"])
    {
        let rule = TrustError::UnknownDelegation { role: role(name) };
        refusal.is_untrusted(name, rule, &format!("no delegation to {name} exists"));
    }
}

#[test]
fn one_key_of_two_does_not_meet_a_threshold_of_two() {
    let pair = ["one", "two"].map(ForgedKey::seeded);
    let (twins, forge) = published(|forge| forge.targets = ForgedSigners::new(pair.clone(), 2));
    let one = ForgedFile::targets(2, &tags()).signed_by(&pair[..1]);
    let refusal = twins.publish(
        &upload([("targets", forge.targets(2, &tags()).bytes())]),
        &upload([("targets", one.bytes())]),
    );
    let (rule, message) = too_few(1, 2);
    refusal.is_untrusted("targets", rule, &message);
}

#[test]
fn one_key_signing_twice_does_not_meet_a_threshold_of_two() {
    let pair = ["one", "two"].map(ForgedKey::seeded);
    let (twins, forge) = published(|forge| forge.targets = ForgedSigners::new(pair.clone(), 2));
    let twice = ForgedFile::targets(2, &tags()).signed_by([&pair[0], &pair[0]]);
    let refusal = twins.publish(
        &upload([("targets", forge.targets(2, &tags()).bytes())]),
        &upload([("targets", twice.bytes())]),
    );
    let (rule, message) = too_few(1, 2);
    refusal.is_untrusted("targets", rule, &message);
}

#[test]
fn one_online_key_signing_twice_does_not_meet_a_mirrored_threshold_of_two() {
    let pair = ["one", "two"].map(ForgedKey::seeded);
    let twins = Twins::new();
    let mut forge = Forge::new(crate::twins::REPOSITORY);
    forge.snapshot = ForgedSigners::new(pair.clone(), 2);
    forge.timestamp = ForgedSigners::new(pair.clone(), 2);
    let forge = forge.begun();
    let twice = ForgedSigners::new([pair[0].clone(), pair[0].clone()], 2);
    let wrong = [
        Forge { snapshot: twice.clone(), ..forge.clone() }.complete(1, &tags()),
        Forge { timestamp: twice, ..forge.clone() }.complete(1, &tags()),
    ];
    let refusals = twins.mirror_each(&forge.complete(1, &tags()), wrong);
    for (refusal, name) in refusals.into_iter().zip(["snapshot", "timestamp"]) {
        let (rule, message) = too_few(1, 2);
        refusal.is_untrusted(name, rule, &message);
    }
}

#[test]
fn one_root_key_signing_twice_does_not_meet_a_threshold_of_two() {
    let twins = Twins::new();
    let mut forge = twins.forge();
    let pair = ["one", "two"].map(|label| ForgedKey::root(label, &forge.repository));
    forge.root = ForgedSigners::new(pair.clone(), 2);
    let mut forge = forge.begun();
    let twice =
        |forge: &Forge, version| forge.root(version).unsigned().signed_by([&pair[0], &pair[0]]).bytes();
    let targets = forge.targets(1, &tags()).bytes();

    let right = forge.first_upload(&tags());
    let refusal = twins.publish(&right, &upload([("root", twice(&forge, 1)), ("targets", targets)]));
    let (rule, message) = too_few(1, 2);
    refusal.is_untrusted("root", rule, &message);

    // The next one needs two keys of the root before, though its own are content with one.
    forge.rotate(|forge| forge.root.threshold = 1);
    let refusal =
        twins.publish(&upload([("root", forge.roots[1].clone())]), &upload([("root", twice(&forge, 2))]));
    let rule = TrustError::NotSignedByTrustedRoot {
        valid: 1,
        threshold: crate::twins::threshold(2),
        trusted: crate::twins::version(1),
    };
    refusal.is_untrusted("root", rule, "1 of the 2 root keys needed from root 1 have signed the new root");
}

#[test]
fn one_key_signing_twice_does_not_meet_a_delegations_threshold_of_two() {
    let (twins, forge) = published(|_| {});
    let pair = ["one", "two"].map(ForgedKey::seeded);
    let releases = ForgedSigners::new(pair.clone(), 2);
    let targets = forge.targets(2, &[]).delegating("targets/releases", &releases, &[""]).bytes();
    let with = |keys: [&ForgedKey; 2]| {
        let file = ForgedFile::targets(1, &tags()).signed_by(keys).bytes();
        upload([("targets", targets.clone()), ("targets/releases", file)])
    };
    let refusal = twins.publish(&with([&pair[0], &pair[1]]), &with([&pair[0], &pair[0]]));
    let (rule, message) = too_few(1, 2);
    refusal.is_untrusted("targets/releases", rule, &message);
}

#[test]
fn a_file_that_bears_no_signature_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge_with_snapshot_key();
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let delegated = ForgedFile::targets(1, &tags()).signed_by(&releases.keys);
    let targets = forge.targets(1, &[]).delegating("targets/releases", &releases, &[""]);
    let root = forge.root(1);
    // The root is signed but once; what names it has to name the bytes that are uploaded.
    let [root_bytes, targets_bytes, delegated_bytes] =
        [forge.roots[0].clone(), targets.bytes(), delegated.bytes()];
    let names =
        [("root", &*root_bytes), ("targets", &*targets_bytes), ("targets/releases", &*delegated_bytes)];
    let snapshot = forge.snapshot(1, &names);
    let all = [
        ("root", root_bytes.clone()),
        ("targets", targets_bytes.clone()),
        ("targets/releases", delegated_bytes.clone()),
        ("snapshot", snapshot.bytes()),
    ];
    let without = [root, targets, delegated, snapshot].map(|file| file.unsigned().bytes());
    let wrong = [0, 1, 2, 3].map(|at| {
        let mut files = all.clone();
        files[at].1 = without[at].clone();
        upload(files)
    });
    let refusals = twins.publish_each(&upload(all), wrong);
    for (refusal, name) in refusals.into_iter().zip(["root", "targets", "targets/releases", "snapshot"]) {
        refusal.is_untrusted(name, TrustError::NoSignatures, "it bears no signature");
    }
}

#[test]
fn foreign_empty_and_broken_signatures_never_count_and_do_no_harm() {
    let (twins, forge) = published(|_| {});
    let key = &forge.targets.keys[0];
    let mut empty = key.sign(b"");
    empty.bytes.clear();
    let mut cut = key.sign(&forge.targets(2, &tags()).message());
    cut.bytes.pop();
    let mut nameless = key.sign(b"");
    nameless.key = "no key's id".to_owned();
    let beside = ForgedFile::targets(2, &tags())
        .signed_by(&stranger().keys)
        .with_signature(empty)
        .with_signature(cut)
        .with_signature(nameless)
        .with_signature(key.sign(b"another message"));
    let right = beside.clone().signed_by([key]);
    let refusal =
        twins.publish(&upload([("targets", right.bytes())]), &upload([("targets", beside.bytes())]));
    let (rule, message) = too_few(0, 1);
    refusal.is_untrusted("targets", rule, &message);
}

#[test]
fn what_was_changed_after_it_was_signed_is_refused() {
    let (twins, forge) = published(|_| {});
    let file = forge.targets(2, &tags());
    let right = upload([("targets", file.bytes())]);
    let wrong = [
        upload([("targets", file.replaced("3.22", "3.23"))]),
        upload([("targets", file.replaced("1024", "1025"))]),
        upload([("targets", file.replaced(r#""version":2"#, r#""version":3"#))]),
    ];
    for refusal in twins.publish_each(&right, wrong) {
        let (rule, message) = too_few(0, 1);
        refusal.is_untrusted("targets", rule, &message);
    }
}

#[test]
fn a_threshold_of_zero_or_less_is_refused() {
    let forge = Twins::new().forge();
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let targets = forge.targets(1, &[]).delegating("targets/releases", &releases, &[""]);
    let first =
        |targets: &ForgedFile| upload([("root", forge.roots[0].clone()), ("targets", targets.bytes())]);
    let values = [json!(0), json!(-1), json!("1"), json!(null), json!(1_u64 << 32)];
    let in_root = values.clone().map(|value| {
        let root = forge.root(1).edit(|signed| signed["roles"]["targets"]["threshold"] = value);
        upload([("root", root.bytes()), ("targets", targets.bytes())])
    });
    let in_targets = values.map(|value| {
        first(&targets.clone().edit(|signed| signed["delegations"]["roles"][0]["threshold"] = value))
    });
    let fractions = ["1.5", "1.0", "1e0"].map(|number| {
        let file = targets.replaced(r#""threshold":1"#, &format!(r#""threshold":{number}"#));
        upload([("root", forge.roots[0].clone()), ("targets", file)])
    });
    let is_refused = |refusal: Refusal, file: &str, of: &str| {
        let said = format!("the threshold of {of} is no positive integer");
        refusal.is_malformed(file, ParseError::Threshold { role: role(of) }, &said);
    };
    let right = first(&targets);
    for refusal in Twins::new().publish_each(&right, in_root) {
        is_refused(refusal, "root", "targets");
    }
    for refusal in Twins::new().publish_each(&right, in_targets) {
        is_refused(refusal, "targets", "targets/releases");
    }
    for refusal in Twins::new().publish_each(&right, fractions) {
        is_refused(refusal, "targets", "targets/releases");
    }
}
