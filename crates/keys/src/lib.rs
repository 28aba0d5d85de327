//! Private keys for tufstore: made, loaded, saved, sealed at rest, and zeroized when dropped.
//!
//! | what | where |
//! |---|---|
//! | a key that signs as the Notary v1 dialect wants it | [`PrivateKey`] |
//! | its name in metadata and on disk | [`notary_key_id`] |
//! | its file, as Docker and Notary keep it | [`KeyPem`] |
//! | its certificate in a root, as Notary makes it | [`root_certificate`] |
//! | the keys that a server holds | [`SealedOnlineKeys`] |
//! | the secret behind them, and the file it rests in | [`MasterKeyFile`] |
//!
//! ```
//! use tufstore::crypto::KeyAlgorithm;
//! use tufstore_keys::{KeyLabel, KeyPem, PrivateKey};
//!
//! // Docker and Notary can read this text, and sign with the key in it.
//! let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
//! let text = KeyPem::encrypted(&key, KeyLabel::of_role("alice"), b"a long passphrase")?.to_text();
//!
//! let read = KeyPem::read(&text)?;
//! assert_eq!(read.label().role.as_deref(), Some("alice"));
//! let (method, signature) = read.open(Some(b"a long passphrase"))?.sign(b"message")?;
//! assert!(key.public().verifies(method, b"message", &signature));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod asn1;
mod certificate;
mod error;
mod file;
mod master;
mod notary;
mod online;
mod pem;
mod private_key;
mod sealing;

pub use certificate::{
    CertificateAuthority, CertificateError, Validity, root_certificate, self_signed_certificate,
};
pub use error::KeyError;
pub use file::FileError;
pub use master::{MasterKeyError, MasterKeyFile, Opener, SealedBy, create_key_file};
pub use notary::notary_key_id;
pub use online::SealedOnlineKeys;
pub use pem::{KeyLabel, KeyPem, KeyPemError, read_public_key};
pub use private_key::PrivateKey;
