use std::sync::Arc;

use super::*;
use crate::crypto::SignatureMethod;
use crate::metadata::{Limits, parse_root, parse_snapshot, parse_targets, parse_timestamp};

const LEAF: &str = include_str!("../../crypto/certificate/leaf.pem");
const AUTHORITY: &str = include_str!("../../crypto/certificate/rsa-authority.pem");

fn in_2036() -> UnixTime {
    "2036-11-21T04:05:55.244050996Z".parse().unwrap()
}

fn ed25519() -> AuthorKey {
    let public = [
        0xd8, 0xf6, 0x70, 0xf3, 0x80, 0x27, 0x45, 0x71, 0xee, 0xef, 0xf6, 0x91, 0x33, 0x0b, 0xf0, 0xd0, 0x1a,
        0xf2, 0x1f, 0x34, 0x21, 0xfb, 0x85, 0xc5, 0x1d, 0xf6, 0xf7, 0x4f, 0x34, 0x07, 0xa1, 0x21,
    ];
    AuthorKey::bare(PublicKey::from_ed25519(&public).unwrap())
}

fn one(key: AuthorKey) -> Signers {
    Signers::new(vec![key], Threshold::ONE)
}

fn digest() -> Sha256 {
    Sha256::new([7; 32])
}

fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

fn file(message: &Message) -> Arc<[u8]> {
    message.envelope(&[]).into()
}

#[test]
fn keys_get_the_ids_that_clients_give_them() {
    let id = "9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9";
    assert_eq!((ed25519().id().to_string().as_str(), ed25519().canonical_id()), (id, Some(ed25519().id())));
    let leaf = AuthorKey::certified(&format!("text\n{}", LEAF.replace('\n', "\r\n"))).unwrap();
    assert_eq!(leaf.id().to_string(), "1811a96fae4e4950ada3ff98eafe9e5be50be8b300e7d2b13d5b4274034b00f9");
    assert_eq!(
        leaf.canonical_id().unwrap().to_string(),
        "346fdf80c5345cd9d5cc8da746636badc761b681f7cbc9ad85e93ab88032a9a1"
    );
    let rsa = AuthorKey::certified(AUTHORITY).unwrap();
    assert_eq!(rsa.id().to_string(), "269cb8ac1f3c93fcc54c6e47af5b606bcb10b846ba7afb723f8efbc894eb616d");
    assert_eq!(
        rsa.canonical_id().unwrap().to_string(),
        "c151c402b2bea4983194845ccd8b6a7592ef256b6ef79b5af755a0e6f922246d"
    );
    let small = include_str!("../../crypto/certificate/rsa-1024.pem");
    assert_eq!(AuthorKey::certified(small).err(), Some(InvalidCertificate));
}

#[test]
fn a_root_is_read_as_it_was_written() {
    let leaf = AuthorKey::certified(LEAF).unwrap();
    let both = Signers::new(vec![ed25519(), leaf.clone(), ed25519()], Threshold::new(2).unwrap());
    let mut root = UnsignedRoot::new(
        Version::FIRST,
        in_2036(),
        [one(leaf.clone()), both, one(ed25519()), one(ed25519())],
    );
    root.former.push(AuthorKey::certified(AUTHORITY).unwrap());
    let message = root.message().unwrap();
    let parsed = parse_root(file(&message), &Limits::default()).unwrap();
    assert_eq!(parsed.message(), message.as_bytes());
    assert_eq!((parsed.document().version(), parsed.expires()), (Version::FIRST, in_2036()));
    let read = parsed.unverified();
    assert!(read.root.keys[0].rebuilds() && read.root.keys[0].id == leaf.id());
    let ids: Vec<_> = read.targets.keys.iter().map(|key| key.id).collect();
    assert_eq!((ids, read.targets.threshold.get()), (vec![ed25519().id(), leaf.id()], 2));
}

#[test]
fn targets_are_read_as_they_were_written() {
    let mut targets = UnsignedTargets::new(Version::FIRST, in_2036());
    assert_eq!(
        String::from_utf8(file(&targets.message(&RoleName::Targets).unwrap()).to_vec()).unwrap(),
        "{\"signed\":{\"_type\":\"Targets\",\"delegations\":{\"keys\":{},\"roles\":[]},\
         \"expires\":\"2036-11-21T04:05:55.244050996Z\",\"targets\":{},\"version\":1},\"signatures\":[]}"
    );
    targets.delegations = vec![
        UnsignedDelegation::new(role("targets/releases"), one(ed25519()), vec!["".into(), "a\"<".into()]),
        UnsignedDelegation::new(role("targets/a"), one(AuthorKey::certified(AUTHORITY).unwrap()), vec![]),
    ];
    let custom: Custom = " {\"b\" : [1.0, \"<\\u0026\"], \"a\":null} ".parse().unwrap();
    assert_eq!(custom.as_str(), "{\"a\":null,\"b\":[1,\"<&\"]}");
    for tag in ["v1", "a&b", "\u{2028}\u{2029}\u{2027}", "\"\\é", ""] {
        let target = UnsignedTarget { custom: Some(custom.clone()), ..UnsignedTarget::new(digest(), 5) };
        targets.targets.insert(Tag::from(tag), target);
    }
    let message = targets.message(&RoleName::Targets).unwrap();
    let parsed = parse_targets(RoleName::Targets, file(&message), &Limits::default()).unwrap();
    assert_eq!(parsed.message(), message.as_bytes());
    let read = parsed.unverified();
    assert_eq!(read.targets.len(), 5);
    assert_eq!(read.target("a&b").unwrap().sha256, Some(digest()));
    assert_eq!(read.delegations[0].paths, ["".into(), "a\"<".into()]);
    assert_eq!(read.delegations[1].role, role("targets/a"));
    assert!(read.delegations[1].paths.is_empty() && read.delegations[1].keys.keys[0].public.is_some());
}

#[test]
fn files_are_escaped_for_html_and_messages_are_not() {
    let mut targets = UnsignedTargets::new(Version::FIRST, in_2036());
    targets
        .targets
        .insert(Tag::from("a&b<c>\u{2028}\u{2029}\u{e9}\u{2030}"), UnsignedTarget::new(digest(), 0));
    let message = targets.message(&role("targets/x")).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text(message.as_bytes()).contains("a&b<c>\u{2028}\u{2029}\u{e9}\u{2030}"));
    assert!(text(&message.envelope(&[])).contains("a\\u0026b\\u003cc\\u003e\\u2028\\u2029\u{e9}\u{2030}"));
}

#[test]
fn signatures_follow_in_their_order_and_are_read_back() {
    let message = UnsignedTimestamp::new(Version::FIRST, in_2036(), FileMeta::of(b"x")).message().unwrap();
    let methods = [
        SignatureMethod::Ecdsa,
        SignatureMethod::EdDsa,
        SignatureMethod::RsaPkcs1v15,
        SignatureMethod::RsaPss,
        SignatureMethod::PycryptoPss,
    ];
    let signatures = methods.map(|method| Signature::new(ed25519().id(), method, vec![1, 2]));
    let bytes = message.envelope(&signatures);
    let parsed = parse_timestamp(bytes.into(), &Limits::default()).unwrap();
    assert_eq!(parsed.signatures(), signatures);
    assert_eq!(parsed.message(), message.as_bytes());
    assert!(parsed.unverified().snapshot.matches(b"x") && !parsed.unverified().snapshot.matches(b"y"));
}

#[test]
fn a_snapshot_is_written_in_the_order_of_names() {
    let names = ["targets/a", "targets", "root", "targets/a/b", "targets/a-b"];
    let meta = names.iter().map(|name| (role(name), FileMeta::of(name.as_bytes()))).collect();
    let message = UnsignedSnapshot::new(Version::FIRST, in_2036(), meta).message().unwrap();
    let parsed = parse_snapshot(file(&message), &Limits::default()).unwrap();
    assert_eq!(parsed.message(), message.as_bytes());
    assert!(names.iter().all(|name| parsed.unverified().meta[&role(name)].matches(name.as_bytes())));
}

#[test]
fn what_no_reader_takes_is_not_written() {
    let targets = || UnsignedTargets::new(Version::FIRST, in_2036());
    let delegation = |name| UnsignedDelegation::new(role(name), one(ed25519()), vec![]);
    let message = |targets: &UnsignedTargets| targets.message(&RoleName::Targets).err();

    let mut control = targets();
    control.targets.insert(Tag::from("a\n"), UnsignedTarget::new(digest(), 1));
    assert_eq!(message(&control), Some(WriteError::ControlCharacter { text: "a\n".into() }));
    let mut large = targets();
    large.targets.insert(Tag::from("a"), UnsignedTarget::new(digest(), 1 << 53));
    assert_eq!(message(&large), Some(WriteError::TooLarge { number: 1 << 53 }));
    let mut twice = targets();
    twice.delegations = vec![delegation("targets/a"), delegation("targets/a")];
    assert_eq!(message(&twice), Some(WriteError::DuplicateDelegation { role: role("targets/a") }));
    let mut far = targets();
    far.delegations = vec![delegation("targets/a/b")];
    assert_eq!(message(&far), Some(WriteError::NotAChild { role: role("targets/a/b") }));
    assert_eq!(
        targets().message(&RoleName::Root).err(),
        Some(WriteError::NotAChild { role: RoleName::Root })
    );
    for seconds in [i64::MAX, i64::MIN, -70_000_000_000] {
        let never = UnsignedTargets::new(Version::FIRST, UnixTime::from_seconds(seconds));
        assert_eq!(message(&never), Some(WriteError::Expires), "{seconds}");
    }
    let meta = [(RoleName::Root, FileMeta::of(b""))];
    let lacking = UnsignedSnapshot::new(Version::FIRST, in_2036(), meta.into());
    assert_eq!(lacking.message(), Err(WriteError::MissingRole { role: RoleName::Targets }));
    let unnamed = FileMeta { sha256: None, ..FileMeta::of(b"") };
    let timestamp = UnsignedTimestamp::new(Version::FIRST, in_2036(), unnamed);
    assert_eq!(timestamp.message(), Err(WriteError::MissingHash { role: RoleName::Snapshot }));

    assert_eq!("\"\\n\"".parse::<Custom>(), Err(ParseError::ControlCharacter));
    assert_eq!("1.5".parse::<Custom>(), Err(ParseError::FractionalNumber));
    assert!("{\"a\":1,\"a\":2}".parse::<Custom>().is_err() && "1 2".parse::<Custom>().is_err());
}

#[test]
fn a_revision_says_the_same_one_version_later() {
    let limits = Limits::default();
    let leaf = AuthorKey::certified(LEAF).unwrap();
    let mut root = UnsignedRoot::new(Version::FIRST, in_2036(), [(); 4].map(|()| one(leaf.clone())));
    root.targets = one(ed25519());
    root.former.push(AuthorKey::certified(AUTHORITY).unwrap());
    let document = |role, message: &Message| Document::new(role, Version::FIRST, file(message));
    let revised = UnsignedRoot::revise(&document(RoleName::Root, &root.message().unwrap()), &limits).unwrap();
    assert_eq!(revised.former.len(), 1);
    root.version = Version::new(2).unwrap();
    assert_eq!(revised.message(), root.message());

    let mut targets = UnsignedTargets::new(Version::FIRST, in_2036());
    targets.delegations = vec![
        UnsignedDelegation::new(role("targets/b"), one(leaf), vec!["".into()]),
        UnsignedDelegation::new(role("targets/a"), one(ed25519()), vec![]),
    ];
    let custom = Some("{\"a\":[1]}".parse().unwrap());
    let sha512 = Some(Sha512::new([8; 64]));
    targets
        .targets
        .insert(Tag::from("v1"), UnsignedTarget { sha512, custom, ..UnsignedTarget::new(digest(), 5) });
    let message = targets.message(&RoleName::Targets).unwrap();
    let revised = UnsignedTargets::revise(&document(RoleName::Targets, &message), &limits).unwrap();
    targets.version = Version::new(2).unwrap();
    assert_eq!(revised.message(&RoleName::Targets), targets.message(&RoleName::Targets));
    assert!(UnsignedRoot::revise(&document(RoleName::Targets, &message), &limits).is_err());
}

#[test]
fn a_signature_is_added_to_a_file_that_was_signed() {
    let message = UnsignedTimestamp::new(Version::FIRST, in_2036(), FileMeta::of(b"x")).message().unwrap();
    let first = Signature::new(ed25519().id(), SignatureMethod::EdDsa, vec![1]);
    let signed = message.envelope(core::slice::from_ref(&first)).into();
    let document = Document::new(RoleName::Timestamp, Version::FIRST, signed);
    assert_eq!(Message::reopen(&document, &Limits::default()), Ok((message, vec![first])));
}
