//! What finds a document in the journal: (life, role, version) and (life, role, SHA-256) to Position.
//!
//! An index names Positions, never places in files. It may lose, tear or forget anything: it is brought up to date or made
//! anew from the journal, and what it answers is checked against the journal by whoever asked. An index is a small
//! [`Index`]; the store uses it through [`Behind`], which writes it behind the journal.

mod behind;
mod memory;
#[cfg(feature = "sled")]
mod sled;

pub(crate) use behind::Behind;

use crate::terms::{Incarnation, Position, RepositoryName, RoleName, Sha256, Version};

/// One document's finding place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Entry {
    pub(crate) repository: RepositoryName,
    pub(crate) incarnation: Incarnation,
    pub(crate) role: RoleName,
    pub(crate) version: Version,
    pub(crate) sha256: Sha256,
    pub(crate) position: Position,
}

/// How far an index has been brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reached {
    /// Of the newest record in it.
    pub(crate) position: Position,
    /// BLAKE3 of that record's header.
    pub(crate) chain: [u8; 32],
}

/// One life of one repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life<'a> {
    pub(crate) repository: &'a RepositoryName,
    pub(crate) incarnation: Incarnation,
}

impl Life<'_> {
    fn holds(&self, entry: &Entry) -> bool {
        *self.repository == entry.repository && self.incarnation == entry.incarnation
    }
}

/// Why the index could not answer or be written. The journal still can.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum IndexError {
    /// The key-value store below refused.
    #[cfg(feature = "sled")]
    #[error("the index's store failed")]
    Sled(#[from] ::sled::Error),
    /// What is in it was not written by this release or was damaged.
    #[cfg(any(test, feature = "sled"))]
    #[error("the index holds what cannot be read: {0}")]
    Unreadable(&'static str),
    /// The key-value store below panicked, as it does on damage.
    #[error("the index's store panicked")]
    Panicked,
    /// A folder could not be replaced.
    #[cfg(feature = "sled")]
    #[error("the index's folder cannot be replaced")]
    Folder(#[from] std::sync::Arc<std::io::Error>),
    /// An earlier write failed; the index stands still until it is made anew.
    #[error("an earlier write to the index failed")]
    StandsStill,
}

/// A store of entries. May be slow, and may fail; it never has to be right.
pub(crate) trait Index: Send + Sync + 'static {
    /// How far it was brought; `None` when it is new.
    fn reached(&self) -> Result<Option<Reached>, IndexError>;

    /// Adds entries and says how far they reach, in one step. Entries that are there already change nothing.
    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError>;

    /// Where the newest document of this version stands.
    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError>;

    /// Where the newest document with this digest stands.
    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError>;

    /// How many documents of a life it knows, counted from the entries themselves.
    fn count(&self, life: Life<'_>) -> Result<u64, IndexError>;

    /// Shows every entry, in any order.
    fn entries(&self, visit: &mut dyn FnMut(Entry)) -> Result<(), IndexError>;

    /// Hands what was applied to the operating system.
    fn flush(&self) -> Result<(), IndexError>;

    /// Empties it.
    fn clear(&self) -> Result<(), IndexError>;

    /// Bytes on disk.
    fn size(&self) -> Result<u64, IndexError>;
}

#[cfg(test)]
mod tests;
