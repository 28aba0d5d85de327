//! Who may do what: tokens of a service that the server trusts, as Docker's token protocol has them.
//!
//! ```text
//! Authorization ─token─▶ Claims ─holds─▶ the route, or a challenge that says whom to ask for which token
//!                  ▲
//!                 keys   of the service: certificates, or a JSON Web Key Set
//! ```

mod keys;
mod token;

use std::path::PathBuf;

use http::{HeaderMap, HeaderValue, header};
use tufstore::terms::{RepositoryName, UnixTime};

use crate::settings::{TokenService, TokenSettings};
use crate::tokens::Issuer;
use keys::Keys;
pub(crate) use token::Claims;
use token::InvalidToken;

/// Why a token service cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A file.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds nothing that a token could be verified with.
    #[error("{} cannot be used to verify tokens: {why}", path.display())]
    Keys {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A setting that clients could not be told.
    #[error("auth.{name} {why}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Whom the server believes about who may do what.
#[derive(Debug)]
pub(crate) struct Authority {
    service: TokenService,
    keys: Keys,
    begin: Begin,
}

/// How every challenge begins: whom to ask.
#[derive(Debug)]
enum Begin {
    /// As the settings say.
    Said(HeaderValue),
    /// This server, under the name by which the client reached it.
    Here { secure: bool },
}

/// What a request needs: all of these actions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Needed {
    kind: &'static str,
    name: String,
    actions: &'static [Action],
}

/// An action, as tokens name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Pull,
    Push,
    /// Of its own kind in our tokens. Clients ask for everything.
    Rotate,
    /// Likewise.
    Delete,
    /// All there are.
    All,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Rotate => "rotate",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }

    /// As clients ask for it.
    pub(crate) fn asked(self) -> &'static str {
        match self {
            Self::Pull | Self::Push => self.as_str(),
            Self::Rotate | Self::Delete | Self::All => "*",
        }
    }
}

impl Needed {
    pub(crate) fn of(repository: &RepositoryName, actions: &'static [Action]) -> Self {
        Self { kind: "repository", name: repository.to_string(), actions }
    }

    /// To know of everything that there is.
    pub(crate) fn of_all() -> Self {
        Self { kind: "registry", name: "catalog".to_owned(), actions: &[Action::All] }
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn actions(&self) -> impl Iterator<Item = Action> {
        self.actions.iter().copied()
    }
}

/// Who sends a request, as far as that decides what they may.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Where nobody has to say who they are.
    Anybody,
    /// The holder of a token.
    Holder(Claims),
}

impl Caller {
    /// Whether that is allowed.
    pub(crate) fn may(&self, needed: &Needed) -> bool {
        match self {
            Self::Anybody => true,
            Self::Holder(claims) => needed.actions.iter().all(|action| claims.hold(needed, *action)),
        }
    }
}

/// A request without a token that allows it: how to get one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Challenge {
    /// The value of `WWW-Authenticate`.
    pub(crate) header: HeaderValue,
    pub(crate) needed: Needed,
}

impl Authority {
    /// # Errors
    /// [`AuthError`].
    pub(crate) fn open(service: TokenService) -> Result<Self, AuthError> {
        let TokenService { realm, service: name, .. } = &service;
        if !(realm.starts_with("https://") || realm.starts_with("http://")) {
            return Err(AuthError::Setting { name: "realm", why: "is no URL that clients could ask" });
        }
        for (name, text) in [("realm", realm), ("service", name)] {
            if text.chars().any(char::is_control) {
                return Err(AuthError::Setting { name, why: "holds a control character" });
            }
        }
        let begin = begin(realm, name)
            .map_err(|_| AuthError::Setting { name: "realm", why: "cannot stand in a header" })?;
        let keys = Keys::read(&service)?;
        Ok(Self { service, keys, begin: Begin::Said(begin) })
    }

    /// Of the server's own token service, whose tokens lead to that certificate. Where no realm is given, clients are sent to where
    /// they are.
    ///
    /// # Errors
    /// [`AuthError`].
    pub(crate) fn own(issuer: &Issuer, settings: &TokenSettings, secure: bool) -> Result<Self, AuthError> {
        let service = TokenService {
            realm: settings.realm.clone().unwrap_or_default(),
            service: settings.service.clone(),
            issuer: issuer.name().to_owned(),
            root_cert_bundle: None,
            jwks: None,
        };
        let keys = Keys::of_authority(issuer.pem())?;
        Ok(match &settings.realm {
            None => Self { service, keys, begin: Begin::Here { secure } },
            Some(_) => Self { keys, ..Self::open(service)? },
        })
    }

    /// Who sent these headers, if a token among them says so.
    ///
    /// # Errors
    /// A [`Challenge`] for what is needed.
    pub(crate) fn caller(
        &self,
        headers: &HeaderMap,
        needed: &Needed,
        now: UnixTime,
    ) -> Result<Caller, Challenge> {
        let Some(token) = bearer(headers) else { return Err(self.challenge(headers, needed, None)) };
        let claims = token::verify(token, &self.service, &self.keys, now);
        claims.map(Caller::Holder).map_err(|InvalidToken(why)| {
            tracing::info!(why, "a token was refused");
            self.challenge(headers, needed, Some("invalid_token"))
        })
    }

    /// For a token of somebody who is nobody any more.
    pub(crate) fn invalid(&self, headers: &HeaderMap, needed: &Needed) -> Challenge {
        self.challenge(headers, needed, Some("invalid_token"))
    }

    /// For a token that does not allow it.
    pub(crate) fn insufficient(&self, headers: &HeaderMap, needed: &Needed) -> Challenge {
        self.challenge(headers, needed, Some("insufficient_scope"))
    }

    fn challenge(&self, headers: &HeaderMap, needed: &Needed, error: Option<&'static str>) -> Challenge {
        let begin = match &self.begin {
            Begin::Said(begin) => begin.clone(),
            Begin::Here { secure } => {
                let scheme = if *secure { "https" } else { "http" };
                let realm = format!("{scheme}://{}/oauth2/token", host(headers).unwrap_or("localhost"));
                begin(&realm, &self.service.service).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
            }
        };
        let actions: Vec<_> = needed.actions().map(Action::asked).collect();
        let scope = quoted(&format!("{}:{}:{}", needed.kind, needed.name, actions.join(",")));
        let error = error.map(|error| format!(",error=\"{error}\"")).unwrap_or_default();
        let rest = format!(",scope={scope}{error}");
        let header = HeaderValue::try_from([begin.as_bytes(), rest.as_bytes()].concat());
        // A name holds no control character, so that it can always be said.
        Challenge { header: header.unwrap_or(begin), needed: needed.clone() }
    }
}

fn begin(realm: &str, service: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    HeaderValue::try_from(format!("Bearer realm={},service={}", quoted(realm), quoted(service)))
}

/// The name by which a client reached this server, if it can be one.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'[' | b']');
    (!host.is_empty() && host.len() <= 255 && host.bytes().all(is_host)).then_some(host)
}

/// A text in a header's quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The token in a request: two words, the first in any case. Of two headers nobody knows which one counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

/// Any bytes as a bundle and as a set.
#[cfg(fuzzing)]
pub(crate) fn read_keys(bytes: &[u8]) {
    Keys::read_anything(bytes);
}

#[cfg(test)]
mod tests;
