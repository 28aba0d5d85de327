//! What was published before, bit for bit.

use std::fmt;
use std::sync::Arc;
use std::vec;

use crate::metadata::Document;
use crate::storage::{Found, RecordHeader, Storage, StorageError, StoredDocument, Wanted};
use crate::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version};

/// How a document of the past is named.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the wire has these two")]
pub enum Which {
    /// By version. After a delegation was removed and made anew a version may stand twice: the newest answers.
    Version(Version),
    /// By SHA-256 of its bytes.
    Sha256(Sha256),
}

impl From<Version> for Which {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

impl From<Sha256> for Which {
    fn from(sha256: Sha256) -> Self {
        Self::Sha256(sha256)
    }
}

/// A document of a repository's history.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// The document.
    pub document: Document,
    /// When it was published: the publisher's `now`.
    pub time: UnixTime,
}

/// The document, digests checked, or `None` if this life of the repository never published it.
pub(crate) fn history(
    storage: &dyn Storage,
    repository: &RepositoryName,
    role: &RoleName,
    which: Which,
) -> Result<Option<Published>, StorageError> {
    let wanted = match which {
        Which::Version(version) => Wanted::Version(role.clone(), version),
        Which::Sha256(sha256) => Wanted::Digest(role.clone(), sha256),
    };
    let found = storage.find(repository, &wanted)?;
    Ok(found.map(|Found { document: StoredDocument { role, version, sha256, bytes }, time }| Published {
        document: Document::stored(role, version, sha256, bytes),
        time,
    }))
}

/// One document of a repository's history, without its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DocumentEntry {
    /// Of the commit that published it.
    pub position: Position,
    /// The committer's `now`.
    pub time: UnixTime,
    /// Whose file it is.
    pub role: RoleName,
    /// Its version.
    pub version: Version,
    /// Of its exact bytes: what asks for them.
    pub sha256: Sha256,
    /// Of the same.
    pub length: u64,
}

/// Every document that the present life of a repository has published, oldest first. Reads the headers of its records as
/// it goes; those of all records, in pages, where the index does not know which they are.
pub struct Documents {
    storage: Arc<dyn Storage>,
    /// Whose, and which life of it; `None` where nothing lives, or once reading has failed.
    of: Option<(RepositoryName, Incarnation)>,
    /// Of the records that are still to be read; `None` if every one has to be looked at.
    known: Option<vec::IntoIter<Position>>,
    /// Of the record that was read last, and its revision.
    after: Position,
    revision: Revision,
    page: vec::IntoIter<DocumentEntry>,
}

impl Documents {
    const PAGE: usize = 256;

    pub(crate) fn new(storage: Arc<dyn Storage>, repository: &RepositoryName) -> Self {
        let head = storage.head(repository).filter(|head| !head.deleted);
        let known = storage.positions(repository).map(Vec::into_iter);
        let of = head.map(|head| (repository.clone(), head.incarnation));
        Self {
            storage,
            of,
            known,
            after: Position::START,
            revision: Revision::NONE,
            page: Vec::new().into_iter(),
        }
    }

    /// The next headers, theirs or not; none at the end.
    fn headers(&mut self) -> Result<Vec<RecordHeader>, StorageError> {
        match &mut self.known {
            None => self.storage.headers(self.after, Self::PAGE),
            Some(known) => match known.next() {
                Some(position) => self.storage.headers(Position::new(position.get().saturating_sub(1)), 1),
                None => Ok(Vec::new()),
            },
        }
    }
}

impl Iterator for Documents {
    type Item = Result<DocumentEntry, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            let (repository, incarnation) = self.of.clone()?;
            let headers = match self.headers() {
                Ok(headers) => headers,
                Err(error) => {
                    self.of = None;
                    return Some(Err(error));
                }
            };
            let theirs =
                |header: &RecordHeader| header.repository == repository && header.incarnation == incarnation;
            let follows = |header: &RecordHeader| theirs(header) && header.revision == self.revision.next();
            if self.known.is_some() && !headers.iter().all(follows) {
                // The index leads elsewhere, or past a record: from here on, every one is looked at.
                self.known = None;
                continue;
            }
            let newest = headers.last()?;
            (self.after, self.revision) = (newest.position, newest.revision);
            let entries: Vec<_> = headers.into_iter().filter(theirs).flat_map(entries).collect();
            self.page = entries.into_iter();
        }
    }
}

fn entries(header: RecordHeader) -> impl Iterator<Item = DocumentEntry> {
    let RecordHeader { position, time, documents, .. } = header;
    documents.into_iter().map(move |document| DocumentEntry {
        position,
        time,
        role: document.role,
        version: document.version,
        sha256: document.sha256,
        length: document.length,
    })
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("of", &self.of).field("after", &self.after).finish_non_exhaustive()
    }
}
