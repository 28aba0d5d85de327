//! Group `server/handlers/validation_test.go`: which uploads are taken.

use serde_json::json;
use tufstore_testkit::{ForgedKey, ForgedSigners, digest};

use crate::support::{Api, NAME};

/// Root 1 and targets 1 of a forge, as a first upload.
async fn first(api: &Api) -> tufstore_testkit::Forge {
    let forge = api.forge();
    let upload = forge.first_upload(&[("v1", digest("one"))]);
    assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
    forge
}

#[tokio::test]
async fn validate_empty_new() {
    let api = Api::new().await;
    let forge = api.forge();
    let (root, targets) = (forge.roots[0].clone(), forge.targets(1, &[("v1", digest("one"))]).bytes());
    let timestamp = tufstore_testkit::Forge::new(NAME).timestamp(7, b"whatever").bytes();
    let sent = api.upload(&[("root", &root), ("targets", &targets), ("timestamp", &timestamp)]).await;
    assert_eq!((sent.status, sent.body.len()), (200, 0));
    assert_eq!(api.file("root.json").await.body, *root);
    assert_eq!(api.file("targets.json").await.body, *targets);
    let made = api.file("timestamp.json").await;
    assert_ne!(made.body, *timestamp);
    assert_eq!(made.json()["signed"]["version"], 1);
    assert_eq!(api.walk().await, ["root", "targets"]);
}

#[tokio::test]
async fn validate_root_can_contain_only_x509_keys_with_right_gun() {
    let api = Api::new().await;
    let other = "reg.example.com/other".parse().unwrap();
    for root in [ForgedKey::root("another name", &other), ForgedKey::seeded("a bare key")] {
        let mut forge = api.forge();
        forge.root = ForgedSigners::one(root);
        let forge = forge.begun();
        let sent = api.send_upload(NAME, &forge.first_upload(&[])).await;
        sent.refused("ErrBadRoot", "unable to retrieve valid leaf certificates");
    }
    assert_eq!(api.file("root.json").await.status, 404);
}

#[tokio::test]
async fn validate_prev_timestamp() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    for version in 2..5 {
        let upload = publisher.tag_upload(&[("v", digest(&version.to_string()))]);
        assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
        assert_eq!(api.file("timestamp.json").await.json()["signed"]["version"], version);
    }
}

#[tokio::test]
async fn validate_no_new_root() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let targets = forge.targets(2, &[("v2", digest("two"))]).bytes();
    assert_eq!(api.upload(&[("targets", &targets)]).await.status, 200);
    api.walk().await;
}

/// Also for `ValidateOnlySnapshot`: an author who holds the snapshot's key.
#[tokio::test]
async fn validate_no_new_targets() {
    let api = Api::new().await;
    let forge = held_snapshot(&api);
    let (root, targets) = (forge.roots[0].clone(), forge.targets(1, &[]).bytes());
    let files: [(&str, &[u8]); 2] = [("root", &root), ("targets", &targets)];
    let snapshot = forge.snapshot(1, &files).bytes();
    let sent = api.upload(&[("root", &root), ("targets", &targets), ("snapshot", &snapshot)]).await;
    assert_eq!(sent.status, 200, "{:?}", sent.json());
    let snapshot = forge.snapshot(2, &files).bytes();
    let sent = api.upload(&[("snapshot", &snapshot)]).await;
    assert_eq!(sent.status, 200, "{:?}", sent.json());
    assert_eq!(api.file("snapshot.json").await.body, *snapshot);
}

/// A repository whose author holds the snapshot's key.
fn held_snapshot(api: &Api) -> tufstore_testkit::Forge {
    let mut forge = api.forge();
    forge.snapshot = ForgedSigners::one(ForgedKey::seeded("the author's snapshot"));
    forge.begun()
}

/// Here the version rule answers at once; in Notary the same root passes validation and fails in the database.
#[tokio::test]
async fn validate_old_root() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let before = api.observe();
    let sent = api.upload(&[("root", &forge.roots[0])]).await;
    assert_eq!(sent.code(), (400, "VERSION".to_owned()));
    assert_eq!(sent.json()["errors"][0]["detail"], json!({}));
    assert_eq!(api.observe(), before);
}

#[tokio::test]
async fn validate_root_rotation_with_old_sigs() {
    let api = Api::new().await;
    let mut forge = first(&api).await;
    for turn in 0..3 {
        let name = NAME.parse().unwrap();
        forge
            .rotate(|forge| forge.root = ForgedSigners::one(ForgedKey::root(&format!("root {turn}"), &name)));
        let sent = api.upload(&[("root", forge.roots.last().unwrap())]).await;
        assert_eq!(sent.status, 200, "{turn}: {:?}", sent.json());
    }
    for version in 1..=4 {
        assert_eq!(api.file(&format!("{version}.root.json")).await.json()["signed"]["version"], version);
    }
    api.walk().await;
}

#[tokio::test]
async fn validate_root_rotation_multiple_keys_threshold_1() {
    let api = Api::new().await;
    let name = NAME.parse().unwrap();
    let (a, b) = (ForgedKey::root("a", &name), ForgedKey::root("b", &name));
    let mut forge = api.forge();
    forge.root = ForgedSigners::new([a.clone(), b.clone()], 1);
    let root = forge.root(1).unsigned().signed_by([&a]).bytes();
    let targets = forge.targets(1, &[]).bytes();
    assert_eq!(api.upload(&[("root", &root), ("targets", &targets)]).await.status, 200);
    // The key that did not sign the first root vouches for the next.
    let new = ForgedKey::root("new", &name);
    forge.root = ForgedSigners::one(new.clone());
    let root = forge.root(2).unsigned().signed_by([&b, &new]).bytes();
    let sent = api.upload(&[("root", &root)]).await;
    assert_eq!(sent.status, 200, "{:?}", sent.json());
}

#[tokio::test]
async fn root_rotation_not_signed_with_old_keys_for_old_role() {
    let api = Api::new().await;
    let name = NAME.parse().unwrap();
    let [a, b, new] = ["a", "b", "new"].map(|label| ForgedKey::root(label, &name));
    let mut forge = api.forge();
    forge.root = ForgedSigners::new([a.clone(), b.clone()], 2);
    let forge_ = forge.begun();
    assert_eq!(api.send_upload(NAME, &forge_.first_upload(&[])).await.status, 200);
    let mut forge = forge_;
    forge.root = ForgedSigners::one(new.clone());
    let before = api.observe();
    let one = forge.root(2).unsigned().signed_by([&a, &new]).bytes();
    api.upload(&[("root", &one)]).await.refused("ErrBadRoot", "could not rotate trust to a new trusted root");
    assert_eq!(api.observe(), before);
    let both = forge.root(2).unsigned().signed_by([&a, &b, &new]).bytes();
    assert_eq!(api.upload(&[("root", &both)]).await.status, 200);
}

#[tokio::test]
async fn root_rotation_version_increment() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let before = api.observe();
    let ahead = forge.root(3).bytes();
    let said = "Root modifications must increment the version. Current 1, new 3";
    api.upload(&[("root", &ahead)]).await.refused("ErrBadRoot", said);
    assert_eq!(api.observe(), before);
    let next = forge.root(2).bytes();
    assert_eq!(api.upload(&[("root", &next)]).await.status, 200);
}

#[tokio::test]
async fn validate_no_root() {
    let api = Api::new().await;
    let targets = api.forge().targets(1, &[]).bytes();
    let said = "no pre-existing root and no root provided in update.";
    api.upload(&[("targets", &targets)]).await.refused("ErrValidation", said);
    api.upload(&[]).await.refused("ErrValidation", said);
    assert_eq!(api.get("/v2/_trust/changefeed?records=10").await.json()["count"], 0);
}

/// Also for `GenerateSnapshotNoKey`.
#[tokio::test]
async fn validate_snapshot_missing_no_snapshot_key() {
    let api = Api::new().await;
    let forge = held_snapshot(&api);
    let (root, targets) = (forge.roots[0].clone(), forge.targets(1, &[]).bytes());
    let sent = api.upload(&[("root", &root), ("targets", &targets)]).await;
    sent.refused("ErrBadHierarchy", "no snapshot was included in update");
    assert_eq!(sent.json()["errors"][0]["detail"]["Error"]["Missing"], "snapshot");
}

/// Also for `ValidateSnapshotGenerateWithPrev` and `ValidateSnapshotGenerate`.
#[tokio::test]
async fn validate_snapshot_generate_no_prev() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let snapshot = api.file("snapshot.json").await.json();
    assert_eq!(snapshot["signed"]["version"], 1);
    assert_eq!(snapshot["signed"]["meta"].as_object().unwrap().len(), 2);
    let targets = forge.targets(2, &[]).bytes();
    assert_eq!(api.upload(&[("targets", &targets)]).await.status, 200);
    assert_eq!(api.file("snapshot.json").await.json()["signed"]["version"], 2);
    assert_eq!(api.file("2.snapshot.json").await.json()["signed"]["version"], 2);
    assert_eq!(api.walk().await, ["root", "targets"]);
}

#[tokio::test]
async fn validate_snapshot_generate_no_targets() {
    let api = Api::new().await;
    let forge = api.forge();
    api.upload(&[("root", &forge.roots[0])]).await.refused("ErrBadHierarchy", "targets");
    assert_eq!(api.file("root.json").await.status, 404);
}

/// Also for `ValidateRootInvalidTimestampKey`.
#[tokio::test]
async fn validate_root_no_timestamp_key() {
    let api = Api::new().await;
    let mut forge = api.forge();
    forge.timestamp = ForgedSigners::one(ForgedKey::seeded("another server's"));
    let forge = forge.begun();
    let sent = api.send_upload(NAME, &forge.first_upload(&[])).await;
    sent.refused("ErrBadRoot", "no timestamp keys exist on the server");
}

#[tokio::test]
async fn validate_root_invalid_timestamp_threshold() {
    let api = Api::new().await;
    let forge = api.forge();
    let mut root = forge.root(1).edit(|root| root["roles"]["timestamp"]["threshold"] = json!(2));
    root = root.unsigned().signed_by(&forge.root.keys);
    let targets = forge.targets(1, &[]).bytes();
    let sent = api.upload(&[("root", &root.bytes()), ("targets", &targets)]).await;
    sent.refused("ErrBadRoot", "no timestamp keys exist on the server");
}

#[tokio::test]
async fn validate_root_invalid_zero_threshold() {
    let api = Api::new().await;
    let forge = api.forge();
    let targets = forge.targets(1, &[]).bytes();
    for role in ["root", "targets", "snapshot", "timestamp"] {
        let root = forge.root(1).edit(|root| root["roles"][role]["threshold"] = json!(0));
        let root = root.unsigned().signed_by(&forge.root.keys).bytes();
        let sent = api.upload(&[("root", &root), ("targets", &targets)]).await;
        sent.refused("ErrBadRoot", "threshold");
    }
}

/// `Validate{Root,Targets,Snapshot}RoleMissing`.
#[tokio::test]
async fn validate_role_missing() {
    let api = Api::new().await;
    let forge = api.forge();
    let targets = forge.targets(1, &[]).bytes();
    for role in ["root", "targets", "snapshot", "timestamp"] {
        let root = forge.root(1).edit(|root| drop(root["roles"].as_object_mut().unwrap().remove(role)));
        let root = root.unsigned().signed_by(&forge.root.keys).bytes();
        api.upload(&[("root", &root), ("targets", &targets)]).await.refused("ErrBadRoot", role);
    }
}

/// `Validate{Root,Targets,Snapshot}SigMissing`.
#[tokio::test]
async fn validate_sig_missing() {
    let api = Api::new().await;
    let forge = held_snapshot(&api);
    let (root, targets) = (forge.root(1), forge.targets(1, &[]));
    let files = [root.bytes(), targets.bytes()];
    let snapshot = forge.snapshot(1, &[("root", &files[0]), ("targets", &files[1])]);
    for (missing, name) in
        [("root", "ErrBadRoot"), ("targets", "ErrBadTargets"), ("snapshot", "ErrBadSnapshot")]
    {
        let all = [("root", &root, &files[0]), ("targets", &targets, &files[1])];
        let mut sent: Vec<(&str, Vec<u8>)> = Vec::new();
        for (role, file, bytes) in all {
            let bytes =
                if role == missing { file.clone().unsigned().bytes().to_vec() } else { bytes.to_vec() };
            sent.push((role, bytes));
        }
        let signed = if missing == "snapshot" { snapshot.clone().unsigned() } else { snapshot.clone() };
        sent.push(("snapshot", signed.bytes().to_vec()));
        let sent: Vec<_> = sent.iter().map(|(role, bytes)| (*role, &**bytes)).collect();
        api.upload(&sent).await.refused(name, "no signatures");
    }
}

/// `Validate{Root,Targets,Snapshot}Corrupt`: over HTTP a part that is no JSON is told so before anything else.
#[tokio::test]
async fn validate_corrupt() {
    let api = Api::new().await;
    let forge = api.forge();
    let (root, targets) = (forge.roots[0].clone(), forge.targets(1, &[]).bytes());
    for corrupt in ["root", "targets"] {
        let files: Vec<(&str, Vec<u8>)> = [("root", &root), ("targets", &targets)]
            .map(|(role, bytes)| {
                let mut bytes = bytes.to_vec();
                if role == corrupt {
                    bytes[0] ^= 1;
                }
                (role, bytes)
            })
            .to_vec();
        let files: Vec<_> = files.iter().map(|(role, bytes)| (*role, &**bytes)).collect();
        assert_eq!(api.upload(&files).await.code(), (400, "MALFORMED_JSON".to_owned()));
    }
    assert_eq!(api.file("root.json").await.status, 404);
}

/// `ValidateRootModifiedSize`, `ValidateTargetsModifiedSize` and the two for hashes: what a snapshot names must be there.
/// Uploaded so, clients could not read the repository back.
#[tokio::test]
async fn validate_modified_size_and_hash() {
    let api = Api::new().await;
    let forge = held_snapshot(&api);
    let (root, targets) = (forge.roots[0].clone(), forge.targets(1, &[]).bytes());
    let other = forge.targets(1, &[("another", digest("x"))]).bytes();
    for named in [("root", &other), ("targets", &other)] {
        let of = |role: &'static str, right: &std::sync::Arc<[u8]>| {
            if named.0 == role { named.1.clone() } else { right.clone() }
        };
        let (a, b) = (of("root", &root), of("targets", &targets));
        let snapshot = forge.snapshot(1, &[("root", &a), ("targets", &b)]).bytes();
        let sent = api.upload(&[("root", &root), ("targets", &targets), ("snapshot", &snapshot)]).await;
        sent.refused("ErrBadSnapshot", named.0);
    }
}

/// Changed after they were signed.
#[tokio::test]
async fn validate_modified_content() {
    let api = Api::new().await;
    let forge = api.forge();
    let (root, targets) = (forge.root(1), forge.targets(1, &[("v1", digest("one"))]));
    let later = root.replaced("\"version\":1", "\"version\":2");
    let sent = api.upload(&[("root", &later), ("targets", &targets.bytes())]).await;
    sent.refused("ErrBadRoot", "failed to validate integrity of roots");
    let other = targets.replaced("\"v1\"", "\"v2\"");
    let sent = api.upload(&[("root", &root.bytes()), ("targets", &other)]).await;
    sent.refused("ErrBadTargets", "valid signatures did not meet threshold for targets");
}

/// A snapshot that names what the server does not have: taken by Notary, and then no client can read.
#[tokio::test]
async fn a_snapshot_that_names_what_is_not_there_is_refused() {
    let api = Api::new().await;
    let forge = held_snapshot(&api);
    let alice = ForgedSigners::one(ForgedKey::seeded("alice"));
    let targets = forge.targets(1, &[]).delegating("targets/alice", &alice, &[""]);
    let targets = targets.unsigned().signed_by(&forge.targets.keys).bytes();
    let root = forge.roots[0].clone();
    let absent = forge.targets(1, &[]).bytes();
    let snapshot =
        forge.snapshot(1, &[("root", &root), ("targets", &targets), ("targets/alice", &absent)]).bytes();
    let sent = api.upload(&[("root", &root), ("targets", &targets), ("snapshot", &snapshot)]).await;
    sent.refused("ErrBadSnapshot", "targets/alice");
}

/// Notary's server hashes a file as it would have written it itself, and readers find nothing under that name.
#[tokio::test]
async fn a_file_of_other_spaces_and_members_is_read_back_as_it_was_sent() {
    let api = Api::new().await;
    let forge = api.forge();
    let targets = forge.targets(1, &[("v1", digest("one"))]).with("x-tool", json!({"b": 1, "a": [null]}));
    let targets = targets.unsigned().signed_by(&forge.targets.keys).bytes();
    let spaced = [b" \n".as_slice(), &targets, b"\n\t "].concat();
    let sent = api.upload(&[("root", &forge.roots[0]), ("targets", &spaced)]).await;
    assert_eq!(sent.status, 200, "{:?}", sent.json());
    assert_eq!(api.file("targets.json").await.body, spaced);
    assert_eq!(api.walk().await, ["root", "targets"]);
}

/// Also for `LoadTargetsLoadsNothingIfNoUpdates`.
#[tokio::test]
async fn validate_targets_requires_stored_parent() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let alice = ForgedSigners::one(ForgedKey::seeded("alice"));
    let file = forge.targets(1, &[("v2", digest("two"))]).unsigned().signed_by(&alice.keys).bytes();
    let sent = api.upload(&[("targets/alice", &file)]).await;
    sent.refused("ErrBadTargets", "delegation does not exist");
    let targets = forge.targets(2, &[]).delegating("targets/alice", &alice, &[""]);
    let targets = targets.unsigned().signed_by(&forge.targets.keys).bytes();
    assert_eq!(api.upload(&[("targets", &targets)]).await.status, 200);
    assert_eq!(api.upload(&[("targets/alice", &file)]).await.status, 200);
    assert_eq!(api.file("targets.json").await.body, *targets, "the parent stays as it was");
    assert_eq!(api.walk().await, ["root", "targets", "targets/alice"]);
}

#[tokio::test]
async fn validate_targets_parent_in_update() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let alice = ForgedSigners::one(ForgedKey::seeded("alice"));
    let file = forge.targets(1, &[]).unsigned().signed_by(&alice.keys).bytes();
    let targets = forge.targets(2, &[]).delegating("targets/alice", &alice, &[""]);
    let bad = targets.clone().unsigned().signed_by(&alice.keys).bytes();
    let before = api.observe();
    api.upload(&[("targets", &bad), ("targets/alice", &file)]).await.refused("ErrBadTargets", "threshold");
    assert_eq!(api.observe(), before);
    let good = targets.unsigned().signed_by(&forge.targets.keys).bytes();
    assert_eq!(api.upload(&[("targets/alice", &file), ("targets", &good)]).await.status, 200);
    assert_eq!(api.walk().await, ["root", "targets", "targets/alice"]);
}

#[tokio::test]
async fn validate_targets_role_not_in_parent() {
    let api = Api::new().await;
    let forge = first(&api).await;
    let alice = ForgedSigners::one(ForgedKey::seeded("alice"));
    let file = forge.targets(1, &[]).unsigned().signed_by(&alice.keys).bytes();
    let targets = forge.targets(2, &[]).bytes();
    let before = api.observe();
    let sent = api.upload(&[("targets", &targets), ("targets/alice", &file)]).await;
    sent.refused("ErrBadTargets", "tuf: invalid role targets/alice. delegation does not exist");
    assert_eq!(api.observe(), before);
}
