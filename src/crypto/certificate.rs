//! Keys that come as X.509 certificates: what they say, and how clients write them anew.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use pem::{EncodeConfig, LineEnding, Pem};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::{Oid, oid};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Material;

use super::PublicKey;
use crate::terms::{RepositoryName, UnixTime};

/// How far behind a client's clock may be when it looks at the day on which a certificate begins.
const LEEWAY: Duration = Duration::from_hours(24);
/// In bits.
const SMALLEST_RSA: usize = 2_048;
/// Signature algorithms over digests that were broken: MD5 and SHA-1 with RSA (two names), DSA and ECDSA.
const WEAK: [Oid<'static>; 5] = [
    oid!(1.2.840.113549.1.1.4),
    oid!(1.2.840.113549.1.1.5),
    oid!(1.3.14.3.2.29),
    oid!(1.2.840.10040.4.3),
    oid!(1.2.840.10045.4.1),
];

/// Certificates as one key lists them: its own, then those that lead to an authority. At least one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CertificateBundle(Arc<[Certificate]>);

/// What one certificate says.
pub struct Certificate {
    der: Vec<u8>,
    common_name: Option<Box<str>>,
    not_before: UnixTime,
    not_after: UnixTime,
    is_authority: bool,
    is_weak: bool,
    public: Option<PublicKey>,
}

/// Text that is not PEM certificates and nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a sequence of PEM certificates")]
#[non_exhaustive]
pub struct InvalidCertificate;

impl CertificateBundle {
    /// Reads PEM text in which every block is a certificate; text between the blocks is skipped.
    ///
    /// # Errors
    /// [`InvalidCertificate`] if there is no block, one of another kind, more than `most`, or one that cannot be read.
    pub fn from_pem(text: &[u8], most: usize) -> Result<Self, InvalidCertificate> {
        let blocks = pem::parse_many(text).map_err(|_| InvalidCertificate)?;
        if blocks.is_empty() || blocks.len() > most {
            return Err(InvalidCertificate);
        }
        blocks.into_iter().map(Certificate::from_block).collect::<Result<_, _>>().map(Self)
    }
}

impl CertificateBundle {
    /// The first certificate: its key is the one that verifies.
    pub fn first(&self) -> Option<&Certificate> {
        self.0.first()
    }

    /// The first certificate if it alone is no authority: what a root key must look like.
    pub fn leaf(&self) -> Option<&Certificate> {
        let (first, rest) = self.0.split_first()?;
        (!first.is_authority && rest.iter().all(|certificate| certificate.is_authority)).then_some(first)
    }

    /// The certificates of authorities, in order.
    pub fn intermediates(&self) -> impl Iterator<Item = &Certificate> {
        self.0.iter().filter(|certificate| certificate.is_authority)
    }

    /// All of them, in order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// All of them in order as clients write them anew: PEM with lines of 64 characters and nothing between.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(Certificate::to_pem).collect()
    }
}

impl Certificate {
    fn from_block(block: Pem) -> Result<Self, InvalidCertificate> {
        if block.tag() != "CERTIFICATE" {
            return Err(InvalidCertificate);
        }
        let der = block.into_contents();
        let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| InvalidCertificate)?;
        let authority = certificate.basic_constraints().map_err(|_| InvalidCertificate)?;
        let info = certificate.public_key();
        let small = match info.parsed() {
            Ok(Material::RSA(key)) => bits(key.modulus) < SMALLEST_RSA,
            _ => false,
        };
        let weak_digest = WEAK.contains(&certificate.signature_algorithm.algorithm);
        if !rest.is_empty() {
            return Err(InvalidCertificate);
        }
        Ok(Self {
            // Go's readers take the last one, too.
            common_name: certificate
                .subject()
                .iter_common_name()
                .last()
                .and_then(|name| name.as_str().ok())
                .map(Into::into),
            not_before: UnixTime::from_seconds(certificate.validity().not_before.timestamp()),
            not_after: UnixTime::from_seconds(certificate.validity().not_after.timestamp()),
            is_authority: authority.is_some_and(|extension| extension.value.ca),
            is_weak: small || weak_digest,
            public: PublicKey::from_spki(info.raw).ok().filter(|_| !small),
            der,
        })
    }

    /// The name that it was made for.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Whether it was made for this repository: by its full name, or by how it begins before a closing `*`.
    pub fn names(&self, repository: &RepositoryName) -> bool {
        let Some(name) = self.common_name() else { return false };
        match name.strip_suffix('*') {
            Some(beginning) => repository.as_str().starts_with(beginning),
            None => name == repository.as_str(),
        }
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Whether its key may sign other certificates.
    pub fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// Its key; `None` for one that can never verify.
    pub fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it could be valid at some time: signed over no broken digest, RSA of 2,048 bits and more, and ending
    /// after it begins.
    pub fn is_sound(&self) -> bool {
        !self.is_weak && self.not_before <= self.not_after
    }

    /// Whether it is sound and valid at `now`, where clocks may be a day behind.
    pub fn is_acceptable_at(&self, now: UnixTime) -> bool {
        self.is_sound() && self.not_before <= now.after(LEEWAY) && now <= self.not_after
    }

    fn to_pem(&self) -> String {
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF).set_line_wrap(64);
        pem::encode_config(&Pem::new("CERTIFICATE", self.der.as_slice()), config)
    }
}

/// In bits.
fn bits(modulus: &[u8]) -> usize {
    let significant = modulus.iter().skip_while(|&&byte| byte == 0);
    let leading = significant.clone().next().map_or(0, |byte| byte.leading_zeros());
    (significant.count() * 8).saturating_sub(usize::try_from(leading).unwrap_or(0))
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("common_name", &self.common_name)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: &str = include_str!("certificate/leaf.pem");
    const AUTHORITY: &str = include_str!("certificate/authority.pem");
    const WILDCARD: &str = include_str!("certificate/wildcard.pem");
    /// Both certificates are valid.
    const IN_2026: UnixTime = UnixTime::from_seconds(1_770_000_000);

    fn bundle(text: &str) -> CertificateBundle {
        CertificateBundle::from_pem(text.as_bytes(), 16).unwrap()
    }

    fn first(text: &str) -> Certificate {
        let block = pem::parse(text).unwrap();
        Certificate::from_block(block).unwrap()
    }

    #[test]
    fn a_certificate_says_whose_key_it_is_and_when() {
        let certificate = first(LEAF);
        assert_eq!(certificate.common_name(), Some("docker.io/library/alpine"));
        assert_eq!(Ok(certificate.not_before()), "2025-01-01T00:00:00Z".parse());
        assert_eq!(Ok(certificate.not_after()), "2035-01-01T00:00:00Z".parse());
        assert!(!certificate.is_authority() && first(AUTHORITY).is_authority());
        assert!(certificate.public().is_some());
    }

    #[test]
    fn a_name_is_meant_whole_or_up_to_a_closing_star() {
        let names = |text, name: &str| first(text).names(&name.parse().unwrap());
        assert!(names(LEAF, "docker.io/library/alpine"));
        assert!(!names(LEAF, "docker.io/library/alpine2") && !names(LEAF, "docker.io/library"));
        assert!(names(WILDCARD, "reg.example.com/team/app") && names(WILDCARD, "reg.example.com/team/a/b"));
        assert!(!names(WILDCARD, "reg.example.com/team") && !names(WILDCARD, "reg.example.com/teams/app"));
    }

    #[test]
    fn validity_has_a_day_of_leeway_before_and_none_after() {
        let certificate = first(LEAF);
        let (begins, ends) = (certificate.not_before().seconds(), certificate.not_after().seconds());
        let acceptable = |seconds| certificate.is_acceptable_at(UnixTime::from_seconds(seconds));
        assert!(!acceptable(begins - 86_401) && acceptable(begins - 86_400));
        assert!(acceptable(ends) && !acceptable(ends + 1));
    }

    #[test]
    fn broken_digests_and_short_keys_are_never_sound() {
        assert!(first(LEAF).is_sound());
        assert!(!first(include_str!("certificate/sha1.pem")).is_sound());
        let short = first(include_str!("certificate/rsa-1024.pem"));
        assert!(!short.is_sound() && short.public().is_none());
        assert!(first(include_str!("certificate/rsa-authority.pem")).is_sound());
    }

    #[test]
    fn the_leaf_is_the_first_and_only_certificate_of_no_authority() {
        let with_authority = bundle(&format!("{LEAF}{AUTHORITY}"));
        assert!(with_authority.leaf().is_some_and(|leaf| leaf.is_acceptable_at(IN_2026)));
        assert_eq!(with_authority.intermediates().count(), 1);
        assert!(bundle(LEAF).leaf().is_some());
        for text in [format!("{AUTHORITY}{LEAF}"), format!("{LEAF}{WILDCARD}"), AUTHORITY.to_owned()] {
            assert!(bundle(&text).leaf().is_none(), "{text}");
        }
    }

    #[test]
    fn other_text_is_no_bundle() {
        let key = LEAF.replace("CERTIFICATE", "PUBLIC KEY");
        let truncated = LEAF.replacen("MII", "MIJ", 1);
        for text in ["", "text", &key, &format!("{LEAF}{key}"), &truncated] {
            assert_eq!(
                CertificateBundle::from_pem(text.as_bytes(), 16).err(),
                Some(InvalidCertificate),
                "{text}"
            );
        }
        let two = format!("{LEAF}{AUTHORITY}");
        assert_eq!(CertificateBundle::from_pem(two.as_bytes(), 1).err(), Some(InvalidCertificate));
    }

    #[test]
    fn certificates_are_written_anew_as_clients_do() {
        let text = format!("{LEAF}{AUTHORITY}");
        assert_eq!(bundle(&text).to_pem(), text);
        assert_eq!(bundle(&text.replace('\n', "\r\n")).to_pem(), text);
        assert_eq!(bundle(&format!("subject=x\n{LEAF}\n\nissuer=y\n{AUTHORITY}")).to_pem(), text);
    }

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        assert_eq!([bits(&[]), bits(&[0, 0]), bits(&[0, 1]), bits(&[0x80, 0])], [0, 0, 1, 16]);
    }
}
