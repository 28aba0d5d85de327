//! What changes a repository.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, Request, Response};
use serde::de::IgnoredAny;
use tufstore::Upload;
use tufstore::terms::{RepositoryName, RoleName};

use super::WireError;
use super::access::{self, Admitted};
use super::route::Operation;
use super::token::peer;
use crate::access::Registry;
use crate::metrics;
use crate::service::Service;
use crate::text::chain;

pub(super) async fn publish(
    service: &Service,
    repository: RepositoryName,
    admitted: Admitted,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    if !service.quotas.takes_publication(peer(&request)) {
        return Err(WireError::too_many("Too many publications in a minute. Wait a while."));
    }
    if let Some(most) = service.quotas.full(&service.store)
        && service.store.view_in_memory(&repository).is_ok_and(|view| view.is_none())
    {
        return Err(WireError::full(most));
    }
    let registry = Registry::of(&repository);
    if !service.directory.shows(repository.as_str()) {
        return Err(WireError::not_enabled(registry.as_str()));
    }
    let (headers, named) = (request.headers().clone(), repository.clone());
    let received = service.bodies.receive(request).await?;
    let (store, now) = (service.store.clone(), service.clock.now());
    let directory = Arc::clone(&service.directory);
    let published = service.workers.publish(move || {
        let (upload, _room) = received.parse()?;
        let note = admitted.note();
        let upload = note.into_iter().fold(upload, Upload::with_note);
        let Some(_publishing) = directory.publishing(&repository) else {
            return Err(WireError::not_enabled(registry.as_str()));
        };
        // An upload may take its time.
        if !admitted.still(&directory, now) {
            return Ok(false);
        }
        // Nothing of the author's: the server's own roles are renewed when they are due, not when somebody asks.
        if upload.roles().all(|role| *role == RoleName::Timestamp) && store.view(&repository)?.is_some() {
            let readable = |bytes: &[u8]| serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
            let all = upload.files().all(|(_, bytes)| readable(bytes));
            return if all { Ok(true) } else { Err(WireError::malformed_json()) };
        }
        let receipt = store.publish(&repository, &upload, now)?;
        // Said here, since who asked may have gone.
        metrics::published();
        for warning in &receipt.warnings {
            tracing::warn!(%repository, warning = %chain(warning), "published with a warning");
        }
        let (position, revision) = (receipt.position.get(), receipt.revision.get());
        tracing::info!(%repository, position, revision, "published");
        Ok::<_, WireError>(true)
    });
    if published.await?? {
        Ok(Response::new(Body::empty()))
    } else {
        Err(access::not_any_more(service, &headers, &named, &Operation::Publish))
    }
}

pub(super) async fn delete(
    service: &Service,
    repository: RepositoryName,
    admitted: Admitted,
    headers: &HeaderMap,
) -> Result<Response<Body>, WireError> {
    let (store, now) = (service.store.clone(), service.clock.now());
    let (directory, named) = (Arc::clone(&service.directory), repository.clone());
    let deleted = service.workers.publish(move || {
        let _publishing = directory.hold();
        if !admitted.still(&directory, now) {
            return Ok(false);
        }
        // Also where there was nothing: what was asked for is so.
        let deleted = store.delete_noting(&repository, admitted.note().as_ref(), now)?;
        if let Some(receipt) = deleted {
            tracing::info!(%repository, position = receipt.position.get(), "deleted");
        }
        Ok::<_, WireError>(true)
    });
    if deleted.await?? {
        Ok(Response::new(Body::empty()))
    } else {
        Err(access::not_any_more(service, headers, &named, &Operation::Delete))
    }
}
