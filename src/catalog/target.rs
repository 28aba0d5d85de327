use crate::terms::{RoleName, Sha256, UnixTime};

/// What a tag stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// Of the image's manifest, or of whatever the publisher signed.
    pub sha256: Sha256,
    /// Of the same, in bytes.
    pub length: u64,
    /// Which role says so.
    pub from: SignedIn,
}

/// The two roles that a tag is looked up in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "Docker asks these two and no other")]
pub enum SignedIn {
    /// The delegation `targets/releases`.
    Releases,
    /// The top-level role `targets`.
    Targets,
}

impl SignedIn {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Releases => "targets/releases",
            Self::Targets => "targets",
        }
    }
}

impl core::fmt::Display for SignedIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer to "what does this tag stand for?".
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller that decides what to run must see every case")]
pub enum Lookup {
    /// This target.
    Found(Found),
    /// The repository has published, but not this tag.
    NoSuchTag,
    /// Nothing is published under this name.
    NoSuchRepository,
    /// Something on the way from the root to the tag has expired: whether newer metadata is being withheld cannot be told.
    Expired {
        /// What expired first.
        role: RoleName,
        /// Since when.
        since: UnixTime,
    },
}

/// A target whose whole chain is fresh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// What the tag stands for.
    pub target: Target,
    /// Until when the answer may be relied on: the earliest expiry on the way from the root.
    pub fresh_until: UnixTime,
}
