//! Which operation a method and a path name. Pure, so that anything can be thrown at it.

use http::Method;
use percent_encoding::percent_decode_str;
use tufstore::Which;
use tufstore::crypto::OnlineRole;
use tufstore::terms::{RepositoryName, RoleName, Version};

/// What a request is about.
#[derive(Debug, PartialEq)]
pub(super) enum Route {
    /// `GET /v2/`
    Ping,
    /// The feed of all repositories.
    Feed,
    /// An operation on one repository.
    Repository { repository: RepositoryName, operation: Operation },
    /// A method that no path has.
    NotAllowed,
    /// No such path.
    Nothing,
}

/// What can be done with a repository.
#[derive(Debug, PartialEq)]
pub(super) enum Operation {
    Publish,
    Delete,
    Current(RoleName),
    Past(RoleName, Which),
    Key(OnlineRole),
    RotateKey(OnlineRole),
    Feed,
}

pub(super) fn of(method: &Method, path: &str) -> Route {
    if ![Method::GET, Method::POST, Method::PUT, Method::HEAD, Method::DELETE].contains(method) {
        return Route::NotAllowed;
    }
    find(method, path).unwrap_or(Route::Nothing)
}

fn find(method: &Method, path: &str) -> Option<Route> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let rest = path.strip_prefix("/v2/")?;
    if rest.is_empty() {
        return (*method == Method::GET).then_some(Route::Ping);
    }
    if rest == "_trust/changefeed" {
        return (*method == Method::GET).then_some(Route::Feed);
    }
    if let Some(repository) = rest.strip_suffix("/_trust/changefeed") {
        let repository = repository.parse().ok()?;
        return (*method == Method::GET)
            .then_some(Route::Repository { repository, operation: Operation::Feed });
    }
    let (repository, file) = rest.rsplit_once("/_trust/tuf/")?;
    let repository = repository.parse().ok()?;
    Some(Route::Repository { repository, operation: operation(method, file)? })
}

fn operation(method: &Method, file: &str) -> Option<Operation> {
    match (method, file) {
        (&Method::POST, "") => Some(Operation::Publish),
        (&Method::DELETE, "") => Some(Operation::Delete),
        (&Method::GET, "timestamp.key") => Some(Operation::Key(OnlineRole::Timestamp)),
        (&Method::GET, "snapshot.key") => Some(Operation::Key(OnlineRole::Snapshot)),
        (&Method::POST, "timestamp.key") => Some(Operation::RotateKey(OnlineRole::Timestamp)),
        (&Method::POST, "snapshot.key") => Some(Operation::RotateKey(OnlineRole::Snapshot)),
        (&Method::GET, file) => {
            let name = file.strip_suffix(".json")?;
            if let Some((role, digest)) = name.rsplit_once('.')
                && let Ok(sha256) = digest.parse::<tufstore::terms::Sha256>()
            {
                return Some(Operation::Past(role.parse().ok()?, sha256.into()));
            }
            if let Some((version, role)) = name.split_once('.')
                && let Ok(version) = version.parse()
            {
                return Some(Operation::Past(role.parse().ok()?, Version::new(version)?.into()));
            }
            Some(Operation::Current(name.parse().ok()?))
        }
        _ => None,
    }
}
