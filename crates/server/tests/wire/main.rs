//! What comes over a socket: everything that well-meaning clients never send, and how long the server waits for it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;
mod http1;
mod many;
mod quotas;
mod tls;
