//! From a socket to a request, and back.
//!
//! ```text
//! accept ─a place─▶ connection ─handshake─▶ HTTP/1.1 or h2 ─▶ stack ─▶ api
//! ```
//!
//! Every wait for a client has an end, and a client that waits holds a connection and nothing else.

mod authority;
mod connection;
mod stack;
mod tls;
mod unread;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use tls::{Reloader, TlsError};

use crate::server::StartError;
use crate::service::Service;
use crate::settings::{ServerLimits, Settings};
use connection::Connections;

/// Open files that no connection takes: those of the store, the admin socket's and the event loop's.
const KEPT_FILES: u64 = 128;
/// After an accept that failed for want of something, until the next.
const BREATH: Duration = Duration::from_millis(200);

/// A bound socket with all that its connections need.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Reloader>,
    limits: ServerLimits,
}

impl Listener {
    pub(crate) async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { address: settings.listen, source };
        let files = raised_file_limit();
        let mut limits = settings.limits;
        let connections = fitting(limits.connections, files);
        if connections < limits.connections {
            let wanted = limits.connections;
            tracing::warn!(
                files,
                wanted,
                connections,
                "fewer connections at a time: too few files may be open"
            );
            limits.connections = connections;
        }
        let socket = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls: None, limits })
    }

    /// With that certificate.
    pub(crate) fn with(self, tls: Option<Reloader>) -> Self {
        Self { tls, ..self }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Accepts until `ended`; then takes no more, closes what is idle, and waits for what has begun.
    pub(crate) async fn run(self, service: Arc<Service>, ended: impl Future<Output = ()> + Send) {
        let Self { socket, tls, limits, .. } = self;
        let (draining, cut) = (CancellationToken::new(), CancellationToken::new());
        let connections = Connections { service, tls, limits, draining: draining.clone(), cut: cut.clone() };
        let tasks = TaskTracker::new();
        let accepting = accept(socket, connections, tasks.clone());
        tokio::select! {
            () = accepting => {}
            () = ended => {}
        }
        draining.cancel();
        tasks.close();
        let open = tasks.len();
        if open > 0 {
            tracing::info!(open, "waiting for connections to end");
        }
        if time::timeout(limits.drain, tasks.wait()).await.is_err() {
            tracing::warn!(open = tasks.len(), "connections are cut: they did not end in time");
            cut.cancel();
            tasks.wait().await;
        }
    }
}

async fn accept(socket: TcpListener, connections: Connections, tasks: TaskTracker) {
    // Who finds no place waits in the system's queue.
    let places = Arc::new(Semaphore::new(connections.limits.connections));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let connections = connections.clone();
                tasks.spawn(async move {
                    connections.serve(stream, peer).await;
                    drop(place);
                });
            }
            // The client has gone already.
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                time::sleep(BREATH).await;
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// As many open files as the system lets a process have, since each connection is one; tells how many these are.
fn raised_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays low");
            limit.current
        }
    };
    current.unwrap_or(u64::MAX)
}

/// So many connections that files are left for the store, and at least one.
fn fitting(connections: usize, files: u64) -> usize {
    let left = files.saturating_sub(KEPT_FILES).max(1);
    connections.min(usize::try_from(left).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_store() {
        assert_eq!(fitting(4096, 1024), 1024 - 128);
        assert_eq!(fitting(100, 1024), 100);
        assert_eq!(fitting(100, 64), 1);
    }
}
