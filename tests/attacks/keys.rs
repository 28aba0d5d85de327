//! Which keys count: by their material, under their own id, of a known type and a safe size.

use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tufstore::TrustError;
use tufstore::crypto::{KeyAlgorithm, KeyId};
use tufstore_keys::{KeyPem, PrivateKey};
use tufstore_testkit::dialect::{FileSignature, certified_key};
use tufstore_testkit::{Forge, ForgedFile, ForgedKey, ForgedSigners, NOW, digest, seeded_key};

use crate::twins::{Twins, too_few, upload};

#[test]
fn a_key_id_listed_twice_counts_once() {
    let twins = Twins::new();
    let forge = twins.forge();
    let [one, two] = ["one", "two"].map(ForgedKey::seeded);
    let first = |signers: [&ForgedKey; 2]| {
        let targets = ForgedSigners::new(signers.map(Clone::clone), 2);
        Forge { targets, ..forge.clone() }.begun().first_upload(&[])
    };
    let (rule, message) = too_few(1, 2);
    twins.publish(&first([&one, &two]), &first([&one, &one])).is_untrusted("targets", rule, &message);
}

#[test]
fn one_key_under_two_ids_does_not_meet_a_threshold_of_two() {
    let twins = Twins::new();
    let forge = twins.forge();
    let plain = ForgedKey::of(&seeded_key(KeyAlgorithm::EcdsaP256, "one"));
    let [same, other] = ["one", "two"].map(|label| ForgedKey::root(label, &forge.repository));
    assert_ne!(plain.id(), same.id());
    let first = |certified: &ForgedKey| {
        let targets = ForgedSigners::new([plain.clone(), certified.clone()], 2);
        Forge { targets, ..forge.clone() }.begun().first_upload(&[])
    };
    let (rule, message) = too_few(1, 2);
    twins.publish(&first(&other), &first(&same)).is_untrusted("targets", rule, &message);
}

#[test]
fn one_root_key_in_two_certificates_does_not_meet_a_threshold_of_two() {
    let twins = Twins::new();
    let forge = twins.forge();
    let [one, same, other] =
        ["one", "one", "two"].map(|label| ForgedKey::root_made_at(label, &forge.repository, NOW));
    assert_ne!(one.id(), same.id());
    let first = |second: &ForgedKey| {
        let root = ForgedSigners::new([one.clone(), second.clone()], 2);
        Forge { root, ..forge.clone() }.begun().first_upload(&[])
    };
    let (rule, message) = too_few(1, 2);
    twins.publish(&first(&other), &first(&same)).is_untrusted("root", rule, &message);
}

#[test]
fn a_key_listed_under_another_id_than_its_hash_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    let (key, id) = (ForgedKey::seeded("a key"), KeyId::new(digest("another key")));
    let said = format!("the key listed as {id} has another id than the hash of its content");
    let first = |key: ForgedKey| {
        let targets = ForgedSigners::one(key);
        Forge { targets, ..forge.clone() }.begun()
    };
    let right = first(key.clone());
    twins
        .publish(&right.first_upload(&[]), &first(key.clone().listed_under(id)).first_upload(&[]))
        .is_untrusted("root", TrustError::KeyIdMismatch { key: id }, &said);

    let with = |key: ForgedKey| {
        let file = ForgedFile::targets(1, &[]).signed_by([&key]).bytes();
        let signers = ForgedSigners::one(key);
        let targets = right.targets(2, &[]).delegating("targets/releases", &signers, &[""]).bytes();
        upload([("targets", targets), ("targets/releases", file)])
    };
    twins.publish(&with(key.clone()), &with(key.listed_under(id))).is_untrusted(
        "targets/releases",
        TrustError::KeyIdMismatch { key: id },
        &said,
    );
}

#[test]
fn a_key_of_an_unknown_type_never_counts_and_leaves_its_file_readable() {
    let key = ForgedKey::seeded("a key");
    let mut object = key.object().clone();
    object["keytype"] = json!("ed448");
    let unknown = key.clone().listed_as(object);
    let twins = Twins::new();
    let mut forge = twins.forge();
    forge.targets = ForgedSigners::new([unknown.clone(), key.clone()], 1);
    let forge = forge.begun();
    let first = |key: &ForgedKey| {
        let targets = ForgedFile::targets(1, &[]).signed_by([key]).bytes();
        upload([("root", forge.roots[0].clone()), ("targets", targets)])
    };
    let (rule, message) = too_few(0, 1);
    twins.publish(&first(&key), &first(&unknown)).is_untrusted("targets", rule, &message);
}

fn rsa() -> PrivateKey {
    let text = include_str!("../../crates/keys/tests/data/rsa-pkcs8.pem");
    KeyPem::read(text).unwrap().open(None).unwrap()
}

#[test]
fn a_signature_by_another_method_than_its_keys_never_counts() {
    let keys = [
        (ForgedKey::seeded("a key"), ["ecdsa", "rsapss", "unheard of"]),
        (ForgedKey::of(&seeded_key(KeyAlgorithm::EcdsaP256, "a key")), ["eddsa", "rsapkcs1v15", ""]),
        (ForgedKey::of(&rsa()), ["rsapkcs1v15", "ecdsa", "eddsa"]),
    ];
    for (key, others) in keys {
        let twins = Twins::new();
        let mut forge = twins.forge();
        forge.targets = ForgedSigners::one(key.clone());
        let forge = forge.begun();
        let first = |signature: FileSignature| {
            let targets = ForgedFile::targets(1, &[]).with_signature(signature).bytes();
            upload([("root", forge.roots[0].clone()), ("targets", targets)])
        };
        let signature = key.sign(&ForgedFile::targets(1, &[]).message());
        let by = |method: &str| first(FileSignature { method: method.to_owned(), ..signature.clone() });
        for refusal in twins.publish_each(&first(signature.clone()), others.map(by)) {
            let (rule, message) = too_few(0, 1);
            refusal.is_untrusted("targets", rule, &message);
        }
    }
}

/// The public half of `crates/keys/tests/data/rsa-1024.pem`.
const SHORT_RSA: &str = "\
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/eWwnEdjsKqPL5VOOdc6xzNpj968uEHenNrlbthdNUglncmLv\
    qnI8qtv8GEJYf/C+zK3bQR9P+MXsqe+SuUml6C0CBdKdgWtjD/R5rdjkBRUAPKBs10B74eh/7s6EEWkquee4MB6R\
    AvcKNnzHDQYOdWIvK81OXK4ZhaaI6GW8OwIDAQAB";
/// Its signature over [`ForgedFile::targets`] 1 without tags, as made by `openssl dgst -sha256 -sign`.
const BY_SHORT_RSA: &str = "\
    GJd6UXsD0sA9FvC7esWex9CqyPeIE4B+FgfRWaqZGJWtLm+QwZ7Cg1Y+iNsa/VoCVsqNP8kaJtpl2jduDnM//obp\
    3+WzYJ5U2O22ZKaPZJuIaKpMB90W1NVzr9S74A3/XpJoqx6p6gb1+1/yGS5s4Jy3DrTlvTjRgREr5DHsh48=";

#[test]
fn an_rsa_key_below_2048_bits_never_counts() {
    let file = ForgedFile::targets(1, &[]);
    let signature = STANDARD.decode(BY_SHORT_RSA).unwrap();
    let spki = STANDARD.decode(SHORT_RSA).unwrap();
    // The signature is one: it is the key that is refused.
    UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &spki)
        .verify(&file.message(), &signature)
        .unwrap();
    let object = json!({"keytype": "rsa", "keyval": {"private": null, "public": SHORT_RSA}});
    let short = ForgedKey::seeded("").listed_as(object);
    let twins = Twins::new();
    let mut forge = twins.forge();
    forge.targets = ForgedSigners::new([short.clone(), ForgedKey::of(&rsa())], 1);
    let forge = forge.begun();
    let first = |file: ForgedFile| upload([("root", forge.roots[0].clone()), ("targets", file.bytes())]);
    let method = "rsapkcs1v15".to_owned();
    let by_short = FileSignature { key: short.id().to_string(), method, bytes: signature };
    let right = file.clone().signed_by(&forge.targets.keys[1..]);
    let (rule, message) = too_few(0, 1);
    twins
        .publish(&first(right), &first(file.with_signature(by_short)))
        .is_untrusted("targets", rule, &message);
}

#[test]
fn a_weak_certificate_among_a_delegations_keys_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let text = include_str!("../../crates/keys/tests/data/ec-pkcs8.pem");
    let private = KeyPem::read(text).unwrap().open(None).unwrap();
    let certified = |pem| ForgedKey::of(&private).listed_as(certified_key(private.algorithm(), pem));
    let strong = certified(include_str!("data/sha256.pem"));
    let weak = certified(include_str!("data/sha1.pem"));
    let with = |key: &ForgedKey| {
        let signers = ForgedSigners::one(key.clone());
        let targets = forge.targets(2, &[]).delegating("targets/releases", &signers, &[""]).bytes();
        let file = ForgedFile::targets(1, &[]).signed_by([key]).bytes();
        upload([("targets", targets), ("targets/releases", file)])
    };
    let id = weak.id();
    twins.publish(&with(&strong), &with(&weak)).is_untrusted(
        "targets/releases",
        TrustError::WeakCertificate { key: id },
        &format!("the certificate of key {id} is too weak"),
    );
}
