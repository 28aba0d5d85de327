//! A repository that begins anew.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tufstore_testkit::{Publisher, digest};

use super::super::support::NAME;
use super::{OWNER, PASSWORD, SIGNER, Staffed, is_denied};

fn files(folder: &std::path::Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_repository_that_is_reset_is_archived_and_begins_anew() {
    let staffed = Staffed::new().await;
    staffed.add("zoe", "Owner", "reg.example.com/team/");
    let token = staffed.token(SIGNER, NAME).await;
    let mut publisher = Publisher::for_store(NAME, &staffed.api.store());
    publisher.tag(&[("1", digest("1"))]);
    assert_eq!(staffed.publish_by(&token, &mut publisher).await.status, 200);
    publisher.tag(&[("2", digest("2"))]);
    assert_eq!(staffed.publish_by(&token, &mut publisher).await.status, 200);
    let root = staffed.send(&token, "GET", &format!("/v2/{NAME}/_trust/tuf/root.json"), "", Vec::new()).await;
    let body = json!({ "repository": NAME });
    for by in [SIGNER, ("zoe", PASSWORD)] {
        is_denied(&staffed.call(by, "POST", "/v1/reset", &body).await);
        let missing = json!({ "repository": "reg.example.com/none" });
        is_denied(&staffed.call(by, "POST", "/v1/reset", missing).await);
    }
    // Of one that did not come to its end there is something already, whole or not.
    let at = format!("{:020}", staffed.api.store().position().get());
    let archives = staffed.api.data().join("archive");
    for name in [at.clone(), format!("{at}.unfinished")] {
        fs::create_dir_all(archives.join(&name).join("rest")).unwrap();
    }
    let reset = staffed.call(OWNER, "POST", "/v1/reset", &body).await;
    assert_eq!(reset.status, 200);
    let expected = json!({ "position": staffed.api.store().position(), "archive": at, "files": 7 });
    assert_eq!(reset.json(), expected);
    assert_eq!(files(&archives), BTreeSet::from([at.clone()]));
    let folder = archives.join(at);
    let names = [
        "1.root",
        "1.targets",
        "2.targets",
        "1.snapshot",
        "2.snapshot",
        "1.timestamp",
        "2.timestamp",
        "about",
    ];
    assert_eq!(files(&folder), names.iter().map(|name| format!("{name}.json")).collect());
    assert_eq!(fs::read(folder.join("1.root.json")).unwrap(), root.body);
    let about: Value = serde_json::from_slice(&fs::read(folder.join("about.json")).unwrap()).unwrap();
    assert_eq!((&about["repository"], &about["by"]["name"]), (&json!(NAME), &json!("olga")));
    assert_eq!(about["files"].as_array().unwrap().len(), 7);
    assert_eq!(staffed.tries(&token).await, [404, 200, 401]);
    let again = staffed.call(OWNER, "POST", "/v1/reset", &body).await;
    assert_eq!(again.code(), (404, "METADATA_NOT_FOUND".to_owned()));
    assert_eq!(staffed.publish(&token, NAME).await.status, 200);
}

/// A delegation that was removed and made anew begins at version 1 again; and some have names as long as names can be.
#[tokio::test]
async fn every_file_is_archived_whatever_its_role_is_called() {
    let staffed = Staffed::new().await;
    let token = staffed.token(SIGNER, NAME).await;
    let mut publisher = Publisher::for_store(NAME, &staffed.api.store());
    let long = format!("targets/{}", "x".repeat(247));
    publisher.delegate(&long, &[""], &[("1", digest("1"))]);
    publisher.delegate("targets/releases", &[""], &[("1", digest("2"))]);
    assert_eq!(staffed.publish_by(&token, &mut publisher).await.status, 200);
    let reset = staffed.call(OWNER, "POST", "/v1/reset", json!({ "repository": NAME })).await;
    assert_eq!(reset.status, 200, "{:?}", String::from_utf8_lossy(&reset.body));
    assert_eq!(reset.json()["files"], 6);
    let folder = staffed.api.data().join("archive").join(reset.json()["archive"].as_str().unwrap());
    assert!(files(&folder).contains("1.targets.releases.json"));
    let about: Value = serde_json::from_slice(&fs::read(folder.join("about.json")).unwrap()).unwrap();
    let listed = about["files"].as_array().unwrap();
    assert!(listed.iter().all(|file| folder.join(file["file"].as_str().unwrap()).exists()));
    assert!(listed.iter().any(|file| file["role"] == long));
}
