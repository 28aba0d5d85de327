use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task;
use tracing::Span;

use crate::settings::ServerLimits;

/// Threads beside the event loop for what takes processor time or waits for the disk: a bounded number, and a bounded
/// number who wait for one. Nothing of a request that is still being received holds one. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    reads: Room,
    publications: Room,
    renewals: Room,
    scans: Room,
    scrapes: Room,
    upkeep: Room,
    passwords: Room,
}

/// How many may work and wait.
#[derive(Clone, Debug)]
struct Room {
    working: Arc<Semaphore>,
    /// Those at work, too.
    waiting: Arc<Semaphore>,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum WorkError {
    /// Too many wait already.
    #[error("the server has more to do than it takes on")]
    Busy,
    /// It panicked.
    #[error("the work ended in a panic")]
    Panicked,
}

impl Workers {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        // A connection of HTTP/1.1 has one request at a time. Those of h2, which no client of today speaks, share these
        // places however many streams each has.
        let reads = Room::new(limits.reads, limits.connections);
        let publications = Room::new(limits.publications, limits.waiting_publications);
        // A share of their own: many that are due at once leave room for publications, which sign the same roles.
        let renewals = Room::new(limits.renewals, usize::MAX);
        let scans = Room::new(limits.scans, limits.connections);
        // Each copies all that was counted, so that many at once would take the memory.
        let scrapes = Room::new(1, limits.connections);
        // One reads through, the other drops.
        let upkeep = Room::new(2, 2);
        // Each takes a processor and 19 MiB for some hundredths of a second: strangers make the server do it.
        let passwords = Room::new(2, 32);
        Self { reads, publications, renewals, scans, scrapes, upkeep, passwords }
    }

    /// Runs what reads.
    pub(crate) async fn read<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.reads.run(work).await
    }

    /// Runs what verifies and writes. Many at once, so that one sync serves them together.
    pub(crate) async fn publish<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.publications.run(work).await
    }

    /// Runs what may read the whole journal: files are not kept waiting for that.
    pub(crate) async fn scan<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.scans.run(work).await
    }

    /// Runs what writes down all that was counted: one at a time.
    pub(crate) async fn scrape<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.scrapes.run(work).await
    }

    /// Runs what makes a password expensive to guess.
    pub(crate) async fn password<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.passwords.run(work).await
    }

    /// Runs what the server does for the store by itself, for hours if need be.
    pub(crate) async fn maintain<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.upkeep.run(work).await
    }

    /// Runs what signs anew without being asked to by a publisher.
    pub(crate) async fn renew<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        self.renewals.run(work).await
    }
}

impl Room {
    fn new(working: usize, waiting: usize) -> Self {
        let room = |places: usize| Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self { working: room(working), waiting: room(working.saturating_add(waiting)) }
    }

    async fn run<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, WorkError> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| WorkError::Busy)?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| WorkError::Busy)?;
        let held: [OwnedSemaphorePermit; 2] = [waiting, working];
        // The places go with the work: whoever waits for it may leave, and it is done all the same. What it logs belongs to
        // the request.
        let span = Span::current();
        let done = task::spawn_blocking(move || {
            let done = span.in_scope(work);
            drop(held);
            done
        });
        done.await.map_err(|_| WorkError::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn workers(publications: usize, waiting: usize) -> Workers {
        let limits = ServerLimits { publications, waiting_publications: waiting, ..ServerLimits::default() };
        Workers::new(&limits)
    }

    #[tokio::test]
    async fn who_finds_no_place_to_wait_is_told_at_once() {
        let workers = workers(1, 1);
        let (go, wait) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let workers = workers.clone();
            async move { workers.publish(move || wait.recv().is_ok()).await }
        });
        let second = tokio::spawn({
            let workers = workers.clone();
            async move { workers.publish(|| true).await }
        });
        while workers.publications.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(workers.publish(|| ()).await, Err(WorkError::Busy));
        // Reads have places of their own.
        assert_eq!(workers.read(|| 1).await, Ok(1));
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        assert_eq!(second.await.unwrap(), Ok(true));
        assert_eq!(workers.publish(|| 2).await, Ok(2));
    }

    #[tokio::test]
    async fn a_panic_frees_its_place() {
        let workers = workers(1, 0);
        for _ in 0..3 {
            let panicked = workers.publish(|| -> () { panic!("on purpose") }).await;
            assert_eq!(panicked, Err(WorkError::Panicked));
        }
        assert_eq!(workers.publish(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_whose_asker_left_is_done_all_the_same() {
        let workers = workers(1, 4);
        let (told, tell) = mpsc::channel();
        let asked = workers.clone();
        let leaving = tokio::spawn(async move { asked.publish(move || told.send(())).await });
        while workers.publications.working.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        leaving.abort();
        assert_eq!(tell.recv(), Ok(()));
        assert_eq!(workers.publish(|| 1).await, Ok(1));
    }
}
