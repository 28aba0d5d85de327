use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task;

/// Threads beside the event loop for what takes processor time or waits for the disk: a bounded number, and a bounded
/// number who wait for one. Nothing of a request that is still being received holds one. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    reads: Arc<Semaphore>,
    publications: Arc<Semaphore>,
}

/// Why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    /// Too many wait already.
    #[error("the server has more to do than it takes on; try again")]
    Busy,
    /// It panicked.
    #[error("the work ended in a panic")]
    Panicked,
}

impl Workers {
    pub(crate) fn new(reads: usize, publications: usize) -> Self {
        Self { reads: Arc::new(Semaphore::new(reads)), publications: Arc::new(Semaphore::new(publications)) }
    }

    /// Runs what reads.
    pub(crate) async fn read<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        run(&self.reads, work).await
    }

    /// Runs what verifies and writes.
    pub(crate) async fn publish<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        run(&self.publications, work).await
    }
}

async fn run<A: Send + 'static>(
    room: &Arc<Semaphore>,
    work: impl FnOnce() -> A + Send + 'static,
) -> Result<A, WorkError> {
    let held = Arc::clone(room).acquire_owned().await.map_err(|_| WorkError::Busy)?;
    task::spawn_blocking(move || {
        let done = work();
        drop(held);
        done
    })
    .await
    .map_err(|_| WorkError::Panicked)
}
