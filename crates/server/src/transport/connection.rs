use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::stack;
use super::tls::{H2, Reloader};
use crate::metrics;
use crate::service::Service;
use crate::settings::ServerLimits;

/// A request line with all its headers: names are at most 255 bytes, tokens some thousand.
const LONGEST_HEADER: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
/// At a time on one h2 connection.
const MOST_STREAMS: u32 = 64;

/// What every connection is served with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) service: Arc<Service>,
    pub(super) tls: Option<Reloader>,
    pub(super) limits: ServerLimits,
    /// Finish what has begun.
    pub(super) draining: CancellationToken,
    /// Do not even finish that.
    pub(super) cut: CancellationToken,
}

impl Connections {
    /// Serves one connection to its end.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let _counted = metrics::connected();
        // Answers are small and written whole.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_read_timeout(Some(self.limits.idle));
        stream.set_write_timeout(Some(self.limits.stalled));
        let stream = Box::pin(stream);
        let Some(tls) = &self.tls else { return self.http(stream, false, peer).await };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        tokio::select! {
            shaken = time::timeout(self.limits.handshake, handshake) => match shaken {
                Ok(Ok(stream)) => {
                    let h2 = stream.get_ref().1.alpn_protocol() == Some(H2);
                    self.http(stream, h2, peer).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
            },
            () = self.draining.cancelled() => {}
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        h2: bool,
        peer: SocketAddr,
    ) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header)
            .max_buf_size(LONGEST_HEADER)
            .max_headers(MOST_HEADERS)
            // Who has sent its request may close its side and still be answered.
            .half_close(true);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(u32::try_from(LONGEST_HEADER).unwrap_or(u32::MAX));
        // Decided by the handshake and not by the first bytes, for which there would be no deadline.
        let builder = if h2 { builder.http2_only() } else { builder.http1_only() };
        let service = Arc::clone(&self.service);
        let answer = service_fn(move |request: Request<Incoming>| {
            let service = Arc::clone(&service);
            async move { Ok::<_, Infallible>(stack::answer(&service, request.map(Body::new), peer).await) }
        });
        let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), answer));
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    served = connection.as_mut() => served,
                    () = self.cut.cancelled() => Ok(()),
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "the connection ended early");
        }
    }
}
