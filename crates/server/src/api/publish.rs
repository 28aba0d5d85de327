//! What changes a repository.

use axum::body::Body;
use http::{Request, Response};
use serde::de::IgnoredAny;
use tufstore::terms::{RepositoryName, RoleName};

use super::WireError;
use crate::metrics;
use crate::service::Service;
use crate::text::chain;

pub(super) async fn publish(
    service: &Service,
    repository: RepositoryName,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    let received = service.bodies.receive(request).await?;
    let (store, now) = (service.store.clone(), service.clock.now());
    let published = service.workers.publish(move || {
        let (upload, _room) = received.parse()?;
        // Nothing of the author's: the server's own roles are renewed when they are due, not when somebody asks.
        if upload.roles().all(|role| *role == RoleName::Timestamp) && store.view(&repository)?.is_some() {
            let readable = |bytes: &[u8]| serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
            let all = upload.files().all(|(_, bytes)| readable(bytes));
            return if all { Ok(()) } else { Err(WireError::malformed_json()) };
        }
        let receipt = store.publish(&repository, &upload, now)?;
        // Said here, since who asked may have gone.
        metrics::published();
        for warning in &receipt.warnings {
            tracing::warn!(%repository, warning = %chain(warning), "published with a warning");
        }
        let (position, revision) = (receipt.position.get(), receipt.revision.get());
        tracing::info!(%repository, position, revision, "published");
        Ok::<_, WireError>(())
    });
    published.await??;
    Ok(Response::new(Body::empty()))
}

pub(super) async fn delete(
    service: &Service,
    repository: RepositoryName,
) -> Result<Response<Body>, WireError> {
    let (store, now) = (service.store.clone(), service.clock.now());
    let deleted = service.workers.publish(move || {
        // Also where there was nothing: what was asked for is so.
        if let Some(receipt) = store.delete(&repository, now)? {
            tracing::info!(%repository, position = receipt.position.get(), "deleted");
        }
        Ok::<_, WireError>(())
    });
    deleted.await??;
    Ok(Response::new(Body::empty()))
}
