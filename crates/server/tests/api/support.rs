//! A server that is asked in process, and what authors send to it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tufstore::crypto::sha256;
use tufstore::terms::UnixTime;
use tufstore::{Store, Upload};
use tufstore_server::settings::{Settings, Tls};
use tufstore_server::{Clock, Server};
use tufstore_testkit::{Forge, NOW, Observed, Publisher, observe};

pub(crate) const NAME: &str = "reg.example.com/app";

/// A server, its folder, and the time that it goes by.
pub(crate) struct Api {
    pub(crate) server: Server,
    later: Arc<AtomicI64>,
    settings: Settings,
    folder: TempDir,
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a refusal.
    pub(crate) fn code(&self) -> (u16, String) {
        (self.status, self.json()["errors"][0]["code"].as_str().unwrap().to_owned())
    }

    /// That an upload was refused under that name, saying that.
    #[track_caller]
    pub(crate) fn refused(&self, name: &str, saying: &str) {
        let body = self.json();
        let detail = &body["errors"][0]["detail"];
        assert_eq!((self.status, &body["errors"][0]["code"]), (400, &"INVALID_UPDATE".into()), "{body}");
        assert_eq!(detail["Name"], name, "{body}");
        assert!(detail["Error"]["Msg"].as_str().unwrap().contains(saying), "{body}");
    }
}

impl Api {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path().join("store"));
        settings.listen = ([127, 0, 0, 1], 0).into();
        settings.tls = Tls::Off;
        change(&mut settings);
        Self::start(settings, Arc::default(), folder).await
    }

    async fn start(settings: Settings, later: Arc<AtomicI64>, folder: TempDir) -> Self {
        let clock = Arc::clone(&later);
        let clock = Clock::new(move || UnixTime::from_seconds(NOW.seconds() + clock.load(Ordering::Relaxed)));
        Self { server: Server::start(settings.clone(), clock).await.unwrap(), later, settings, folder }
    }

    /// Another server on the same folder, after this one ended.
    pub(crate) async fn again(self) -> Self {
        let Self { server, later, settings, folder } = self;
        server.store().close().unwrap();
        drop(server);
        Self::start(settings, later, folder).await
    }

    /// The store's folder.
    pub(crate) fn data(&self) -> &Path {
        &self.settings.data
    }

    pub(crate) fn store(&self) -> Store {
        self.server.store()
    }

    pub(crate) fn now(&self) -> UnixTime {
        NOW.after(Duration::from_secs(self.later.load(Ordering::Relaxed).try_into().unwrap()))
    }

    /// Lets time go on.
    pub(crate) fn wait(&self, days: i64) {
        self.later.fetch_add(days * 86_400, Ordering::Relaxed);
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(method, path, None, Body::empty()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// A file of [`NAME`].
    pub(crate) async fn file(&self, file: &str) -> Answer {
        self.get(&format!("/v2/{NAME}/_trust/tuf/{file}")).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, kind: Option<&str>, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        self.answer(request.body(body).unwrap()).await
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.server.answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Sends files under the names of roles, in that order.
    pub(crate) async fn upload_to(&self, repository: &str, files: &[(&str, &[u8])]) -> Answer {
        let body = multipart(files);
        let path = format!("/v2/{repository}/_trust/tuf/");
        self.send(Method::POST, &path, Some("multipart/form-data; boundary=B"), Body::from(body)).await
    }

    pub(crate) async fn upload(&self, files: &[(&str, &[u8])]) -> Answer {
        self.upload_to(NAME, files).await
    }

    pub(crate) async fn send_upload(&self, repository: &str, upload: &Upload) -> Answer {
        let files: Vec<_> = upload.files().map(|(role, bytes)| (role.as_str(), &**bytes)).collect();
        self.upload_to(repository, &files).await
    }

    /// A repository of which every key is the test's but the server's own.
    pub(crate) fn forge(&self) -> Forge {
        Forge::for_store(NAME, &self.store())
    }

    /// The author of [`NAME`].
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::for_store(NAME, &self.store())
    }

    /// Publishes the first files of [`NAME`].
    pub(crate) async fn begin(&self) -> Publisher {
        let mut publisher = self.publisher();
        let upload = publisher.first_upload();
        assert_eq!(self.send_upload(NAME, &upload).await.status, 200);
        publisher
    }

    /// Everything that the store says, to compare before and after a refusal.
    pub(crate) fn observe(&self) -> Observed {
        observe(&self.store())
    }

    /// Reads [`NAME`] as a client does: timestamp, the snapshot that it names, and every file that this names, each by its
    /// digest. Answers the names of the roles.
    #[track_caller]
    pub(crate) fn walk(&self) -> impl Future<Output = Vec<String>> {
        let caller = std::panic::Location::caller();
        async move {
            let digest = |meta: &Value| {
                use base64::Engine as _;
                let base64 = meta["hashes"]["sha256"].as_str().unwrap();
                let bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
                tufstore::terms::Sha256::new(bytes.try_into().unwrap())
            };
            let timestamp = self.file("timestamp.json").await;
            assert_eq!(timestamp.status, 200, "at {caller}");
            let named = digest(&timestamp.json()["signed"]["meta"]["snapshot"]);
            let snapshot = self.file(&format!("snapshot.{named}.json")).await;
            assert_eq!((snapshot.status, sha256(&snapshot.body)), (200, named), "at {caller}");
            let mut roles = Vec::new();
            for (role, meta) in snapshot.json()["signed"]["meta"].as_object().unwrap() {
                let named = digest(meta);
                let file = self.file(&format!("{role}.{named}.json")).await;
                assert_eq!((file.status, sha256(&file.body)), (200, named), "{role}, at {caller}");
                roles.push(role.clone());
            }
            roles
        }
    }
}

/// One part for each file.
pub(crate) fn multipart(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (role, bytes) in files {
        let head =
            format!("--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{role}\"\r\n\r\n");
        body.extend(head.as_bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--B--\r\n");
    body
}
