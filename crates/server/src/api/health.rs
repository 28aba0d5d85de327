//! How the server is, for those who watch it.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

use super::WireError;
use crate::metrics::{self, Names};
use crate::service::Service;

/// Nothing if all is well, or what is not.
pub(super) async fn health(service: &Service) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    let status = service.workers.read(move || store.status()).await?;
    let mut failed = BTreeMap::new();
    match status {
        Ok(status) if status.takes_writes => {}
        Ok(_) => {
            failed.insert("store", "a write failed, and no more are taken: restart the server".to_owned());
        }
        Err(error) => {
            failed.insert("store", error.to_string());
        }
    }
    let text = serde_json::to_string(&failed).map_err(|_| WireError::unknown())?;
    let mut response = Response::new(Body::from(text));
    if !failed.is_empty() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Everything that is counted.
pub(super) async fn metrics(service: &Service) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    // Nobody needs a token for this, so it names nothing that takes one.
    let names = if service.authority().is_some() { Names::Hidden } else { Names::Shown };
    let text = service.workers.scrape(move || metrics::render(&store, names)).await?;
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
