use super::*;

fn operator() -> Actor {
    Actor::Operator { user: 1000 }
}

/// What a note says of what somebody did.
fn told(by: Actor, did: Vec<Value>) -> Noted {
    let note = Noted::new(by, did).to_note().unwrap();
    Noted::read(&note).unwrap()
}

#[test]
fn what_fits_is_told_whole() {
    let did = vec![json!({ "change": "add-group", "group": "crew" })];
    let noted = Noted::new(operator(), did).because(Did::Reset);
    assert_eq!(Noted::read(&noted.to_note().unwrap()), Some(noted));
}

#[test]
fn of_more_than_fits_the_first_are_told_and_the_rest_counted() {
    let first = json!({ "change": "add-principal", "names": ["olga"] });
    let enabled = |number: usize| json!({ "change": "set-content-trust", "registry": format!("r{number}.example.com") });
    let did: Vec<_> = std::iter::once(first.clone()).chain((0..500).map(enabled)).collect();
    let noted = told(operator(), did);
    assert_eq!((&noted.did[0], &noted.did[1]), (&first, &enabled(0)));
    let rest = noted.did.last().unwrap();
    let counted = usize::try_from(rest["times"].as_u64().unwrap()).unwrap();
    assert_eq!(counted + noted.did.len() - 1, 501);
}

#[test]
fn a_change_that_does_not_fit_is_told_without_its_lists() {
    let limit: serde_json::Map<_, _> =
        (0..500).map(|number| (format!("r.example.com/{number}"), json!(["registries/pull/read"]))).collect();
    let expires = json!({ "seconds": 1, "nanoseconds": 0 });
    let grant = json!({ "own": { "limit": limit } });
    let change =
        json!({ "change": "add-token", "id": "x", "name": "wide", "expires": expires, "grant": grant });
    let whole = sha256(change.to_string().as_bytes()).to_string();
    let noted = told(operator(), vec![change]);
    let brief = json!({
        "change": "add-token", "id": "x", "name": "wide", "expires": expires, "cut": true, "sha256": whole
    });
    assert_eq!(noted.did, [brief]);
}

#[test]
fn whatever_another_service_calls_somebody_it_is_noted_that_it_was_them() {
    for subject in ["x".repeat(16_000), "\u{1}".repeat(16_000), "\u{10ffff}".repeat(4_000)] {
        let noted = told(Actor::External { subject: subject.clone() }, Vec::new());
        let Actor::External { subject: told } = noted.by else { unreachable!() };
        assert!(told.len() >= 400 && subject.starts_with(&told));
    }
}
