//! The locks and atomics that the committer and the catalog are built from: `parking_lot`'s and the standard ones, or the
//! model checker's under `--cfg shuttle`, which runs the very same code through many schedules.

#[cfg(shuttle)]
use std::sync::PoisonError;

#[cfg(not(shuttle))]
use parking_lot as locks;
#[cfg(shuttle)]
use shuttle::sync as locks;

/// Atomics, the model checker's likewise.
pub(crate) mod atomic {
    #[cfg(shuttle)]
    pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering, fence};
    #[cfg(not(shuttle))]
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
}

pub(crate) type MutexGuard<'a, T> = locks::MutexGuard<'a, T>;

/// Mutual exclusion. A panic elsewhere does not poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(locks::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(locks::Mutex::new(value))
    }

    #[cfg(not(shuttle))]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }

    #[cfg(shuttle)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for another thread's word.
#[derive(Debug, Default)]
pub(crate) struct Condvar(locks::Condvar);

impl Condvar {
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    #[cfg(not(shuttle))]
    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(&mut guard);
        guard
    }

    #[cfg(shuttle)]
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long something took, for the metrics that an embedder may collect; no decision depends on it.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measures what was done, and decides nothing")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}
