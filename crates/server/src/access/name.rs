use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::text::as_text;

/// What a principal, a group, a custom role or a token is called.
///
/// 1 to 64 characters of `A-Z a-z 0-9 . _ @ -`. It keeps the case that it was written in, and is the same in any other.
#[derive(Clone, Debug)]
pub struct Name(Box<str>);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// A character that names do not have.
    #[error("a name is made of letters without accents, digits, and `.`, `_`, `@` and `-`")]
    Character,
    /// Nothing, or more than 64 characters.
    #[error("a name has 1 to 64 characters, this one has {length}")]
    Length {
        /// In bytes.
        length: usize,
    },
}

impl Name {
    const LONGEST: usize = 64;

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The UUID that it could be taken for, in any of the forms that programs write them in.
    pub(super) fn as_uuid(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.0).ok()
    }

    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.len() > Self::LONGEST {
            return Err(InvalidName::Length { length: text.len() });
        }
        let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        if text.bytes().all(is_of_names) { Ok(Self(text.into())) } else { Err(InvalidName::Character) }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(Name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_any_case_and_keep_their_own() {
        let [lower, upper] =
            ["ci.build_1@team-a", "CI.Build_1@team-A"].map(|text| text.parse::<Name>().unwrap());
        assert_eq!(lower, upper);
        assert_eq!(lower.cmp(&upper), Ordering::Equal);
        assert_eq!(upper.to_string(), "CI.Build_1@team-A");
    }

    #[test]
    fn other_texts_are_no_names() {
        for text in ["a b", "a/b", "a:b", "é", "a\0", "a\n", "*"] {
            assert_eq!(text.parse::<Name>(), Err(InvalidName::Character), "{text:?}");
        }
        assert_eq!("".parse::<Name>(), Err(InvalidName::Length { length: 0 }));
        assert!("a".repeat(64).parse::<Name>().is_ok());
        assert_eq!("a".repeat(65).parse::<Name>(), Err(InvalidName::Length { length: 65 }));
    }
}
