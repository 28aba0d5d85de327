use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{self, CertificateDer, TrustAnchor};
use serde_json::{Value, json};
use tufstore::crypto::sha256;
use tufstore::terms::UnixTime;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::AuthError;
use crate::settings::TokenService;

/// A curve whose keys are taken.
struct Curve {
    /// As certificates have it.
    id: &'static str,
    /// As JSON Web Keys have it.
    name: &'static str,
    /// Bytes of one coordinate.
    length: usize,
    algorithm: Algorithm,
}

const CURVES: [Curve; 2] = [
    Curve { id: "1.2.840.10045.3.1.7", name: "P-256", length: 32, algorithm: Algorithm::ES256 },
    Curve { id: "1.3.132.0.34", name: "P-384", length: 48, algorithm: Algorithm::ES384 },
];
const RSA: [Algorithm; 3] = [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
/// Keys of RSA are from so many bits on.
const LEAST_RSA_BITS: usize = 2048;

/// What the tokens of a service are verified with.
#[derive(Debug)]
pub(super) struct Keys {
    named: Vec<(String, TokenKey)>,
    /// What the certificates in a token have to lead to.
    roots: Vec<Root>,
}

/// A certificate of the bundle.
#[derive(Debug)]
struct Root {
    der: CertificateDer<'static>,
    /// In seconds.
    valid: RangeInclusive<i64>,
    /// Its own key, where that can sign tokens.
    key: Option<TokenKey>,
    /// As an authority, where it can be one.
    anchor: Option<TrustAnchor<'static>>,
}

/// A public key, and the algorithms that it is for.
#[derive(Clone)]
pub(super) struct TokenKey {
    pub(super) key: DecodingKey,
    /// Fixed by the key, whatever a token says.
    algorithms: Vec<Algorithm>,
    /// As RFC 7638 has it.
    thumbprint: String,
}

impl TokenKey {
    /// A key by its components; `None` for a kind that nobody signs tokens with, for weak ones, and for those that are for
    /// something else.
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let is_for_this = common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|does| does.contains(&KeyOperations::Verify));
        if !is_for_this {
            return None;
        }
        let value = serde_json::to_value(jwk).ok()?;
        let text = |field: &str| value.get(field).and_then(Value::as_str);
        let bytes = |field: &str| BASE64_URL_SAFE_NO_PAD.decode(text(field)?).ok();
        let mut algorithms = match text("kty")? {
            "RSA" => {
                if bits(&bytes("n")?) < LEAST_RSA_BITS {
                    return None;
                }
                RSA.to_vec()
            }
            "EC" => {
                let curve = CURVES.iter().find(|curve| Some(curve.name) == text("crv"))?;
                if bytes("x")?.len() != curve.length || bytes("y")?.len() != curve.length {
                    return None;
                }
                vec![curve.algorithm]
            }
            _ => return None,
        };
        algorithms.retain(|algorithm| {
            common.key_algorithm.is_none_or(|only| only == KeyAlgorithm::from(*algorithm))
        });
        if algorithms.is_empty() {
            return None;
        }
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
        Some(Self { key: DecodingKey::from_jwk(jwk).ok()?, algorithms, thumbprint })
    }

    /// The key of a certificate.
    fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let parsed = info.parsed().ok()?;
        let jwk = if let PublicKey::RSA(key) = &parsed {
            json!({ "kty": "RSA", "n": text(number(key.modulus)), "e": text(number(key.exponent)) })
        } else if let PublicKey::EC(point) = &parsed {
            let id = info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            let curve = CURVES.iter().find(|curve| curve.id == id)?;
            let (4, coordinates) = point.data().split_first()? else { return None };
            let (x, y) = coordinates.split_at_checked(curve.length)?;
            json!({ "kty": "EC", "crv": curve.name, "x": text(x), "y": text(y) })
        } else {
            return None;
        };
        Self::of(&serde_json::from_value(jwk).ok()?)
    }

    pub(super) fn takes(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TokenKey").field(&self.thumbprint).finish()
    }
}

impl Keys {
    /// What leads to that certificate (PEM), and nothing else: its own key signs no tokens.
    pub(super) fn of_authority(pem: &str) -> Result<Self, AuthError> {
        let mut keys = Self { named: Vec::new(), roots: Vec::new() };
        keys.add_bundle(pem.as_bytes())
            .map_err(|why| AuthError::Keys { path: PathBuf::from("the server's own token service"), why })?;
        keys.named.clear();
        keys.roots.iter_mut().for_each(|root| root.key = None);
        Ok(keys)
    }

    pub(super) fn read(service: &TokenService) -> Result<Self, AuthError> {
        let mut keys = Self { named: Vec::new(), roots: Vec::new() };
        let read =
            |path: &Path| fs::read(path).map_err(|source| AuthError::File { path: path.to_owned(), source });
        if let Some(path) = &service.root_cert_bundle {
            keys.add_bundle(&read(path)?).map_err(|why| AuthError::Keys { path: path.clone(), why })?;
        }
        if let Some(path) = &service.jwks {
            keys.add_set(&read(path)?).map_err(|why| AuthError::Keys { path: path.clone(), why })?;
        }
        Ok(keys)
    }

    fn add_bundle(&mut self, pem: &[u8]) -> Result<(), String> {
        let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let read = read.map_err(|error| error.to_string())?;
        if read.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        for der in read {
            let (_, certificate) = X509Certificate::from_der(&der)
                .map_err(|error| format!("a certificate of it cannot be read: {error}"))?;
            let (info, validity) = (certificate.public_key(), certificate.validity());
            let valid = validity.not_before.timestamp()..=validity.not_after.timestamp();
            // An authority whose own key signs no tokens may have any.
            let key = TokenKey::of_info(info);
            if let Some(key) = &key {
                self.named.push((fingerprint(info.raw), key.clone()));
                self.named.push((key.thumbprint.clone(), key.clone()));
            }
            let anchor = anchor_from_trusted_cert(&der).ok().map(|anchor| anchor.to_owned());
            self.roots.push(Root { der, valid, key, anchor });
        }
        if self.roots.iter().all(|root| root.key.is_none() && root.anchor.is_none()) {
            return Err(format!("no certificate in it has {USABLE}, or can be an authority"));
        }
        Ok(())
    }

    fn add_set(&mut self, text: &[u8]) -> Result<(), String> {
        let set: JwkSet = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let before = self.named.len();
        for jwk in &set.keys {
            let Some(key) = TokenKey::of(jwk) else { continue };
            let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty());
            self.named.push((kid.unwrap_or_else(|| key.thumbprint.clone()), key));
        }
        if self.named.len() == before {
            return Err(format!("there is no key in it that verifies tokens: {USABLE}"));
        }
        Ok(())
    }

    /// The key that a token names, of those that its algorithm is for: two keys may have one name.
    pub(super) fn named(&self, kid: &str, algorithm: Algorithm) -> Option<TokenKey> {
        self.find(|name, key| name == kid && key.takes(algorithm))
    }

    /// The key that a token carries, if it is one of the service's.
    pub(super) fn of_jwk(&self, jwk: &Jwk) -> Option<TokenKey> {
        let carried = TokenKey::of(jwk)?;
        self.find(|_, key| key.thumbprint == carried.thumbprint)
    }

    /// The key that a token carries with certificates for it.
    pub(super) fn of_certified(
        &self,
        jwk: &Jwk,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<TokenKey> {
        let (carried, certified) = (TokenKey::of(jwk)?, self.of_chain(chain, now)?);
        (carried.thumbprint == certified.thumbprint).then_some(certified)
    }

    /// The key of the first of these certificates, if it is one of the service's or the others lead to one.
    pub(super) fn of_chain(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Option<TokenKey> {
        let (leaf, between) = chain.split_first()?;
        let roots = self.roots.iter().filter(|root| root.valid.contains(&now.seconds()));
        if let Some(root) = roots.clone().find(|root| root.der.as_ref() == leaf.as_ref()) {
            return root.key.clone();
        }
        let anchors: Vec<_> = roots.filter_map(|root| root.anchor.clone()).collect();
        let leaf = EndEntityCert::try_from(leaf).ok()?;
        let now = Duration::from_secs(u64::try_from(now.seconds()).ok()?);
        let now = pki_types::UnixTime::since_unix_epoch(now);
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        leaf.verify_for_usage(algorithms, &anchors, between, now, AnyUsage, None, None).ok()?;
        // As it was verified: no second reader of the certificate has a say.
        let info = leaf.subject_public_key_info();
        let (_, info) = SubjectPublicKeyInfo::from_der(&info).ok()?;
        TokenKey::of_info(&info)
    }

    #[cfg(fuzzing)]
    pub(super) fn read_anything(bytes: &[u8]) {
        let mut keys = Self { named: Vec::new(), roots: Vec::new() };
        drop((keys.add_bundle(bytes), keys.add_set(bytes)));
        if let Some(root) = keys.roots.first() {
            let chain = [root.der.clone()];
            assert!(
                keys.of_chain(&chain, UnixTime::from_seconds(*root.valid.start())).is_none()
                    || root.key.is_some()
            );
        }
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, _)| name.as_str())
    }

    fn find(&self, is_it: impl Fn(&str, &TokenKey) -> bool) -> Option<TokenKey> {
        self.named.iter().find(|(name, key)| is_it(name, key)).map(|(_, key)| key.clone())
    }
}

/// What can verify a token, for those who gave something else.
const USABLE: &str = "a key of RSA from 2048 bits on, P-256 or P-384";

/// A number without the zeros before it.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// How many bits a number has.
fn bits(bytes: &[u8]) -> usize {
    let bytes = number(bytes);
    let unused = bytes.first().map_or(0, |first| first.leading_zeros());
    (bytes.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

/// Certificates of token services say all kinds of things about what they are for, and most say nothing.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// What Docker's registry calls a key: 30 bytes of the SHA-256 of its DER in base 32, in groups of four.
fn fingerprint(info: &[u8]) -> String {
    const ALPHABET: [u8; 32] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = sha256(info);
    let bits =
        digest.as_bytes().iter().take(30).flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let letters =
        bits.chunks(5).map(|five| five.iter().fold(0_usize, |value, bit| value << 1 | usize::from(*bit)));
    let letters: Vec<char> =
        letters.filter_map(|at| ALPHABET.get(at).map(|letter| char::from(*letter))).collect();
    let groups: Vec<String> = letters.chunks(4).map(|four| four.iter().collect()).collect();
    groups.join(":")
}
