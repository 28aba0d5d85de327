//! Who did what, as it is told for ever.

use serde_json::{Value, json};

use super::super::support::NAME;
use super::{OWNER, PASSWORD, REGISTRY, SIGNER, Staffed, is_denied};

async fn lines(staffed: &Staffed) -> Vec<Value> {
    let answer = staffed.call(OWNER, "GET", "/v1/audit", "").await;
    assert_eq!((answer.status, &answer.json()["more"]), (200, &json!(false)));
    answer.json()["lines"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_change_is_told_with_who_made_it() {
    let staffed = Staffed::signed().await;
    let before = lines(&staffed).await.len();
    staffed.add("dan", "AcrDelete", NAME);
    let to = json!({ "principal": "dan" });
    let order = json!({ "order": "assign-role", "role": "AcrPull", "scope": REGISTRY, "to": to });
    assert_eq!(staffed.ask_for(OWNER, order).await.status, 200);
    let order = json!({ "order": "set-password", "principal": "sam", "password": "another horse" });
    assert_eq!(staffed.ask_for(OWNER, order).await.status, 200);
    let order = json!({ "order": "create-token", "name": "laptop", "of": "dan", "lifetime": 60 });
    assert_eq!(staffed.ask_for(("dan", PASSWORD), order).await.status, 200);
    assert_eq!(staffed.tries(&staffed.token(("dan", PASSWORD), NAME).await).await, [200, 401, 200]);
    let secret = staffed.order(json!({ "order": "create-token", "name": "ci", "of": "sam", "lifetime": 60 }));
    let token = staffed.token(("sam", secret.shown().unwrap()), NAME).await;
    assert_eq!(staffed.publish(&token, NAME).await.status, 200);
    let reset = staffed.call(OWNER, "POST", "/v1/reset", json!({ "repository": NAME })).await;
    assert_eq!(reset.status, 200);
    assert_eq!(staffed.publish(&token, NAME).await.status, 200);
    let off = json!({ "registry": REGISTRY, "content_trust": "disabled", "delete_all_trust_data": REGISTRY });
    assert_eq!(staffed.call(OWNER, "PUT", "/v1/policy", off).await.status, 200);
    let all = lines(&staffed).await;
    // What was refused is no change.
    let told: Vec<_> = all[before..]
        .iter()
        .map(|line| {
            let note = &line["note"];
            let by = note["by"]["name"].as_str().unwrap_or("operator");
            let did = note["did"][0]["change"].as_str().unwrap_or_default();
            let kind = &line["what"]["kind"];
            let kind = kind.as_str().or(kind.get("published").map(|_| "published")).unwrap_or_default();
            let why = note["why"].as_str().unwrap_or_default();
            format!("{by}: {did}{kind} {why}").trim_end().to_owned()
        })
        .collect();
    let expected = [
        "operator: add-principal",
        "operator: assign-role",
        "olga: assign-role",
        "olga: set-password",
        "dan: add-token",
        "dan: deleted",
        "operator: add-token",
        "sam, ci: published",
        "olga: deleted reset",
        "sam, ci: published",
        "olga: set-content-trust",
        "olga: deleted disabled",
    ];
    assert_eq!(told, expected);
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("argon2") && !text.contains("horse") && !text.contains("tufs_"), "{text}");
    let signing = all.iter().find(|line| line["what"]["kind"]["published"].is_object()).unwrap();
    assert_eq!(signing["what"]["repository"], NAME);
    let of_sam = staffed.api.server.directory().access().answering_to("sam").unwrap().0.to_string();
    assert_eq!(signing["note"]["by"], json!({ "kind": "principal", "id": of_sam, "name": "sam" }));
}

#[tokio::test]
async fn it_is_read_in_pages_by_whoever_may_give_roles_everywhere() {
    let staffed = Staffed::signed().await;
    staffed.add("zoe", "Owner", REGISTRY);
    for by in [SIGNER, ("zoe", PASSWORD)] {
        is_denied(&staffed.call(by, "GET", "/v1/audit", "").await);
        is_denied(&staffed.call(by, "GET", "/v1/access", "").await);
    }
    assert_eq!(staffed.call(("nobody", PASSWORD), "GET", "/v1/audit", "").await.status, 401);
    assert_eq!(staffed.send("", "GET", "/v1/audit", "", Vec::new()).await.status, 401);
    let all = lines(&staffed).await;
    let after = all[2]["position"].clone();
    let rest = staffed.call(OWNER, "GET", &format!("/v1/audit?after={after}"), "").await.json();
    assert_eq!(rest["lines"].as_array().unwrap()[..], all[3..]);
    for end in [&all.last().unwrap()["position"].to_string(), "18446744073709551615"] {
        let rest = staffed.call(OWNER, "GET", &format!("/v1/audit?after={end}"), "").await;
        assert_eq!((rest.status, rest.json()), (200, json!({ "lines": [], "more": false })));
    }
    for no in ["x", "-1", "18446744073709551616"] {
        let refused = staffed.call(OWNER, "GET", &format!("/v1/audit?after={no}"), "").await;
        assert_eq!(refused.code(), (400, "INVALID_PARAMETERS".to_owned()), "{no}");
    }
    for number in 0..1000 {
        let order = if number % 2 == 0 { "disable" } else { "enable" };
        staffed.order(json!({ "order": order, "principal": "zoe" }));
    }
    let first = staffed.call(OWNER, "GET", "/v1/audit", "").await.json();
    assert_eq!((first["lines"].as_array().unwrap().len(), &first["more"]), (1000, &json!(true)));
}

#[tokio::test]
async fn who_may_do_what_is_listed_without_secrets() {
    let staffed = Staffed::signed().await;
    staffed.order(json!({ "order": "create-token", "name": "laptop", "of": "sam", "lifetime": 60 }));
    staffed.order(json!({ "order": "add-service", "names": ["robot"], "lifetime": 60 }));
    let listed = staffed.call(OWNER, "GET", "/v1/access", "").await;
    let text = String::from_utf8(listed.body.clone()).unwrap();
    assert!(!text.contains("argon2") && !text.contains("tufs_") && !text.contains("secret"), "{text}");
    let listed = listed.json();
    let names: Vec<_> = listed["principals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["names"][0].as_str().unwrap())
        .collect();
    assert_eq!(names, ["olga", "robot", "sam"]);
    assert_eq!(listed["tokens"][0]["of"], "sam");
}
