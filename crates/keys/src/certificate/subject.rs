//! A key as the library that writes certificates wants it.

use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA256, PKCS_RSA_SHA256, PublicKeyData,
    SignatureAlgorithm, SigningKey,
};
use spki::SubjectPublicKeyInfoRef;
use tufstore::crypto::{KeyAlgorithm, PublicKey};

use crate::error::KeyError;
use crate::private_key::PrivateKey;

pub(super) struct Subject<'a> {
    /// The key alone, without its algorithm.
    bits: &'a [u8],
    algorithm: &'static SignatureAlgorithm,
    private: Option<&'a PrivateKey>,
}

impl<'a> Subject<'a> {
    pub(super) fn of_public(public: &'a PublicKey) -> Result<Self, KeyError> {
        let algorithm = match public.algorithm() {
            KeyAlgorithm::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::EcdsaP384 => &PKCS_ECDSA_P384_SHA384,
            KeyAlgorithm::EcdsaP521 => &PKCS_ECDSA_P521_SHA256,
            KeyAlgorithm::Rsa => &PKCS_RSA_SHA256,
            KeyAlgorithm::Ed25519 | _ => {
                return Err(KeyError::Unsupported { what: "a certificate for this algorithm" });
            }
        };
        let info = SubjectPublicKeyInfoRef::try_from(public.encoded()).map_err(|_| KeyError::Rejected)?;
        let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Rejected)?;
        Ok(Self { bits, algorithm, private: None })
    }

    pub(super) fn of_private(key: &'a PrivateKey) -> Result<Self, KeyError> {
        Ok(Self { private: Some(key), ..Self::of_public(key.public())? })
    }
}

impl PublicKeyData for Subject<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Subject<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let key = self.private.ok_or(rcgen::Error::RemoteKeyError)?;
        key.sign_certificate(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
