use super::*;
use Permission::{Delete, Policies, Pull, Push, RoleAssignments, Sign, TrustedCollections};

const HERE: &str = "registry.example.com/team/app";
const ELSEWHERE: &str = "elsewhere.example.com/team/app";
const SCOPES: [(&str, bool); 8] = [
    ("*", true),
    ("registry.example.com", true),
    ("registry.example.com/", true),
    ("registry.example.com/team/", true),
    ("registry.example.com/team/app", true),
    ("registry.example.com/team", false),
    ("registry.example.com/team/app/", false),
    ("registry.example.org", false),
];
const ROLES: [(&str, &[Permission]); 5] = [
    ("AcrDelete", &[Delete]),
    ("AcrImageSigner", &[Pull, Sign, TrustedCollections]),
    ("AcrPull", &[Pull]),
    ("AcrPush", &[Pull, Push]),
    ("Owner", &[Pull, Push, Delete, RoleAssignments, Policies]),
];
/// What each of the kinds may without a role, and whether it may sign.
const WITHOUT: [(&[Permission], bool); 4] = [
    (&[Pull, Push], false),
    (&[Pull, Push, Delete, RoleAssignments, Policies], false),
    (&[], true),
    (&[], true),
];

#[test]
fn each_kind_may_with_each_role_in_each_scope_what_the_table_says() {
    let everybody = everybody();
    for (who, (without, signs)) in (0..).zip(WITHOUT) {
        let without = permissions(without);
        assert_eq!(may(&everybody, who, HERE), without);
        for (role_name, of_role) in ROLES {
            for (at, covers) in SCOPES {
                let context = format!("{} {role_name} {at}", KINDS[usize::from(who)]);
                let given = apply(&everybody, assign(0, role_name, at, who));
                if role_name == "AcrImageSigner" && !signs {
                    assert!(matches!(given, Err(Refused::AdminCannotSign { .. })), "{context}");
                    continue;
                }
                let given = given.unwrap();
                let expected = if covers { without.union(permissions(of_role)) } else { without };
                assert_eq!(may(&given, who, HERE), expected, "{context}");
                let expected = if at == "*" { without.union(permissions(of_role)) } else { without };
                assert_eq!(may(&given, who, ELSEWHERE), expected, "{context}");
                assert_eq!(
                    may(&given, 3 - who, HERE),
                    permissions(WITHOUT[usize::from(3 - who)].0),
                    "{context}"
                );
            }
        }
    }
}

#[test]
fn a_group_gives_its_members_its_roles_and_nobody_else() {
    let group = || name("builders");
    let access = made(
        everybody(),
        [
            Change::AddGroup { group: group() },
            assign_to_group(0, "AcrImageSigner", HERE, "builders"),
            assign(1, "AcrPush", HERE, 3),
            Change::AddMember { group: group(), member: object(3) },
        ],
    );
    assert_eq!(may(&access, 3, HERE), permissions(&[Pull, Push, Sign, TrustedCollections]));
    assert_eq!(may(&access, 2, HERE), Permissions::NONE);
    let out = made(access.clone(), [Change::RemoveMember { group: group(), member: object(3) }]);
    assert_eq!(may(&out, 3, HERE), permissions(&[Pull, Push]));
    let gone = made(access, [Change::RemoveGroup { group: group() }]);
    assert_eq!(may(&gone, 3, HERE), permissions(&[Pull, Push]));
    assert_eq!(gone.assignments().count(), 1);
}

#[test]
fn a_custom_role_is_what_it_was_defined_as_last() {
    let access = made(everybody(), [define("Cleaner", &[Pull, Delete]), assign(0, "cleaner", HERE, 3)]);
    assert_eq!(may(&access, 3, HERE), permissions(&[Pull, Delete]));
    let access = made(access, [define("CLEANER", &[Delete])]);
    assert_eq!(may(&access, 3, HERE), permissions(&[Delete]));
    assert_eq!(access.custom_roles().count(), 1);
}

#[test]
fn an_administrator_cannot_be_given_a_role_that_signs() {
    for half in [Sign, TrustedCollections] {
        let access = made(everybody(), [define("Half", &[Pull, half])]);
        for (who, kind) in [(0, Kind::Admin), (1, Kind::ClassicAdministrator)] {
            for signing in ["AcrImageSigner", "Half"] {
                let given = refused(&access, assign(0, signing, HERE, who));
                assert_eq!(given, Refused::AdminCannotSign { kind, role: role(signing) });
            }
        }
    }
    assert_eq!(
        refused(&everybody(), assign(0, "AcrImageSigner", "*", 0)).to_string(),
        "the admin account cannot be given AcrImageSigner: give it to a user or a service principal"
    );
}

#[test]
fn an_administrator_cannot_sign_by_a_group_whichever_comes_first() {
    let group = || name("signers");
    for (who, kind) in [(0, Kind::Admin), (1, Kind::ClassicAdministrator)] {
        let expected = Refused::AdminCannotSignInGroup { kind, group: group(), role: Role::AcrImageSigner };
        let add = Change::AddMember { group: group(), member: object(who) };
        let assign = assign_to_group(0, "AcrImageSigner", HERE, "signers");
        let access = made(everybody(), [Change::AddGroup { group: group() }]);
        assert_eq!(refused(&made(access.clone(), [add.clone()]), assign.clone()), expected);
        assert_eq!(refused(&made(access, [assign]), add), expected);
    }
}

#[test]
fn an_administrator_cannot_sign_by_a_role_that_is_defined_anew() {
    let group = || name("team");
    let sign = define("Helper", &[Pull, Sign]);
    let directly = made(everybody(), [define("Helper", &[Pull]), assign(0, "Helper", HERE, 0)]);
    let expected = Refused::AdminCannotSign { kind: Kind::Admin, role: role("Helper") };
    assert_eq!(refused(&directly, sign.clone()), expected);
    let by_group = made(
        everybody(),
        [
            define("Helper", &[Pull]),
            Change::AddGroup { group: group() },
            Change::AddMember { group: group(), member: object(1) },
            assign_to_group(0, "Helper", HERE, "team"),
        ],
    );
    let kind = Kind::ClassicAdministrator;
    let expected = Refused::AdminCannotSignInGroup { kind, group: group(), role: role("Helper") };
    assert_eq!(refused(&by_group, sign), expected);
}

#[test]
fn an_administrator_does_not_sign_even_if_that_is_written_down() {
    let mut access = everybody();
    for who in 0..2 {
        let assignee = Assignee::Principal(object(who));
        let held = Assignment { role: Role::AcrImageSigner, scope: Scope::ALL, assignee };
        access.assignments.insert(assignment(who), held);
    }
    for (who, (without, _)) in (0..2).zip(WITHOUT) {
        assert_eq!(may(&access, who, HERE), permissions(without));
        assert_eq!(access.permissions_over(&identity(who), &Scope::ALL, NOW), permissions(without));
    }
    assert!(matches!(access.check(), Err(Inconsistent::AdminSigns { kind: Kind::Admin, .. })));
    let read = Access::from_bytes(&access.to_bytes().unwrap());
    assert!(matches!(read, Err(DocumentError::Inconsistent(Inconsistent::AdminSigns { .. }))));
}

#[test]
fn who_is_disabled_or_gone_may_nothing_and_may_again_when_enabled() {
    for who in 0..4 {
        let principal = object(who);
        let access = made(everybody(), [assign(0, "Owner", "*", who)]);
        let disabled = made(access.clone(), [Change::Disable { principal }]);
        assert!(!disabled.is_valid(&identity(who), NOW));
        assert_eq!(may(&disabled, who, HERE), Permissions::NONE);
        let enabled = made(disabled, [Change::Enable { principal }]);
        assert_eq!(may(&enabled, who, HERE), may(&access, who, HERE));
        let gone = made(access, [Change::RemovePrincipal { principal }]);
        assert!(!gone.is_valid(&identity(who), NOW));
        assert_eq!(may(&gone, who, HERE), Permissions::NONE);
        assert_eq!(gone.assignments().count(), 0);
    }
}

#[test]
fn what_holds_over_a_scope_holds_for_the_whole_of_it() {
    let access = made(
        everybody(),
        [assign(0, "Owner", "registry.example.com/team/", 3), assign(1, "AcrPull", "*", 3)],
    );
    let over = |text| access.permissions_over(&identity(3), &scope(text), NOW);
    for inside in
        ["registry.example.com/team/", "registry.example.com/team/app", "registry.example.com/team/a/"]
    {
        assert!(over(inside).contains(RoleAssignments), "{inside}");
    }
    for wider in ["*", "registry.example.com", "registry.example.com/", "registry.example.com/teams/"] {
        assert_eq!(over(wider), permissions(&[Pull]), "{wider}");
    }
}

#[test]
fn content_trust_is_on_where_there_is_nobody_and_then_as_is_written() {
    let registry = || -> Registry { "registry.example.com".parse().unwrap() };
    let set = |content_trust| Change::SetContentTrust { registry: registry(), content_trust };
    let [on, off] = [ContentTrust::Enabled, ContentTrust::Disabled];
    assert_eq!(Access::default().content_trust(&registry(), off), on);
    let nobody = made(Access::default(), [set(Some(off))]);
    assert_eq!(nobody.content_trust(&registry(), on), off);
    let access = everybody();
    assert_eq!(access.content_trust(&registry(), off), off);
    assert_eq!(access.content_trust(&registry(), on), on);
    let written = made(access, [set(Some(on))]);
    assert_eq!(written.content_trust(&registry(), off), on);
    assert_eq!(written.content_trust(&"elsewhere.example.com".parse().unwrap(), off), off);
    let forgotten = made(written, [set(None)]);
    assert_eq!(forgotten.content_trust(&registry(), off), off);
    assert_eq!(forgotten.policies().count(), 0);
}
