//! The state that a publication is verified against: pinned once, read without the store.

use std::sync::Arc;

use super::Publisher;
use crate::catalog::Current;
use crate::crypto::SealedKey;
use crate::recover::Newest;
use crate::storage::StorageError;
use crate::terms::{Incarnation, Position, RepositoryName, Revision};
use crate::trust::Set;

/// A repository as it is when a publication begins.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    repository: RepositoryName,
    life: Life,
}

#[derive(Clone, Debug)]
enum Life {
    /// Nothing is published: the repository never lived, or its life has ended.
    None {
        ended: Option<(Incarnation, Revision)>,
    },
    Living(Arc<Current>),
}

/// Pins `repository` as it is now.
pub(crate) fn pin(publisher: &Publisher, repository: &RepositoryName) -> Result<Base, StorageError> {
    let life = match publisher.loader.newest(repository)? {
        Newest::Living(current) => Life::Living(current),
        Newest::Ended(head) => Life::None { ended: head.map(|head| (head.incarnation, head.revision)) },
    };
    Ok(Base { repository: repository.clone(), life })
}

impl Base {
    pub(crate) fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    pub(crate) fn current(&self) -> Option<&Arc<Current>> {
        match &self.life {
            Life::None { .. } => None,
            Life::Living(current) => Some(current),
        }
    }

    /// What is trusted now.
    pub(crate) fn set(&self) -> Option<&Set> {
        self.current().map(|current| &current.state.set)
    }

    /// The life that a publication on this base belongs to.
    pub(crate) fn incarnation(&self) -> Incarnation {
        match &self.life {
            Life::None { ended: None } => Incarnation::FIRST,
            Life::None { ended: Some((ended, _)) } => ended.next(),
            Life::Living(current) => current.state.incarnation,
        }
    }

    /// How many publications that life has seen.
    pub(crate) fn revision(&self) -> Revision {
        self.current().map_or(Revision::NONE, |current| current.state.revision)
    }

    /// What a commit on this base is guarded by.
    pub(crate) fn guard(&self) -> Option<(Incarnation, Revision)> {
        match &self.life {
            Life::None { ended } => *ended,
            Life::Living(current) => Some((current.state.incarnation, current.state.revision)),
        }
    }

    /// The sealed keys of that life.
    pub(crate) fn online(&self) -> &[SealedKey] {
        self.current().map_or(&[], |current| &current.state.online)
    }

    /// The record that holds them.
    pub(crate) fn online_at(&self) -> Option<Position> {
        self.current().and_then(|current| current.online_at)
    }
}
