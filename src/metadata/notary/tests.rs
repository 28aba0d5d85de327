//! Files that other implementations wrote, and files that must be refused.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::crypto::{KeyId, PublicKey, SignatureMethod, sha256};
use crate::metadata::{KeyKind, Limits, ParseError, Parsed, Targets};
use crate::terms::{RoleName, UnixTime};

const LEAF: &str = include_str!("../../crypto/certificate/leaf.pem");
const AUTHORITY: &str = include_str!("../../crypto/certificate/authority.pem");

const TIMESTAMP: &str = r#"{"signed":{"_type":"Timestamp","expires":"2026-12-08T04:05:55.249620551Z","meta":{"snapshot":{"hashes":{"sha256":"+HK7k0v6mNm3Ma/gG+xhfk42niePq+N5tdBHzyiLc68=","sha512":"ikVAM10Oa9bVTqmBSlB32A1EbOh01/fmpboh6ErjV39wDthiWr+NwZWF/2km7xaxoPazKq4FdOrYLTB0wNyY/g=="},"length":683}},"version":2},"signatures":[{"keyid":"9e79f6303f6038ed0d93712c2fb375c55a4ce25d4ebb2494ccd63ad3e0d35216","method":"eddsa","sig":"TGf9Y+h12nFId1Bkd1ioRQYQoo+saxo/c7yrEsN+bRi8u48bPUNDj/2L4d9SoHupdPGf6Na9G47xfrlVO7DzCQ=="}]}"#;

const TARGETS: &str = r#"{"signed":{"_type":"Targets","delegations":{"keys":{},"roles":null},"expires":"2029-11-23T04:07:00.182840043Z","targets":{"v1":{"hashes":{"sha256":"M1v0v0ZQ7d0q5Up6eK4aPNrRIlpHzNmCFxHMTnX1a2M=","sha512":"LCx66mKKnO/Hwmpyj6QZNXU2Gk4G67pcL6vTuAnKj2sJ95NNeeL3L4z7uhYpqmYFJ+h3poKL2Mrn71udrSxjPA=="},"length":134}},"version":4},"signatures":[{"keyid":"4e6c880efe45bc0b4ed4ea20e34136b52c7a4e00d54a40466382c54dce3a7590","method":"ecdsa","sig":"OzcxjFAImwsjlICSAiTdhfHZAKN1sZ84FU0XLYGx3UaE3L1JgMlqhISNhIUAzfgOnaEuhMTzZPbLmZyhDXm6Cw=="}]}"#;

/// Key ids of the two keys in [`ROOT`].
const ED25519: &str = "9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9";
const P256: &str = "041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02";

const ROOT: &str = r#"{"signed":{"_type":"Root","consistent_snapshot":false,"expires":"2036-01-01T00:00:00Z","keys":{"041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02":{"keytype":"ecdsa","keyval":{"private":null,"public":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENgK7kx/HdvmLUG4733JIJd0Bv6FML8SVEmgGynvhl64nCVmWzTLdziS1bMUgb6hlSkqTYtvyOCC5YMY+GrAH+Q=="}},"9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9":{"keytype":"ed25519","keyval":{"private":null,"public":"2PZw84AnRXHu7/aRMwvw0BryHzQh+4XFHfb3TzQHoSE="}}},"roles":{"root":{"keyids":["041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02"],"threshold":1},"snapshot":{"keyids":["041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02"],"threshold":1},"targets":{"keyids":["041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02"],"threshold":1},"timestamp":{"keyids":["9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9"],"threshold":1}},"version":1},"signatures":[]}"#;

const SNAPSHOT: &str = r#"{"signed":{"_type":"Snapshot","expires":"2029-01-01T00:00:00Z","meta":{"root":{"hashes":{"sha256":"+HK7k0v6mNm3Ma/gG+xhfk42niePq+N5tdBHzyiLc68="},"length":1},"root.json":{"hashes":{},"length":2},"targets":{"hashes":{"sha256":"+HK7k0v6mNm3Ma/gG+xhfk42niePq+N5tdBHzyiLc68="},"length":3},"targets/releases":{"hashes":{"sha512":"ikVAM10Oa9bVTqmBSlB32A1EbOh01/fmpboh6ErjV39wDthiWr+NwZWF/2km7xaxoPazKq4FdOrYLTB0wNyY/g=="},"length":4}},"version":1},"signatures":null}"#;

const DELEGATING: &str = r#"{"signed":{"_type":"Targets","delegations":{"keys":{"041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02":{"keytype":"ecdsa","keyval":{"private":null,"public":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENgK7kx/HdvmLUG4733JIJd0Bv6FML8SVEmgGynvhl64nCVmWzTLdziS1bMUgb6hlSkqTYtvyOCC5YMY+GrAH+Q=="}}},"roles":[{"keyids":["041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02"],"name":"targets/releases","paths":[""],"threshold":1},{"keyids":null,"name":"targets/a","threshold":2}]},"expires":"2029-01-01T00:00:00Z","targets":{"b":{"custom":{"Length":1,"k":[1]},"hashes":{"sha256":"AAAA"},"length":3},"a":{"hashes":{}}},"version":2},"signatures":[]}"#;

fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn targets_file(text: &str) -> Result<Parsed<Targets>, ParseError> {
    parse_targets(RoleName::Targets, bytes(text), &Limits::default())
}

/// Reads as each role by what the text says it is.
fn refusal(text: &str) -> Option<ParseError> {
    let limits = Limits::default();
    if text.contains("\"Root\"") {
        parse_root(bytes(text), &limits).err()
    } else if text.contains("\"Snapshot\"") {
        parse_snapshot(bytes(text), &limits).err()
    } else if text.contains("\"Timestamp\"") {
        parse_timestamp(bytes(text), &limits).err()
    } else {
        targets_file(text).err()
    }
}

/// What becomes of a good file when one text in it is replaced by another.
#[track_caller]
fn altered(file: &str, from: &str, to: &str) -> Option<ParseError> {
    assert!(file.contains(from), "{from}");
    refusal(&file.replacen(from, to, 1))
}

#[test]
fn a_timestamp_of_the_go_server_reads_and_verifies() {
    let parsed = parse_timestamp(bytes(TIMESTAMP), &Limits::default()).unwrap();
    assert_eq!(parsed.document().bytes().len(), 495);
    assert_eq!(
        parsed.document().sha256().to_string(),
        "fbd71a8d7c478c02ef274809d693fde132a482fed64e4310c060bdd4127c5586"
    );
    assert_eq!(parsed.document().version().get(), 2);
    assert_eq!(parsed.expires(), UnixTime::new(1_796_702_755, 249_620_551));
    assert_eq!(parsed.message().len(), 278);
    assert_eq!(
        sha256(parsed.message()).to_string(),
        "9db46fbb43e231d26342e5dc48c8eeb0c7f7ecdec3fdc3c49ecfe07b788d5239"
    );
    assert_eq!(parsed.unverified().snapshot.length, 683);
    let public = STANDARD.decode("dGzxE7tzdYPkuVVkBKug7CXGRNpJ0IpeGbo17hRSvSE=").unwrap();
    let [signature] = parsed.signatures() else { panic!() };
    assert_eq!(signature.key, key_id("ed25519", &public));
    let key = PublicKey::from_ed25519(&public).unwrap();
    assert!(key.verifies(signature.method, parsed.message(), &signature.bytes));
}

#[test]
fn targets_of_the_go_client_read_and_verify() {
    let parsed = targets_file(TARGETS).unwrap();
    assert_eq!(parsed.document().bytes().len(), 529);
    assert_eq!(
        parsed.document().sha256().to_string(),
        "a7d225b0e46896f4a551618c90494848191dd5aaf4cf72dd53ea2e4298691328"
    );
    assert_eq!(parsed.message().len(), 312);
    assert_eq!(
        sha256(parsed.message()).to_string(),
        "8b9de5c784b4e193aff7f6e9f0253a379497e4c10eb15d0f4c99c58d7cdc7b82"
    );
    let target = parsed.unverified().target("v1").unwrap();
    assert_eq!(target.length, 134);
    assert!(target.sha256.is_some() && target.sha512.is_some());
    let public = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuYCG0fDP6k23opCZtXezk+0xAGZ34hu2H5Ld+VyHyhBPrM6P/GDU7QIAOvd56Pk7ggaGUqz2WPswQ8r+h6eiKA==";
    let public = STANDARD.decode(public).unwrap();
    let [signature] = parsed.signatures() else { panic!() };
    assert_eq!(signature.key, key_id("ecdsa", &public));
    let key = PublicKey::from_spki(&public).unwrap();
    assert!(key.verifies(signature.method, parsed.message(), &signature.bytes));
    assert!(!key.verifies(signature.method, b"another message", &signature.bytes));
}

#[test]
fn a_root_lists_the_keys_of_four_roles_and_their_ids_are_their_hashes() {
    let parsed = parse_root(bytes(ROOT), &Limits::default()).unwrap();
    for (role, id) in [(RoleName::Root, P256), (RoleName::Timestamp, ED25519)] {
        let [key] = parsed.unverified().keys(&role).unwrap().keys.as_slice() else { panic!() };
        assert_eq!(key.id.to_string(), id);
        assert!(key.id_matches && key.public.is_some() && matches!(key.kind, KeyKind::Bare));
    }
    assert_eq!(parsed.signatures_listed(), 0);
}

#[test]
fn a_snapshot_names_roles_and_passes_over_other_names() {
    let parsed = parse_snapshot(bytes(SNAPSHOT), &Limits::default()).unwrap();
    let lengths: Vec<_> =
        parsed.unverified().meta.iter().map(|(role, file)| (role.as_str(), file.length)).collect();
    assert_eq!(lengths, [("root", 1), ("targets", 3), ("targets/releases", 4)]);
}

#[test]
fn delegations_keep_their_order_and_targets_are_sorted() {
    let parsed = targets_file(DELEGATING).unwrap();
    let [releases, a] = parsed.unverified().delegations.as_slice() else { panic!() };
    assert_eq!(
        (releases.role.as_str(), releases.paths.as_slice()),
        ("targets/releases", ["".into()].as_slice())
    );
    assert_eq!((a.role.as_str(), a.paths.len(), a.keys.keys.len()), ("targets/a", 0, 0));
    assert_eq!(a.keys.threshold.get(), 2);
    let tags: Vec<_> = parsed.unverified().targets.iter().map(|entry| entry.tag.as_str()).collect();
    assert_eq!(tags, ["a", "b"]);
    // A digest of the wrong length makes its target useless, not the file.
    assert_eq!(parsed.unverified().target("b").unwrap().sha256, None);
}

#[test]
fn what_clients_leave_out_or_write_as_null_means_nothing() {
    let bare = r#"{"signed":{"_type":"Targets","expires":"2029-01-01T00:00:00Z","version":1}}"#;
    for text in [
        bare.to_owned(),
        bare.replace("\"version\"", "\"delegations\":null,\"targets\":null,\"version\""),
        bare.replace("\"version\"", "\"delegations\":{},\"spec_version\":\"1\",\"version\""),
        bare.replace("\"version\"", "\"delegations\":{\"keys\":null,\"roles\":null},\"version\""),
        bare.replace("}}", "},\"signatures\":null}"),
        format!(" {}\n", bare.replace(':', " : ")).replace("00 : 00 : 00", "00:00:00"),
    ] {
        let parsed = targets_file(&text).unwrap();
        assert!(
            parsed.unverified().targets.is_empty() && parsed.unverified().delegations.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn signatures_that_can_never_count_are_dropped_but_were_listed() {
    let good = r#"{"keyid":"9e79f6303f6038ed0d93712c2fb375c55a4ce25d4ebb2494ccd63ad3e0d35216","method":"EdDSA","sig":"AAAA"}"#;
    let useless = [
        good.replace("EdDSA", "unheard-of"),
        good.replace("9e79", "9E79"),
        good.replace("9e79", ""),
        good.replace("AAAA", ""),
        good.replace("AAAA", "?"),
        good.replace("\"AAAA\"", "null"),
        "{}".to_owned(),
        "null".to_owned(),
    ];
    let (start, _) = TIMESTAMP.split_once(",\"signatures\"").unwrap();
    let text = format!("{start},\"signatures\":[{good},{}]}}", useless.join(","));
    let parsed = parse_timestamp(bytes(&text), &Limits::default()).unwrap();
    assert_eq!(parsed.signatures_listed(), 9);
    let [signature] = parsed.signatures() else { panic!() };
    assert_eq!(
        (signature.method, signature.bytes.as_slice()),
        (SignatureMethod::EdDsa, [0, 0, 0].as_slice())
    );
}

#[test]
fn versions_are_integer_literals_from_one() {
    let cases = [
        ("0", ParseError::VersionZero),
        ("-1", ParseError::VersionNegative),
        ("-0", ParseError::VersionNotAnInteger),
        ("1.0", ParseError::VersionNotAnInteger),
        ("1e0", ParseError::VersionNotAnInteger),
        ("\"1\"", ParseError::VersionNotAnInteger),
        ("true", ParseError::VersionNotAnInteger),
        ("null", ParseError::Missing { member: "version" }),
        ("9007199254740992", ParseError::VersionTooLarge),
        ("18446744073709551615", ParseError::VersionTooLarge),
        ("18446744073709551616", ParseError::VersionTooLarge),
        ("99999999999999999999999", ParseError::VersionTooLarge),
    ];
    for (literal, expected) in cases {
        let to = format!("\"version\":{literal}");
        assert_eq!(altered(TIMESTAMP, "\"version\":2", &to), Some(expected), "{literal}");
    }
    assert_eq!(altered(TIMESTAMP, ",\"version\":2", ""), Some(ParseError::Missing { member: "version" }));
    assert_eq!(altered(TIMESTAMP, "\"version\":2", "\"version\":9007199254740991"), None);
}

#[test]
fn members_that_go_would_take_for_known_ones_are_refused_where_go_reads_structs() {
    let cases = [
        (ROOT, "\"signed\"", "\"Signed\":1,\"signed\"", "signed"),
        (ROOT, "\"signatures\"", "\"\u{17f}ignatures\":1,\"signatures\"", "signatures"),
        (ROOT, "\"_type\"", "\"_TYPE\":1,\"_type\"", "_type"),
        (ROOT, "\"version\"", "\"Version\":9,\"version\"", "version"),
        (ROOT, "\"roles\"", "\"\\u0052oles\":{},\"roles\"", "roles"),
        (ROOT, "\"keytype\"", "\"\u{212a}eytype\":1,\"keytype\"", "keytype"),
        (ROOT, "\"public\"", "\"PUBLIC\":1,\"public\"", "public"),
        (ROOT, "\"threshold\"", "\"Threshold\":1,\"threshold\"", "threshold"),
        (TIMESTAMP, "\"keyid\"", "\"KeyID\":1,\"keyid\"", "keyid"),
        (TIMESTAMP, "\"length\"", "\"Length\":1,\"length\"", "length"),
        (SNAPSHOT, "\"meta\"", "\"Meta\":1,\"meta\"", "meta"),
        (SNAPSHOT, "\"hashes\":{}", "\"Hashes\":1,\"hashes\":{}", "hashes"),
        (DELEGATING, "\"roles\"", "\"Roles\":1,\"roles\"", "roles"),
        (DELEGATING, "\"paths\"", "\"Paths\":1,\"paths\"", "paths"),
        (DELEGATING, "\"custom\"", "\"Custom\":1,\"custom\"", "custom"),
    ];
    for (file, from, to, expected) in cases {
        let found = altered(file, from, to);
        assert!(
            matches!(&found, Some(ParseError::AmbiguousMember { known, .. }) if *known == expected),
            "{to}: {found:?}"
        );
    }
    // Where names are data, case is, too.
    assert_eq!(altered(DELEGATING, "\"a\":", "\"B\":{},\"Length\":{},\"a\":"), None);
    assert_eq!(altered(SNAPSHOT, "\"root.json\"", "\"ROOT\":{},\"root.json\""), None);
    assert_eq!(altered(ROOT, "\"roles\":{", "\"roles\":{\"Root\":{},\"mirrors\":null,"), None);
}

#[test]
fn each_rule_of_structure_refuses_what_breaks_it() {
    let id = || P256.parse::<KeyId>().unwrap();
    let role = |name: &str| name.parse::<RoleName>().unwrap();
    let releases = "\"name\":\"targets/releases\"";
    let cases = [
        (ROOT, "\"Root\",", "\"root\",\"x\":\"Root\",", ParseError::WrongRole { expected: "Root" }),
        (ROOT, "\"snapshot\":", "\"snap\":", ParseError::MissingRole { role: RoleName::Snapshot }),
        (ROOT, "\"threshold\":1", "\"threshold\":0", ParseError::Threshold { role: RoleName::Root }),
        (ROOT, "\"threshold\":1", "\"threshold\":1.0", ParseError::Threshold { role: RoleName::Root }),
        (ROOT, "\"threshold\":1", "\"threshold\":4294967296", ParseError::Threshold { role: RoleName::Root }),
        (ROOT, ",\"threshold\":1", "", ParseError::Threshold { role: RoleName::Root }),
        (ROOT, P256, ED25519, ParseError::DuplicateMember { member: ED25519.into() }),
        (ROOT, "\"041b", "\"141b", ParseError::UnknownKey { role: RoleName::Root, key: id() }),
        (ROOT, "[\"041b", "[\"041B", ParseError::KeyId),
        (ROOT, "\"MFkw", "\"MFk", ParseError::Base64 { member: "public" }),
        (ROOT, "\"keyval\"", "\"keyvals\"", ParseError::Missing { member: "keyval" }),
        (ROOT, "\"2036-01-01T", "\"2036-01-01 ", ParseError::Expires(crate::terms::InvalidTime)),
        (
            ROOT,
            "false",
            "1",
            ParseError::WrongType { member: "consistent_snapshot", expected: "true or false" },
        ),
        (ROOT, "\"version\":1", "\"version\":1,\"x\":1.5", ParseError::FractionalNumber),
        (
            ROOT,
            "\"signed\":{",
            "\"signed\":1,\"x\":{",
            ParseError::WrongType { member: "signed", expected: "an object" },
        ),
        (
            ROOT,
            "\"signatures\":[]",
            "\"signatures\":{}",
            ParseError::WrongType { member: "signatures", expected: "an array" },
        ),
        (SNAPSHOT, "\"targets\":", "\"target\":", ParseError::MissingRole { role: RoleName::Targets }),
        (SNAPSHOT, "\"sha256\"", "\"sha1\"", ParseError::MissingHash { role: RoleName::Root }),
        (SNAPSHOT, "\"sha512\"", "\"sha1\"", ParseError::MissingHash { role: role("targets/releases") }),
        (SNAPSHOT, "\"+HK7k", "\"", ParseError::Base64 { member: "sha256" }),
        (
            SNAPSHOT,
            "+HK7k0v6mNm3Ma/gG+xhfk42niePq+N5tdBHzyiLc68=",
            "+HK7",
            ParseError::HashLength { algorithm: "SHA-256" },
        ),
        (SNAPSHOT, "ikVA", "", ParseError::HashLength { algorithm: "SHA-512" }),
        (SNAPSHOT, "\"length\":1", "\"x\":1", ParseError::Missing { member: "length" }),
        (TIMESTAMP, "\"snapshot\"", "\"snapshots\"", ParseError::MissingRole { role: RoleName::Snapshot }),
        (TIMESTAMP, "\"sha256\"", "\"sha1\"", ParseError::MissingHash { role: RoleName::Snapshot }),
        (
            DELEGATING,
            releases,
            "\"name\":\"targets/a\"",
            ParseError::DuplicateDelegation { role: role("targets/a") },
        ),
        (
            DELEGATING,
            releases,
            "\"name\":\"targets/a/b\"",
            ParseError::NotAChild { role: role("targets/a/b") },
        ),
        (DELEGATING, releases, "\"name\":\"snapshot\"", ParseError::NotAChild { role: RoleName::Snapshot }),
        (
            DELEGATING,
            releases,
            "\"name\":\"targets/A\"",
            ParseError::DelegationName(crate::terms::InvalidRoleName),
        ),
        (DELEGATING, releases, "\"name\":null", ParseError::Missing { member: "name" }),
        (
            DELEGATING,
            "\"threshold\":2",
            "\"threshold\":-1",
            ParseError::Threshold { role: role("targets/a") },
        ),
        (
            DELEGATING,
            "{\"041b",
            "{\"141b",
            ParseError::UnknownKey { role: role("targets/releases"), key: id() },
        ),
        (DELEGATING, "[\"\"]", "[1]", ParseError::WrongType { member: "path", expected: "a string" }),
    ];
    for (file, from, to, expected) in cases {
        assert_eq!(altered(file, from, to), Some(expected), "{from} -> {to}");
    }
    for length in ["-1", "1.0", "1e3", "9007199254740992", "\"1\""] {
        let found = altered(DELEGATING, "\"length\":3", &format!("\"length\":{length}"));
        assert!(matches!(found, Some(ParseError::WrongType { member: "length", .. })), "{length}: {found:?}");
    }
    assert!(targets_file(&DELEGATING.replace("targets/", "targets/x/")).is_err());
    let below = parse_targets(
        role("targets/x"),
        bytes(&DELEGATING.replace("targets/", "targets/x/")),
        &Limits::default(),
    );
    assert_eq!(below.unwrap().unverified().delegations.len(), 2);
}

#[test]
fn trailing_bytes_and_broken_text_are_refused() {
    assert_eq!(refusal(&format!("{TIMESTAMP}\n")), None);
    for tail in ["x", "{}", "\0", "]"] {
        assert!(
            matches!(refusal(&format!("{TIMESTAMP}{tail}")), Some(ParseError::Syntax { .. })),
            "{tail:?}"
        );
    }
    let mut broken = TIMESTAMP.as_bytes().to_vec();
    broken[20] = 0xff;
    assert_eq!(parse_timestamp(broken.into(), &Limits::default()).err(), Some(ParseError::NotUtf8));
    assert_eq!(
        altered(DELEGATING, "\"k\":[1]", "\"k\":1,\"k\":2"),
        Some(ParseError::DuplicateMember { member: "k".into() })
    );
    let deep = format!("\"k\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(altered(DELEGATING, "\"k\":[1]", &deep), Some(ParseError::TooDeep { limit: 64 }));
}

#[test]
fn each_limit_holds() {
    let default = Limits::default();
    let limited = |limits: Limits| parse_targets(RoleName::Targets, bytes(DELEGATING), &limits).err();
    let size = DELEGATING.len();
    assert_eq!(limited(Limits { role_bytes: size, ..default }), None);
    assert_eq!(
        limited(Limits { role_bytes: size - 1, ..default }),
        Some(ParseError::TooLarge { limit: size - 1, actual: size })
    );
    assert_eq!(limited(Limits { keys: 0, ..default }), Some(ParseError::TooMany { what: "keys", limit: 0 }));
    assert_eq!(
        limited(Limits { delegations: 1, ..default }),
        Some(ParseError::TooMany { what: "delegations", limit: 1 })
    );
    assert_eq!(
        limited(Limits { targets: 1, ..default }),
        Some(ParseError::TooMany { what: "targets", limit: 1 })
    );
    assert_eq!(
        limited(Limits { key_bytes: 90, ..default }),
        Some(ParseError::TooLarge { limit: 90, actual: 91 })
    );
    assert_eq!(limited(Limits { depth: 3, ..default }), Some(ParseError::TooDeep { limit: 3 }));
    let timestamp = |limits| parse_timestamp(bytes(TIMESTAMP), &limits).err();
    assert_eq!(
        timestamp(Limits { timestamp_bytes: 494, ..default }),
        Some(ParseError::TooLarge { limit: 494, actual: 495 })
    );
    assert_eq!(
        timestamp(Limits { signatures: 0, ..default }),
        Some(ParseError::TooMany { what: "signatures", limit: 0 })
    );
}

#[test]
fn keys_that_cannot_verify_leave_the_file_readable() {
    let changes = [
        ("\"ed25519\"", "\"ed448\""),
        ("\"ed25519\"", "\"ecdsa\""),
        ("\"ed25519\"", "\"ecdsa-x509\""),
        ("2PZw84AnRXHu7/aRMwvw0BryHzQh+4XFHfb3TzQHoSE=", ""),
        ("2PZw84AnRXHu7/aRMwvw0BryHzQh+4XFHfb3TzQHoSE=", "AAAA"),
    ];
    for (from, to) in changes {
        let parsed = parse_root(bytes(&ROOT.replacen(from, to, 1)), &Limits::default()).unwrap();
        let [key] = parsed.unverified().timestamp.keys.as_slice() else { panic!() };
        assert!(!key.id_matches && key.public.is_none() && matches!(key.kind, KeyKind::Unknown), "{to}");
    }
    let with_more = ROOT.replacen("\"keytype\":\"ed25519\"", "\"keytype\":\"ed25519\",\"scheme\":\"x\"", 1);
    let parsed = parse_root(bytes(&with_more), &Limits::default()).unwrap();
    assert!(parsed.unverified().timestamp.keys[0].id_matches);
}

#[test]
fn certificates_are_keys_whose_ids_clients_rebuild() {
    let in_2026 = UnixTime::from_seconds(1_770_000_000);
    let in_2031 = "2031-01-01T00:00:00Z".parse().unwrap();
    let both = format!("{LEAF}{AUTHORITY}");
    let id = |text: &str| key_id("ecdsa-x509", text.as_bytes());
    let read = |id, text: &str| key::read(id, "ecdsa-x509", text.as_bytes(), 16);

    assert_eq!(id(LEAF).to_string(), "1811a96fae4e4950ada3ff98eafe9e5be50be8b300e7d2b13d5b4274034b00f9");
    assert_eq!(id(&both).to_string(), "041a75341db75132523768b2d6c016b09923ba89e5467b8b07553aba3294489c");
    let alone = read(id(LEAF), LEAF);
    assert!(alone.id_matches && alone.rebuilds() && alone.rebuilds_at(in_2026) && alone.rebuilds_at(in_2031));
    let chained = read(id(&both), &both);
    assert!(chained.id_matches && chained.rebuilds() && chained.rebuilds_at(in_2026));
    // Its intermediate has expired: clients leave it out and find no such id.
    assert!(!chained.rebuilds_at(in_2031));
    assert_eq!(alone.public, chained.public);
    assert_eq!(
        key_id("ecdsa", alone.public.unwrap().encoded()).to_string(),
        "346fdf80c5345cd9d5cc8da746636badc761b681f7cbc9ad85e93ab88032a9a1"
    );

    for text in [format!("\n{LEAF}"), LEAF.replace('\n', "\r\n"), format!("{AUTHORITY}{LEAF}")] {
        let key = read(id(&text), &text);
        assert!(key.id_matches && !key.rebuilds() && !key.rebuilds_at(in_2026), "{text}");
        assert!(key.public.is_some());
    }
    let mistyped = key::read(key_id("rsa-x509", LEAF.as_bytes()), "rsa-x509", LEAF.as_bytes(), 16);
    assert!(mistyped.id_matches && mistyped.public.is_none() && !mistyped.rebuilds());
    assert!(matches!(key::read(id(&both), "ecdsa-x509", both.as_bytes(), 1).kind, KeyKind::Unknown));
}

/// A fixed sequence, so that a failure stays one.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn no_alteration_of_a_good_file_panics_or_keeps_a_signature_over_another_message() {
    let limits = Limits::default();
    let signed = parse_timestamp(bytes(TIMESTAMP), &limits).unwrap();
    let public = STANDARD.decode("dGzxE7tzdYPkuVVkBKug7CXGRNpJ0IpeGbo17hRSvSE=").unwrap();
    let key = PublicKey::from_ed25519(&public).unwrap();
    let certified = ROOT.replacen("\"ecdsa\"", "\"ecdsa-x509\"", 1).replacen(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENgK7kx/HdvmLUG4733JIJd0Bv6FML8SVEmgGynvhl64nCVmWzTLdziS1bMUgb6hlSkqTYtvyOCC5YMY+GrAH+Q==",
        &STANDARD.encode(format!("{LEAF}{AUTHORITY}")),
        1,
    );
    let files = [TIMESTAMP, TARGETS, ROOT, SNAPSHOT, DELEGATING, &certified];
    let mut sequence = Sequence(1);
    for round in 0..30_000 {
        let mut file = files[round % files.len()].as_bytes().to_vec();
        for _ in 0..=sequence.below(3) {
            let at = sequence.below(file.len());
            let other = sequence.below(file.len());
            match sequence.below(5) {
                0 => file[at] = u8::try_from(sequence.below(256)).unwrap(),
                1 => file[at] = b"{}[]\",:\\019-.eu"[sequence.below(15)],
                2 => drop(file.drain(at.min(other)..at.max(other))),
                3 => file.insert(at, file[other]),
                _ => file.truncate(at.max(1)),
            }
            if file.is_empty() {
                file.push(b'{');
            }
        }
        let bytes: Arc<[u8]> = file.into();
        let others = [
            parse_root(bytes.clone(), &limits).is_ok(),
            parse_snapshot(bytes.clone(), &limits).is_ok(),
            parse_targets(RoleName::Targets, bytes.clone(), &limits).is_ok(),
        ];
        assert!(others.into_iter().filter(|read| *read).count() <= 1, "round {round}");
        if let Ok(parsed) = parse_timestamp(bytes, &limits) {
            let verified = parsed
                .signatures()
                .iter()
                .any(|signature| key.verifies(signature.method, parsed.message(), &signature.bytes));
            assert!(!verified || parsed.message() == signed.message(), "round {round}");
        }
    }
}

#[test]
fn altered_certificates_never_panic() {
    let der = pem::parse(LEAF).unwrap().into_contents();
    let mut sequence = Sequence(2);
    for _ in 0..20_000 {
        let mut altered = der.clone();
        for _ in 0..=sequence.below(2) {
            let at = sequence.below(altered.len());
            altered[at] = u8::try_from(sequence.below(256)).unwrap();
        }
        altered.truncate(altered.len() - sequence.below(3));
        let text = pem::encode(&pem::Pem::new("CERTIFICATE", altered));
        let key = key::read(key_id("ecdsa-x509", text.as_bytes()), "ecdsa-x509", text.as_bytes(), 16);
        assert!(key.id_matches);
        let _ = key.rebuilds_at(UnixTime::from_seconds(0));
    }
}
