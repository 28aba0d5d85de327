//! The Notary v1 API, and what is beside it: one request in, one answer out.
//!
//! ```text
//! path ─route─▶ Route ─prefix─▶ ─access─▶ ┬ metadata   files as they were published, byte for byte
//!                                         ├ publish    an upload, whole or not at all; a deletion
//!                                         ├ keys       public keys to list in a root
//!                                         ├ feed       what happened, for those who follow
//!                                         ├ lookup     what many tags stand for; of our own API
//!                                         ├ manage     who may do what, and who did what
//!                                         └ token      who may do what, for some minutes
//! ```

pub(crate) mod route;
mod access;
mod error;
mod feed;
mod health;
mod keys;
mod lookup;
pub(crate) mod manage;
mod metadata;
mod publish;
mod reader;
mod token;
pub(crate) mod upload;

use std::net::IpAddr;

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tufstore::terms::RepositoryName;

use access::Admitted;
use error::Asked;
pub(crate) use error::WireError;
use reader::Reader;
use route::{Operation, Route};

use crate::access::Registry;
use crate::metrics;
use crate::service::Service;

/// What one request is known by in its answer and in the log. In the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn new(id: String) -> Self {
        Self(id)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Of a path that is kept with a refusal.
const LONGEST_PATH: usize = 300;

/// Who sent a request. In its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Answers a request; whatever is wrong with it is an answer too.
pub(crate) async fn answer(service: &Service, route: Route, request: Request<Body>) -> Response<Body> {
    let id = request.extensions().get::<RequestId>().cloned();
    let asked = Asked {
        from: token::peer(&request),
        method: request.method().clone(),
        path: request.uri().path().chars().take(LONGEST_PATH).collect(),
        has_credentials: request.headers().contains_key(header::AUTHORIZATION) || route == Route::Token,
    };
    match dispatch(service, route, request).await {
        Ok(response) => response,
        Err(refusal) => {
            metrics::refused(&refusal);
            refusal.log();
            if let Some(kept) = refusal.kept(asked, service.clock.now(), id.as_ref()) {
                service.refusals.note(kept);
            }
            refusal.into_response(id.as_ref())
        }
    }
}

/// The order of checks: route, prefix of the name, access, and only then what is asked.
async fn dispatch(
    service: &Service,
    route: Route,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    match route {
        Route::Repository { repository, operation } => {
            if !service.settings.serves(repository.as_str()) {
                return Err(if operation == Operation::Publish {
                    WireError::foreign(&service.settings.gun_prefixes)
                } else {
                    WireError::no_route()
                });
            }
            let admitted = access::permit(service, request.headers(), Some((&repository, &operation)))?;
            of_repository(service, repository, operation, admitted, request).await
        }
        Route::Ping => {
            access::permit(service, request.headers(), None).map(drop)?;
            Ok(json("{}"))
        }
        Route::Feed => {
            access::permit(service, request.headers(), None).map(drop)?;
            feed::feed(service, None, request.uri().query()).await
        }
        // So that who may not know of anything does not learn which paths there are.
        Route::Nothing => {
            access::permit(service, request.headers(), None).map(drop)?;
            Err(WireError::no_route())
        }
        Route::Unnameable(why) => {
            access::permit(service, request.headers(), None).map(drop)?;
            Err(WireError::unnameable(why))
        }
        Route::Lookup => {
            let reader = Reader::of(service, request.headers(), token::peer(&request)).await?;
            lookup::lookup(service, reader, request).await
        }
        Route::Token if service.has_own_users() => token::token(service, request).await,
        Route::TokenAuthority if service.has_own_users() => Ok(token::authority(service)),
        Route::Token | Route::TokenAuthority => Err(WireError::no_route()),
        Route::Manage(call) => manage::call(service, call, request).await,
        Route::Description => Ok(lookup::description()),
        Route::Health => health::health(service).await,
        Route::Metrics => health::metrics(service).await,
        Route::NotAllowed => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            Ok(response)
        }
    }
}

async fn of_repository(
    service: &Service,
    repository: RepositoryName,
    operation: Operation,
    admitted: Admitted,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    let is_shown = match &operation {
        // They say by themselves what they find.
        Operation::Publish | Operation::Delete | Operation::Feed | Operation::Impossible => true,
        Operation::Current(_) | Operation::Past(..) => service.directory.shows(repository.as_str()),
        // Whoever asks for a key is about to publish: of an answer of 400 clients print the reason.
        Operation::Key(_) | Operation::RotateKey(_) => {
            if !service.directory.shows(repository.as_str()) {
                return Err(WireError::not_enabled(Registry::of(&repository).as_str()));
            }
            true
        }
    };
    if !is_shown {
        return Err(WireError::not_found());
    }
    match operation {
        Operation::Current(role) => metadata::current(service, &repository, &role).await,
        Operation::Past(role, which) => metadata::past(service, repository, role, which).await,
        Operation::Impossible => Err(WireError::not_found()),
        Operation::Publish => publish::publish(service, repository, admitted, request).await,
        Operation::Delete => publish::delete(service, repository, admitted, request.headers()).await,
        Operation::Key(role) => keys::online_key(service, repository, role).await,
        Operation::RotateKey(role) => keys::pending_key(service, repository, role).await,
        Operation::Feed => feed::feed(service, Some(repository), request.uri().query()).await,
    }
}

/// An answer as the Notary server gives it: JSON, under the name of plain text.
fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
