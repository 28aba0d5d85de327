//! What a server does by itself for the store: reads it through for damage, and gives space back. Both take a small part of the
//! machine, and end with the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::{self, MissedTickBehavior};
use tufstore::{Finding, Retention, StorageError};

use crate::clock::Stopwatch;
use crate::metrics;
use crate::service::Service;
use crate::text::chain;

/// The rest of the time is others'.
const SHARE_OF_TIME: u32 = 20;
/// The longest pause between two steps; a server that ends waits for no more than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest time from the start to the first of each.
const FIRST: Duration = Duration::from_hours(1);
/// Less than this is not worth a pause.
const WORTH_A_PAUSE: Duration = Duration::from_millis(10);

/// When, and how much of the past is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Maintenance {
    /// How often the store is read through for damage: 7 days by default; never, if zero.
    pub scrub_every: Duration,
    /// How often what is not kept is dropped: a day by default; never, if zero.
    pub collect_every: Duration,
    /// What is kept: by default all that living repositories have published, and nothing of those that were deleted.
    pub retention: Retention,
}

impl Default for Maintenance {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self { scrub_every: DAY * 7, collect_every: DAY, retention: Retention::of_everything() }
    }
}

/// Works for others most of the time: pauses after each piece of work as long as that took, many times over.
struct Pace {
    worked: Stopwatch,
    ended: Arc<AtomicBool>,
}

/// Sets it when a server ends.
#[derive(Debug, Default)]
pub(crate) struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Ended {
    fn pace(&self) -> Pace {
        Pace { worked: Stopwatch::start(), ended: Arc::clone(&self.0) }
    }
}

impl Pace {
    /// Whether to go on, after a pause that is due.
    fn goes_on(&mut self) -> bool {
        let mut pause = self.worked.elapsed();
        if pause >= WORTH_A_PAUSE {
            pause = pause.saturating_mul(SHARE_OF_TIME - 1);
            while !self.ended.load(Ordering::Acquire) && !pause.is_zero() {
                let some = pause.min(LONGEST_PAUSE);
                thread::sleep(some);
                pause -= some;
            }
            self.worked = Stopwatch::start();
        }
        !self.ended.load(Ordering::Acquire)
    }
}

/// Keeps the store, from now on and until the task is aborted; `ended` is dropped then.
pub(crate) async fn keep(service: Arc<Service>, maintenance: Maintenance, ended: Ended) {
    let scrubbing = async {
        let Some(mut due) = due(maintenance.scrub_every) else { return };
        loop {
            due.tick().await;
            scrub(&service, &ended).await;
        }
    };
    let collecting = async {
        let Some(mut due) = due(maintenance.collect_every) else { return };
        loop {
            due.tick().await;
            collect(&service, &maintenance.retention, &ended).await;
        }
    };
    tokio::join!(scrubbing, collecting);
}

/// An hour after the start, as a server that is often started anew would never come to it otherwise, and then in that interval;
/// never, if that is zero.
fn due(interval: Duration) -> Option<time::Interval> {
    if interval.is_zero() {
        return None;
    }
    let mut due = time::interval_at(time::Instant::now() + interval.min(FIRST), interval);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(due)
}

async fn scrub(service: &Service, ended: &Ended) {
    let (store, mut pace) = (service.store.clone(), ended.pace());
    let scrubbed = service.workers.maintain(move || store.scrub(&mut |_| pace.goes_on()));
    match scrubbed.await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(report))) => {
            for finding in &report.findings {
                let Finding { repository, place: at, what, .. } = finding;
                tracing::error!(?repository, at, what, "the store is damaged");
            }
            metrics::scrubbed(service.clock.now(), report.findings.len());
        }
        Ok(Err(error)) => tracing::error!(error = %chain(&error), "the store could not be read through"),
        Err(error) => tracing::error!(%error, "the store could not be read through"),
    }
}

async fn collect(service: &Service, retention: &Retention, ended: &Ended) {
    let (store, retention, mut pace) = (service.store.clone(), *retention, ended.pace());
    let now = service.clock.now();
    let collected = service.workers.maintain(move || store.collect(&retention, now, &mut |_| pace.goes_on()));
    match collected.await {
        Ok(Ok(report)) => {
            metrics::collected(report.freed_bytes);
            if report.freed_bytes > 0 {
                tracing::info!(bytes = report.freed_bytes, "what is not kept was dropped");
            }
        }
        Ok(Err(StorageError::Closed)) => {}
        Ok(Err(error)) => tracing::warn!(error = %chain(&error), "what is not kept could not be dropped"),
        Err(error) => tracing::warn!(%error, "what is not kept could not be dropped"),
    }
}
