//! What a server is run with: from flags, a file of ours, or a notary-server's file.

mod file;
mod given;
mod limits;
mod notary;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tufstore::{Lifetimes, Retention};

pub use crate::access::ContentTrust;
pub use crate::maintenance::Maintenance;
pub use file::{Ignored, SettingsError, read};
pub use given::{
    Algorithm, Given, GivenAuth, GivenCaching, GivenKeys, GivenLifetimes, GivenLimits, GivenLog,
    GivenMaintenance, GivenPolicy, GivenTls, GivenTokens, Level, LogFormat, Passphrase, Span,
};
pub use limits::ServerLimits;

/// Everything that a server is run with.
#[derive(Clone, Debug)]
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
    /// Whose tokens say who may do what; without one, everybody may do everything.
    pub auth: Option<TokenService>,
    /// The server's own tokens, for the users that it has.
    pub tokens: TokenSettings,
    /// Whether what is signed is taken in a registry of which nothing is said, once there is a user.
    pub new_registries: ContentTrust,
    /// What the server signs with.
    pub keys: Keys,
    /// How much of anything one server takes on.
    pub limits: ServerLimits,
    /// What the API answers by.
    pub api: ApiSettings,
    /// A folder on another disk with a second copy of the journal.
    pub second_journal: Option<PathBuf>,
    /// A file on other storage that knows how far the store has come.
    pub anchor: Option<PathBuf>,
    /// What the server does for the store by itself.
    pub maintenance: Maintenance,
    /// What is logged, which is up to whoever installs a subscriber for it.
    pub log: Log,
}

impl Settings {
    /// The defaults, for a store in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4443)),
            insecure_open: false,
            tls: Tls::default(),
            auth: None,
            tokens: TokenSettings::default(),
            new_registries: ContentTrust::default(),
            keys: Keys::default(),
            limits: ServerLimits::default(),
            api: ApiSettings::default(),
            second_journal: None,
            anchor: None,
            maintenance: Maintenance::default(),
            log: Log::default(),
        }
    }

    /// What was given, and the defaults for the rest.
    ///
    /// # Errors
    /// [`SettingsError`] where something is missing, or two things exclude each other.
    pub fn of(given: Given) -> Result<Self, SettingsError> {
        let data = given.data.ok_or(SettingsError::Missing { what: "the store's folder (data)" })?;
        let mut settings = Self::new(data);
        set(&mut settings.listen, given.listen);
        set(&mut settings.insecure_open, given.insecure_open);
        settings.tls = Tls::of(given.tls)?;
        settings.auth = TokenService::of(given.auth)?;
        settings.tokens = TokenSettings::of(given.tokens)?;
        set(&mut settings.new_registries, given.policy.new_registries);
        settings.keys = Keys::of(given.keys)?;
        for prefix in given.gun_prefixes.iter().flatten() {
            check_prefix(prefix)?;
        }
        set(&mut settings.api.gun_prefixes, given.gun_prefixes);
        let caching = &mut settings.api.caching;
        for seconds in [given.caching.current, given.caching.consistent].into_iter().flatten() {
            if seconds > Caching::LONGEST {
                return Err(SettingsError::Caching { seconds });
            }
        }
        set(&mut caching.current, given.caching.current);
        set(&mut caching.consistent, given.caching.consistent);
        let span = |given: Option<Span>| given.map(|span| span.0);
        let lifetimes = &mut settings.api.lifetimes;
        set(&mut lifetimes.timestamp, span(given.lifetimes.timestamp));
        set(&mut lifetimes.snapshot, span(given.lifetimes.snapshot));
        if lifetimes.timestamp.is_zero() || lifetimes.snapshot.is_zero() {
            return Err(SettingsError::NoLifetime);
        }
        let (limits, given_limits) = (&mut settings.limits, given.limits);
        set(&mut limits.connections, given_limits.connections);
        set(&mut limits.handshake, span(given_limits.handshake));
        set(&mut limits.idle, span(given_limits.idle));
        set(&mut limits.stalled, span(given_limits.stalled));
        set(&mut limits.header, span(given_limits.header));
        set(&mut limits.request, span(given_limits.request));
        set(&mut limits.body_bytes, given_limits.body_bytes);
        set(&mut limits.bodies_bytes, given_limits.bodies_bytes);
        set(&mut limits.memory_bytes, given_limits.memory_bytes);
        set(&mut limits.publications, given_limits.publications);
        set(&mut limits.waiting_publications, given_limits.waiting_publications);
        set(&mut limits.reads, given_limits.reads);
        set(&mut limits.renewals, given_limits.renewals);
        set(&mut limits.scans, given_limits.scans);
        set(&mut limits.client_requests, given_limits.client_requests);
        // 0 stands for no bound.
        limits.client_publications_per_minute =
            given_limits.client_publications_per_minute.and_then(NonZeroU32::new);
        limits.publications_per_minute = given_limits.publications_per_minute.and_then(NonZeroU32::new);
        limits.repositories = given_limits.repositories.filter(|most| *most > 0);
        set(&mut limits.drain, span(given_limits.drain));
        limits.check()?;
        if limits.bodies_bytes < limits.body_bytes {
            return Err(SettingsError::Bodies { one: limits.body_bytes, all: limits.bodies_bytes });
        }
        settings.second_journal = given.second_journal;
        settings.anchor = given.anchor;
        settings.maintenance = maintenance(&given.maintenance);
        set(&mut settings.log.level, given.log.level);
        set(&mut settings.log.format, given.log.format);
        Ok(settings)
    }
}

/// With either bound given, what is beyond it is dropped; what the other one would keep stays all the same.
fn maintenance(given: &GivenMaintenance) -> Maintenance {
    let mut maintenance = Maintenance::default();
    set(&mut maintenance.scrub_every, given.scrub_every.map(|span| span.0));
    set(&mut maintenance.collect_every, given.collect_every.map(|span| span.0));
    if given.keep_versions.is_some() || given.keep_age.is_some() {
        maintenance.retention = Retention::default();
        set(&mut maintenance.retention.versions, given.keep_versions);
        set(&mut maintenance.retention.age, given.keep_age.map(|span| span.0));
    }
    maintenance
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

/// A prefix of names, as notary-server takes it.
fn check_prefix(prefix: &str) -> Result<(), SettingsError> {
    let name = prefix.strip_suffix('/');
    // What a repository's name may be is what a prefix of whole segments may be.
    if name.is_some_and(|name| name.parse::<tufstore::terms::RepositoryName>().is_ok()) {
        return Ok(());
    }
    Err(SettingsError::Prefix { prefix: prefix.to_owned() })
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

impl Default for Tls {
    fn default() -> Self {
        Self::MadeHere { names: Vec::new() }
    }
}

impl Tls {
    fn of(given: GivenTls) -> Result<Self, SettingsError> {
        let GivenTls { certificate, key, client_ca, names, off } = given;
        match (off == Some(true), certificate, key) {
            (true, None, None) if client_ca.is_none() && names.is_none() => Ok(Self::Off),
            (false, None, None) if client_ca.is_none() => {
                Ok(Self::MadeHere { names: names.unwrap_or_default() })
            }
            (false, Some(certificate), Some(key)) if names.is_none() => {
                Ok(Self::Files { certificate, key, client_ca })
            }
            (false, Some(_), None) | (false, None, Some(_)) => {
                Err(SettingsError::Missing { what: "the other one of TLS certificate and key" })
            }
            _ => Err(SettingsError::TlsTwice),
        }
    }
}

/// A service that gives out tokens, as registries have one: Docker's token protocol.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenService {
    /// Where clients ask for a token: a URL.
    pub realm: String,
    /// What this server is called there, and in a token's `aud`.
    pub service: String,
    /// What the service calls itself in a token's `iss`.
    pub issuer: String,
    /// Certificates, PEM: tokens are signed by the key of one of them, or of a certificate that leads to one.
    pub root_cert_bundle: Option<PathBuf>,
    /// Or its public keys, as a JSON Web Key Set.
    pub jwks: Option<PathBuf>,
}

impl TokenService {
    /// A service whose keys are a set.
    pub fn with_jwks(
        realm: impl Into<String>,
        service: impl Into<String>,
        issuer: impl Into<String>,
        jwks: impl Into<PathBuf>,
    ) -> Self {
        Self {
            realm: realm.into(),
            service: service.into(),
            issuer: issuer.into(),
            root_cert_bundle: None,
            jwks: Some(jwks.into()),
        }
    }

    fn of(given: GivenAuth) -> Result<Option<Self>, SettingsError> {
        if given == GivenAuth::default() {
            return Ok(None);
        }
        let GivenAuth { realm, service, issuer, root_cert_bundle, jwks } = given;
        if root_cert_bundle.is_none() && jwks.is_none() {
            return Err(SettingsError::Missing { what: "auth.root-cert-bundle or auth.jwks" });
        }
        let text = |given: Option<String>, what| {
            given.filter(|text| !text.is_empty()).ok_or(SettingsError::Missing { what })
        };
        Ok(Some(Self {
            realm: text(realm, "auth.realm")?,
            service: text(service, "auth.service")?,
            issuer: text(issuer, "auth.issuer")?,
            root_cert_bundle,
            jwks,
        }))
    }
}

/// The server's own tokens, for the users that it has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenSettings {
    /// Where clients are told to ask for a token; by default `/oauth2/token` under the name by which they reached the server.
    pub realm: Option<String>,
    /// What the trust server is called in tokens. A registry of images is called as in the names of its repositories.
    pub service: String,
    /// How long a token is good for.
    pub lifetime: Duration,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { realm: None, service: "tufstore".to_owned(), lifetime: Duration::from_mins(5) }
    }
}

impl TokenSettings {
    /// Clients may have it that a token lives a minute at least.
    const SHORTEST: Duration = Duration::from_mins(1);
    const LONGEST: Duration = Duration::from_hours(1);

    fn of(given: GivenTokens) -> Result<Self, SettingsError> {
        let mut settings = Self { realm: given.realm, ..Self::default() };
        set(&mut settings.service, given.service);
        set(&mut settings.lifetime, given.lifetime.map(|span| span.0));
        // A registry that is called so would take the tokens of those who sign.
        if settings.service.is_empty() || settings.service.contains(['.', ':', '/']) {
            return Err(SettingsError::ServiceName);
        }
        if !(Self::SHORTEST..=Self::LONGEST).contains(&settings.lifetime) {
            return Err(SettingsError::TokenLifetime);
        }
        Ok(settings)
    }
}

/// What the server signs with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Keys {
    /// What opens the master key.
    pub opened_by: OpenedBy,
    /// Of new keys.
    pub algorithm: Algorithm,
    /// Make a master key although the store has records already.
    pub new_master_key: bool,
}

impl Keys {
    fn of(given: GivenKeys) -> Result<Self, SettingsError> {
        let opened_by = match (given.passphrase, given.passphrase_file, given.key_file) {
            (None, None, path) => OpenedBy::KeyFile(path),
            (Some(passphrase), None, None) => OpenedBy::Passphrase(passphrase),
            (None, Some(path), None) => OpenedBy::PassphraseFile(path),
            _ => return Err(SettingsError::OpenerTwice),
        };
        let algorithm = given.algorithm.unwrap_or_default();
        Ok(Self { opened_by, algorithm, new_master_key: given.new_master_key.unwrap_or(false) })
    }
}

/// What opens the master key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OpenedBy {
    /// A passphrase.
    Passphrase(Passphrase),
    /// A passphrase in a file; a newline at its end does not count.
    PassphraseFile(PathBuf),
    /// A key file; by default the data folder's name with `.key` after it.
    KeyFile(Option<PathBuf>),
}

impl Default for OpenedBy {
    fn default() -> Self {
        Self::KeyFile(None)
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

impl ApiSettings {
    /// Whether repositories of this name are served at all.
    pub(crate) fn serves(&self, repository: &str) -> bool {
        let prefixes = &self.gun_prefixes;
        prefixes.is_empty() || prefixes.iter().any(|prefix| repository.starts_with(prefix))
    }
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

impl Caching {
    /// A year.
    const LONGEST: u32 = 31_536_000;
}

impl Default for Caching {
    fn default() -> Self {
        Self { current: 300, consistent: 2_592_000 }
    }
}

/// What is logged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Log {
    /// From which level on.
    pub level: Level,
    /// In which form.
    pub format: LogFormat,
}

#[cfg(test)]
mod tests;
