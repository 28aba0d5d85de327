use tufstore::Store;

use crate::clock::Clock;
use crate::renewal::Renewals;
use crate::settings::ApiSettings;
use crate::workers::Workers;

/// What requests are answered from. One for a server, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) workers: Workers,
    pub(crate) renewals: Renewals,
    pub(crate) settings: ApiSettings,
}

impl Service {
    pub(crate) fn new(store: Store, clock: Clock, workers: Workers, settings: ApiSettings) -> Self {
        let renewals = Renewals::new(store.clone(), clock.clone(), workers.clone(), settings.lifetimes);
        Self { store, clock, workers, renewals, settings }
    }
}
