use crate::terms::{Incarnation, Position, Revision, RoleName, Sha256, Tag, UnixTime, Version};
use crate::trust::TrustError;

/// What a publisher gets back: durable, and visible to every later reader.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Receipt {
    /// Of the commit, in the order of all commits of the store.
    pub position: Position,
    /// Which life of the repository.
    pub incarnation: Incarnation,
    /// How many publications that life has seen, this one included.
    pub revision: Revision,
    /// What is new, those files included that the store signed itself; empty where a mirrored set was known already.
    pub documents: Vec<(RoleName, Version, Sha256)>,
    /// What was accepted although clients will complain of it.
    pub warnings: Vec<Warning>,
}

/// A fault that does not refuse a publication, since refusing would lock out whoever comes to mend it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A file that was there before has expired. Its signers must sign anew.
    #[error("{role} expired at {expires}: its signers must sign it anew")]
    Expired {
        /// Whose file.
        role: RoleName,
        /// Since when.
        expires: UnixTime,
    },
    /// The snapshot names a file of a role that nobody delegates to; no client asks for it.
    #[error("the snapshot names {role}, which nobody delegates to")]
    Stray {
        /// The role.
        role: RoleName,
    },
    /// A delegation's file is not signed by its present keys. Clients skip it until its signers sign anew.
    #[error("{role} is skipped by clients until its signers sign it anew")]
    Untrusted {
        /// Whose file.
        role: RoleName,
        /// Which rule it breaks.
        source: TrustError,
    },
    /// A delegation names tags outside its paths. Clients do not see them.
    #[error("{role} names {count} tags outside its paths, {first} among them, which clients do not see")]
    OutsidePaths {
        /// Whose file.
        role: RoleName,
        /// How many.
        count: usize,
        /// One of them.
        first: Tag,
    },
}
