//! A door for `benches/peers`: the storage seam without what stands above it. Not part of the API.

use std::path::Path;
use std::sync::Arc;

use crate::storage::local::{LocalOptions, LocalStorage};
use crate::storage::{Commit, Outcome, Prepared, Record, RecordKind, Storage, StorageError, StoredDocument};
use crate::terms::{Incarnation, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version};

/// A folder that takes records which nobody verified.
pub struct Seam(LocalStorage);

/// What has nothing left to do but to be written.
pub struct Ready(Prepared);

impl Seam {
    /// As a store opens it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        Ok(Self(LocalStorage::open(folder, &LocalOptions::default())?))
    }

    /// The `number`th record of a repository, from 1 on: one document of these bytes.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn prepare(
        &self,
        repository: &RepositoryName,
        number: u64,
        bytes: Arc<[u8]>,
    ) -> Result<Ready, StorageError> {
        let version = Version::new(number).unwrap_or(Version::FIRST);
        let sha256 = Sha256::new(*blake3::hash(&bytes).as_bytes());
        let document = StoredDocument { role: RoleName::Targets, version, sha256, bytes };
        let record = Record {
            kind: RecordKind::Publication,
            repository: repository.clone(),
            incarnation: Incarnation::FIRST,
            revision: Revision::new(number),
            time: UnixTime::from_seconds(0),
            timestamp: None,
            documents: vec![document],
            attachment: [].into(),
            note: None,
        };
        let before = number.checked_sub(1).filter(|before| *before > 0);
        let base = before.map(|before| (Incarnation::FIRST, Revision::new(before)));
        self.0.prepare(Commit { base, replaced: Vec::new(), record }).map(Ready)
    }

    /// Writes them with one sync; answers whether all of them are durable.
    pub fn commit(&self, group: Vec<Ready>) -> bool {
        let outcomes = self.0.commit(group.into_iter().map(|Ready(prepared)| prepared).collect());
        outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed(_)))
    }

    /// Cuts the journal's files to what is in them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn close(&self) -> Result<(), StorageError> {
        self.0.close()
    }
}
