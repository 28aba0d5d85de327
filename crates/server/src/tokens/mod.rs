//! The token service: who somebody is, and what they may do at which service, for some minutes.
//!
//! ```text
//! /oauth2/token  request ─login─▶ Identity ─grant─▶ Granted ─issuer─▶ token
//!                         ▲                 ▲
//!              passwords, a few at a time   access, as it is now
//! ```
//!
//! The trust server is one service, each registry of images another: a token for one is of no use at the other, so that who may
//! push an image may not sign for it.

mod grant;
mod issuer;
mod login;
mod request;

pub(crate) use grant::{Audience, grants};
pub(crate) use issuer::{Granted, Issuer};
pub(crate) use login::{LoginError, Logins};
pub(crate) use request::{InvalidRequest, Login, TokenRequest};

use tufstore::terms::UnixTime;
use tufstore_keys::PrivateKey;

use crate::auth::{AuthError, Authority};
use crate::settings::{Settings, Tls};

/// What the server's own tokens are made and verified with.
#[derive(Debug)]
pub(crate) struct OwnTokens {
    pub(crate) issuer: Issuer,
    pub(crate) authority: Authority,
    pub(crate) logins: Logins,
    /// What the trust server is called in them.
    pub(crate) trust: String,
}

/// How the server calls itself in its tokens.
const ISSUER: &str = "tufstore";

impl OwnTokens {
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn new(key: &PrivateKey, settings: &Settings, now: UnixTime) -> Result<Self, TokenError> {
        let issuer = Issuer::new(key, ISSUER, settings.tokens.lifetime, now)?;
        let secure = !matches!(settings.tls, Tls::Off);
        let authority = Authority::own(&issuer, &settings.tokens, secure)?;
        let trust = settings.tokens.service.clone();
        Ok(Self { issuer, authority, logins: Logins::new(), trust })
    }
}

/// Why no token can be made: never the fault of who asks for one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The authority's key.
    #[error("the key that vouches for tokens cannot be used")]
    Key(#[from] tufstore_keys::KeyError),
    /// A setting.
    #[error(transparent)]
    Settings(#[from] AuthError),
    /// A certificate.
    #[error("a certificate for tokens cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// Signing.
    #[error("a token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
}
