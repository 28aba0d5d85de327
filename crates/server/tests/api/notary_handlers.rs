//! Group `server/handlers/default_test.go`: what each path answers.

use http::Method;
use serde_json::json;
use tufstore_testkit::digest;

use crate::support::{Api, NAME};

#[tokio::test]
async fn main_handler_get_and_not_get() {
    let api = Api::new().await;
    let answer = api.get("/v2/").await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"{}".as_slice()));
    assert_eq!(api.ask(Method::HEAD, "/v2/").await.status, 404);
}

#[tokio::test]
async fn key_handlers_invalid_role() {
    let api = Api::new().await;
    for role in ["root", "targets", "targets/a", "junk"] {
        for method in [Method::GET, Method::POST] {
            let answer = api.ask(method, &format!("/v2/{NAME}/_trust/tuf/{role}.key")).await;
            assert_eq!(answer.code(), (404, "METADATA_NOT_FOUND".to_owned()), "{role}");
        }
    }
}

#[tokio::test]
async fn get_key_handler_creates_once() {
    let api = Api::new().await;
    for role in ["timestamp", "snapshot"] {
        let first = api.file(&format!("{role}.key")).await;
        assert_eq!(first.status, 200);
        assert_eq!(first.header("content-type"), "text/plain; charset=utf-8");
        let text = String::from_utf8(first.body.clone()).unwrap();
        assert!(text.starts_with(r#"{"keytype":"ecdsa","keyval":{"public":"MFkw"#), "{text}");
        assert!(text.ends_with(r#"","private":null}}"#), "{text}");
        assert_eq!(api.file(&format!("{role}.key")).await.body, first.body);
    }
    let other = api.get("/v2/reg.example.com/other/_trust/tuf/timestamp.key").await;
    assert_ne!(other.body, api.file("timestamp.key").await.body);
}

/// Also the pending keys of the signer: the same until it signs, and then another.
#[tokio::test]
async fn rotate_key_handler_successful_rotation() {
    let api = Api::new().await;
    api.begin().await;
    for role in ["timestamp", "snapshot"] {
        let path = format!("/v2/{NAME}/_trust/tuf/{role}.key");
        let current = api.get(&path).await;
        let next = api.ask(Method::POST, &path).await;
        assert_eq!(next.status, 200);
        assert_ne!(next.body, current.body);
        assert_eq!(api.ask(Method::POST, &path).await.body, next.body, "pending until it signs");
        assert_eq!(api.get(&path).await.body, current.body, "nothing changes until a root names it");
    }
}

#[tokio::test]
async fn get_handler_root() {
    let api = Api::new().await;
    api.begin().await;
    let current = api.file("root.json").await;
    assert_eq!(api.file("1.root.json").await.body, current.body);
    assert_eq!(api.file("01.root.json").await.body, current.body);
    assert_eq!(api.file("x.root.json").await.status, 404);
}

#[tokio::test]
async fn get_handler_timestamp_and_snapshot() {
    let api = Api::new().await;
    api.begin().await;
    for (role, kind) in [("timestamp", "Timestamp"), ("snapshot", "Snapshot")] {
        let answer = api.file(&format!("{role}.json")).await;
        assert_eq!((answer.status, &answer.json()["signed"]["_type"]), (200, &json!(kind)));
    }
}

#[tokio::test]
async fn get_handler_404() {
    let api = Api::new().await;
    api.begin().await;
    let hex = digest("nothing");
    let missing = [
        "targets/none.json".to_owned(),
        "2.root.json".to_owned(),
        "0.root.json".to_owned(),
        format!("root.{hex}.json"),
        format!("targets.{}.json", hex.to_string().to_uppercase()),
    ];
    for file in missing {
        let answer = api.file(&file).await;
        assert_eq!(answer.code(), (404, "METADATA_NOT_FOUND".to_owned()), "{file}");
        assert_eq!(answer.json()["errors"][0]["detail"], json!({}), "{file}");
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert!(answer.body.ends_with(b"\n"));
    }
    let unknown = api.get("/v2/reg.example.com/none/_trust/tuf/root.json").await;
    assert_eq!(unknown.code(), (404, "METADATA_NOT_FOUND".to_owned()));
    let no_route = api.get("/v1/").await;
    assert_eq!(no_route.json()["errors"][0].get("detail"), None);
}

#[tokio::test]
async fn atomic_update_validation_failure_propagated() {
    let api = Api::new().await;
    let targets = api.forge().targets(1, &[]).bytes();
    api.upload(&[("targets", &targets)]).await.refused("ErrValidation", "no pre-existing root");
}

/// A store that takes no more is a failure of the server and not of the upload, which Notary answered with 400.
#[tokio::test]
async fn atomic_update_non_validation_failure_not_propagated() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    let upload = publisher.tag_upload(&[("v", digest("x"))]);
    api.store().close().unwrap();
    let answer = api.send_upload(NAME, &upload).await;
    assert_eq!(answer.code(), (500, "UPDATING".to_owned()));
    let text = String::from_utf8(answer.body).unwrap();
    assert!(!text.contains('/'), "no path of the server's: {text}");
}

#[tokio::test]
async fn atomic_update_version_error_propagated() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    let upload = publisher.tag_upload(&[("v", digest("x"))]);
    assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
    let before = api.observe();
    let again = api.send_upload(NAME, &upload).await;
    assert_eq!(again.code(), (400, "VERSION".to_owned()));
    assert_eq!(again.json()["errors"][0]["detail"], json!({}));
    assert_eq!(api.observe(), before);
}

/// Nothing of the author's in it: a stranger could raise versions so.
#[tokio::test]
async fn an_upload_of_nothing_publishes_nothing() {
    let api = Api::new().await;
    let publisher = api.begin().await;
    drop(publisher);
    let before = api.observe();
    assert_eq!(api.upload(&[]).await.status, 200);
    let timestamp = tufstore_testkit::Forge::new(NAME).timestamp(9, b"x").bytes();
    assert_eq!(api.upload(&[("timestamp", &timestamp)]).await.status, 200);
    assert_eq!(api.upload(&[("timestamp", b"no JSON")]).await.code(), (400, "MALFORMED_JSON".to_owned()));
    assert_eq!(api.observe(), before);
}

#[tokio::test]
async fn keys_of_endless_names_leave_nothing() {
    let api = Api::new().await;
    let status = || {
        let status = api.store().status().unwrap();
        (status.position, status.journal_bytes)
    };
    let before = status();
    for name in 0..2_000 {
        let path = format!("/v2/reg.example.com/invented/{name}/_trust/tuf/snapshot.key");
        assert_eq!(api.get(&path).await.status, 200);
        assert_eq!(api.ask(Method::POST, &path).await.status, 200);
    }
    assert_eq!(status(), before);
    assert_eq!(api.store().repository_count(), 0);
}
