//! The server's own token service.

use axum::body::Body;
use http::{Request, header};
use serde_json::json;

use super::super::support::{Answer, NAME};
use super::{OWNER, PASSWORD, REGISTRY, SIGNER, Staffed, basic, claims};

const WRONG: &str = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":"the name or the password is wrong"}]}"#;

async fn form(staffed: &Staffed, form: &str) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    staffed.send("", "POST", "/oauth2/token", kind, form.as_bytes().to_vec()).await
}

#[track_caller]
fn is_wrong(answer: &Answer) {
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Basic realm=\"tufstore\""));
    assert_eq!(String::from_utf8(answer.body.clone()).unwrap().trim_end(), WRONG);
}

#[tokio::test]
async fn a_password_is_exchanged_for_a_token_by_query_and_by_form() {
    let staffed = Staffed::new().await;
    let by_query = staffed.ask_token(SIGNER, &format!("repository:{NAME}:push,pull,delete")).await;
    assert_eq!((by_query.status, by_query.header("cache-control")), (200, "no-store"));
    let body = format!(
        "grant_type=password&service=tufstore&client_id=docker&username=SAM&password=correct+horse\
         &scope=repository:{NAME}:push,pull,delete"
    );
    let by_form = form(&staffed, &body).await;
    assert_eq!(by_form.status, 200);
    for answer in [&by_query, &by_form] {
        let answer = answer.json();
        assert_eq!(answer["token"], answer["access_token"]);
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
        assert_eq!(answer["issued_at"], staffed.api.now().to_string());
        let claims = claims(answer["token"].as_str().unwrap());
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!("tufstore"), &json!("tufstore")));
        let access = json!([{ "type": "repository", "name": NAME, "actions": ["pull", "push"] }]);
        assert_eq!(claims["access"], access);
    }
    let pem = String::from_utf8(staffed.api.get("/oauth2/authority.pem").await.body).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
}

#[tokio::test]
async fn no_answer_tells_names_that_are_there_from_names_that_are_not() {
    let staffed = Staffed::new().await;
    staffed.order(json!({ "order": "add-user", "name": "gone", "password": PASSWORD }));
    staffed.order(json!({ "order": "disable", "principal": "gone" }));
    staffed.order(json!({ "order": "add-user", "name": "bare" }));
    let secret = staffed.order(json!({ "order": "create-token", "name": "t", "of": "sam", "lifetime": 60 }));
    let secret = secret.shown().unwrap();
    let scope = format!("repository:{NAME}:pull");
    let made_up = format!("{}x", &secret[..secret.len() - 1]);
    for login in [
        ("sam", "wrong horse"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("bare", PASSWORD),
        ("bare", ""),
        ("", ""),
        ("no name", PASSWORD),
        ("olga", secret),
        ("sam", &made_up),
        ("sam", "tufs_"),
    ] {
        is_wrong(&staffed.ask_token(login, &scope).await);
        is_wrong(&staffed.call(login, "GET", "/v1/access", "").await);
    }
    for header in ["Basic", "Basic !", "Basic eA==", "Bearer x", "Digest x"] {
        let path = "/oauth2/token?service=tufstore";
        is_wrong(&staffed.send(header, "GET", path, "", Vec::new()).await);
    }
    is_wrong(&form(&staffed, "grant_type=refresh_token&service=tufstore&refresh_token=x").await);
    is_wrong(&form(&staffed, "grant_type=password&service=tufstore&username=sam").await);
}

#[tokio::test]
async fn a_token_does_for_a_password_and_to_refresh() {
    let staffed = Staffed::new().await;
    let made = json!({ "order": "create-token", "name": "laptop", "of": "sam", "lifetime": 3600 });
    let made = staffed.order(made);
    let (secret, id) = (made.shown().unwrap(), made.token.clone().unwrap().to_string());
    for name in ["sam", "laptop", "LAPTOP", &id] {
        let token = staffed.token((name, secret), NAME).await;
        assert_eq!(claims(&token)["access"][0]["actions"], json!(["pull", "push", "rotate"]));
        assert!(claims(&token)["sub"].as_str().unwrap().ends_with(&format!("/{id}")));
    }
    let body = format!(
        "grant_type=refresh_token&service=tufstore&client_id=docker&refresh_token={secret}&scope=repository:{NAME}:pull"
    );
    let refreshed = form(&staffed, &body).await;
    assert_eq!(claims(refreshed.json()["token"].as_str().unwrap())["access"][0]["actions"], json!(["pull"]));
    staffed.api.wait(1);
    is_wrong(&staffed.ask_token(("sam", secret), "").await);
    is_wrong(&form(&staffed, &body).await);
}

#[tokio::test]
async fn everything_is_what_one_may_and_no_more() {
    let staffed = Staffed::new().await;
    for (login, actions) in [(OWNER, json!(["pull", "delete"])), (SIGNER, json!(["pull", "push", "rotate"]))]
    {
        let claims = claims(&staffed.token(login, NAME).await);
        assert_eq!(claims["access"], json!([{ "type": "repository", "name": NAME, "actions": actions }]));
    }
    for (login, scope) in [
        (SIGNER, "repository:other.example.com/app:*"),
        (SIGNER, "registry:catalog:*"),
        (OWNER, "registry:catalog:pull"),
        (OWNER, "registry:other:*"),
        (OWNER, "repository:*:*"),
        (OWNER, "repository:reg.example.com/:*"),
        (OWNER, "repository:reg.example.com/app/../other:*"),
        (OWNER, "repository:reg.example.com/app:"),
        (OWNER, "repository:reg.example.com/app:sign"),
    ] {
        let answer = staffed.ask_token(login, scope).await;
        assert_eq!(claims(answer.json()["token"].as_str().unwrap())["access"], json!([]), "{scope}");
    }
    let all = staffed.ask_token(OWNER, "registry:catalog:*").await;
    let all = format!("Bearer {}", all.json()["token"].as_str().unwrap());
    assert_eq!(staffed.send(&all, "GET", "/v2/", "", Vec::new()).await.status, 200);
    for query in ["", "scope=repository:a:pull", "service=", "service=a/b", "service=tufstore&scope=x"] {
        let answer =
            staffed.send(&basic(OWNER), "GET", &format!("/oauth2/token?{query}"), "", Vec::new()).await;
        assert_eq!(answer.code(), (400, "INVALID_PARAMETERS".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_token_for_a_registry_of_images_opens_nothing_here() {
    let staffed = Staffed::signed().await;
    staffed.add("pia", "AcrPush", REGISTRY);
    let at_registry = async |login, actions: &str| {
        let path = format!("/oauth2/token?service={REGISTRY}&scope=repository:app:{actions}");
        let answer = staffed.send(&basic(login), "GET", &path, "", Vec::new()).await;
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    for (login, actions) in [
        (("pia", PASSWORD), json!(["pull", "push"])),
        (SIGNER, json!(["pull"])),
        (OWNER, json!(["pull", "push", "delete"])),
    ] {
        let token = at_registry(login, "*").await;
        let said = claims(&token);
        assert_eq!(said["aud"], REGISTRY);
        assert_eq!(said["access"], json!([{ "type": "repository", "name": "app", "actions": actions }]));
        assert_eq!(staffed.tries(&format!("Bearer {token}")).await, [401; 3]);
    }
}

#[tokio::test]
async fn a_challenge_leads_to_where_the_client_is_or_where_the_settings_say() {
    let staffed = Staffed::new().await;
    let path = format!("/v2/{NAME}/_trust/tuf/root.json");
    let challenge = async |staffed: &Staffed, host: &[u8]| {
        let request = Request::get(&path).header(header::HOST, host).body(Body::empty()).unwrap();
        staffed.api.answer(request).await.header("www-authenticate").to_owned()
    };
    let scope = format!("service=\"tufstore\",scope=\"repository:{NAME}:pull\"");
    for (host, shown) in [
        (&b"trust.example.com:4443"[..], "trust.example.com:4443"),
        (b"[::1]:4443", "[::1]:4443"),
        (b"evil\",scope=\"x", "localhost"),
        (b"a b", "localhost"),
        (b"\xff", "localhost"),
        (b"", "localhost"),
    ] {
        let expected = format!("Bearer realm=\"http://{shown}/oauth2/token\",{scope}");
        assert_eq!(challenge(&staffed, host).await, expected);
    }
    let said = Staffed::with(|settings| {
        settings.tokens.realm = Some("https://login.example.com/token".to_owned());
        settings.tokens.service = "trust".to_owned();
    });
    let said = said.await;
    let expected = format!(
        "Bearer realm=\"https://login.example.com/token\",service=\"trust\",scope=\"repository:{NAME}:pull\""
    );
    assert_eq!(challenge(&said, b"trust.example.com").await, expected);
}

#[tokio::test]
async fn who_does_not_say_who_they_are_gets_a_token_that_allows_nothing() {
    let staffed = Staffed::signed().await;
    let path =
        format!("/oauth2/token?service=tufstore&scope=repository:{NAME}:pull,push&scope=registry:catalog:*");
    let answer = staffed.send("", "GET", &path, "", Vec::new()).await;
    let token = format!("Bearer {}", answer.json()["token"].as_str().unwrap());
    assert_eq!((&claims(&token)["sub"], &claims(&token)["access"]), (&json!(""), &json!([])));
    assert_eq!(staffed.tries(&token).await, [401; 3]);
    assert_eq!(staffed.publish(&token, NAME).await.status, 401);
    assert_eq!(staffed.send(&token, "GET", "/v2/", "", Vec::new()).await.status, 401);
    assert_eq!(staffed.send(&token, "GET", "/v1/access", "", Vec::new()).await.status, 401);
}

#[tokio::test]
async fn wrong_passwords_are_few_and_right_ones_that_are_known_many() {
    let staffed = Staffed::new().await;
    let ask = async |login| staffed.ask_token(login, "").await;
    assert_eq!(ask(SIGNER).await.status, 200);
    let mut refused = 0;
    loop {
        let answer = ask(("sam", "wrong horse")).await;
        if answer.status == 429 {
            assert_eq!(answer.code(), (429, "TOOMANYREQUESTS".to_owned()));
            assert_eq!(answer.header("retry-after"), "60");
            break;
        }
        is_wrong(&answer);
        refused += 1;
        assert!(refused < 100, "nothing limits them");
    }
    assert!(refused >= 20, "{refused}");
    assert_eq!(ask(("nobody", "wrong horse")).await.status, 429);
    for _ in 0..40 {
        assert_eq!(ask(SIGNER).await.status, 200);
        assert_eq!(staffed.call(SIGNER, "GET", "/v1/access", "").await.status, 403);
    }
}

#[tokio::test]
async fn where_nobody_is_anybody_there_is_no_token_service() {
    let api = super::Api::new().await;
    for path in [
        "/oauth2/token?service=tufstore",
        "/oauth2/authority.pem",
        "/v1/access",
        "/v1/audit",
        "/v1/policy?registry=a",
    ] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
}
