use std::sync::Arc;

use tufstore::Store;

use crate::api::upload::Bodies;
use crate::auth::Authority;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::metrics;
use crate::quotas::Quotas;
use crate::refusals::Refusals;
use crate::renewal::Renewals;
use crate::settings::{ApiSettings, Settings};
use crate::tokens::OwnTokens;
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
    /// Another service, if its tokens say who may do what.
    pub(crate) external: Option<Authority>,
    /// Who may do what otherwise, once there is somebody; and where what is signed is taken.
    pub(crate) directory: Arc<Directory>,
    pub(crate) own: OwnTokens,
    pub(crate) quotas: Quotas,
    pub(crate) refusals: Refusals,
}

impl Service {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        settings: &Settings,
        external: Option<Authority>,
        directory: Arc<Directory>,
        own: OwnTokens,
    ) -> Self {
        let (limits, api) = (settings.limits, settings.api.clone());
        let workers = Workers::new(&limits);
        metrics::install(clock.now());
        let renewals = Renewals::new(store.clone(), clock.clone(), workers.clone(), api.lifetimes);
        let (quotas, bodies) = (Quotas::new(&limits), Bodies::new(limits));
        let refusals = Refusals::in_folder(&settings.data);
        Self {
            store,
            clock,
            workers,
            bodies,
            renewals,
            settings: api,
            external,
            directory,
            own,
            quotas,
            refusals,
        }
    }

    /// Whose tokens say who may do what. Without any, everybody may do everything.
    pub(crate) fn authority(&self) -> Option<&Authority> {
        self.external.as_ref().or_else(|| (!self.directory.is_open()).then_some(&self.own.authority))
    }

    /// Whether who may do what is said by what is kept here.
    pub(crate) fn has_own_users(&self) -> bool {
        self.external.is_none() && !self.directory.is_open()
    }
}
