//! Many at once, and from where they should not come.

use std::sync::Arc;

use tufstore_testkit::{digest, seeded_key};

use crate::support::{Api, NAME};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_identical_publications_one_wins() {
    let api = Arc::new(Api::new().await);
    let mut publisher = api.begin().await;
    let upload = publisher.tag_upload(&[("v", digest("x"))]);
    let files: Vec<(String, Arc<[u8]>)> =
        upload.files().map(|(role, bytes)| (role.to_string(), bytes.clone())).collect();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (api, files) = (Arc::clone(&api), files.clone());
            tokio::spawn(async move {
                let files: Vec<_> = files.iter().map(|(role, bytes)| (role.as_str(), &**bytes)).collect();
                api.upload(&files).await
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        let answer = task.await.unwrap();
        if answer.status == 200 {
            won += 1;
        } else {
            assert_eq!(answer.code(), (400, "VERSION".to_owned()));
        }
    }
    assert_eq!(won, 1);
    let feed = api.get("/v2/_trust/changefeed?records=100").await.json();
    assert_eq!(feed["count"], 2);
    assert_eq!(api.file("timestamp.json").await.json()["signed"]["version"], 2);
    assert_eq!(api.walk().await, ["root", "targets"]);
}

/// A form on a page is enough to send an upload to a server on the same machine.
#[tokio::test]
async fn a_web_page_changes_nothing() {
    let api = Api::new().await;
    let upload = api.publisher().first_upload();
    let files: Vec<_> = upload.files().map(|(role, bytes)| (role.as_str(), &**bytes)).collect();
    let path = format!("/v2/{NAME}/_trust/tuf/");
    for (method, path) in
        [("POST", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}snapshot.key"))]
    {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("origin", "https://page.example.com")
            .header("content-type", "multipart/form-data; boundary=B");
        let body = axum::body::Body::from(crate::support::multipart(&files));
        let response = api.server.answer(request.body(body).unwrap()).await;
        assert_eq!(response.status(), 403, "{method}");
    }
    assert_eq!(api.store().position().get(), 0);
    assert_eq!(api.upload(&files).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_publications_of_different_delegations_all_win() {
    use tufstore_testkit::{ForgedKey, ForgedSigners};

    let api = Arc::new(Api::new().await);
    let forge = api.forge();
    let signers = |number: u32| {
        let key = seeded_key(tufstore::crypto::KeyAlgorithm::Ed25519, &format!("signer {number}"));
        ForgedSigners::one(ForgedKey::of(&key))
    };
    let mut targets = forge.targets(1, &[]);
    for number in 0..50 {
        targets = targets.delegating(&format!("targets/{number}"), &signers(number), &[""]);
    }
    let targets = targets.unsigned().signed_by(&forge.targets.keys).bytes();
    assert_eq!(api.upload(&[("root", &forge.roots[0]), ("targets", &targets)]).await.status, 200);
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let file = forge.targets(1, &[("v", digest(&number.to_string()))]);
            let file = file.unsigned().signed_by(&signers(number).keys).bytes();
            let api = Arc::clone(&api);
            tokio::spawn(async move { api.upload(&[(&format!("targets/{number}"), &file)]).await })
        })
        .collect();
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!(answer.status, 200, "{:?}", answer.json());
    }
    assert_eq!(api.walk().await.len(), 52);
    let feed = api.get(&format!("/v2/{NAME}/_trust/changefeed?records=100")).await.json();
    assert_eq!(feed["count"], 51);
}
