//! What many tags stand for, in one call.

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use tufstore_testkit::{Publisher, digest};

use super::support::{Answer, Api, NAME};

async fn call(api: &Api, body: impl Into<Body>) -> Answer {
    api.send(Method::POST, "/v1/lookup", Some("application/json"), body.into()).await
}

async fn ask(api: &Api, images: &[(&str, &str)]) -> Vec<Value> {
    let images: Vec<_> =
        images.iter().map(|(repository, tag)| json!({ "repository": repository, "tag": tag })).collect();
    let answer = call(api, json!({ "images": images }).to_string()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    answer.json()["images"].as_array().unwrap().clone()
}

/// A store with two repositories of one tag each.
async fn two() -> Api {
    let api = Api::new().await;
    for (name, content) in [(NAME, "one"), ("reg.example.com/other", "two")] {
        let mut publisher = Publisher::for_store(name, &api.store());
        publisher.tag(&[("1", digest(content))]);
        publisher.publish(&api.store()).unwrap();
    }
    api
}

#[tokio::test]
async fn each_is_answered_in_its_place() {
    let api = two().await;
    let other = "reg.example.com/other";
    let answers = ask(&api, &[(other, "1"), (NAME, "2"), ("nobody", "1"), (NAME, "1"), ("*", "1")]).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["found", "no_such_tag", "no_such_repository", "found", "no_such_repository"]);
    for (answer, content) in [(&answers[0], "two"), (&answers[3], "one")] {
        assert_eq!(answer["digest"], format!("sha256:{}", digest(content)));
        assert_eq!(answer["role"], "targets");
    }
    assert_eq!((&answers[0]["repository"], &answers[0]["tag"]), (&json!(other), &json!("1")));
    let fresh_until = api.store().lookup(NAME, "1", api.now()).unwrap();
    let tufstore::Lookup::Found(found) = fresh_until else { unreachable!("{fresh_until:?}") };
    assert_eq!(answers[3]["fresh_until"], found.fresh_until.to_string());
}

#[tokio::test]
async fn what_the_server_signs_is_renewed_before_it_is_said_to_have_expired() {
    let api = two().await;
    api.wait(30);
    let answers = ask(&api, &[(NAME, "1"), ("reg.example.com/other", "1")]).await;
    assert!(answers.iter().all(|answer| answer["status"] == "found"), "{answers:?}");
}

#[tokio::test]
async fn what_its_author_let_expire_is_said_to_have_expired() {
    let api = two().await;
    api.wait(20 * 366);
    let answers = ask(&api, &[(NAME, "1")]).await;
    assert_eq!(answers[0]["status"], "expired");
    assert!(answers[0]["digest"].is_null());
    assert!(answers[0]["since"].as_str().unwrap().contains('T'));
}

#[tokio::test]
async fn a_thousand_are_answered_and_one_more_is_not() {
    let api = two().await;
    let most: Vec<_> =
        (0..1_000).map(|number| if number % 3 == 0 { (NAME, "1") } else { (NAME, "2") }).collect();
    let answers = ask(&api, &most).await;
    let found = answers.iter().map(|answer| answer["status"] == "found");
    assert!(found.eq((0..1_000).map(|number| number % 3 == 0)));
    let image = json!({ "repository": NAME, "tag": "1" });
    for count in [0, 1_001] {
        let answer = call(&api, json!({ "images": vec![&image; count] }).to_string()).await;
        assert_eq!(answer.code(), (400, "INVALID_PARAMETERS".to_owned()));
    }
}

#[tokio::test]
async fn what_is_no_call_is_refused_with_the_reason() {
    let api = two().await;
    let calls =
        ["", "[]", "{}", r#"{"images":[{"repository":"a"}]}"#, r#"{"images":[],"names":[]}"#, "{\"images\":"];
    for body in calls {
        let answer = call(&api, body).await;
        assert_eq!(answer.code(), (400, "MALFORMED_JSON".to_owned()), "{body}");
        assert!(!answer.json()["errors"][0]["detail"].as_str().unwrap().is_empty(), "{body}");
    }
    assert_eq!(call(&api, vec![b' '; (1 << 20) + 1]).await.code(), (413, "TOO_LARGE".to_owned()));
}

#[tokio::test]
async fn what_is_not_served_is_not_known() {
    let api = Api::with(|settings| settings.api.gun_prefixes = vec!["reg.example.com/".to_owned()]).await;
    let mut publisher = Publisher::for_store("elsewhere/app", &api.store());
    publisher.tag(&[("1", digest("1"))]);
    publisher.publish(&api.store()).unwrap();
    assert_eq!(ask(&api, &[("elsewhere/app", "1")]).await[0]["status"], "no_such_repository");
}

#[tokio::test]
async fn the_description_describes_what_is_answered() {
    let api = two().await;
    let description = api.get("/v1/openapi.json").await.json();
    assert!(description["paths"]["/v1/lookup"]["post"].is_object());
    let schemas = &description["components"]["schemas"];
    let mut answers = ask(&api, &[(NAME, "1"), (NAME, "2"), ("nobody", "1")]).await;
    api.wait(20 * 366);
    answers.extend(ask(&api, &[(NAME, "1")]).await);
    for (answer, schema) in answers.iter().zip(["Found", "NoSuchTag", "NoSuchRepository", "Expired"]) {
        let schema = &schemas[schema];
        assert_eq!(answer["status"], schema["properties"]["status"]["const"]);
        let required = |schema: &Value| {
            let names = schema["required"].as_array().unwrap().clone();
            names.into_iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut expected = [required(&schemas["Image"]), required(schema)].concat();
        let mut keys: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        expected.sort();
        keys.sort();
        assert_eq!(keys, expected);
    }
}
