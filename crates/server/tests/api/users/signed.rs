//! Whether images are signed.

use serde_json::{Value, json};
use tufstore_testkit::{Publisher, digest};

use super::super::support::NAME;
use super::{Answer, OWNER, PASSWORD, SIGNER, Staffed};

/// [`NAME`], with a tag of which `alice` signed what it stands for, and `bob` something else.
async fn delegated() -> Staffed {
    let staffed = Staffed::new().await;
    let token = staffed.token(SIGNER, NAME).await;
    let mut publisher = Publisher::for_store(NAME, &staffed.api.store());
    publisher.delegate("targets/releases", &[""], &[("1", digest("one"))]);
    publisher.delegate("targets/alice", &[""], &[("1", digest("one"))]);
    publisher.delegate("targets/bob", &[""], &[("1", digest("two"))]);
    assert_eq!(staffed.publish_by(&token, &mut publisher).await.status, 200);
    staffed
}

async fn ask(staffed: &Staffed, images: Value, signers: &[&str]) -> Answer {
    let body = json!({ "images": images, "signers": signers });
    staffed.call(SIGNER, "POST", "/v1/signed", body).await
}

async fn verdict(staffed: &Staffed, image: Value, signers: &[&str]) -> Value {
    let answer = ask(staffed, json!([image]), signers).await;
    assert_eq!(answer.status, 200);
    answer.json()["images"][0].clone()
}

#[tokio::test]
async fn a_tag_is_signed_with_its_digest_and_by_all_who_have_to() {
    let staffed = delegated().await;
    let [one, two] = ["one", "two"].map(|content| format!("sha256:{}", digest(content)));
    let image = json!({ "repository": NAME, "tag": "1" });
    let signers = ["targets/alice", "targets/releases"];
    let yes = json!({ "signed": true, "digest": one, "signers": signers });
    assert_eq!(verdict(&staffed, image.clone(), &[]).await, yes);
    assert_eq!(verdict(&staffed, image.clone(), &["alice", "targets/releases"]).await, yes);
    let bound = |digest: &str| json!({ "repository": NAME, "tag": "1", "digest": digest });
    assert_eq!(verdict(&staffed, bound(&one), &["alice"]).await, yes);
    let no = |why: Value| json!({ "signed": false, "digest": one, "signers": signers, "why": why });
    assert_eq!(verdict(&staffed, bound(&two), &[]).await, no(json!({ "reason": "other-digest" })));
    let missing = no(json!({ "reason": "signers-missing", "missing": ["bob"] }));
    assert_eq!(verdict(&staffed, image, &["alice", "bob"]).await, missing);
    let untagged = json!({ "repository": NAME, "tag": "2" });
    let not_signed = json!({ "signed": false, "why": { "reason": "not-signed" } });
    assert_eq!(verdict(&staffed, untagged, &[]).await, not_signed);
}

#[tokio::test]
async fn of_what_one_may_not_read_there_is_no_trust_data() {
    let staffed = delegated().await;
    staffed.order(json!({ "order": "add-user", "name": "uma", "password": PASSWORD }));
    let nothing = json!({ "signed": false, "why": { "reason": "no-trust-data" } });
    let image = json!({ "repository": NAME, "tag": "1" });
    let missing = json!({ "repository": "reg.example.com/none", "tag": "1" });
    let body = json!({ "images": [image, missing] });
    let asks = async |by: &str| {
        let body = body.to_string().into_bytes();
        staffed.send(by, "POST", "/v1/signed", "application/json", body).await
    };
    let token = staffed.token(("uma", PASSWORD), NAME).await;
    let position = staffed.api.store().position();
    // Nothing is signed anew for somebody who may not read it.
    staffed.api.wait(13);
    for by in [super::basic(("uma", PASSWORD)), staffed.token(("uma", PASSWORD), NAME).await] {
        assert_eq!(asks(&by).await.json()["images"], json!([nothing, nothing]));
    }
    assert_eq!(staffed.api.store().position(), position);
    assert_eq!(asks(&token).await.status, 401);
    let token = staffed.token(OWNER, NAME).await;
    let answers = asks(&token).await.json();
    assert_eq!((&answers["images"][0]["signed"], &answers["images"][1]), (&json!(true), &nothing));
    for (by, challenge) in
        [("", "Bearer "), ("Bearer x", "Bearer "), (&super::basic(("sam", "wrong horse")), "Basic ")]
    {
        let refused = asks(by).await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("www-authenticate").starts_with(challenge));
    }
}

#[tokio::test]
async fn a_lookup_is_answered_by_name_and_password_too() {
    let staffed = delegated().await;
    staffed.order(json!({ "order": "add-user", "name": "uma", "password": PASSWORD }));
    let image = json!({ "repository": NAME, "tag": "1" });
    let body = json!({ "images": [image, { "repository": "reg.example.com/none", "tag": "1" }] });
    let statuses = async |login| {
        let answer = staffed.call(login, "POST", "/v1/lookup", &body).await.json();
        [0, 1].map(|number| answer["images"][number]["status"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(statuses(SIGNER).await, ["found", "no_such_repository"]);
    assert_eq!(statuses(("uma", PASSWORD)).await, ["no_such_repository"; 2]);
    let wrong = staffed.call(("uma", "wrong horse"), "POST", "/v1/lookup", &body).await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, "Basic realm=\"tufstore\""));
}

#[tokio::test]
async fn a_call_asks_of_so_many_images_and_signers() {
    let staffed = delegated().await;
    let image = json!({ "repository": NAME, "tag": "1" });
    let names: Vec<_> = (0..65).map(|number| format!("s{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (images, signers) in [(0, &names[..0]), (1001, &names[..0]), (1, &names[..])] {
        let refused = ask(&staffed, json!(vec![&image; images]), signers).await;
        assert_eq!(refused.code(), (400, "INVALID_PARAMETERS".to_owned()));
    }
    let most = ask(&staffed, json!(vec![&image; 1000]), &names[..64]).await;
    assert_eq!(most.json()["images"].as_array().unwrap().len(), 1000);
    for image in [
        json!({}),
        json!({ "repository": "a//b", "tag": "1" }),
        json!({ "repository": NAME, "tag": "1", "digest": "x" }),
    ] {
        assert_eq!(ask(&staffed, json!([image]), &[]).await.code(), (400, "MALFORMED_JSON".to_owned()));
    }
}
