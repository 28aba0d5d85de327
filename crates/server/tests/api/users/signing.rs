//! Who may sign, rotate and delete, and from when on no longer.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, header};
use serde_json::json;
use tufstore_testkit::{Publisher, digest};

use super::super::support::{NAME, multipart};
use super::{ELSEWHERE, OWNER, PASSWORD, SIGNER, Staffed};

const OTHER: &str = "reg.example.com/other";

#[tokio::test]
async fn a_signer_publishes_and_who_pushes_images_does_not() {
    let staffed = Staffed::new().await;
    staffed.add("pia", "AcrPush", "*");
    staffed.order(json!({ "order": "add-user", "name": "root", "password": PASSWORD, "kind": "admin" }));
    for login in [("pia", PASSWORD), ("root", PASSWORD), OWNER] {
        let token = staffed.token(login, NAME).await;
        assert_eq!(staffed.publish(&token, NAME).await.status, 401, "{login:?}");
    }
    assert_eq!(staffed.api.store().repository_count(), 0);
    let token = staffed.token(SIGNER, NAME).await;
    assert_eq!(staffed.publish(&token, NAME).await.status, 200);
    // The token names one repository.
    assert_eq!(staffed.publish(&token, OTHER).await.status, 401);
    assert_eq!(staffed.publish(&staffed.token(SIGNER, ELSEWHERE).await, ELSEWHERE).await.status, 401);
    for login in [("pia", PASSWORD), ("root", PASSWORD)] {
        assert_eq!(staffed.tries(&staffed.token(login, NAME).await).await, [200, 401, 401], "{login:?}");
    }
}

#[tokio::test]
async fn who_deletes_does_not_rotate_and_who_signs_does_not_delete() {
    let staffed = Staffed::signed().await;
    staffed.add("dan", "AcrDelete", NAME);
    assert_eq!(staffed.tries(&staffed.token(SIGNER, NAME).await).await, [200, 200, 401]);
    assert_eq!(staffed.tries(&staffed.token(("dan", PASSWORD), NAME).await).await, [401, 401, 200]);
    assert_eq!(staffed.api.store().repository_count(), 0);
}

#[tokio::test]
async fn a_role_counts_with_the_next_token() {
    let staffed = Staffed::signed().await;
    staffed.add("uma", "AcrPull", NAME);
    let uma = ("uma", PASSWORD);
    let mut publisher = Publisher::for_store(OTHER, &staffed.api.store());
    assert_eq!(staffed.publish(&staffed.token(uma, OTHER).await, OTHER).await.status, 401);
    staffed.order(json!({ "order": "add-group", "group": "signers" }));
    let to = json!({ "group": "signers" });
    staffed.order(json!({ "order": "assign-role", "role": "AcrImageSigner", "scope": OTHER, "to": to }));
    staffed.order(json!({ "order": "add-member", "group": "signers", "principal": "uma" }));
    publisher.tag(&[("1", digest("1"))]);
    let token = staffed.token(uma, OTHER).await;
    assert_eq!(staffed.publish_by(&token, &mut publisher).await.status, 200);
    staffed.order(json!({ "order": "remove-member", "group": "signers", "principal": "uma" }));
    publisher.tag(&[("2", digest("2"))]);
    assert_eq!(staffed.publish_by(&staffed.token(uma, OTHER).await, &mut publisher).await.status, 401);
    staffed.unassign("uma", "AcrPull", NAME);
    assert_eq!(staffed.tries(&staffed.token(uma, NAME).await).await, [401; 3]);
}

#[tokio::test]
async fn who_is_nobody_any_more_may_nothing_at_once() {
    let staffed = Staffed::signed().await;
    let personal = json!({ "order": "create-token", "name": "laptop", "of": "sam", "lifetime": 3600 });
    let personal = staffed.order(personal);
    let limit = json!({ NAME: ["registries/sign/write", "registries/trustedCollections/write", "registries/pull/read"] });
    let own = json!({ "order": "create-token", "name": "robot", "limit": limit, "lifetime": 3600 });
    let own = staffed.order(own);
    let by_password = staffed.token(SIGNER, NAME).await;
    let by_token = staffed.token(("sam", personal.shown().unwrap()), NAME).await;
    let by_robot = staffed.token(("robot", own.shown().unwrap()), NAME).await;
    let counts = async |counting: [bool; 3]| {
        for (token, counts) in [&by_password, &by_token, &by_robot].into_iter().zip(counting) {
            let expected = if counts { [200, 200, 401] } else { [401; 3] };
            assert_eq!(staffed.tries(token).await, expected, "{counting:?}");
        }
    };
    counts([true; 3]).await;
    staffed.order(json!({ "order": "revoke-token", "token": "laptop" }));
    counts([true, false, true]).await;
    staffed.order(json!({ "order": "revoke-token", "token": "robot" }));
    counts([true, false, false]).await;
    staffed.order(json!({ "order": "disable", "principal": "sam" }));
    counts([false; 3]).await;
    staffed.order(json!({ "order": "enable", "principal": "sam" }));
    counts([true, false, false]).await;
    staffed.order(json!({ "order": "remove-principal", "principal": "sam" }));
    // Another one of that name is another one.
    staffed.add("sam", "AcrImageSigner", "reg.example.com");
    counts([false; 3]).await;
    let path = format!("/v2/{NAME}/_trust/tuf/root.json");
    let refused = staffed.send(&by_password, "GET", &path, "", Vec::new()).await;
    assert!(refused.header("www-authenticate").ends_with("error=\"invalid_token\""));
}

#[tokio::test]
async fn an_access_token_ends_with_the_token_it_was_got_by() {
    let staffed = Staffed::signed().await;
    let short = json!({ "order": "create-token", "name": "short", "of": "sam", "lifetime": 86_400 });
    let short = staffed.order(short);
    staffed.api.wait(1);
    assert_eq!(staffed.ask_token(("sam", short.shown().unwrap()), "").await.status, 401);
    assert_eq!(staffed.ask_token(SIGNER, "").await.status, 200);
}

#[tokio::test]
async fn what_is_still_being_sent_when_somebody_is_disabled_does_not_land() {
    let staffed = Staffed::new().await;
    let token = staffed.token(SIGNER, NAME).await;
    let mut publisher = Publisher::for_store(NAME, &staffed.api.store());
    publisher.tag(&[("1", digest("1"))]);
    let upload = publisher.upload();
    let files: Vec<_> = upload.files().map(|(role, bytes)| (role.as_str(), &**bytes)).collect();
    let body = Bytes::from(multipart(&files));
    let directory = staffed.api.server.directory();
    let (first, last) = (body.slice(..100), body.slice(100..));
    let disable = serde_json::from_value(json!({ "order": "disable", "principal": "sam" })).unwrap();
    let now = staffed.api.now();
    // By the time that the second half is asked for, the first was taken.
    let halves = futures_util::stream::iter([0, 1]).map(move |half| {
        if half == 0 {
            return Ok::<_, std::convert::Infallible>(first.clone());
        }
        let order: tufstore_server::directory::Order = Clone::clone(&disable);
        directory.carry_out(order, &super::Actor::operator(), now).unwrap();
        Ok(last.clone())
    });
    let request = Request::post(format!("/v2/{NAME}/_trust/tuf/"))
        .header(header::AUTHORIZATION, &token)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=B");
    let answer = staffed.api.answer(request.body(Body::from_stream(halves)).unwrap()).await;
    assert_eq!(answer.code(), (401, "UNAUTHORIZED".to_owned()));
    assert!(answer.header("www-authenticate").ends_with("error=\"invalid_token\""));
    assert_eq!(staffed.api.store().repository_count(), 0);
}

#[tokio::test]
async fn a_narrowed_token_is_as_narrow_as_it_says_and_as_its_holder() {
    let staffed = Staffed::signed().await;
    let narrowed = |name: &str, limit| {
        let order =
            json!({ "order": "create-token", "name": name, "of": "sam", "limit": limit, "lifetime": 3600 });
        staffed.order(order).shown().unwrap().to_owned()
    };
    let reads = narrowed("reads", json!({ "reg.example.com": ["registries/pull/read"] }));
    let elsewhere = narrowed("elsewhere", json!({ "other.example.com": ["registries/pull/read"] }));
    let wider = narrowed("wider", json!({ "*": ["registries/pull/read", "registries/artifacts/delete"] }));
    for (secret, expected) in
        [(&reads, [200, 401, 401]), (&elsewhere, [401, 401, 401]), (&wider, [200, 401, 401])]
    {
        assert_eq!(staffed.tries(&staffed.token(("sam", secret), NAME).await).await, expected);
        let publish = staffed.publish(&staffed.token(("sam", secret), OTHER).await, OTHER).await;
        assert_eq!(publish.status, 401);
    }
    let other = staffed.token(("sam", &wider), ELSEWHERE).await;
    assert_eq!(super::claims(&other)["access"], json!([]));
}

#[tokio::test]
async fn a_token_of_nobody_signs_its_repository_and_no_other() {
    let staffed = Staffed::new().await;
    let actions = ["registries/sign/write", "registries/trustedCollections/write", "registries/pull/read"];
    let order =
        json!({ "order": "create-token", "name": "robot", "limit": { NAME: actions }, "lifetime": 3600 });
    let secret = staffed.order(order).shown().unwrap().to_owned();
    let robot = ("robot", secret.as_str());
    assert_eq!(staffed.publish(&staffed.token(robot, NAME).await, NAME).await.status, 200);
    for name in [OTHER, "reg.example.com/app/sub", "reg.example.com/ap", ELSEWHERE] {
        let token = staffed.token(robot, name).await;
        assert_eq!(super::claims(&token)["access"], json!([]), "{name}");
        assert_eq!(staffed.publish(&token, name).await.status, 401, "{name}");
    }
    assert_eq!(staffed.call(robot, "GET", "/v1/access", "").await.status, 403);
    // Half of what signing takes is nothing.
    let half = json!({ "order": "create-token", "name": "half", "limit": { NAME: ["registries/sign/write", "registries/pull/read"] }, "lifetime": 60 });
    let half = staffed.order(half).shown().unwrap().to_owned();
    assert_eq!(staffed.tries(&staffed.token(("half", &half), NAME).await).await, [200, 401, 401]);
}

#[tokio::test]
async fn no_administrator_is_given_a_role_that_signs() {
    let staffed = Staffed::new().await;
    for (name, kind) in [("root", "admin"), ("clara", "classic-administrator")] {
        staffed.order(json!({ "order": "add-user", "name": name, "password": PASSWORD, "kind": kind }));
        let to = json!({ "principal": name });
        let assign = json!({ "order": "assign-role", "role": "AcrImageSigner", "scope": NAME, "to": to });
        let refused = staffed.ask_for(OWNER, assign).await;
        assert_eq!(refused.code(), (400, "INVALID_PARAMETERS".to_owned()));
        let why = refused.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(why.contains("cannot be given AcrImageSigner: give it to a user"), "{why}");
    }
    // Nor by a group.
    staffed.order(json!({ "order": "add-group", "group": "signers" }));
    let to = json!({ "group": "signers" });
    staffed.order(json!({ "order": "assign-role", "role": "AcrImageSigner", "scope": NAME, "to": to }));
    let join = json!({ "order": "add-member", "group": "signers", "principal": "root" });
    assert_eq!(staffed.ask_for(OWNER, join).await.status, 400);
}
