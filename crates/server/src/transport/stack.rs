//! What stands around the API for every request: its id, its line in the log, its count, and that a panic is an answer.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;

use axum::body::{Body, HttpBody};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use tracing::Instrument;

use super::unread;
use crate::api::{self, Peer, RequestId, WireError, route};
use crate::clock::Stopwatch;
use crate::metrics::{self, Seen};
use crate::service::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FOR_BROWSERS: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
/// Of an id that a client or a proxy gives.
const LONGEST_ID: usize = 64;
/// Of a path in the log.
const LONGEST_PATH: usize = 256;

/// Answers a request that came over a connection.
pub(super) async fn answer(
    service: &Service,
    mut request: Request<Body>,
    peer: SocketAddr,
) -> Response<Body> {
    let watch = Stopwatch::start();
    let id = RequestId::new(id(request.headers()));
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(Peer(peer.ip()));
    if let (None, Some(host)) = (request.headers().get(header::HOST), request.uri().authority())
        && let Ok(host) = HeaderValue::try_from(host.as_str())
    {
        // In h2 it has another name.
        request.headers_mut().insert(header::HOST, host);
    }
    let (method, path) = (request.method().clone(), shown(request.uri().path()));
    let route = route::of(&method, request.uri().path());
    let label = route.label();
    // Anybody may announce anything; what is more than is ever taken would spoil the sum.
    let most = u64::try_from(service.bodies.longest()).unwrap_or(u64::MAX);
    let request_bytes = length(request.headers()).unwrap_or(0).min(most);
    let span = tracing::info_span!("request", id = id.as_str(), %peer, %method, path);
    let (request, unread) = unread::lend(request);
    let mut response = if let Some(_answering) = service.quotas.answering(peer.ip()) {
        let answered = AssertUnwindSafe(api::answer(service, route, request)).catch_unwind();
        answered.instrument(span.clone()).await.unwrap_or_else(|_| {
            tracing::error!(parent: &span, "answering panicked");
            WireError::unknown().into_response(Some(&id))
        })
    } else {
        WireError::too_many("Too many requests of yours are being answered. Wait for one.")
            .into_response(Some(&id))
    };
    // A browser that gets here shows nothing of it, and nobody shows it in a frame.
    response.headers_mut().extend(FOR_BROWSERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(id) = HeaderValue::try_from(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let seen = Seen {
        status: response.status(),
        duration: watch.elapsed(),
        request_bytes,
        response_bytes: response.body().size_hint().exact().unwrap_or(0),
    };
    if let Some(label) = label {
        metrics::observe(label, &method, &seen);
    }
    let microseconds = u64::try_from(seen.duration.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(parent: &span, status = seen.status.as_u16(), bytes = seen.response_bytes, microseconds, "answered");
    // Whose time is over is not waited for once more.
    if !seen.status.is_success() && seen.status != StatusCode::REQUEST_TIMEOUT {
        unread.pass_over().await;
    }
    response
}

/// The id that came with the request if it is one, or a new one.
fn id(headers: &HeaderMap) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(allowed) => id.to_owned(),
        Some(_) | None => format!("{:016x}", rand::random::<u64>()),
    }
}

/// A path as the log shows it: percent-encoded as it came, and not endless.
fn shown(path: &str) -> String {
    path.chars().take(LONGEST_PATH).collect()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_only_if_it_can_stand_in_a_log() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::try_from(value).unwrap());
            id(&headers)
        };
        assert_eq!(with("a-1_b.C"), "a-1_b.C");
        for value in ["", "a b", "a\"b", &"x".repeat(65)] {
            let made = with(value);
            assert!(made.len() == 16 && made.bytes().all(|digit| digit.is_ascii_hexdigit()), "{value:?}");
        }
        assert_ne!(id(&HeaderMap::new()), id(&HeaderMap::new()));
    }
}
