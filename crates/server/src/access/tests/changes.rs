use super::*;
use Permission::{Delete, Pull};

fn group(text: &str) -> Change {
    Change::AddGroup { group: name(text) }
}

#[test]
fn names_are_unique_over_principals_and_tokens_of_nobody_in_any_case() {
    let secret = Secret::random();
    let own = |at: &str| Grant::Own { limit: limit(&[(at, &[Pull])]) };
    let access = made(everybody(), [add_token(&secret, "laptop", own("reg.example.com"))]);
    for taken in ["user", "USER", "laptop", "Laptop"] {
        let expected = Refused::NameTaken { name: name(taken) };
        assert_eq!(refused(&access, add(9, "user", &[taken])), expected);
        assert_eq!(refused(&access, add_token(&Secret::random(), taken, own("other.example.com"))), expected);
        assert_eq!(refused(&access, Change::AddName { principal: object(2), name: name(taken) }), expected);
        let rename = Change::Rename { principal: object(0), from: name("admin"), to: name(taken) };
        assert_eq!(refused(&access, rename), expected);
    }
}

/// Whatever anybody calls a token of theirs, nothing is told of what there is, and nobody else is kept from a name.
#[test]
fn a_personal_token_has_its_name_among_those_of_its_principal_alone() {
    let secrets = [(); 4].map(|()| Secret::random());
    let [sams, robots, of_user, of_nobody] = &secrets;
    let own = Grant::Own { limit: limit(&[("reg.example.com", &[Pull])]) };
    let access = made(
        everybody(),
        [
            add_token(sams, "laptop", personal(3)),
            add_token(robots, "LAPTOP", personal(2)),
            add_token(of_user, "admin", personal(3)),
            add_token(of_nobody, "laptop", own),
            add(9, "user", &["new"]),
            add_token(&Secret::random(), "new", personal(3)),
        ],
    );
    let expected = Refused::NameTaken { name: name("Laptop") };
    assert_eq!(refused(&access, add_token(&Secret::random(), "Laptop", personal(3))), expected);
    assert_eq!(access.tokens_named(&name("laptop")).count(), 3);
    assert_eq!(Access::from_bytes(&access.to_bytes().unwrap()).unwrap(), access);
    // Whose token it is, its secret says, under whichever name.
    for (called, secret, of) in [
        ("laptop", sams, Some(3)),
        ("laptop", robots, Some(2)),
        ("admin", of_user, Some(3)),
        ("laptop", of_nobody, None),
    ] {
        let known = access.candidate(called, secret.shown().as_bytes(), NOW);
        let Candidate::Known(identity) = known else { panic!("{called} is known") };
        assert_eq!(identity.principal(), of.map(object));
    }
    let other = access.candidate("admin", robots.shown().as_bytes(), NOW);
    assert!(matches!(other, Candidate::Nobody));
}

#[test]
fn a_principal_can_be_called_what_it_was_in_another_case() {
    let rename = Change::Rename { principal: object(3), from: name("user"), to: name("User") };
    let access = made(everybody(), [rename]);
    let names: Vec<_> = access.principal(object(3)).unwrap().names.iter().map(Name::as_str).collect();
    assert_eq!(names, ["User"]);
    let rename = Change::Rename { principal: object(3), from: name("other"), to: name("x") };
    assert_eq!(refused(&access, rename), Refused::NoSuchName { principal: object(3), name: name("other") });
}

#[test]
fn a_name_is_no_id_but_ones_own() {
    let [foreign, own, of_application] =
        [object(9).to_string(), object(3).to_string(), application(2).to_string()];
    let access = everybody();
    let rename = |principal, from, to: &str| Change::Rename { principal, from: name(from), to: name(to) };
    for foreign in
        [&foreign, &foreign.replace('-', ""), &of_application, "00000000-0000-0000-0000-000000000000"]
    {
        let expected = Refused::NameIsAnId { name: name(foreign) };
        assert_eq!(refused(&access, rename(object(3), "user", foreign)), expected);
        assert_eq!(refused(&access, add(10, "user", &[foreign])), expected);
        assert_eq!(refused(&access, add_token(&Secret::random(), foreign, personal(3))), expected);
    }
    assert!(apply(&access, rename(object(3), "user", &own)).is_ok());
    assert!(apply(&access, rename(object(2), "service", &of_application)).is_ok());
}

#[test]
fn ids_stand_for_one() {
    let access = everybody();
    let as_service = |id: ObjectId, application: ApplicationId| Change::AddPrincipal {
        id,
        kind: Kind::Service { application },
        names: names(&["new"]),
        password: None,
    };
    let taken = |id: &dyn std::fmt::Display| Refused::IdTaken { id: id.to_string() };
    let cross = |id: &dyn std::fmt::Display| id.to_string();
    assert_eq!(refused(&access, add(3, "user", &["new"])), taken(&object(3)));
    assert_eq!(refused(&access, as_service(object(9), application(2))), taken(&application(2)));
    let of_object: ApplicationId = cross(&object(3)).parse().unwrap();
    assert_eq!(refused(&access, as_service(object(9), of_object)), taken(&object(3)));
    let of_application: ObjectId = cross(&application(2)).parse().unwrap();
    assert_eq!(refused(&access, as_service(of_application, application(9))), taken(&application(2)));
    let both: ApplicationId = cross(&object(9)).parse().unwrap();
    assert_eq!(refused(&access, as_service(object(9), both)), taken(&object(9)));
    let secret = Secret::random();
    let access = made(access, [add_token(&secret, "t", personal(3)), assign(0, "AcrPull", "*", 3)]);
    assert_eq!(refused(&access, add_token(&secret, "u", personal(3))), taken(secret.id()));
    assert_eq!(refused(&access, assign(0, "AcrPush", "*", 3)), taken(&assignment(0)));
}

#[test]
fn a_service_principal_has_several_names_and_no_other_kind_does() {
    let access = everybody();
    for (number, text) in (0..).zip(KINDS) {
        let more = Change::AddName { principal: object(number), name: name("more") };
        let new = add(9, text, &["one", "two"]);
        if text == "service" {
            let access = made(access.clone(), [more, new]);
            let remove = |text| Change::RemoveName { principal: object(number), name: name(text) };
            let access = made(access, [remove("service")]);
            assert_eq!(refused(&access, remove("more")), Refused::LastName { name: name("more") });
            assert!(matches!(refused(&access, remove("service")), Refused::NoSuchName { .. }));
        } else {
            assert!(matches!(refused(&access, more), Refused::OneName { .. }), "{text}");
            assert!(matches!(refused(&access, new), Refused::OneName { .. }), "{text}");
        }
    }
    assert_eq!(refused(&access, add(9, "user", &[])), Refused::Nameless);
}

#[test]
fn a_service_principal_has_sixteen_names_at_most_and_each_counts_for_what_is_written_down() {
    let called: Vec<_> = (0..17).map(|number| format!("n{number}")).collect();
    let called: Vec<_> = called.iter().map(String::as_str).collect();
    let (last, most) = called.split_last().unwrap();
    let access = made(everybody(), [add(10, "service", most)]);
    assert_eq!(access.entries(), everybody().entries() + 17);
    let more = Change::AddName { principal: object(10), name: name(last) };
    assert_eq!(refused(&access, more), Refused::TooManyNames { most: 16 });
    assert_eq!(refused(&everybody(), add(10, "service", &called)), Refused::TooManyNames { most: 16 });
    let renamed = Change::Rename { principal: object(10), from: name("n0"), to: name(last) };
    assert_eq!(made(access.clone(), [renamed]).entries(), access.entries());
}

#[test]
fn what_is_not_there_is_said_not_to_be() {
    let access = made(everybody(), [group("team")]);
    let principal = object(9);
    let no_principal = Refused::NoSuchPrincipal { principal };
    for change in [
        Change::RemovePrincipal { principal },
        Change::AddName { principal, name: name("x") },
        Change::RemoveName { principal, name: name("x") },
        Change::Rename { principal, from: name("x"), to: name("y") },
        Change::SetPassword { principal, password: None },
        Change::Disable { principal },
        Change::Enable { principal },
        Change::AddMember { group: name("team"), member: principal },
        assign(0, "AcrPull", "*", 9),
        add_token(&Secret::random(), "t", personal(9)),
    ] {
        assert_eq!(refused(&access, change.clone()), no_principal, "{change:?}");
    }
    let no_group = || Refused::NoSuchGroup { group: name("none") };
    for change in [
        Change::RemoveGroup { group: name("none") },
        Change::AddMember { group: name("none"), member: object(3) },
        Change::RemoveMember { group: name("none"), member: object(3) },
        assign_to_group(0, "AcrPull", "*", "none"),
    ] {
        assert_eq!(refused(&access, change.clone()), no_group(), "{change:?}");
    }
    let (group, member) = (name("team"), object(3));
    let change = Change::RemoveMember { group: group.clone(), member };
    assert_eq!(refused(&access, change), Refused::NoSuchMember { group, member });
    let no_role = Refused::NoSuchRole { role: custom("None") };
    assert_eq!(refused(&access, assign(0, "none", "*", 3)), no_role);
    assert_eq!(refused(&access, Change::RemoveRole { role: custom("none") }), no_role);
    let id = assignment(9);
    assert_eq!(refused(&access, Change::RemoveAssignment { id }), Refused::NoSuchAssignment { id });
    let id = Secret::random().id().clone();
    assert_eq!(refused(&access, Change::RevokeToken { id: id.clone() }), Refused::NoSuchToken { id });
}

#[test]
fn a_custom_role_goes_only_when_nobody_has_it() {
    let remove = || Change::RemoveRole { role: custom("Cleaner") };
    let access = made(everybody(), [define("Cleaner", &[Delete]), assign(4, "Cleaner", "*", 3)]);
    let expected = Refused::RoleAssigned { role: custom("Cleaner"), id: assignment(4) };
    assert_eq!(refused(&access, remove()), expected);
    let access = made(access, [Change::RemoveAssignment { id: assignment(4) }, remove()]);
    assert_eq!(access, everybody());
    assert_eq!(refused(&access, define("Cleaner", &[])), Refused::NothingAllowed);
}

#[test]
fn the_same_is_assigned_once_and_a_group_is_added_once() {
    let access = made(everybody(), [assign(0, "AcrPull", "*", 3), group("team")]);
    assert_eq!(refused(&access, assign(1, "acrpull", "*", 3)), Refused::Assigned { id: assignment(0) });
    assert!(apply(&access, assign(1, "AcrPull", "r", 3)).is_ok());
    assert_eq!(refused(&access, group("TEAM")), Refused::GroupExists { group: name("team") });
}

#[test]
fn all_that_a_principal_had_goes_with_it() {
    let secret = Secret::random();
    let member = Change::AddMember { group: name("team"), member: object(9) };
    let before = made(everybody(), [group("team")]);
    let changes = [
        add(9, "service", &["one", "two"]),
        member,
        assign(0, "Owner", "*", 9),
        add_token(&secret, "t", personal(9)),
        Change::RemovePrincipal { principal: object(9) },
    ];
    assert_eq!(made(before.clone(), changes), before);
}

#[test]
fn a_change_is_told_in_one_line_without_hashes() {
    let password = Some(PasswordHash::DUMMY);
    let change = Change::AddPrincipal { id: object(3), kind: Kind::User, names: names(&["bob"]), password };
    assert_eq!(
        change.describe().to_string(),
        format!(
            r#"{{"change":"add-principal","id":"{}","kind":"user","names":["bob"],"password":"(set)"}}"#,
            object(3)
        )
    );
    let change = Change::SetPassword { principal: object(3), password: None };
    assert!(change.describe().to_string().contains(r#""password":null"#));
    let line = assign(0, "AcrPush", "r/team/", 3).describe().to_string();
    assert!(line.contains(r#""role":"AcrPush","scope":"r/team/""#), "{line}");
}

#[test]
fn a_change_with_what_no_release_knows_is_not_read() {
    let known = serde_json::to_string(&define("Reader", &[Pull])).unwrap();
    assert_eq!(known, r#"{"change":"define-role","role":"Reader","permissions":["registries/pull/read"]}"#);
    for other in [
        known.replace('}', r#","more":1}"#),
        known.replace("define-role", "undefine-role"),
        known.replace("Reader", "owner"),
        known.replace("registries/pull/read", "registries/*"),
    ] {
        assert!(serde_json::from_str::<Change>(&other).is_err(), "{other}");
    }
}
