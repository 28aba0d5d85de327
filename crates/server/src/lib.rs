//! The trust server: the Notary v1 API over an embedded [`tufstore`] engine.
//!
//! What notary-server, notary-signer and a database did together, one process does. Docker and the `notary` command line
//! work against it unmodified.
//!
//! ```text
//! transport  accept ─limits─▶ TLS ─▶ HTTP/1.1 or h2 ─▶ api ─▶ answer
//! api        path ─route─▶ Route ─prefix─▶ ─access─▶ handler ─workers─▶ store
//! auth       Authorization ─token─▶ who asks, and what they may
//! tokens     a name and a secret ─login─▶ Identity ─grants─▶ a token, for some minutes
//! directory  Order ─▶ Access, durable and then in force; content trust on and off; access decides
//! renewal    a reader of what is due ─▶ one publication of an empty upload, for all who wait
//! upkeep     concerns: what expires, for the metrics · maintenance: scrubbing and collecting, a little at a time
//! admin      a socket in the store's folder ─▶ the same questions that the command line asks a closed store
//! ```
//!
//! The engine decides what is trusted; nothing here does. What this crate adds is the wire: paths, codes and texts that
//! clients know, limits that strangers run into, and the keys that the server signs with.
#![forbid(unsafe_code)]

mod clock;
mod concerns;
mod maintenance;
mod shown;
mod text;
mod service;
mod metrics;
mod quotas;
mod refusals;
mod workers;
mod renewal;
pub mod access;
pub mod directory;
mod auth;
mod tokens;
mod api;
mod transport;
pub mod admin;
mod secrets;
mod server;
pub mod settings;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;

pub use auth::AuthError;
pub use clock::Clock;
pub use refusals::{Refused, refused_in};
pub use secrets::{SecretsError, of_restored as keys_of_restored};
pub use server::{Checked, RunError, Server, StartError};
pub use settings::Settings;
pub use tokens::TokenError;
pub use transport::{Reloader, TlsError};
