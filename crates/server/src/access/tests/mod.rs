//! Each rule by itself; [`properties`] has what holds whatever is changed.

mod changes;
mod documents;
mod naive;
mod properties;
mod roles;
mod scopes;
mod tokens;

use std::collections::BTreeSet;
use std::time::Duration;

use tufstore::terms::{RepositoryName, UnixTime};

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const DAY: Duration = Duration::from_hours(24);

/// The kinds, by what the tests call them.
const KINDS: [&str; 4] = ["admin", "classic", "service", "user"];

fn object(number: u8) -> ObjectId {
    format!("0b1ec700-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn application(number: u8) -> ApplicationId {
    format!("a9900000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn assignment(number: u8) -> AssignmentId {
    format!("a5519000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn role(text: &str) -> Role {
    text.parse().unwrap()
}

fn custom(text: &str) -> CustomRole {
    text.parse().unwrap()
}

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn repository(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn permissions(all: &[Permission]) -> Permissions {
    all.iter().copied().collect()
}

fn kind(text: &str, number: u8) -> Kind {
    match text {
        "admin" => Kind::Admin,
        "classic" => Kind::ClassicAdministrator,
        "service" => Kind::Service { application: application(number) },
        "user" => Kind::User,
        other => panic!("no kind {other}"),
    }
}

/// The first four principals, one of each of [`KINDS`], called so, without password.
fn everybody() -> Access {
    let adding = KINDS.iter().zip(0..).map(|(text, number)| add(number, text, &[text]));
    made(Access::default(), adding)
}

fn add(number: u8, of: &str, names: &[&str]) -> Change {
    let names = names.iter().copied().map(name).collect();
    Change::AddPrincipal { id: object(number), kind: kind(of, number), names, password: None }
}

fn assign(number: u8, of: &str, at: &str, to: u8) -> Change {
    let (id, assignee) = (assignment(number), Assignee::Principal(object(to)));
    Change::AssignRole { id, role: role(of), scope: scope(at), assignee }
}

fn assign_to_group(number: u8, of: &str, at: &str, to: &str) -> Change {
    let (id, assignee) = (assignment(number), Assignee::Group(name(to)));
    Change::AssignRole { id, role: role(of), scope: scope(at), assignee }
}

fn define(of: &str, all: &[Permission]) -> Change {
    Change::DefineRole { role: custom(of), permissions: permissions(all) }
}

fn limit(allowed: &[(&str, &[Permission])]) -> Limit {
    allowed.iter().map(|(at, all)| (scope(at), permissions(all))).collect()
}

fn add_token(secret: &Secret, called: &str, grant: Grant) -> Change {
    let (id, hash) = (secret.id().clone(), secret.hash());
    Change::AddToken { id, name: name(called), secret: hash, expires: NOW.after(DAY), grant, by: None }
}

fn personal(of: u8) -> Grant {
    Grant::Personal { of: object(of), limit: None }
}

fn apply(access: &Access, change: Change) -> Result<Access, Refused> {
    access.apply(change, &Rules::default(), NOW)
}

fn made(from: Access, changes: impl IntoIterator<Item = Change>) -> Access {
    changes.into_iter().fold(from, |access, change| apply(&access, change).unwrap())
}

/// Refused, and nothing else: the access is as it was.
fn refused(access: &Access, change: Change) -> Refused {
    let before = access.clone();
    let refused = apply(access, change).unwrap_err();
    assert_eq!(*access, before);
    refused
}

fn identity(number: u8) -> Identity {
    Identity::attested(&object(number).to_string()).unwrap()
}

fn may(access: &Access, who: u8, at: &str) -> Permissions {
    access.permissions(&identity(who), &repository(at), NOW)
}

fn names(all: &[&str]) -> BTreeSet<Name> {
    all.iter().copied().map(name).collect()
}
