use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use super::Current;
use crate::terms::{Position, RepositoryName};

/// Which states are in memory with their documents, and how much they take together. Lookups need none of them, only the
/// tables beside.
#[derive(Debug)]
pub(super) struct Resident {
    most: u64,
    bytes: u64,
    states: HashMap<RepositoryName, Counted>,
    /// Each of [`Self::states`] once, those first that came first; and names that are gone.
    queue: VecDeque<RepositoryName>,
}

#[derive(Debug)]
struct Counted {
    bytes: u64,
    state: Weak<Current>,
    position: Position,
}

impl Resident {
    pub(super) fn new(most: u64) -> Self {
        Self { most, bytes: 0, states: HashMap::new(), queue: VecDeque::new() }
    }

    pub(super) fn add(&mut self, repository: &RepositoryName, current: &Arc<Current>) {
        if self.states.get(repository).is_some_and(|there| there.position > current.position) {
            return;
        }
        let bytes = weight(current);
        let counted = Counted { bytes, state: Arc::downgrade(current), position: current.position };
        self.bytes += bytes;
        if let Some(before) = self.states.insert(repository.clone(), counted) {
            self.bytes -= before.bytes;
            return;
        }
        // Names that are gone may not pile up where repositories come and go.
        if self.queue.len() > 2 * self.states.len() {
            let mut seen = HashSet::new();
            self.queue.retain(|name| self.states.contains_key(name) && seen.insert(name.clone()));
        }
        self.queue.push_back(repository.clone());
    }

    /// How many bytes all of them take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn forget(&mut self, repository: &RepositoryName) {
        if let Some(before) = self.states.remove(repository) {
            self.bytes -= before.bytes;
        }
    }

    /// The next that has to go: the oldest that nobody asked for since its last turn; never the only one. `tables`: how much
    /// of the memory lookups need.
    pub(super) fn superfluous(&mut self, tables: u64) -> Option<(RepositoryName, Position)> {
        while self.bytes.saturating_add(tables) > self.most && self.states.len() > 1 {
            let repository = self.queue.pop_front()?;
            let Some(counted) = self.states.get(&repository) else { continue };
            if counted.state.upgrade().is_some_and(|state| state.was_used()) {
                self.queue.push_back(repository);
                continue;
            }
            let position = counted.position;
            self.forget(&repository);
            return Some((repository, position));
        }
        None
    }
}

/// About what it takes: its documents, what was read from them, and its table.
fn weight(current: &Current) -> u64 {
    const READ: u64 = 4 << 10;
    let documents: usize = current.state.set.documents().map(|document| document.bytes().len()).sum();
    let bytes = documents.saturating_mul(2).saturating_add(current.state.tags.bytes());
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(READ)
}
