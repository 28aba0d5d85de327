//! Who may do what, content trust of registries, the audit trail: what the command line does, over HTTP, for whoever holds the
//! role that it takes. They say who they are in each call, by name and password or token.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use futures_util::future::join_all;
use http::{HeaderValue, Request, Response, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tufstore::terms::{Position, RepositoryName, UnixTime};

use super::WireError;
use super::reader::{self, Reader};
use super::token::peer;
use crate::access::{ContentTrust, Identity, Permission, Registry, Scope};
use crate::admin::{AccessEntry, AuditEntry};
use crate::directory::{
    Actor, ChangeError, Directory, DisableError, Disabled, Order, OrderRefused, Reference, ResetError,
    Verdict, Weight,
};
use crate::service::Service;
use crate::text::chain;

/// An order holds a name, a password and some scopes; a question about images, a thousand of them.
const LONGEST: usize = 1 << 20;
/// In one answer.
const MOST_LINES: usize = 1000;
const MOST_IMAGES: usize = 1000;
/// Each answer may name all that are missing.
const MOST_SIGNERS: usize = 64;

/// Which call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    /// Who may do what?
    ShowAccess,
    /// Change it.
    ChangeAccess,
    /// What holds for a registry?
    ShowPolicy,
    /// Content trust on or off.
    SetPolicy,
    /// Who did what?
    Audit,
    /// May these images run?
    Signed,
    /// A repository begins anew.
    Reset,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPolicy {
    registry: Registry,
    content_trust: ContentTrust,
    /// The registry's name once more, for whoever has all of its trust data deleted.
    #[serde(default)]
    delete_all_trust_data: Option<Registry>,
}

#[derive(Serialize)]
struct Policy {
    registry: Registry,
    content_trust: ContentTrust,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Weight>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<Disabled>,
}

#[derive(Serialize)]
struct Lines {
    lines: Vec<AuditEntry>,
    more: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    images: Vec<Reference>,
    #[serde(default)]
    signers: BTreeSet<String>,
}

#[derive(Serialize)]
struct Verdicts {
    images: Vec<Verdict>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    repository: RepositoryName,
}

#[derive(Serialize)]
struct WasReset {
    position: Position,
    /// The folder in the store's own folder of archives.
    archive: String,
    files: u64,
}

pub(super) async fn call(
    service: &Service,
    call: Call,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    if call == Call::Signed {
        return signed(service, request).await;
    }
    // Without users there is nobody to ask, and who may use the server's folder has the command line.
    if !service.has_own_users() {
        return Err(WireError::no_route());
    }
    if request.headers().contains_key(header::ORIGIN) {
        return Err(WireError::from_a_page());
    }
    let from = peer(&request);
    let identity = reader::identity(service, request.headers(), from).await?;
    let who = identity.to_string();
    managed(service, call, identity, request).await.map_err(|refusal| refusal.to(&who))
}

async fn managed(
    service: &Service,
    call: Call,
    identity: Identity,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    let now = service.clock.now();
    match call {
        Call::ShowAccess => {
            allowed(&service.directory, &identity, Permission::RoleAssignments, &Scope::ALL, now)?;
            answer(&AccessEntry::from(&*service.directory.access()))
        }
        Call::ChangeAccess => {
            let too_many = || WireError::too_many("You give too many orders. Wait a minute.");
            let ordering = service.quotas.ordering(&identity).ok_or_else(too_many)?;
            let order: Order = body(service, request).await?;
            let (directory, now) = (Arc::clone(&service.directory), service.clock.now());
            // Whoever may not takes no place from whoever may.
            directory.may_order(&order, &identity, now)?;
            let has_password = order.has_password();
            let carry = move || {
                let done = directory.carry_out_for(order, &identity, now);
                drop(ordering);
                done
            };
            // Who logs in waits for passwords alone.
            let carried = if has_password {
                service.workers.password(carry).await
            } else {
                service.workers.publish(carry).await
            };
            answer(&carried??)
        }
        Call::ShowPolicy => {
            let registry = parameter(&request, "registry");
            let registry: Registry = registry.and_then(|text| text.parse().ok()).ok_or_else(no_registry)?;
            let scope = Scope::from(registry.clone());
            allowed(&service.directory, &identity, Permission::Policies, &scope, now)?;
            let directory = Arc::clone(&service.directory);
            let shown = service.workers.scan(move || {
                let holds = Some(directory.weigh(&registry)?);
                let content_trust = if directory.shows(registry.as_str()) {
                    ContentTrust::Enabled
                } else {
                    ContentTrust::Disabled
                };
                Ok::<_, WireError>(Policy { registry, content_trust, holds, deleted: None })
            });
            answer(&shown.await??)
        }
        Call::SetPolicy => {
            let SetPolicy { registry, content_trust, delete_all_trust_data } = body(service, request).await?;
            let scope = Scope::from(registry.clone());
            allowed(&service.directory, &identity, Permission::Policies, &scope, now)?;
            let is_off = content_trust == ContentTrust::Disabled;
            if is_off && delete_all_trust_data.as_ref() != Some(&registry) {
                let why = "disabling deletes all trust data of the registry: name it again in delete_all_trust_data";
                return Err(WireError::invalid_parameters(Some(why.to_owned())));
            }
            let (directory, now) = (Arc::clone(&service.directory), service.clock.now());
            let set = service.workers.scan(move || {
                // It may have waited for its turn.
                allowed(&directory, &identity, Permission::Policies, &scope, now)?;
                let by = Actor::of(&identity, &directory.access());
                let deleted = if is_off {
                    Some(directory.disable(&registry, &by, now, &mut |_| {})?)
                } else {
                    directory.enable(registry.clone(), &by, now)?;
                    None
                };
                Ok::<_, WireError>(Policy { registry, content_trust, holds: None, deleted })
            });
            answer(&set.await??)
        }
        Call::Audit => {
            allowed(&service.directory, &identity, Permission::RoleAssignments, &Scope::ALL, now)?;
            let after = parameter(&request, "after").map_or(Ok(0), |text| text.parse());
            let after = Position::new(after.map_err(|_| WireError::invalid_parameters(None))?);
            let store = service.store.clone();
            let lines = service.workers.scan(move || {
                let lines = store.audit(after).take(MOST_LINES).map(|line| line.map(AuditEntry::from));
                let lines: Vec<_> = lines.collect::<Result<_, _>>()?;
                let last = lines.last().map_or(after, |line| line.position);
                let more = store.position() > last;
                Ok::<_, WireError>(Lines { lines, more })
            });
            answer(&lines.await??)
        }
        Call::Reset => {
            let Reset { repository } = body(service, request).await?;
            let scope = repository.as_str().parse().map_err(|_| WireError::not_found())?;
            allowed(&service.directory, &identity, Permission::RoleAssignments, &scope, now)?;
            let (directory, now) = (Arc::clone(&service.directory), service.clock.now());
            let reset = service.workers.scan(move || {
                allowed(&directory, &identity, Permission::RoleAssignments, &scope, now)?;
                let by = Actor::of(&identity, &directory.access());
                let done = directory.reset(&repository, &by, now)?;
                // Where the store lies is for whoever runs the server.
                let archive = done.archive.file_name().map(|name| name.to_string_lossy().into_owned());
                let (position, files) = (done.position, done.files);
                Ok::<_, WireError>(WasReset { position, archive: archive.unwrap_or_default(), files })
            });
            answer(&reset.await??)
        }
        Call::Signed => Err(WireError::no_route()),
    }
}

/// For whoever may read what is asked for: with users, by a token as for metadata, or by name and password.
async fn signed(service: &Service, request: Request<Body>) -> Result<Response<Body>, WireError> {
    let from = peer(&request);
    let reader = Reader::of(service, request.headers(), from).await?;
    let Signed { images, signers } = body(service, request).await?;
    if !(1..=MOST_IMAGES).contains(&images.len()) {
        let why = format!("{} images were asked for; a call takes 1 to {MOST_IMAGES}", images.len());
        return Err(WireError::invalid_parameters(Some(why)));
    }
    if signers.len() > MOST_SIGNERS {
        let why = format!("{} signers were asked for; a call takes at most {MOST_SIGNERS}", signers.len());
        return Err(WireError::invalid_parameters(Some(why)));
    }
    let (access, now) = (service.directory.access(), service.clock.now());
    let may_read = |repository: &RepositoryName| {
        service.settings.serves(repository.as_str())
            && service.directory.shows_under(&access, repository.as_str())
            && reader.may_read(&access, repository, now)
    };
    // Of what somebody may not read nothing is looked at, and nothing signed anew.
    let images: Vec<_> = images.into_iter().map(|image| (may_read(&image.repository), image)).collect();
    let read: BTreeSet<_> =
        images.iter().filter(|(may, _)| *may).map(|(_, image)| &image.repository).collect();
    let renewals = read.into_iter().map(|repository| async move {
        if let Err(error) = service.renewals.current(repository).await {
            tracing::warn!(%repository, error = %chain(&error), "not renewed before it is judged");
        }
    });
    join_all(renewals).await;
    let (directory, now) = (Arc::clone(&service.directory), service.clock.now());
    let judged = service.workers.read(move || {
        let judge = |(may_read, image): &(bool, Reference)| {
            if *may_read { directory.judge(image, &signers, now) } else { Ok(Verdict::no_trust_data()) }
        };
        let images = images.iter().map(judge).collect::<Result<_, _>>()?;
        Ok::<_, WireError>(Verdicts { images })
    });
    answer(&judged.await??)
}

fn allowed(
    directory: &Directory,
    identity: &Identity,
    permission: Permission,
    scope: &Scope,
    now: UnixTime,
) -> Result<(), OrderRefused> {
    let held = directory.access().permissions_over(identity, scope, now);
    if held.contains(permission) {
        Ok(())
    } else {
        Err(OrderRefused::NotAllowed { permission, scope: scope.clone() })
    }
}

async fn body<T: DeserializeOwned>(service: &Service, request: Request<Body>) -> Result<T, WireError> {
    let (bytes, _room) = service.bodies.receive_short(request, LONGEST).await?;
    serde_json::from_slice(&bytes).map_err(|error| WireError::unreadable(error.to_string()))
}

fn parameter(request: &Request<Body>, wanted: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}

fn no_registry() -> WireError {
    WireError::invalid_parameters(Some("`registry` is the first part of repositories' names".to_owned()))
}

fn answer(what: &impl Serialize) -> Result<Response<Body>, WireError> {
    let text = serde_json::to_string(what).map_err(|_| WireError::unknown())?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

impl From<OrderRefused> for WireError {
    fn from(error: OrderRefused) -> Self {
        match error {
            OrderRefused::NotAllowed { .. } => Self::not_allowed(error.to_string()),
            OrderRefused::Change(error) => error.into(),
            OrderRefused::Nobody { .. }
            | OrderRefused::NotAssigned
            | OrderRefused::NoLimit
            | OrderRefused::NoToken { .. }
            | OrderRefused::SeveralTokens { .. }
            | OrderRefused::Password(_) => Self::invalid_parameters(Some(error.to_string())),
        }
    }
}

impl From<ChangeError> for WireError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(_) | ChangeError::NobodyLeft => {
                Self::invalid_parameters(Some(error.to_string()))
            }
            ChangeError::Document(_) | ChangeError::Settings(_) => {
                tracing::error!(error = %chain(&error), "who may do what was not changed");
                Self::unknown()
            }
        }
    }
}

impl From<DisableError> for WireError {
    fn from(error: DisableError) -> Self {
        match error {
            DisableError::Change(error) => error.into(),
            DisableError::Delete { .. } | DisableError::Collect(_) => {
                tracing::error!(error = %chain(&error), "not all is deleted");
                Self::unknown()
            }
        }
    }
}

impl From<ResetError> for WireError {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::NoSuchRepository { .. } => Self::not_found(),
            ResetError::Read(error) => error.into(),
            ResetError::Delete(error) => error.into(),
            ResetError::Moved => Self::busy(),
            ResetError::Archive { .. } => {
                tracing::error!(error = %chain(&error), "nothing was reset");
                Self::unknown()
            }
        }
    }
}
