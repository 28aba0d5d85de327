use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use tufstore::PublishError;
use tufstore::crypto::OnlineRole;
use tufstore::terms::{RoleName, Version};

use super::*;

fn shown(error: WireError) -> (u16, Value) {
    let status = error.status.as_u16();
    (status, serde_json::from_str(&error.body(None)).unwrap())
}

#[test]
fn a_refusal_looks_as_clients_know_it() {
    let message = "You have requested metadata that does not exist.";
    let envelope = |error: Value| json!({ "errors": [error] });
    assert_eq!(
        shown(WireError::not_found()),
        (404, envelope(json!({ "code": "METADATA_NOT_FOUND", "message": message, "detail": {} })))
    );
    assert_eq!(
        shown(WireError::no_route()),
        (404, envelope(json!({ "code": "METADATA_NOT_FOUND", "message": message })))
    );
    let refused = PublishError::NotHeld { role: OnlineRole::Snapshot }.into();
    let (status, body) = shown(refused);
    assert_eq!(status, 400);
    let detail = &body["errors"][0]["detail"];
    assert_eq!(detail["Name"], "ErrBadHierarchy");
    assert_eq!(detail["Error"]["Missing"], "snapshot");
    assert!(detail["Error"]["Msg"].as_str().unwrap().starts_with("no snapshot was included in update"));
}

#[test]
fn who_came_too_late_is_told_so_in_one_word() {
    let version = Version::FIRST;
    let late = PublishError::Superseded { role: RoleName::Targets, current: version, offered: version };
    for refused in [late, PublishError::LifeEnded] {
        let (status, body) = shown(refused.into());
        assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("VERSION")));
        assert_eq!(body["errors"][0]["detail"], json!({}));
    }
}

#[test]
fn a_failure_of_the_server_is_not_the_publishers() {
    for error in [StorageError::Halted, StorageError::Closed] {
        let (status, body) = shown(PublishError::Storage(error.clone()).into());
        assert_eq!((status, &body["errors"][0]["code"]), (500, &json!("UPDATING")));
        let (status, body) = shown(error.into());
        assert_eq!((status, &body["errors"][0]["code"]), (500, &json!("UNKNOWN")));
    }
}

#[tokio::test]
async fn the_body_ends_in_a_newline_and_names_the_request() {
    let id = RequestId::new("abc".to_owned());
    let response = WireError::version().into_response(Some(&id));
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json; charset=utf-8");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"{\"errors\":[{\"code\":\"VERSION\""));
    assert!(body.ends_with(b",\"request\":\"abc\"}\n"));
}

proptest! {
    #[test]
    fn no_reason_makes_a_body_longer_than_clients_read(
        reason in prop_oneof![".{0,3000}", "[\"\\\\\n\u{1}]{0,3000}", "[🦀é]{0,1500}"],
        id in "[a-z]{0,64}",
    ) {
        let refusals = [
            WireError::invalid_update("ErrBadTargets", reason.clone()),
            WireError::bad_hierarchy("snapshot", reason.clone()),
            WireError::invalid_role(&reason),
            WireError::invalid_parameters(Some(reason)),
        ];
        for refusal in refusals {
            let body = refusal.body(Some(&RequestId::new(id.clone())));
            prop_assert!(body.len() < 1024, "{}", body.len());
            let read: Value = serde_json::from_str(&body).unwrap();
            prop_assert!(read["errors"][0]["code"].is_string());
        }
    }
}

#[test]
fn a_name_of_megabytes_is_not_repeated() {
    let refused = WireError::invalid_role(&"x".repeat(4 << 20));
    assert!(format!("{refused:?}").len() < 2 * LONGEST);
}
