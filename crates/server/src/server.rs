//! A server from its settings to its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::OptionFuture;
use http::{Request, Response};
use tokio::{task, time};
use tokio_util::sync::CancellationToken;
use tufstore::{Options, StorageError, Store};

use crate::admin::Socket;
use crate::api::{self, route};
use crate::auth::{AuthError, Authority};
use crate::clock::Clock;
use crate::concerns;
use crate::directory::{Directory, DirectoryError, DisableError};
use crate::maintenance::{self, Ended, Maintenance};
use crate::metrics;
use crate::secrets::{Plan, Secrets, SecretsError};
use crate::service::Service;
use crate::settings::{Settings, Tls};
use crate::tokens::{OwnTokens, TokenError};
use crate::transport::{Listener, Reloader, TlsError};

/// How often what was counted is settled.
const SETTLING: Duration = Duration::from_secs(5);

/// A server that listens, and does not answer until it is [run](Server::run).
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    listener: Listener,
    certificate: Option<Reloader>,
    made_key_file: Option<PathBuf>,
    admin: Option<Socket>,
    maintenance: Maintenance,
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
    /// The token service cannot be used.
    #[error("nobody's token could be verified")]
    Auth(#[from] AuthError),
    /// Anybody could publish and delete.
    #[error(
        "whoever reaches {address} could publish and delete: there are no users, and no token service is named"
    )]
    Open {
        /// Which address.
        address: SocketAddr,
    },
    /// Who may do what cannot be told.
    #[error("who may do what cannot be told")]
    Directory(#[from] DirectoryError),
    /// What was to be deleted cannot be.
    #[error("a registry without content trust still holds some")]
    Disable(#[from] DisableError),
    /// Its own tokens cannot be made.
    #[error("tokens cannot be made")]
    Tokens(#[from] TokenError),
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

/// Why a server ended otherwise than by being asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// All was answered, and nothing acknowledged is lost, but the next open has to recover.
    #[error("the store could not be closed cleanly")]
    Close(#[source] StorageError),
}

/// What a server would start with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Checked {
    /// Where it would listen.
    pub address: SocketAddr,
    /// Whether its master key is there, and opens; one would be made.
    pub has_master_key: bool,
    /// Whether its certificate is there; one would be made. True without TLS, too.
    pub has_certificate: bool,
}

/// Strangers do not publish. `has_users`: whether anybody has to say who they are, as far as that is known.
fn allowed(settings: &Settings, has_users: bool) -> Result<(), StartError> {
    let address = settings.listen;
    if address.ip().is_loopback() || settings.auth.is_some() || settings.insecure_open || has_users {
        Ok(())
    } else {
        Err(StartError::Open { address })
    }
}

impl Server {
    /// Opens the store, or makes one, and listens. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Cost
    /// That of [`Store::open`], and of stretching a passphrase, on the calling thread.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        // In a store that is not there yet, there is nobody.
        allowed(&settings, settings.data.join("journal").exists())?;
        // First what may fail and leaves nothing behind.
        let listener = Listener::bind(&settings).await?;
        let authority = settings.auth.clone().map(Authority::open).transpose()?;
        let Secrets { keys, tokens, made } = Plan::new(&settings)?.open()?;
        let secure = !matches!(settings.tls, Tls::Off);
        let own = OwnTokens::new(&tokens, &settings, clock.now())?;
        let certificate = Reloader::new(&settings, clock.now())?;
        let listener = listener.with(certificate.clone());
        let memory = u64::try_from(settings.limits.memory_bytes).unwrap_or(u64::MAX);
        let options = Options::default().with_online_keys(keys).with_lifetimes(settings.api.lifetimes);
        let mut options = options.with_memory(memory);
        options.second_journal.clone_from(&settings.second_journal);
        options.anchor.clone_from(&settings.anchor);
        let store = Store::open(&settings.data, options)
            .map_err(|source| StartError::Store { folder: settings.data.clone(), source })?;
        let directory = Arc::new(Directory::open(store.clone(), &settings.data, settings.new_registries)?);
        allowed(&settings, !directory.is_open())?;
        directory.resume(clock.now())?;
        if !directory.is_open() && authority.is_none() && !secure && settings.tokens.realm.is_none() {
            tracing::warn!(
                "clients are sent to http://.../oauth2/token, where passwords are read by whoever is on the way: \
                 name the proxy's address as tokens.realm"
            );
        }
        if directory.is_open() && authority.is_none() {
            tracing::warn!("there are no users: whoever reaches this server may publish and delete");
        }
        // Last: with the store open, what is there is of a server that is gone.
        let admin = match Socket::bind(&settings.data) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "no admin socket: other commands will not work while the server runs");
                None
            }
        };
        let service = Arc::new(Service::new(store, clock, &settings, authority, directory, own));
        let maintenance = settings.maintenance;
        Ok(Self { service, listener, certificate, made_key_file: made, admin, maintenance })
    }

    /// Whether a server would start with these settings; makes and changes nothing. Needs a tokio runtime.
    ///
    /// A store that is damaged, or that another process has open, is found at the start only.
    ///
    /// # Errors
    /// [`StartError`], as [`Server::start`].
    pub async fn check(settings: &Settings) -> Result<Checked, StartError> {
        // Whether there are users is known once the store is open.
        allowed(settings, settings.data.join("journal").exists())?;
        let address = Listener::bind(settings).await?.address();
        settings.auth.clone().map(Authority::open).transpose()?;
        let has_master_key = Plan::new(settings)?.check()?;
        let has_certificate = Reloader::check(settings)?;
        Ok(Checked { address, has_master_key, has_certificate })
    }

    /// Where it can be reached, such as `https://127.0.0.1:4443`.
    pub fn url(&self) -> String {
        self.listener.url()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// What reads the certificate again; `None` without TLS.
    pub fn certificate(&self) -> Option<Reloader> {
        self.certificate.clone()
    }

    /// The key file that was made at this start, if one was: whoever has it and the store's folder can sign, and without it
    /// the server never can again.
    pub fn made_key_file(&self) -> Option<&Path> {
        self.made_key_file.as_deref()
    }

    /// Whether whoever reaches it may publish and delete: there are no users, and no token service is named.
    pub fn is_open(&self) -> bool {
        self.service.authority().is_none()
    }

    /// The store that it serves.
    pub fn store(&self) -> Store {
        self.service.store.clone()
    }

    /// Who may do what in it.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.service.directory)
    }

    /// Answers one request of the Notary v1 API, wherever it came from: to embed the API in a stack of one's own, which
    /// then has to bound connections, headers and times itself.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let route = route::of(request.method(), request.uri().path());
        api::answer(&self.service, route, request).await
    }

    /// Answers until `ended`, then finishes what it has begun and closes the store.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(self, ended: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let settled = Arc::clone(&self.service);
        let settling = tokio::spawn(async move {
            let mut ticks = time::interval(SETTLING);
            loop {
                ticks.tick().await;
                metrics::settle();
                settled.own.logins.settle();
                settled.quotas.settle();
            }
        });
        let service = Arc::clone(&self.service);
        let keeping = tokio::spawn(maintenance::keep(service, self.maintenance, Ended::default()));
        let watching = tokio::spawn(concerns::watch(Arc::clone(&self.service)));
        let (admin_ends, admin) = (CancellationToken::new(), self.admin);
        let admin =
            admin.map(|socket| tokio::spawn(socket.run(Arc::clone(&self.service), admin_ends.clone())));
        self.listener.run(Arc::clone(&self.service), ended).await;
        admin_ends.cancel();
        if let Some(Err(error)) = OptionFuture::from(admin).await {
            tracing::error!(%error, "the admin socket ended in a panic");
        }
        settling.abort();
        watching.abort();
        keeping.abort();
        let store = self.service.store.clone();
        let closed = task::spawn_blocking(move || store.close()).await;
        closed.unwrap_or(Err(StorageError::Halted)).map_err(RunError::Close)
    }
}
