//! That no spelling of a name leads past it.

use serde_json::json;

use super::super::support::NAME;
use super::{PASSWORD, Staffed, claims};

const OTHER: &str = "reg.example.com/other";

#[tokio::test]
async fn no_spelling_of_a_path_or_of_a_scope_leads_past_the_name() {
    let staffed = Staffed::signed().await;
    let signer = staffed.token(super::SIGNER, OTHER).await;
    assert_eq!(staffed.publish(&signer, OTHER).await.status, 200);
    let before = staffed.api.observe();
    staffed.add("ann", "AcrImageSigner", NAME);
    staffed.assign("ann", "AcrDelete", NAME);
    let ann = ("ann", PASSWORD);
    for name in [
        "reg.example.com/app/../other",
        "reg.example.com/app/%2e%2e/other",
        "reg.example.com/app%2F..%2Fother",
        "reg.example.com//other",
        "reg.example.com/other/",
        "reg.example.com/other%00",
        "reg.example.com/OTHER",
        "reg.example.com/app%20reg.example.com/other",
        "reg.example.com/app:pull%20repository:reg.example.com/other",
        "reg.example.com/app,reg.example.com/other",
        "*",
        "",
    ] {
        let got = staffed.ask_token(ann, &format!("repository:{name}:*")).await;
        let names: Vec<_> = match got.status {
            200 => claims(got.json()["token"].as_str().unwrap())["access"].as_array().unwrap().clone(),
            status => {
                assert_eq!(status, 400, "{name}");
                Vec::new()
            }
        };
        assert!(names.iter().all(|access| access["name"] != OTHER), "{name}: {names:?}");
        let token = staffed.token(ann, NAME).await;
        for (method, file) in [("GET", "root.json"), ("POST", ""), ("POST", "snapshot.key"), ("DELETE", "")] {
            let path = format!("/v2/{name}/_trust/tuf/{file}");
            let answer = staffed.send(&token, method, &path.replace(' ', "%20"), "", Vec::new()).await;
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    assert_eq!(staffed.api.observe().repositories, before.repositories);
    for scope in ["reg.example.com/app/..", "../x", "a//b", "/", "a/*", "", "reg.example.com/app/../"] {
        let order = json!({ "order": "assign-role", "role": "AcrPull", "scope": scope, "to": { "principal": "ann" } });
        let refused = staffed.ask_for(super::OWNER, order).await;
        assert_eq!(refused.code(), (400, "MALFORMED_JSON".to_owned()), "{scope:?}");
    }
    for registry in ["a/b", "a/", "..", "", "*"] {
        let path = format!("/v1/policy?registry={registry}");
        let refused = staffed.call(super::OWNER, "GET", &path, "").await;
        assert_eq!(refused.code(), (400, "INVALID_PARAMETERS".to_owned()), "{registry}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_without_what_it_may_give_away() {
    let staffed = Staffed::new().await;
    for order in [
        r#"{"order":"set-password","principal":"sam","password":31415926}"#,
        r#"{"order":"add-user","name":"new","password":["31415926"]}"#,
        r#"{"order":"add-user","name":"new","password":{"a":31415926}}"#,
    ] {
        let refused = staffed.call(super::OWNER, "POST", "/v1/access", order).await;
        assert_eq!(refused.code(), (400, "MALFORMED_JSON".to_owned()), "{order}");
        assert!(!String::from_utf8(refused.body).unwrap().contains("31415926"), "{order}");
    }
    for order in ["", "{}", "[]", r#"{"order":"nonsense"}"#, r#"{"order":"disable","principal":"sam","x":1}"#]
    {
        let refused = staffed.call(super::OWNER, "POST", "/v1/access", order).await;
        assert_eq!(refused.code(), (400, "MALFORMED_JSON".to_owned()), "{order}");
    }
}

#[tokio::test]
async fn a_page_in_a_browser_changes_nothing() {
    use axum::body::Body;
    use http::{Request, header};
    let staffed = Staffed::signed().await;
    let token = staffed.token(super::SIGNER, NAME).await;
    for (by, method, path) in [
        (token.as_str(), "POST", format!("/v2/{NAME}/_trust/tuf/")),
        (&super::basic(super::OWNER), "POST", "/v1/access".to_owned()),
        (&super::basic(super::OWNER), "PUT", "/v1/policy".to_owned()),
        (&super::basic(super::OWNER), "POST", "/v1/reset".to_owned()),
    ] {
        let request = Request::builder().method(method).uri(&path).header(header::AUTHORIZATION, by);
        let request = request.header(header::ORIGIN, "https://evil.example.com").body(Body::from("{}"));
        assert_eq!(staffed.api.answer(request.unwrap()).await.code(), (403, "DENIED".to_owned()), "{path}");
    }
}
