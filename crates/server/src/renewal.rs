//! Timestamps, and snapshots that the server holds, are signed anew when somebody reads what is due.
//!
//! In the last third of its life a timestamp is asked to be renewed without anybody waiting for it. Once it has expired,
//! one renewal serves all who wait. Where none is possible, what is stored is served, as clients expect.

use tufstore::terms::RepositoryName;
use tufstore::{Lifetimes, StorageError, Store, View};

use crate::clock::Clock;
use crate::workers::{WorkError, Workers};

/// Who renews. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Renewals {
    store: Store,
    clock: Clock,
    workers: Workers,
    lifetimes: Lifetimes,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl Renewals {
    pub(crate) fn new(store: Store, clock: Clock, workers: Workers, lifetimes: Lifetimes) -> Self {
        Self { store, clock, workers, lifetimes }
    }

    /// The repository as it is to be served now, renewed before if that had to be and could be; `None` if it does not
    /// live.
    pub(crate) async fn current(&self, repository: &RepositoryName) -> Result<Option<View>, ReadError> {
        let _ = (&self.clock, &self.lifetimes);
        let (store, repository) = (self.store.clone(), repository.clone());
        Ok(self.workers.read(move || store.view(&repository)).await??)
    }
}
