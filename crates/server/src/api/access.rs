//! Between route and handler: whether who asks may have that done.

use http::{HeaderMap, header};
use tufstore::terms::RepositoryName;

use super::WireError;
use super::route::Operation;
use crate::access::Identity;
use crate::auth::Action::{Delete, Pull, Push, Rotate};
use crate::auth::{Caller, Needed};
use crate::directory::Actor;
use crate::service::Service;

/// Whether who sent these headers may do that; without a repository, whether they may know of all. Who they are, where somebody
/// has to be somebody.
///
/// Where nobody has to say who they are, a page in a browser on the same machine reaches a server on loopback, and may send an
/// upload without asking first: a form is enough. Browsers say where such a request comes from, and no client of ours is one.
pub(super) fn permit(
    service: &Service,
    headers: &HeaderMap,
    what: Option<(&RepositoryName, &Operation)>,
) -> Result<Option<Actor>, WireError> {
    let changes = matches!(what, Some((_, Operation::Publish | Operation::Delete | Operation::RotateKey(_))));
    if changes && headers.contains_key(header::ORIGIN) {
        return Err(WireError::from_a_page());
    }
    let needed = what.map_or_else(Needed::of_all, |(repository, operation)| needed(repository, operation));
    let caller = caller(service, headers, &needed)?;
    match service.authority() {
        Some(authority) if !caller.may(&needed) => {
            let refusal = WireError::unauthorized(authority.insufficient(headers, &needed));
            Err(match &caller {
                Caller::Holder(claims) => refusal.to(&claims.subject),
                Caller::Anybody => refusal,
            })
        }
        Some(_) | None => Ok(actor(service, &caller)),
    }
}

/// Who sent these headers, where it depends on what they ask for; `needed` is what they are told to get a token for.
pub(super) fn caller(service: &Service, headers: &HeaderMap, needed: &Needed) -> Result<Caller, WireError> {
    let Some(authority) = service.authority() else { return Ok(Caller::Anybody) };
    let now = service.clock.now();
    let caller = authority.caller(headers, needed, now).map_err(WireError::unauthorized)?;
    // A token of this server's says what somebody might when it was made. Whoever was removed since is nobody, at once.
    if let (Caller::Holder(claims), true) = (&caller, service.has_own_users())
        && !claims.subject.is_empty()
    {
        let identity = Identity::attested(&claims.subject);
        if !identity.is_some_and(|identity| service.directory.access().is_valid(&identity, now)) {
            return Err(WireError::unauthorized(authority.invalid(headers, needed)).to(&claims.subject));
        }
    }
    Ok(caller)
}

fn actor(service: &Service, caller: &Caller) -> Option<Actor> {
    let Caller::Holder(claims) = caller else { return None };
    if service.has_own_users() {
        let identity = Identity::attested(&claims.subject)?;
        Some(Actor::of(&identity, &service.directory.access()))
    } else {
        Some(Actor::External { subject: claims.subject.clone() })
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
