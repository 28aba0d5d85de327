use std::sync::Arc;

use foldhash::quality::RandomState;
use papaya::{Compute, HashMap, HashMapRef, LocalGuard, Operation};

use super::arrivals::Arrivals;
use super::lines::HASHER;
use super::name::{self, Name};
use super::{State, TagTable};
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
    entries: HashMap<Name, Entry, RandomState>,
    arrivals: Arrivals,
}

/// One repository as its newest visible publication left it. What is not in memory is loaded when somebody asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What a lookup needs, beside the name and not behind a pointer.
    tags: Option<TagTable>,
    position: Position,
    current: Option<Arc<Current>>,
}

/// A name that is asked for, laid out as the catalog compares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a>(name::Asked<'a>);

/// The catalog as one thread reads it for a while; what it finds is not freed meanwhile.
pub(crate) struct Pinned<'a>(HashMapRef<'a, Name, Entry, RandomState, LocalGuard<'a>>);

/// What became of a state that was loaded.
pub(crate) enum Kept {
    /// It is what is visible, or something newer is, which is this.
    Visible(Arc<Current>),
    /// It is durable, and not visible yet: whoever commits it makes it so in an instant.
    TooEarly,
    /// The repository's life ended meanwhile.
    Gone,
}

impl<'a> Asked<'a> {
    /// `None` for what is longer than any repository's name.
    #[inline]
    pub(crate) fn new(repository: &'a str) -> Option<Self> {
        name::Asked::new(repository).map(Self)
    }
}

impl Entry {
    fn of(current: Arc<Current>) -> Self {
        Self { tags: Some(current.state.tags.clone()), position: current.position, current: Some(current) }
    }

    /// `None` if they are not in memory.
    #[inline]
    pub(crate) fn tags(&self) -> Option<&TagTable> {
        self.tags.as_ref()
    }
}

impl Pinned<'_> {
    #[inline]
    pub(crate) fn get(&self, asked: &Asked<'_>) -> Option<&Entry> {
        self.0.get(&asked.0)
    }
}

impl Catalog {
    /// Without any repository; `newest` is the position of the newest record there is.
    pub(crate) fn new(newest: Position) -> Self {
        Self { entries: HashMap::with_hasher(HASHER.clone()), arrivals: Arrivals::new(newest) }
    }

    /// For those who wait for more.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// For lookups, one or many.
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_> {
        Pinned(self.entries.pin())
    }

    /// The visible state; `None` where it is not in memory. Outer `None` if the repository does not live.
    pub(crate) fn current(&self, repository: &RepositoryName) -> Option<Option<Arc<Current>>> {
        let asked = Asked::new(repository.as_str())?;
        self.pin().get(&asked).map(|entry| entry.current.clone())
    }

    /// Notes at open that a repository lives, without loading it.
    pub(crate) fn add_cold(&self, repository: &RepositoryName, position: Position) {
        if let Some(key) = key(repository) {
            self.entries.pin().insert(key, Entry { tags: None, position, current: None });
        }
    }

    /// Makes a committed state visible. Only the committer calls this, in the order of positions.
    pub(crate) fn install(&self, repository: &RepositoryName, current: &Arc<Current>) {
        if let Some(key) = key(repository) {
            self.entries.pin().insert(key, Entry::of(Arc::clone(current)));
        }
    }

    /// Keeps a state that was loaded from its records, unless it is not what is visible.
    pub(crate) fn keep(&self, repository: &RepositoryName, loaded: &Arc<Current>) -> Kept {
        let Some(key) = key(repository) else { return Kept::Gone };
        let entries = self.entries.pin();
        let kept = entries.compute(key, |there| match there {
            None => Operation::Abort(Kept::Gone),
            Some((_, there)) if there.position < loaded.position => Operation::Abort(Kept::TooEarly),
            Some((_, Entry { current: Some(current), .. })) => {
                Operation::Abort(Kept::Visible(Arc::clone(current)))
            }
            Some((_, there)) if there.position == loaded.position => {
                Operation::Insert(Entry::of(Arc::clone(loaded)))
            }
            // Something newer, which is not in memory.
            Some(_) => Operation::Abort(Kept::TooEarly),
        });
        match kept {
            Compute::Aborted(kept) => kept,
            Compute::Inserted(..) | Compute::Updated { .. } | Compute::Removed(..) => {
                Kept::Visible(Arc::clone(loaded))
            }
        }
    }

    /// Makes a committed deletion visible. Views that were pinned before keep their state.
    pub(crate) fn remove(&self, repository: &RepositoryName) {
        if let Some(asked) = Asked::new(repository.as_str()) {
            self.entries.pin().remove(&asked.0);
        }
    }

    /// How many repositories live.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// The names of all living repositories, sorted.
    pub(crate) fn names(&self) -> Vec<RepositoryName> {
        // Each was a name before it was a key.
        let mut names: Vec<RepositoryName> =
            self.entries.pin().keys().filter_map(|key| key.text().parse().ok()).collect();
        names.sort_unstable();
        names
    }
}

fn key(repository: &RepositoryName) -> Option<Name> {
    // A name that is one is never too long.
    name::Asked::new(repository.as_str()).map(name::Asked::to_key)
}
