use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use parking_lot::RwLock;

use crate::storage::{Head, RecordHeader, RecordKind};
use crate::terms::{Incarnation, Position, RepositoryName, Revision};

/// The head of every repository that ever lived, and that of the settings.
#[derive(Debug)]
pub(super) struct Heads(RwLock<HashMap<RepositoryName, Head, SeedableRandomState>>);

/// Of the hashes of names, so that nobody can choose some that fall together.
static SECRET: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(rand::random()));

/// What a head needs to know of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) kind: RecordKind,
    pub(super) incarnation: Incarnation,
    pub(super) revision: Revision,
    pub(super) documents: usize,
}

impl Heads {
    pub(super) fn new(heads: impl IntoIterator<Item = (RepositoryName, Head)>) -> Self {
        let heads = heads.into_iter();
        let hasher = SeedableRandomState::with_seed(rand::random(), &SECRET);
        let mut map = HashMap::with_capacity_and_hasher(heads.size_hint().0, hasher);
        map.extend(heads);
        Self(RwLock::new(map))
    }

    pub(super) fn get(&self, repository: &RepositoryName) -> Option<Head> {
        self.0.read().get(repository).cloned()
    }

    pub(super) fn all(&self) -> Vec<(RepositoryName, Head)> {
        self.0.read().iter().map(|(name, head)| (name.clone(), head.clone())).collect()
    }

    /// The repositories whose newest record is no deletion.
    pub(super) fn living(&self) -> Vec<(RepositoryName, Position)> {
        let heads = self.0.read();
        let mut living = Vec::with_capacity(heads.len());
        let alive = heads.iter().filter(|(name, head)| !head.deleted && !name.is_of_settings());
        living.extend(alive.map(|(name, head)| (name.clone(), head.position)));
        living
    }

    /// Takes a record that is in the journal; `Err` says why it cannot follow those before it.
    pub(super) fn follow(&self, header: &RecordHeader) -> Result<(), &'static str> {
        let mut heads = self.0.write();
        let head = follow(heads.get(&header.repository), Step::of(header), header.position)?;
        heads.insert(header.repository.clone(), head);
        Ok(())
    }
}

impl Step {
    fn of(header: &RecordHeader) -> Self {
        Self {
            kind: header.kind,
            incarnation: header.incarnation,
            revision: header.revision,
            documents: header.documents.len(),
        }
    }
}

/// The head after a record; `Err` says why the record cannot come next.
///
/// A life begins with revision 1, of incarnation 1 or, after a deletion, of the next incarnation, or of a later one where a
/// store was restored or repaired; each record raises the revision by one; a deletion ends the life and has no documents. One of
/// what does not live stands for a life of which nothing is left.
pub(super) fn follow(before: Option<&Head>, step: Step, position: Position) -> Result<Head, &'static str> {
    let documents = u64::try_from(step.documents).map_err(|_| "more documents than can be counted")?;
    let (incarnation, revision, had) = match before {
        None => (step.incarnation.max(Incarnation::FIRST), Revision::NONE, 0),
        Some(head) if head.deleted => (step.incarnation.max(head.incarnation.next()), Revision::NONE, 0),
        Some(head) => (head.incarnation, head.revision, head.documents),
    };
    let deleted = step.kind == RecordKind::Deletion;
    if deleted && documents > 0 {
        return Err("a deletion with documents");
    }
    if step.incarnation != incarnation || step.revision != revision.next() {
        return Err("a record of another incarnation or revision than comes next");
    }
    Ok(Head {
        incarnation,
        revision: step.revision,
        position,
        documents: had.saturating_add(documents),
        deleted,
    })
}
