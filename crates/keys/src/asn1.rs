//! The ASN.1 that private keys are written in, read tolerantly and written as Notary's clients write it.

use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{AnyRef, Decode, Encode, Reader, Sequence};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
/// Ed25519 as RFC 8410 writes it: the seed in an octet string of its own.
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Ed25519 as Notary writes it: public key, seed, public key.
pub(crate) const ED25519_OF_NOTARY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.15.1");

/// PKCS#8 `PrivateKeyInfo` without what may follow the key.
///
/// Notary writes version 1 (which RFC 5958 gives to keys that carry their public half) without a public half, so the
/// version says nothing here, and attributes and public halves are passed over: the key itself is checked instead.
#[derive(Sequence)]
pub(crate) struct PrivateKeyInfo<'a> {
    pub(crate) version: u8,
    pub(crate) algorithm: AlgorithmIdentifierRef<'a>,
    pub(crate) private_key: &'a OctetStringRef,
}

impl<'a> PrivateKeyInfo<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> der::Result<Self> {
        AnyRef::from_der(bytes)?.sequence(|reader| {
            let version = reader.decode()?;
            let algorithm = reader.decode()?;
            let private_key = reader.decode()?;
            reader.read_slice(reader.remaining_len())?;
            Ok(Self { version, algorithm, private_key })
        })
    }
}

/// SEC 1 `ECPrivateKey`.
#[derive(Sequence)]
pub(crate) struct EcPrivateKey<'a> {
    pub(crate) version: u8,
    pub(crate) private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", optional = "true", tag_mode = "EXPLICIT")]
    pub(crate) curve: Option<ObjectIdentifier>,
    #[asn1(context_specific = "1", optional = "true", tag_mode = "EXPLICIT")]
    pub(crate) public_key: Option<BitStringRef<'a>>,
}

#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// `r || s` as X.509 carries it.
pub(crate) fn ecdsa_signature(raw: &[u8]) -> der::Result<Vec<u8>> {
    let (r, s) = raw.split_at(raw.len() / 2);
    EcdsaSignature { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()
}

/// What encodes a secret, so that it is erased from memory when done with.
pub(crate) fn to_secret_der(value: &impl Encode) -> der::Result<Zeroizing<Vec<u8>>> {
    value.to_der().map(Zeroizing::new)
}
