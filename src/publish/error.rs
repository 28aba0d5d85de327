use crate::crypto::{OnlineKeyError, OnlineRole};
use crate::metadata::ParseError;
use crate::metadata::write::WriteError;
use crate::storage::StorageError;
use crate::terms::{RoleName, Version};
use crate::trust::TrustError;

/// Who has to act on a refusal. Complete by definition, so that callers match it without a wildcard.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a new answer to `who acts` must break every caller")]
pub enum Fault {
    /// Who sent it: what was sent can never be taken.
    Publisher,
    /// Whoever came second: look at the newer state, then send anew.
    Race,
    /// Who runs the store.
    Operator,
}

/// Why a publication was refused. Except for [`PublishError::Storage`], nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The repository was deleted, and perhaps begun anew, while this publication was verified.
    #[error("the repository was deleted meanwhile")]
    LifeEnded,
    /// A file cannot be read.
    #[error("{role} cannot be read")]
    Malformed {
        /// Whose file.
        role: RoleName,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A first publication lacks a file that every repository has.
    #[error("nothing is published under this name yet, and the upload has no {role}")]
    Missing {
        /// Whose file.
        role: RoleName,
    },
    /// A role that the publisher did not sign, and for which the store holds too few of the keys that the root lists.
    #[error("the {} has to be signed, and the keys held here do not suffice", RoleName::from(*role))]
    NotHeld {
        /// Which role.
        role: OnlineRole,
    },
    /// The online keys could not be used.
    #[error("the online keys cannot be used")]
    OnlineKeys(#[from] OnlineKeyError),
    /// The upload has two files of one role.
    #[error("the upload has two files of {role}")]
    Repeated {
        /// Which role.
        role: RoleName,
    },
    /// The outcome is unknown: the publication is whole or absent. The store takes no more writes until it is reopened.
    /// Before the write (a cold load that failed) nothing was written.
    #[error("storage failed")]
    Storage(#[from] StorageError),
    /// The repository already has this role at that version or a later one.
    #[error("{role} version {offered} comes too late: version {current} is published")]
    Superseded {
        /// Which role.
        role: RoleName,
        /// What is published.
        current: Version,
        /// What was sent.
        offered: Version,
    },
    /// A file that clients would not believe.
    #[error("{role} is not trusted")]
    Untrusted {
        /// Whose file.
        role: RoleName,
        /// Which rule it broke.
        source: TrustError,
    },
    /// What has to be signed here cannot be written down: the clock or the configured lifetime is beyond all dates.
    #[error("{role} cannot be written")]
    Unwritable {
        /// Which role.
        role: RoleName,
        /// Why.
        source: WriteError,
    },
}

impl PublishError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::LifeEnded | Self::Superseded { .. } => Fault::Race,
            Self::OnlineKeys(_) | Self::Storage(_) | Self::Unwritable { .. } => Fault::Operator,
            Self::Malformed { .. }
            | Self::Missing { .. }
            | Self::NotHeld { .. }
            | Self::Repeated { .. }
            | Self::Untrusted { .. } => Fault::Publisher,
        }
    }
}

/// Why a set that was signed elsewhere was not taken. Except for [`MirrorError::Storage`], nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The repository was deleted, and perhaps begun anew, while this set was verified.
    #[error("the repository was deleted meanwhile")]
    LifeEnded,
    /// A file cannot be read.
    #[error("{role} cannot be read")]
    Malformed {
        /// Whose file.
        role: RoleName,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The set has no root to begin with.
    #[error("the set has no root, and none is trusted yet")]
    NoRoot,
    /// See [`PublishError::Storage`].
    #[error("storage failed")]
    Storage(#[from] StorageError),
    /// A file that clients would not believe.
    #[error("{role} is not trusted")]
    Untrusted {
        /// Whose file.
        role: RoleName,
        /// Which rule it broke.
        source: TrustError,
    },
}

impl MirrorError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::LifeEnded => Fault::Race,
            Self::Storage(_) => Fault::Operator,
            Self::Malformed { .. } | Self::NoRoot | Self::Untrusted { .. } => Fault::Publisher,
        }
    }
}

/// Why a repository was not deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// See [`PublishError::Storage`].
    #[error("storage failed")]
    Storage(#[from] StorageError),
}

impl DeleteError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        Fault::Operator
    }
}

/// Why settings were not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// They were made from others than the present ones: read those, and make the change again.
    #[error("the settings have changed meanwhile")]
    Superseded,
    /// See [`PublishError::Storage`].
    #[error("storage failed")]
    Storage(#[from] StorageError),
}

impl SettingsError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Superseded => Fault::Race,
            Self::Storage(_) => Fault::Operator,
        }
    }
}

/// Why no public key of an online role can be given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnlineKeyRefused {
    /// The online keys could not be used.
    #[error("the online keys cannot be used")]
    OnlineKeys(#[from] OnlineKeyError),
    /// The repository could not be loaded.
    #[error("storage failed")]
    Storage(#[from] StorageError),
}
