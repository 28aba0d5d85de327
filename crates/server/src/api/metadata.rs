//! Files as they were published, byte for byte.

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use tufstore::terms::{RepositoryName, RoleName};
use tufstore::{Document, Which};

use super::{WireError, json};
use crate::service::Service;

pub(super) async fn current(
    service: &Service,
    repository: &RepositoryName,
    role: &RoleName,
) -> Result<Response<Body>, WireError> {
    let view = service.renewals.current(repository).await?.ok_or_else(WireError::not_found)?;
    Ok(file(view.document(role).ok_or_else(WireError::not_found)?))
}

pub(super) async fn past(
    service: &Service,
    repository: RepositoryName,
    role: RoleName,
    which: Which,
) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    let found = service.workers.read(move || store.history(&repository, &role, which)).await??;
    Ok(file(&found.ok_or_else(WireError::not_found)?))
}

fn file(document: &Document) -> Response<Body> {
    json(Bytes::from_owner(document.bytes().clone()))
}
