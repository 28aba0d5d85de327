use std::sync::Arc;

use super::Step;
use crate::storage::local::journal::At;
use crate::terms::Sha256;

/// A document that others may stand on.
#[derive(Clone, Debug)]
pub(in crate::storage::local) struct Ancestor {
    pub(in crate::storage::local) at: At,
    pub(in crate::storage::local) step: Step,
    /// If they are at hand.
    pub(in crate::storage::local) bytes: Option<Arc<[u8]>>,
}

/// A role's newest document and all that it stands on.
#[derive(Clone, Debug)]
pub(in crate::storage::local) struct Lineage {
    /// Of the newest.
    pub(in crate::storage::local) sha256: Sha256,
    /// The newest first, then its base, and so on to the one that stands alone.
    pub(in crate::storage::local) ancestors: Vec<Ancestor>,
}

impl Lineage {
    /// The step of a document that follows, and its base with what that stands on.
    pub(super) fn next(&self) -> Option<(Step, &[Ancestor])> {
        let step = self.ancestors.first()?.step.next();
        let base = self.ancestors.iter().position(|ancestor| ancestor.step == step.base())?;
        Some((step, self.ancestors.get(base..)?))
    }

    /// How many bytes of memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        const BESIDE: usize = 256;
        let documents = self.ancestors.iter().flat_map(|ancestor| &ancestor.bytes).map(|bytes| bytes.len());
        BESIDE + self.ancestors.capacity() * size_of::<Ancestor>() + documents.sum::<usize>()
    }

    /// Keeps at hand what nearly all documents to come stand on: the newest, and the last one of a round step.
    pub(super) fn lighten(&mut self) {
        let Some(round) = self.ancestors.first().map(|newest| newest.step.round()) else { return };
        let others = self.ancestors.iter_mut().skip(1).filter(|ancestor| ancestor.step != round);
        others.for_each(|ancestor| ancestor.bytes = None);
    }
}
