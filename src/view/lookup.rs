//! The hot path, and nothing else.

use std::fmt;

use crate::catalog::{Lookup, Resolved};
use crate::recover::Loader;
use crate::storage::StorageError;
use crate::terms::{RepositoryName, UnixTime};

/// What `tag` stands for. Warm: no lock, no disk, no allocation. Cold: one load of the repository's table.
#[inline]
pub(crate) fn lookup(
    loader: &Loader,
    repository: &str,
    tag: &str,
    now: UnixTime,
) -> Result<Lookup, StorageError> {
    loader.catalog.lookup(repository, tag, now, || cold(loader, repository, tag, now))
}

/// As many answers as questions, in their order. The memory is read for many of them at a time.
pub(crate) fn lookup_many(
    loader: &Loader,
    questions: &[(&str, &str)],
    now: UnixTime,
) -> Result<Vec<Lookup>, StorageError> {
    loader.catalog.lookup_many(questions, now, |repository, tag| cold(loader, repository, tag, now))
}

/// One repository, found once for many lookups: for those who ask it often.
///
/// Each answer is what is newest at that moment, as from the store itself; publications and deletions meanwhile are seen.
pub struct Repository<'a> {
    loader: &'a Loader,
    found: Resolved<'a>,
}

impl<'a> Repository<'a> {
    pub(crate) fn new(loader: &'a Loader, repository: &'a str) -> Self {
        Self { loader, found: loader.catalog.resolve(repository) }
    }

    /// What `tag` stands for at `now`, as `Store::lookup` says it.
    ///
    /// # Errors
    /// [`StorageError`] only where the repository is cold and cannot be loaded.
    ///
    /// # Cost
    /// Warm: one hash and one probe in memory, no lock; the repository's name is looked for only after something changed.
    /// Cold: one load of the repository.
    #[inline]
    pub fn lookup(&self, tag: &str, now: UnixTime) -> Result<Lookup, StorageError> {
        self.found.lookup(tag, now, || cold(self.loader, self.found.name(), tag, now))
    }
}

impl fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("name", &self.found.name()).finish_non_exhaustive()
    }
}

#[cold]
fn cold(loader: &Loader, repository: &str, tag: &str, now: UnixTime) -> Result<Lookup, StorageError> {
    let Ok(name) = repository.parse::<RepositoryName>() else { return Ok(Lookup::NoSuchRepository) };
    let from_documents = || {
        let current = loader.current(&name)?;
        Ok(current.map_or(Lookup::NoSuchRepository, |current| current.state.tags.lookup(tag, now)))
    };
    loader.load_table(&name);
    loader.catalog.lookup(repository, tag, now, from_documents)
}
