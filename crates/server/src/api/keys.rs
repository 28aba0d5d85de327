//! The public keys that an author lists in a root for the roles that the server signs.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use serde_json::json;
use tufstore::crypto::{OnlineRole, PublicKey};
use tufstore::terms::RepositoryName;

use super::{WireError, json as answer};
use crate::service::Service;

pub(super) async fn online_key(
    service: &Service,
    repository: RepositoryName,
    role: OnlineRole,
) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    Ok(key(&service.workers.read(move || store.online_key(&repository, role)).await??))
}

pub(super) async fn pending_key(
    service: &Service,
    repository: RepositoryName,
    role: OnlineRole,
) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    Ok(key(&service.workers.read(move || store.pending_key(&repository, role)).await??))
}

fn key(key: &PublicKey) -> Response<Body> {
    let public = STANDARD.encode(key.encoded());
    answer(json!({ "keytype": "ecdsa", "keyval": { "public": public, "private": null } }).to_string())
}
