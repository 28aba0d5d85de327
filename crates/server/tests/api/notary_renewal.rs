//! Groups `server/timestamp` and `server/snapshot`: what the server signs anew when it is read.

use std::sync::Arc;

use serde_json::json;
use tufstore_testkit::{Forge, ForgedKey, ForgedSigners};

use crate::support::{Api, NAME};

async fn version(api: &Api, role: &str) -> u64 {
    let answer = api.file(&format!("{role}.json")).await;
    assert_eq!(answer.status, 200);
    answer.json()["signed"]["version"].as_u64().unwrap()
}

/// What happens beside a reader is waited for.
async fn becomes(api: &Api, role: &str, expected: u64) {
    for _ in 0..1_000 {
        let newest = api.store().view(&NAME.parse().unwrap()).unwrap().unwrap();
        if newest.document(&role.parse().unwrap()).unwrap().version().get() == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(version(api, role).await, expected);
}

#[tokio::test]
async fn get_timestamp_no_previous_timestamp() {
    let api = Api::new().await;
    assert_eq!(api.file("timestamp.json").await.status, 404);
    assert_eq!(api.file("snapshot.json").await.status, 404);
}

#[tokio::test]
async fn get_timestamp_returns_previous_timestamp_if_unexpired() {
    let api = Api::new().await;
    api.begin().await;
    let first = api.file("timestamp.json").await;
    api.wait(9);
    assert_eq!(api.file("timestamp.json").await.body, first.body);
    let feed = api.get("/v2/_trust/changefeed?records=10").await.json();
    assert_eq!(feed["count"], 1);
}

#[tokio::test]
async fn get_timestamp_old_timestamp_expired() {
    let api = Api::new().await;
    api.begin().await;
    let snapshot = api.file("snapshot.json").await;
    api.wait(15);
    assert_eq!(version(&api, "timestamp").await, 2);
    assert_eq!(api.file("snapshot.json").await.body, snapshot.body, "that one has years to go");
    assert_eq!(api.walk().await, ["root", "targets"]);
    let feed = api.get("/v2/_trust/changefeed?records=10").await.json();
    assert_eq!((&feed["count"], &feed["records"][1]["Version"]), (&json!(2), &json!(2)));
}

/// In the last third of its life it is renewed beside the readers, who do not wait.
#[tokio::test]
async fn a_timestamp_is_renewed_before_it_expires() {
    let api = Api::new().await;
    api.begin().await;
    api.wait(10);
    assert_eq!(version(&api, "timestamp").await, 1, "who comes first is not kept waiting");
    becomes(&api, "timestamp", 2).await;
    api.wait(9);
    assert_eq!(version(&api, "timestamp").await, 2, "nothing is due");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_readers_of_an_expired_timestamp_get_one_new_one() {
    let api = Arc::new(Api::new().await);
    api.begin().await;
    api.wait(20);
    let readers: Vec<_> = (0..200)
        .map(|_| {
            let api = Arc::clone(&api);
            tokio::spawn(async move { api.file("timestamp.json").await })
        })
        .collect();
    for reader in readers {
        let answer = reader.await.unwrap();
        assert_eq!((answer.status, &answer.json()["signed"]["version"]), (200, &json!(2)));
    }
    assert_eq!(version(&api, "timestamp").await, 2);
}

#[tokio::test]
async fn get_snapshot_old_snapshot_expired() {
    let api = Api::new().await;
    api.begin().await;
    api.wait(3 * 365 + 1);
    assert_eq!(version(&api, "snapshot").await, 2);
    assert_eq!(version(&api, "timestamp").await, 2);
    api.walk().await;
}

/// The author holds the snapshot's key: what is stored is served, expired as it is. Notary answered 500.
#[tokio::test]
async fn create_snapshot_no_key_in_crypto() {
    let api = Api::new().await;
    let mut forge = api.forge();
    forge.snapshot = ForgedSigners::one(ForgedKey::seeded("the author's"));
    let forge = forge.begun();
    let (root, targets) = (forge.roots[0].clone(), forge.targets(1, &[]).bytes());
    let snapshot = forge.snapshot(1, &[("root", &root), ("targets", &targets)]).bytes();
    let sent = api.upload(&[("root", &root), ("targets", &targets), ("snapshot", &snapshot)]).await;
    assert_eq!(sent.status, 200);
    api.wait(40 * 365);
    assert_eq!(api.file("snapshot.json").await.body, *snapshot);
    assert_eq!(version(&api, "timestamp").await, 2, "this one is the server's");
    let before = api.observe();
    for _ in 0..3 {
        assert_eq!(version(&api, "timestamp").await, 2, "an expired snapshot of another's asks for nothing");
    }
    assert_eq!(api.observe(), before);
}

/// Signed elsewhere: served as it is, and never touched. Also for `CreateTimestampNoKeyInCrypto`.
#[tokio::test]
async fn what_another_server_signed_is_served_as_it_is() {
    let api = Api::new().await;
    let forge = Forge::new(NAME);
    api.store().mirror(&forge.repository, &forge.complete(1, &[]), api.now()).unwrap();
    let first = api.file("timestamp.json").await;
    assert_eq!(first.status, 200);
    api.wait(50 * 365);
    let before = api.observe();
    assert_eq!(api.file("timestamp.json").await.body, first.body);
    assert_eq!(api.observe(), before);
}

/// A store that takes no more writes still serves what it has.
#[tokio::test]
async fn where_nothing_can_be_renewed_what_is_stored_is_served() {
    let api = Api::new().await;
    api.begin().await;
    let first = api.file("timestamp.json").await;
    api.store().close().unwrap();
    api.wait(20);
    for _ in 0..3 {
        assert_eq!(api.file("timestamp.json").await.body, first.body);
    }
}

/// An expired root stops nobody from reading what else is fresh. In Notary it stops the renewal, and reads fail.
#[tokio::test]
async fn a_timestamp_is_renewed_under_an_expired_root() {
    let api = Api::new().await;
    api.begin().await;
    api.wait(11 * 365);
    assert_eq!(version(&api, "timestamp").await, 2);
}
