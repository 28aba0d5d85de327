use std::fmt;
use std::str::FromStr;

use super::name::{InvalidName, Name};
use super::permission::{Permission, Permissions};
use super::text::as_text;

/// What can be assigned: one of the built in roles, or a custom one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "a new role must break every match")]
pub enum Role {
    /// Deletes trust data.
    AcrDelete,
    /// Publishes trust metadata, and reads it.
    AcrImageSigner,
    /// Reads.
    AcrPull,
    /// Pushes images, and reads.
    AcrPush,
    /// Does everything but signing, which has to be granted by name.
    Owner,
    /// Made of permissions by whoever runs the registry.
    Custom(CustomRole),
}

/// The name of a custom role, which no built in role has.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CustomRole(Name);

/// Why a text names no role, or no custom one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRole {
    /// It is built in.
    #[error("{role} is a built in role and stays as it is: give the custom role another name")]
    BuiltIn {
        /// Its name.
        role: &'static str,
    },
    /// No name.
    #[error("a role cannot be called that")]
    Name(#[from] InvalidName),
}

impl Role {
    const BUILT_IN: [(&'static str, Self); 5] = [
        ("AcrDelete", Self::AcrDelete),
        ("AcrImageSigner", Self::AcrImageSigner),
        ("AcrPull", Self::AcrPull),
        ("AcrPush", Self::AcrPush),
        ("Owner", Self::Owner),
    ];

    /// What a built in role is made of; `None` of a custom one, which [`super::Access::role`] knows.
    ///
    /// # Source
    /// Azure Container Registry's roles and permissions. There, signers cannot read without a second role.
    pub const fn built_in(&self) -> Option<Permissions> {
        let pull = Permissions::NONE.with(Permission::Pull);
        let push = pull.with(Permission::Push);
        match self {
            Self::AcrDelete => Some(Permissions::NONE.with(Permission::Delete)),
            Self::AcrImageSigner => Some(pull.union(Permissions::SIGNING)),
            Self::AcrPull => Some(pull),
            Self::AcrPush => Some(push),
            Self::Owner => Some(push.with(Permission::Delete).union(Permissions::ADMINISTERING)),
            Self::Custom(_) => None,
        }
    }

    fn named(text: &str) -> Option<(&'static str, Self)> {
        Self::BUILT_IN.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text))
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    /// Reads the name of a built in role in any case, or what a custom one could be called.
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        match Self::named(text) {
            Some((_, role)) => Ok(role),
            None => Ok(Self::Custom(CustomRole(text.parse()?))),
        }
    }
}

impl FromStr for CustomRole {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        match Role::named(text) {
            Some((role, _)) => Err(InvalidRole::BuiltIn { role }),
            None => Ok(Self(text.parse()?)),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcrDelete => "AcrDelete",
            Self::AcrImageSigner => "AcrImageSigner",
            Self::AcrPull => "AcrPull",
            Self::AcrPush => "AcrPush",
            Self::Owner => "Owner",
            Self::Custom(role) => role.0.as_str(),
        })
    }
}

impl fmt::Display for CustomRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(Role, CustomRole);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_roles_are_read_in_any_case_and_are_no_names_for_custom_ones() {
        for (name, role) in Role::BUILT_IN {
            for text in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(text.parse::<Role>().as_ref(), Ok(&role));
                assert_eq!(text.parse::<CustomRole>(), Err(InvalidRole::BuiltIn { role: name }));
            }
            assert_eq!(role.to_string(), name);
        }
    }

    #[test]
    fn only_the_image_signer_signs() {
        for (name, role) in Role::BUILT_IN {
            let signs = !role.built_in().unwrap().intersection(Permissions::SIGNING).is_empty();
            assert_eq!(signs, name == "AcrImageSigner", "{name}");
        }
    }
}
