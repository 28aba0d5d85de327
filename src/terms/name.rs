use core::fmt;
use core::str::FromStr;
use std::borrow::Borrow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a trust collection, which Notary calls a GUN: `docker.io/library/alpine`.
///
/// At most 255 bytes, and what the wire's routes can carry: no `*`, no control character, no empty, `.` or `..` segment
/// between slashes. Case counts. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Arc<str>);

/// Why a text is no repository name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRepositoryName {
    /// A character that no route carries.
    #[error("a repository name holds no control character and no `*`")]
    Character,
    /// A segment between slashes that a path cannot keep.
    #[error("a repository name has no empty, `.` or `..` segment between its slashes")]
    Segment,
    /// Longer than 255 bytes.
    #[error("a repository name has at most 255 bytes, this one has {length}")]
    TooLong {
        /// In bytes.
        length: usize,
    },
}

impl RepositoryName {
    const LONGEST: usize = 255;

    /// The name as on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::LONGEST {
            return Err(InvalidRepositoryName::TooLong { length: text.len() });
        }
        if text.chars().any(|c| c == '*' || c.is_control()) {
            return Err(InvalidRepositoryName::Character);
        }
        if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(InvalidRepositoryName::Segment);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = InvalidRepositoryName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.as_str().to_owned()
    }
}

impl Borrow<str> for RepositoryName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A target's name, as its publisher wrote it: any text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tag(Box<str>);

impl Tag {
    /// The name as on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Tag {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_routes_carry_are_names() {
        for name in ["a", "docker.io/library/alpine", "reg.example.com:5000/Team/app", "x y"] {
            assert_eq!(name.parse::<RepositoryName>().map(String::from).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_that_routes_refuse_are_refused() {
        for name in ["", "/a", "a/", "a//b", ".", "a/./b", "a/../b"] {
            assert_eq!(name.parse::<RepositoryName>(), Err(InvalidRepositoryName::Segment), "{name:?}");
        }
        for name in ["a*", "a\0", "a\nb", "a\u{7f}", "a\u{85}"] {
            assert_eq!(name.parse::<RepositoryName>(), Err(InvalidRepositoryName::Character), "{name:?}");
        }
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
        assert_eq!(
            "a".repeat(256).parse::<RepositoryName>(),
            Err(InvalidRepositoryName::TooLong { length: 256 })
        );
    }
}
