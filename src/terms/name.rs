use core::fmt;
use core::str::FromStr;
use std::borrow::Borrow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a trust collection, which Notary calls a GUN: `docker.io/library/alpine`.
///
/// At most 255 bytes, and what the wire's routes can carry: no `*`, no control character, no empty, `.` or `..` segment
/// between slashes. Case counts. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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
    /// No repository can have it.
    const SETTINGS: &str = "*";

    /// The name as on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the records of the settings have in the place of a repository's name. Nobody else gets hold of it: it cannot be
    /// read from any text but a record's.
    pub(crate) fn of_settings() -> Self {
        Self(Self::SETTINGS.into())
    }

    pub(crate) fn is_of_settings(&self) -> bool {
        *self.0 == *Self::SETTINGS
    }
}

/// What a record is of: a repository, or the settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RecordName(pub(crate) RepositoryName);

impl FromStr for RecordName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == RepositoryName::SETTINGS {
            Ok(Self(RepositoryName::of_settings()))
        } else {
            text.parse().map(Self)
        }
    }
}

impl Serialize for RecordName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RecordName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::parsed(deserializer)
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::LONGEST {
            return Err(InvalidRepositoryName::TooLong { length: text.len() });
        }
        // Opening a store reads many, and nearly all of them are of these.
        let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'*');
        if !is_plain && text.chars().any(|c| c == '*' || c.is_control()) {
            return Err(InvalidRepositoryName::Character);
        }
        if text.as_bytes().split(|byte| *byte == b'/').any(|segment| matches!(segment, b"" | b"." | b"..")) {
            return Err(InvalidRepositoryName::Segment);
        }
        Ok(Self(text.into()))
    }
}

impl Serialize for RepositoryName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RepositoryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::parsed(deserializer)
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
            assert_eq!(name.parse::<RepositoryName>().as_ref().map(RepositoryName::as_str), Ok(name));
        }
    }

    #[test]
    fn names_that_routes_refuse_are_refused() {
        for name in ["", "/a", "a/", "a//b", ".", "a/./b", "a/../b"] {
            assert_eq!(name.parse::<RepositoryName>(), Err(InvalidRepositoryName::Segment), "{name:?}");
        }
        for name in ["*", "a*", "a\0", "a\nb", "a\u{7f}", "a\u{85}"] {
            assert_eq!(name.parse::<RepositoryName>(), Err(InvalidRepositoryName::Character), "{name:?}");
        }
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
        assert_eq!(
            "a".repeat(256).parse::<RepositoryName>(),
            Err(InvalidRepositoryName::TooLong { length: 256 })
        );
    }
}
