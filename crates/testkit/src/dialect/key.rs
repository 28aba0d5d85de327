use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tufstore::crypto::{KeyAlgorithm, KeyId, PublicKey, sha256};

use super::{Unwritable, canonical};

/// A public key alone, as files list it.
pub fn bare_key(public: &PublicKey) -> Value {
    object(name(public.algorithm()), public.encoded())
}

/// A key that its certificates carry, as files list it.
pub fn certified_key(algorithm: KeyAlgorithm, pem: &str) -> Value {
    object(&format!("{}-x509", name(algorithm)), pem.as_bytes())
}

/// The id that belongs to a key as it is listed.
///
/// # Errors
/// [`Unwritable`].
pub fn key_id(object: &Value) -> Result<KeyId, Unwritable> {
    Ok(KeyId::new(sha256(&canonical(object)?)))
}

fn object(keytype: &str, encoded: &[u8]) -> Value {
    json!({"keytype": keytype, "keyval": {"private": null, "public": STANDARD.encode(encoded)}})
}

fn name(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Ed25519 => "ed25519",
        KeyAlgorithm::Rsa => "rsa",
        // Whatever else the engine knows is a curve of ECDSA.
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 | _ => "ecdsa",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_that_notary_gives() {
        let ed25519 = STANDARD.decode("2PZw84AnRXHu7/aRMwvw0BryHzQh+4XFHfb3TzQHoSE=").unwrap();
        let id = key_id(&bare_key(&PublicKey::from_ed25519(&ed25519).unwrap())).unwrap();
        assert_eq!(id.to_string(), "9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9");
    }
}
