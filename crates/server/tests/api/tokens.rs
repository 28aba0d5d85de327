//! Who may do what, where tokens of a service say so.

use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, Request, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use tufstore_server::settings::{ApiSettings, TokenService};
use tufstore_testkit::{NOW, Publisher, digest};

use super::support::{Answer, Api, NAME, multipart};

const OTHER: &str = "reg.example.com/other";

/// A server, and the service that it believes.
struct Served {
    api: Api,
    key: EncodingKey,
}

impl Served {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    #[expect(clippy::disallowed_methods, reason = "a file that an operator has")]
    async fn with(change: impl FnOnce(&mut ApiSettings)) -> Self {
        let pair = KeyPair::generate().unwrap();
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = pair.der_bytes()[1..].split_at(32);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y), "kid": "k" });
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, json!({ "keys": [jwk] }).to_string()).unwrap();
        let service = TokenService::with_jwks("https://auth.example.com/token", "notary-svc", "auth", &keys);
        let api = Api::with(|settings| {
            settings.auth = Some(service);
            change(&mut settings.api);
        });
        Self { api: api.await, key: EncodingKey::from_ec_der(&pair.serialize_der()) }
    }

    /// A token that allows these actions on a repository.
    fn token(&self, name: &str, actions: &[&str]) -> String {
        self.token_of(&json!([{ "type": "repository", "name": name, "actions": actions }]))
    }

    fn token_of(&self, access: &Value) -> String {
        let exp = NOW.after(Duration::from_mins(5)).seconds();
        let claims = json!({ "iss": "auth", "aud": "notary-svc", "exp": exp, "access": access });
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k".to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    async fn ask(&self, token: &str, method: Method, path: &str) -> Answer {
        self.send(token, method, path, "", Vec::new()).await
    }

    async fn send(&self, token: &str, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.api.answer(request.body(Body::from(body)).unwrap()).await
    }

    /// Publishes the first files of a repository.
    async fn begin(&self, token: &str, name: &str) -> Answer {
        let mut publisher = Publisher::for_store(name, &self.api.store());
        publisher.tag(&[("1", digest(name))]);
        let upload = publisher.upload();
        let files: Vec<_> = upload.files().map(|(role, bytes)| (role.as_str(), &**bytes)).collect();
        let path = format!("/v2/{name}/_trust/tuf/");
        self.send(token, Method::POST, &path, "multipart/form-data; boundary=B", multipart(&files)).await
    }

    /// Both repositories, each with the tag `1`.
    async fn two() -> Self {
        let served = Self::new().await;
        for name in [NAME, OTHER] {
            let token = served.token(name, &["push", "pull"]);
            assert_eq!(served.begin(&token, name).await.status, 200);
        }
        served
    }
}

fn challenge(scope: &str, error: &str) -> String {
    let error = if error.is_empty() { String::new() } else { format!(",error=\"{error}\"") };
    format!("Bearer realm=\"https://auth.example.com/token\",service=\"notary-svc\",scope=\"{scope}\"{error}")
}

#[track_caller]
fn refused(answer: &Answer, scope: &str, error: &str) {
    assert_eq!(answer.code(), (401, "UNAUTHORIZED".to_owned()), "{scope}");
    assert_eq!(answer.header("www-authenticate"), challenge(scope, error));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn without_a_token_who_asks_is_told_where_to_get_which() {
    let served = Served::two().await;
    let before = served.api.observe();
    let (pull, both, all) = (format!("{NAME}:pull"), format!("{NAME}:push,pull"), format!("{NAME}:*"));
    let of_all = "registry:catalog:*";
    let on = |rest: &str| format!("/v2/{NAME}/_trust/{rest}");
    let hash = digest("x");
    for (method, path, scope) in [
        ("GET", "/v2/".to_owned(), of_all.to_owned()),
        ("GET", on("tuf/root.json"), format!("repository:{pull}")),
        ("GET", on("tuf/1.root.json"), format!("repository:{pull}")),
        ("GET", on(&format!("tuf/root.{hash}.json")), format!("repository:{pull}")),
        ("GET", on("tuf/targets/Upper.json"), format!("repository:{pull}")),
        ("GET", on("changefeed"), format!("repository:{pull}")),
        ("POST", on("tuf/"), format!("repository:{both}")),
        ("GET", on("tuf/snapshot.key"), format!("repository:{both}")),
        ("POST", on("tuf/timestamp.key"), format!("repository:{all}")),
        ("DELETE", on("tuf/"), format!("repository:{all}")),
        ("GET", "/v2/_trust/changefeed".to_owned(), of_all.to_owned()),
        ("POST", "/v1/lookup".to_owned(), of_all.to_owned()),
        ("GET", "/".to_owned(), of_all.to_owned()),
        ("GET", "/v2".to_owned(), of_all.to_owned()),
        ("HEAD", on("tuf/root.json"), of_all.to_owned()),
        ("PUT", "/anything".to_owned(), of_all.to_owned()),
        ("POST", format!("/v2/{}/_trust/tuf/", "a".repeat(256)), of_all.to_owned()),
        ("GET", "/v2/nobody/_trust/tuf/root.json".to_owned(), "repository:nobody:pull".to_owned()),
    ] {
        let method: Method = method.parse().unwrap();
        refused(&served.api.ask(method.clone(), &path).await, &scope, "");
        refused(&served.ask("no.to.ken", method, &path).await, &scope, "invalid_token");
    }
    let publish = served.api.ask(Method::POST, &on("tuf/")).await;
    let expected = format!(
        "{{\"errors\":[{{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\",\"detail\":[\
         {{\"Type\":\"repository\",\"Class\":\"\",\"Name\":\"{NAME}\",\"Action\":\"push\"}},\
         {{\"Type\":\"repository\",\"Class\":\"\",\"Name\":\"{NAME}\",\"Action\":\"pull\"}}]}}]}}\n"
    );
    assert_eq!(String::from_utf8(publish.body).unwrap(), expected);
    assert_eq!(served.api.observe(), before);
    for open in ["/_notary_server/health", "/metrics", "/v1/openapi.json"] {
        assert_eq!(served.api.get(open).await.status, 200, "{open}");
    }
    let metrics = String::from_utf8(served.api.get("/metrics").await.body).unwrap();
    assert!(!metrics.contains("reg.example.com"), "{metrics}");
}

#[tokio::test]
async fn a_token_opens_what_it_names_and_nothing_else() {
    let served = Served::two().await;
    let token = served.token(NAME, &["pull"]);
    let root = format!("/v2/{NAME}/_trust/tuf/root.json");
    let answer = served.ask(&token, Method::GET, &root).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "private, max-age=300, must-revalidate");
    let first = served.ask(&token, Method::GET, &format!("/v2/{NAME}/_trust/tuf/1.root.json")).await;
    assert_eq!((&first.body, first.header("cache-control")), (&answer.body, "private, max-age=2592000"));
    let feed = format!("/v2/{NAME}/_trust/changefeed?records=5");
    assert_eq!(served.ask(&token, Method::GET, &feed).await.json()["count"], 1);
    for (path, scope) in [
        (format!("/v2/{OTHER}/_trust/tuf/root.json"), format!("repository:{OTHER}:pull")),
        (format!("/v2/{OTHER}/_trust/changefeed?records=5"), format!("repository:{OTHER}:pull")),
        ("/v2/_trust/changefeed?records=5".to_owned(), "registry:catalog:*".to_owned()),
        ("/v2/".to_owned(), "registry:catalog:*".to_owned()),
        ("/nowhere".to_owned(), "registry:catalog:*".to_owned()),
    ] {
        refused(&served.ask(&token, Method::GET, &path).await, &scope, "insufficient_scope");
    }
    let of_all = served.token_of(&json!([{ "type": "registry", "name": "catalog", "actions": ["*"] }]));
    assert_eq!(served.ask(&of_all, Method::GET, "/v2/").await.body, b"{}");
    let feed = served.ask(&of_all, Method::GET, "/v2/_trust/changefeed?records=5").await;
    assert_eq!(feed.json()["count"], 2);
    assert_eq!(served.ask(&of_all, Method::GET, "/nowhere").await.status, 404);
    refused(
        &served.ask(&of_all, Method::GET, &root).await,
        &format!("repository:{NAME}:pull"),
        "insufficient_scope",
    );
    served.api.wait(1);
    refused(
        &served.ask(&token, Method::GET, &root).await,
        &format!("repository:{NAME}:pull"),
        "invalid_token",
    );
}

#[tokio::test]
async fn a_token_to_read_with_publishes_nothing() {
    let served = Served::new().await;
    let scope = format!("repository:{NAME}:push,pull");
    for actions in [&["pull"][..], &["push"], &["rotate", "delete"], &[]] {
        let token = served.token(NAME, actions);
        refused(&served.begin(&token, NAME).await, &scope, "insufficient_scope");
        let key = served.ask(&token, Method::GET, &format!("/v2/{NAME}/_trust/tuf/timestamp.key")).await;
        refused(&key, &scope, "insufficient_scope");
    }
    refused(&served.begin(&served.token(OTHER, &["*"]), NAME).await, &scope, "insufficient_scope");
    assert_eq!(served.api.store().position().get(), 0);
    assert_eq!(served.begin(&served.token(NAME, &["*"]), NAME).await.status, 200);
}

#[tokio::test]
async fn deleting_and_rotating_need_their_own_word_or_all() {
    let served = Served::two().await;
    let scope = format!("repository:{NAME}:*");
    let (key, all) = (format!("/v2/{NAME}/_trust/tuf/snapshot.key"), format!("/v2/{NAME}/_trust/tuf/"));
    let before = served.api.observe();
    for actions in [&["push", "pull"][..], &["pull", "delete"], &[]] {
        let answer = served.ask(&served.token(NAME, actions), Method::POST, &key).await;
        refused(&answer, &scope, "insufficient_scope");
    }
    for actions in [&["push", "pull"][..], &["push", "rotate"], &[]] {
        let answer = served.ask(&served.token(NAME, actions), Method::DELETE, &all).await;
        refused(&answer, &scope, "insufficient_scope");
    }
    assert_eq!(served.api.observe(), before);
    for word in ["rotate", "*"] {
        assert_eq!(served.ask(&served.token(NAME, &[word]), Method::POST, &key).await.status, 200);
    }
    for (word, name) in [("delete", NAME), ("*", OTHER)] {
        let path = format!("/v2/{name}/_trust/tuf/");
        assert_eq!(served.ask(&served.token(name, &[word]), Method::DELETE, &path).await.status, 200);
    }
    assert_eq!(served.api.store().repository_count(), 0);
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_the_name_in_the_token() {
    let served = Served::two().await;
    let before = served.api.observe();
    let token = served.token(NAME, &["*"]);
    for name in [
        "reg.example.com/app/../other",
        "reg.example.com/app/%2e%2e/other",
        "reg.example.com/app/%2E%2E%2Fother",
        "reg.example.com/app%2F..%2Fother",
        "reg.example.com/app/%252e%252e/other",
        "reg.example.com//other",
        "reg.example.com/%2Fother",
        "reg.example.com%2Fother",
        "reg.example.com/./other",
        "reg.example.com/other/",
        "reg.example.com/other%00",
        "reg.example.com/other%20",
        "reg.example.com/OTHER",
        "reg.example.com/app/_trust/tuf/../../../other",
        "reg.example.com/app/_trust/tuf/reg.example.com/other",
        "reg.example.com/other/_trust/tuf/reg.example.com/app/..",
        "reg.example.com%5Cother",
        "reg.example.com/app%3F/../other",
        "*",
        "",
    ] {
        for (method, file) in [("GET", "root.json"), ("POST", ""), ("POST", "snapshot.key"), ("DELETE", "")] {
            let path = format!("/v2/{name}/_trust/tuf/{file}");
            let answer = served.ask(&token, method.parse().unwrap(), &path).await;
            assert_eq!(answer.status, 401, "{method} {path}");
        }
        let path = format!("/v2/{name}/_trust/changefeed?records=5");
        assert_eq!(served.ask(&token, Method::GET, &path).await.status, 401, "{path}");
    }
    assert_eq!(served.api.observe(), before);
    for same in ["reg.example.com%2Fapp", "reg%2eexample.com/%61pp"] {
        let path = format!("/v2/{same}/_trust/tuf/root.json");
        assert_eq!(served.ask(&token, Method::GET, &path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_lookup_answers_what_the_token_may_not_read_as_if_it_were_not_there() {
    let served = Served::two().await;
    let images = json!({ "images": [
        { "repository": NAME, "tag": "1" }, { "repository": OTHER, "tag": "1" }, { "repository": OTHER, "tag": "2" },
        { "repository": "nobody", "tag": "1" }, { "repository": "*", "tag": "1" }, { "repository": "", "tag": "1" },
    ]});
    let statuses = async |token: &str| {
        let body = images.to_string().into_bytes();
        let answer = served.send(token, Method::POST, "/v1/lookup", "application/json", body).await;
        assert_eq!(answer.status, 200);
        let json = answer.json();
        let images = json["images"].as_array().unwrap().iter();
        images.map(|image| image["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let none = "no_such_repository";
    assert_eq!(statuses(&served.token(NAME, &["pull"])).await, ["found", none, none, none, none, none]);
    assert_eq!(
        statuses(&served.token(OTHER, &["*"])).await,
        [none, "found", "no_such_tag", none, none, none]
    );
    for nothing in [served.token(NAME, &["push"]), served.token("*", &["*"]), served.token_of(&json!(null))] {
        assert_eq!(statuses(&nothing).await, [none; 6]);
    }
}

#[tokio::test]
async fn what_is_not_served_is_said_before_a_token_is_asked_for() {
    let served = Served::with(|api| api.gun_prefixes = vec!["a/".to_owned()]).await;
    let path = |file: &str| format!("/v2/b/c/_trust/tuf/{file}");
    assert_eq!(served.api.get(&path("root.json")).await.code(), (404, "METADATA_NOT_FOUND".to_owned()));
    let publish = served.api.ask(Method::POST, &path("")).await;
    assert_eq!(publish.code(), (400, "INVALID_GUN".to_owned()));
    refused(&served.api.get("/v2/a/c/_trust/tuf/root.json").await, "repository:a/c:pull", "");
}

#[tokio::test]
async fn a_challenge_quotes_any_name_and_its_body_is_never_longer_than_clients_read() {
    let served = Served::new().await;
    let quoted = served.api.get("/v2/a%22%5C%2Cscope=%22b/_trust/tuf/root.json").await;
    refused(&quoted, "repository:a\\\"\\\\,scope=\\\"b:pull", "");
    assert_eq!(quoted.json()["errors"][0]["detail"][0]["Name"], "a\"\\,scope=\"b");
    for name in ["%22".repeat(255), "%C3%A9".repeat(127)] {
        let answer = served.api.ask(Method::POST, &format!("/v2/{name}/_trust/tuf/")).await;
        assert_eq!(answer.code(), (401, "UNAUTHORIZED".to_owned()));
        assert!(answer.body.len() < 1024 && answer.headers.contains_key("www-authenticate"));
    }
}
