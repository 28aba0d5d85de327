//! Public keys, and the one question they answer: did this key sign these bytes?

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Material;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::digest::sha256;
use crate::terms::{InvalidDigest, Sha256};

/// The name that metadata gives a key: the SHA-256 of the key object as it stands there. Shown as lower-case hex.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct KeyId(Sha256);

impl KeyId {
    /// From the digest of a key object.
    pub fn new(digest: Sha256) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn digest(&self) -> &Sha256 {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What kind of key this is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// On NIST's curve P-256: what every client makes.
    EcdsaP256,
    /// On NIST's curve P-384.
    EcdsaP384,
    /// On NIST's curve P-521.
    EcdsaP521,
    /// On Edwards' curve 25519.
    Ed25519,
    /// RSA of 2,048 to 8,192 bits.
    Rsa,
}

/// How a signature was made (protocol of Notary v1, keys).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum SignatureMethod {
    /// ECDSA over SHA-256 for every curve, raw `r || s`.
    Ecdsa,
    /// Ed25519 over the message itself.
    EdDsa,
    /// RSA PKCS#1 v1.5 over SHA-256.
    RsaPkcs1v15,
    /// RSA-PSS over SHA-256 with 32 bytes of salt.
    RsaPss,
    /// The same as [`Self::RsaPss`], by keys that were written as PEM.
    PycryptoPss,
}

/// A public key that can verify.
#[derive(Clone)]
pub struct PublicKey(Arc<Parts>);

struct Parts {
    algorithm: KeyAlgorithm,
    /// `SubjectPublicKeyInfo` in DER; for Ed25519 the 32 bytes alone. What metadata carries.
    encoded: Box<[u8]>,
    fingerprint: Sha256,
    verifiers: Verifiers,
}

enum Verifiers {
    /// The algorithm has one method.
    One(ParsedPublicKey),
    Rsa {
        pss: ParsedPublicKey,
        pkcs1v15: ParsedPublicKey,
    },
}

/// Bytes that are no public key which could ever verify.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a public key of a known algorithm and a safe size")]
#[non_exhaustive]
pub struct InvalidPublicKey;

impl PublicKey {
    /// Reads the 32 bytes of an Ed25519 key.
    ///
    /// # Errors
    /// [`InvalidPublicKey`].
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, InvalidPublicKey> {
        let verifier = parsed(&ED25519, bytes)?;
        Ok(Self::build(KeyAlgorithm::Ed25519, bytes, Verifiers::One(verifier)))
    }

    /// Reads `SubjectPublicKeyInfo` in DER: ECDSA on the curves of [`KeyAlgorithm`], or RSA of 2,048 bits and more.
    ///
    /// # Errors
    /// [`InvalidPublicKey`].
    pub fn from_spki(der: &[u8]) -> Result<Self, InvalidPublicKey> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| InvalidPublicKey)?;
        if !rest.is_empty() {
            return Err(InvalidPublicKey);
        }
        let key: &[u8] = &info.subject_public_key.data;
        if info.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
            const FEWEST_BITS: usize = 2048;
            // The library would refuse only when it verifies.
            let Ok(Material::RSA(material)) = info.parsed() else { return Err(InvalidPublicKey) };
            if material.key_size() < FEWEST_BITS {
                return Err(InvalidPublicKey);
            }
            let pss = parsed(&RSA_PSS_2048_8192_SHA256, key)?;
            let pkcs1v15 = parsed(&RSA_PKCS1_2048_8192_SHA256, key)?;
            return Ok(Self::build(KeyAlgorithm::Rsa, der, Verifiers::Rsa { pss, pkcs1v15 }));
        }
        if info.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return Err(InvalidPublicKey);
        }
        let curve =
            info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).ok_or(InvalidPublicKey)?;
        let (algorithm, verification): (_, &'static dyn VerificationAlgorithm) = if curve == OID_EC_P256 {
            (KeyAlgorithm::EcdsaP256, &ECDSA_P256_SHA256_FIXED)
        } else if curve == OID_NIST_EC_P384 {
            (KeyAlgorithm::EcdsaP384, &ECDSA_P384_SHA256_ASN1)
        } else if curve == OID_NIST_EC_P521 {
            (KeyAlgorithm::EcdsaP521, &ECDSA_P521_SHA256_FIXED)
        } else {
            return Err(InvalidPublicKey);
        };
        let verifier = parsed(verification, key)?;
        Ok(Self::build(algorithm, der, Verifiers::One(verifier)))
    }

    fn build(algorithm: KeyAlgorithm, encoded: &[u8], verifiers: Verifiers) -> Self {
        Self(Arc::new(Parts { algorithm, encoded: encoded.into(), fingerprint: sha256(encoded), verifiers }))
    }

    /// What kind of key this is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.algorithm
    }

    /// `SubjectPublicKeyInfo` in DER; for Ed25519 the 32 bytes alone.
    pub fn encoded(&self) -> &[u8] {
        &self.0.encoded
    }

    /// Names the key's material: two keys with one fingerprint are one key, whatever ids they are listed under.
    pub fn fingerprint(&self) -> &Sha256 {
        &self.0.fingerprint
    }

    /// Whether this key made `signature` over `message` by `method`. `false` for a method of another algorithm.
    ///
    /// # Cost
    /// One verification of the algorithm, 20 to 200 microseconds.
    pub fn verifies(&self, method: SignatureMethod, message: &[u8], signature: &[u8]) -> bool {
        let verifier = match (&self.0.verifiers, self.0.algorithm, method) {
            (Verifiers::One(key), KeyAlgorithm::Ed25519, SignatureMethod::EdDsa)
            | (
                Verifiers::One(key),
                KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP521,
                SignatureMethod::Ecdsa,
            )
            | (Verifiers::Rsa { pkcs1v15: key, .. }, _, SignatureMethod::RsaPkcs1v15)
            | (Verifiers::Rsa { pss: key, .. }, _, SignatureMethod::RsaPss | SignatureMethod::PycryptoPss) => {
                key
            }
            (Verifiers::One(key), KeyAlgorithm::EcdsaP384, SignatureMethod::Ecdsa) => {
                return der_of_p384(signature).is_some_and(|der| key.verify_sig(message, &der).is_ok());
            }
            _ => return false,
        };
        verifier.verify_sig(message, signature).is_ok()
    }
}

fn parsed(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
) -> Result<ParsedPublicKey, InvalidPublicKey> {
    ParsedPublicKey::new(algorithm, key).map_err(|_| InvalidPublicKey)
}

/// The library verifies P-384 with SHA-256 in DER only, the dialect has `r || s`.
fn der_of_p384(raw: &[u8]) -> Option<Vec<u8>> {
    const WIDTH: usize = 48;
    if raw.len() != 2 * WIDTH {
        return None;
    }
    let mut body = Vec::with_capacity(2 * WIDTH + 8);
    for number in raw.chunks_exact(WIDTH) {
        let significant = number.iter().position(|&byte| byte != 0).and_then(|at| number.get(at..))?;
        let sign = significant.first().is_some_and(|&byte| byte >= 0x80);
        body.extend([0x02, u8::try_from(significant.len() + usize::from(sign)).ok()?]);
        body.extend(sign.then_some(0));
        body.extend(significant);
    }
    let mut der = vec![0x30, u8::try_from(body.len()).ok()?];
    der.append(&mut body);
    Some(der)
}

impl Eq for PublicKey {}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.algorithm == other.0.algorithm && self.0.encoded == other.0.encoded
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.0.algorithm, self.0.fingerprint)
    }
}
