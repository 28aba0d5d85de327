use std::fmt;

use tufstore::terms::UnixTime;

use super::ids::ObjectId;
use super::password::{self, PasswordHash};
use super::token::{Grant, Secret, TokenId};
use super::whole::Access;

/// Who was authenticated: a principal, by password or by a personal token, or a token that is somebody by itself.
///
/// Made by [`Access::identify`], [`Access::candidate`], [`PasswordCheck::verify`], and by [`Self::attested`] where the
/// server signed it. Says who, and not that they may still do anything: [`Access::permissions`] asks that each time.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Identity(pub(super) Who);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Who {
    Principal(ObjectId),
    /// A principal, by a token.
    Personal(ObjectId, TokenId),
    /// A token that is of nobody.
    Token(TokenId),
}

impl Identity {
    /// The principal, unless it is a token by itself.
    pub fn principal(&self) -> Option<ObjectId> {
        match &self.0 {
            Who::Principal(id) | Who::Personal(id, _) => Some(*id),
            Who::Token(_) => None,
        }
    }

    /// The token, unless it was a password.
    pub fn token(&self) -> Option<&TokenId> {
        match &self.0 {
            Who::Personal(_, token) | Who::Token(token) => Some(token),
            Who::Principal(_) => None,
        }
    }

    /// What [`Display`](fmt::Display) wrote into something that this server signed, once the signature was verified.
    ///
    /// The one way to an identity without a secret. Search for callers when reviewing.
    pub fn attested(subject: &str) -> Option<Self> {
        let who = match subject.split_once('/') {
            Some(("token", token)) => Who::Token(token.parse().ok()?),
            Some((id, token)) => Who::Personal(id.parse().ok()?, token.parse().ok()?),
            None => Who::Principal(subject.parse().ok()?),
        };
        Some(Self(who))
    }
}

/// `<object id>`, `<object id>/<token id>` or `token/<token id>`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Who::Principal(id) => id.fmt(f),
            Who::Personal(id, token) => write!(f, "{id}/{token}"),
            Who::Token(token) => write!(f, "token/{token}"),
        }
    }
}

/// Who somebody could be, from a name and a secret.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever authenticates must miss none")]
pub enum Candidate {
    /// The secret was a token, and is that one's.
    Known(Identity),
    /// The secret was written as a token, and nobody by that name has it: to be refused at once.
    Nobody,
    /// The secret can only be a password: to be verified where slow things run.
    Password(PasswordCheck),
}

/// What a password has to be verified with, whether or not anybody has that name: then it is a hash of no password, so
/// that names cannot be found out by how long a refusal takes.
#[derive(Debug)]
pub struct PasswordCheck {
    hash: PasswordHash,
    then: Option<Identity>,
}

impl PasswordCheck {
    /// What the password is verified against, for whoever remembers which passwords were right: in a form that gives nothing
    /// away. Another password is another hash.
    pub(crate) fn against(&self) -> &[u8] {
        self.hash.written().as_bytes()
    }

    /// Who it would be.
    pub(crate) fn then(&self) -> Option<&Identity> {
        self.then.as_ref()
    }

    /// Verifies the password.
    ///
    /// # Cost
    /// As [`password::verify`]: tens of milliseconds and 19 MiB, so that it belongs on a pool with a bound.
    pub fn verify(self, password: &[u8]) -> Option<Identity> {
        let is_verified = password::verify(&self.hash, password);
        self.then.filter(|_| is_verified)
    }
}

impl Access {
    /// Who holds that token; nobody, if its time is over or its principal is disabled.
    pub fn identify(&self, secret: &Secret, now: UnixTime) -> Option<Identity> {
        let token = self.token(secret.id()).filter(|token| token.secret.is_of(secret))?;
        let identity = Identity(match &token.grant {
            Grant::Personal { of, .. } => Who::Personal(*of, secret.id().clone()),
            Grant::Own { .. } => Who::Token(secret.id().clone()),
        });
        self.is_valid(&identity, now).then_some(identity)
    }

    /// Who somebody could be that gives a name and a secret, as `docker login` sends them.
    ///
    /// With a password, the name is what a principal answers to. With a token it is that too if the token is personal, or
    /// the token's name or id.
    pub fn candidate(&self, name: &str, secret: &[u8], now: UnixTime) -> Candidate {
        if let Some(secret) = Secret::read(secret) {
            let known = self.identify(&secret, now).filter(|identity| self.answers(identity, name));
            return known.map_or(Candidate::Nobody, Candidate::Known);
        }
        let found = self.answering_to(name).filter(|(_, principal)| !principal.disabled);
        let with_password = found.and_then(|(id, principal)| Some((id, principal.password.clone()?)));
        Candidate::Password(match with_password {
            Some((id, hash)) => PasswordCheck { hash, then: Some(Identity(Who::Principal(id))) },
            None => PasswordCheck { hash: PasswordHash::DUMMY, then: None },
        })
    }

    fn answers(&self, identity: &Identity, name: &str) -> bool {
        let is_token = identity.token().is_some_and(|id| {
            let is_its_name = |name| self.token(id).is_some_and(|token| token.name == name);
            id.to_string() == name || name.parse().is_ok_and(is_its_name)
        });
        let principal = identity.principal();
        is_token || principal.is_some_and(|id| self.answering_to(name).is_some_and(|(one, _)| one == id))
    }
}
