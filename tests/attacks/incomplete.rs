//! Uploads and sets that are not whole, and servers that lie.

use serde_json::{Value, json};
use tufstore::crypto::OnlineRole;
use tufstore::terms::RoleName;
use tufstore::{Fault, Lookup, MirrorError, ParseError, Upload};
use tufstore_testkit::{CompleteParts, Forge, ForgedFile, ForgedKey, NOW, digest};

use crate::twins::{REPOSITORY, Twins, role, stranger, upload};

#[test]
fn after_a_refused_mirror_the_store_answers_as_before_and_takes_an_honest_one() {
    let (twins, forge) = (Twins::in_folders(), Forge::new(REPOSITORY));
    let tags = |version: u64| [("3.22", digest(&format!("manifest {version}")))];
    twins.both_mirror(&forge.complete(1, &tags(1)));
    let honest = forge.parts(2, &tags(2));
    let lie = |change: fn(&mut CompleteParts)| {
        let mut parts = honest.clone();
        change(&mut parts);
        parts.set()
    };
    let lies = [
        lie(|parts| parts.timestamp = b"<html>captive portal</html>".as_slice().into()),
        lie(|parts| parts.snapshot = [].into()),
        lie(|parts| parts.targets = parts.snapshot.clone()),
        lie(|parts| parts.roots = vec![parts.timestamp.clone()]),
        Forge { timestamp: stranger(), ..forge.clone() }.complete(9, &tags(9)),
        Forge::new("docker.io/library/busybox").complete(9, &tags(9)),
    ];
    twins.unchanged(|store| {
        for lie in &lies {
            let refused = store.mirror(&forge.repository, lie, NOW).unwrap_err();
            assert!(matches!(refused, MirrorError::Malformed { .. } | MirrorError::Untrusted { .. }));
            let answer = store.lookup(REPOSITORY, "3.22", NOW).unwrap();
            assert!(matches!(answer, Lookup::Found(found) if found.target.sha256 == tags(1)[0].1));
        }
    });
    let faults = twins.mirror_each(&honest.set(), lies).map(|refusal| refusal.fault);
    assert_eq!(faults, [Fault::Publisher; 6]);
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(found) if found.target.sha256 == tags(2)[0].1));
}

#[test]
fn an_upload_with_a_role_twice_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let [second, third] = [2, 3].map(|version| forge.targets(version, &[]).bytes());
    let right = upload([("targets", second.clone())]);
    let wrong = [second, third].map(|bytes| right.clone().with(role("targets"), bytes));
    for refusal in twins.publish_each(&right, wrong) {
        refusal.says("Repeated { role: Targets }", "the upload has two files of targets");
    }
}

#[test]
fn a_first_publication_without_root_or_targets_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    let (root, file) = (("root", forge.roots[0].clone()), ("targets", forge.targets(1, &[]).bytes()));
    let wrong = [upload([file.clone()]), upload([root.clone()]), Upload::new()];
    let [no_root, no_targets, nothing] = twins.publish_each(&upload([root, file]), wrong);
    let said = |name| format!("nothing is published under this name yet, and the upload has no {name}");
    no_root.says("Missing { role: Root }", &said("root"));
    no_targets.says("Missing { role: Targets }", &said("targets"));
    nothing.says("Missing { role: Root }", &said("root"));
}

#[test]
fn a_publication_that_nobody_can_complete_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    let foreign = |change: fn(&mut Forge)| {
        let mut forge = forge.clone();
        change(&mut forge);
        forge.begun().first_upload(&[])
    };
    let wrong = [
        foreign(|forge| forge.snapshot = stranger()),
        foreign(|forge| forge.timestamp = stranger()),
        // One key is held here, and two would have to sign.
        foreign(|forge| {
            forge.timestamp.keys.push(ForgedKey::seeded("elsewhere"));
            forge.timestamp.threshold = 2;
        }),
    ];
    let roles = [OnlineRole::Snapshot, OnlineRole::Timestamp, OnlineRole::Timestamp];
    for (refusal, held) in twins.publish_each(&forge.first_upload(&[]), wrong).into_iter().zip(roles) {
        let name = RoleName::from(held);
        let said = format!("the {name} has to be signed, and the keys held here do not suffice");
        refusal.says(&format!("NotHeld {{ role: {held:?} }}"), &said);
    }
}

#[test]
fn an_uploaded_timestamp_is_never_served() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let file = upload([("targets", forge.targets(2, &[]).bytes())]);
    let timestamp = ForgedFile::timestamp(9, b"any snapshot").signed_by(&stranger().keys).bytes();
    let unreadable = file.clone().with(role("timestamp"), timestamp[..9].to_vec());
    let reason = ParseError::Syntax { line: 1, column: 9 };
    twins.publish(&file.with(role("timestamp"), timestamp), &unreadable).is_malformed(
        "timestamp",
        reason,
        "no JSON at line 1, column 9",
    );
    let view = twins.store().view(&forge.repository).unwrap().unwrap();
    let served: Value = serde_json::from_slice(view.document(&role("timestamp")).unwrap().bytes()).unwrap();
    assert_eq!(served["signed"]["version"], json!(2));
}

#[test]
fn a_key_of_one_repository_signs_for_no_other() {
    let twins = Twins::new();
    let (forge, other) = (twins.forge(), Forge::for_store("docker.io/library/busybox", twins.store()));
    twins.both_publish(&forge.first_upload(&[]));
    // All of another repository, signed as it should be there: its root's certificate does not name this one.
    let root = Forge { root: other.root.clone(), ..forge.clone() };
    let root = root.root(2).signed_by(&forge.root.keys).bytes();
    let said = "no root key is a certificate that is valid now, strong enough, and names this repository";
    twins.publish(&upload([("root", forge.root(2).bytes())]), &upload([("root", root)])).is_untrusted(
        "root",
        tufstore::TrustError::NoRootCertificate,
        said,
    );
}
