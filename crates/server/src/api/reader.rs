//! Who calls what answers each what they may read: by a token as for metadata, or, with users, by name and password.

use std::net::IpAddr;

use http::HeaderMap;
use tufstore::terms::{RepositoryName, UnixTime};

use super::{WireError, access};
use crate::access::{Access, Identity, Permission};
use crate::auth::{Action, Caller, Needed};
use crate::service::Service;
use crate::tokens::Login;

/// Who may read some of what is asked for.
#[derive(Debug)]
pub(super) enum Reader {
    Token(Caller),
    Identity(Identity),
}

impl Reader {
    /// Who sent these headers.
    pub(super) async fn of(service: &Service, headers: &HeaderMap, from: IpAddr) -> Result<Self, WireError> {
        let is_basic = matches!(Login::of_headers(headers), Ok(Login::Named { .. }));
        if service.has_own_users() && is_basic {
            identity(service, headers, from).await.map(Self::Identity)
        } else {
            access::caller(service, headers, &Needed::of_all()).map(Self::Token)
        }
    }

    /// Whether they may read all there is, whatever it is called.
    pub(super) fn is_anybody(&self) -> bool {
        matches!(self, Self::Token(Caller::Anybody))
    }

    pub(super) fn may_read(&self, access: &Access, repository: &RepositoryName, now: UnixTime) -> bool {
        match self {
            Self::Token(caller) => caller.may(&Needed::of(repository, &[Action::Pull])),
            Self::Identity(identity) => {
                access.permissions(identity, repository, now).contains(Permission::Pull)
            }
        }
    }
}

/// Who calls, by name and password or token.
pub(super) async fn identity(
    service: &Service,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<Identity, WireError> {
    let login = Login::of_headers(headers)?;
    let (access, now) = (service.directory.access(), service.clock.now());
    let logins = &service.own.logins;
    let identity = logins.identify(&service.workers, &access, login, from, now).await?;
    identity.ok_or_else(WireError::wrong_login)
}
