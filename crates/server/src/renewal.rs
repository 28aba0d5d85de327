//! Timestamps, and snapshots that the server holds, are signed anew when somebody reads what is due: an idle repository
//! costs nothing.
//!
//! In the last third of its life a timestamp is asked to be renewed without anybody waiting for it, so that a signer may be
//! away for days. Once it has expired, one renewal serves all who wait. Where none is possible, what is stored is served, as
//! clients expect.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time;
use tufstore::crypto::OnlineRole;
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{Lifetimes, PublishError, StorageError, Store, Upload, View};

use crate::clock::Clock;
use crate::metrics;
use crate::text::chain;
use crate::workers::{WorkError, Workers};

/// After a renewal that failed, how long until the next is tried.
const BACKOFF: Duration = Duration::from_secs(30);
/// How long a reader waits for a renewal; after that it gets what is stored.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many failures are remembered; beyond, all are forgotten, which costs a try for each.
const REMEMBERED: usize = 100_000;

/// Who renews. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Renewals(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    clock: Clock,
    workers: Workers,
    lifetimes: Lifetimes,
    state: Mutex<State>,
}

/// Only of repositories that live, so that invented names leave nothing here.
#[derive(Debug, Default)]
struct State {
    /// Who waits for these to end.
    running: HashMap<RepositoryName, watch::Receiver<()>>,
    /// Not to be tried again before.
    failed: HashMap<RepositoryName, UnixTime>,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// Whether a repository has to be renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Due {
    /// No, or nothing here can.
    No,
    /// In the last third of a life.
    Soon,
    /// It has expired.
    Now,
}

/// How a renewal ended.
#[derive(Debug, thiserror::Error)]
enum RenewError {
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Every reader would ask for another, and each would be a publication.
    #[error("a new signature leaves the repository due for renewal")]
    StillDue,
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl Renewals {
    pub(crate) fn new(store: Store, clock: Clock, workers: Workers, lifetimes: Lifetimes) -> Self {
        let state = Mutex::new(State::default());
        Self(Arc::new(Parts { store, clock, workers, lifetimes, state }))
    }

    /// The repository as it is to be served now, renewed before if that had to be and could be; `None` if it does not
    /// live.
    pub(crate) async fn current(&self, repository: &RepositoryName) -> Result<Option<View>, ReadError> {
        let Some(view) = self.view(repository).await? else { return Ok(None) };
        match due(&view, self.0.lifetimes, self.0.clock.now()) {
            Due::No => Ok(Some(view)),
            Due::Soon => {
                self.ask(repository);
                Ok(Some(view))
            }
            Due::Now => {
                let Some(mut ended) = self.ask(repository) else { return Ok(Some(view)) };
                // It ends by closing the channel. Who does not wait so long gets what is stored, too.
                let _ended_or_late = time::timeout(PATIENCE, ended.changed()).await;
                self.view(repository).await
            }
        }
    }

    async fn view(&self, repository: &RepositoryName) -> Result<Option<View>, ReadError> {
        // Most are, and a worker would cost more than all the rest of an answer.
        if let Ok(view) = self.0.store.view_in_memory(repository) {
            return Ok(view);
        }
        let (store, repository) = (self.0.store.clone(), repository.clone());
        Ok(self.0.workers.read(move || store.view(&repository)).await??)
    }

    /// Joins the renewal that runs, or starts one; `None` while one that failed is too fresh.
    fn ask(&self, repository: &RepositoryName) -> Option<watch::Receiver<()>> {
        let mut state = self.0.state.lock();
        if let Some(running) = state.running.get(repository) {
            return Some(running.clone());
        }
        if state.failed.get(repository).is_some_and(|until| is_ahead(*until, self.0.clock.now())) {
            return None;
        }
        let (ends, ended) = watch::channel(());
        state.running.insert(repository.clone(), ended.clone());
        drop(state);
        let (renewals, repository) = (self.clone(), repository.clone());
        tokio::spawn(async move {
            let renewed = renewals.renew(repository.clone()).await;
            renewals.ended(&repository, renewed);
            drop(ends);
        });
        Some(ended)
    }

    /// One publication of nothing, which signs the roles that are due. `false` if it was not due any more.
    async fn renew(&self, repository: RepositoryName) -> Result<bool, RenewError> {
        let parts = Arc::clone(&self.0);
        let renewed = self.0.workers.renew(move || {
            let now = parts.clock.now();
            // Somebody may have published meanwhile, or ended its life.
            let view = parts.store.view(&repository).map_err(PublishError::from)?;
            if view.is_none_or(|view| due(&view, parts.lifetimes, now) == Due::No) {
                return Ok::<_, RenewError>(false);
            }
            parts.store.publish(&repository, &Upload::new(), now)?;
            let view = parts.store.view(&repository).map_err(PublishError::from)?;
            match view.map_or(Due::No, |view| due(&view, parts.lifetimes, now)) {
                Due::No => Ok(true),
                Due::Soon | Due::Now => Err(RenewError::StillDue),
            }
        });
        renewed.await?
    }

    fn ended(&self, repository: &RepositoryName, renewed: Result<bool, RenewError>) {
        let mut state = self.0.state.lock();
        state.running.remove(repository);
        match renewed {
            Ok(signed) => {
                state.failed.remove(repository);
                if signed {
                    metrics::renewed(true);
                    tracing::debug!(%repository, "renewed");
                }
            }
            Err(error) => {
                if state.failed.len() >= REMEMBERED {
                    state.failed.clear();
                }
                state.failed.insert(repository.clone(), self.0.clock.now().after(BACKOFF));
                metrics::renewed(false);
                tracing::warn!(%repository, error = %chain(&error), "not renewed; what is stored is served");
            }
        }
    }
}

/// Whether a time to wait for is yet to come; one that is further off than anybody was told to wait is of a clock that was
/// set back since.
fn is_ahead(until: UnixTime, now: UnixTime) -> bool {
    now < until && now.until(until) <= BACKOFF
}

/// Whether an empty upload would sign something that is due.
fn due(view: &View, lifetimes: Lifetimes, now: UnixTime) -> Due {
    if !view.holds(OnlineRole::Timestamp) {
        return Due::No;
    }
    let of = |role, expires: Option<UnixTime>, lifetime: Duration| match expires {
        Some(expires) if view.holds(role) && expires < now => Due::Now,
        Some(expires) if view.holds(role) && now.until(expires) <= lifetime / 3 => Due::Soon,
        Some(_) | None => Due::No,
    };
    let timestamp = of(OnlineRole::Timestamp, view.expires_of(&RoleName::Timestamp), lifetimes.timestamp);
    let snapshot = of(OnlineRole::Snapshot, view.expires_of(&RoleName::Snapshot), lifetimes.snapshot);
    match (timestamp, snapshot) {
        (Due::Now, _) | (_, Due::Now) => Due::Now,
        (Due::Soon, _) | (_, Due::Soon) => Due::Soon,
        (Due::No, Due::No) => Due::No,
    }
}

#[cfg(test)]
mod tests;
