//! What an operator gives: by flags, or in a file of ours. What is not given has a default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Some of the settings. Files are written in TOML, with these names and a `-` where there is a `_` here.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[expect(clippy::exhaustive_structs, reason = "written as a literal with the rest by default")]
pub struct Given {
    /// See [`super::Settings::data`].
    pub data: Option<PathBuf>,
    /// See [`super::Settings::second_journal`].
    pub second_journal: Option<PathBuf>,
    /// See [`super::Settings::anchor`].
    pub anchor: Option<PathBuf>,
    /// See [`super::Settings::listen`].
    pub listen: Option<SocketAddr>,
    /// See [`super::Settings::insecure_open`].
    pub insecure_open: Option<bool>,
    /// How connections are secured.
    pub tls: GivenTls,
    /// Whom the server believes about who may do what.
    pub auth: GivenAuth,
    /// The server's own tokens.
    pub tokens: GivenTokens,
    /// What holds for registries.
    pub policy: GivenPolicy,
    /// What the server signs with.
    pub keys: GivenKeys,
    /// See [`super::ApiSettings::gun_prefixes`].
    pub gun_prefixes: Option<Vec<String>>,
    /// What caches are told.
    pub caching: GivenCaching,
    /// How long what the server signs is valid.
    pub lifetimes: GivenLifetimes,
    /// How much of anything the server takes on.
    pub limits: GivenLimits,
    /// What the server does for the store by itself.
    pub maintenance: GivenMaintenance,
    /// What is logged.
    pub log: GivenLog,
}

macro_rules! given {
    ($(#[$docs:meta])* $name:ident { $($(#[$field_docs:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$docs])*
        #[derive(Clone, Debug, Default, Deserialize, PartialEq)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        #[expect(clippy::exhaustive_structs, reason = "written as a literal with the rest by default")]
        pub struct $name {
            $($(#[$field_docs])* pub $field: Option<$type>,)*
        }

        impl $name {
            /// These, and the others where these say nothing.
            fn or(self, others: Self) -> Self {
                Self { $($field: self.$field.or(others.$field),)* }
            }
        }
    };
}

given! {
    /// How connections are secured.
    GivenTls {
        /// The certificate, then those that signed it; PEM.
        certificate: PathBuf,
        /// Its private key; PEM.
        key: PathBuf,
        /// Who signs the certificates that clients have to show; PEM.
        client_ca: PathBuf,
        /// More names for a certificate that the server makes itself.
        names: Vec<String>,
        /// No TLS: something in front of the server does it.
        off: bool,
    }
}

given! {
    /// A token service. See [`super::TokenService`].
    GivenAuth {
        /// See [`super::TokenService::realm`].
        realm: String,
        /// See [`super::TokenService::service`].
        service: String,
        /// See [`super::TokenService::issuer`].
        issuer: String,
        /// See [`super::TokenService::root_cert_bundle`].
        root_cert_bundle: PathBuf,
        /// See [`super::TokenService::jwks`].
        jwks: PathBuf,
    }
}

given! {
    /// The server's own tokens. See [`super::TokenSettings`].
    GivenTokens {
        /// See [`super::TokenSettings::realm`].
        realm: String,
        /// See [`super::TokenSettings::service`].
        service: String,
        /// See [`super::TokenSettings::lifetime`].
        lifetime: Span,
    }
}

given! {
    /// What holds for registries.
    GivenPolicy {
        /// Whether what is signed is taken in a registry of which nothing is said, once there is a user.
        new_registries: crate::access::ContentTrust,
    }
}

given! {
    /// What the server signs with.
    GivenKeys {
        /// The passphrase that opens the master key. In a file of settings nobody knows it.
        #[serde(skip)]
        passphrase: Passphrase,
        /// A file that holds it.
        passphrase_file: PathBuf,
        /// A key file instead.
        key_file: PathBuf,
        /// Of new keys.
        algorithm: Algorithm,
        /// Make a master key although the store has records already.
        new_master_key: bool,
    }
}

given! {
    /// What caches are told, in seconds; 0 forbids them to keep anything.
    GivenCaching {
        /// Of files that are current now.
        current: u32,
        /// Of files that a version or digest names.
        consistent: u32,
    }
}

given! {
    /// How long what the server signs is valid.
    GivenLifetimes {
        /// Of a timestamp.
        timestamp: Span,
        /// Of a snapshot.
        snapshot: Span,
    }
}

given! {
    /// See [`super::ServerLimits`].
    GivenLimits {
        /// See [`super::ServerLimits::connections`].
        connections: usize,
        /// See [`super::ServerLimits::handshake`].
        handshake: Span,
        /// See [`super::ServerLimits::idle`].
        idle: Span,
        /// See [`super::ServerLimits::stalled`].
        stalled: Span,
        /// See [`super::ServerLimits::header`].
        header: Span,
        /// See [`super::ServerLimits::request`].
        request: Span,
        /// See [`super::ServerLimits::body_bytes`].
        body_bytes: usize,
        /// See [`super::ServerLimits::bodies_bytes`].
        bodies_bytes: usize,
        /// See [`super::ServerLimits::memory_bytes`].
        memory_bytes: usize,
        /// See [`super::ServerLimits::publications`].
        publications: usize,
        /// See [`super::ServerLimits::waiting_publications`].
        waiting_publications: usize,
        /// See [`super::ServerLimits::reads`].
        reads: usize,
        /// See [`super::ServerLimits::renewals`].
        renewals: usize,
        /// See [`super::ServerLimits::scans`].
        scans: usize,
        /// See [`super::ServerLimits::client_requests`].
        client_requests: usize,
        /// See [`super::ServerLimits::client_publications_per_minute`]; 0 for no bound.
        client_publications_per_minute: u32,
        /// See [`super::ServerLimits::publications_per_minute`]; 0 for no bound.
        publications_per_minute: u32,
        /// See [`super::ServerLimits::repositories`]; 0 for no bound.
        repositories: usize,
        /// See [`super::ServerLimits::drain`].
        drain: Span,
    }
}

given! {
    /// What the server does for the store by itself.
    GivenMaintenance {
        /// See [`super::Maintenance::scrub_every`].
        scrub_every: Span,
        /// See [`super::Maintenance::collect_every`].
        collect_every: Span,
        /// So many of the last versions of each role are kept; without this and the next one, all are.
        keep_versions: u64,
        /// What was replaced within so much time is kept.
        keep_age: Span,
    }
}

given! {
    /// What is logged.
    GivenLog {
        /// From which level on: error, warn, info, debug or trace.
        level: Level,
        /// As text or as JSON.
        format: LogFormat,
    }
}

/// A duration, in files as `90s`, `15min` or `14d`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a duration, and how it is written")]
pub struct Span(#[serde(with = "humantime_serde")] pub Duration);

/// A secret text, erased when dropped and never shown.
#[derive(Clone, PartialEq)]
pub struct Passphrase(zeroize::Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes a passphrase over.
    pub fn new(text: Vec<u8>) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// Its bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Of keys that the server makes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA over P-256, as Notary's signer makes by default.
    #[default]
    Ecdsa,
    /// Ed25519.
    Ed25519,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFormat {
    /// A line of text for people.
    #[default]
    Text,
    /// A line of JSON for programs.
    Json,
}

/// From which level on is logged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the levels of tracing")]
pub enum Level {
    /// What somebody has to mend.
    Error,
    /// And what may become that.
    Warn,
    /// And every request and publication.
    #[default]
    Info,
    /// And every connection.
    Debug,
    /// And what libraries tell.
    Trace,
}

impl Given {
    /// These, and the others where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            data: self.data.or(others.data),
            second_journal: self.second_journal.or(others.second_journal),
            anchor: self.anchor.or(others.anchor),
            listen: self.listen.or(others.listen),
            insecure_open: self.insecure_open.or(others.insecure_open),
            tls: self.tls.or(others.tls),
            auth: self.auth.or(others.auth),
            tokens: self.tokens.or(others.tokens),
            policy: self.policy.or(others.policy),
            keys: self.keys.or(others.keys),
            gun_prefixes: self.gun_prefixes.or(others.gun_prefixes),
            caching: self.caching.or(others.caching),
            lifetimes: self.lifetimes.or(others.lifetimes),
            limits: self.limits.or(others.limits),
            maintenance: self.maintenance.or(others.maintenance),
            log: self.log.or(others.log),
        }
    }

    /// Files that were named in a file lie where that lies, unless they say otherwise.
    pub(super) fn relative_to(mut self, folder: &Path) -> Self {
        let paths = [
            &mut self.data,
            &mut self.second_journal,
            &mut self.anchor,
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.client_ca,
            &mut self.auth.root_cert_bundle,
            &mut self.auth.jwks,
            &mut self.keys.passphrase_file,
            &mut self.keys.key_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
        self
    }
}
