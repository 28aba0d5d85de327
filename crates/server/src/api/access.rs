//! Between route and handler: whether who asks may have that done.

use http::{HeaderMap, header};
use tufstore::terms::RepositoryName;

use super::WireError;
use super::route::Operation;
use crate::auth::Action::{Delete, Pull, Push, Rotate};
use crate::auth::{Caller, Needed};
use crate::service::Service;

/// Whether who sent these headers may do that; without a repository, whether they may know of all.
///
/// Where nobody has to say who they are, a page in a browser on the same machine reaches a server on loopback, and may send an
/// upload without asking first: a form is enough. Browsers say where such a request comes from, and no client of ours is one.
pub(super) fn permit(
    service: &Service,
    headers: &HeaderMap,
    what: Option<(&RepositoryName, &Operation)>,
) -> Result<(), WireError> {
    let changes = matches!(what, Some((_, Operation::Publish | Operation::Delete | Operation::RotateKey(_))));
    if changes && headers.contains_key(header::ORIGIN) {
        return Err(WireError::from_a_page());
    }
    let needed = what.map_or_else(Needed::of_all, |(repository, operation)| needed(repository, operation));
    let caller = caller(service, headers, &needed)?;
    match &service.authority {
        Some(authority) if !caller.may(&needed) => {
            Err(WireError::unauthorized(authority.insufficient(&needed)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Who sent these headers, where it depends on what they ask for; `needed` is what they are told to get a token for.
pub(super) fn caller(service: &Service, headers: &HeaderMap, needed: &Needed) -> Result<Caller, WireError> {
    match &service.authority {
        None => Ok(Caller::Anybody),
        Some(authority) => {
            authority.caller(headers, needed, service.clock.now()).map_err(WireError::unauthorized)
        }
    }
}

/// What a token has to allow for that.
fn needed(repository: &RepositoryName, operation: &Operation) -> Needed {
    Needed::of(
        repository,
        match operation {
            Operation::Current(_) | Operation::Past(..) | Operation::Impossible | Operation::Feed => &[Pull],
            Operation::Publish | Operation::Key(_) => &[Push, Pull],
            Operation::RotateKey(_) => &[Rotate],
            Operation::Delete => &[Delete],
        },
    )
}
