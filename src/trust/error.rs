use crate::crypto::KeyId;
use crate::metadata::FileMeta;
use crate::terms::{RoleName, Sha256, Threshold, UnixTime, Version};

/// Which rule of trust a file broke: what was expected and what was found.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Past its time.
    #[error("expired at {expires}, and it is {now}")]
    Expired {
        /// As the file says.
        expires: UnixTime,
        /// As the caller said.
        now: UnixTime,
    },
    /// A listed key's id is not the hash of what is listed under it.
    #[error("the key listed as {key} has another id than the hash of its content")]
    KeyIdMismatch {
        /// As listed.
        key: KeyId,
    },
    /// The files name a role whose file is not there.
    #[error("{role} is named, but its file is missing")]
    Missing {
        /// Whose file.
        role: RoleName,
    },
    /// The new root is not signed by enough keys of the root before it.
    #[error("{valid} of the {threshold} root keys needed from root {trusted} have signed the new root")]
    NotSignedByTrustedRoot {
        /// Distinct keys that did.
        valid: usize,
        /// What the trusted root asks for.
        threshold: Threshold,
        /// The trusted root.
        trusted: Version,
    },
    /// No key of the root role is a valid certificate for this repository.
    #[error("no root key is a certificate that is valid now, strong enough, and names this repository")]
    NoRootCertificate,
    /// The file bears no signature at all.
    #[error("it bears no signature")]
    NoSignatures,
    /// A role of the set is not named by the file that has to name it.
    #[error("{listed_by} does not name {role}, which is part of the repository")]
    NotListed {
        /// Who has to name it.
        listed_by: RoleName,
        /// Who is not named.
        role: RoleName,
    },
    /// An older version than the trusted one.
    #[error("version {offered} is older than the trusted version {trusted}")]
    Rollback {
        /// What is trusted.
        trusted: Version,
        /// What was offered.
        offered: Version,
    },
    /// Two different files of one version.
    #[error("version {version} is already known with other content")]
    SameVersion {
        /// Of both.
        version: Version,
    },
    /// Too few distinct keys of the role have signed.
    #[error("{valid} of the {threshold} keys needed have signed")]
    TooFewKeys {
        /// Distinct keys whose signature is valid.
        valid: usize,
        /// What the delegating role asks for.
        threshold: Threshold,
    },
    /// The role above does not delegate to this one.
    #[error("no delegation to {role} exists")]
    UnknownDelegation {
        /// Who is not known.
        role: RoleName,
    },
    /// A root that is not exactly one up.
    #[error("a new root must be version {}, this one is {offered}", one_up(*trusted))]
    VersionGap {
        /// What is trusted; `None` where nothing was, and the first may be 1 or 2.
        trusted: Option<Version>,
        /// What was offered.
        offered: Version,
    },
    /// A certificate among a delegation's keys is signed over a broken digest, or its key is too small.
    #[error("the certificate of key {key} is too weak")]
    WeakCertificate {
        /// As listed.
        key: KeyId,
    },
    /// A file's bytes are not what the file above names.
    #[error(
        "{listed_by} names {} bytes of {role}{}, but there are {length} with SHA-256 {sha256}",
        listed.length,
        with(listed.sha256.as_ref())
    )]
    WrongContent {
        /// Who names them.
        listed_by: RoleName,
        /// Whose bytes.
        role: RoleName,
        /// As named. Where length and SHA-256 are those of the bytes at hand, it is SHA-512 that differs.
        listed: Box<FileMeta>,
        /// Of the bytes at hand.
        length: usize,
        /// Of the bytes at hand.
        sha256: Sha256,
    },
}

fn with(sha256: Option<&Sha256>) -> String {
    sha256.map_or_else(String::new, |sha256| format!(" with SHA-256 {sha256}"))
}

fn one_up(trusted: Option<Version>) -> String {
    match trusted.map(Version::next) {
        None => "1 or 2".to_owned(),
        Some(Some(next)) => next.to_string(),
        Some(None) => "none, as the highest is reached".to_owned(),
    }
}
