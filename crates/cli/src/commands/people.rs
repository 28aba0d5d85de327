//! Who may do what: users, service principals, groups, roles, tokens.

mod password;
mod rows;

use std::collections::BTreeMap;

use tufstore_server::admin::{AccessEntry, Carry, WhoMay};
use tufstore_server::directory::{Done, Order, To, UserKind};

use crate::args::{
    self, At, GroupCommand, PrincipalCommand, RoleCommand, StoreArg, TokenCommand, UserCommand,
};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::store;
use rows::{AssignmentRow, GroupRow, PrincipalRow, RoleRow, TokenRow};

/// Has a change made, and says so.
fn carry(store: &StoreArg, order: Order, output: Output, said: &str) -> Result<(), Failure> {
    let gone = if let Order::Disable { principal } | Order::RemovePrincipal { principal } = &order {
        principal.clone()
    } else {
        String::new()
    };
    let done: Done = store::reach(store)?.ask_once(Carry { order })?;
    if !done.tokens_left.is_empty() {
        let left: Vec<_> = done.tokens_left.iter().map(ToString::to_string).collect();
        let left = left.join(", ");
        output::note(format!(
            "these tokens of nobody were made by {gone} and still count: {left}; `tufstore token revoke` ends each"
        ));
    }
    let Some(secret) = done.shown() else {
        let said = if done.changed { said } else { "nothing had to be changed" };
        return output.result(&done, said);
    };
    let mut facts = Vec::new();
    let mut fact = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    fact("object id", done.object_id.map(|id| id.to_string()));
    fact("application id", done.application_id.map(|id| id.to_string()));
    fact("expires", done.expires.map(|expires| expires.to_string()));
    fact("token", Some(secret.to_owned()));
    output::note("the token is shown this once: keep it now");
    output.result(&done, output::facts(&facts))
}

fn who_may(store: &StoreArg) -> Result<AccessEntry, Failure> {
    store::reach(store)?.ask_once(WhoMay {})
}

/// `tufstore user`
pub(crate) fn user(args: &args::User, output: Output) -> Result<(), Failure> {
    match args.command.clone() {
        UserCommand::Add { name, password, admin, classic_administrator, store } => {
            let kind = match (admin, classic_administrator) {
                (true, _) => UserKind::Admin,
                (false, true) => UserKind::ClassicAdministrator,
                (false, false) => UserKind::User,
            };
            let password = password::read(&password)?;
            let said = format!("{name} is added, and may nothing yet: see `tufstore role assign`");
            carry(&store, Order::AddUser { name, password, kind }, output, &said)
        }
        UserCommand::List { store } => list_principals(&store, output),
        UserCommand::Remove { who, store } => {
            let said = format!("{who} is removed, and every role and token with it");
            carry(&store, Order::RemovePrincipal { principal: who }, output, &said)
        }
        UserCommand::Rename { from, to, store } => {
            let said = format!("{from} is called {to}");
            carry(&store, Order::Rename { from, to }, output, &said)
        }
        UserCommand::Password { who, password, store } => {
            let password = password::read(&password)?;
            let said = format!("{who} has another password; tokens stay as they are");
            carry(&store, Order::SetPassword { principal: who, password }, output, &said)
        }
        UserCommand::Disable { who, store } => {
            let said = format!("{who} may nothing from now on");
            carry(&store, Order::Disable { principal: who }, output, &said)
        }
        UserCommand::Enable { who, store } => {
            let said = format!("{who} may again what its roles say");
            carry(&store, Order::Enable { principal: who }, output, &said)
        }
    }
}

/// `tufstore principal`
pub(crate) fn principal(args: &args::Principal, output: Output) -> Result<(), Failure> {
    match args.command.clone() {
        PrincipalCommand::Create { name, also, lifetime, store } => {
            let names = also.into_iter().chain([name]).collect();
            let lifetime = lifetime.expires.as_secs();
            carry(&store, Order::AddService { names, lifetime }, output, "")
        }
        PrincipalCommand::List { store } => list_principals(&store, output),
        PrincipalCommand::Remove { who, store } => {
            let said = format!("{who} is removed, and every role and token with it");
            carry(&store, Order::RemovePrincipal { principal: who }, output, &said)
        }
        PrincipalCommand::AddName { who, name, store } => {
            let said = format!("{who} is called {name} as well");
            carry(&store, Order::AddName { principal: who, name }, output, &said)
        }
        PrincipalCommand::RemoveName { name, store } => {
            let said = format!("nobody is called {name} any more");
            carry(&store, Order::RemoveName { name }, output, &said)
        }
    }
}

fn list_principals(store: &StoreArg, output: Output) -> Result<(), Failure> {
    let access = who_may(store)?;
    let rows: Vec<_> = access.principals.iter().map(PrincipalRow::from).collect();
    output.either(&access.principals, &rows)
}

/// `tufstore group`
pub(crate) fn group(args: &args::Group, output: Output) -> Result<(), Failure> {
    match args.command.clone() {
        GroupCommand::Add { group, store } => {
            let said = format!("the group {group} is added, without members");
            carry(&store, Order::AddGroup { group }, output, &said)
        }
        GroupCommand::List { store } => {
            let access = who_may(&store)?;
            let rows: Vec<_> = access.groups.iter().map(GroupRow::from).collect();
            output.either(&access.groups, &rows)
        }
        GroupCommand::Remove { group, store } => {
            let said = format!("the group {group} is removed, and its roles with it");
            carry(&store, Order::RemoveGroup { group }, output, &said)
        }
        GroupCommand::Join { group, who, store } => {
            let said = format!("{who} is in the group {group}");
            carry(&store, Order::AddMember { group, principal: who }, output, &said)
        }
        GroupCommand::Leave { group, who, store } => {
            let said = format!("{who} is not in the group {group} any more");
            carry(&store, Order::RemoveMember { group, principal: who }, output, &said)
        }
    }
}

/// `tufstore role`
pub(crate) fn role(args: &args::RoleArgs, output: Output) -> Result<(), Failure> {
    match args.command.clone() {
        RoleCommand::Assign { role, at, store } => {
            let said = format!("{} has {role} in {}, from its next token on", whom(&at), at.scope);
            let (scope, to) = (at.scope.clone(), to(at)?);
            carry(&store, Order::AssignRole { role, scope, to }, output, &said)
        }
        RoleCommand::Unassign { role, at, store } => {
            let said = format!(
                "{} does not have {role} in {} any more; a token that is out says so for some minutes yet",
                whom(&at),
                at.scope
            );
            let (scope, from) = (at.scope.clone(), to(at)?);
            carry(&store, Order::UnassignRole { role, scope, from }, output, &said)
        }
        RoleCommand::Assignments { store } => {
            let access = who_may(&store)?;
            let rows: Vec<_> = access.assignments.iter().map(AssignmentRow::from).collect();
            output.either(&access.assignments, &rows)
        }
        RoleCommand::List { store } => {
            let access = who_may(&store)?;
            let rows: Vec<_> = access.roles.iter().map(RoleRow::from).collect();
            output.either(&access.roles, &rows)
        }
        RoleCommand::Define { role, permissions, store } => {
            let said = format!("{role} is made of that");
            let permissions = permissions.into_iter().collect();
            carry(&store, Order::DefineRole { role, permissions }, output, &said)
        }
        RoleCommand::Remove { role, store } => {
            let said = format!("there is no role {role} any more");
            carry(&store, Order::RemoveRole { role }, output, &said)
        }
    }
}

/// `tufstore token`
pub(crate) fn token(args: &args::TokenArgs, output: Output) -> Result<(), Failure> {
    match args.command.clone() {
        TokenCommand::Create { name, of, scope, may, lifetime, store } => {
            let permissions = may.iter().flat_map(|action| action.permissions());
            let permissions = permissions.collect::<std::collections::BTreeSet<_>>();
            let limit: BTreeMap<_, _> = scope.into_iter().map(|scope| (scope, permissions.clone())).collect();
            let lifetime = lifetime.expires.as_secs();
            carry(&store, Order::CreateToken { name, of, limit, lifetime }, output, "")
        }
        TokenCommand::List { store } => {
            let access = who_may(&store)?;
            let rows: Vec<_> = access.tokens.iter().map(TokenRow::from).collect();
            output.either(&access.tokens, &rows)
        }
        TokenCommand::Revoke { token, store } => {
            let said = format!("{token} is worth nothing from now on");
            carry(&store, Order::RevokeToken { token }, output, &said)
        }
    }
}

fn whom(at: &At) -> String {
    at.to
        .clone()
        .or_else(|| at.to_group.as_ref().map(|group| format!("the group {group}")))
        .unwrap_or_default()
}

fn to(at: At) -> Result<To, Failure> {
    let group = at.to_group.map(To::Group);
    group.or(at.to.map(To::Principal)).ok_or(Failure::Missing { what: "--to or --to-group" })
}
