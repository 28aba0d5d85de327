use std::fmt;
use std::str::FromStr;

use uuid::{Builder, Uuid, Variant};

use super::text::as_text;

/// Not a random UUID as it is usually written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id is a UUID of version 4, written as 8-4-4-4-12 hexadecimal digits")]
#[non_exhaustive]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$docs:meta])* $name:ident,)*) => {$(
        $(#[$docs])*
        ///
        /// A UUID of version 4, shown in lower case.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// One that nobody has.
            pub fn random() -> Self {
                Self(Builder::from_random_bytes(rand::random()).into_uuid())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                read(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        as_text!($name);
    )*};
}

ids! {
    /// What stands for a principal, and is never given to another.
    ObjectId,
    /// What a service principal is known by to who configures the application.
    ApplicationId,
    /// What stands for one assignment of a role.
    AssignmentId,
}

impl ObjectId {
    pub(super) fn uuid(self) -> Uuid {
        self.0
    }
}

impl ApplicationId {
    pub(super) fn uuid(self) -> Uuid {
        self.0
    }
}

/// How long a UUID is as text with hyphens: the other ways to write one are not read.
const WRITTEN: usize = 36;

fn read(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != WRITTEN {
        return Err(InvalidId);
    }
    let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
    if uuid.get_version_num() == 4 && uuid.get_variant() == Variant::RFC4122 {
        Ok(uuid)
    } else {
        Err(InvalidId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_shown_in_either_case() {
        for _ in 0..100 {
            let id = ObjectId::random();
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "app",
            "00000000-0000-0000-0000-000000000000",
            "11111111-1111-1111-8111-111111111111",
            "11111111-1111-4111-c111-111111111111",
            "11111111111141118111111111111111",
            "{11111111-1111-4111-8111-11111111111}",
        ] {
            assert_eq!(text.parse::<ObjectId>(), Err(InvalidId), "{text}");
        }
    }
}
