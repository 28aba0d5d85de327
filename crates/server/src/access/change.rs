use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tufstore::terms::UnixTime;

use super::ids::{AssignmentId, ObjectId};
use super::name::Name;
use super::password::PasswordHash;
use super::permission::Permissions;
use super::principal::{Assignee, ContentTrust, Kind};
use super::role::{CustomRole, Role};
use super::scope::{Registry, Scope};
use super::token::{Grant, SecretHash, TokenId};

/// Something to change about who may do what. Holds hashes and never a secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// Adds a group without members.
    AddGroup {
        /// Its name.
        group: Name,
    },
    /// Puts a principal into a group.
    AddMember {
        /// The group.
        group: Name,
        /// The principal.
        member: ObjectId,
    },
    /// Gives a service principal one more name.
    AddName {
        /// The principal.
        principal: ObjectId,
        /// The name.
        name: Name,
    },
    /// Adds a principal.
    AddPrincipal {
        /// An id that nobody has.
        id: ObjectId,
        /// What it is.
        kind: Kind,
        /// One; a service principal may have more.
        names: BTreeSet<Name>,
        /// `None` for one that has tokens alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<PasswordHash>,
    },
    /// Adds a token.
    AddToken {
        /// Its id, as [`super::Secret::id`] says.
        id: TokenId,
        /// Its name.
        name: Name,
        /// Of its secret.
        secret: SecretHash,
        /// When its time is over.
        expires: UnixTime,
        /// What it allows.
        grant: Grant,
        /// Who makes one that is of nobody, as [`super::Token::by`] says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<ObjectId>,
    },
    /// Gives somebody a role.
    AssignRole {
        /// An id that no assignment has.
        id: AssignmentId,
        /// Which role.
        role: Role,
        /// Where.
        scope: Scope,
        /// To whom.
        assignee: Assignee,
    },
    /// Makes a custom role, or says anew what it is made of.
    DefineRole {
        /// Its name.
        role: CustomRole,
        /// What it is made of.
        permissions: Permissions,
    },
    /// Lets a principal do nothing until it is enabled; its personal tokens too.
    Disable {
        /// The principal.
        principal: ObjectId,
    },
    /// Lets a principal do what its roles say again.
    Enable {
        /// The principal.
        principal: ObjectId,
    },
    /// Takes a role from somebody.
    RemoveAssignment {
        /// Which.
        id: AssignmentId,
    },
    /// Removes a group, and its roles with it.
    RemoveGroup {
        /// The group.
        group: Name,
    },
    /// Takes a principal out of a group.
    RemoveMember {
        /// The group.
        group: Name,
        /// The principal.
        member: ObjectId,
    },
    /// Takes one of its names from a service principal.
    RemoveName {
        /// The principal.
        principal: ObjectId,
        /// The name.
        name: Name,
    },
    /// Removes a principal: its roles, memberships and personal tokens go with it.
    RemovePrincipal {
        /// The principal.
        principal: ObjectId,
    },
    /// Removes a custom role that nobody has.
    RemoveRole {
        /// The role.
        role: CustomRole,
    },
    /// Gives a principal another name for one it has.
    Rename {
        /// The principal.
        principal: ObjectId,
        /// The name it has.
        from: Name,
        /// The name instead.
        to: Name,
    },
    /// Makes a token worth nothing, at once and for good.
    RevokeToken {
        /// The token.
        id: TokenId,
    },
    /// Says whether a registry's repositories can be signed.
    SetContentTrust {
        /// The registry.
        registry: Registry,
        /// `None` for whatever holds for new registries.
        content_trust: Option<ContentTrust>,
    },
    /// Gives a principal another password, or takes it away.
    SetPassword {
        /// The principal.
        principal: ObjectId,
        /// `None` for no password.
        password: Option<PasswordHash>,
    },
}

/// What whoever runs the server allows. [`Default`]: tokens for at most a year.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// How long a token may be worth something.
    pub longest_token: Duration,
    /// How many tokens there may be of one principal.
    pub most_tokens_of_one: usize,
    /// In how many scopes one token may say what it allows.
    pub most_scopes_of_a_token: usize,
    /// How many names a service principal may have.
    pub most_names_of_one: usize,
    /// How many principals and their names, groups and their members, custom roles, assignments, tokens and their scopes there may
    /// be together: all of them are written down anew with each change.
    pub most_entries: usize,
}

impl Default for Rules {
    /// A year, with the day that some have more; a hundred tokens of one, each for what somebody can still read through; and what
    /// fits into some megabytes.
    fn default() -> Self {
        Self {
            longest_token: Duration::from_hours(366 * 24),
            most_tokens_of_one: 100,
            most_scopes_of_a_token: 32,
            most_names_of_one: 16,
            most_entries: 50_000,
        }
    }
}

impl Change {
    /// One line of JSON for the audit trail, without hashes: in their place it says that there was one.
    pub fn describe(&self) -> Value {
        // Texts, numbers and maps of texts: nothing that JSON lacks.
        let mut described = serde_json::to_value(self).unwrap_or_default();
        for hash in ["password", "secret"] {
            if let Some(value) = described.get_mut(hash)
                && !value.is_null()
            {
                *value = Value::from("(set)");
            }
        }
        described
    }
}
