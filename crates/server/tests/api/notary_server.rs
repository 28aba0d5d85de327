//! Group `server/server_test.go` and what stands beside it: prefixes, headers, health and metrics.

use axum::body::Body;
use http::Method;
use serde_json::json;
use tufstore_server::StartError;
use tufstore_server::settings::{Settings, Tls};
use tufstore_server::{Clock, Server};

use crate::support::{Api, NAME};

#[tokio::test]
async fn run_bad_addr() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path().join("store"));
    settings.listen = taken.local_addr().unwrap();
    settings.tls = Tls::Off;
    let refused = Server::start(settings, Clock::system()).await;
    assert!(matches!(refused, Err(StartError::Listen { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn repo_prefix_matches() {
    let api = Api::with(|settings| settings.api.gun_prefixes = vec!["reg.example.com/".to_owned()]).await;
    api.begin().await;
    assert_eq!(api.file("root.json").await.status, 200);
    assert_eq!(api.file("timestamp.key").await.status, 200);
    assert_eq!(api.ask(Method::DELETE, &format!("/v2/{NAME}/_trust/tuf/")).await.status, 200);
}

#[tokio::test]
async fn repo_prefix_does_not_match() {
    let api = Api::with(|settings| settings.api.gun_prefixes = vec!["a/".to_owned(), "b/".to_owned()]).await;
    let forge = api.forge();
    let sent = api.upload(&[("root", &forge.roots[0])]).await;
    assert_eq!(sent.code(), (400, "INVALID_GUN".to_owned()));
    assert_eq!(sent.json()["errors"][0]["detail"], "Require GUNs with prefix: [a/ b/]");
    let path = format!("/v2/{NAME}/_trust/tuf/");
    for (method, file) in [
        (Method::GET, "root.json"),
        (Method::GET, "1.root.json"),
        (Method::GET, "timestamp.key"),
        (Method::POST, "timestamp.key"),
        (Method::DELETE, ""),
    ] {
        let answer = api.ask(method, &format!("{path}{file}")).await;
        assert_eq!(answer.code(), (404, "METADATA_NOT_FOUND".to_owned()), "{file}");
        assert_eq!(answer.json()["errors"][0].get("detail"), None, "{file}");
    }
    assert_eq!(api.get(&format!("/v2/{NAME}/_trust/changefeed?records=1")).await.status, 404);
    // A prefix is one of the text, and its slash keeps longer names of a first segment out.
    assert_eq!(api.get("/v2/ab/c/_trust/tuf/timestamp.key").await.status, 404);
    assert_eq!(api.get("/v2/a/b/_trust/tuf/timestamp.key").await.status, 200);
}

#[tokio::test]
async fn metrics_endpoint() {
    let api = Api::new().await;
    api.begin().await;
    let answer = api.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body).unwrap();
    for name in [
        "tufstore_publications_total",
        "tufstore_journal_bytes",
        "tufstore_takes_writes 1",
        "process_open_fds",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[tokio::test]
async fn health() {
    let api = Api::new().await;
    let answer = api.get("/_notary_server/health").await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"{}".as_slice()));
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    api.store().close().unwrap();
    let answer = api.get("/_notary_server/health").await;
    assert_eq!(answer.status, 503);
    assert!(answer.json()["store"].as_str().unwrap().contains("restart the server"));
}

/// `GetRoleByHash`, `GetRoleByVersion`, `GetCurrentRole` and the `WrapWithCacheHeader` tests.
#[tokio::test]
async fn cache_headers() {
    let api = Api::new().await;
    api.begin().await;
    let sha256 = api.store().view(&NAME.parse().unwrap()).unwrap().unwrap();
    let sha256 = *sha256.document(&"targets".parse().unwrap()).unwrap().sha256();
    let current = api.file("targets.json").await;
    assert_eq!(current.header("cache-control"), "public, max-age=300, s-maxage=300, must-revalidate");
    for file in [format!("targets.{sha256}.json"), "1.targets.json".to_owned(), "2.targets.json".to_owned()] {
        let answer = api.file(&file).await;
        if answer.status == 404 {
            assert!(answer.headers.get("cache-control").is_none(), "none on a refusal");
            continue;
        }
        assert_eq!(answer.body, current.body, "{file}");
        assert_eq!(answer.header("cache-control"), "public, max-age=2592000, s-maxage=2592000");
        assert_eq!(answer.header("last-modified"), current.header("last-modified"));
    }
    assert!(current.header("last-modified").ends_with(" GMT"), "{:?}", current.headers);
    assert!(current.headers.get("pragma").is_none() && current.headers.get("etag").is_none());
    assert_eq!(current.header("content-type"), "text/plain; charset=utf-8");

    let api = Api::with(|settings| {
        (settings.api.caching.current, settings.api.caching.consistent) = (0, 0);
    })
    .await;
    api.begin().await;
    for file in ["targets.json", "1.root.json"] {
        let answer = api.file(file).await;
        assert_eq!(answer.header("cache-control"), "max-age=0, no-cache, no-store", "{file}");
        assert_eq!(answer.header("pragma"), "no-cache", "{file}");
    }
}

#[tokio::test]
async fn validation_error_format() {
    let api = Api::new().await;
    let sent = api.upload(&[("targets", b"{}")]).await;
    let body = sent.json();
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    assert!(sent.body.len() < 1024);
}

#[tokio::test]
async fn what_is_no_upload_is_answered() {
    let api = Api::new().await;
    let path = format!("/v2/{NAME}/_trust/tuf/");
    let form = Some("multipart/form-data; boundary=B");
    let cases: [(Option<&str>, &[u8], &str); 6] = [
        (None, b"", "MALFORMED_UPLOAD"),
        (Some("application/json"), b"{}", "MALFORMED_UPLOAD"),
        (form, b"", "MALFORMED_UPLOAD"),
        (form, b"--B\r\nContent-Disposition: form-data; name=\"files\"\r\n\r\nx\r\n--B--\r\n", "NO_FILENAME"),
        (
            form,
            b"--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"Root\"\r\n\r\nx\r\n--B--\r\n",
            "INVALID_ROLE",
        ),
        (
            form,
            b"--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"root\"\r\n\r\nx\r\n--B--\r\n",
            "MALFORMED_JSON",
        ),
    ];
    for (kind, body, code) in cases {
        let answer = api.send(Method::POST, &path, kind, Body::from(body)).await;
        assert_eq!(answer.code(), (400, code.to_owned()), "{kind:?}");
    }
    assert_eq!(api.get(&format!("/v2/{NAME}/_trust/tuf/root.json")).await.status, 404);
    let long = format!("/v2/{}/_trust/tuf/", "a".repeat(300));
    let answer = api.send(Method::POST, &long, form, Body::empty()).await;
    assert_eq!(answer.code(), (400, "INVALID_GUN".to_owned()));
    assert_eq!(
        answer.json()["errors"][0]["detail"],
        json!("a repository name has at most 255 bytes, this one has 300")
    );
}

#[tokio::test]
async fn methods_that_no_path_has() {
    let api = Api::new().await;
    for method in [Method::PATCH, Method::OPTIONS] {
        let answer = api.ask(method, "/v2/").await;
        assert_eq!((answer.status, answer.body.len()), (405, 0));
    }
    for path in ["/v2", "/", "/v2//_trust/tuf/root.json", "/v2/a/_trust/tuf/"] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
    api.begin().await;
    assert_eq!(api.file("root.json?x=y").await.status, 200);
}
