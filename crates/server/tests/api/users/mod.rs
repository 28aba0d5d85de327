//! Who may do what, where the server has users of its own.

mod audit;
mod login;
mod names;
mod orders;
mod policy;
mod reset;
mod signed;
mod signing;

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tufstore_server::directory::{Actor, Done};
use tufstore_server::settings::Settings;
use tufstore_testkit::{Publisher, digest};

use super::support::{Answer, Api, NAME, multipart};

/// The registry of [`NAME`].
const REGISTRY: &str = "reg.example.com";
/// A repository in another one.
const ELSEWHERE: &str = "other.example.com/app";
/// Everybody's password, where nothing else is said.
const PASSWORD: &str = "correct horse";

/// A server with users, asked as they ask.
struct Staffed {
    api: Api,
}

/// A name, and a password or token.
type Login<'a> = (&'a str, &'a str);

/// May do everything but sign.
const OWNER: Login<'_> = ("olga", PASSWORD);
/// Signs in all repositories of the registry.
const SIGNER: Login<'_> = ("sam", PASSWORD);

impl Staffed {
    /// With [`OWNER`] and [`SIGNER`]; content trust is enabled for [`REGISTRY`].
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let staffed = Self { api: Api::with(change).await };
        staffed.add("olga", "Owner", "*");
        staffed.add("sam", "AcrImageSigner", REGISTRY);
        staffed.enable(REGISTRY);
        staffed
    }

    /// A user with that role there.
    fn add(&self, name: &str, role: &str, scope: &str) {
        self.order(json!({ "order": "add-user", "name": name, "password": PASSWORD }));
        self.assign(name, role, scope);
    }

    fn assign(&self, name: &str, role: &str, scope: &str) {
        let to = json!({ "principal": name });
        self.order(json!({ "order": "assign-role", "role": role, "scope": scope, "to": to }));
    }

    fn unassign(&self, name: &str, role: &str, scope: &str) {
        let from = json!({ "principal": name });
        self.order(json!({ "order": "unassign-role", "role": role, "scope": scope, "from": from }));
    }

    /// As whoever runs the server.
    #[track_caller]
    fn order(&self, order: Value) -> Done {
        let order = serde_json::from_value(order).unwrap();
        self.api.server.directory().carry_out(order, &Actor::operator(), self.api.now()).unwrap()
    }

    fn enable(&self, registry: &str) {
        let registry = registry.parse().unwrap();
        self.api.server.directory().enable(registry, &Actor::operator(), self.api.now()).unwrap();
    }

    /// A call of the API, by name and password.
    async fn call(&self, login: Login<'_>, method: &str, path: &str, body: impl ToString) -> Answer {
        self.send(&basic(login), method, path, "application/json", body.to_string().into_bytes()).await
    }

    /// An order, as somebody.
    async fn ask_for(&self, login: Login<'_>, order: Value) -> Answer {
        self.call(login, "POST", "/v1/access", order).await
    }

    async fn send(&self, by: &str, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let method: Method = method.parse().unwrap();
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
        let request = if by.is_empty() { request } else { request.header(header::AUTHORIZATION, by) };
        self.api.answer(request.body(Body::from(body)).unwrap()).await
    }

    async fn ask_token(&self, login: Login<'_>, scope: &str) -> Answer {
        let path = format!("/oauth2/token?service=tufstore&scope={scope}");
        self.send(&basic(login), "GET", &path, "", Vec::new()).await
    }

    /// An access token for all that somebody may in a repository, as a header.
    async fn token(&self, login: Login<'_>, repository: &str) -> String {
        let answer = self.ask_token(login, &format!("repository:{repository}:*")).await;
        assert_eq!(answer.status, 200, "{login:?}");
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }

    /// Publishes the first files of a repository, with the tag `1`.
    async fn publish(&self, token: &str, repository: &str) -> Answer {
        let mut publisher = Publisher::for_store(repository, &self.api.store());
        publisher.tag(&[("1", digest(repository))]);
        self.publish_by(token, &mut publisher).await
    }

    /// What an author has changed.
    async fn publish_by(&self, token: &str, publisher: &mut Publisher) -> Answer {
        let upload = publisher.upload();
        let files: Vec<_> = upload.files().map(|(role, bytes)| (role.as_str(), &**bytes)).collect();
        let path = format!("/v2/{}/_trust/tuf/", publisher.repository());
        self.send(token, "POST", &path, "multipart/form-data; boundary=B", multipart(&files)).await
    }

    /// [`NAME`], published by [`SIGNER`].
    async fn signed() -> Self {
        let staffed = Self::new().await;
        let token = staffed.token(SIGNER, NAME).await;
        assert_eq!(staffed.publish(&token, NAME).await.status, 200);
        staffed
    }

    /// What somebody with that token is answered who reads, asks for a key's rotation, and deletes, in that order.
    async fn tries(&self, token: &str) -> [u16; 3] {
        let at = |file: &str| format!("/v2/{NAME}/_trust/tuf/{file}");
        let mut statuses = [0; 3];
        let calls = [("GET", at("root.json")), ("POST", at("snapshot.key")), ("DELETE", at(""))];
        for ((method, path), status) in calls.iter().zip(&mut statuses) {
            *status = self.send(token, method, path, "", Vec::new()).await.status;
        }
        statuses
    }
}

fn basic((name, secret): Login<'_>) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{secret}")))
}

/// What an access token says, unverified.
fn claims(token: &str) -> Value {
    let body = token.rsplit_once(' ').map_or(token, |(_, token)| token).split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

#[track_caller]
fn is_denied(answer: &Answer) {
    assert_eq!(answer.code(), (403, "DENIED".to_owned()));
}
