use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer as RcgenIssuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use tufstore::terms::UnixTime;
use tufstore_keys::PrivateKey;

use super::TokenError;

/// How long one key signs tokens, in seconds.
const SIGNS: i64 = 12 * 3600;
/// For clocks that are slow.
const BEFORE: Duration = Duration::hours(1);
/// The authority's key is the store's for ever.
const ALWAYS: (i64, i64) = (946_684_800, 4_102_444_800);

/// What tokens are signed with: an authority whose key comes from the store's master key, and a key of its own for some hours.
/// Whoever trusts the authority's certificate needs no other when the key changes, and none again after a restart: each
/// token carries the certificate of the key that signed it.
pub(crate) struct Issuer {
    authority: RcgenIssuer<'static, KeyPair>,
    pem: String,
    name: String,
    /// How long a token is valid, in seconds.
    lifetime: i64,
    signing: Mutex<Arc<Signing>>,
}

struct Signing {
    key: EncodingKey,
    header: Header,
    /// When another one follows, in Unix seconds.
    until: i64,
}

/// What a token allows, as Docker's token protocol has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Grant {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) actions: Vec<String>,
}

/// For whom a token is, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// Whose identity it is for, as that is written; empty for nobody in particular.
    pub(crate) subject: String,
    /// Which service it is shown to.
    pub(crate) service: String,
    pub(crate) access: Vec<Grant>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    access: &'a [Grant],
}

impl Issuer {
    /// # Errors
    /// [`TokenError`] if the key or its certificates cannot be made.
    pub(crate) fn new(
        key: &PrivateKey,
        name: &str,
        lifetime: std::time::Duration,
        now: UnixTime,
    ) -> Result<Self, TokenError> {
        let pkcs8 = key.to_pkcs8()?;
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(pkcs8.as_slice()),
            &PKCS_ECDSA_P256_SHA256,
        )?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, format!("{name}, tokens"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.serial_number = Some(SerialNumber::from(1));
        (params.not_before, params.not_after) = (at(ALWAYS.0), at(ALWAYS.1));
        let root = params.self_signed(&pair)?;
        let pem = root.pem();
        let authority = RcgenIssuer::new(params, pair);
        let signing = Mutex::new(Arc::new(Signing::new(&authority, name, now)?));
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Ok(Self { authority, pem, name: name.to_owned(), lifetime, signing })
    }

    /// What verifies every token of this store, for ever, as PEM: the `rootcertbundle` of registries.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Who issues, as tokens name it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How long a token is valid, in seconds.
    pub(crate) fn lifetime(&self) -> i64 {
        self.lifetime
    }

    /// A token, valid from now on.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn issue(&self, granted: &Granted, now: UnixTime) -> Result<String, TokenError> {
        let signing = self.signing(now)?;
        let seconds = now.seconds();
        let claims = Claims {
            iss: &self.name,
            sub: &granted.subject,
            aud: &granted.service,
            exp: seconds.saturating_add(self.lifetime),
            nbf: seconds,
            iat: seconds,
            jti: format!("{:032x}", rand::random::<u128>()),
            access: &granted.access,
        };
        Ok(encode(&signing.header, &claims, &signing.key)?)
    }

    /// The key of these hours.
    fn signing(&self, now: UnixTime) -> Result<Arc<Signing>, TokenError> {
        let mut signing = self.signing.lock();
        // A clock that was set back makes a new one too: the certificate must not be of the future.
        let began = signing.until.saturating_sub(SIGNS);
        if !(began..signing.until).contains(&now.seconds()) {
            *signing = Arc::new(Signing::new(&self.authority, &self.name, now)?);
            tracing::info!("tokens are signed with a new key");
        }
        Ok(Arc::clone(&signing))
    }
}

impl Signing {
    fn new(authority: &RcgenIssuer<'static, KeyPair>, name: &str, now: UnixTime) -> Result<Self, TokenError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, format!("{name}, signing"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = at(now.seconds()).saturating_sub(BEFORE);
        // As long as it signs, and as long as the last of its tokens may be shown.
        params.not_after = at(now.seconds()).saturating_add(Duration::seconds(SIGNS.saturating_mul(2)));
        let certificate = params.signed_by(&key, authority)?;
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(vec![BASE64_STANDARD.encode(certificate.der())]);
        let key = EncodingKey::from_ec_der(&key.serialize_der());
        Ok(Self { key, header, until: now.seconds().saturating_add(SIGNS) })
    }
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).finish_non_exhaustive()
    }
}
