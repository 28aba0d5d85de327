//! Passwords: the slow part, which holds nothing and can run anywhere.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use super::token::Secret;

/// In bytes.
const SHORTEST: usize = 8;
/// In bytes. More say nothing more, and cost whoever has to read them.
const LONGEST: usize = 1024;
const SALT: usize = 16;
/// Of the hash.
const OUTPUT: usize = 32;
/// Kibibytes, passes and lanes of what is made here, and the least that is taken from elsewhere.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most that is taken from elsewhere: verifying is what strangers make the server do.
const MOST_MEMORY: u32 = 64 * 1024;
const MOST_PASSES: u32 = 4;

/// An Argon2id hash of a password, with its salt and parameters, as PHC strings write it. Not shown by `Debug`.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasswordHash(Cow<'static, str>);

/// Not a hash that passwords are verified with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a password's hash is a PHC string of Argon2id, version 19, with 19 to 64 MiB, 2 to 4 passes, one lane, a salt and 32 \
     bytes"
)]
#[non_exhaustive]
pub struct InvalidPasswordHash;

/// Why a password cannot be one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// A defect.
    #[error("the password cannot be hashed")]
    Hashing(#[source] password_hash::Error),
    /// It would be taken for a token, and never verified.
    #[error("a password is not written as tokens are: choose another one")]
    Token,
    /// More than 1024 bytes.
    #[error("a password has at most {LONGEST} bytes: choose a shorter one")]
    TooLong,
    /// Less than 8 bytes.
    #[error("a password has at least {SHORTEST} bytes: choose a longer one")]
    TooShort,
}

/// Hashes a password with a new salt.
///
/// # Errors
/// [`PasswordError`].
///
/// # Cost
/// Tens of milliseconds and 19 MiB.
///
/// # Source
/// RFC 9106; parameters of the OWASP Password Storage Cheat Sheet.
pub fn hash(password: &[u8]) -> Result<PasswordHash, PasswordError> {
    match password.len() {
        ..SHORTEST => return Err(PasswordError::TooShort),
        SHORTEST..=LONGEST => {}
        _ => return Err(PasswordError::TooLong),
    }
    if Secret::read(password).is_some() {
        return Err(PasswordError::Token);
    }
    let hashed = || {
        let salt = SaltString::encode_b64(&rand::random::<[u8; SALT]>())?;
        let parameters = Params::new(MEMORY, PASSES, LANES, Some(OUTPUT))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
        Ok(argon2.hash_password(password, &salt)?.to_string())
    };
    hashed().map(|text| PasswordHash(text.into())).map_err(PasswordError::Hashing)
}

/// Whether that is the password. Takes the same time for each password that could be one.
///
/// # Cost
/// As [`hash`].
pub fn verify(hash: &PasswordHash, password: &[u8]) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    let parsed = password_hash::PasswordHash::new(&hash.0);
    parsed.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

impl PasswordHash {
    /// As it is written down.
    pub(super) fn written(&self) -> &str {
        &self.0
    }

    /// Takes as long as one that was made here, and nobody knows its password.
    pub(super) const DUMMY: Self = Self(Cow::Borrowed(
        "$argon2id$v=19$m=19456,t=2,p=1$bm8gcGFzc3dvcmQgaGVyZQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ));
}

impl FromStr for PasswordHash {
    type Err = InvalidPasswordHash;

    fn from_str(text: &str) -> Result<Self, InvalidPasswordHash> {
        let hash = password_hash::PasswordHash::new(text).map_err(|_| InvalidPasswordHash)?;
        let parameters = Params::try_from(&hash).map_err(|_| InvalidPasswordHash)?;
        let is_taken = hash.algorithm == Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into())
            && (MEMORY..=MOST_MEMORY).contains(&parameters.m_cost())
            && (PASSES..=MOST_PASSES).contains(&parameters.t_cost())
            && parameters.p_cost() == LANES
            && hash.salt.is_some()
            && hash.hash.is_some_and(|output| output.len() == OUTPUT);
        if is_taken { Ok(Self(text.to_owned().into())) } else { Err(InvalidPasswordHash) }
    }
}

/// As it is written down. There is no `Display`, so that no message shows it by mistake.
impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0.into_owned()
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = InvalidPasswordHash;

    fn try_from(text: String) -> Result<Self, InvalidPasswordHash> {
        text.parse()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_and_no_other_is() {
        let password = "correct horse";
        let hashed = hash(password.as_bytes()).unwrap();
        assert!(verify(&hashed, password.as_bytes()));
        for other in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!verify(&hashed, other.as_bytes()), "{other:?}");
        }
        assert!(!verify(&hashed, "a".repeat(LONGEST + 1).as_bytes()));
        assert_eq!(hashed.0.parse(), Ok(hashed.clone()));
        assert_ne!(hash(password.as_bytes()).unwrap(), hashed, "a salt of its own");
        assert_eq!(format!("{hashed:?}"), "PasswordHash(..)");
    }

    #[test]
    fn passwords_have_8_to_1024_bytes_and_are_not_written_as_tokens() {
        assert_eq!(hash(&[b'a'; 7]), Err(PasswordError::TooShort));
        assert!(hash(&[0; 8]).is_ok());
        assert!(hash(&[0xff; 1024]).is_ok());
        assert_eq!(hash(&[b'a'; 1025]), Err(PasswordError::TooLong));
        assert_eq!(hash(Secret::random().shown().as_bytes()), Err(PasswordError::Token));
    }

    #[test]
    fn the_dummy_is_a_hash_like_those_made_here() {
        let dummy = String::from(PasswordHash::DUMMY);
        assert_eq!(dummy.parse(), Ok(PasswordHash::DUMMY));
        let made = String::from(hash(b"correct horse").unwrap());
        let parameters = |text: &str| text.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parameters(&dummy), parameters(&made));
        assert_eq!(dummy.len(), made.len());
    }

    #[test]
    fn hashes_that_are_weak_or_would_keep_the_server_busy_are_refused() {
        let dummy = String::from(PasswordHash::DUMMY);
        for (part, instead) in [
            ("argon2id", "argon2i"),
            ("argon2id", "argon2d"),
            ("argon2id", "pbkdf2-sha256"),
            ("v=19", "v=16"),
            ("v=19$", ""),
            ("m=19456", "m=19455"),
            ("m=19456", "m=65537"),
            ("t=2", "t=1"),
            ("t=2", "t=5"),
            ("p=1", "p=2"),
            ("AAAAA", ""),
            ("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
            ("bm8gcGFzc3dvcmQgaGVyZQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
        ] {
            let other = dummy.replacen(part, instead, 1);
            assert_ne!(other, dummy);
            assert_eq!(other.parse::<PasswordHash>(), Err(InvalidPasswordHash), "{other}");
        }
        for text in ["", "correct horse", "$2b$12$abcdefghijklmnopqrstuv"] {
            assert_eq!(text.parse::<PasswordHash>(), Err(InvalidPasswordHash), "{text}");
        }
    }
}
