use core::fmt;
use core::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

/// A metadata version. TUF counts from 1, so zero cannot be written down.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Version(NonZeroU64);

impl Version {
    /// The version that a first root has.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// `None` for zero.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number, at least 1.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The only version that may follow in a root rotation; `None` when none is left.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many distinct keys must have signed. At least one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Threshold(NonZeroU32);

impl Threshold {
    /// One key suffices: what every Notary client writes.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// `None` for zero.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number, at least 1.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// Whether `valid` distinct keys are enough.
    pub fn is_met_by(self, valid: usize) -> bool {
        u32::try_from(valid).unwrap_or(u32::MAX) >= self.get()
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! count {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub struct $name(u64);

        impl $name {
            /// From a stored or shown number.
            pub fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub fn get(self) -> u64 {
                self.0
            }

            /// One more; saturating, which a counter of events never reaches.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl core::str::FromStr for $name {
            type Err = core::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

count! {
    /// The order of commits in one store: the first is 1. The feed's cursor. Unrelated to any [`Version`], and no byte offset.
    Position
}

count! {
    /// How many publications one life of a repository has seen: what a commit is guarded by. The first is 1.
    Revision
}

count! {
    /// Which life of a repository, from first publication to deletion. The first is 1.
    Incarnation
}

impl Position {
    /// Before every commit: where a reader of the feed starts.
    pub const START: Self = Self(0);
}

impl Revision {
    /// Of a repository that has published nothing in this life.
    pub const NONE: Self = Self(0);
}

impl Incarnation {
    /// The first life.
    pub const FIRST: Self = Self(1);
}
