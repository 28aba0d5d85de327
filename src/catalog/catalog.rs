use std::sync::Arc;

use papaya::HashMap;

use super::State;
use super::arrivals::Arrivals;
use crate::sync::{Mutex, Pointer};
use crate::terms::{Position, RepositoryName};

/// A state that is durable and visible, with its place in the order of commits.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) position: Position,
    /// The record that holds the sealed keys of [`State::online`]; `None` if there are none.
    pub(crate) online_at: Option<Position>,
    pub(crate) state: State,
}

/// Every living repository. Readers take no lock.
#[derive(Debug)]
pub(crate) struct Catalog {
    entries: HashMap<RepositoryName, Arc<Entry>>,
    arrivals: Arrivals,
}

/// One life of one repository. The state of a cold one is not loaded.
#[derive(Debug)]
pub(crate) struct Entry {
    current: Pointer<Current>,
    /// Held while a state is put in, so that a slow load never replaces a newer publication.
    installing: Mutex<()>,
}

impl Entry {
    fn cold() -> Self {
        Self { current: Pointer::empty(), installing: Mutex::new(()) }
    }

    pub(crate) fn load(&self) -> Option<Arc<Current>> {
        self.current.load()
    }

    pub(crate) fn with<A>(&self, answer: impl FnOnce(Option<&Current>) -> A) -> A {
        self.current.with(answer)
    }

    /// Puts `new` in unless something newer is there, and returns what is there now.
    pub(crate) fn install(&self, new: Arc<Current>) -> Arc<Current> {
        let _installing = self.installing.lock();
        match self.current.load() {
            Some(there) if there.position >= new.position => there,
            Some(_) | None => {
                self.current.store(Arc::clone(&new));
                new
            }
        }
    }
}

impl Catalog {
    /// Without any repository; `newest` is the position of the newest record there is.
    pub(crate) fn new(newest: Position) -> Self {
        Self { entries: HashMap::new(), arrivals: Arrivals::new(newest) }
    }

    /// For those who wait for more.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The entry of a living repository.
    pub(crate) fn entry(&self, repository: &str) -> Option<Arc<Entry>> {
        self.entries.pin().get(repository).cloned()
    }

    /// As [`Self::entry`], without counting a reference: what a lookup uses.
    pub(crate) fn with_entry<A>(&self, repository: &str, answer: impl FnOnce(Option<&Entry>) -> A) -> A {
        answer(self.entries.pin().get(repository).map(|entry| &**entry))
    }

    /// Notes at open that a repository lives, without loading it.
    pub(crate) fn add_cold(&self, repository: RepositoryName) {
        self.entries.pin().insert(repository, Arc::new(Entry::cold()));
    }

    /// Makes a committed state visible. Only the committer calls this, in the order of positions.
    pub(crate) fn install(&self, repository: &RepositoryName, current: Arc<Current>) {
        let entries = self.entries.pin();
        let entry = entries.get_or_insert_with(repository.clone(), || Arc::new(Entry::cold()));
        entry.install(current);
    }

    /// Makes a committed deletion visible. Views that were pinned before keep their state.
    pub(crate) fn remove(&self, repository: &RepositoryName) {
        self.entries.pin().remove(repository);
    }

    /// How many repositories live.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// The names of all living repositories, sorted.
    pub(crate) fn names(&self) -> Vec<RepositoryName> {
        let mut names: Vec<_> = self.entries.pin().keys().cloned().collect();
        names.sort_unstable();
        names
    }
}
