//! What of a request's body nobody read, because it was refused before.
//!
//! A client that is still sending when its connection is closed does not see why it was refused: its next write fails, and that is
//! what it tells its user. So the rest is taken in before the answer is sent, as far as it is not much.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http::{Request, header};
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time;

/// No more is taken in for nothing: as much as Go's servers do, which clients know.
const MOST: u64 = 256 << 10;
/// Nor for longer.
const LONGEST: Duration = Duration::from_secs(2);

/// The body of a request, for whoever answers it.
struct Lent(Arc<Mutex<Reading>>);

/// What of it is left then.
pub(super) struct Unread {
    reading: Arc<Mutex<Reading>>,
    /// It sends the body only when it is told to.
    waits: bool,
}

struct Reading {
    body: Body,
    is_over: bool,
}

/// The same request, and what will be left of its body.
pub(super) fn lend(request: Request<Body>) -> (Request<Body>, Unread) {
    let waits = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let is_over = body.is_end_stream();
    let reading = Arc::new(Mutex::new(Reading { body, is_over }));
    let request = Request::from_parts(parts, Body::new(Lent(Arc::clone(&reading))));
    (request, Unread { reading, waits })
}

impl Unread {
    /// Takes it in and drops it, unless it is much or slow.
    pub(super) async fn pass_over(self) {
        let is_much = self.reading.lock().size_hint().lower() > MOST;
        if self.waits || is_much {
            return;
        }
        let pass_over = async {
            let mut taken = 0;
            while let Some(Ok(frame)) = poll_fn(|context| self.reading.lock().poll(context)).await {
                taken += frame.data_ref().map_or(0, Bytes::len);
                if u64::try_from(taken).is_ok_and(|taken| taken > MOST) {
                    return;
                }
            }
        };
        // However far it came.
        drop(time::timeout(LONGEST, pass_over).await);
    }
}

impl Reading {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.is_over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_over { SizeHint::with_exact(0) } else { self.body.size_hint() }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.0.lock().poll(context)
    }

    fn is_end_stream(&self) -> bool {
        let reading = self.0.lock();
        reading.is_over || reading.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}
