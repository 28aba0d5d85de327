use super::*;

const ALL: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa,
];

#[test]
fn what_a_key_signs_its_public_half_verifies_and_no_other() {
    for algorithm in ALL {
        let (key, other) =
            (PrivateKey::generate(algorithm).unwrap(), PrivateKey::generate(algorithm).unwrap());
        let (method, signature) = key.sign(b"message").unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(key.public().verifies(method, b"message", &signature), "{algorithm:?}");
        assert!(!key.public().verifies(method, b"another message", &signature), "{algorithm:?}");
        assert!(!other.public().verifies(method, b"message", &signature), "{algorithm:?}");
    }
}

#[test]
fn signatures_have_the_method_and_length_of_the_dialect() {
    let expected = [
        (SignatureMethod::Ecdsa, 64),
        (SignatureMethod::Ecdsa, 96),
        (SignatureMethod::Ecdsa, 132),
        (SignatureMethod::EdDsa, 64),
        (SignatureMethod::RsaPss, 384),
    ];
    for (algorithm, (method, length)) in ALL.into_iter().zip(expected) {
        let signature = PrivateKey::generate(algorithm).unwrap().sign(b"message").unwrap();
        assert_eq!((signature.0, signature.1.len()), (method, length), "{algorithm:?}");
    }
}

#[test]
fn a_key_written_as_pkcs8_is_read_as_the_same_key() {
    for algorithm in ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let read = PrivateKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(read.public(), key.public());
        let (method, signature) = read.sign(b"message").unwrap();
        assert!(key.public().verifies(method, b"message", &signature));
    }
}

#[test]
fn pkcs8_as_other_programs_write_it_is_read() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    assert!(PrivateKey::from_pkcs8(pair.to_pkcs8v1().unwrap().as_ref()).is_ok());
    let pair = Ed25519KeyPair::generate().unwrap();
    for written in [pair.to_pkcs8().unwrap(), pair.to_pkcs8v1().unwrap()] {
        let key = PrivateKey::from_pkcs8(written.as_ref()).unwrap();
        assert_eq!(key.public().encoded(), pair.public_key().as_ref());
    }
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let written: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    assert!(PrivateKey::from_pkcs8(written.as_ref()).is_ok());
}

#[test]
fn the_forms_are_those_of_notary() {
    let ecdsa = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().to_pkcs8().unwrap();
    let info = PrivateKeyInfo::read(&ecdsa).unwrap();
    assert_eq!(info.version, 1, "although no public half follows");
    let inner = EcPrivateKey::from_der(info.private_key.as_bytes()).unwrap();
    assert_eq!(inner.curve, Some(asn1::P256));
    assert_eq!(inner.public_key.unwrap().as_bytes().unwrap().len(), 65);

    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let ed25519 = key.to_pkcs8().unwrap();
    let info = PrivateKeyInfo::read(&ed25519).unwrap();
    assert_eq!((info.version, info.algorithm.oid), (0, asn1::ED25519_OF_NOTARY));
    let bytes = info.private_key.as_bytes();
    assert_eq!(bytes.len(), 96);
    assert_eq!((&bytes[..32], &bytes[64..]), (key.public().encoded(), key.public().encoded()));
}

#[test]
fn an_ed25519_key_whose_halves_disagree_is_refused() {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap().to_pkcs8().unwrap();
    for at in [1, 33, 95] {
        let mut damaged = key.clone();
        let at = damaged.len() - at;
        damaged[at] ^= 1;
        assert!(matches!(PrivateKey::from_pkcs8(&damaged), Err(KeyError::Rejected)));
    }
}

#[test]
fn a_seed_gives_the_same_key_for_ever() {
    let expected = [(KeyAlgorithm::Ed25519, ED25519_OF_SEVENS), (KeyAlgorithm::EcdsaP256, P256_OF_SEVENS)];
    for (algorithm, id) in expected {
        let key = PrivateKey::from_seed(algorithm, &[7; 32]).unwrap();
        assert_eq!(key.id().to_string(), id, "{algorithm:?}");
        assert_ne!(PrivateKey::from_seed(algorithm, &[8; 32]).unwrap().id(), key.id());
        let (method, signature) = key.sign(b"message").unwrap();
        assert!(key.public().verifies(method, b"message", &signature));
    }
    assert!(matches!(PrivateKey::from_seed(KeyAlgorithm::Rsa, &[7; 32]), Err(KeyError::Unsupported { .. })));
}

// Recorded when derivation was written: stores hold keys that depend on them.
const ED25519_OF_SEVENS: &str = "a58363c2fa4bba07896bd5cf6253d8e998259f98a018d9086a7c129cae3e7404";
const P256_OF_SEVENS: &str = "634094a54b6acbe6f906604b5af80e4a5b8d7de2933d56f1e08fd4d712fe0904";

#[test]
fn ed25519_agrees_with_rfc_8032() {
    // RFC 8032, section 7.1, test 1.
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let key = PrivateKey::from_seed(KeyAlgorithm::Ed25519, seed.as_slice().try_into().unwrap()).unwrap();
    assert_eq!(key.public().encoded(), public);
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn what_is_no_key_is_refused() {
    assert!(matches!(PrivateKey::from_pkcs8(b""), Err(KeyError::Malformed(_))));
    assert!(matches!(PrivateKey::from_pkcs8(b"-----BEGIN"), Err(KeyError::Malformed(_))));
    let mut key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().to_pkcs8().unwrap();
    key.truncate(40);
    assert!(PrivateKey::from_pkcs8(&key).is_err());
}

#[test]
fn debug_output_shows_the_public_half_alone() {
    let key = PrivateKey::from_seed(KeyAlgorithm::Ed25519, &[7; 32]).unwrap();
    assert_eq!(format!("{key:?}"), format!("private half of {:?}", key.public()));
}
