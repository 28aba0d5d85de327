//! What finds a document in the journal: (life, role, version) and (life, role, SHA-256) to Position.
//!
//! An index names Positions, never places in files. It may lose, tear or forget anything: it is brought up to date or made
//! anew from the journal, and what it answers is checked against the journal by whoever asked. An index is a small
//! [`Index`]; the store uses it through [`Behind`], which writes it behind the journal.

mod behind;
#[cfg(any(feature = "sled", feature = "redb"))]
mod encoding;
mod impatient;
mod memory;
mod place;
mod prebuilt;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sled")]
mod sled;

pub(crate) use behind::Behind;
pub use place::IndexKind;
pub(crate) use place::reached_by_copy;
#[cfg(test)]
pub(crate) use {impatient::Patience, memory::MemoryIndex};

use prebuilt::Rows;

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

/// What an index keeps of an entry: hashes of names. Two entries that are not the same never have the same row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Row {
    /// See [`Life::hash`].
    pub(crate) life: [u8; 24],
    /// The first bytes of BLAKE3 of its name.
    pub(crate) role: [u8; 16],
    pub(crate) version: u64,
    pub(crate) sha256: Sha256,
    pub(crate) position: Position,
}

impl Row {
    pub(crate) fn of(entry: &Entry) -> Self {
        let life = Life { repository: &entry.repository, incarnation: entry.incarnation };
        Self {
            life: life.hash(),
            role: short_hash(entry.role.as_str()),
            version: entry.version.get(),
            sha256: entry.sha256,
            position: entry.position,
        }
    }
}

fn short_hash(text: &str) -> [u8; 16] {
    let hash = blake3::hash(text.as_bytes());
    let mut short = [0; 16];
    short.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

impl Life<'_> {
    /// The first 16 bytes of BLAKE3 of the repository's name, and the incarnation.
    pub(crate) fn hash(&self) -> [u8; 24] {
        let mut hash = [0; 24];
        let bytes =
            short_hash(self.repository.as_str()).into_iter().chain(self.incarnation.get().to_be_bytes());
        hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        hash
    }

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
    /// The key-value store below refused.
    #[cfg(feature = "redb")]
    #[error("the index's store failed")]
    Redb(#[source] std::sync::Arc<::redb::Error>),
    /// What is in it was not written by this release or was damaged.
    #[cfg(any(test, feature = "sled", feature = "redb"))]
    #[error("the index holds what cannot be read: {0}")]
    Unreadable(&'static str),
    /// The key-value store below panicked, as it does on damage.
    #[error("the index's store panicked")]
    Panicked,
    /// This build of the crate was made without the store that was asked for.
    #[error("this build cannot have its index in {}", .0.display())]
    NotBuiltIn(std::path::PathBuf),
    /// Its file or folder could not be replaced or measured.
    #[error("the index's files cannot be replaced")]
    Folder(#[from] std::sync::Arc<std::io::Error>),
    /// It did not answer in time.
    #[error("the index hangs")]
    Hangs,
    /// An earlier write failed; the index stands still until it is made anew.
    #[error("an earlier write to the index failed")]
    StandsStill,
}

#[cfg(feature = "redb")]
impl From<::redb::Error> for IndexError {
    fn from(error: ::redb::Error) -> Self {
        Self::Redb(std::sync::Arc::new(error))
    }
}

#[cfg(feature = "redb")]
impl From<::redb::StorageError> for IndexError {
    fn from(error: ::redb::StorageError) -> Self {
        ::redb::Error::from(error).into()
    }
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

    /// Where the documents of a life stand, one for each, in any order.
    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError>;

    /// Shows what it has of every entry, in any order.
    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError>;

    /// Keeps rows beside its entries, or forgets them, in one step. One in memory keeps none.
    fn keep(&self, _rows: Rows) -> Result<(), IndexError> {
        Ok(())
    }

    /// Shows what is kept under each of the keys, up to the first under which nothing is.
    fn kept(&self, _keys: &[Vec<u8>], _visit: &mut dyn FnMut(&[u8])) -> Result<(), IndexError> {
        Ok(())
    }

    /// Hands what was applied to the operating system.
    fn flush(&self) -> Result<(), IndexError>;

    /// Empties it, and gives its room back.
    fn clear(&self) -> Result<(), IndexError>;

    /// Bytes on disk.
    fn size(&self) -> Result<u64, IndexError>;

    /// Whether it could hang otherwise than because its disk does. Asking one that could takes some microseconds more.
    fn may_hang(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
