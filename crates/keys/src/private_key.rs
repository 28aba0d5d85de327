//! The private half of a key, and the one thing it does: sign.

use core::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{self, Digest, SHA256, SHA384};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA256_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef};
use der::{AnyRef, Decode};
use spki::AlgorithmIdentifierRef;
use tufstore::crypto::{KeyAlgorithm, KeyId, PublicKey, SignatureMethod};
use zeroize::Zeroizing;

use crate::asn1::{self, EcPrivateKey, PrivateKeyInfo, to_secret_der};
use crate::error::{KeyError, failed};
use crate::notary::notary_key_id;
use crate::sealing::{SECRET, Secret, derived, random};

/// A private key that can sign. Cheap to clone: every clone is the same copy in memory, erased when the last one goes.
#[derive(Clone)]
pub struct PrivateKey(Arc<Parts>);

struct Parts {
    public: PublicKey,
    // The library erases what it frees.
    pair: Pair,
}

enum Pair {
    Ecdsa {
        pair: EcdsaKeyPair,
        curve: &'static Curve,
    },
    /// With its seed, since the library hands it out in memory that it does not erase.
    Ed25519 {
        pair: Ed25519KeyPair,
        seed: Secret,
    },
    Rsa(RsaKeyPair),
}

struct Curve {
    oid: ObjectIdentifier,
    signing: &'static EcdsaSigningAlgorithm,
    algorithm: KeyAlgorithm,
}

static P256: Curve =
    Curve { oid: asn1::P256, signing: &ECDSA_P256_SHA256_FIXED_SIGNING, algorithm: KeyAlgorithm::EcdsaP256 };
static P384: Curve =
    Curve { oid: asn1::P384, signing: &ECDSA_P384_SHA384_FIXED_SIGNING, algorithm: KeyAlgorithm::EcdsaP384 };
static P521: Curve =
    Curve { oid: asn1::P521, signing: &ECDSA_P521_SHA256_FIXED_SIGNING, algorithm: KeyAlgorithm::EcdsaP521 };

impl PrivateKey {
    /// Makes a new key; an RSA key has 3,072 bits.
    ///
    /// # Errors
    /// [`KeyError::Library`] without randomness; [`KeyError::Unsupported`] for an algorithm that this version does not
    /// know.
    ///
    /// # Cost
    /// Some ten microseconds; for RSA up to a second.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        const DOING: &str = "making a key";
        match algorithm {
            KeyAlgorithm::EcdsaP256 => Self::generate_on(&P256),
            KeyAlgorithm::EcdsaP384 => Self::generate_on(&P384),
            KeyAlgorithm::EcdsaP521 => Self::generate_on(&P521),
            KeyAlgorithm::Ed25519 => Self::from_ed25519_seed(random()?.as_slice()),
            KeyAlgorithm::Rsa => Self::of_rsa(RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed(DOING))?),
            _ => Err(KeyError::Unsupported { what: "making keys of this algorithm" }),
        }
    }

    fn generate_on(curve: &'static Curve) -> Result<Self, KeyError> {
        Self::of_ecdsa(EcdsaKeyPair::generate(curve.signing).map_err(failed("making a key"))?, curve)
    }

    /// The one key that belongs to `seed`: of Ed25519 or of ECDSA on P-256. The same seed gives the same key for ever.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for another algorithm.
    ///
    /// # Source
    /// Ed25519: RFC 8032, section 5.1.5. P-256: candidates from HKDF-SHA256 until one is a valid scalar, which the first
    /// is but once in 2^32 (FIPS 186-5, A.2.2).
    pub fn from_seed(algorithm: KeyAlgorithm, seed: &[u8; SECRET]) -> Result<Self, KeyError> {
        match algorithm {
            KeyAlgorithm::Ed25519 => Self::from_ed25519_seed(seed),
            KeyAlgorithm::EcdsaP256 => {
                let candidates = Salt::new(HKDF_SHA256, b"tufstore P-256 scalar").extract(seed);
                for attempt in 0..=u8::MAX {
                    let scalar = derived(&candidates, &[&[attempt]])?;
                    let written = ec_private_key(scalar.as_slice(), &P256, None)?;
                    if let Ok(key) = Self::from_sec1_on(&written, &P256) {
                        return Ok(key);
                    }
                }
                Err(KeyError::Rejected)
            }
            KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 | KeyAlgorithm::Rsa | _ => {
                Err(KeyError::Unsupported { what: "deriving keys of this algorithm" })
            }
        }
    }

    fn from_ed25519_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Rejected)?;
        let seed = Zeroizing::new(seed.try_into().map_err(|_| KeyError::Rejected)?);
        let public = PublicKey::from_ed25519(pair.public_key().as_ref())?;
        Ok(Self(Arc::new(Parts { public, pair: Pair::Ed25519 { pair, seed } })))
    }

    /// Reads an unencrypted `PrivateKeyInfo`: as PKCS#8 has it, or in the variants that Notary writes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], [`KeyError::Rejected`] or [`KeyError::Unsupported`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfo::read(der).map_err(KeyError::Malformed)?;
        let key = info.private_key.as_bytes();
        match info.algorithm.oid {
            asn1::RSA => Self::from_pkcs1(key),
            asn1::EC => {
                let curve = info.algorithm.parameters.map(AnyRef::decode_as::<ObjectIdentifier>);
                Self::from_sec1_on(key, Curve::named(curve.transpose().map_err(KeyError::Malformed)?)?)
            }
            asn1::ED25519 => {
                let seed = <&OctetStringRef>::from_der(key).map_err(KeyError::Malformed)?;
                Self::from_ed25519_seed(seed.as_bytes())
            }
            asn1::ED25519_OF_NOTARY => Self::from_ed25519_of_notary(key),
            _ => Err(KeyError::Unsupported { what: "this private key's algorithm" }),
        }
    }

    /// Reads PKCS#1 `RSAPrivateKey`.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        Self::of_rsa(RsaKeyPair::from_der(der).map_err(|_| KeyError::Rejected)?)
    }

    /// Reads SEC 1 `ECPrivateKey` that names its curve.
    pub(crate) fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        let curve = EcPrivateKey::from_der(der).map_err(KeyError::Malformed)?.curve;
        Self::from_sec1_on(der, Curve::named(curve)?)
    }

    fn from_sec1_on(der: &[u8], curve: &'static Curve) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_private_key_der(curve.signing, der).map_err(|_| KeyError::Rejected)?;
        Self::of_ecdsa(pair, curve)
    }

    /// Reads Notary's 96 bytes: public key, seed, public key.
    pub(crate) fn from_ed25519_of_notary(bytes: &[u8]) -> Result<Self, KeyError> {
        let (first, rest) = bytes.split_at_checked(SECRET).ok_or(KeyError::Rejected)?;
        let (seed, second) = rest.split_at_checked(SECRET).ok_or(KeyError::Rejected)?;
        let key = Self::from_ed25519_seed(seed)?;
        let public = key.public().encoded();
        if first == public && second == public { Ok(key) } else { Err(KeyError::Rejected) }
    }

    fn of_ecdsa(pair: EcdsaKeyPair, curve: &'static Curve) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'_> =
            pair.public_key().as_der().map_err(failed("writing a public key"))?;
        let public = PublicKey::from_spki(spki.as_ref())?;
        Ok(Self(Arc::new(Parts { public, pair: Pair::Ecdsa { pair, curve } })))
    }

    fn of_rsa(pair: RsaKeyPair) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'_> =
            pair.public_key().as_der().map_err(failed("writing a public key"))?;
        let public = PublicKey::from_spki(spki.as_ref())?;
        Ok(Self(Arc::new(Parts { public, pair: Pair::Rsa(pair) })))
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// What kind of key this is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.public.algorithm()
    }

    /// The id of the bare public half: [`notary_key_id`] of it.
    pub fn id(&self) -> KeyId {
        notary_key_id(&self.0.public)
    }

    /// Signs `message` as the dialect carries it: ECDSA as raw `r || s` over SHA-256 on every curve, Ed25519 in 64 bytes
    /// over the message itself, RSA as PSS over SHA-256 with 32 bytes of salt.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    ///
    /// # Cost
    /// 15 to 500 microseconds; for RSA some milliseconds.
    pub fn sign(&self, message: &[u8]) -> Result<(SignatureMethod, Vec<u8>), KeyError> {
        match &self.0.pair {
            Pair::Ecdsa { pair, curve } => {
                let signature = if curve.algorithm == KeyAlgorithm::EcdsaP384 {
                    pair.sign_digest(&widened_sha256(message)?)
                } else {
                    pair.sign(&SystemRandom::new(), message)
                };
                let signature = signature.map_err(failed("signing"))?;
                Ok((SignatureMethod::Ecdsa, signature.as_ref().to_vec()))
            }
            Pair::Ed25519 { pair, .. } => {
                let signature = pair.try_sign(message).map_err(failed("signing"))?;
                Ok((SignatureMethod::EdDsa, signature.as_ref().to_vec()))
            }
            Pair::Rsa(pair) => Ok((SignatureMethod::RsaPss, sign_rsa(pair, &RSA_PSS_SHA256, message)?)),
        }
    }

    /// Signs what a certificate says, as X.509 carries it: ECDSA in DER over SHA-256 (on P-384 over SHA-384), RSA by
    /// PKCS#1 v1.5 over SHA-256.
    pub(crate) fn sign_certificate(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0.pair {
            Pair::Ecdsa { pair, .. } => {
                let raw = pair.sign(&SystemRandom::new(), message).map_err(failed("signing"))?;
                asn1::ecdsa_signature(raw.as_ref()).map_err(KeyError::Malformed)
            }
            Pair::Ed25519 { .. } => Err(KeyError::Unsupported { what: "certificates by Ed25519 keys" }),
            Pair::Rsa(pair) => sign_rsa(pair, &RSA_PKCS1_SHA256, message),
        }
    }

    /// The key as Notary's clients write it in PKCS#8, unencrypted.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &self.0.pair {
            Pair::Ecdsa { pair, curve } => {
                let scalar: EcPrivateKeyBin<'_> =
                    pair.private_key().as_be_bytes().map_err(failed("writing a private key"))?;
                let key = ec_private_key(scalar.as_ref(), curve, Some(pair.public_key().as_ref()))?;
                private_key_info(1, asn1::EC, Some(AnyRef::from(&curve.oid)), &key)
            }
            Pair::Ed25519 { pair, seed } => {
                let public = pair.public_key().as_ref();
                // Allocated once at its full size, so that no copy is left behind by growing.
                let mut key = Zeroizing::new(Vec::with_capacity(3 * SECRET));
                for part in [public, seed.as_slice(), public] {
                    key.extend_from_slice(part);
                }
                private_key_info(0, asn1::ED25519_OF_NOTARY, None, &key)
            }
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed("writing a private key"))?;
                let key = PrivateKeyInfo::read(der.as_ref()).map_err(KeyError::Malformed)?.private_key;
                private_key_info(0, asn1::RSA, None, key.as_bytes())
            }
        }
    }
}

impl Curve {
    fn named(oid: Option<ObjectIdentifier>) -> Result<&'static Self, KeyError> {
        [&P256, &P384, &P521]
            .into_iter()
            .find(|curve| Some(curve.oid) == oid)
            .ok_or(KeyError::Unsupported { what: "this private key's curve" })
    }
}

/// The library signs with P-384 over SHA-384 only. ECDSA reads a digest as a number, so the SHA-256 that the dialect asks
/// for is that same number with 16 zero bytes before it.
fn widened_sha256(message: &[u8]) -> Result<Digest, KeyError> {
    let mut wide = [0; 48];
    let narrow = digest::digest(&SHA256, message);
    wide.iter_mut().skip(16).zip(narrow.as_ref()).for_each(|(to, from)| *to = *from);
    Digest::import_less_safe(&wide, &SHA384).map_err(failed("signing"))
}

fn sign_rsa(pair: &RsaKeyPair, how: &'static dyn RsaEncoding, message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(how, &SystemRandom::new(), message, &mut signature).map_err(failed("signing"))?;
    Ok(signature)
}

fn ec_private_key(
    scalar: &[u8],
    curve: &Curve,
    public: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let public_key = public.map(BitStringRef::from_bytes).transpose().map_err(KeyError::Malformed)?;
    let private_key = OctetStringRef::new(scalar).map_err(KeyError::Malformed)?;
    let key = EcPrivateKey { version: 1, private_key, curve: Some(curve.oid), public_key };
    to_secret_der(&key).map_err(KeyError::Malformed)
}

fn private_key_info(
    version: u8,
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let private_key = OctetStringRef::new(key).map_err(KeyError::Malformed)?;
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    to_secret_der(&PrivateKeyInfo { version, algorithm, private_key }).map_err(KeyError::Malformed)
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "private half of {:?}", self.0.public)
    }
}

#[cfg(test)]
mod tests;
