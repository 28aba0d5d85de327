use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use rand::Rng as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use tufstore::terms::{Sha256, UnixTime};
use zeroize::Zeroizing;

use super::ids::ObjectId;
use super::name::Name;
use super::permission::Permissions;
use super::scope::Scope;
use super::text::as_text;

/// What a token's text begins with, so that scanners for secrets know one when they see it.
const PREFIX: &[u8] = b"tufs_";
const ID: usize = 16;
/// 43 characters of 62 carry 256 bits.
const SECRET: usize = 43;

/// What stands for a token: 16 letters and digits. Not secret.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenId(Box<str>);

/// Not the id of a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a token's id is {ID} letters and digits")]
#[non_exhaustive]
pub struct InvalidTokenId;

/// A token as its holder has it: `tufs_<id>_<43 letters and digits>`. Shown once, when it is made.
///
/// Its memory is wiped when it is dropped. `Debug` shows the id alone.
pub struct Secret {
    id: TokenId,
    characters: Zeroizing<[u8; SECRET]>,
}

/// What is kept of a token's secret. Not shown by `Debug`.
///
/// One round of SHA-256, where passwords take Argon2id: a slow hash makes up for what a password lacks, and nobody can
/// try 256 random bits however fast it goes. Programs present tokens with every request, so it has to be fast.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHash(Sha256);

/// What a token allows where: of each repository, all that the scopes which cover it say.
pub type Limit = BTreeMap<Scope, Permissions>;

/// Whom a token speaks for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "whoever decides by it must miss none")]
pub enum Grant {
    /// For a principal: what that may.
    Personal {
        /// The principal.
        of: ObjectId,
        /// And no more than this; `None` for all that the principal may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Limit>,
    },
    /// For itself: exactly this. It may sign.
    Own {
        /// What it may.
        limit: Limit,
    },
}

/// A token, without what only its holder has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Token {
    /// Of a principal's, none of its others has it: what others call theirs is not theirs to find out. Of one that is of nobody, no
    /// principal and no other such token.
    pub name: Name,
    /// Of its secret.
    pub secret: SecretHash,
    /// When it was made.
    pub created: UnixTime,
    /// From when on it is worth nothing.
    pub expires: UnixTime,
    /// What it allows.
    pub grant: Grant,
    /// Who made one that is of nobody, there still or not; `None` for whoever runs the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<ObjectId>,
}

impl Grant {
    /// Whether it allows to sign anywhere.
    pub(super) fn signs(&self) -> bool {
        let limit = match self {
            Self::Personal { limit, .. } => limit.as_ref(),
            Self::Own { limit } => Some(limit),
        };
        let mut allowed = limit.into_iter().flat_map(BTreeMap::values);
        allowed.any(|permissions| !permissions.intersection(Permissions::SIGNING).is_empty())
    }

    /// In how many scopes it says what is allowed.
    pub(super) fn scopes(&self) -> usize {
        match self {
            Self::Personal { limit: None, .. } => 0,
            Self::Personal { limit: Some(limit), .. } | Self::Own { limit } => limit.len(),
        }
    }
}

impl Token {
    /// Whether it is a principal's.
    pub fn is_of(&self, principal: ObjectId) -> bool {
        matches!(&self.grant, Grant::Personal { of, .. } if *of == principal)
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: UnixTime) -> bool {
        self.expires <= now
    }
}

impl TokenId {
    /// One that nobody has.
    fn random() -> Self {
        Self(rand::rng().sample_iter(Alphanumeric).take(ID).map(char::from).collect())
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let is_id = text.len() == ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_id { Ok(Self(text.into())) } else { Err(InvalidTokenId) }
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(TokenId);

impl Secret {
    /// A new one, of a new token.
    pub fn random() -> Self {
        let mut characters = Zeroizing::new([0; SECRET]);
        for (character, random) in characters.iter_mut().zip(rand::rng().sample_iter(Alphanumeric)) {
            *character = random;
        }
        Self { id: TokenId::random(), characters }
    }

    /// What somebody sent as a password or a bearer token, if it is written as tokens are.
    pub fn read(text: &[u8]) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_at_checked(ID)?;
        let secret: &[u8; SECRET] = rest.strip_prefix(b"_")?.try_into().ok()?;
        let id = std::str::from_utf8(id).ok()?.parse().ok()?;
        let characters = Zeroizing::new(*secret);
        characters.iter().all(u8::is_ascii_alphanumeric).then_some(Self { id, characters })
    }

    /// Of which token.
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        let mut bytes = [0; 32];
        for (byte, hashed) in bytes.iter_mut().zip(digest(&SHA256, &*self.characters).as_ref()) {
            *byte = *hashed;
        }
        SecretHash(Sha256::new(bytes))
    }

    /// Its text, for its holder.
    pub fn shown(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + ID + 1 + SECRET));
        text.extend(PREFIX.iter().copied().map(char::from));
        text.push_str(&self.id.0);
        text.push('_');
        text.extend(self.characters.iter().copied().map(char::from));
        text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SecretHash {
    /// Whether it is of that secret; takes the same time whatever the answer.
    pub fn is_of(&self, secret: &Secret) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), secret.hash().0.as_bytes()).is_ok()
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        hash.0.to_string()
    }
}

impl TryFrom<String> for SecretHash {
    type Error = <Sha256 as FromStr>::Err;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}
