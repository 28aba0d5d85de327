//! Orders, changes and archives against a store.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tufstore::Options;
use tufstore::terms::{Position, RoleName};
use tufstore_testkit::device::{CrashDevice, Fault, Survival};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use super::*;
use crate::access::{ApplicationId, ObjectId};

const NAME: &str = "reg.example.com/app";

fn directory() -> (TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("directory"));
    let store = Store::open(folder.path().join("store"), options).unwrap();
    let directory = Directory::open(store, folder.path(), ContentTrust::Disabled).unwrap();
    (folder, directory)
}

fn order(directory: &Directory, order: Value) -> Result<Done, OrderRefused> {
    directory.carry_out(serde_json::from_value(order).unwrap(), &Actor::operator(), NOW)
}

/// The changes that the newest note tells.
fn told(directory: &Directory) -> Vec<Value> {
    let last = directory.store.audit(Position::START).last().unwrap().unwrap();
    Noted::read(&last.note.unwrap()).unwrap().did
}

#[test]
fn a_service_principal_comes_with_a_token_under_a_name_that_is_free() {
    let (_folder, directory) = directory();
    let long = "x".repeat(64);
    let add = |name: &str| {
        order(&directory, json!({ "order": "add-service", "names": [name], "lifetime": 60 })).unwrap()
    };
    let first = add("robot");
    order(
        &directory,
        json!({ "order": "create-token", "name": "android.token-1", "of": "robot", "lifetime": 60 }),
    )
    .unwrap();
    order(&directory, json!({ "order": "add-name", "principal": "robot", "name": "android.token-2" }))
        .unwrap();
    add("android");
    add(&long);
    let access = directory.access();
    let names: BTreeSet<_> = access.tokens().map(|(_, token)| token.name.to_string()).collect();
    let shortened = format!("{}.token-1", "x".repeat(48));
    let expected = ["robot.token-1", "android.token-1", "android.token-3", &shortened];
    assert_eq!(names, expected.map(ToOwned::to_owned).into());
    let application: ApplicationId = first.application_id.unwrap();
    for text in ["ROBOT".to_owned(), application.to_string(), first.object_id.unwrap().to_string()] {
        assert_eq!(access.answering_to(&text).map(|(id, _)| Some(id)), Some(first.object_id), "{text}");
    }
    assert!(first.shown().unwrap().contains(&first.token.as_ref().unwrap().to_string()));
    assert_eq!(first.expires, Some(NOW.after(Duration::from_mins(1))));
}

#[test]
fn an_order_names_principals_and_tokens_by_what_they_answer_to() {
    let (_folder, directory) = directory();
    let done = order(&directory, json!({ "order": "add-user", "name": "sam" })).unwrap();
    let id: ObjectId = done.object_id.unwrap();
    let assign = |to: &str| json!({ "order": "assign-role", "role": "acrpull", "scope": NAME, "to": { "principal": to } });
    assert!(order(&directory, assign(&id.to_string())).unwrap().changed);
    let position = directory.store.position();
    assert!(!order(&directory, assign("SAM")).unwrap().changed);
    assert_eq!(directory.store.position(), position);
    let unassign =
        json!({ "order": "unassign-role", "role": "AcrPull", "scope": NAME, "from": { "principal": "sam" } });
    assert!(order(&directory, unassign.clone()).unwrap().changed);
    assert!(matches!(order(&directory, unassign), Err(OrderRefused::NotAssigned)));
    for name in ["one", "two"] {
        order(&directory, json!({ "order": "create-token", "name": name, "of": "sam", "lifetime": 60 }))
            .unwrap();
    }
    let one = directory.access().tokens_named(&"one".parse().unwrap()).next().unwrap().0.to_string();
    for token in [one.as_str(), "TWO"] {
        assert!(order(&directory, json!({ "order": "revoke-token", "token": token })).unwrap().changed);
    }
    let gone = order(&directory, json!({ "order": "revoke-token", "token": one }));
    assert!(matches!(gone, Err(OrderRefused::NoToken { .. })));
    let nobody = order(&directory, json!({ "order": "disable", "principal": "nobody" }));
    assert!(matches!(nobody, Err(OrderRefused::Nobody { .. })));
    let unlimited = order(&directory, json!({ "order": "create-token", "name": "x", "lifetime": 60 }));
    assert!(matches!(unlimited, Err(OrderRefused::NoLimit)));
}

/// However many registries are enabled with the first token, and whatever else it allows.
#[test]
fn where_a_token_signs_is_told_or_its_digest_is_whatever_it_is_packed_with() {
    let (_folder, directory) = directory();
    for number in 0..40 {
        let mut publisher = Publisher::for_store(&format!("r{number}.example.com/app"), &directory.store);
        publisher.tag(&[("1", digest("1"))]);
        publisher.publish(&directory.store).unwrap();
    }
    let mut cut = 0;
    for (scopes, length) in [(32, 200), (1, 20), (1, 200), (8, 20), (8, 200), (16, 60), (32, 20), (32, 230)] {
        let scope = |number| format!("reg.example.com/{number}/{}", "x".repeat(length));
        let limit: serde_json::Map<_, _> = (0..scopes)
            .map(|number| (scope(number), json!(["registries/sign/write", "registries/pull/read"])))
            .collect();
        let name = format!("token-{scopes}-{length}");
        let asked = json!({ "order": "create-token", "name": name, "limit": limit, "lifetime": 60 });
        let id = order(&directory, asked).unwrap().token.unwrap();
        let noted = told(&directory).swap_remove(0);
        let token = directory.access().token(&id).unwrap().clone();
        let (name, secret, expires, grant) = (token.name, token.secret, token.expires, token.grant);
        let whole = Change::AddToken { id, name, secret, expires, grant, by: None }.describe();
        assert_eq!(noted["expires"], whole["expires"]);
        if noted["cut"] == true {
            let digest = tufstore::crypto::sha256(whole.to_string().as_bytes());
            assert_eq!(noted["sha256"], digest.to_string());
            cut += 1;
        } else {
            assert_eq!(noted, whole);
        }
    }
    assert_eq!(cut, 2);
}

#[test]
fn all_of_several_changes_are_made_or_none() {
    let (_folder, directory) = directory();
    order(&directory, json!({ "order": "add-user", "name": "sam" })).unwrap();
    let (before, position) = (directory.access(), directory.store.position());
    let [crew, none] = ["crew", "none"].map(|name| name.parse().unwrap());
    let changes = vec![Change::AddGroup { group: crew }, Change::RemoveGroup { group: none }];
    let refused = directory.change(changes, &Actor::operator(), NOW);
    assert!(matches!(refused, Err(ChangeError::Refused(Refused::NoSuchGroup { .. }))));
    assert_eq!((directory.access(), directory.store.position()), (before, position));
}

#[test]
fn what_changes_nothing_is_not_written_down_and_said_to_change_nothing() {
    let (_folder, directory) = directory();
    for made in [
        json!({ "order": "add-user", "name": "olga" }),
        json!({ "order": "add-user", "name": "sam" }),
        json!({ "order": "add-group", "group": "crew" }),
    ] {
        assert!(order(&directory, made).unwrap().changed);
    }
    let define =
        |permissions: &[&str]| json!({ "order": "define-role", "role": "reads", "permissions": permissions });
    for asked in [
        json!({ "order": "disable", "principal": "sam" }),
        json!({ "order": "enable", "principal": "sam" }),
        json!({ "order": "rename", "from": "sam", "to": "Sam" }),
        json!({ "order": "add-member", "group": "crew", "principal": "sam" }),
        define(&["registries/pull/read"]),
        define(&["registries/pull/read", "registries/push/write"]),
    ] {
        assert!(order(&directory, asked.clone()).unwrap().changed, "{asked}");
        let position = directory.store.position();
        assert!(!order(&directory, asked.clone()).unwrap().changed, "{asked}");
        assert_eq!(directory.store.position(), position, "{asked}");
    }
    let registry: Registry = "reg.example.com".parse().unwrap();
    directory.enable(registry.clone(), &Actor::operator(), NOW).unwrap();
    let position = directory.store.position();
    directory.enable(registry, &Actor::operator(), NOW).unwrap();
    assert_eq!(directory.store.position(), position);
}

#[test]
fn what_is_written_down_is_in_force_when_it_is_opened_again() {
    let (folder, directory) = directory();
    order(&directory, json!({ "order": "add-user", "name": "sam", "password": "correct horse" })).unwrap();
    directory.enable("reg.example.com".parse().unwrap(), &Actor::operator(), NOW).unwrap();
    let before = directory.access();
    let again = Directory::open(directory.store.clone(), folder.path(), ContentTrust::Disabled).unwrap();
    assert_eq!(again.access(), before);
    assert!(again.shows(NAME) && !again.shows("other.example.com/app"));
    let expected =
        json!({ "change": "set-content-trust", "registry": "reg.example.com", "content_trust": "enabled" });
    assert_eq!(told(&again), [expected]);
}

#[test]
fn without_anybody_every_registry_is_open_but_those_that_are_disabled() {
    let (_folder, directory) = directory();
    assert!(directory.is_open() && directory.shows(NAME));
    let disabled =
        directory.disable(&"reg.example.com".parse().unwrap(), &Actor::operator(), NOW, &mut |_| {});
    assert_eq!(disabled.unwrap().repositories, 0);
    assert!(!directory.shows(NAME) && directory.publishing(&NAME.parse().unwrap()).is_none());
    // A first user does not enable what was disabled.
    order(&directory, json!({ "order": "add-user", "name": "sam" })).unwrap();
    assert!(!directory.shows(NAME));
}

/// A delegation that was removed and made anew begins at version 1 again.
#[test]
fn two_files_of_one_role_and_version_are_both_archived() {
    let (_folder, directory) = directory();
    let mut publisher = Publisher::for_store(NAME, &directory.store);
    let releases: RoleName = "targets/releases".parse().unwrap();
    publisher.delegate("targets/releases", &[""], &[("1", digest("1"))]);
    publisher.publish(&directory.store).unwrap();
    let first = directory.store.view(&NAME.parse().unwrap()).unwrap().unwrap();
    assert!(publisher.author().remove_delegation(&releases));
    publisher.publish(&directory.store).unwrap();
    publisher.delegate("targets/releases", &[""], &[("2", digest("2"))]);
    publisher.publish(&directory.store).unwrap();
    let last = directory.store.view(&NAME.parse().unwrap()).unwrap().unwrap();
    let done = directory.reset(&NAME.parse().unwrap(), &Actor::operator(), NOW).unwrap();
    let read = |name: &str| fs::read(done.archive.join(name)).unwrap();
    let (first, last) = (first.document(&releases).unwrap(), last.document(&releases).unwrap());
    assert_eq!((first.version(), last.version()), (last.version(), first.version()));
    assert_eq!(read("1.targets.releases.json"), **first.bytes());
    assert_eq!(read(&format!("1.{}.json", last.sha256())), **last.bytes());
    let about: Value = serde_json::from_slice(&read("about.json")).unwrap();
    let listed = about["files"].as_array().unwrap();
    assert_eq!(u64::try_from(listed.len()).unwrap(), done.files);
    for file in listed {
        let bytes = read(file["file"].as_str().unwrap());
        assert_eq!(file["sha256"], tufstore::crypto::sha256(&bytes).to_string());
    }
}

#[test]
fn nothing_that_is_asked_for_is_shown_by_debug() {
    let (_folder, directory) = directory();
    let text = json!({ "order": "add-user", "name": "sam", "password": "correct horse" });
    let asked: Order = serde_json::from_value(text).unwrap();
    let done =
        order(&directory, json!({ "order": "add-service", "names": ["robot"], "lifetime": 60 })).unwrap();
    let secret = done.shown().unwrap().to_owned();
    let shown = format!("{asked:?} {done:?} {directory:?} {:?}", done.secret);
    assert!(!shown.contains("horse") && !shown.contains(&secret) && !shown.contains("argon2"), "{shown}");
}

fn published(directory: &Directory, name: &str) -> Publisher {
    let mut publisher = Publisher::for_store(name, &directory.store);
    publisher.publish(&directory.store).unwrap();
    publisher
}

#[test]
fn what_a_crash_left_of_a_disabled_registry_does_not_come_back_when_that_is_enabled() {
    let (folder, directory) = directory();
    let (gone, stays) = (published(&directory, NAME), published(&directory, "other.example.com/app"));
    order(&directory, json!({ "order": "add-user", "name": "alice" })).unwrap();
    // As the process ends between the one and the other.
    let registry: Registry = "reg.example.com".parse().unwrap();
    let content_trust = Some(ContentTrust::Disabled);
    let change = Change::SetContentTrust { registry: registry.clone(), content_trust };
    directory.change(vec![change], &Actor::operator(), NOW).unwrap();
    let store = directory.store.clone();
    let directory = Directory::open(store.clone(), folder.path(), ContentTrust::Disabled).unwrap();
    assert!(store.view(gone.repository()).unwrap().is_some());
    directory.enable(registry, &Actor::operator(), NOW).unwrap();
    assert!(directory.shows(NAME) && store.view(gone.repository()).unwrap().is_none());
    assert!(store.view(stays.repository()).unwrap().is_some());
}

#[test]
fn enabling_what_nobody_disabled_deletes_nothing() {
    let (folder, directory) = directory();
    order(&directory, json!({ "order": "add-user", "name": "alice" })).unwrap();
    let publisher = published(&directory, NAME);
    // Under a default that is another one now.
    assert!(!directory.shows(NAME));
    directory.enable("reg.example.com".parse().unwrap(), &Actor::operator(), NOW).unwrap();
    assert!(directory.store.view(publisher.repository()).unwrap().is_some());
    drop(folder);
}

#[test]
fn once_somebody_is_disabled_nothing_of_theirs_is_under_way() {
    let (_folder, directory) = directory();
    for name in ["alice", "bob"] {
        order(&directory, json!({ "order": "add-user", "name": name })).unwrap();
    }
    directory.enable("reg.example.com".parse().unwrap(), &Actor::operator(), NOW).unwrap();
    let publishing = directory.publishing(&NAME.parse().unwrap()).unwrap();
    std::thread::scope(|scope| {
        let disabling = scope.spawn(|| order(&directory, json!({ "order": "disable", "principal": "bob" })));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!disabling.is_finished(), "a publication is under way");
        drop(publishing);
        disabling.join().unwrap().unwrap();
    });
}

/// Two repositories of the registry and one of another, a user, and then content trust is disabled. How far it came: whether
/// the user is there, and whether disabling said that it was done.
fn disabled_on(device: &CrashDevice) -> (bool, bool) {
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("directory"));
    let Ok(store) = Store::open_on(Arc::new(device.clone()), options) else { return (false, false) };
    for name in ["reg.example.com/a", "reg.example.com/b", "other.example.com/app"] {
        if Publisher::for_store(name, &store).publish(&store).is_err() {
            return (false, false);
        }
    }
    let directory = Directory::open(store, "", ContentTrust::Disabled).unwrap();
    if order(&directory, json!({ "order": "add-user", "name": "alice" })).is_err() {
        return (false, false);
    }
    let registry = "reg.example.com".parse().unwrap();
    (true, directory.disable(&registry, &Actor::operator(), NOW, &mut |_| {}).is_ok())
}

#[test]
fn a_power_cut_at_any_operation_of_disabling_leaves_it_undone_or_done_once_a_server_starts() {
    let (mut undone, mut half_way) = (0, 0);
    for operation in 1.. {
        let device = CrashDevice::new();
        device.set_fault(operation, Fault::PowerCut);
        let (has_user, is_done) = disabled_on(&device);
        if !device.met_fault() {
            assert!(is_done && undone > 0 && half_way > 0, "{operation}, {undone}, {half_way}");
            return;
        }
        if !has_user {
            continue;
        }
        for survival in [Survival::Dropped, Survival::Kept, Survival::Torn { piece: 512, seed: operation }] {
            let case = format!("operation {operation}, {survival:?}, {is_done}");
            let options = Options::default().with_online_keys(SeededOnlineKeys::new("directory"));
            let store = Store::open_on(Arc::new(device.after_power_cut(survival)), options).unwrap();
            let there = || store.repositories().iter().map(ToString::to_string).collect::<BTreeSet<_>>();
            let before = there();
            let directory = Directory::open(store.clone(), "", ContentTrust::Disabled).unwrap();
            directory.resume(NOW).unwrap();
            let all = ["other.example.com/app", "reg.example.com/a", "reg.example.com/b"];
            if directory.shows("reg.example.com/a") {
                assert!(!is_done && there() == all.map(ToOwned::to_owned).into(), "{case}");
                undone += 1;
            } else {
                assert_eq!(there(), [all[0].to_owned()].into(), "{case}");
                half_way += usize::from(before.len() > 1);
            }
            assert_eq!(store.verify(&mut |_| {}).unwrap().findings, [], "{case}");
        }
    }
}
