//! A server from its settings to its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tufstore::{Options, StorageError, Store};

use crate::clock::Clock;
use crate::secrets::{self, SecretsError};
use crate::service::Service;
use crate::settings::Settings;
use crate::transport::{Listener, TlsError};
use crate::workers::Workers;

/// A server that listens, and does not answer until it is [run](Server::run).
#[derive(Debug)]
pub struct Server {
    store: Store,
    service: Arc<Service>,
    listener: Listener,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Anybody could publish and delete.
    #[error(
        "{address} can be reached from other machines, and whoever reaches it may publish and delete: there is no authentication yet"
    )]
    Open {
        /// Which address.
        address: SocketAddr,
    },
    /// What the server signs with cannot be used.
    #[error("the online keys cannot be used")]
    Secrets(#[from] SecretsError),
    /// The store cannot be opened.
    #[error("the store in {} cannot be opened", folder.display())]
    Store {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: StorageError,
    },
    /// The certificate cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
}

/// Why a server ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// All was answered, and nothing acknowledged is lost, but the next open has to recover.
    #[error("the store could not be closed cleanly")]
    Close(#[source] StorageError),
}

impl Server {
    /// Opens the store, and listens.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        let address = settings.listen;
        if !address.ip().is_loopback() && !settings.insecure_open {
            return Err(StartError::Open { address });
        }
        let listener = Listener::bind(&settings).await?;
        let online = secrets::online_keys(&settings)?;
        let options = Options::default().with_online_keys(online).with_lifetimes(settings.api.lifetimes);
        let store = Store::open(&settings.data, options)
            .map_err(|source| StartError::Store { folder: settings.data.clone(), source })?;
        let workers = Workers::new(64, 32);
        let service = Arc::new(Service::new(store.clone(), clock, workers, settings.api));
        Ok(Self { store, service, listener })
    }

    /// Where it can be reached, such as `https://127.0.0.1:4443`.
    pub fn url(&self) -> String {
        self.listener.url()
    }

    /// Answers until `ended`, then finishes what it has begun and closes the store.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(self, ended: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        self.listener.run(Arc::clone(&self.service), ended).await;
        self.store.close().map_err(RunError::Close)
    }
}
