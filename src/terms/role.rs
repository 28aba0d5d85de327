use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A role of TUF: one of the four at the top, or a delegation below `targets`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(
    clippy::exhaustive_enums,
    reason = "TUF fixes the top-level roles; a new one must break every match"
)]
pub enum RoleName {
    /// Says which keys the others have.
    Root,
    /// Says what tags stand for, and delegates.
    Targets,
    /// Says which versions of root, targets and delegations belong together.
    Snapshot,
    /// Says which snapshot is the newest.
    Timestamp,
    /// A part of `targets` that other keys sign.
    Delegation(DelegationPath),
}

/// The full name of a delegation: `targets/releases`. Lower-case letters, digits, `-` and `_` between single slashes, at
/// most 255 bytes (protocol of Notary v1, uploads).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DelegationPath(Arc<str>);

/// Neither a top-level role nor a delegation's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a role is root, targets, snapshot, timestamp, or targets/NAME with lower-case letters, digits, - and _, at most 255 bytes"
)]
#[non_exhaustive]
pub struct InvalidRoleName;

impl RoleName {
    /// The name as on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
            Self::Delegation(path) => &path.0,
        }
    }

    /// How many names stand between a delegation and `targets`, itself included; 0 for a top-level role.
    pub fn depth(&self) -> usize {
        match self {
            Self::Root | Self::Targets | Self::Snapshot | Self::Timestamp => 0,
            Self::Delegation(path) => path.0.matches('/').count(),
        }
    }

    /// The role whose file names this delegation and its keys; `None` at the top.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Root | Self::Targets | Self::Snapshot | Self::Timestamp => None,
            Self::Delegation(path) => path.0.rsplit_once('/').and_then(|(parent, _)| parent.parse().ok()),
        }
    }

    /// Whether it lists tags: `targets` or a delegation.
    pub fn is_targets_or_delegation(&self) -> bool {
        matches!(self, Self::Targets | Self::Delegation(_))
    }
}

impl FromStr for RoleName {
    type Err = InvalidRoleName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "root" => Ok(Self::Root),
            "targets" => Ok(Self::Targets),
            "snapshot" => Ok(Self::Snapshot),
            "timestamp" => Ok(Self::Timestamp),
            _ => text.parse().map(Self::Delegation),
        }
    }
}

impl FromStr for DelegationPath {
    type Err = InvalidRoleName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LONGEST: usize = 255;
        let rest = text.strip_prefix("targets/").ok_or(InvalidRoleName)?;
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_');
        let clean = rest.split('/').all(|segment| !segment.is_empty() && segment.bytes().all(allowed));
        if clean && text.len() <= LONGEST { Ok(Self(text.into())) } else { Err(InvalidRoleName) }
    }
}

impl Serialize for RoleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::parsed(deserializer)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for DelegationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_the_dialect_are_roles_and_know_their_parents() {
        let role: RoleName = "targets/releases/a-b_1".parse().unwrap();
        assert_eq!(role.depth(), 2);
        assert_eq!(role.parent().unwrap().as_str(), "targets/releases");
        assert_eq!(role.parent().unwrap().parent(), Some(RoleName::Targets));
        for name in ["root", "targets", "snapshot", "timestamp", "targets/x"] {
            assert_eq!(name.parse::<RoleName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn other_texts_are_no_roles() {
        let long = format!("targets/{}", "a".repeat(300));
        for name in [
            "",
            "Root",
            "targets/",
            "targets//a",
            "targets/..",
            "targets/.",
            "targets/A",
            "targets/a b",
            "targets/a\0",
            "snapshot/a",
            "/targets/a",
            "targets/a/",
            &long,
        ] {
            assert_eq!(name.parse::<RoleName>(), Err(InvalidRoleName), "{name:?}");
        }
    }
}
