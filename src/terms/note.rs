use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What whoever embeds the store wants told of a commit for as long as the store is there: on whose behalf it was, say. Any text of
/// 1 to 4,096 bytes; the store does not look into it. It stands in the part of a record that stays when all else of it was
/// dropped, and is chained. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Note(Arc<str>);

/// No text, or too long a one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a note has 1 to 4096 bytes, this one has {length}")]
#[non_exhaustive]
pub struct InvalidNote {
    /// In bytes.
    pub length: usize,
}

impl Note {
    const LONGEST: usize = 4096;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Note {
    type Err = InvalidNote;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.len();
        if (1..=Self::LONGEST).contains(&length) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidNote { length })
        }
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::parsed(deserializer)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
