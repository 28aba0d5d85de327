//! Encryption of secrets that rest: AES-256-GCM with a random nonce before what it sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use zeroize::Zeroizing;

use crate::error::{KeyError, failed};

/// The length of every secret that keys are derived from.
pub(crate) const SECRET: usize = 32;
const TAG: usize = 16;

pub(crate) type Secret = Zeroizing<[u8; SECRET]>;

/// What it did not seal itself, under the same label, does not open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DoesNotOpen;

pub(crate) struct Sealer(RandomizedNonceKey);

impl Sealer {
    pub(crate) fn new(key: &Secret) -> Result<Self, KeyError> {
        RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).map(Self).map_err(failed("preparing a key"))
    }

    /// `nonce || encrypted || tag`. The label is not kept, it has to be told again.
    pub(crate) fn seal(&self, label: &[u8], secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut sealed = vec![0; NONCE_LEN];
        sealed.reserve_exact(secret.len() + TAG);
        // Its full size from the start, so that growing leaves no copy of the secret behind.
        let mut body = Zeroizing::new(Vec::with_capacity(secret.len() + TAG));
        body.extend_from_slice(secret);
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(label), &mut *body)
            .map_err(failed("encrypting a secret"))?;
        sealed.iter_mut().zip(nonce.as_ref()).for_each(|(to, from)| *to = *from);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    pub(crate) fn open(&self, label: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(DoesNotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(label), &mut body).map_err(|_| DoesNotOpen)?.len();
        body.truncate(length);
        Ok(body)
    }
}

/// 32 bytes derived for one purpose.
pub(crate) fn derived(from: &Prk, purpose: &[&[u8]]) -> Result<Secret, KeyError> {
    let mut secret = Secret::default();
    from.expand(purpose, HKDF_SHA256)
        .and_then(|okm| okm.fill(secret.as_mut_slice()))
        .map_err(failed("deriving a key"))?;
    Ok(secret)
}

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> Result<Secret, KeyError> {
    let mut secret = Secret::default();
    aws_lc_rs::rand::fill(secret.as_mut_slice()).map_err(failed("drawing random bytes"))?;
    Ok(secret)
}

/// Puts parts together so that no two lists of parts give the same bytes: each after its length.
pub(crate) fn label(parts: &[&[u8]]) -> Vec<u8> {
    let mut label = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        label.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        label.extend_from_slice(part);
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_under_its_label_alone() {
        let key = Sealer::new(&random().unwrap()).unwrap();
        let sealed = key.seal(b"label", b"secret").unwrap();
        assert_eq!(key.open(b"label", &sealed).as_deref(), Ok(&b"secret".to_vec()));
        assert_eq!(key.open(b"another", &sealed), Err(DoesNotOpen));
        assert_eq!(Sealer::new(&random().unwrap()).unwrap().open(b"label", &sealed), Err(DoesNotOpen));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(key.open(b"label", &damaged), Err(DoesNotOpen), "byte {at}");
            assert_eq!(key.open(b"label", &sealed[..at]), Err(DoesNotOpen), "cut at {at}");
        }
    }

    #[test]
    fn labels_cannot_be_confused() {
        assert_ne!(label(&[b"ab", b"c"]), label(&[b"a", b"bc"]));
        assert_ne!(label(&[b"a"]), label(&[b"a", b""]));
    }
}
