//! How keys are spelled, and what they are called for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{CertificateBundle, KeyAlgorithm, KeyId, PublicKey, SignatureMethod, sha256};
use crate::metadata::canonical::write_text;
use crate::metadata::{Key, KeyKind};

pub(super) const ECDSA: &str = "ecdsa";
pub(super) const ECDSA_CERTIFICATE: &str = "ecdsa-x509";
pub(super) const ED25519: &str = "ed25519";
pub(super) const RSA: &str = "rsa";
pub(super) const RSA_CERTIFICATE: &str = "rsa-x509";

/// The methods, each with its name in the signatures.
const METHODS: [(SignatureMethod, &str); 5] = [
    (SignatureMethod::Ecdsa, "ecdsa"),
    (SignatureMethod::EdDsa, "eddsa"),
    (SignatureMethod::RsaPkcs1v15, "rsapkcs1v15"),
    (SignatureMethod::RsaPss, "rsapss"),
    (SignatureMethod::PycryptoPss, "pycrypto-pkcs#1 pss"),
];

/// Case does not count.
pub(super) fn method(name: &str) -> Option<SignatureMethod> {
    METHODS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(method, _)| *method)
}

pub(super) fn method_name(method: SignatureMethod) -> &'static str {
    METHODS.iter().find(|(known, _)| *known == method).map_or("", |(_, name)| name)
}

/// The key's object in canonical form, which is how files hold it, too. Members that others add are no part of it.
pub(crate) fn key_object(keytype: &str, public: &[u8]) -> Vec<u8> {
    let mut object = b"{\"keytype\":".to_vec();
    write_text(keytype, &mut object);
    object.extend(b",\"keyval\":{\"private\":null,\"public\":\"");
    object.extend(STANDARD.encode(public).as_bytes());
    object.extend(b"\"}}");
    object
}

/// The SHA-256 of [`key_object`].
pub(crate) fn key_id(keytype: &str, public: &[u8]) -> KeyId {
    KeyId::new(sha256(&key_object(keytype, public)))
}

/// How a bare key is typed.
pub(crate) fn bare_type(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => ECDSA,
        KeyAlgorithm::Ed25519 => ED25519,
        KeyAlgorithm::Rsa => RSA,
    }
}

/// How a key in certificates is typed; `None` for an algorithm that the dialect has no such type for.
pub(crate) fn certified_type(algorithm: KeyAlgorithm) -> Option<&'static str> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
            Some(ECDSA_CERTIFICATE)
        }
        KeyAlgorithm::Ed25519 => None,
        KeyAlgorithm::Rsa => Some(RSA_CERTIFICATE),
    }
}

/// Reads what a file lists under `id`. What cannot be read can never verify, and harms nothing else.
pub(super) fn read(id: KeyId, keytype: &str, encoded: &[u8], certificates: usize) -> Key {
    let id_matches = key_id(keytype, encoded) == id;
    let (kind, public) = match keytype {
        ECDSA | ED25519 | RSA => match bare(keytype, encoded) {
            Some(public) => (KeyKind::Bare, Some(public)),
            None => (KeyKind::Unknown, None),
        },
        ECDSA_CERTIFICATE | RSA_CERTIFICATE => match CertificateBundle::from_pem(encoded, certificates) {
            Ok(bundle) => certified(id, keytype, bundle),
            Err(_) => (KeyKind::Unknown, None),
        },
        _ => (KeyKind::Unknown, None),
    };
    Key { id, id_matches, kind, public }
}

fn bare(keytype: &str, encoded: &[u8]) -> Option<PublicKey> {
    let public = if keytype == ED25519 {
        PublicKey::from_ed25519(encoded)
    } else if keytype == RSA && encoded.starts_with(b"-----BEGIN ") {
        let block = pem::parse(encoded).ok().filter(|block| block.tag() == "PUBLIC KEY")?;
        PublicKey::from_spki(block.contents())
    } else {
        PublicKey::from_spki(encoded)
    };
    public.ok().filter(|public| bare_type(public.algorithm()) == keytype)
}

fn certified(id: KeyId, keytype: &str, bundle: CertificateBundle) -> (KeyKind, Option<PublicKey>) {
    let first = bundle.first().and_then(|first| first.public());
    let public = first.filter(|public| certified_type(public.algorithm()) == Some(keytype)).cloned();
    let rebuilds =
        public.is_some() && bundle.leaf().is_some() && key_id(keytype, bundle.to_pem().as_bytes()) == id;
    (KeyKind::Certified { bundle, rebuilds }, public)
}
