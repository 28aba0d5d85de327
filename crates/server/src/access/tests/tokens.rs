use super::*;
use Permission::{Delete, Policies, Pull, Push, RoleAssignments, Sign, TrustedCollections};

const HERE: &str = "registry.example.com/team/app";

fn known(access: &Access, called: &str, secret: &Secret) -> Option<Identity> {
    match access.candidate(called, secret.shown().as_bytes(), NOW) {
        Candidate::Known(identity) => Some(identity),
        Candidate::Nobody => None,
        Candidate::Password(_) => panic!("a token is no password"),
    }
}

#[test]
fn a_token_of_its_own_may_exactly_what_it_names_and_may_sign() {
    let secret = Secret::random();
    let allowed = limit(&[(HERE, &[Pull, Sign]), ("registry.example.com/team/", &[TrustedCollections])]);
    let access = made(Access::default(), [add_token(&secret, "ci", Grant::Own { limit: allowed })]);
    let identity = access.identify(&secret, NOW).unwrap();
    assert_eq!((identity.principal(), identity.token()), (None, Some(secret.id())));
    let may = |at| access.permissions(&identity, &repository(at), NOW);
    assert_eq!(may(HERE), permissions(&[Pull, Sign, TrustedCollections]));
    assert_eq!(may("registry.example.com/team/other"), permissions(&[TrustedCollections]));
    assert_eq!(may("registry.example.com/teams/app"), Permissions::NONE);
}

#[test]
fn a_token_of_its_own_is_not_for_everything_nor_for_nothing_nor_for_administering() {
    let token = |allowed| add_token(&Secret::random(), "ci", Grant::Own { limit: allowed });
    let access = everybody();
    assert_eq!(refused(&access, token(limit(&[("*", &[Pull])]))), Refused::TokenTooWide);
    assert_eq!(refused(&access, token(limit(&[]))), Refused::NothingAllowed);
    assert_eq!(refused(&access, token(limit(&[(HERE, &[])]))), Refused::NothingAllowed);
    for administers in [RoleAssignments, Policies] {
        let allowed = limit(&[(HERE, &[Pull, administers])]);
        assert_eq!(refused(&access, token(allowed)), Refused::TokenCannotAdminister);
    }
}

#[test]
fn a_personal_token_may_what_its_principal_may_within_its_limit() {
    let [whole, narrow] = [(), ()].map(|()| Secret::random());
    let only = limit(&[(HERE, &[Pull, Sign, Delete]), ("elsewhere.example.com", &[Pull])]);
    let access = made(
        everybody(),
        [
            assign(0, "AcrImageSigner", "registry.example.com", 3),
            assign(1, "AcrPush", "registry.example.com", 3),
            add_token(&whole, "laptop", personal(3)),
            add_token(&narrow, "job", Grant::Personal { of: object(3), limit: Some(only) }),
        ],
    );
    let may = |access: &Access, secret: &Secret, at| {
        let identity = access.identify(secret, NOW).unwrap();
        assert_eq!(identity.principal(), Some(object(3)));
        access.permissions(&identity, &repository(at), NOW)
    };
    assert_eq!(may(&access, &whole, HERE), permissions(&[Pull, Push, Sign, TrustedCollections]));
    assert_eq!(may(&access, &narrow, HERE), permissions(&[Pull, Sign]));
    assert_eq!(may(&access, &narrow, "registry.example.com/other"), Permissions::NONE);
    assert_eq!(may(&access, &narrow, "elsewhere.example.com/app"), Permissions::NONE);
    // A role that is taken away is taken from the token.
    let less = made(access, [Change::RemoveAssignment { id: assignment(0) }]);
    assert_eq!(may(&less, &whole, HERE), permissions(&[Pull, Push]));
    assert_eq!(may(&less, &narrow, HERE), permissions(&[Pull]));
}

#[test]
fn a_personal_token_of_an_administrator_never_signs() {
    for who in 0..2 {
        let secret = Secret::random();
        let limit = Some(limit(&[("*", &[Pull, Sign, TrustedCollections])]));
        let access = made(everybody(), [add_token(&secret, "t", Grant::Personal { of: object(who), limit })]);
        let identity = access.identify(&secret, NOW).unwrap();
        assert_eq!(access.permissions(&identity, &repository(HERE), NOW), permissions(&[Pull]));
    }
}

#[test]
fn a_token_is_worth_nothing_once_expired_revoked_or_its_principal_disabled_or_gone() {
    let secret = Secret::random();
    let id = || secret.id().clone();
    let access = made(everybody(), [assign(0, "AcrPull", "*", 3), add_token(&secret, "t", personal(3))]);
    let identity = access.identify(&secret, NOW).unwrap();
    let is_worth = |access: &Access, now| {
        let [valid, known] = [access.is_valid(&identity, now), access.identify(&secret, now).is_some()];
        assert_eq!(valid, known);
        assert_eq!(valid, !access.permissions(&identity, &repository(HERE), now).is_empty());
        valid
    };
    assert!(is_worth(&access, NOW));
    assert!(is_worth(&access, NOW.after(Duration::from_secs(24 * 3600 - 1))));
    assert!(!is_worth(&access, NOW.after(DAY)));
    assert!(!is_worth(&made(access.clone(), [Change::RevokeToken { id: id() }]), NOW));
    let disabled = made(access.clone(), [Change::Disable { principal: object(3) }]);
    assert!(!is_worth(&disabled, NOW));
    assert!(is_worth(&made(disabled, [Change::Enable { principal: object(3) }]), NOW));
    let gone = made(access, [Change::RemovePrincipal { principal: object(3) }]);
    assert!(!is_worth(&gone, NOW));
    assert_eq!(gone.tokens().count(), 0);
}

#[test]
fn an_identity_counts_for_what_it_was_made_of_alone() {
    let [own, of_user] = [(), ()].map(|()| Secret::random());
    let grant = Grant::Own { limit: limit(&[(HERE, &[Pull])]) };
    let access =
        made(everybody(), [add_token(&own, "own", grant), add_token(&of_user, "personal", personal(3))]);
    let attested = |subject: String| Identity::attested(&subject).unwrap();
    assert!(access.is_valid(&attested(format!("token/{}", own.id())), NOW));
    assert!(access.is_valid(&attested(format!("{}/{}", object(3), of_user.id())), NOW));
    for forged in [
        format!("token/{}", of_user.id()),
        format!("{}/{}", object(3), own.id()),
        format!("{}/{}", object(0), of_user.id()),
        object(9).to_string(),
    ] {
        let identity = attested(forged.clone());
        assert!(!access.is_valid(&identity, NOW), "{forged}");
        assert_eq!(access.permissions(&identity, &repository(HERE), NOW), Permissions::NONE);
        assert_eq!(identity.to_string(), forged);
    }
    for text in ["", "token", "token/", "a/b", "/", &format!("{}/", object(3))] {
        assert_eq!(Identity::attested(text), None, "{text}");
    }
}

#[test]
fn a_token_expires_within_a_year_and_not_before_it_begins() {
    let until = |expires| {
        let Change::AddToken { id, name, secret, grant, .. } = add_token(&Secret::random(), "t", personal(3))
        else {
            panic!("not a token");
        };
        Change::AddToken { id, name, secret, expires, grant, by: None }
    };
    let access = everybody();
    assert_eq!(refused(&access, until(NOW)), Refused::TokenExpired { expires: NOW, now: NOW });
    let latest = NOW.after(366 * DAY);
    assert!(apply(&access, until(latest)).is_ok());
    let expires = latest.after(Duration::from_nanos(1));
    assert_eq!(refused(&access, until(expires)), Refused::TokenLivesTooLong { expires, latest });
    let shorter = Rules { longest_token: DAY, ..Rules::default() };
    assert!(access.apply(until(NOW.after(DAY)), &shorter, NOW).is_ok());
    assert!(access.apply(until(NOW.after(2 * DAY)), &shorter, NOW).is_err());
}

#[test]
fn a_token_comes_with_its_name_its_id_or_what_its_principal_answers_to() {
    let [personal_secret, own_secret] = [(), ()].map(|()| Secret::random());
    let access = made(
        everybody(),
        [
            add_token(&personal_secret, "laptop", personal(2)),
            add_token(&own_secret, "ci", Grant::Own { limit: limit(&[(HERE, &[Pull])]) }),
        ],
    );
    let (object, application) = (object(2).to_string(), application(2).to_string());
    for called in
        ["laptop", "LAPTOP", personal_secret.id().to_string().as_str(), "service", &object, &application]
    {
        assert!(known(&access, called, &personal_secret).is_some(), "{called}");
        assert!(called.len() == 16 || known(&access, called, &own_secret).is_none(), "{called}");
    }
    for called in ["", "user", "ci", "nobody", own_secret.id().to_string().as_str()] {
        assert_eq!(known(&access, called, &personal_secret), None, "{called}");
    }
    assert!(known(&access, "ci", &own_secret).is_some());
    assert_eq!(known(&access, "ci", &Secret::random()), None);
}

#[test]
fn only_the_secret_of_a_token_is_taken_for_it() {
    let secret = Secret::random();
    let access = made(everybody(), [add_token(&secret, "t", personal(3))]);
    let shown = secret.shown().to_string();
    assert_eq!(shown.len(), 65);
    let hash = secret.hash();
    for at in 22..shown.len() {
        let mut other = shown.clone().into_bytes();
        other[at] = if other[at] == b'x' { b'y' } else { b'x' };
        let other = Secret::read(&other).unwrap();
        assert_eq!(other.id(), secret.id());
        assert!(!hash.is_of(&other));
        assert_eq!(access.identify(&other, NOW), None);
    }
    let again = Secret::read(shown.as_bytes()).unwrap();
    assert!(hash.is_of(&again) && again.hash() == hash);
    assert!(access.identify(&again, NOW).is_some());
    for text in ["", "tufs_", &shown[..64], &shown[1..], &format!("{shown}a"), &shown.replace('_', "-")] {
        assert!(Secret::read(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn a_principal_answers_to_its_ids_and_names_with_its_password() {
    let password = b"correct horse";
    let mut changes =
        vec![Change::SetPassword { principal: object(2), password: Some(hash(password).unwrap()) }];
    changes.push(Change::AddName { principal: object(2), name: name("https.app") });
    let access = made(everybody(), changes);
    let check = |access: &Access, called: &str, secret: &[u8]| match access.candidate(called, secret, NOW) {
        Candidate::Password(check) => check.verify(secret),
        Candidate::Known(_) | Candidate::Nobody => panic!("not a password"),
    };
    let (object_id, application) = (object(2).to_string(), application(2).to_string());
    for called in ["service", "Service", "HTTPS.app", &object_id, &object_id.to_uppercase(), &application] {
        assert_eq!(check(&access, called, password), Some(identity(2)), "{called}");
    }
    assert_eq!(check(&access, "service", b"correct hors"), None);
    for called in ["", "user", "nobody", &object(9).to_string()] {
        assert_eq!(check(&access, called, password), None, "{called}");
    }
    let disabled = made(access, [Change::Disable { principal: object(2) }]);
    assert_eq!(check(&disabled, "service", password), None);
}

#[test]
fn nothing_shows_a_secret_or_a_hash() {
    let secret = Secret::random();
    let password = PasswordHash::DUMMY;
    let add = add_token(&secret, "t", personal(3));
    let set = Change::SetPassword { principal: object(3), password: Some(password.clone()) };
    let access = made(everybody(), [set.clone(), add.clone()]);
    let candidate = access.candidate("user", b"correct horse", NOW);
    let all = format!("{secret:?} {password:?} {:?} {add:?} {set:?} {access:?} {candidate:?}", secret.hash());
    let all = format!("{all} {} {}", add.describe(), set.describe());
    let hidden = &secret.shown()[22..];
    for hidden in [hidden, &String::from(secret.hash()), "argon2", "AAAA"] {
        assert!(!all.contains(hidden), "{all}");
    }
}

#[test]
fn so_many_tokens_of_one_and_so_much_in_all_are_written_down_and_no_more() {
    let rules = Rules { most_tokens_of_one: 2, most_entries: 1_000, ..Rules::default() };
    let token = |name: &str, expires| {
        let secret = Secret::random();
        let (id, hash) = (secret.id().clone(), secret.hash());
        Change::AddToken {
            id,
            name: name.parse().unwrap(),
            secret: hash,
            expires,
            grant: personal(3),
            by: None,
        }
    };
    let add = |access: &Access, name, expires, now| access.apply(token(name, expires), &rules, now);
    let (soon, later) = (NOW.after(DAY), NOW.after(DAY * 3));
    let access = add(&everybody(), "one", soon, NOW).unwrap();
    let access = add(&access, "two", later, NOW).unwrap();
    let full = add(&access, "three", later, NOW).unwrap_err();
    assert!(matches!(full, Refused::TooManyTokens { most: 2, .. }), "{full}");
    // What has expired makes room, and its name is free again.
    let access = add(&access, "one", later, NOW.after(DAY * 2)).unwrap();
    assert_eq!(access.tokens().count(), 2);

    let rules = Rules { most_entries: access.entries(), ..rules };
    let group = Change::AddGroup { group: "more".parse().unwrap() };
    assert!(matches!(access.apply(group, &rules, NOW), Err(Refused::TooMuch { .. })));
    let removed = Change::RevokeToken { id: access.tokens().next().unwrap().0.clone() };
    access.apply(removed, &Rules { most_entries: 0, ..rules }, NOW).unwrap();
}

#[test]
fn a_token_is_limited_to_few_scopes_and_each_counts_for_what_is_written_down() {
    let scope = |number: usize| format!("registry.example.com/{number}").parse().unwrap();
    let wide =
        |scopes| -> Limit { (0..scopes).map(|number| (scope(number), permissions(&[Pull]))).collect() };
    let grants = |scopes| {
        [Grant::Own { limit: wide(scopes) }, Grant::Personal { of: object(3), limit: Some(wide(scopes)) }]
    };
    let access = everybody();
    for [most, more] in grants(32).into_iter().zip(grants(33)).map(<[_; 2]>::from) {
        let token = |grant| add_token(&Secret::random(), "wide", grant);
        let told = refused(&access, token(more));
        assert_eq!(told, Refused::TooManyScopes { given: 33, most: 32 });
        assert_eq!(made(access.clone(), [token(most.clone())]).entries(), access.entries() + 33);
        let rules = Rules { most_entries: access.entries() + 32, ..Rules::default() };
        assert!(matches!(access.apply(token(most), &rules, NOW), Err(Refused::TooMuch { .. })));
    }
}
