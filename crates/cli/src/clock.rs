//! The one place where the command line asks what time it is. The engine is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tufstore::terms::UnixTime;

/// The system's clock.
pub(crate) fn now() -> UnixTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "commands are run at a time, and this is where they learn it"
    )]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixTime::new(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// Measures how long something takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a measurement for the user, which decides nothing")]
        let start = Instant::now();
        Self(start)
    }

    /// How long ago it was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
