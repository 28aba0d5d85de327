//! What a refusal looks like on the wire.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tufstore::terms::RoleName;
use tufstore::{DeleteError, OnlineKeyRefused, PublishError, StorageError};

use super::route::Operation;
use crate::renewal::ReadError;
use crate::workers::WorkError;

/// A refusal: code, message and detail are those that clients know.
#[derive(Debug)]
pub(crate) struct WireError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    detail: Option<Value>,
}

impl WireError {
    fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, detail: None }
    }

    fn with(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    pub(super) fn not_found() -> Self {
        let message = "You have requested metadata that does not exist.";
        Self::new(StatusCode::NOT_FOUND, "METADATA_NOT_FOUND", message)
    }

    /// A repository that this server does not serve.
    pub(super) fn foreign(operation: &Operation, prefixes: &[String]) -> Self {
        if *operation != Operation::Publish {
            return Self::not_found();
        }
        let message = "The server does not support actions on images of this name.";
        let detail = format!("Require GUNs with prefix: [{}]", prefixes.join(" "));
        Self::new(StatusCode::BAD_REQUEST, "INVALID_GUN", message).with(json!(detail))
    }

    pub(super) fn unknown() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "unknown error")
    }

    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "The server is busy. Try again.")
    }

    pub(super) fn malformed_upload() -> Self {
        let message = "The body of your request is malformed.";
        Self::new(StatusCode::BAD_REQUEST, "MALFORMED_UPLOAD", message)
    }

    pub(super) fn no_filename() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "NO_FILENAME", "No file/role name provided.")
    }

    pub(super) fn invalid_role(role: &str) -> Self {
        let message = "The role you are attempting to operate on is invalid.";
        Self::new(StatusCode::BAD_REQUEST, "INVALID_ROLE", message).with(json!(role))
    }

    fn version() -> Self {
        let message = "A newer version of metadata is already available.";
        Self::new(StatusCode::BAD_REQUEST, "VERSION", message).with(json!({}))
    }

    fn invalid_update(name: &str, why: &str) -> Self {
        let message = "Update sent by the client is invalid.";
        Self::new(StatusCode::BAD_REQUEST, "INVALID_UPDATE", message)
            .with(json!({ "Name": name, "Error": { "Msg": why } }))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(detail), Some(error)) = (self.detail, error.as_object_mut()) {
            error.insert("detail".to_owned(), detail);
        }
        let body = json!({ "errors": [error] }).to_string() + "\n";
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<WorkError> for WireError {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Busy => Self::busy(),
            WorkError::Panicked => Self::unknown(),
        }
    }
}

impl From<StorageError> for WireError {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::unknown()
    }
}

impl From<ReadError> for WireError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Storage(error) => error.into(),
            ReadError::Work(error) => error.into(),
        }
    }
}

impl From<DeleteError> for WireError {
    fn from(error: DeleteError) -> Self {
        tracing::error!(%error, "a deletion failed");
        Self::unknown()
    }
}

impl From<OnlineKeyRefused> for WireError {
    fn from(error: OnlineKeyRefused) -> Self {
        tracing::error!(%error, "no key can be given out");
        Self::unknown()
    }
}

impl From<PublishError> for WireError {
    fn from(error: PublishError) -> Self {
        match &error {
            PublishError::Superseded { .. } | PublishError::LifeEnded => Self::version(),
            PublishError::Untrusted { role, source } => {
                let name = match role {
                    RoleName::Root => "ErrBadRoot",
                    RoleName::Snapshot => "ErrBadSnapshot",
                    RoleName::Targets | RoleName::Delegation(_) => "ErrBadTargets",
                    RoleName::Timestamp => "ErrValidation",
                };
                Self::invalid_update(name, &source.to_string())
            }
            error => Self::invalid_update("ErrValidation", &error.to_string()),
        }
    }
}
