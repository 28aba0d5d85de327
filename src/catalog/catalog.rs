use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::quality::RandomState;
use papaya::{Compute, HashMap, HashMapRef, LocalGuard, Operation};

use super::arrivals::Arrivals;
use super::lines::HASHER;
use super::name::{self, Name};
use super::resident::Resident;
use super::{State, TagTable};
use crate::sync::Mutex;
use crate::terms::{Position, RepositoryName};

/// A state that is durable and visible, with its place in the order of commits.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) position: Position,
    /// The record that holds the sealed keys of [`State::online`]; `None` if there are none.
    pub(crate) online_at: Option<Position>,
    pub(crate) state: State,
    /// Whether somebody asked for it since that was looked at.
    used: AtomicBool,
}

impl Current {
    pub(crate) fn new(position: Position, online_at: Option<Position>, state: State) -> Self {
        Self { position, online_at, state, used: AtomicBool::new(false) }
    }

    pub(super) fn mark_used(&self) {
        // Written once, so that those who read at the same time do not take the line from each other.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was marked; it is not any more.
    pub(super) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// Every living repository. Readers take no lock.
#[derive(Debug)]
pub(crate) struct Catalog {
    entries: HashMap<Name, Entry, RandomState>,
    resident: Mutex<Resident>,
    arrivals: Arrivals,
}

/// One repository as its newest visible publication left it. What is not in memory is loaded when somebody asks for it.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Nobody asked for it since the store was opened. With the position of its newest publication.
    Cold(Position),
    /// What a lookup needs, beside the name and not behind a pointer.
    Warm(TagTable<Kept>),
}

/// What stands behind the tags.
#[derive(Debug)]
pub(crate) struct Kept {
    position: Position,
    /// `None` if it was let go.
    current: Option<Arc<Current>>,
}

/// What the catalog has of a repository.
pub(crate) enum Visible {
    /// It does not live.
    Not,
    /// It lives, and its state is not in memory.
    Cold,
    /// Its state.
    Warm(Arc<Current>),
}

/// A name that is asked for, laid out as the catalog compares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a>(name::Asked<'a>);

/// The catalog as one thread reads it for a while; what it finds is not freed meanwhile.
pub(crate) struct Pinned<'a>(HashMapRef<'a, Name, Entry, RandomState, LocalGuard<'a>>);

/// What became of a state that was loaded.
pub(crate) enum Loaded {
    /// It is what is visible, or something newer is, which is this.
    Visible(Arc<Current>),
    /// It is not what is visible: something newer is, or it will be in an instant, when whoever commits it gets on.
    Untimely,
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
    fn of(current: &Arc<Current>) -> Self {
        let kept = Kept { position: current.position, current: Some(Arc::clone(current)) };
        Self::Warm(current.state.tags.with(kept))
    }

    /// `None` if they are not in memory.
    #[inline]
    pub(crate) fn tags(&self) -> Option<&TagTable<Kept>> {
        match self {
            Self::Warm(tags) => Some(tags),
            Self::Cold(_) => None,
        }
    }

    fn position(&self) -> Position {
        match self {
            Self::Cold(position) => *position,
            Self::Warm(tags) => tags.beside().position,
        }
    }

    fn current(&self) -> Option<&Arc<Current>> {
        self.tags().and_then(|tags| tags.beside().current.as_ref())
    }
}

impl Pinned<'_> {
    #[inline]
    pub(crate) fn get(&self, asked: &Asked<'_>) -> Option<&Entry> {
        self.0.get(&asked.0)
    }
}

impl Catalog {
    /// Without any repository; `newest` is the position of the newest record there is, and `memory` how many bytes states
    /// may take.
    pub(crate) fn new(newest: Position, memory: u64) -> Self {
        Self {
            entries: HashMap::with_hasher(HASHER.clone()),
            resident: Mutex::new(Resident::new(memory)),
            arrivals: Arrivals::new(newest),
        }
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

    /// The visible state.
    pub(crate) fn visible(&self, repository: &RepositoryName) -> Visible {
        let pinned = self.pin();
        let Some(entry) = Asked::new(repository.as_str()).and_then(|asked| pinned.get(&asked)) else {
            return Visible::Not;
        };
        entry.current().map_or(Visible::Cold, |current| {
            current.mark_used();
            Visible::Warm(Arc::clone(current))
        })
    }

    /// Makes room for so many repositories at once.
    pub(crate) fn expect(&self, repositories: usize) {
        self.entries.pin().reserve(repositories);
    }

    /// Notes at open that a repository lives, without loading it.
    pub(crate) fn add_cold(&self, repository: &RepositoryName, newest: Position) {
        if let Some(key) = key(repository) {
            self.entries.pin().insert(key, Entry::Cold(newest));
        }
    }

    /// Makes a committed publication visible.
    pub(crate) fn install(&self, repository: &RepositoryName, current: &Arc<Current>) {
        if let Some(key) = key(repository) {
            self.entries.pin().insert(key, Entry::of(current));
            self.admit(repository, current);
        }
    }

    /// Counts a state that was put in, and lets go of others while all together take more than they may.
    fn admit(&self, repository: &RepositoryName, current: &Arc<Current>) {
        let mut resident = self.resident.lock();
        resident.add(repository, current);
        while let Some((repository, position)) = resident.superfluous() {
            self.let_go(&repository, position);
        }
    }

    /// What lookups need stays.
    fn let_go(&self, repository: &RepositoryName, position: Position) {
        let Some(key) = key(repository) else { return };
        let entries = self.entries.pin();
        entries.compute(key, |there| match there {
            Some((_, Entry::Warm(tags))) if tags.beside().position == position => {
                Operation::Insert(Entry::Warm(tags.with(Kept { position, current: None })))
            }
            Some(_) | None => Operation::Abort(()),
        });
    }

    /// Keeps a state that was loaded from its records, unless it is not what is visible.
    pub(crate) fn keep(&self, repository: &RepositoryName, loaded: &Arc<Current>) -> Loaded {
        let Some(key) = key(repository) else { return Loaded::Gone };
        let entries = self.entries.pin();
        let kept = entries.compute(key, |there| {
            let Some((_, there)) = there else { return Operation::Abort(Loaded::Gone) };
            match there.current() {
                Some(newer) if loaded.position <= there.position() => {
                    Operation::Abort(Loaded::Visible(Arc::clone(newer)))
                }
                None if loaded.position == there.position() => Operation::Insert(Entry::of(loaded)),
                // Older than what is visible and not in memory, or newer.
                Some(_) | None => Operation::Abort(Loaded::Untimely),
            }
        });
        match kept {
            Compute::Aborted(kept) => kept,
            Compute::Inserted(..) | Compute::Updated { .. } | Compute::Removed(..) => {
                self.admit(repository, loaded);
                Loaded::Visible(Arc::clone(loaded))
            }
        }
    }

    /// Makes a committed deletion visible. Views that were pinned before keep their state.
    pub(crate) fn remove(&self, repository: &RepositoryName) {
        if let Some(asked) = Asked::new(repository.as_str()) {
            self.entries.pin().remove(&asked.0);
            self.resident.lock().forget(repository);
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
