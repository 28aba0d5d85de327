//! Groups `changefeed_test.go` and `GetChanges`: what happened, in pages.

use http::Method;
use tufstore_testkit::{Publisher, digest};

use crate::support::{Api, NAME};

#[tokio::test]
async fn changefeed_empty_store() {
    let api = Api::new().await;
    let answer = api.get("/v2/_trust/changefeed?records=0").await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, br#"{"count":0,"records":null}"#.as_slice()));
    let answer = api.get(&format!("/v2/{NAME}/_trust/changefeed?records=10")).await;
    assert_eq!(answer.body, br#"{"count":0,"records":[]}"#);
}

#[tokio::test]
async fn changefeed_bad_parameters() {
    let api = Api::new().await;
    for query in ["", "?records=not_a_number", "?change_id=1", "?records=99999999999"] {
        let answer = api.get(&format!("/v2/_trust/changefeed{query}")).await;
        assert_eq!(answer.code(), (400, "INVALID_PARAMETERS".to_owned()), "{query}");
        let detail = answer.json()["errors"][0]["detail"].clone();
        assert!(detail.as_str().unwrap().starts_with("invalid records parameter: "), "{detail}");
    }
    let answer = api.get("/v2/_trust/changefeed?records=1&change_id=x").await;
    assert_eq!(answer.json()["errors"][0]["detail"], serde_json::json!({}));
}

#[tokio::test]
async fn get_changes() {
    let api = Api::new().await;
    let mut publisher = api.begin().await;
    let mut other = Publisher::for_store("reg.example.com/other", &api.store());
    assert_eq!(api.send_upload("reg.example.com/other", &other.first_upload()).await.status, 200);
    for tag in ["a", "b"] {
        let upload = publisher.tag_upload(&[(tag, digest(tag))]);
        assert_eq!(api.send_upload(NAME, &upload).await.status, 200);
    }
    let path = format!("/v2/{NAME}/_trust/tuf/");
    for _ in 0..2 {
        assert_eq!(api.ask(Method::DELETE, &path).await.status, 200);
    }
    let ids = |feed: &'static str, query: &'static str| {
        let api = &api;
        async move {
            let json = api.get(&format!("/v2/{feed}_trust/changefeed?{query}")).await.json();
            let records = json["records"].as_array().cloned().unwrap_or_default();
            assert_eq!(json["count"], records.len());
            records.iter().map(|record| record["ID"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    let none: [&str; 0] = [];
    assert_eq!(ids("", "records=0").await, ["1", "2", "3", "4", "5"]);
    assert_eq!(ids("", "records=2").await, ["1", "2"]);
    assert_eq!(ids("", "records=2&change_id=2").await, ["3", "4"]);
    assert_eq!(ids("", "records=2&change_id=99").await, none);
    assert_eq!(ids("", "records=-2&change_id=4").await, ["2", "3"]);
    assert_eq!(ids("", "records=2&change_id=-1").await, ["4", "5"]);
    assert_eq!(ids("", "records=-3").await, ["3", "4", "5"]);
    assert_eq!(ids("reg.example.com/app/", "records=10").await, ["1", "3", "4", "5"]);
    assert_eq!(ids("reg.example.com/app/", "records=-1").await, ["5"]);
    assert_eq!(ids("reg.example.com/ap/", "records=10").await, none);

    let all = api.get("/v2/_trust/changefeed?records=10").await.json();
    let (update, deletion) = (&all["records"][0], &all["records"][4]);
    assert_eq!(
        (&update["GUN"], &update["Version"], &update["Category"]),
        (&NAME.into(), &1.into(), &"update".into())
    );
    assert_eq!(update["SHA256"].as_str().unwrap().len(), 64);
    update["CreatedAt"].as_str().unwrap().parse::<tufstore::terms::UnixTime>().unwrap();
    assert_eq!(
        (&deletion["Version"], &deletion["SHA256"], &deletion["Category"]),
        (&0.into(), &"".into(), &"deletion".into())
    );
}
