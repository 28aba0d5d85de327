//! Who may have which order carried out.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::super::support::{Answer, NAME};
use super::{ELSEWHERE, OWNER, PASSWORD, REGISTRY, SIGNER, Staffed, is_denied};

fn assign(role: &str, scope: &str, to: &str) -> Value {
    json!({ "order": "assign-role", "role": role, "scope": scope, "to": { "principal": to } })
}

fn unassign(role: &str, scope: &str, from: &str) -> Value {
    json!({ "order": "unassign-role", "role": role, "scope": scope, "from": { "principal": from } })
}

fn token(name: &str, of: &str) -> Value {
    json!({ "order": "create-token", "name": name, "of": of, "lifetime": 3600 })
}

fn own_token(name: &str, scope: &str) -> Value {
    let limit = json!({ scope: ["registries/pull/read"] });
    json!({ "order": "create-token", "name": name, "limit": limit, "lifetime": 3600 })
}

#[tokio::test]
async fn who_may_not_is_told_the_same_of_what_is_there_and_of_what_is_not() {
    let staffed = Staffed::new().await;
    staffed.add("zoe", "Owner", "reg.example.com/team/");
    staffed.order(token("olgas", "olga"));
    staffed.order(own_token("of-app", NAME));
    staffed.order(json!({ "order": "add-group", "group": "crew" }));
    for asks in [SIGNER, ("zoe", PASSWORD)] {
        let before = staffed.api.store().position();
        for (there, missing) in [
            (assign("Owner", "*", "olga"), assign("Owner", "*", "nobody")),
            (unassign("Owner", "*", "olga"), unassign("Owner", "*", "nobody")),
            (unassign("AcrPull", "*", "olga"), unassign("AcrImageSigner", "*", "sam")),
            (token("x", "olga"), token("x", "nobody")),
            (
                json!({ "order": "revoke-token", "token": "olgas" }),
                json!({ "order": "revoke-token", "token": "no" }),
            ),
            (
                json!({ "order": "revoke-token", "token": "of-app" }),
                json!({ "order": "revoke-token", "token": "no" }),
            ),
            (
                json!({ "order": "set-password", "principal": "olga", "password": "short" }),
                json!({ "order": "set-password", "principal": "nobody", "password": "long enough" }),
            ),
            (
                json!({ "order": "remove-principal", "principal": "olga" }),
                json!({ "order": "remove-principal", "principal": "nobody" }),
            ),
            (
                json!({ "order": "disable", "principal": "olga" }),
                json!({ "order": "disable", "principal": "nobody" }),
            ),
            (
                json!({ "order": "add-user", "name": "olga", "password": PASSWORD }),
                json!({ "order": "add-user", "name": "nobody", "password": PASSWORD }),
            ),
            (
                json!({ "order": "add-member", "group": "crew", "principal": "olga" }),
                json!({ "order": "add-member", "group": "none", "principal": "nobody" }),
            ),
        ] {
            let [there, missing] =
                [staffed.ask_for(asks, there.clone()).await, staffed.ask_for(asks, missing).await];
            is_denied(&there);
            assert_eq!(there.json(), missing.json(), "{asks:?}");
        }
        assert_eq!(staffed.api.store().position(), before);
    }
    // What is held already, to whoever may assign there, is no change.
    let again = staffed.ask_for(OWNER, assign("Owner", "*", "olga")).await;
    assert_eq!((again.status, again.json()), (200, json!({ "changed": false })));
}

#[tokio::test]
async fn an_owner_of_a_prefix_gives_roles_and_tokens_there_and_nowhere_else() {
    let staffed = Staffed::new().await;
    staffed.add("zoe", "Owner", "reg.example.com/team/");
    staffed.add("uma", "AcrPull", "reg.example.com/team/");
    let zoe = ("zoe", PASSWORD);
    for scope in ["reg.example.com/team/", "reg.example.com/team/sub/", "reg.example.com/team/app"] {
        assert_eq!(staffed.ask_for(zoe, assign("AcrPush", scope, "uma")).await.json()["changed"], true);
        assert_eq!(staffed.ask_for(zoe, unassign("AcrPush", scope, "uma")).await.json()["changed"], true);
        let name = format!("token-{}", scope.len());
        assert_eq!(staffed.ask_for(zoe, own_token(&name, scope)).await.status, 200);
        let revoke = json!({ "order": "revoke-token", "token": name });
        assert_eq!(staffed.ask_for(zoe, revoke).await.status, 200);
    }
    let before = staffed.api.store().position();
    for scope in ["*", "reg.example.com", "reg.example.com/teams/", NAME, "reg.example.com/", "other/team/"] {
        is_denied(&staffed.ask_for(zoe, assign("AcrPull", scope, "uma")).await);
        is_denied(&staffed.ask_for(zoe, unassign("AcrPull", scope, "uma")).await);
        is_denied(&staffed.ask_for(zoe, own_token("x", scope)).await);
    }
    let wide = json!({ "reg.example.com/team/": ["registries/pull/read"], "reg.example.com/a": ["registries/pull/read"] });
    let wide = json!({ "order": "create-token", "name": "wide", "limit": wide, "lifetime": 60 });
    is_denied(&staffed.ask_for(zoe, wide).await);
    for order in [
        json!({ "order": "define-role", "role": "all", "permissions": ["registries/sign/write"] }),
        json!({ "order": "add-service", "names": ["robot"], "lifetime": 60 }),
        json!({ "order": "rename", "from": "uma", "to": "una" }),
        json!({ "order": "enable", "principal": "uma" }),
        token("of-uma", "uma"),
    ] {
        is_denied(&staffed.ask_for(zoe, order).await);
    }
    assert_eq!(staffed.api.store().position(), before);
    let unknown = staffed.ask_for(zoe, assign("AcrPull", "reg.example.com/team/", "nobody")).await;
    assert_eq!(unknown.code(), (400, "INVALID_PARAMETERS".to_owned()));
}

#[tokio::test]
async fn what_is_ones_own_is_ones_own_by_password_alone() {
    let staffed = Staffed::new().await;
    let made = staffed.ask_for(SIGNER, token("laptop", "SAM")).await;
    assert_eq!(made.status, 200);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let by_token = ("sam", secret.as_str());
    // Whoever finds the token cannot make it last.
    for order in [
        token("more", "sam"),
        json!({ "order": "revoke-token", "token": "laptop" }),
        json!({ "order": "set-password", "principal": "sam", "password": "another one" }),
    ] {
        is_denied(&staffed.ask_for(by_token, order).await);
    }
    let id = made.json()["token"].clone();
    let revoked = staffed.ask_for(SIGNER, json!({ "order": "revoke-token", "token": id })).await;
    assert_eq!(revoked.json(), json!({ "changed": true }));
    assert_eq!(staffed.ask_for(by_token, token("x", "sam")).await.status, 401);
    let set = json!({ "order": "set-password", "principal": "sam", "password": "another one" });
    assert_eq!(staffed.ask_for(SIGNER, set).await.status, 200);
    assert_eq!(staffed.ask_for(SIGNER, token("x", "sam")).await.status, 401);
    assert_eq!(staffed.ask_for(("sam", "another one"), token("x", "sam")).await.status, 200);
}

#[tokio::test]
async fn nobody_keeps_others_from_orders_by_giving_many() {
    let staffed = Staffed::new().await;
    staffed.add("rob", "AcrPull", "reg.example.com");
    let rob = ("rob", PASSWORD);
    // Their passwords are known from here on.
    for login in [OWNER, rob] {
        staffed.ask_for(login, json!({ "order": "disable", "principal": "nobody" })).await;
    }
    let refused = json!({ "order": "disable", "principal": "olga" });
    let slow = json!({ "order": "set-password", "principal": "rob", "password": PASSWORD });
    let orders = [refused, slow].into_iter().cycle().take(100);
    let robs = join_all(orders.map(|order| staffed.ask_for(rob, order)));
    let olgas = staffed.ask_for(OWNER, json!({ "order": "disable", "principal": "rob" }));
    let (robs, olgas) = join(robs, olgas).await;
    assert_eq!((olgas.status, olgas.json()), (200, json!({ "changed": true })));
    for answer in &robs {
        assert!([200, 401, 403, 429].contains(&answer.status), "{}", answer.status);
    }
    let too_many = robs.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(too_many.code(), (429, "TOOMANYREQUESTS".to_owned()));
    assert_eq!(too_many.header("retry-after"), "60");
}

#[tokio::test]
async fn a_token_of_nobody_is_named_when_who_made_it_is_gone() {
    let staffed = Staffed::new().await;
    staffed.add("zoe", "Owner", REGISTRY);
    let zoe = ("zoe", PASSWORD);
    let short = json!({ "order": "create-token", "name": "short", "limit": { NAME: ["registries/pull/read"] }, "lifetime": 60 });
    for (by, made) in [
        (zoe, own_token("first", NAME)),
        (zoe, own_token("second", NAME)),
        (zoe, token("laptop", "zoe")),
        (zoe, short),
        (OWNER, own_token("olgas", NAME)),
    ] {
        assert_eq!(staffed.ask_for(by, made).await.status, 200);
    }
    staffed.order(own_token("the-operators", NAME));
    let listed = staffed.call(OWNER, "GET", "/v1/access", "").await.json();
    let by = |name: &str| {
        let tokens = listed["tokens"].as_array().unwrap();
        tokens.iter().find(|token| token["name"] == name).unwrap()["by"].clone()
    };
    assert_eq!(["first", "laptop", "the-operators"].map(by), [json!("zoe"), Value::Null, Value::Null]);
    staffed.ask_for(OWNER, json!({ "order": "revoke-token", "token": "second" })).await;
    let disable = json!({ "order": "disable", "principal": "zoe" });
    let left = |changed, names: &[&str]| {
        let mut names: Vec<_> = names.to_vec();
        names.sort_unstable();
        (200, json!({ "changed": changed, "tokens_left": names }))
    };
    let told = |answer: Answer| {
        let mut body = answer.json();
        body["tokens_left"].as_array_mut().unwrap().sort_unstable_by_key(ToString::to_string);
        (answer.status, body)
    };
    assert_eq!(told(staffed.ask_for(OWNER, disable.clone()).await), left(true, &["first", "short"]));
    assert_eq!(told(staffed.ask_for(OWNER, disable).await), left(false, &["first", "short"]));
    let remove = json!({ "order": "remove-principal", "principal": "zoe" });
    assert_eq!(told(staffed.ask_for(OWNER, remove).await), left(true, &["first", "short"]));
    let nothing = staffed.ask_for(OWNER, json!({ "order": "disable", "principal": "sam" })).await;
    assert_eq!(nothing.json(), json!({ "changed": true }));
}

#[tokio::test]
async fn an_administrator_makes_no_token_of_nobody_that_signs() {
    let staffed = Staffed::new().await;
    for (name, kind) in [("root", "admin"), ("carl", "classic-administrator")] {
        staffed.order(json!({ "order": "add-user", "name": name, "password": PASSWORD, "kind": kind }));
        staffed.assign(name, "Owner", "*");
        let by = (name, PASSWORD);
        let limit = json!({ NAME: ["registries/sign/write"], ELSEWHERE: ["registries/pull/read"] });
        let signs = json!({ "order": "create-token", "name": "signs", "limit": limit, "lifetime": 60 });
        let refused = staffed.ask_for(by, signs).await;
        assert_eq!(refused.code(), (400, "INVALID_PARAMETERS".to_owned()));
        let why = refused.json()["errors"][0]["detail"].to_string();
        assert!(why.contains("cannot make a token of nobody that signs"), "{why}");
        assert_eq!(staffed.ask_for(by, own_token(&format!("{name}-reads"), NAME)).await.status, 200);
    }
}

#[tokio::test]
async fn names_of_ones_own_tokens_tell_nothing_and_mean_ones_own() {
    let staffed = Staffed::new().await;
    staffed.add("rob", "AcrPull", REGISTRY);
    let rob = ("rob", PASSWORD);
    staffed.order(token("laptop", "olga"));
    staffed.order(own_token("job", NAME));
    for name in ["olga", "laptop", "job", "free"] {
        assert_eq!(staffed.ask_for(rob, token(name, "rob")).await.status, 200, "{name}");
    }
    assert_eq!(staffed.ask_for(rob, token("FREE", "rob")).await.status, 400);
    let revoke = |token: &str| json!({ "order": "revoke-token", "token": token });
    let several = staffed.ask_for(("sam", PASSWORD), revoke("laptop")).await;
    is_denied(&several);
    staffed.add("zoe", "Owner", "*");
    let several = staffed.ask_for(("zoe", PASSWORD), revoke("laptop")).await;
    assert_eq!(several.code(), (400, "INVALID_PARAMETERS".to_owned()));
    assert!(
        several.json()["errors"][0]["detail"].to_string().contains("give its id"),
        "{:?}",
        several.json()
    );
    // Of several each means their own, and whoever is left by the name.
    assert_eq!(staffed.ask_for(rob, revoke("laptop")).await.status, 200);
    is_denied(&staffed.ask_for(rob, revoke("laptop")).await);
    assert_eq!(staffed.ask_for(("zoe", PASSWORD), revoke("laptop")).await.status, 200);
    let left: Vec<_> = staffed.call(OWNER, "GET", "/v1/access", "").await.json()["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| (token["name"].clone(), token["of"].clone()))
        .collect();
    let robs = |name: &str| (json!(name), json!("rob"));
    let mut expected = vec![robs("free"), robs("job"), (json!("job"), Value::Null), robs("olga")];
    let mut left = left;
    left.sort_by_key(|entry| format!("{entry:?}"));
    expected.sort_by_key(|entry| format!("{entry:?}"));
    assert_eq!(left, expected);
}
