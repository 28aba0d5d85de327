//! Content trust on and off, by registry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tufstore::terms::{Position, RepositoryName};
use tufstore_server::access::{Change, ContentTrust};
use tufstore_server::directory::{Actor, Did, Noted};
use tufstore_testkit::{Publisher, digest};

use super::super::support::{Api, NAME};
use super::{ELSEWHERE, Login, OWNER, PASSWORD, REGISTRY, SIGNER, Staffed, is_denied};

/// Signs in every registry.
const EVERYWHERE: Login<'_> = ("eve", PASSWORD);

async fn set(staffed: &Staffed, by: Login<'_>, body: Value) -> super::Answer {
    staffed.call(by, "PUT", "/v1/policy", body).await
}

fn disabling(registry: &str) -> Value {
    json!({ "registry": registry, "content_trust": "disabled", "delete_all_trust_data": registry })
}

async fn shown(staffed: &Staffed, registry: &str) -> Value {
    let answer = staffed.call(OWNER, "GET", &format!("/v1/policy?registry={registry}"), "").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

#[tokio::test]
async fn a_new_registry_takes_nothing_until_it_is_enabled() {
    let staffed = Staffed::new().await;
    staffed.add("eve", "AcrImageSigner", "*");
    let token = staffed.token(EVERYWHERE, ELSEWHERE).await;
    let holds = json!({ "repositories": 0, "tags": 0 });
    let expected = json!({ "registry": "other.example.com", "content_trust": "disabled", "holds": holds });
    assert_eq!(shown(&staffed, "other.example.com").await, expected);
    let why = "content trust is disabled for the registry other.example.com";
    staffed.publish(&token, ELSEWHERE).await.refused("ErrValidation", why);
    let at = |file: &str| format!("/v2/{ELSEWHERE}/_trust/tuf/{file}");
    for (method, file, status) in [
        ("GET", "root.json", 404),
        ("GET", "1.root.json", 404),
        ("GET", "snapshot.key", 400),
        ("POST", "snapshot.key", 400),
    ] {
        let answer = staffed.send(&token, method, &at(file), "", Vec::new()).await;
        assert_eq!(answer.status, status, "{method} {file}");
        if status == 400 {
            answer.refused("ErrValidation", why);
        }
    }
    let enable = json!({ "registry": "other.example.com", "content_trust": "enabled" });
    is_denied(&set(&staffed, SIGNER, enable.clone()).await);
    let enabled = set(&staffed, OWNER, enable).await;
    assert_eq!((enabled.status, enabled.json()["content_trust"].clone()), (200, json!("enabled")));
    assert_eq!(staffed.publish(&token, ELSEWHERE).await.status, 200);
    assert_eq!(shown(&staffed, "other.example.com").await["holds"], json!({ "repositories": 1, "tags": 1 }));
}

#[tokio::test]
async fn disabling_deletes_all_of_that_registry_and_of_no_other() {
    let staffed = Staffed::new().await;
    staffed.add("eve", "AcrImageSigner", "*");
    staffed.add("pia", "Owner", "reg.example.com/team/");
    staffed.enable("other.example.com");
    staffed.enable("reg.example.com.evil");
    let kept = [ELSEWHERE, "reg.example.com.evil/app"];
    for name in [NAME, "reg.example.com/team/a", kept[0], kept[1]] {
        assert_eq!(staffed.publish(&staffed.token(EVERYWHERE, name).await, name).await.status, 200);
    }
    let unnamed = json!({ "registry": REGISTRY, "content_trust": "disabled" });
    let other = json!({ "registry": REGISTRY, "content_trust": "disabled", "delete_all_trust_data": "other.example.com" });
    for body in [unnamed, other] {
        assert_eq!(set(&staffed, OWNER, body).await.code(), (400, "INVALID_PARAMETERS".to_owned()));
    }
    for by in [SIGNER, ("pia", PASSWORD)] {
        is_denied(&set(&staffed, by, disabling(REGISTRY)).await);
    }
    assert_eq!(staffed.api.store().repository_count(), 4);
    let disabled = set(&staffed, OWNER, disabling(REGISTRY)).await;
    assert_eq!(disabled.status, 200);
    assert_eq!(disabled.json()["deleted"]["repositories"], 2);
    let left: Vec<_> = staffed.api.store().repositories().iter().map(ToString::to_string).collect();
    assert_eq!(left, kept);
    let token = staffed.token(SIGNER, NAME).await;
    assert_eq!(staffed.tries(&token).await, [404, 400, 401]);
    // Again, there is nothing more to delete.
    assert_eq!(set(&staffed, OWNER, disabling(REGISTRY)).await.json()["deleted"]["repositories"], 0);
    staffed.enable(REGISTRY);
    assert_eq!(staffed.tries(&token).await, [404, 200, 401]);
    assert_eq!(staffed.publish(&token, NAME).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_lands_in_a_registry_after_it_was_disabled() {
    let staffed = Arc::new(Staffed::new().await);
    let publishers: Vec<_> = (0..3)
        .map(|number| {
            let staffed = Arc::clone(&staffed);
            tokio::spawn(async move {
                let (mut landed, mut refused) = (0, 0);
                for round in 0.. {
                    let name = format!("{REGISTRY}/p{number}/{round}");
                    let token = staffed.token(SIGNER, &name).await;
                    match staffed.publish(&token, &name).await.status {
                        200 => landed += 1,
                        400 => refused += 1,
                        status => panic!("{status}"),
                    }
                    if refused > 3 {
                        break;
                    }
                }
                landed
            })
        })
        .collect();
    while staffed.api.store().repository_count() < 20 {
        tokio::task::yield_now().await;
    }
    let disabled = set(&staffed, OWNER, disabling(REGISTRY)).await;
    assert_eq!(disabled.status, 200);
    assert_eq!(staffed.api.store().repository_count(), 0);
    let mut landed = 0;
    for publisher in publishers {
        landed += publisher.await.unwrap();
    }
    assert_eq!(disabled.json()["deleted"]["repositories"], landed);
    assert_eq!(staffed.api.store().repository_count(), 0);
}

#[tokio::test]
async fn what_was_to_be_deleted_is_deleted_at_the_next_start() {
    let staffed = Staffed::signed().await;
    staffed.enable("other.example.com");
    staffed.add("eve", "AcrImageSigner", "*");
    let token = staffed.token(EVERYWHERE, ELSEWHERE).await;
    assert_eq!(staffed.publish(&token, ELSEWHERE).await.status, 200);
    // As far as a server comes that is killed right then.
    let off = Change::SetContentTrust {
        registry: REGISTRY.parse().unwrap(),
        content_trust: Some(ContentTrust::Disabled),
    };
    let by = Actor::Principal { id: "x".to_owned(), name: "olga".to_owned() };
    staffed.api.server.directory().change(vec![off], &by, staffed.api.now()).unwrap();
    assert_eq!(staffed.api.store().repository_count(), 2);
    let staffed = Staffed { api: staffed.api.again().await };
    let left: Vec<_> = staffed.api.store().repositories().iter().map(ToString::to_string).collect();
    assert_eq!(left, [ELSEWHERE]);
    assert_eq!(shown(&staffed, REGISTRY).await["content_trust"], "disabled");
    let last = staffed.api.store().audit(Position::START).last().unwrap().unwrap();
    assert_eq!(Noted::read(&last.note.unwrap()), Some(Noted::by(by).because(Did::Disabled)));
    let path = format!("/v2/{ELSEWHERE}/_trust/tuf/root.json");
    let token = staffed.token(EVERYWHERE, ELSEWHERE).await;
    assert_eq!(staffed.send(&token, "GET", &path, "", Vec::new()).await.status, 200);
}

/// Registries that hold something when the first user comes stay as they are, those as well whose first publication is under way; and
/// strangers' publications end there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_user_finds_every_registry_enabled_that_holds_something() {
    let api = Arc::new(Api::new().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let strangers: Vec<_> = (0..3)
        .map(|number| {
            let (api, is_over) = (Arc::clone(&api), Arc::clone(&is_over));
            tokio::spawn(async move {
                for round in 0.. {
                    let name = format!("r{number}-{round}.example.com/app");
                    let mut publisher = Publisher::for_store(&name, &api.store());
                    publisher.tag(&[("1", digest("1"))]);
                    let upload = publisher.upload();
                    let was_over = is_over.load(Ordering::SeqCst);
                    match api.send_upload(&name, &upload).await.status {
                        200 => assert!(!was_over, "a stranger published"),
                        401 => break,
                        // It was let in as anybody is, and what is new is disabled by now.
                        400 => {}
                        status => panic!("{status}"),
                    }
                }
            })
        })
        .collect();
    while api.store().repository_count() < 20 {
        tokio::task::yield_now().await;
    }
    let order = json!({ "order": "add-user", "name": "olga", "password": PASSWORD });
    let directory = api.server.directory();
    directory.carry_out(serde_json::from_value(order).unwrap(), &Actor::operator(), api.now()).unwrap();
    is_over.store(true, Ordering::SeqCst);
    for stranger in strangers {
        stranger.await.unwrap();
    }
    let access = directory.access();
    let unshown = |name: &RepositoryName| {
        access.content_trust_of(name.as_str(), ContentTrust::Disabled) == ContentTrust::Disabled
    };
    let unshown: Vec<_> = api.store().repositories().into_iter().filter(unshown).collect();
    assert!(unshown.is_empty(), "{unshown:?}");
    let first = api.store().audit(Position::START).find_map(|line| {
        let note = line.unwrap().note?;
        Noted::read(&note).filter(|noted| !noted.did.is_empty())
    });
    let first = first.unwrap().did;
    assert_eq!(
        (&first[0]["change"], &first[1]["content_trust"]),
        (&json!("add-principal"), &json!("enabled"))
    );
}

#[tokio::test]
async fn the_last_one_cannot_be_removed() {
    let api = Api::new().await;
    let directory = api.server.directory();
    let order = |order: Value| {
        directory.carry_out(serde_json::from_value(order).unwrap(), &Actor::operator(), api.now())
    };
    order(json!({ "order": "add-user", "name": "olga" })).unwrap();
    let position = api.store().position();
    let refused = order(json!({ "order": "remove-principal", "principal": "olga" })).unwrap_err();
    assert!(refused.to_string().starts_with("nobody would be left"), "{refused}");
    assert_eq!(api.store().position(), position);
    assert!(!directory.is_open());
    order(json!({ "order": "add-user", "name": "sam" })).unwrap();
    order(json!({ "order": "remove-principal", "principal": "olga" })).unwrap();
    order(json!({ "order": "disable", "principal": "sam" })).unwrap();
    api.publisher().publish(&api.store()).unwrap();
    assert_eq!(api.file("root.json").await.status, 401);
}
