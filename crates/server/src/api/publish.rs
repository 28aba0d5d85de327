//! What changes a repository.

use axum::body::Body;
use http::{Request, Response};
use tufstore::terms::{RepositoryName, RoleName};

use super::WireError;
use crate::metrics;
use crate::service::Service;

pub(super) async fn publish(
    service: &Service,
    repository: RepositoryName,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    let received = service.bodies.receive(request).await?;
    let (store, now) = (service.store.clone(), service.clock.now());
    let published = service.workers.publish(move || {
        let upload = received.parse()?;
        // Nothing of the author's: the server's own roles are renewed when they are due, not when somebody asks.
        if upload.roles().all(|role| *role == RoleName::Timestamp) && store.view(&repository)?.is_some() {
            return Ok(None);
        }
        Ok::<_, WireError>(Some((store.publish(&repository, &upload, now)?, repository)))
    });
    if let Some((receipt, repository)) = published.await?? {
        metrics::published();
        for warning in &receipt.warnings {
            tracing::warn!(%repository, %warning, "published with a warning");
        }
        tracing::info!(%repository, position = receipt.position.get(), revision = receipt.revision.get(), "published");
    }
    Ok(Response::new(Body::empty()))
}

pub(super) async fn delete(
    service: &Service,
    repository: RepositoryName,
) -> Result<Response<Body>, WireError> {
    let (store, now) = (service.store.clone(), service.clock.now());
    let named = repository.clone();
    if let Some(receipt) = service.workers.publish(move || store.delete(&named, now)).await?? {
        tracing::info!(%repository, position = receipt.position.get(), "deleted");
    }
    // Also where there was nothing: what was asked for is so.
    Ok(Response::new(Body::empty()))
}
