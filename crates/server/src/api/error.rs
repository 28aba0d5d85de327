//! What a refusal looks like on the wire.

mod update;

use std::net::IpAddr;

use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde::Serialize;
use tufstore::terms::{InvalidRepositoryName, UnixTime};
use tufstore::{DeleteError, OnlineKeyRefused, StorageError};

use super::RequestId;
use crate::auth::Challenge;
use crate::refusals::Refused;
use crate::renewal::ReadError;
use crate::text::chain;
use crate::workers::WorkError;

/// Clients read at most 1,024 bytes of a refusal, and show no reason if it is longer.
const LONGEST: usize = 1023;

/// A refusal: code, message and detail are those that clients know.
#[derive(Clone, Debug)]
pub(crate) struct WireError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    detail: Detail,
    /// How to get a token that would do.
    challenge: Option<Box<HeaderValue>>,
    /// To whom it is said, if they showed who they are. For the log alone.
    who: Option<Box<str>>,
}

/// What was asked for, as far as what is kept of a refusal tells of it.
pub(super) struct Asked {
    pub(super) from: IpAddr,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) has_credentials: bool,
}

/// What a refusal says beside its message.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Detail {
    /// Left out.
    None,
    /// `{}`
    Empty {},
    Text(String),
    /// What a token has to allow.
    Access(Vec<MissingAccess>),
    /// What is wrong with an upload, in words that clients show.
    Validation {
        #[serde(rename = "Name")]
        name: &'static str,
        #[serde(rename = "Error")]
        error: ValidationError,
    },
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MissingAccess {
    r#type: &'static str,
    class: &'static str,
    name: String,
    action: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct ValidationError {
    #[serde(rename = "Missing", skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
    #[serde(rename = "Msg")]
    message: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    errors: [Element<'a>; 1],
    /// What the server's log has it under. Clients pass it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
}

#[derive(Serialize)]
struct Element<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Detail::is_none")]
    detail: &'a Detail,
}

impl Detail {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a field over like this")]
    fn is_none(detail: &&Self) -> bool {
        matches!(detail, Self::None)
    }

    /// Its free text, which may be cut.
    fn text(&mut self) -> Option<&mut String> {
        match self {
            Self::None | Self::Empty {} | Self::Access(_) => None,
            Self::Text(text) => Some(text),
            Self::Validation { error, .. } => Some(&mut error.message),
        }
    }
}

impl WireError {
    fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, detail: Detail::None, challenge: None, who: None }
    }

    fn bad_request(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Said to somebody who showed who they are.
    pub(super) fn to(self, who: &str) -> Self {
        Self { who: (!who.is_empty()).then(|| who.into()), ..self }
    }

    /// What is kept of it, if it is worth keeping: who asked for what they may not, failed to show who they are, or had too much
    /// refused. That a token is needed, which clients are told all day, is not.
    pub(super) fn kept(&self, asked: Asked, time: UnixTime, request: Option<&RequestId>) -> Option<Refused> {
        let Asked { from, method, path, has_credentials } = asked;
        let is_worth_it = match self.status {
            StatusCode::UNAUTHORIZED => has_credentials,
            StatusCode::NOT_FOUND => false,
            status => status.is_client_error() && method != Method::GET,
        };
        is_worth_it.then(|| Refused {
            time,
            from,
            who: self.who.as_deref().map(ToOwned::to_owned),
            method: method.to_string(),
            path,
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            request: request.map(|id| id.as_str().to_owned()),
        })
    }

    /// For the metrics: what it is, in few words of a closed set.
    pub(crate) fn reason(&self) -> (&'static str, &'static str) {
        match self.detail {
            Detail::Validation { name, .. } => (self.code, name),
            Detail::None | Detail::Empty {} | Detail::Text(_) | Detail::Access(_) => (self.code, ""),
        }
    }

    /// So that an operator sees what a client was told; that something is not there is told all day.
    pub(crate) fn log(&self) {
        if self.status != StatusCode::NOT_FOUND {
            let detail = serde_json::to_string(&self.detail).unwrap_or_default();
            let who = self.who.as_deref().unwrap_or("");
            tracing::info!(code = self.code, detail, who, "refused");
        }
    }

    /// No such path, or none that this server serves.
    pub(super) fn no_route() -> Self {
        let message = "You have requested metadata that does not exist.";
        Self::new(StatusCode::NOT_FOUND, "METADATA_NOT_FOUND", message)
    }

    /// Nothing is published under that name, role, version or digest.
    pub(super) fn not_found() -> Self {
        Self::no_route().with(Detail::Empty {})
    }

    /// A publication to a repository that this server does not serve.
    pub(super) fn foreign(prefixes: &[String]) -> Self {
        Self::invalid_gun(format!("Require GUNs with prefix: [{}]", prefixes.join(" ")))
    }

    /// A publication under a name that no repository can have.
    pub(super) fn unnameable(why: InvalidRepositoryName) -> Self {
        Self::invalid_gun(why.to_string())
    }

    fn invalid_gun(why: String) -> Self {
        let message = "The server does not support actions on images of this name.";
        Self::bad_request("INVALID_GUN", message).with(Detail::Text(why))
    }

    pub(crate) fn unknown() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "unknown error")
    }

    fn updating() -> Self {
        let message = "An error has occurred while updating the TUF repository.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UPDATING", message)
    }

    pub(super) fn busy() -> Self {
        let message = "The server has more to do than it takes on. Try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
    }

    /// Who asks has no token that allows it: 401 always, as clients then ask for one.
    pub(super) fn unauthorized(challenge: Challenge) -> Self {
        let Challenge { header, needed } = challenge;
        let (r#type, name) = (needed.kind(), needed.name());
        let missing = needed.actions().map(|action| MissingAccess {
            r#type,
            class: "",
            name: name.to_owned(),
            action: action.asked(),
        });
        let detail = Detail::Access(missing.collect());
        let refusal = Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
        Self { challenge: Some(Box::new(header)), ..refusal.with(detail) }
    }

    /// Who asks for a token has not shown who they are. Whether there is such a name is not said.
    pub(super) fn wrong_login() -> Self {
        let basic = HeaderValue::from_static("Basic realm=\"tufstore\"");
        let refusal = Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
        let why = Detail::Text("the name or the password is wrong".to_owned());
        Self { challenge: Some(Box::new(basic)), ..refusal.with(why) }
    }

    /// Somebody does more of something than anybody may.
    pub(crate) fn too_many(message: &'static str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
    }

    /// There are as many repositories as the server takes.
    pub(super) fn full(most: usize) -> Self {
        Self::invalid_update(
            "ErrValidation",
            format!("the server holds {most} repositories, and takes no more"),
        )
    }

    /// What is signed is not taken in that registry.
    pub(super) fn not_enabled(registry: &str) -> Self {
        let why = format!(
            "content trust is disabled for the registry {registry}: whoever runs it has to enable it"
        );
        Self::invalid_update("ErrValidation", why)
    }

    /// Who asks is known, and may not.
    pub(super) fn not_allowed(why: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", "You may not do that.").with(Detail::Text(why))
    }

    /// A browser sent it, for a page that it shows.
    pub(super) fn from_a_page() -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", "Web pages may not change repositories.")
    }

    /// The body did not come in time.
    pub(super) fn too_slow() -> Self {
        let message = "The body of your request did not arrive in time.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message)
    }

    /// An answer that clients explain: they show the reason of a 400 and of nothing else.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::invalid_update("ErrValidation", format!("the upload has more than {limit} bytes"))
    }

    /// The same of a call that no client of Notary makes.
    pub(super) fn too_long(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "The body of your request is too long.")
            .with(Detail::Text(format!("it has more than {limit} bytes")))
    }

    pub(super) fn malformed_upload() -> Self {
        Self::bad_request("MALFORMED_UPLOAD", "The body of your request is malformed.")
    }

    pub(super) fn no_filename() -> Self {
        Self::bad_request("NO_FILENAME", "No file/role name provided.")
    }

    pub(super) fn invalid_role(role: &str) -> Self {
        let message = "The role you are attempting to operate on is invalid.";
        // As long as an upload, if it likes: neither an answer nor the log repeats that.
        let role = role.chars().take(LONGEST).collect();
        Self::bad_request("INVALID_ROLE", message).with(Detail::Text(role))
    }

    pub(super) fn malformed_json() -> Self {
        let message = "JSON sent by the client could not be parsed by the server";
        Self::bad_request("MALFORMED_JSON", message)
    }

    /// The same, and what is wrong with it.
    pub(super) fn unreadable(why: String) -> Self {
        Self::malformed_json().with(Detail::Text(why))
    }

    pub(super) fn invalid_parameters(why: Option<String>) -> Self {
        let detail = why.map_or(Detail::Empty {}, Detail::Text);
        Self::bad_request("INVALID_PARAMETERS", "The parameters provided are not valid.").with(detail)
    }

    fn version() -> Self {
        Self::bad_request("VERSION", "A newer version of metadata is already available.")
            .with(Detail::Empty {})
    }

    fn invalid_update(name: &'static str, message: impl Into<String>) -> Self {
        let error = ValidationError { missing: None, message: message.into() };
        Self::bad_request("INVALID_UPDATE", "Update sent by the client is invalid.")
            .with(Detail::Validation { name, error })
    }

    fn bad_hierarchy(missing: &'static str, message: impl Into<String>) -> Self {
        let error = ValidationError { missing: Some(missing), message: message.into() };
        Self::invalid_update("ErrBadHierarchy", "")
            .with(Detail::Validation { name: "ErrBadHierarchy", error })
    }

    /// The body, never longer than clients read: what does not fit of the reason is cut.
    fn body(mut self, request: Option<&RequestId>) -> String {
        let request = request.map(RequestId::as_str);
        let mut body = self.encode(request);
        if let Some(over) = body.len().checked_sub(LONGEST)
            && over > 0
        {
            match self.detail.text() {
                Some(text) => cut(text, over),
                // The challenge has it as well.
                None => self.detail = Detail::None,
            }
            body = self.encode(request);
        }
        body
    }

    fn encode(&self, request: Option<&str>) -> String {
        let element = Element { code: self.code, message: self.message, detail: &self.detail };
        let envelope = Envelope { errors: [element], request };
        // It holds nothing but texts.
        serde_json::to_string(&envelope).unwrap_or_default() + "\n"
    }

    pub(crate) fn into_response(self, request: Option<&RequestId>) -> Response<Body> {
        let (status, challenge) = (self.status, self.challenge.as_deref().cloned());
        let mut response = Response::new(Body::from(self.body(request)));
        *response.status_mut() = status;
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// Shortens a text by at least so many bytes of its JSON, in which no character is shorter than in UTF-8.
fn cut(text: &mut String, over: usize) {
    const ELLIPSIS: char = '…';
    let mut gone = 0;
    while gone < over + ELLIPSIS.len_utf8()
        && let Some(last) = text.pop()
    {
        gone += last.len_utf8();
    }
    text.push(ELLIPSIS);
}

/// An error of ours, with its causes, for the log; who asked learns under which id it stands there.
fn internal(doing: &'static str, error: &(dyn std::error::Error + 'static)) -> Detail {
    tracing::error!(error = %chain(error), "{doing} failed");
    Detail::Text(format!("{doing} failed; the server's log says why"))
}

impl From<WorkError> for WireError {
    fn from(error: WorkError) -> Self {
        match error {
            WorkError::Busy => Self::busy(),
            WorkError::Panicked => Self::unknown().with(internal("answering", &error)),
        }
    }
}

impl From<StorageError> for WireError {
    fn from(error: StorageError) -> Self {
        Self::unknown().with(internal("reading the store", &error))
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
        Self::updating().with(internal("deleting the repository", &error))
    }
}

impl From<OnlineKeyRefused> for WireError {
    fn from(error: OnlineKeyRefused) -> Self {
        Self::unknown().with(internal("making a key", &error))
    }
}

#[cfg(test)]
mod tests;
