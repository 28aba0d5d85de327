//! Certificates that others signed.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyUsagePurpose};
use tufstore::crypto::{KeyAlgorithm, PublicKey};

use super::{CertificateError, Subject, Validity, leaf, named, pem};
use crate::private_key::PrivateKey;

/// What signs certificates for the root keys of an organisation, so that readers can pin it instead of each key.
///
/// Kept in memory; for tests, and for trying out what an authority of one's own would do.
pub struct CertificateAuthority {
    key: PrivateKey,
    params: CertificateParams,
    certificate: String,
    /// Between this authority and the first one, which is in no bundle; this one's first.
    intermediates: String,
}

impl CertificateAuthority {
    /// Makes one that certifies itself, with a new key of ECDSA on P-256.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn new(common_name: &str, validity: Validity) -> Result<Self, CertificateError> {
        let (key, params) =
            (PrivateKey::generate(KeyAlgorithm::EcdsaP256)?, authority(common_name, validity)?);
        let certificate = pem(&params.self_signed(&Subject::of_private(&key)?)?);
        Ok(Self { key, params, certificate, intermediates: String::new() })
    }

    /// Makes one that this one certifies.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn intermediate(&self, common_name: &str, validity: Validity) -> Result<Self, CertificateError> {
        let (key, params) =
            (PrivateKey::generate(KeyAlgorithm::EcdsaP256)?, authority(common_name, validity)?);
        let certificate = self.signed(&params, key.public())?;
        let intermediates = [certificate.as_str(), &self.intermediates].concat();
        Ok(Self { key, params, certificate, intermediates })
    }

    /// Certifies a key. Returns what a root key's `public` holds: the key's certificate, then the intermediate ones.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn issue(
        &self,
        public: &PublicKey,
        common_name: &str,
        validity: Validity,
    ) -> Result<String, CertificateError> {
        let certificate = self.signed(&leaf(common_name, validity)?, public)?;
        Ok([certificate.as_str(), &self.intermediates].concat())
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Its own certificate: PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    fn signed(&self, params: &CertificateParams, public: &PublicKey) -> Result<String, CertificateError> {
        let issuer = Issuer::from_params(&self.params, Subject::of_private(&self.key)?);
        Ok(pem(&params.signed_by(&Subject::of_public(public)?, &issuer)?))
    }
}

fn authority(common_name: &str, validity: Validity) -> Result<CertificateParams, CertificateError> {
    let mut params = named(common_name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

impl core::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CertificateAuthority").field("key", &self.key).finish_non_exhaustive()
    }
}
