//! What a server is run with: from flags, a file of ours, or a notary-server's file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tufstore::Lifetimes;

/// Everything that a server is run with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The store's folder.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Listen on an address that others reach although anybody may publish there.
    pub insecure_open: bool,
    /// How connections are secured.
    pub tls: Tls,
    /// What opens the master key.
    pub opened_by: OpenedBy,
    /// How much of anything one server takes on.
    pub limits: ServerLimits,
    /// What the API answers by.
    pub api: ApiSettings,
}

impl Settings {
    /// The defaults, for a store in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4443)),
            insecure_open: false,
            tls: Tls::MadeHere { names: Vec::new() },
            opened_by: OpenedBy::KeyFile(None),
            limits: ServerLimits::default(),
            api: ApiSettings::default(),
        }
    }
}

/// How connections are secured.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Tls {
    /// By a certificate of the server's own authority, made in the store's folder: for localhost and the address that is
    /// listened on.
    MadeHere {
        /// And for these.
        names: Vec<String>,
    },
    /// By files, PEM.
    Files {
        /// The certificate, then those that signed it.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
        /// Who signs the certificates that clients have to show.
        client_ca: Option<PathBuf>,
    },
    /// Not: something in front of the server does it.
    Off,
}

/// What opens the master key.
#[derive(Clone)]
#[non_exhaustive]
pub enum OpenedBy {
    /// A passphrase.
    Passphrase(Vec<u8>),
    /// A key file; by default the data folder's name with `.key` after it.
    KeyFile(Option<PathBuf>),
}

impl std::fmt::Debug for OpenedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("Passphrase(..)"),
            Self::KeyFile(path) => f.debug_tuple("KeyFile").field(path).finish(),
        }
    }
}

/// How much of anything one server takes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Connections at a time; who comes when there is no room waits to be accepted.
    pub connections: usize,
    /// How long a client may take for a TLS handshake.
    pub handshake: Duration,
    /// How long a connection may be without a byte from the client.
    pub idle: Duration,
    /// How long a client may take no byte of an answer.
    pub stalled: Duration,
    /// How long a client may take to send the header of a request, on a new connection and on an idle one.
    pub header: Duration,
    /// How long a client may take to send a whole request.
    pub request: Duration,
    /// Bytes of one upload.
    pub body_bytes: usize,
    /// Bytes of all uploads that are being received or waiting.
    pub bodies_bytes: usize,
    /// Publications that are verified or written at a time.
    pub publications: usize,
    /// Publications that wait for that.
    pub waiting_publications: usize,
    /// Reads at a time.
    pub reads: usize,
    /// Renewals at a time.
    pub renewals: usize,
    /// How long to wait for what has begun when the server is asked to end.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(5),
            stalled: Duration::from_secs(30),
            header: Duration::from_secs(30),
            request: Duration::from_mins(2),
            body_bytes: 128 << 20,
            bodies_bytes: 512 << 20,
            publications: 32,
            waiting_publications: 512,
            reads: 64,
            renewals: 8,
            drain: Duration::from_secs(30),
        }
    }
}

/// What the API answers by.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ApiSettings {
    /// Only repositories whose names begin so are served; all if there is none. Each ends in `/`.
    pub gun_prefixes: Vec<String>,
    /// What caches are told.
    pub caching: Caching,
    /// How long what the server signs is valid.
    pub lifetimes: Lifetimes,
}

/// What caches are told, in seconds; 0 forbids them to keep anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Caching {
    /// Of files that are current now.
    pub current: u32,
    /// Of files that a version or digest names, which never change.
    pub consistent: u32,
}

impl Default for Caching {
    fn default() -> Self {
        Self { current: 300, consistent: 2_592_000 }
    }
}
