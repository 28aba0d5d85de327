use tufstore::ParseError;
use tufstore::crypto::InvalidCertificate;
use tufstore::metadata::write::WriteError;
use tufstore::terms::{RepositoryName, RoleName, Threshold};
use tufstore_keys::{CertificateError, KeyError};

/// Why an author could not make or sign what was asked for. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorError {
    /// A root certificate could not be made.
    #[error("no root certificate could be made")]
    Certificate(#[from] CertificateError),
    /// A root certificate cannot be listed.
    #[error("the root certificate is of no use")]
    InvalidCertificate(#[from] InvalidCertificate),
    /// A private key could not be made or used.
    #[error("a private key could not be made or used")]
    Key(#[from] KeyError),
    /// No later version can be written.
    #[error("{role} has reached the last version there is")]
    LastVersion {
        /// Whose file.
        role: RoleName,
    },
    /// A role would have fewer keys than its threshold asks for.
    #[error("{role} needs {threshold} keys to sign, and has {keys}")]
    NeverMet {
        /// Whose keys.
        role: RoleName,
        /// How many must sign.
        threshold: Threshold,
        /// How many different ones there are.
        keys: usize,
    },
    /// The author begins a repository without a key that every repository needs.
    #[error("there is no private key for {role} of {repository}")]
    NoKey {
        /// Of which collection.
        repository: RepositoryName,
        /// Whose key.
        role: RoleName,
    },
    /// Too few of the keys that have to sign are the author's.
    #[error("{role} needs the signatures of {threshold} of its keys, the author holds {held}")]
    NotHeld {
        /// Whose file.
        role: RoleName,
        /// How many must sign.
        threshold: Threshold,
        /// How many can.
        held: usize,
    },
    /// The name is that of no delegation, or its parent does not exist.
    #[error("nobody delegates to {role}")]
    UnknownDelegation {
        /// Which.
        role: RoleName,
    },
    /// The server made the newest snapshot, and this author has not seen it.
    #[error("the newest snapshot is not known: resume from what the store serves")]
    UnseenSnapshot,
    /// A file that the store serves cannot be gone on from.
    #[error("{role} cannot be gone on from")]
    Unreadable {
        /// Whose file.
        role: RoleName,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The content is none that a reader would take.
    #[error("{role} cannot be written")]
    Unwritable {
        /// Whose file.
        role: RoleName,
        /// What it is.
        source: WriteError,
    },
}
