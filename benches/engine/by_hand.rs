//! A trust store's data in sled, as a user of sled would write it: three trees, a transaction over them, a flush.
//!
//! It checks no signature, no digest and no version, and its `flush()` makes nothing durable.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use sled::transaction::{ConflictableTransactionError, TransactionResult, Transactional};
use sled::{Db, Tree};
use tufstore::Store;
use tufstore::crypto::sha256;
use tufstore::terms::{RepositoryName, RoleName, Sha256};

pub(crate) struct ByHand {
    folder: PathBuf,
    db: Db,
    /// `repository NUL tag` -> digest, length.
    tags: Tree,
    /// `repository NUL role` -> digest of its newest document.
    heads: Tree,
    /// Digest -> bytes.
    documents: Tree,
}

/// What changes in one publication.
pub(crate) struct Change {
    pub(crate) documents: Vec<(RoleName, Vec<u8>)>,
    pub(crate) tags: Vec<(String, Sha256, u64)>,
}

impl ByHand {
    pub(crate) fn open(folder: &Path) -> Self {
        let db = sled::open(folder).unwrap();
        let tree = |name| db.open_tree(name).unwrap();
        let (tags, heads, documents) = (tree("tags"), tree("heads"), tree("documents"));
        Self { folder: folder.to_owned(), db, tags, heads, documents }
    }

    /// The same as `store` holds of a repository.
    pub(crate) fn copy(&self, store: &Store, repository: &RepositoryName) {
        let view = store.view(repository).unwrap().unwrap();
        let documents = view.documents().map(|document| (document.role().clone(), document.bytes().to_vec()));
        let tags = view.tags().map(|(tag, target)| (tag.to_owned(), target.sha256, target.length));
        self.publish(repository.as_str(), &Change { documents: documents.collect(), tags: tags.collect() });
    }

    /// Digest and length of what a tag stands for.
    pub(crate) fn lookup(&self, repository: &str, tag: &str) -> Option<([u8; 32], u64)> {
        let value = self.tags.get(key(repository, tag)).unwrap()?;
        let (digest, length) = value.split_first_chunk()?;
        Some((*digest, u64::from_le_bytes(*length.first_chunk()?)))
    }

    /// The newest document of a role. Nothing keeps another role's of a later publication from being read after it.
    pub(crate) fn document(&self, repository: &str, role: &RoleName) -> Option<sled::IVec> {
        let digest = self.heads.get(key(repository, role.as_str())).unwrap()?;
        self.documents.get(digest).unwrap()
    }

    /// What `flush()` leaves out: makes durable what it wrote, but for values large enough to have files of their own.
    pub(crate) fn sync(&self) {
        OpenOptions::new().write(true).open(self.folder.join("db")).unwrap().sync_data().unwrap();
    }

    pub(crate) fn publish(&self, repository: &str, change: &Change) {
        let written: TransactionResult<(), sled::Error> = (&self.tags, &self.heads, &self.documents)
            .transaction(|(tags, heads, documents)| {
                for (role, bytes) in &change.documents {
                    let digest = sha256(bytes);
                    documents.insert(digest.as_bytes(), bytes.as_slice())?;
                    heads.insert(key(repository, role.as_str()), digest.as_bytes())?;
                }
                for (tag, digest, length) in &change.tags {
                    let mut value = digest.as_bytes().to_vec();
                    value.extend(length.to_le_bytes());
                    tags.insert(key(repository, tag), value)?;
                }
                Ok::<_, ConflictableTransactionError>(())
            });
        written.unwrap();
        self.db.flush().unwrap();
    }
}

fn key(repository: &str, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(repository.len() + 1 + name.len());
    key.extend(repository.as_bytes());
    key.push(0);
    key.extend(name.as_bytes());
    key
}
