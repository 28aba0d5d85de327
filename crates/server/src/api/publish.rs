//! What changes a repository.

use axum::body::Body;
use http::{Request, Response};
use tufstore::terms::RepositoryName;

use super::{WireError, upload};
use crate::service::Service;

pub(super) async fn publish(
    service: &Service,
    repository: RepositoryName,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    let upload = upload::receive(service, request).await?;
    let (store, now) = (service.store.clone(), service.clock.now());
    service.workers.publish(move || store.publish(&repository, &upload, now)).await??;
    Ok(Response::new(Body::empty()))
}

pub(super) async fn delete(
    service: &Service,
    repository: RepositoryName,
) -> Result<Response<Body>, WireError> {
    let (store, now) = (service.store.clone(), service.clock.now());
    service.workers.publish(move || store.delete(&repository, now)).await??;
    Ok(Response::new(Body::empty()))
}
