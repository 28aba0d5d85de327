use crate::crypto::KeyId;
use crate::terms::{InvalidRoleName, InvalidTime, RoleName, Tag};

/// Why bytes are no metadata of the role they were given for. Whoever wrote them must act.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Readers that ignore case would take it for another member.
    #[error("member {member:?} differs from {known:?} in case alone")]
    AmbiguousMember {
        /// As written.
        member: Box<str>,
        /// What it resembles.
        known: &'static str,
    },
    /// A binary value is not written as the dialect writes it.
    #[error("{member} is not standard base64")]
    Base64 {
        /// Where.
        member: &'static str,
    },
    /// A text that clients cannot put into a file.
    #[error("a control character in a string")]
    ControlCharacter,
    /// A delegation's name is not a role's.
    #[error("a delegation's name cannot be read")]
    DelegationName(#[source] InvalidRoleName),
    /// One delegation stands twice in one file.
    #[error("{role} is delegated to twice")]
    DuplicateDelegation {
        /// Which.
        role: RoleName,
    },
    /// One member stands twice in one object; readers differ in which one they believe.
    #[error("member {member:?} stands twice in one object")]
    DuplicateMember {
        /// Its name.
        member: Box<str>,
    },
    /// Not a date and time.
    #[error("its expiry cannot be read")]
    Expires(#[source] InvalidTime),
    /// What canonical form cannot carry, or not exactly.
    #[error("a number is no integer that signatures can cover")]
    FractionalNumber,
    /// A digest of the wrong length.
    #[error("a {algorithm} digest has the wrong length")]
    HashLength {
        /// Which.
        algorithm: &'static str,
    },
    /// Not a hexadecimal SHA-256, or not the one of the key that it names.
    #[error("a key id is not the hash of a key")]
    KeyId,
    /// A member is not there, or null where it must not be.
    #[error("{member} is missing")]
    Missing {
        /// Which.
        member: &'static str,
    },
    /// A document is named without a digest that can be checked.
    #[error("the entry for {role} has no digest that it needs")]
    MissingHash {
        /// Which document.
        role: RoleName,
    },
    /// A document that has to be named is not.
    #[error("no entry for {role}")]
    MissingRole {
        /// Which.
        role: RoleName,
    },
    /// A target that cannot be pulled, met where it would have to be written anew.
    #[error("the entry for tag {tag} has no SHA-256")]
    MissingTargetHash {
        /// Which tag.
        tag: Tag,
    },
    /// A delegation's name is not that of a child of this role.
    #[error("{role} is no child of the role that delegates to it")]
    NotAChild {
        /// As written.
        role: RoleName,
    },
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Not one JSON value, or bytes follow it.
    #[error("no JSON at line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Zero, negative or no 32-bit integer.
    #[error("the threshold of {role} is no positive integer")]
    Threshold {
        /// Whose.
        role: RoleName,
    },
    /// Arrays and objects nest deeper than the limit.
    #[error("nests deeper than {limit}")]
    TooDeep {
        /// [`super::Limits::depth`].
        limit: usize,
    },
    /// More bytes than the limit.
    #[error("{actual} bytes, the limit is {limit}")]
    TooLarge {
        /// Of [`super::Limits`].
        limit: usize,
        /// What there is.
        actual: usize,
    },
    /// More of something than the limit.
    #[error("more than {limit} {what}")]
    TooMany {
        /// In the plural.
        what: &'static str,
        /// Of [`super::Limits`].
        limit: usize,
    },
    /// A role lists a key that the file does not describe.
    #[error("{role} lists key {key}, which the file does not describe")]
    UnknownKey {
        /// Who lists it.
        role: RoleName,
        /// Which.
        key: KeyId,
    },
    /// Below zero.
    #[error("a negative version")]
    VersionNegative,
    /// Written with a fraction or an exponent, or not a number at all.
    #[error("the version is not written as an integer")]
    VersionNotAnInteger,
    /// Above 2^53 - 1, where signatures no longer tell neighbours apart.
    #[error("a version above 2^53 - 1")]
    VersionTooLarge,
    /// Zero, where versions count from 1.
    #[error("version 0")]
    VersionZero,
    /// A file of another role.
    #[error("the file does not say that it is of type {expected}")]
    WrongRole {
        /// As the dialect spells it.
        expected: &'static str,
    },
    /// A value of another JSON type.
    #[error("{member} is not {expected}")]
    WrongType {
        /// Which.
        member: &'static str,
        /// With its article.
        expected: &'static str,
    },
}
