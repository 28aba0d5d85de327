//! Names that are meant to hurt.

use tufstore::terms::{InvalidRepositoryName, RepositoryName, RoleName};
use tufstore::{Lookup, ParseError};
use tufstore_testkit::{ForgedKey, ForgedSigners, NOW, digest};

use crate::twins::{Twins, upload};

#[test]
fn odd_role_names_are_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let long = format!("targets/{}", "a".repeat(300));
    let names = [
        "",
        "targets/",
        "targets/..",
        "targets/../root",
        "targets/.",
        "targets//a",
        "/targets/a",
        "targets/a/",
        "targets/A",
        "Targets/a",
        "targets/a b",
        "targets/a\0",
        "targets/\u{e9}",
        "targets\\a",
        "releases",
        &long,
    ];
    let any = ForgedSigners::one(ForgedKey::seeded("any"));
    let with = |name| upload([("targets", forge.targets(2, &[]).delegating(name, &any, &[""]).bytes())]);
    let longest = format!("targets/{}", "a".repeat(255 - "targets/".len()));
    for (refusal, name) in twins.publish_each(&with(&longest), names.map(with)).into_iter().zip(names) {
        let why = name.parse::<RoleName>().unwrap_err();
        let said = format!("a delegation's name cannot be read: {why}");
        refusal.is_malformed("targets", ParseError::DelegationName(why), &said);
    }
}

#[test]
fn odd_repository_names_are_refused() {
    use InvalidRepositoryName::{Character, Segment, TooLong};

    let twins = Twins::new();
    twins.both_publish(&twins.forge().first_upload(&[("3.22", digest("a manifest"))]));
    let cases = [
        ("", Segment),
        (".", Segment),
        ("..", Segment),
        ("a//b", Segment),
        ("/a", Segment),
        ("a/", Segment),
        ("a/./b", Segment),
        ("docker.io/library/../library/alpine", Segment),
        ("a*", Character),
        ("a\0", Character),
        ("a\nb", Character),
        ("a\u{7f}", Character),
        ("a\u{85}", Character),
        (&"a".repeat(256), TooLong { length: 256 }),
    ];
    for name in ["docker.io/library/alpine", "A", "reg.example.com:5000/Team/app", &"a".repeat(255)] {
        assert!(name.parse::<RepositoryName>().is_ok(), "{name:?}");
    }
    for (name, why) in cases {
        assert_eq!(name.parse::<RepositoryName>(), Err(why), "{name:?}");
        assert_ne!(why.to_string(), "");
        // Asking for one is no error and costs nothing: nobody can have published under it.
        let answer = twins.unchanged(|store| store.lookup(name, "3.22", NOW).unwrap());
        assert_eq!(answer, Lookup::NoSuchRepository, "{name:?}");
    }
}

#[test]
fn a_tag_that_looks_like_a_path_names_no_file() {
    let (plain, odd) = (Twins::in_folders(), Twins::in_folders());
    let tags = ["../../etc/passwd", "/etc/passwd", "..", "a\0b", "C:\\x", "", "targets/releases", "a\nb"];
    let tagged = tags.map(|tag| (tag, digest(tag)));
    let many: Vec<String> = (0..tags.len()).map(|number| format!("v{number}")).collect();
    let many: Vec<_> = many.iter().map(|tag| (tag.as_str(), digest(tag))).collect();
    plain.accepted(&plain.forge().first_upload(&many));
    odd.accepted(&odd.forge().first_upload(&tagged));
    for tag in tags {
        let answer = odd.lookup(tag);
        assert!(matches!(&answer, Lookup::Found(found) if found.target.sha256 == digest(tag)), "{tag:?}");
    }
    assert_eq!(odd.file_names(), plain.file_names());
}
