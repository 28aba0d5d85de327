use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use tufstore::terms::UnixTime;

use super::ids::{ApplicationId, ObjectId};
use super::name::Name;
use super::password::PasswordHash;
use super::permission::{Permission, Permissions};
use super::role::Role;
use super::scope::Scope;

/// What a principal is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "whoever decides by it must miss none")]
pub enum Kind {
    /// The registry's admin account: pulls and pushes anywhere without a role, and never signs.
    Admin,
    /// As an owner of everything, and never signs.
    ClassicAdministrator,
    /// A program. The only kind that may have several names.
    Service {
        /// What it answers to besides its object id.
        application: ApplicationId,
    },
    /// A person.
    User,
}

impl Kind {
    /// Whether it can be given a role that signs.
    pub const fn may_sign(self) -> bool {
        match self {
            Self::Admin | Self::ClassicAdministrator => false,
            Self::Service { .. } | Self::User => true,
        }
    }

    /// What it may everywhere without any role.
    pub(super) const fn without_role(self) -> Permissions {
        match self {
            Self::Admin => Permissions::NONE.with(Permission::Pull).with(Permission::Push),
            Self::ClassicAdministrator => match Role::Owner.built_in() {
                Some(all) => all,
                None => Permissions::NONE,
            },
            Self::Service { .. } | Self::User => Permissions::NONE,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "the admin account",
            Self::ClassicAdministrator => "a classic administrator",
            Self::Service { .. } => "a service principal",
            Self::User => "a user",
        })
    }
}

/// Somebody who can be known by a password or a token.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Principal {
    /// What it is.
    pub kind: Kind,
    /// At least one; no other principal and no token has it.
    pub names: BTreeSet<Name>,
    /// `None` for one that has tokens alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// Whether it may nothing for now.
    pub disabled: bool,
    /// When it was added.
    pub created: UnixTime,
}

impl Principal {
    /// What it answers to besides its object id.
    pub fn application(&self) -> Option<ApplicationId> {
        match self.kind {
            Kind::Service { application } => Some(application),
            Kind::Admin | Kind::ClassicAdministrator | Kind::User => None,
        }
    }
}

/// Principals that are given roles together.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Group {
    /// Who is in it.
    pub members: BTreeSet<ObjectId>,
}

/// A role, where it holds, and for whom.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Assignment {
    /// Which.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// For whom.
    pub assignee: Assignee,
}

/// Who has a role.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "whoever decides by it must miss none")]
pub enum Assignee {
    /// All members of a group.
    Group(Name),
    /// One principal.
    Principal(ObjectId),
}

/// What holds for a registry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// Whether its repositories can be signed.
    pub content_trust: ContentTrust,
}

/// Whether a registry's repositories can be signed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "on or off")]
pub enum ContentTrust {
    /// No.
    #[default]
    Disabled,
    /// Yes.
    Enabled,
}
