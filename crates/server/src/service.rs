use tufstore::Store;

use crate::api::upload::Bodies;
use crate::auth::Authority;
use crate::clock::Clock;
use crate::metrics;
use crate::renewal::Renewals;
use crate::settings::{ApiSettings, ServerLimits};
use crate::workers::Workers;

/// What requests are answered from. One for a server, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) workers: Workers,
    pub(crate) bodies: Bodies,
    pub(crate) renewals: Renewals,
    pub(crate) settings: ApiSettings,
    /// Without one, everybody may do everything.
    pub(crate) authority: Option<Authority>,
}

impl Service {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        limits: ServerLimits,
        settings: ApiSettings,
        authority: Option<Authority>,
    ) -> Self {
        let workers = Workers::new(&limits);
        metrics::install(clock.now());
        let renewals = Renewals::new(store.clone(), clock.clone(), workers.clone(), settings.lifetimes);
        let bodies = Bodies::new(limits);
        Self { store, clock, workers, bodies, renewals, settings, authority }
    }
}
