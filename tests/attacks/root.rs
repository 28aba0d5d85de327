//! How trust begins and moves on.

use tufstore::crypto::{KeyAlgorithm, sha256};
use tufstore::metadata::write::FileMeta;
use tufstore::terms::UnixTime;
use tufstore::{Lookup, TrustError};
use tufstore_keys::{KeyPem, Validity, self_signed_certificate};
use tufstore_testkit::dialect::certified_key;
use tufstore_testkit::{Forge, ForgedKey, ForgedSigners, NOW, digest, seeded_key};

use crate::twins::{REPOSITORY, Twins, parts_at, role, threshold, too_few, upload, version};

const DAY: core::time::Duration = core::time::Duration::from_hours(24);

/// Stores that took a first publication, and who is about to change the root's key.
fn about_to_rotate(twins: &Twins) -> (Forge, ForgedSigners) {
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let new = ForgedSigners::one(ForgedKey::root("a new key", &forge.repository));
    (forge, new)
}

#[test]
fn a_root_signed_only_by_its_new_keys_is_refused() {
    let twins = Twins::in_folders();
    let (mut forge, new) = about_to_rotate(&twins);
    forge.rotate(|forge| forge.root = new);
    let only_new = forge.root(2).bytes();
    let rule = TrustError::NotSignedByTrustedRoot { valid: 0, threshold: threshold(1), trusted: version(1) };
    twins.publish(&upload([("root", forge.roots[1].clone())]), &upload([("root", only_new)])).is_untrusted(
        "root",
        rule,
        "0 of the 1 root keys needed from root 1 have signed the new root",
    );
}

#[test]
fn a_root_signed_only_by_its_old_keys_is_refused() {
    let twins = Twins::in_folders();
    let (mut forge, new) = about_to_rotate(&twins);
    let old = forge.root.keys.clone();
    forge.rotate(|forge| forge.root = new);
    let only_old = forge.root(2).unsigned().signed_by(&old).bytes();
    let (rule, message) = too_few(0, 1);
    twins
        .publish(&upload([("root", forge.roots[1].clone())]), &upload([("root", only_old)]))
        .is_untrusted("root", rule, &message);
}

#[test]
fn a_mirrored_root_signed_only_by_its_new_or_its_old_keys_is_refused() {
    let (twins, mut forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let old = forge.root.keys.clone();
    forge.rotate(|forge| forge.root = ForgedSigners::one(ForgedKey::root("a new key", &forge.repository)));
    let with = |root| Forge { roots: vec![forge.roots[0].clone(), root], ..forge.clone() }.complete(2, &[]);
    let by_old = with(forge.root(2).unsigned().signed_by(&old).bytes());
    let by_new = with(forge.root(2).bytes());
    let [by_old, by_new] = twins.mirror_each(&forge.complete(2, &[]), [by_old, by_new]);
    let (rule, message) = too_few(0, 1);
    by_old.is_untrusted("root", rule, &message);
    let rule = TrustError::NotSignedByTrustedRoot { valid: 0, threshold: threshold(1), trusted: version(1) };
    by_new.is_untrusted("root", rule, "0 of the 1 root keys needed from root 1 have signed the new root");
}

#[test]
fn a_root_that_skips_a_version_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let root = |version| upload([("root", forge.root(version).bytes())]);
    twins.publish(&root(2), &root(3)).is_untrusted(
        "root",
        TrustError::VersionGap { trusted: Some(version(1)), offered: version(3) },
        "a new root must be version 2, this one is 3",
    );
}

#[test]
fn a_root_that_falls_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let root = |version| upload([("root", forge.root(version).bytes())]);
    twins.both_publish(&root(2));
    twins.publish(&root(3), &upload([("root", forge.roots[0].clone())])).is_superseded("root", 2, 1);
}

#[test]
fn a_mirrored_set_under_a_root_that_falls_is_refused() {
    let (twins, mut forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let before = forge.clone();
    forge.rotate(|_| {});
    twins.both_mirror(&forge.complete(2, &[]));
    let [old, new] = [0, 1].map(|at| forge.roots[at].clone());
    let (listed, sha256) = (FileMeta::of(&old), sha256(&new));
    let said = format!(
        "snapshot names {} bytes of root with SHA-256 {}, but there are {} with SHA-256 {sha256}",
        listed.length,
        listed.sha256.unwrap(),
        new.len()
    );
    let wrong = TrustError::WrongContent {
        listed_by: role("snapshot"),
        role: role("root"),
        listed: Box::new(listed),
        length: new.len(),
        sha256,
    };
    // The keys are the same, but the snapshot names a root that is no longer the trusted one.
    twins.mirror(&forge.complete(3, &[]), &before.complete(3, &[])).is_untrusted("snapshot", wrong, &said);
}

#[test]
fn another_root_of_the_same_version_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    // Signed anew by the same keys: other bytes.
    let other = forge.root(1).bytes();
    assert_ne!(other, forge.roots[0]);
    twins
        .publish(&upload([("root", forge.root(2).bytes())]), &upload([("root", other.clone())]))
        .is_superseded("root", 1, 1);

    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let wrong = Forge { roots: vec![forge.root(1).bytes()], ..forge.clone() };
    twins.mirror(&forge.complete(2, &[]), &wrong.complete(2, &[])).is_untrusted(
        "root",
        TrustError::SameVersion { version: version(1) },
        "version 1 is already known with other content",
    );
}

#[test]
fn a_first_root_above_version_two_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    let first =
        |version| upload([("root", forge.root(version).bytes()), ("targets", forge.targets(1, &[]).bytes())]);
    twins.publish(&first(2), &first(3)).is_untrusted(
        "root",
        TrustError::VersionGap { trusted: None, offered: version(3) },
        "a new root must be version 1 or 2, this one is 3",
    );
}

#[test]
fn a_mirrored_root_chain_with_a_gap_is_refused() {
    let (twins, mut forge) = (Twins::new(), Forge::new(REPOSITORY));
    forge.rotate(|_| {});
    forge.rotate(|_| {});
    let right = forge.parts(1, &[]);
    let mut wrong = right.clone();
    wrong.roots.remove(1);
    let said = "a new root must be version 2, this one is 3";
    let rule = TrustError::VersionGap { trusted: Some(version(1)), offered: version(3) };
    twins.mirror(&right.set(), &wrong.set()).is_untrusted("root", rule, said);
}

#[test]
fn a_mirrored_set_without_any_root_is_refused() {
    let (twins, forge) = (Twins::new(), Forge::new(REPOSITORY));
    let right = forge.parts(1, &[]);
    let mut wrong = right.clone();
    wrong.roots.clear();
    twins.mirror(&right.set(), &wrong.set()).says("NoRoot", "the set has no root, and none is trusted yet");
}

/// A root key in a certificate of one's own choosing.
fn certified(name: &str, validity: Validity) -> ForgedKey {
    let private = seeded_key(KeyAlgorithm::EcdsaP256, "certified");
    let pem = self_signed_certificate(&private, name, validity).unwrap();
    ForgedKey::of(&private).listed_as(certified_key(private.algorithm(), &pem))
}

fn days(from: i64, until: i64) -> Validity {
    let day = |number: i64| UnixTime::from_seconds(NOW.seconds() + 86_400 * number);
    Validity { from: day(from), until: day(until) }
}

/// The one first root is taken, and each of the others has no key that counts.
#[track_caller]
fn only_counts<const N: usize>(right: ForgedKey, wrong: [ForgedKey; N]) {
    let twins = Twins::new();
    let forge = twins.forge();
    let first = |key| Forge { root: ForgedSigners::one(key), ..forge.clone() }.begun().first_upload(&[]);
    for refusal in twins.publish_each(&first(right), wrong.map(first)) {
        let said = "no root key is a certificate that is valid now, strong enough, and names this repository";
        refusal.is_untrusted("root", TrustError::NoRootCertificate, said);
    }
}

#[test]
fn a_root_certificate_of_another_repository_is_refused() {
    let valid = days(-1, 1);
    let wrong = [
        "docker.io/library/alpine2",
        "docker.io/library/Alpine",
        "docker.io/library",
        "docker.io/library/b*",
        "*.io/library/alpine",
        "",
    ];
    only_counts(certified(REPOSITORY, valid), wrong.map(|name| certified(name, valid)));
    only_counts(certified("docker.io/library/*", valid), [certified("docker.io/librarian/*", valid)]);
}

#[test]
fn an_expired_root_certificate_is_refused() {
    let named = |(from, until)| certified(REPOSITORY, days(from, until));
    // A clock may be a day behind, but not two.
    only_counts(named((1, 2)), [(-10, -1), (2, 10)].map(named));
    only_counts(named((-10, 0)), []);
}

#[test]
fn a_root_whose_certificate_expired_can_still_be_replaced() {
    let mut twins = Twins::new();
    let mut forge = twins.forge();
    forge.root = ForgedSigners::one(certified(REPOSITORY, days(-1, 1)));
    let mut forge = forge.begun();
    twins.both_publish(&forge.first_upload(&[("3.22", digest("a manifest"))]));
    twins.now = NOW.after(DAY * 2);
    let renewed = upload([("root", forge.root(2).bytes())]);
    forge.rotate(|forge| forge.root = ForgedSigners::one(certified(REPOSITORY, days(1, 10))));
    let said = "no root key is a certificate that is valid now, strong enough, and names this repository";
    twins.publish(&upload([("root", forge.roots[1].clone())]), &renewed).is_untrusted(
        "root",
        TrustError::NoRootCertificate,
        said,
    );
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(_)));
}

#[test]
fn a_weak_root_certificate_is_refused() {
    let text = include_str!("../../crates/keys/tests/data/ec-pkcs8.pem");
    let private = KeyPem::read(text).unwrap().open(None).unwrap();
    let made_by_openssl =
        |pem: &str| ForgedKey::of(&private).listed_as(certified_key(private.algorithm(), pem));
    let (sha256, sha1) = (include_str!("data/sha256.pem"), include_str!("data/sha1.pem"));
    // Its private key is too small to be loaded, so another signs: none of its signatures is ever asked for.
    let small = ForgedKey::of(&private)
        .listed_as(certified_key(KeyAlgorithm::Rsa, include_str!("data/rsa-1024.pem")));
    only_counts(made_by_openssl(sha256), [made_by_openssl(sha1), small]);
}

#[test]
fn a_bare_key_never_counts_as_a_root_key() {
    let private = seeded_key(KeyAlgorithm::EcdsaP256, "certified");
    only_counts(certified(REPOSITORY, days(-1, 1)), [ForgedKey::of(&private)]);

    let twins = Twins::new();
    let forge = twins.forge();
    let second = ForgedKey::of(&seeded_key(KeyAlgorithm::EcdsaP256, "second"));
    let first = |second: ForgedKey| {
        let root = ForgedSigners::new([forge.root.keys[0].clone(), second], 2);
        Forge { root, ..forge.clone() }.begun().first_upload(&[])
    };
    let (rule, message) = too_few(1, 2);
    twins
        .publish(&first(ForgedKey::root("second", &forge.repository)), &first(second))
        .is_untrusted("root", rule, &message);
}

#[test]
fn a_root_that_takes_the_targets_keys_away_needs_new_targets() {
    let twins = Twins::new();
    let mut forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    forge.rotate(|forge| forge.targets = ForgedSigners::one(ForgedKey::seeded("new targets")));
    let root = ("root", forge.roots[1].clone());
    let right = upload([root.clone(), ("targets", forge.targets(2, &[]).bytes())]);
    let (rule, message) = too_few(0, 1);
    twins.publish(&right, &upload([root])).is_untrusted("targets", rule, &message);
}

#[test]
fn a_mirrored_set_must_be_one_below_its_newest_root() {
    let (twins, mut forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&parts_at(&forge, [1, 1, 1]).set());
    let before = forge.clone();
    forge.rotate(|forge| forge.timestamp = ForgedSigners::one(ForgedKey::seeded("new timestamps")));
    let mut stolen = parts_at(&forge, [1, 2, 2]);
    stolen.timestamp = before.timestamp(2, &stolen.snapshot).bytes();
    let (rule, message) = too_few(0, 1);
    twins.mirror(&parts_at(&forge, [1, 2, 2]).set(), &stolen.set()).is_untrusted("timestamp", rule, &message);
}

#[test]
fn mirrored_targets_whose_keys_the_root_replaced_are_refused() {
    let (twins, mut forge) = (Twins::new(), Forge::new(REPOSITORY));
    twins.both_mirror(&forge.complete(1, &[]));
    let known = forge.targets(1, &[]).bytes();
    forge.rotate(|forge| forge.targets = ForgedSigners::one(ForgedKey::seeded("new targets")));
    // These very bytes were believed before, but under keys that no longer count.
    let wrong = forge.parts_of(2, known, &[]);
    let (rule, message) = too_few(0, 1);
    twins.mirror(&forge.complete(2, &[]), &wrong.set()).is_untrusted("targets", rule, &message);
}
