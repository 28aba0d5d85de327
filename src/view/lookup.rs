//! The hot path, and nothing else.

use crate::catalog::Lookup;
use crate::recover::Loader;
use crate::storage::StorageError;
use crate::terms::{RepositoryName, UnixTime};

/// What `tag` stands for. Warm: no lock, no disk, no allocation. Cold: one load of the repository's state.
pub(crate) fn lookup(
    loader: &Loader,
    repository: &str,
    tag: &str,
    now: UnixTime,
) -> Result<Lookup, StorageError> {
    let warm = loader.catalog.with_entry(repository, |entry| match entry {
        None => Some(Lookup::NoSuchRepository),
        Some(entry) => entry.with(|current| current.map(|current| current.state.tags.lookup(tag, now))),
    });
    warm.map_or_else(|| cold(loader, repository, tag, now), Ok)
}

#[cold]
fn cold(loader: &Loader, repository: &str, tag: &str, now: UnixTime) -> Result<Lookup, StorageError> {
    let Ok(repository) = repository.parse::<RepositoryName>() else { return Ok(Lookup::NoSuchRepository) };
    let current = loader.current(&repository)?;
    Ok(current.map_or(Lookup::NoSuchRepository, |current| current.state.tags.lookup(tag, now)))
}
