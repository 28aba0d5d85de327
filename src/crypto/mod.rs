//! Verifying only: public keys, signatures, digests. The private halves live behind [`OnlineKeys`].

mod certificate;
mod digest;
mod public_key;
mod port;

pub use certificate::{Certificate, CertificateBundle, InvalidCertificate};
pub use digest::{sha256, sha512};
pub use port::{
    NoOnlineKeys, OnlineKeyError, OnlineKeys, OnlineRole, OnlineScope, OnlineSignature, SealedKey,
};
pub use public_key::{InvalidPublicKey, KeyAlgorithm, KeyId, PublicKey, SignatureMethod};
