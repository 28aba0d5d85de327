//! `EncryptedPrivateKeyInfo` (PKCS#8) by PBES2 (PKCS#5).

use core::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use aws_lc_rs::rand;
use der::asn1::OctetStringRef;
use der::{Decode, Encode, ErrorKind, Sequence, Tag};
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::{EncryptionScheme as Cipher, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf};
use zeroize::Zeroizing;

use super::{IV, KeyPemError, decrypted_by_aes, encrypted_by_aes};
use crate::error::{KeyError, failed};

/// What Notary's clients use, and all they read.
const ROUNDS: u32 = 2048;
const SALT: usize = 8;
/// A file that asks for more keeps whoever opens it busy for minutes.
const MOST_ROUNDS: u32 = 10_000_000;

#[derive(Sequence)]
struct EncryptedPrivateKeyInfo<'a> {
    scheme: EncryptionScheme,
    encrypted: &'a OctetStringRef,
}

pub(super) fn encrypted(secret: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut iv) = ([0; SALT], [0; IV]);
    rand::fill(&mut salt).and_then(|()| rand::fill(&mut iv)).map_err(failed("drawing random bytes"))?;
    let kdf = Pbkdf2Params {
        salt: salt.as_slice().try_into().map_err(KeyError::Malformed)?,
        iteration_count: ROUNDS,
        key_length: None,
        prf: Pbkdf2Prf::HmacWithSha1,
    };
    let key = key(&kdf, passphrase)?;
    let encrypted = encrypted_by_aes(key.as_slice(), iv, secret)?;
    let parameters = Parameters { kdf: kdf.into(), encryption: Cipher::Aes256Cbc { iv } };
    let info = EncryptedPrivateKeyInfo {
        scheme: EncryptionScheme::Pbes2(parameters),
        encrypted: OctetStringRef::new(&encrypted).map_err(KeyError::Malformed)?,
    };
    info.to_der().map_err(KeyError::Malformed)
}

pub(super) fn decrypted(info: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyPemError> {
    let info = EncryptedPrivateKeyInfo::from_der(info).map_err(unsupported_or_malformed)?;
    let EncryptionScheme::Pbes2(parameters) = info.scheme else {
        return Err(KeyError::Unsupported { what: "an encryption of keys other than PBES2" }.into());
    };
    let Kdf::Pbkdf2(kdf) = parameters.kdf else {
        return Err(KeyError::Unsupported { what: "a derivation from passphrases other than PBKDF2" }.into());
    };
    let Cipher::Aes256Cbc { iv } = parameters.encryption else {
        return Err(KeyError::Unsupported { what: "a cipher other than AES-256-CBC" }.into());
    };
    decrypted_by_aes(key(&kdf, passphrase)?.as_slice(), iv, info.encrypted.as_bytes())
}

fn key(kdf: &Pbkdf2Params, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let hash = match kdf.prf {
        Pbkdf2Prf::HmacWithSha1 => PBKDF2_HMAC_SHA1,
        Pbkdf2Prf::HmacWithSha256 => PBKDF2_HMAC_SHA256,
        Pbkdf2Prf::HmacWithSha384 => PBKDF2_HMAC_SHA384,
        Pbkdf2Prf::HmacWithSha512 => PBKDF2_HMAC_SHA512,
        Pbkdf2Prf::HmacWithSha224 | _ => {
            return Err(KeyError::Unsupported { what: "this hash of PBKDF2" });
        }
    };
    let rounds = NonZeroU32::new(kdf.iteration_count)
        .filter(|rounds| rounds.get() <= MOST_ROUNDS)
        .ok_or(KeyError::Unsupported { what: "this number of rounds of PBKDF2" })?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(hash, rounds, kdf.salt.as_bytes(), passphrase, key.as_mut_slice());
    Ok(key)
}

fn unsupported_or_malformed(error: der::Error) -> KeyError {
    // The reader knows some schemes by name only, and others not at all.
    if matches!(error.kind(), ErrorKind::OidUnknown { .. } | ErrorKind::Value { tag: Tag::ObjectIdentifier })
    {
        return KeyError::Unsupported { what: "this encryption of keys" };
    }
    KeyError::Malformed(error)
}
