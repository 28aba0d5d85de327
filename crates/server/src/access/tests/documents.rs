use serde_json::{Value, json};

use super::*;

/// One of everything, as a document.
fn document() -> Value {
    let secret: SecretHash = "ab".repeat(32).try_into().unwrap();
    let token = |number: u8, called: &str, grant| Change::AddToken {
        id: format!("token0000000000{number:x}").parse().unwrap(),
        name: name(called),
        secret: secret.clone(),
        expires: NOW.after(DAY),
        grant,
        by: None,
    };
    let password = Some(PasswordHash::DUMMY);
    let access = made(
        everybody(),
        [
            Change::AddGroup { group: name("team") },
            Change::AddMember { group: name("team"), member: object(3) },
            define("Reader", &[Permission::Pull]),
            assign(0, "Reader", "r", 3),
            assign_to_group(1, "AcrImageSigner", "*", "team"),
            token(0, "laptop", personal(3)),
            token(1, "ci", Grant::Own { limit: limit(&[("r/app", &[Permission::Sign])]) }),
            Change::SetPassword { principal: object(3), password },
            Change::SetContentTrust {
                registry: "r".parse().unwrap(),
                content_trust: Some(ContentTrust::Enabled),
            },
        ],
    );
    let bytes = access.to_bytes().unwrap();
    assert_eq!(Access::from_bytes(&bytes).unwrap(), access);
    assert_eq!(Access::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    serde_json::from_slice(&bytes).unwrap()
}

fn read(document: &Value) -> Result<Access, DocumentError> {
    Access::from_bytes(document.to_string().as_bytes())
}

fn inconsistent(change: impl FnOnce(&mut Value)) -> Inconsistent {
    let mut document = document();
    change(&mut document["access"]);
    match read(&document) {
        Err(DocumentError::Inconsistent(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_a_document_too() {
    let bytes = Access::default().to_bytes().unwrap();
    assert_eq!(Access::from_bytes(&bytes).unwrap(), Access::default());
    assert!(Access::default().is_open());
}

#[test]
fn a_newer_format_says_so_whatever_else_it_holds() {
    let mut document = document();
    document["format"] = json!(2);
    document["more"] = json!([]);
    let refused = read(&document).unwrap_err();
    assert!(matches!(refused, DocumentError::NewerFormat { found: 2 }));
    assert_eq!(
        refused.to_string(),
        "who may do what is written in format 2, by a newer release: this one knows formats up to 1"
    );
    document["format"] = json!(0);
    assert!(matches!(read(&document), Err(DocumentError::UnknownFormat { found: 0 })));
}

#[test]
fn what_no_release_wrote_is_not_read() {
    let whole = document();
    for path in
        ["", "/access", "/access/groups/team", "/access/tokens/token00000000000", "/access/policies/r"]
    {
        let mut document = whole.clone();
        document.pointer_mut(path).unwrap()["more"] = json!(1);
        assert!(matches!(read(&document), Err(DocumentError::Json(_))), "{path}");
    }
    let mut document = whole;
    document["access"].as_object_mut().unwrap().remove("tokens");
    assert!(matches!(read(&document), Err(DocumentError::Json(_))));
    for bytes in [&b""[..], b"null", b"{}", b"[1]", b"{\"format\":1}", b"\xff", b"{\"format\":-1}"] {
        assert!(matches!(Access::from_bytes(bytes), Err(DocumentError::Json(_))), "{bytes:?}");
    }
}

#[test]
fn a_key_that_stands_there_twice_is_not_read() {
    let text = document().to_string();
    let twice = text.replace(r#""groups":{"#, r#""groups":{"TEAM":{"members":[]},"#);
    assert_ne!(twice, text);
    assert!(matches!(Access::from_bytes(twice.as_bytes()), Err(DocumentError::Json(_))));
}

#[test]
fn what_dangles_or_stands_for_two_is_found() {
    let [user, service] = [object(3).to_string(), object(2).to_string()];
    let (user, service) = (user.as_str(), service.as_str());
    let remove = |from: &mut Value, key: &str| drop(from.as_object_mut().unwrap().remove(key).unwrap());
    assert!(matches!(inconsistent(|a| remove(&mut a["principals"], user)), Inconsistent::Member { .. }));
    assert!(matches!(inconsistent(|a| remove(&mut a["roles"], "Reader")), Inconsistent::Assignment { .. }));
    assert!(matches!(inconsistent(|a| remove(&mut a["groups"], "team")), Inconsistent::Assignment { .. }));
    let why = inconsistent(|a| a["tokens"]["token00000000000"]["grant"]["personal"]["of"] = json!(object(9)));
    assert!(matches!(why, Inconsistent::TokenOf { .. }));
    let why = inconsistent(|a| a["tokens"]["token00000000001"]["grant"]["own"]["limit"] = json!({}));
    assert!(matches!(why, Inconsistent::TokenAllows { source: Refused::NothingAllowed, .. }));
    let why = inconsistent(|a| a["tokens"]["token00000000001"]["name"] = json!("USER"));
    assert_eq!(why, Inconsistent::Name { name: name("user") });
    let why = inconsistent(|a| a["principals"][user]["names"] = json!(["Service"]));
    assert_eq!(why, Inconsistent::Name { name: name("service") });
    let why = inconsistent(|a| a["principals"][user]["names"] = json!([object(9)]));
    assert!(matches!(why, Inconsistent::Name { .. }));
    let why = inconsistent(|a| a["principals"][user]["names"] = json!(["one", "two"]));
    assert_eq!(why, Inconsistent::Names { principal: object(3) });
    let why = inconsistent(|a| a["principals"][user]["names"] = json!([]));
    assert_eq!(why, Inconsistent::Names { principal: object(3) });
    let why = inconsistent(|a| a["principals"][service]["kind"]["service"]["application"] = json!(object(3)));
    assert_eq!(why, Inconsistent::Id { id: object(3).uuid() });
    let why = inconsistent(|a| a["principals"][user]["kind"] = json!("admin"));
    assert!(matches!(why, Inconsistent::AdminSigns { kind: Kind::Admin, .. }));
}
