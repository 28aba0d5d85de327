//! Group `server/storage`: what is kept, by the paths that read it.

use http::Method;
use tufstore::crypto::sha256;
use tufstore_testkit::{Publisher, digest};

use crate::support::{Api, NAME};

#[tokio::test]
async fn update_current_empty() {
    let api = Api::new().await;
    for name in [NAME, "reg.example.com/other"] {
        let mut publisher = Publisher::for_store(name, &api.store());
        let upload = publisher.first_upload();
        assert_eq!(api.send_upload(name, &upload).await.status, 200);
        for role in ["root", "targets", "snapshot", "timestamp"] {
            let current = api.get(&format!("/v2/{name}/_trust/tuf/{role}.json")).await;
            let digest = sha256(&current.body);
            let by_digest = api.get(&format!("/v2/{name}/_trust/tuf/{role}.{digest}.json")).await;
            assert_eq!(by_digest.body, current.body, "{name} {role}");
            assert_eq!(by_digest.header("last-modified"), current.header("last-modified"));
        }
    }
}

/// Versions 1, 2 and 4 of the targets; then neither 3 nor 4.
#[tokio::test]
async fn update_current_version_check() {
    let api = Api::new().await;
    let forge = api.forge();
    assert_eq!(api.send_upload(NAME, &forge.first_upload(&[])).await.status, 200);
    for version in [2, 4] {
        let targets = forge.targets(version, &[]).bytes();
        assert_eq!(api.upload(&[("targets", &targets)]).await.status, 200, "{version}");
    }
    let before = api.observe();
    for version in [3, 4] {
        let targets = forge.targets(version, &[("late", digest("x"))]).bytes();
        assert_eq!(
            api.upload(&[("targets", &targets)]).await.code(),
            (400, "VERSION".to_owned()),
            "{version}"
        );
    }
    assert_eq!(api.observe(), before);
}

#[tokio::test]
async fn get_version() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    let first = api.file("timestamp.json").await;
    let upload = publisher.tag_upload(&[("v", digest("x"))]);
    assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
    assert_eq!(api.file("1.timestamp.json").await.body, first.body);
    assert_eq!(api.file("2.timestamp.json").await.body, api.file("timestamp.json").await.body);
    assert_eq!(api.file("3.timestamp.json").await.status, 404);
    assert_eq!(api.get("/v2/reg.example.com/none/_trust/tuf/1.root.json").await.status, 404);
}

/// One role of an upload comes too late: nothing of it is stored.
#[tokio::test]
async fn update_many_conflict_rollback() {
    let api = Api::new().await;
    let mut forge = api.forge();
    assert_eq!(api.send_upload(NAME, &forge.first_upload(&[])).await.status, 200);
    let late = forge.targets(1, &[("late", digest("x"))]).bytes();
    forge.rotate(|_| {});
    let before = api.observe();
    let sent = api.upload(&[("root", &forge.roots[1]), ("targets", &late)]).await;
    assert_eq!(sent.code(), (400, "VERSION".to_owned()));
    assert_eq!(api.observe(), before);
    assert_eq!(api.file("2.root.json").await.status, 404);
}

#[tokio::test]
async fn delete_success() {
    let api = Api::new().await;
    let path = format!("/v2/{NAME}/_trust/tuf/");
    let nothing = api.ask(Method::DELETE, &path).await;
    assert_eq!((nothing.status, nothing.body.len()), (200, 0));
    assert_eq!(api.get("/v2/_trust/changefeed?records=10").await.json()["count"], 0);

    api.begin().await;
    // A name that begins alike is another repository.
    let longer = format!("{NAME}lication");
    let mut other = Publisher::for_store(&longer, &api.store());
    assert_eq!(api.send_upload(&longer, &other.first_upload()).await.status, 200);
    let root = sha256(&api.file("root.json").await.body);
    let key = api.file("timestamp.key").await.body;
    assert_eq!(api.ask(Method::DELETE, &path).await.status, 200);
    for file in ["root.json".to_owned(), "1.root.json".to_owned(), format!("root.{root}.json")] {
        assert_eq!(api.file(&file).await.status, 404, "{file}");
    }
    assert_eq!(api.get(&format!("/v2/{longer}/_trust/tuf/root.json")).await.status, 200);
    assert_ne!(api.file("timestamp.key").await.body, key, "another life has other keys");

    // Begun anew, from version 1.
    let mut publisher = api.publisher();
    assert_eq!(api.send_upload(NAME, &publisher.first_upload()).await.status, 200);
    assert_eq!(api.file("timestamp.json").await.json()["signed"]["version"], 1);
    assert_eq!(api.ask(Method::DELETE, &path).await.status, 200);
    assert_eq!(api.file("root.json").await.status, 404);
}

/// A role that was in the tree and is no more is not current, and still there by its digest.
#[tokio::test]
async fn tuf_meta_store_get_current() {
    let api = Api::new().await;
    let mut publisher = api.publisher();
    publisher.delegate("targets/alice", &[""], &[("v", digest("x"))]);
    let upload = publisher.first_upload();
    assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
    let file = api.file("targets/alice.json").await;
    assert_eq!(file.status, 200);
    assert!(publisher.author().remove_delegation(&"targets/alice".parse().unwrap()));
    let upload = publisher.upload();
    assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
    assert_eq!(api.file("targets/alice.json").await.status, 404);
    let digest = sha256(&file.body);
    assert_eq!(api.file(&format!("targets/alice.{digest}.json")).await.body, file.body);
    assert_eq!(api.walk().await, ["root", "targets"]);
}
