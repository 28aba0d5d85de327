use lru::LruCache;
use parking_lot::Mutex;

use super::{Ancestor, Lineage};
use crate::storage::local::journal::At;
use crate::terms::{Incarnation, RepositoryName, RoleName};

/// The lineages of those roles that were written or read last, within a bound. To lose one costs reading it again.
pub(in crate::storage::local) struct Recent {
    most: usize,
    held: Mutex<Held>,
}

struct Held {
    lineages: LruCache<[u8; 32], Lineage>,
    bytes: usize,
}

impl Recent {
    /// Holds about so many bytes at most.
    pub(in crate::storage::local) fn new(most: usize) -> Self {
        Self { most, held: Mutex::new(Held { lineages: LruCache::unbounded(), bytes: 0 }) }
    }

    /// About how many bytes it holds at most.
    pub(in crate::storage::local) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn get(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        role: &RoleName,
    ) -> Option<Lineage> {
        self.held.lock().lineages.get(&key(repository, incarnation, role)).cloned()
    }

    /// The document at a place with all that it stands on, if it is known.
    pub(super) fn from(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        role: &RoleName,
        at: At,
    ) -> Option<Vec<Ancestor>> {
        let mut held = self.held.lock();
        let ancestors = &held.lineages.get(&key(repository, incarnation, role))?.ancestors;
        let from = ancestors.iter().position(|ancestor| ancestor.at == at)?;
        Some(ancestors.get(from..)?.to_vec())
    }

    pub(in crate::storage::local) fn put(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        role: &RoleName,
        mut lineage: Lineage,
    ) {
        lineage.lighten();
        let mut held = self.held.lock();
        held.bytes += lineage.weight();
        let before = held.lineages.put(key(repository, incarnation, role), lineage);
        held.bytes -= before.map_or(0, |before| before.weight());
        while held.bytes > self.most
            && let Some((_, oldest)) = held.lineages.pop_lru()
        {
            held.bytes -= oldest.weight();
        }
    }
}

/// A role of one life of a repository. Names hold no zero byte.
fn key(repository: &RepositoryName, incarnation: Incarnation, role: &RoleName) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(repository.as_str().as_bytes()).update(&[0]);
    hasher.update(role.as_str().as_bytes()).update(&[0]);
    hasher.update(&incarnation.get().to_le_bytes());
    *hasher.finalize().as_bytes()
}
