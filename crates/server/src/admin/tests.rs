use std::collections::BTreeMap;

use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, Version};

use super::line::Said;
use super::{
    Ask, Blob, Changes, Current, Delete, History, Key, Kind, Lookup, Mirror, Progress, Publish, Receipt,
    Refusal, Reindex, Repositories, Show, Status, Tags, Verify,
};
use crate::text::chain;

fn line(said: &impl serde::Serialize) -> String {
    let line = serde_json::to_string(said).unwrap();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn every_question_survives_the_wire() {
    let repository: RepositoryName = "docker.io/library/app".parse().unwrap();
    let sha256: Sha256 = "ab".repeat(32).parse().unwrap();
    let role: RoleName = "targets/releases".parse().unwrap();
    let version: Version = serde_json::from_str("7").unwrap();
    let after: Position = serde_json::from_str("18446744073709551615").unwrap();
    let bytes = Blob((0..=u8::MAX).collect());
    let files = BTreeMap::from([(role.clone(), bytes.clone()), (RoleName::Root, Blob([].into()))]);
    let r = || repository.clone();
    let asks: [Ask; 16] = [
        Changes { after, limit: u64::MAX }.into(),
        Current { repository: r() }.into(),
        Delete { repository: r() }.into(),
        History { repository: r() }.into(),
        Key { repository: r(), snapshot: true }.into(),
        Lookup { repository: r(), tag: "a\n\"\u{2028}\u{0}".to_owned() }.into(),
        Mirror { repository: r(), roots: vec![bytes], files: files.clone() }.into(),
        Publish { repository: r(), files }.into(),
        Receipt { repository: r(), timestamp: sha256 }.into(),
        Reindex {}.into(),
        Repositories {}.into(),
        Show { repository: r(), role: role.clone(), version: Some(version), sha256: Some(sha256) }.into(),
        Status {}.into(),
        Tags { repository: r(), role: Some(role) }.into(),
        Tags { repository: r(), role: None }.into(),
        Verify {}.into(),
    ];
    for ask in asks {
        let line = line(&ask);
        assert_eq!(serde_json::from_str::<Ask>(&line).unwrap(), ask, "{line}");
    }
}

#[test]
fn a_refusal_keeps_its_causes_over_the_wire() {
    let cause = std::io::Error::other("the disk is full");
    let refusal = Refusal::new(Kind::Files, "publishing failed").because(&cause);
    let Said::Refused(heard) = serde_json::from_str(&line(&Said::Refused(refusal.clone()))).unwrap() else {
        panic!("not a refusal");
    };
    assert_eq!(heard, refusal);
    assert_eq!(chain(&heard), "publishing failed: the disk is full");
}

#[test]
fn progress_survives_the_wire() {
    let progress = Progress { doing: "reading".to_owned(), done: 1, all: u64::MAX };
    let said = serde_json::from_str(&line(&Said::Progress(progress.clone()))).unwrap();
    assert!(matches!(said, Said::Progress(heard) if heard == progress));
}
