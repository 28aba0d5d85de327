//! What Notary v1 calls a key.

use tufstore::crypto::{KeyId, PublicKey};
use tufstore::metadata::write::canonical_key_id;

/// The id of a bare public key in the Notary v1 dialect: what metadata lists it under, and what clients name its file.
///
/// # Source
/// SHA-256 of the canonical key object, `{"keytype":…,"keyval":{"private":null,"public":…}}`.
pub fn notary_key_id(public: &PublicKey) -> KeyId {
    canonical_key_id(public)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn ids_are_those_that_notary_gives() {
        let ecdsa = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENgK7kx/HdvmLUG4733JIJd0Bv6FML8SVEmgGynvhl64nCVmWzTLdziS1bMUgb6hlSkqTYtvyOCC5YMY+GrAH+Q==";
        let ecdsa = PublicKey::from_spki(&STANDARD.decode(ecdsa).unwrap()).unwrap();
        assert_eq!(
            notary_key_id(&ecdsa).to_string(),
            "041b64dab281324ef2b62fd2d04f4758269e120ff063b7bc78709272821a0a02"
        );
        let ed25519 = STANDARD.decode("2PZw84AnRXHu7/aRMwvw0BryHzQh+4XFHfb3TzQHoSE=").unwrap();
        let ed25519 = PublicKey::from_ed25519(&ed25519).unwrap();
        assert_eq!(
            notary_key_id(&ed25519).to_string(),
            "9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9"
        );
    }
}
