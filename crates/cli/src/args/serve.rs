//! What `tufstore serve` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Kept;

/// Serve a store to Docker and notary clients.
///
/// The Notary v1 API, as notary-server has it: publishers sign with `docker push`, `docker trust` or `notary`, consumers verify
/// with `docker pull`, and all that they write lies in the store. The server signs timestamps, and snapshots where it is
/// asked to, with keys that rest in the store, sealed by a master key; a passphrase or a key file opens that.
///
/// Who may do what is said by the users and roles of the store (`tufstore user add`), or by tokens of a service that the file of
/// settings names. Without either, whoever reaches the server can publish and delete. So it listens on loopback only then,
/// unless it is told --insecure-open.
///
/// The first line on standard output says where it listens. Interrupt it or send SIGTERM, and it finishes what it has begun;
/// SIGHUP makes it read its certificate again. While it runs, the other commands work through it.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
#[command(after_help = "\
Examples:
  tufstore serve --data store
  tufstore serve --data store --listen 127.0.0.1:8443 --tls-cert server.pem --tls-key server.key
  tufstore serve --config /etc/tufstore.toml --check-config

Then, with Docker:
  mkdir -p ~/.docker/tls/localhost:4443 && cp store/tls/ca.crt ~/.docker/tls/localhost:4443/
  DOCKER_CONTENT_TRUST=1 DOCKER_CONTENT_TRUST_SERVER=https://localhost:4443 docker push REPO:TAG")]
pub(crate) struct Serve {
    /// The store's folder; made if there is none
    #[arg(long, value_name = "DIR", env = "TUFSTORE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// A file of settings: TOML of tufstore's, or the JSON of a notary-server. Flags and variables stand above it
    #[arg(long, value_name = "FILE", env = "TUFSTORE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Where to listen [default: 127.0.0.1:4443]
    #[arg(long, value_name = "ADDR", env = "TUFSTORE_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Listen on an address that other machines reach, although without tokens whoever reaches it can publish and delete
    #[arg(long)]
    pub(crate) insecure_open: bool,
    /// The certificate, then those that signed it, as PEM [default: one that is made in DIR/tls for localhost]
    #[arg(long, value_name = "FILE", env = "TUFSTORE_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", env = "TUFSTORE_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Only serve clients whose certificate one of these signed, as PEM
    #[arg(long, value_name = "FILE", env = "TUFSTORE_CLIENT_CA", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// One more name for the certificate that is made in DIR/tls; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "tls_cert")]
    pub(crate) tls_name: Vec<String>,
    /// No TLS: a proxy in front of the server does it
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_name"])]
    pub(crate) no_tls: bool,
    /// The passphrase that opens the master key is in this file; the variable `TUFSTORE_PASSPHRASE` may hold it instead
    #[arg(long, value_name = "FILE", env = "TUFSTORE_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Without a passphrase, what opens the master key [default: the data folder's name with `.key` after it; made if
    /// there is none]
    #[arg(long, value_name = "FILE", env = "TUFSTORE_KEY_FILE", conflicts_with = "passphrase_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// Make a master key for a store that has records and none, such as one that was imported
    #[arg(long)]
    pub(crate) new_master_key: bool,
    /// Serve repositories whose names begin so, and no others; may be repeated
    #[arg(long, value_name = "PREFIX/")]
    pub(crate) gun_prefix: Vec<String>,
    /// From which level on to log [default: info]
    #[arg(long, value_enum, value_name = "LEVEL", env = "TUFSTORE_LOG_LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// How to log [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", env = "TUFSTORE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Say whether the server would start, and change nothing
    #[arg(long)]
    pub(crate) check_config: bool,
}

/// From which level on is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What somebody has to mend
    Error,
    /// And what may become that
    Warn,
    /// And every request and publication
    Info,
    /// And every connection
    Debug,
    /// And what libraries tell
    Trace,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text, for people
    Text,
    /// A line of JSON, for programs
    Json,
}
