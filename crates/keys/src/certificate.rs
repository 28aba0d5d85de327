//! Certificates for root keys, as Notary's clients make them.

use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SerialNumber,
};
use time::OffsetDateTime;
use tufstore::terms::{RepositoryName, UnixTime};

use crate::error::{KeyError, failed};
use crate::private_key::PrivateKey;

mod authority;
mod subject;

pub use authority::CertificateAuthority;
use subject::Subject;

/// From when until when a certificate holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a span of time has two ends")]
pub struct Validity {
    /// The first moment.
    pub from: UnixTime,
    /// The last moment.
    pub until: UnixTime,
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Certificates write years up to 9999, and end after they begin.
    #[error("no certificate can hold from {} until {}", .0.from, .0.until)]
    Validity(Validity),
    /// The key cannot be certified or sign a certificate.
    #[error("the key cannot be used with certificates")]
    Key(#[from] KeyError),
    /// The library that writes certificates refused.
    #[error("the certificate cannot be written")]
    Certificate(#[from] rcgen::Error),
}

impl Validity {
    /// What Notary's clients give a root certificate: ten years of 365 days.
    pub fn ten_years_from(now: UnixTime) -> Self {
        Self { from: now, until: now.after(Duration::from_hours(10 * 365 * 24)) }
    }

    fn dates(self) -> Result<[OffsetDateTime; 2], CertificateError> {
        let date = |time: UnixTime| OffsetDateTime::from_unix_timestamp(time.seconds());
        match (date(self.from), date(self.until)) {
            // RFC 5280, section 4.1.2.5: four digits for the year.
            (Ok(from), Ok(until)) if from <= until && from.year() >= 0 && until.year() <= 9999 => {
                Ok([from, until])
            }
            _ => Err(CertificateError::Validity(self)),
        }
    }
}

/// The certificate that a root key has in one repository, signed by itself: PEM.
///
/// # Errors
/// [`KeyError::Unsupported`] for an Ed25519 key: the dialect knows certificates for ECDSA and RSA only.
///
/// # Source
/// What Notary's clients make: X.509 v3, the name as common name, 128 random bits as serial number, ten years, for
/// digital signatures, key encipherment and code signing, no authority.
pub fn root_certificate(
    key: &PrivateKey,
    repository: &RepositoryName,
    now: UnixTime,
) -> Result<String, CertificateError> {
    self_signed_certificate(key, repository.as_str(), Validity::ten_years_from(now))
}

/// The same for any common name, such as one with a wildcard (`reg.example.com/team/*`), and any validity.
///
/// # Errors
/// As [`root_certificate`]; [`CertificateError::Validity`].
pub fn self_signed_certificate(
    key: &PrivateKey,
    common_name: &str,
    validity: Validity,
) -> Result<String, CertificateError> {
    let certificate = leaf(common_name, validity)?.self_signed(&Subject::of_private(key)?)?;
    Ok(pem(&certificate))
}

fn leaf(common_name: &str, validity: Validity) -> Result<CertificateParams, CertificateError> {
    let mut params = named(common_name, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    Ok(params)
}

fn named(common_name: &str, validity: Validity) -> Result<CertificateParams, CertificateError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(failed("drawing random bytes"))?;
    let mut params = CertificateParams::default();
    [params.not_before, params.not_after] = validity.dates()?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn pem(certificate: &Certificate) -> String {
    let digits = STANDARD.encode(certificate.der());
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(digit);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests;
