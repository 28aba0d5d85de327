use std::collections::BTreeSet;

use super::*;
use crate::access::{Assignee, AssignmentId, Change, Kind, ObjectId, Role, Rules, Secret};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Somebody who holds these roles there, by a personal token.
fn holding(roles: &[(&str, &str)]) -> (Access, Identity) {
    let (id, secret) = (ObjectId::random(), Secret::random());
    let names = BTreeSet::from(["alice".parse().unwrap()]);
    let mut changes = vec![Change::AddPrincipal { id, kind: Kind::User, names, password: None }];
    for (role, scope) in roles {
        changes.push(Change::AssignRole {
            id: AssignmentId::random(),
            role: role.parse::<Role>().unwrap(),
            scope: scope.parse().unwrap(),
            assignee: Assignee::Principal(id),
        });
    }
    changes.push(Change::AddToken {
        id: secret.id().clone(),
        name: "token".parse().unwrap(),
        secret: secret.hash(),
        expires: UnixTime::from_seconds(1_800_000_100),
        grant: access::Grant::Personal { of: id, limit: None },
        by: None,
    });
    let apply = |access: Access, change| access.apply(change, &Rules::default(), NOW).unwrap();
    let access = changes.into_iter().fold(Access::default(), apply);
    let identity = access.identify(&secret, NOW).unwrap();
    (access, identity)
}

fn granted(roles: &[(&str, &str)], service: &str, scope: &str) -> String {
    let (access, identity) = holding(roles);
    let audience = Audience::named(service, "trust").unwrap();
    let grants = grants(&access, &identity, &audience, &[scope.parse().unwrap()], NOW);
    let texts =
        grants.iter().map(|grant| format!("{}:{}:{}", grant.kind, grant.name, grant.actions.join(",")));
    texts.collect::<Vec<_>>().concat()
}

const SIGNER: (&str, &str) = ("AcrImageSigner", "reg:5000/team/");

#[test]
fn a_signer_signs_and_rotates_and_does_not_push_images_or_delete() {
    let all = "repository:reg:5000/team/app:pull,push,rotate";
    assert_eq!(granted(&[SIGNER], "trust", "repository:reg:5000/team/app:*"), all);
    assert_eq!(granted(&[SIGNER], "trust", "repository:reg:5000/team/app:push,pull,delete"), {
        "repository:reg:5000/team/app:pull,push"
    });
    assert_eq!(granted(&[SIGNER], "trust", "repository:reg:5000/other/app:*"), "");
    assert_eq!(granted(&[SIGNER], "reg:5000", "repository:team/app:push,pull"), "repository:team/app:pull");
}

#[test]
fn who_pushes_images_does_not_sign_them() {
    let roles = [("AcrPush", "reg:5000")];
    assert_eq!(granted(&roles, "reg:5000", "repository:team/app:push,pull"), "repository:team/app:pull,push");
    assert_eq!(granted(&roles, "trust", "repository:reg:5000/team/app:push,pull"), {
        "repository:reg:5000/team/app:pull"
    });
    // Another registry's names are not this one's.
    assert_eq!(granted(&roles, "reg", "repository:team/app:pull"), "");
    assert_eq!(granted(&roles, "reg:5000", "repository:reg:5000/team/app:pull"), {
        "repository:reg:5000/team/app:pull"
    });
    assert_eq!(
        granted(&[("AcrPull", "reg:5000/team/app")], "reg:5000", "repository:reg:5000/team/app:pull"),
        ""
    );
}

#[test]
fn deleting_takes_its_own_role_on_either_side() {
    let roles = [("AcrDelete", "*")];
    assert_eq!(granted(&roles, "trust", "repository:a/b:*"), "repository:a/b:delete");
    assert_eq!(granted(&roles, "a", "repository:b:*"), "repository:b:delete");
    assert_eq!(granted(&roles, "trust", "repository:a/b:rotate,push"), "");
}

#[test]
fn looking_around_takes_reading_everywhere() {
    let catalog = "registry:catalog:*";
    assert_eq!(granted(&[("AcrPull", "*")], "trust", catalog), catalog);
    assert_eq!(granted(&[("AcrPull", "reg")], "trust", catalog), "");
    assert_eq!(granted(&[("AcrPull", "reg")], "reg", catalog), catalog);
    assert_eq!(granted(&[("AcrPull", "reg/team/")], "reg", catalog), "");
    assert_eq!(granted(&[("AcrPull", "*")], "trust", "registry:catalog:pull"), "");
    assert_eq!(granted(&[("AcrPull", "*")], "trust", "registry:other:*"), "");
}

#[test]
fn names_that_are_none_are_granted_nothing() {
    for name in ["", "*", "reg/../other", "reg//app", "/reg/app", "reg/app/"] {
        assert_eq!(granted(&[("Owner", "*")], "trust", &format!("repository:{name}:pull")), "", "{name:?}");
    }
    assert_eq!(Audience::named("reg/app", "trust"), None);
    assert_eq!(Audience::named("", "trust"), None);
}

#[test]
fn after_its_time_a_token_is_granted_nothing() {
    let (access, identity) = holding(&[("AcrPull", "*")]);
    let scope: Scope = "repository:a/b:pull".parse().unwrap();
    let at = |seconds| {
        let now = UnixTime::from_seconds(seconds);
        grants(&access, &identity, &Audience::Trust, std::slice::from_ref(&scope), now).len()
    };
    assert_eq!((at(1_800_000_099), at(1_800_000_100)), (1, 0));
}
