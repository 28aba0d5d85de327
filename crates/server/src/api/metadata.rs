//! Files as they were published, byte for byte.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{Document, Published, Which};

use super::{WireError, json};
use crate::service::Service;

pub(super) async fn current(
    service: &Service,
    repository: &RepositoryName,
    role: &RoleName,
) -> Result<Response<Body>, WireError> {
    let view = service.renewals.current(repository).await?.ok_or_else(WireError::not_found)?;
    let document = view.document(role).ok_or_else(WireError::not_found)?;
    let caching = Caching::Current { seconds: service.settings.caching.current };
    Ok(file(document, view.published(), caching, whose(service)))
}

pub(super) async fn past(
    service: &Service,
    repository: RepositoryName,
    role: RoleName,
    which: Which,
) -> Result<Response<Body>, WireError> {
    let store = service.store.clone();
    let found = service.workers.read(move || store.history(&repository, &role, which)).await??;
    let Published { document, time, .. } = found.ok_or_else(WireError::not_found)?;
    let caching = Caching::Consistent { seconds: service.settings.caching.consistent };
    Ok(file(&document, time, caching, whose(service)))
}

/// How long caches may keep an answer; not at all for 0 seconds.
#[derive(Clone, Copy)]
enum Caching {
    /// What may be replaced at any time.
    Current { seconds: u32 },
    /// What never changes.
    Consistent { seconds: u32 },
}

/// Whose caches may keep an answer. What needs a token is for its holder alone, and no cache between gives it to others.
#[derive(Clone, Copy)]
enum Caches {
    Everybodys,
    Ones,
}

impl Caches {
    fn keep(self, seconds: u32) -> String {
        match self {
            Self::Everybodys => format!("public, max-age={seconds}, s-maxage={seconds}"),
            Self::Ones => format!("private, max-age={seconds}"),
        }
    }
}

fn whose(service: &Service) -> Caches {
    if service.authority().is_some() { Caches::Ones } else { Caches::Everybodys }
}

fn file(document: &Document, modified: UnixTime, caching: Caching, whose: Caches) -> Response<Body> {
    let mut response = json(Bytes::from_owner(document.bytes().clone()));
    let headers = response.headers_mut();
    let policy = match caching {
        Caching::Current { seconds: 0 } | Caching::Consistent { seconds: 0 } => {
            headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
            "max-age=0, no-cache, no-store".to_owned()
        }
        Caching::Current { seconds } => format!("{}, must-revalidate", whose.keep(seconds)),
        Caching::Consistent { seconds } => whose.keep(seconds),
    };
    headers.extend(HeaderValue::try_from(policy).ok().map(|policy| (header::CACHE_CONTROL, policy)));
    headers.extend(http_date(modified).map(|date| (header::LAST_MODIFIED, date)));
    response
}

/// A time as HTTP writes it (RFC 9110, 5.6.7).
fn http_date(time: UnixTime) -> Option<HeaderValue> {
    let time = Timestamp::from_second(time.seconds()).ok()?;
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_has_it() {
        let date = http_date(UnixTime::new(784_111_777, 5)).unwrap();
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(UnixTime::from_seconds(i64::MAX)), None);
    }
}
