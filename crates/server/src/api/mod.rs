//! The Notary v1 API: one request in, one answer out.
//!
//! ```text
//! path ─route─▶ Route ─prefix─▶ ─access─▶ ┬ metadata   files as they were published, byte for byte
//!                                         ├ publish    an upload, whole or not at all; a deletion
//!                                         ├ keys       public keys to list in a root
//!                                         └ feed       what happened, for those who follow
//! ```

mod access;
mod error;
mod feed;
mod keys;
mod metadata;
mod publish;
mod route;
mod upload;

use axum::body::Body;
use http::{Request, Response, StatusCode, header};

pub(crate) use error::WireError;
use route::{Operation, Route};

use crate::service::Service;

/// Answers a request; whatever is wrong with it is an answer too.
pub(crate) async fn answer(service: &Service, request: Request<Body>) -> Response<Body> {
    match dispatch(service, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

/// The order of checks: route, prefix of the name, access, and only then what is asked.
async fn dispatch(service: &Service, request: Request<Body>) -> Result<Response<Body>, WireError> {
    let route = route::of(request.method(), request.uri().path());
    let (repository, operation) = match route {
        Route::Repository { repository, operation } => (repository, operation),
        Route::Ping => return Ok(json("{}")),
        Route::Feed => {
            access::permit(service, request.headers(), None)?;
            return feed::feed(service, None, request.uri().query()).await;
        }
        Route::NotAllowed => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            return Ok(response);
        }
        Route::Nothing => {
            access::permit(service, request.headers(), None)?;
            return Err(WireError::not_found());
        }
    };
    let prefixes = &service.settings.gun_prefixes;
    if !prefixes.is_empty() && !prefixes.iter().any(|prefix| repository.as_str().starts_with(prefix)) {
        return Err(WireError::foreign(&operation, prefixes));
    }
    access::permit(service, request.headers(), Some((&repository, &operation)))?;
    match operation {
        Operation::Current(role) => metadata::current(service, &repository, &role).await,
        Operation::Past(role, which) => metadata::past(service, repository, role, which).await,
        Operation::Publish => publish::publish(service, repository, request).await,
        Operation::Delete => publish::delete(service, repository).await,
        Operation::Key(role) => keys::online_key(service, repository, role).await,
        Operation::RotateKey(role) => keys::pending_key(service, repository, role).await,
        Operation::Feed => feed::feed(service, Some(repository), request.uri().query()).await,
    }
}

/// An answer as the Notary server gives it: text that is JSON, under no such name.
fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
