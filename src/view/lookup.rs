//! The hot path, and nothing else.

use std::fmt;

use crate::catalog::{Asked, Entry, Lookup, Pinned};
use crate::recover::Loader;
use crate::storage::StorageError;
use crate::terms::{RepositoryName, UnixTime};

/// Answers many questions one after the other, faster than `Store::lookup` each.
///
/// Each answer is what is newest at that moment, as from the store itself. What publications replace meanwhile is freed only
/// after the reader is dropped: take one for a stretch of questions, not for good.
pub struct Reader<'a> {
    loader: &'a Loader,
    catalog: Pinned<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(loader: &'a Loader) -> Self {
        Self { loader, catalog: loader.catalog.pin() }
    }

    /// What `tag` stands for at `now`, as `Store::lookup` says it.
    ///
    /// # Errors
    /// [`StorageError`] only where the repository is cold and cannot be loaded.
    ///
    /// # Cost
    /// Warm: two hashes and two probes in memory, nothing written; the processor overlaps calls that follow each other. Cold:
    /// one load of the repository.
    #[inline]
    pub fn lookup(&self, repository: &str, tag: &str, now: UnixTime) -> Result<Lookup, StorageError> {
        let Some(asked) = Asked::new(repository) else { return Ok(Lookup::NoSuchRepository) };
        match self.catalog.get(&asked) {
            None => Ok(Lookup::NoSuchRepository),
            Some(entry) => match entry.tags() {
                Some(tags) => Ok(tags.lookup(tag, now)),
                None => cold(self.loader, repository, tag, now),
            },
        }
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// What `tag` stands for. Warm: no lock, no disk, no allocation. Cold: one load of the repository's state.
#[inline]
pub(crate) fn lookup(
    loader: &Loader,
    repository: &str,
    tag: &str,
    now: UnixTime,
) -> Result<Lookup, StorageError> {
    Reader::new(loader).lookup(repository, tag, now)
}

/// How many are looked up side by side.
const BATCH: usize = 32;

/// As many answers as questions, in their order. The memory is read for many of them at a time.
pub(crate) fn lookup_many(
    loader: &Loader,
    questions: &[(&str, &str)],
    now: UnixTime,
) -> Result<Vec<Lookup>, StorageError> {
    let mut answers = Vec::with_capacity(questions.len());
    for batch in questions.chunks(BATCH) {
        let catalog = loader.catalog.pin();
        let mut entries = [None; BATCH];
        for (entry, (repository, _)) in entries.iter_mut().zip(batch) {
            *entry = Asked::new(repository).and_then(|asked| catalog.get(&asked));
        }
        let mut placed = [None; BATCH];
        for ((placed, entry), (_, tag)) in placed.iter_mut().zip(&entries).zip(batch) {
            *placed = entry.and_then(Entry::tags).map(|tags| (tags, tags.place(tag)));
        }
        // Independent of each other, so that the processor waits for all of them at once.
        let touched = placed.iter().flatten().fold(0, |all, (tags, placed)| all ^ tags.touch(placed));
        std::hint::black_box(touched);
        let mut colds = Vec::new();
        for (at, (placed, entry)) in placed.iter().zip(&entries).take(batch.len()).enumerate() {
            answers.push(match (placed, entry) {
                (Some((tags, placed)), _) => tags.answer(placed, now),
                (None, None) => Lookup::NoSuchRepository,
                (None, Some(_)) => {
                    colds.push(at);
                    Lookup::NoSuchRepository
                }
            });
        }
        drop(catalog);
        let first = answers.len() - batch.len();
        for at in colds {
            if let (Some(answer), Some((repository, tag))) = (answers.get_mut(first + at), batch.get(at)) {
                *answer = cold(loader, repository, tag, now)?;
            }
        }
    }
    Ok(answers)
}

#[cold]
fn cold(loader: &Loader, repository: &str, tag: &str, now: UnixTime) -> Result<Lookup, StorageError> {
    let Ok(repository) = repository.parse::<RepositoryName>() else { return Ok(Lookup::NoSuchRepository) };
    let current = loader.current(&repository)?;
    Ok(current.map_or(Lookup::NoSuchRepository, |current| current.state.tags.lookup(tag, now)))
}
