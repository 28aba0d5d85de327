//! How lists of people, roles and tokens look.

use serde::Serialize;
use tufstore::terms::UnixTime;
use tufstore_server::access::{Limit, Permission, Permissions};
use tufstore_server::admin::{AssignmentEntry, GroupEntry, PrincipalEntry, RoleEntry, TokenEntry};
use tufstore_server::directory::To;

use crate::clock;
use crate::output::{Column, Row};

fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

fn day(time: UnixTime) -> String {
    UnixTime::from_seconds(time.seconds()).to_string()
}

/// What a principal is, to people.
fn kind(kind: &str) -> &str {
    match kind {
        "admin" => "the admin account",
        "classic-administrator" => "a classic administrator",
        "service" => "a service principal",
        "user" => "a user",
        other => other,
    }
}

macro_rules! rows {
    ($($name:ident of $entry:ident [$($column:literal),*] $cells:expr;)*) => {$(
        #[derive(Serialize)]
        #[serde(transparent)]
        pub(super) struct $name([String; { [$($column),*].len() }]);

        impl From<&$entry> for $name {
            fn from(entry: &$entry) -> Self {
                let cells: fn(&$entry) -> [String; { [$($column),*].len() }] = $cells;
                Self(cells(entry))
            }
        }

        impl Row for $name {
            const COLUMNS: &'static [Column] = &[$(Column::Text($column)),*];

            fn cells(&self) -> Vec<String> {
                self.0.to_vec()
            }
        }
    )*};
}

rows! {
    PrincipalRow of PrincipalEntry ["NAMES", "KIND", "LOGS IN BY", "OBJECT ID", "APPLICATION ID", "CREATED"] |entry| [
        joined(&entry.names),
        if entry.disabled { format!("{}, disabled", kind(&entry.kind)) } else { kind(&entry.kind).to_owned() },
        if entry.password { "password or token".to_owned() } else { "token".to_owned() },
        entry.object_id.to_string(),
        entry.application_id.map(|id| id.to_string()).unwrap_or_default(),
        day(entry.created),
    ];
    GroupRow of GroupEntry ["GROUP", "MEMBERS"] |entry| [entry.group.to_string(), entry.members.join(", ")];
    RoleRow of RoleEntry ["ROLE", "PERMISSIONS"] |entry| [entry.role.to_string(), permissions(entry.permissions)];
    AssignmentRow of AssignmentEntry ["SCOPE", "ROLE", "TO"] |entry| [
        entry.scope.to_string(),
        entry.role.to_string(),
        match &entry.to {
            To::Group(group) => format!("group {group}"),
            To::Principal(principal) => principal.clone(),
        },
    ];
    TokenRow of TokenEntry ["NAME", "OF", "MAY", "EXPIRES", "ID"] |entry| [
        entry.name.to_string(),
        entry.of.clone().unwrap_or_default(),
        entry.limit.as_ref().map_or_else(|| "all that its holder may".to_owned(), limit),
        if entry.expires > clock::now() { day(entry.expires) } else { format!("expired {}", day(entry.expires)) },
        entry.id.to_string(),
    ];
}

fn permissions(permissions: Permissions) -> String {
    joined(permissions.iter().map(Permission::as_str))
}

fn limit(limit: &Limit) -> String {
    let told = limit.iter().map(|(scope, held)| format!("{scope}: {}", permissions(*held)));
    told.collect::<Vec<_>>().join("; ")
}
