//! What people and programs ask to change, in their words: names, passwords in clear.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use tufstore::terms::UnixTime;
use zeroize::Zeroizing;

use super::ChangeError;
use crate::access::{
    ApplicationId, CustomRole, Name, ObjectId, PasswordError, Permission, Role, Scope, TokenId,
};

/// A change that is asked for.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Order {
    /// A new user, the admin account, or a classic administrator.
    AddUser {
        /// What they are called.
        name: Name,
        /// Without one they have tokens alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Password>,
        /// The admin account, or a classic administrator: they never sign.
        #[serde(default, skip_serializing_if = "UserKind::is_user")]
        kind: UserKind,
    },
    /// A new service principal, with a token.
    AddService {
        /// What it is called; at least one name.
        names: BTreeSet<Name>,
        /// How long its token is good for, in seconds.
        lifetime: u64,
    },
    /// Away with a principal, its roles, memberships and tokens.
    RemovePrincipal {
        /// A name, an object id or an application id.
        principal: String,
    },
    /// Another name.
    Rename {
        /// The name it has.
        from: Name,
        /// The name instead.
        to: Name,
    },
    /// One more name for a service principal.
    AddName {
        /// The principal.
        principal: String,
        /// The name.
        name: Name,
    },
    /// One name less.
    RemoveName {
        /// The name.
        name: Name,
    },
    /// Another password; none, without one.
    SetPassword {
        /// Whose.
        principal: String,
        /// The password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<Password>,
    },
    /// May do nothing, until enabled.
    Disable {
        /// Who.
        principal: String,
    },
    /// May again do what its roles say.
    Enable {
        /// Who.
        principal: String,
    },
    /// A new group.
    AddGroup {
        /// What it is called.
        group: Name,
    },
    /// Away with a group and its roles.
    RemoveGroup {
        /// Which.
        group: Name,
    },
    /// Into a group.
    AddMember {
        /// Which group.
        group: Name,
        /// Who.
        principal: String,
    },
    /// Out of a group.
    RemoveMember {
        /// Which group.
        group: Name,
        /// Who.
        principal: String,
    },
    /// A custom role, or what it is made of from now on.
    DefineRole {
        /// What it is called.
        role: CustomRole,
        /// What it is made of.
        permissions: BTreeSet<Permission>,
    },
    /// Away with a custom role.
    RemoveRole {
        /// Which.
        role: CustomRole,
    },
    /// A role for somebody.
    AssignRole {
        /// Which.
        role: Role,
        /// Where.
        scope: Scope,
        /// For whom.
        to: To,
    },
    /// And no longer.
    UnassignRole {
        /// Which.
        role: Role,
        /// Where.
        scope: Scope,
        /// From whom.
        from: To,
    },
    /// A token: for a principal, or one that is somebody by itself.
    CreateToken {
        /// What it is called.
        name: Name,
        /// Whose; without one, it is somebody by itself and needs a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// No more than these permissions in these scopes.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        limit: BTreeMap<Scope, BTreeSet<Permission>>,
        /// How long it is good for, in seconds.
        lifetime: u64,
    },
    /// Worth nothing from now on.
    RevokeToken {
        /// Its id, or its name: of several, one's own.
        token: String,
    },
}

/// Whom a role is for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "as in what is written down")]
pub enum To {
    /// All members of a group.
    Group(Name),
    /// By a name, an object id or an application id.
    Principal(String),
}

/// What kind of user.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "as in what is written down")]
pub enum UserKind {
    /// The registry's admin account.
    Admin,
    /// A classic administrator.
    ClassicAdministrator,
    /// Anybody else.
    #[default]
    User,
}

impl Order {
    /// Whether a password has to be hashed for it.
    pub(crate) fn has_password(&self) -> bool {
        self.password().is_some()
    }

    pub(super) fn password(&self) -> Option<&Password> {
        if let Self::AddUser { password, .. } | Self::SetPassword { password, .. } = self {
            password.as_ref()
        } else {
            None
        }
    }
}

impl UserKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_user(&self) -> bool {
        *self == Self::User
    }
}

/// A password as somebody chose it. Never shown, wiped when it is dropped.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Password(pub(super) Zeroizing<String>);

impl Password {
    /// That one.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl<'de> Deserialize<'de> for Password {
    /// What is wrong is said without what was given, which may be a password all the same: a number, say.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from).map_err(|_| D::Error::custom("a password is a text"))?;
        Ok(Self(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl fmt::Debug for Order {
    /// Without what it holds: a password may be among it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Order(..)")
    }
}

/// What came of an order.
#[derive(Clone, Default, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Done {
    /// Of a new principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<ObjectId>,
    /// Of a new service principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<ApplicationId>,
    /// Of a new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// The new token itself: it is shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Password>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::shown::optional_text")]
    pub expires: Option<UnixTime>,
    /// Of somebody who was disabled or removed: tokens of nobody that they made, and that count as before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens_left: Vec<Name>,
    /// Whether anything had to be changed.
    pub changed: bool,
}

impl Done {
    /// The new token, for its holder.
    pub fn shown(&self) -> Option<&str> {
        self.secret.as_ref().map(|secret| secret.0.as_str())
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done")
            .field("token", &self.token)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderRefused {
    /// It breaks a rule, or cannot be written.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Nobody answers to that.
    #[error("nobody answers to {text:?}: list the users and principals")]
    Nobody {
        /// What was given.
        text: String,
    },
    /// Whoever asks may not.
    #[error("that takes {permission} over {scope}")]
    NotAllowed {
        /// What is missing.
        permission: Permission,
        /// And where.
        scope: Scope,
    },
    /// No such role is held.
    #[error("that role is not assigned there to that one")]
    NotAssigned,
    /// A token that is somebody by itself, and may do nothing.
    #[error(
        "a token of nobody has to say what it allows, and where: give a repository or a prefix, and permissions"
    )]
    NoLimit,
    /// There is no such token.
    #[error("there is no token {text:?}: it was revoked, or never made")]
    NoToken {
        /// What was given.
        text: String,
    },
    /// Several tokens have that name.
    #[error("several tokens are called {text:?}: give its id")]
    SeveralTokens {
        /// What was given.
        text: String,
    },
    /// A password that cannot be one.
    #[error(transparent)]
    Password(#[from] PasswordError),
}
