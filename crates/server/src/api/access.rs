//! Between route and handler: whether who asks may have that done.

use http::{HeaderMap, header};
use tufstore::terms::{Note, RepositoryName, UnixTime};

use super::WireError;
use super::route::Operation;
use crate::access::Identity;
use crate::auth::Action::{Delete, Pull, Push, Rotate};
use crate::auth::{Caller, Needed};
use crate::directory::{Actor, Directory, Noted};
use crate::service::Service;

/// Who was let in, for whoever does what they asked once it was received whole: they may be nobody any more by then.
#[derive(Clone, Debug)]
pub(super) enum Admitted {
    /// Where nobody has to say who they are.
    Anybody,
    /// The holder of another service's token.
    External(Actor),
    /// Somebody of this server's own.
    Own(Identity, Actor),
}

impl Admitted {
    /// Whether they still would be.
    pub(super) fn still(&self, directory: &Directory, now: UnixTime) -> bool {
        match self {
            Self::Anybody => directory.is_open(),
            Self::External(_) => true,
            Self::Own(identity, _) => directory.access().is_valid(identity, now),
        }
    }

    /// As is noted of what they do, where somebody has to be somebody.
    pub(super) fn note(&self) -> Option<Note> {
        match self {
            Self::Anybody => None,
            Self::External(by) | Self::Own(_, by) => Noted::by(by.clone()).to_note(),
        }
    }
}

/// Whether who sent these headers may do that; without a repository, whether they may know of all.
///
/// Where nobody has to say who they are, a page in a browser on the same machine reaches a server on loopback, and may send an
/// upload without asking first: a form is enough. Browsers say where such a request comes from, and no client of ours is one.
pub(super) fn permit(
    service: &Service,
    headers: &HeaderMap,
    what: Option<(&RepositoryName, &Operation)>,
) -> Result<Admitted, WireError> {
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
        Some(_) | None => admitted(service, &caller).ok_or_else(|| no_longer(service, headers, &needed)),
    }
}

/// Who was let in to change a repository, and is nobody any more.
pub(super) fn not_any_more(
    service: &Service,
    headers: &HeaderMap,
    repository: &RepositoryName,
    operation: &Operation,
) -> WireError {
    no_longer(service, headers, &needed(repository, operation))
}

fn no_longer(service: &Service, headers: &HeaderMap, needed: &Needed) -> WireError {
    let challenge = service.authority().map(|authority| authority.invalid(headers, needed));
    challenge.map_or_else(WireError::busy, WireError::unauthorized)
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

/// `None`: their token is of nobody that there could be.
fn admitted(service: &Service, caller: &Caller) -> Option<Admitted> {
    Some(match caller {
        Caller::Anybody => Admitted::Anybody,
        Caller::Holder(claims) if service.has_own_users() => {
            let identity = Identity::attested(&claims.subject)?;
            let by = Actor::of(&identity, &service.directory.access());
            Admitted::Own(identity, by)
        }
        Caller::Holder(claims) => Admitted::External(Actor::External { subject: claims.subject.clone() }),
    })
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
