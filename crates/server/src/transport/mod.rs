//! From a socket to a request, and back: accepting, limits, TLS, HTTP.

mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use tls::TlsError;

use crate::api;
use crate::server::StartError;
use crate::service::Service;
use crate::settings::{ServerLimits, Settings};

/// A bound socket with all that its connections need.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    limits: ServerLimits,
}

impl Listener {
    pub(crate) async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address: settings.listen, source };
        let tls = tls::acceptor(settings)?;
        let socket = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls, limits: settings.limits })
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Accepts until `ended`, then waits for what has begun.
    pub(crate) async fn run(self, service: Arc<Service>, ended: impl Future<Output = ()> + Send) {
        let _ = self.limits;
        tokio::pin!(ended);
        loop {
            let stream = tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => continue,
                },
                () = &mut ended => return,
            };
            let (service, tls) = (Arc::clone(&service), self.tls.clone());
            tokio::spawn(async move {
                let answer = service_fn(move |request: Request<Incoming>| {
                    let service = Arc::clone(&service);
                    async move {
                        Ok::<_, std::convert::Infallible>(api::answer(&service, request.map(Body::new)).await)
                    }
                });
                let server = auto::Builder::new(TokioExecutor::new());
                let Some(tls) = tls else {
                    drop(server.serve_connection(TokioIo::new(stream), answer).await);
                    return;
                };
                if let Ok(stream) = tls.accept(stream).await {
                    drop(server.serve_connection(TokioIo::new(stream), answer).await);
                }
            });
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}
