use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    ProducesTickets, ServerSessionMemoryCache, StoresServerSessions, VerifierBuilderError,
    WebPkiClientVerifier,
};
use rustls::{RootCertStore, ServerConfig};
use tufstore::terms::UnixTime;

use super::authority;
use crate::settings::{Settings, Tls};

/// What clients that speak h2 agree upon.
pub(super) const H2: &[u8] = b"h2";
/// Sessions of TLS 1.2 clients without tickets that can be resumed.
const SESSIONS: usize = 10_240;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The authority that clients' certificates are signed by cannot be used.
    #[error("{} holds no certificates that clients' can be verified by", path.display())]
    ClientAuthority {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// A file could not be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Make(#[from] rcgen::Error),
    /// The certificate that was made before is for other names.
    #[error("{} is not for {name}: remove its folder to have another made, which clients then have to trust", path.display())]
    OtherNames {
        /// Its file.
        path: PathBuf,
        /// A name that is missing.
        name: String,
    },
    /// A file holds no PEM of its kind.
    #[error("{} holds no {wanted} as PEM, unencrypted", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("the certificate in {} and the key in {} cannot be used together", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The library refuses.
    #[error("TLS cannot be set up")]
    Rustls(#[from] rustls::Error),
}

/// The certificate that new connections are served with, which can be read from its files again. Cheap to clone.
#[derive(Clone)]
pub struct Reloader(Arc<Parts>);

struct Parts {
    files: Files,
    resumption: Resumption,
    current: ArcSwap<ServerConfig>,
}

/// What lets a client go on where it ended, without another proof of who it is.
struct Resumption {
    tickets: Arc<dyn ProducesTickets>,
    sessions: Arc<dyn StoresServerSessions>,
}

impl Resumption {
    fn new() -> Result<Self, TlsError> {
        Ok(Self { tickets: aws_lc_rs::Ticketer::new()?, sessions: ServerSessionMemoryCache::new(SESSIONS) })
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl Reloader {
    /// As the settings say; made here where they name no files. `None` without TLS.
    pub(crate) fn new(settings: &Settings, now: UnixTime) -> Result<Option<Self>, TlsError> {
        let files = match &settings.tls {
            Tls::Off => return Ok(None),
            Tls::Files { certificate, key, client_ca } => {
                Files { certificate: certificate.clone(), key: key.clone(), client_ca: client_ca.clone() }
            }
            Tls::MadeHere { names } => {
                let made =
                    authority::certificate(&settings.data.join("tls"), names, settings.listen.ip(), now)?;
                Files { certificate: made.certificate, key: made.key, client_ca: None }
            }
        };
        let resumption = Resumption::new()?;
        let current = ArcSwap::from_pointee(files.read(&resumption)?);
        Ok(Some(Self(Arc::new(Parts { files, resumption, current }))))
    }

    /// Whether the files can be used; `false` if they would be made.
    pub(crate) fn check(settings: &Settings) -> Result<bool, TlsError> {
        let files = match &settings.tls {
            Tls::Off => return Ok(true),
            Tls::Files { certificate, key, client_ca } => {
                Files { certificate: certificate.clone(), key: key.clone(), client_ca: client_ca.clone() }
            }
            Tls::MadeHere { names } => {
                match authority::made(&settings.data.join("tls"), names, settings.listen.ip())? {
                    None => return Ok(false),
                    Some(made) => Files { certificate: made.certificate, key: made.key, client_ca: None },
                }
            }
        };
        files.read(&Resumption::new()?).map(|_| true)
    }

    /// Reads the files again: connections from now on are served with what they hold.
    ///
    /// # Errors
    /// [`TlsError`]; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let files = &self.0.files;
        let read = if files.client_ca.is_some() {
            // Who proved itself to the authority from before has to prove itself to that of now.
            files.read(&Resumption::new()?)?
        } else {
            files.read(&self.0.resumption)?
        };
        self.0.current.store(Arc::new(read));
        Ok(())
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.0.current.load_full()
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("certificate", &self.0.files.certificate).finish_non_exhaustive()
    }
}

impl Files {
    fn read(&self, resumption: &Resumption) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let refused = |source| TlsError::ClientAuthority { path: path.clone(), source };
                builder.with_client_cert_verifier(verifier.map_err(refused)?)
            }
        };
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|source| unreadable(&self.key, "private key", source))?;
        let unusable = |source| {
            let (certificate, key) = (self.certificate.clone(), self.key.clone());
            TlsError::Unusable { certificate, key, source }
        };
        let mut config = builder.with_single_cert(certificates(&self.certificate)?, key).map_err(unusable)?;
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        // Clients open a connection for every request: most are resumed, by ticket or, in TLS 1.2, by session.
        config.ticketer = Arc::clone(&resumption.tickets);
        config.session_storage = Arc::clone(&resumption.sessions);
        Ok(config)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|source| unreadable(path, "certificate", source))?;
    if read.is_empty() {
        return Err(unreadable(path, "certificate", rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(read)
}

fn unreadable(path: &Path, wanted: &'static str, source: rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Pem { path: path.to_owned(), wanted, source }
}
