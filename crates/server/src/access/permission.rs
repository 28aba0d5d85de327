use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::as_text;

/// An action that roles are made of, named as Azure names it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "a new permission must break every match")]
pub enum Permission {
    /// Reads trust metadata and resolves tags.
    Pull,
    /// Pushes images.
    Push,
    /// Publishes trust metadata.
    Sign,
    /// Signs for trusted collections: the other half of [`Self::Sign`], as Azure has them.
    TrustedCollections,
    /// Deletes a repository's trust data.
    Delete,
    /// Says who holds which role.
    RoleAssignments,
    /// Sets a registry's policies.
    Policies,
}

/// Not the name of a permission.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no permission {text:?}: they are {}", listed())]
#[non_exhaustive]
pub struct UnknownPermission {
    /// What was written.
    pub text: String,
}

impl Permission {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Pull,
        Self::Push,
        Self::Sign,
        Self::TrustedCollections,
        Self::Delete,
        Self::RoleAssignments,
        Self::Policies,
    ];

    /// Azure's name, without the name of the service before it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "registries/pull/read",
            Self::Push => "registries/push/write",
            Self::Sign => "registries/sign/write",
            Self::TrustedCollections => "registries/trustedCollections/write",
            Self::Delete => "registries/artifacts/delete",
            Self::RoleAssignments => "authorization/roleAssignments/write",
            Self::Policies => "registries/policies/write",
        }
    }

    /// Azure's name, whole.
    fn of_azure(self) -> String {
        match self.as_str().split_once('/') {
            Some(("authorization", rest)) => format!("Microsoft.Authorization/{rest}"),
            _ => format!("Microsoft.ContainerRegistry/{}", self.as_str()),
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Pull => 1,
            Self::Push => 1 << 1,
            Self::Sign => 1 << 2,
            Self::TrustedCollections => 1 << 3,
            Self::Delete => 1 << 4,
            Self::RoleAssignments => 1 << 5,
            Self::Policies => 1 << 6,
        }
    }
}

fn listed() -> String {
    Permission::ALL.map(Permission::as_str).join(", ")
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    /// Reads Azure's name, whole or without the name of the service; its case does not count, as in Azure.
    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let is_named = |permission: &Self| {
            text.eq_ignore_ascii_case(permission.as_str())
                || text.eq_ignore_ascii_case(&permission.of_azure())
        };
        Self::ALL.into_iter().find(is_named).ok_or_else(|| UnknownPermission { text: text.to_owned() })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

as_text!(Permission);

/// A set of permissions.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// What publishing trust metadata takes; never held by administrators.
    pub const SIGNING: Self = Self::NONE.with(Permission::Sign).with(Permission::TrustedCollections);
    /// What concerns the registry and not what lies in it.
    pub const ADMINISTERING: Self = Self::NONE.with(Permission::RoleAssignments).with(Permission::Policies);

    /// And this one.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether this one is there.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether all of those are there.
    pub const fn contains_all(self, others: Self) -> bool {
        others.without(self).is_empty()
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_with_and_without_the_service() {
        for permission in Permission::ALL {
            assert_eq!(permission.to_string().parse(), Ok(permission));
            assert_eq!(permission.to_string().to_lowercase().parse(), Ok(permission));
            assert_eq!(permission.of_azure().parse(), Ok(permission));
        }
        let of_azure = "Microsoft.ContainerRegistry/registries/trustedCollections/write";
        assert_eq!(of_azure.parse(), Ok(Permission::TrustedCollections));
        assert_eq!("Microsoft.Authorization/roleAssignments/write".parse(), Ok(Permission::RoleAssignments));
    }

    #[test]
    fn other_texts_are_no_permissions() {
        for text in [
            "",
            "*",
            "pull",
            "registries/*",
            "registries/pull/read ",
            "Microsoft.ContainerRegistry/authorization/roleAssignments/write",
            "Microsoft.Authorization/registries/pull/read",
        ] {
            let refused = text.parse::<Permission>().unwrap_err();
            assert_eq!(refused.text, text);
            assert!(refused.to_string().contains("registries/sign/write"), "{refused}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let all: Permissions = Permission::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), Permission::ALL.len());
        for permission in Permission::ALL {
            let alone = Permissions::NONE.with(permission);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [permission]);
            assert!(all.contains_all(alone) && !alone.contains_all(all));
            assert!(!all.without(alone).contains(permission));
            assert_eq!(all.without(alone).union(alone), all);
        }
        let text = serde_json::to_string(&Permissions::SIGNING).unwrap();
        assert_eq!(text, r#"["registries/sign/write","registries/trustedCollections/write"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), Permissions::SIGNING);
    }
}
