use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::naive::Naive;
use super::*;

const SCOPES: [&str; 9] = ["*", "r", "r/", "r/a", "r/a/", "r/a/b", "s", "s/a", "rr/a"];
const REPOSITORIES: [&str; 8] = ["r", "s", "r/a", "r/a/b", "r/ab", "s/a", "rr/a", "rr"];
const NAMES: [&str; 8] =
    ["ann", "Ann", "bob", "ci", "CI", "dan", "0b1ec700-0000-4000-8000-000000000001", "eve"];
const GROUPS: [&str; 3] = ["team", "Team", "ops"];
const CUSTOM: [&str; 3] = ["Reader", "reader", "Helper"];
const ROLES: [&str; 7] = ["AcrPull", "AcrPush", "AcrImageSigner", "AcrDelete", "Owner", "reader", "Helper"];
const PEOPLE: u8 = 6;
const TOKENS: u8 = 5;

fn token_id(number: u8) -> TokenId {
    format!("token0000000000{number}").parse().unwrap()
}

fn people() -> impl Strategy<Value = ObjectId> {
    (0..PEOPLE).prop_map(object)
}

fn named(of: &'static [&'static str]) -> impl Strategy<Value = Name> {
    select(of).prop_map(name)
}

fn some_permissions() -> impl Strategy<Value = Permissions> {
    subsequence(Permission::ALL.to_vec(), 0..=4).prop_map(|all| permissions(&all))
}

fn limits() -> impl Strategy<Value = Limit> {
    proptest::collection::btree_map(select(&SCOPES[..]).prop_map(scope), some_permissions(), 0..3)
}

fn password() -> impl Strategy<Value = Option<PasswordHash>> {
    any::<bool>().prop_map(|with| with.then_some(PasswordHash::DUMMY))
}

fn principal_changes() -> impl Strategy<Value = Change> {
    let names = || named(&NAMES);
    let some_names = proptest::collection::btree_set(named(&NAMES), 0..3);
    let kinds = (select(&KINDS[..]), 0..PEOPLE).prop_map(|(text, number)| kind(text, number));
    prop_oneof![
        6 => (people(), kinds, some_names, password())
            .prop_map(|(id, kind, names, password)| Change::AddPrincipal { id, kind, names, password }),
        1 => people().prop_map(|principal| Change::RemovePrincipal { principal }),
        1 => people().prop_map(|principal| Change::Disable { principal }),
        1 => people().prop_map(|principal| Change::Enable { principal }),
        1 => (people(), names()).prop_map(|(principal, name)| Change::AddName { principal, name }),
        1 => (people(), names()).prop_map(|(principal, name)| Change::RemoveName { principal, name }),
        1 => (people(), names(), names()).prop_map(|(principal, from, to)| Change::Rename { principal, from, to }),
        1 => (people(), password()).prop_map(|(principal, password)| Change::SetPassword { principal, password }),
    ]
}

fn role_changes() -> impl Strategy<Value = Change> {
    let assignee =
        prop_oneof![people().prop_map(Assignee::Principal), named(&GROUPS).prop_map(Assignee::Group),];
    let group = || named(&GROUPS);
    let role_names = || select(&CUSTOM[..]).prop_map(custom);
    let assigning = (0..8_u8, select(&ROLES[..]), select(&SCOPES[..]), assignee);
    prop_oneof![
        2 => group().prop_map(|group| Change::AddGroup { group }),
        1 => group().prop_map(|group| Change::RemoveGroup { group }),
        4 => (group(), people()).prop_map(|(group, member)| Change::AddMember { group, member }),
        1 => (group(), people()).prop_map(|(group, member)| Change::RemoveMember { group, member }),
        8 => assigning.prop_map(|(id, of, at, assignee)| {
            Change::AssignRole { id: assignment(id), role: role(of), scope: scope(at), assignee }
        }),
        1 => (0..8_u8).prop_map(|id| Change::RemoveAssignment { id: assignment(id) }),
        3 => (role_names(), some_permissions())
            .prop_map(|(role, permissions)| Change::DefineRole { role, permissions }),
        1 => role_names().prop_map(|role| Change::RemoveRole { role }),
    ]
}

fn token_changes() -> impl Strategy<Value = Change> {
    let grants = prop_oneof![
        (people(), proptest::option::of(limits())).prop_map(|(of, limit)| Grant::Personal { of, limit }),
        limits().prop_map(|limit| Grant::Own { limit }),
    ];
    let adding = (0..TOKENS, named(&NAMES), 0..4_u32, grants);
    let trust = proptest::option::of(select(vec![ContentTrust::Enabled, ContentTrust::Disabled]));
    prop_oneof![
        4 => adding.prop_map(|(number, name, days, grant)| {
            let secret = "ab".repeat(32).try_into().unwrap();
            Change::AddToken { id: token_id(number), name, secret, expires: NOW.after(days * DAY), grant, by: None }
        }),
        1 => (0..TOKENS).prop_map(|number| Change::RevokeToken { id: token_id(number) }),
        1 => (select(vec!["r", "s"]), trust).prop_map(|(registry, content_trust)| {
            Change::SetContentTrust { registry: registry.parse().unwrap(), content_trust }
        }),
    ]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let one = prop_oneof![3 => principal_changes(), 5 => role_changes(), 2 => token_changes()];
    proptest::collection::vec(one, 0..60)
}

/// Everybody whom a server could have signed for, whether or not they exist.
fn identities() -> Vec<Identity> {
    let people = (0..PEOPLE).map(|number| object(number).to_string()).chain(["token".to_owned()]);
    let subjects = people.flat_map(|who| {
        let with_token = (0..TOKENS).map(token_id).map(|token| format!("{who}/{token}")).collect::<Vec<_>>();
        with_token.into_iter().chain((who != "token").then_some(who))
    });
    subjects.map(|subject| Identity::attested(&subject).unwrap()).collect()
}

/// After each change: the whole, and what the plain decision knows.
fn each(
    changes: Vec<Change>,
    mut look: impl FnMut(&Access, &Naive) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (mut access, mut naive) = (Access::default(), Naive::default());
    for change in changes {
        if let Ok(next) = apply(&access, change.clone()) {
            access = next;
            naive.take(&change);
            look(&access, &naive)?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_changes_leave_it_consistent_and_it_is_read_as_it_was_written(changes in changes()) {
        each(changes, |access, _| {
            prop_assert_eq!(access.check(), Ok(()));
            let bytes = access.to_bytes().unwrap();
            let read = Access::from_bytes(&bytes).unwrap();
            prop_assert_eq!(&read, access);
            prop_assert_eq!(read.to_bytes().unwrap(), bytes);
            Ok(())
        })?;
    }

    #[test]
    fn what_may_be_done_is_what_a_plain_decision_says(changes in changes(), later in 0..4_u32) {
        let now = NOW.after(later * DAY);
        let (identities, mut last) = (identities(), None);
        each(changes, |access, naive| {
            last = Some(access.clone());
            for identity in &identities {
                let subject = identity.to_string();
                for at in REPOSITORIES {
                    let held = access.permissions(identity, &repository(at), now);
                    for permission in Permission::ALL {
                        let expected = naive.may(&subject, at, permission.as_str(), now);
                        prop_assert_eq!(held.contains(permission), expected, "{} {} {}", subject, at, permission);
                    }
                    prop_assert!(access.is_valid(identity, now) || held.is_empty());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn an_administrator_never_signs(changes in changes()) {
        let identities = identities();
        each(changes, |access, _| {
            for identity in &identities {
                let kind = identity.principal().and_then(|id| access.principal(id)).map(|one| one.kind);
                if !matches!(kind, Some(Kind::Admin | Kind::ClassicAdministrator)) {
                    continue;
                }
                for at in SCOPES {
                    let held = access.permissions_over(identity, &scope(at), NOW);
                    prop_assert!(held.intersection(Permissions::SIGNING).is_empty());
                }
                for at in REPOSITORIES {
                    let held = access.permissions(identity, &repository(at), NOW);
                    prop_assert!(held.intersection(Permissions::SIGNING).is_empty());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_holds_over_a_scope_holds_in_all_that_it_covers(changes in changes()) {
        let identities = identities();
        each(changes, |access, _| {
            for (identity, at) in identities.iter().zip(SCOPES.iter().cycle()) {
                let over = access.permissions_over(identity, &scope(at), NOW);
                for name in REPOSITORIES.into_iter().map(repository).filter(|name| scope(at).covers(name)) {
                    prop_assert!(access.permissions(identity, &name, NOW).contains_all(over));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_change_survives_the_wire_and_tells_no_hash(changes in changes()) {
        for change in changes {
            let line = serde_json::to_string(&change).unwrap();
            prop_assert_eq!(serde_json::from_str::<Change>(&line).unwrap(), change.clone());
            let told = format!("{}{change:?}", change.describe());
            prop_assert!(!told.contains('\n') && !told.contains("argon2") && !told.contains("abab"), "{}", told);
        }
    }

    #[test]
    fn damaged_documents_are_read_without_a_panic_and_never_to_something_inconsistent(
        changes in changes(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = Access::default().to_bytes().unwrap();
        each(changes, |access, _| {
            bytes = access.to_bytes().unwrap();
            Ok(())
        })?;
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = Access::from_bytes(&bytes) {
            prop_assert_eq!(read.check(), Ok(()));
        }
    }

    #[test]
    fn no_bytes_are_read_with_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Access::from_bytes(&bytes).is_err());
    }
}
