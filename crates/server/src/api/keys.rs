//! The public keys that an author lists in a root for the roles that the server signs. Asking changes nothing: a key is
//! stored when it first signs.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use serde::Serialize;
use tufstore::crypto::{OnlineRole, PublicKey};
use tufstore::metadata::write::key_type;
use tufstore::terms::RepositoryName;

use super::{WireError, json};
use crate::service::Service;

/// The key that signs, or that would in a first publication.
pub(super) async fn online_key(
    service: &Service,
    repository: RepositoryName,
    role: OnlineRole,
) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    key(&service.workers.read(move || store.online_key(&repository, role)).await??)
}

/// The key to list next: the same until it signs.
pub(super) async fn pending_key(
    service: &Service,
    repository: RepositoryName,
    role: OnlineRole,
) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    key(&service.workers.read(move || store.pending_key(&repository, role)).await??)
}

/// In the order in which Notary writes it.
#[derive(Serialize)]
struct Key {
    keytype: &'static str,
    keyval: KeyValue,
}

#[derive(Serialize)]
struct KeyValue {
    public: String,
    private: Option<&'static str>,
}

fn key(key: &PublicKey) -> Result<Response<Body>, WireError> {
    let keyval = KeyValue { public: STANDARD.encode(key.encoded()), private: None };
    let key = Key { keytype: key_type(key), keyval };
    Ok(json(serde_json::to_string(&key).map_err(|_| WireError::unknown())?))
}
