//! What is left of Notary's groups.

use http::Method;
use tufstore::crypto::{OnlineRole, sha256};
use tufstore_testkit::digest;

use crate::support::{Api, NAME};

/// Two full batches: all history is read by version and by digest. Also for `GetChecksum`.
#[tokio::test]
async fn update_many_no_conflicts() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    let mut history = Vec::new();
    for version in 1..=2 {
        for role in ["targets", "snapshot", "timestamp"] {
            let file = api.file(&format!("{role}.json")).await;
            assert_eq!(file.status, 200, "{role}");
            history.push((role, version, file.body));
        }
        if version == 1 {
            let upload = publisher.tag_upload(&[("v", digest("x"))]);
            assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
            assert_eq!(api.walk().await, ["root", "targets"]);
        }
    }
    for (role, version, bytes) in history {
        assert_eq!(api.file(&format!("{version}.{role}.json")).await.body, bytes, "{version} {role}");
        let named = sha256(&bytes);
        assert_eq!(api.file(&format!("{role}.{named}.json")).await.body, bytes, "{version} {role}");
    }
}

#[tokio::test]
async fn get_checksum_not_found() {
    let api = Api::new().await;
    api.begin().await;
    let unknown = digest("nothing");
    for role in ["root", "targets", "snapshot", "timestamp"] {
        let answer = api.file(&format!("{role}.{unknown}.json")).await;
        assert_eq!(answer.code(), (404, "METADATA_NOT_FOUND".to_owned()), "{role}");
    }
}

#[tokio::test]
async fn get_snapshot_returns_previous_snapshot_if_unexpired() {
    let api = Api::new().await;
    api.begin().await;
    let first = api.file("snapshot.json").await.body;
    api.wait(365);
    assert_eq!(api.file("snapshot.json").await.body, first);
    let named = sha256(&first);
    assert_eq!(api.file(&format!("snapshot.{named}.json")).await.body, first);
}

/// `Get{Timestamp,Snapshot}KeyExistingMetadata`: the key that the root names, before and after it does.
#[tokio::test]
async fn get_key_existing_metadata() {
    let api = Api::new().await;
    let mut before = Vec::new();
    for role in ["timestamp", "snapshot"] {
        before.push((role, api.file(&format!("{role}.key")).await.body));
    }
    api.begin().await;
    let root = String::from_utf8(api.file("root.json").await.body).unwrap();
    for (role, key) in before {
        let answer = api.file(&format!("{role}.key")).await;
        assert_eq!((answer.status, &answer.body), (200, &key), "{role}");
        let public = answer.json().pointer("/keyval/public").unwrap().as_str().unwrap().to_owned();
        assert!(root.contains(&public), "{role}");
    }
}

/// A name that nobody published has no file that the server would sign.
#[tokio::test]
async fn get_maybe_server_signed_no_key() {
    let api = Api::new().await;
    for role in ["timestamp", "snapshot"] {
        let answer = api.get(&format!("/v2/reg.example.com/none/_trust/tuf/{role}.json")).await;
        assert_eq!(answer.code(), (404, "METADATA_NOT_FOUND".to_owned()), "{role}");
    }
}

/// The signer's `Create`: the same pending key until a root names it and it signs, and then another.
#[tokio::test]
async fn create_returns_the_pending_key_until_it_signs() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    let path = format!("/v2/{NAME}/_trust/tuf/timestamp.key");
    let pending = api.ask(Method::POST, &path).await.body;
    assert_eq!(api.ask(Method::POST, &path).await.body, pending);
    let key = api.store().pending_key(&NAME.parse().unwrap(), OnlineRole::Timestamp).unwrap();
    publisher.author().rotate_timestamp(&key);
    let upload = publisher.upload();
    let sent = api.send_upload(NAME, &upload).await;
    assert_eq!(sent.status, 200, "{:?}", sent.body);
    assert_eq!(api.get(&path).await.body, pending, "the root names it now");
    assert_ne!(api.ask(Method::POST, &path).await.body, pending, "it has signed");
    assert_eq!(api.walk().await, ["root", "targets"]);
}

/// A snapshot that is no JSON is told so, and nothing of the upload is stored.
#[tokio::test]
async fn validate_snapshot_corrupt() {
    let api = Api::new().await;
    let forge = api.forge();
    let (root, targets) = (forge.roots.first().unwrap().clone(), forge.targets(1, &[]).bytes());
    let snapshot = b"zot a snapshot".as_slice();
    let sent = api.upload(&[("root", &root), ("targets", &targets), ("snapshot", snapshot)]).await;
    assert_eq!(sent.code(), (400, "MALFORMED_JSON".to_owned()));
    assert_eq!(api.file("root.json").await.status, 404);
    assert_eq!(api.upload(&[("root", &root), ("targets", &targets)]).await.status, 200);
}

/// Reading by digest, of a name that is stored but has none of the prefixes.
#[tokio::test]
async fn repo_prefix_does_not_match_by_hash() {
    let api = Api::with(|settings| settings.api.gun_prefixes = vec!["a/".to_owned()]).await;
    let mut publisher = api.publisher();
    let upload = publisher.first_upload();
    let name = NAME.parse().unwrap();
    api.store().publish(&name, &upload, api.now()).unwrap();
    let view = api.store().view(&name).unwrap().unwrap();
    let named = *view.document(&"root".parse().unwrap()).unwrap().sha256();
    let answer = api.file(&format!("root.{named}.json")).await;
    assert_eq!(answer.code(), (404, "METADATA_NOT_FOUND".to_owned()));
}
