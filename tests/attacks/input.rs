//! Input that is meant to hurt: bytes that no reader should take in.

use std::sync::Arc;

use serde_json::json;
use tufstore::{Limits, ParseError, Upload};
use tufstore_testkit::{Forge, ForgedFile, ForgedKey, ForgedSigners, digest};

use crate::twins::{REPOSITORY, Twins, role, too_few, upload};

/// Stores that took a first publication, and the second targets file of who made it.
fn second() -> (Twins, Forge, ForgedFile) {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let file = forge.targets(2, &[("3.22", digest("a manifest"))]);
    (twins, forge, file)
}

fn targets(bytes: Arc<[u8]>) -> Upload {
    upload([("targets", bytes)])
}

/// With spaces at its end until it has this length.
fn padded(file: &ForgedFile, length: usize) -> Arc<[u8]> {
    file.altered(|bytes| bytes.resize(length, b' '))
}

#[test]
fn an_oversized_file_is_refused() {
    const MOST: usize = 4_096;
    let said = "4097 bytes, the limit is 4096";
    let twins = Twins::limited(|limits| limits.role_bytes = MOST);
    let forge = twins.forge();
    let first = |length| {
        upload([("root", forge.roots[0].clone()), ("targets", padded(&forge.targets(1, &[]), length))])
    };
    let reason = ParseError::TooLarge { limit: MOST, actual: MOST + 1 };
    twins.publish(&first(MOST), &first(MOST + 1)).is_malformed("targets", reason.clone(), said);

    // A timestamp has a limit of its own.
    let (twins, forge) = (Twins::limited(|limits| limits.timestamp_bytes = MOST), Forge::new(REPOSITORY));
    let with = |length| {
        let mut parts = forge.parts(1, &[]);
        parts.timestamp = padded(&forge.timestamp(1, &parts.snapshot), length);
        parts.set()
    };
    twins.mirror(&with(MOST), &with(MOST + 1)).is_malformed("timestamp", reason, said);
}

#[test]
fn a_file_with_too_many_signatures_is_refused() {
    let (twins, forge, file) = second();
    let most = Limits::default().signatures;
    let signature = forge.targets.keys[0].sign(&file.message());
    let signed = |times| {
        let file = file.clone().unsigned();
        targets((0..times).fold(file, |file, _| file.with_signature(signature.clone())).bytes())
    };
    let reason = ParseError::TooMany { what: "signatures", limit: most };
    twins.publish(&signed(most), &signed(most + 1)).is_malformed(
        "targets",
        reason,
        "more than 1024 signatures",
    );
}

#[test]
fn more_delegations_than_the_limit_are_refused() {
    let twins = Twins::limited(|limits| limits.delegations = 3);
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let any = ForgedSigners::one(ForgedKey::seeded("any"));
    let with = |count: usize| {
        let names = (0..count).map(|number| format!("targets/r{number}"));
        targets(names.fold(forge.targets(2, &[]), |file, name| file.delegating(&name, &any, &[""])).bytes())
    };
    let reason = ParseError::TooMany { what: "delegations", limit: 3 };
    twins.publish(&with(3), &with(4)).is_malformed("targets", reason, "more than 3 delegations");
}

#[test]
fn more_keys_tags_or_values_than_the_limit_are_refused() {
    let twins = Twins::limited(|limits| limits.keys = 4);
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let with = |count: usize| {
        let keys: Vec<_> = (0..count).map(|number| ForgedKey::seeded(&number.to_string())).collect();
        let signers = ForgedSigners::new(keys, 1);
        targets(forge.targets(2, &[]).delegating("targets/releases", &signers, &[""]).bytes())
    };
    let reason = ParseError::TooMany { what: "keys", limit: 4 };
    twins.publish(&with(4), &with(5)).is_malformed("targets", reason, "more than 4 keys");

    let twins = Twins::limited(|limits| limits.targets = 2);
    twins.both_publish(&forge.first_upload(&[]));
    let tags = ["a", "b", "c"].map(|tag| (tag, digest(tag)));
    let with = |count: usize| targets(forge.targets(2, &tags[..count]).bytes());
    let reason = ParseError::TooMany { what: "targets", limit: 2 };
    twins.publish(&with(2), &with(3)).is_malformed("targets", reason, "more than 2 targets");

    let twins = Twins::limited(|limits| limits.values = 1_000);
    twins.both_publish(&forge.first_upload(&[]));
    let with = |count: usize| targets(forge.targets(2, &[]).with("x", json!(vec![0; count])).bytes());
    let reason = ParseError::TooMany { what: "values", limit: 1_000 };
    twins.publish(&with(900), &with(1_000)).is_malformed("targets", reason, "more than 1000 values");
}

#[test]
fn a_key_larger_than_the_limit_is_refused() {
    let (twins, forge, _) = second();
    let most = Limits::default().key_bytes;
    let with = |groups: usize| {
        // Three bytes are four digits.
        let public = "AAAA".repeat(groups);
        let object = json!({"keytype": "x", "keyval": {"private": null, "public": public}});
        let signers = ForgedSigners::one(ForgedKey::seeded("x").listed_as(object));
        targets(forge.targets(2, &[]).delegating("targets/releases", &signers, &[""]).bytes())
    };
    let fits = most / 3;
    let actual = (fits + 1) * 3;
    let reason = ParseError::TooLarge { limit: most, actual };
    twins.publish(&with(fits), &with(fits + 1)).is_malformed(
        "targets",
        reason,
        &format!("{actual} bytes, the limit is {most}"),
    );
}

#[test]
fn deeply_nested_json_is_refused() {
    let (twins, _, file) = second();
    // The file, what is signed and the innermost array are three levels already.
    let nested = |depth| {
        let value = (0..depth).fold(json!([]), |inner, _| json!([inner]));
        targets(file.clone().with("x", value).bytes())
    };
    let endless = targets(file.altered(|bytes| *bytes = vec![b'['; 1 << 20]));
    for refusal in twins.publish_each(&nested(61), [nested(62), endless]) {
        refusal.is_malformed("targets", ParseError::TooDeep { limit: 64 }, "nests deeper than 64");
    }
}

#[test]
fn truncated_json_is_refused() {
    let (twins, _, file) = second();
    let length = file.bytes().len();
    let cuts = [0, 1, length / 4, length / 3, length / 2, length - 2, length - 1];
    let wrong = cuts.map(|cut| targets(file.altered(|bytes| bytes.truncate(cut))));
    for (refusal, column) in twins.publish_each(&targets(file.bytes()), wrong).into_iter().zip(cuts) {
        let reason = ParseError::Syntax { line: 1, column };
        refusal.is_malformed("targets", reason, &format!("no JSON at line 1, column {column}"));
    }
}

#[test]
fn what_follows_the_json_is_refused() {
    let (twins, _, file) = second();
    let column = file.bytes().len() + 1;
    let followed_by = |more: &[u8]| targets(file.altered(|bytes| bytes.extend(more)));
    let wrong = [followed_by(b"{}"), followed_by(b"\0"), followed_by(b"x")];
    for refusal in twins.publish_each(&followed_by(b" \n"), wrong) {
        let reason = ParseError::Syntax { line: 1, column };
        refusal.is_malformed("targets", reason, &format!("no JSON at line 1, column {column}"));
    }
}

#[test]
fn a_json_member_that_stands_twice_is_refused() {
    let (twins, _, file) = second();
    let cases = [
        (r#""version":2"#, r#""version":2,"version":3"#, "version"),
        (r#""version":2"#, r#""version":2,"\u0076ersion":2"#, "version"),
        (r#""roles":[]"#, r#""roles":[],"roles":[]"#, "roles"),
        (r#""length":1024"#, r#""length":1024,"length":1"#, "length"),
        (r#""keyid""#, r#""sig":"AAAA","keyid""#, "sig"),
        (r#"{"signed":"#, r#"{"signed":{},"signed":"#, "signed"),
    ];
    let wrong = cases.map(|(text, by, _)| targets(file.replaced(text, by)));
    for (refusal, (.., member)) in twins.publish_each(&targets(file.bytes()), wrong).into_iter().zip(cases) {
        let reason = ParseError::DuplicateMember { member: member.into() };
        refusal.is_malformed("targets", reason, &format!("member {member:?} stands twice in one object"));
    }
}

#[test]
fn a_json_member_that_differs_in_case_alone_is_refused() {
    let (twins, _, file) = second();
    let cases = [("Version", "version"), ("TARGETS", "targets"), ("expire\u{17f}", "expires")];
    let with = |member: &str| targets(file.clone().with(member, json!(9)).bytes());
    let wrong = cases.map(|(member, _)| with(member));
    for (refusal, (member, known)) in twins.publish_each(&with("Versions"), wrong).into_iter().zip(cases) {
        let reason = ParseError::AmbiguousMember { member: member.into(), known };
        let said = format!("member {member:?} differs from {known:?} in case alone");
        refusal.is_malformed("targets", reason, &said);
    }
}

#[test]
fn json_that_is_not_utf_8_is_refused() {
    let (twins, _, file) = second();
    let file = file.with("x", json!("\u{e9}"));
    let broken = |by: &[u8]| {
        targets(file.altered(|bytes| {
            let at = bytes.windows(2).position(|pair| pair == "\u{e9}".as_bytes()).unwrap();
            *bytes = [&bytes[..at], by, &bytes[at + 2..]].concat();
        }))
    };
    let wrong = [broken(b"\xe9"), broken(b"\xc0\xaf"), broken(b"\xed\xa0\x80")];
    for refusal in twins.publish_each(&targets(file.bytes()), wrong) {
        refusal.is_malformed("targets", ParseError::NotUtf8, "not UTF-8");
    }
}

#[test]
fn a_fraction_in_signed_metadata_is_refused() {
    let (twins, _, file) = second();
    let file = file.with("x", json!(15));
    let wrong = ["1.5", "1e-3", "9223372036854775807", "-1e30", "99999999999999999999"]
        .map(|number| targets(file.replaced(r#""x":15"#, &format!(r#""x":{number}"#))));
    for refusal in twins.publish_each(&targets(file.bytes()), wrong) {
        let said = "a number is no integer that signatures can cover";
        refusal.is_malformed("targets", ParseError::FractionalNumber, said);
    }
}

#[test]
fn values_of_another_kind_than_the_dialect_has_are_refused() {
    let (twins, _, file) = second();
    let cases = [
        ("targets", json!([]), "an object"),
        ("targets", json!("3.22"), "an object"),
        ("delegations", json!(1), "an object"),
        ("expires", json!(true), "a string"),
    ];
    let wrong = cases.clone().map(|(member, value, _)| targets(file.clone().with(member, value).bytes()));
    let refusals = twins.publish_each(&targets(file.bytes()), wrong);
    for (refusal, (member, _, expected)) in refusals.into_iter().zip(cases) {
        let reason = ParseError::WrongType { member, expected };
        refusal.is_malformed("targets", reason, &format!("{member} is not {expected}"));
    }
}

#[test]
fn unknown_fields_are_verified_and_served_byte_for_byte() {
    let (twins, forge, file) = second();
    let file = file.with("x-unknown", json!({"n": [1, null, "<&>"]})).edit(|signed| {
        signed["targets"]["3.22"]["custom"] = json!({"platform": "arm64"});
    });
    let bytes = file.bytes();
    let wrong = [
        targets(file.replaced("arm64", "amd64")),
        targets(file.replaced(r#""n":[1,"#, r#""n":[2,"#)),
        targets(file.replaced("x-unknown", "y-unknown")),
    ];
    for refusal in twins.publish_each(&targets(bytes.clone()), wrong) {
        let (rule, message) = too_few(0, 1);
        refusal.is_untrusted("targets", rule, &message);
    }
    let view = twins.store().view(&forge.repository).unwrap().unwrap();
    assert_eq!(*view.document(&role("targets")).unwrap().bytes(), bytes);
    let sha256 = tufstore::crypto::sha256(&bytes);
    let found = twins
        .store()
        .history(&forge.repository, &role("targets"), sha256)
        .unwrap()
        .map(|found| found.document);
    assert_eq!(*found.unwrap().bytes(), bytes);
}
