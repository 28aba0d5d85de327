//! What many tags stand for, in one call: for admission controllers, which have to know before a container starts.

use std::collections::BTreeSet;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Request, Response, header};
use serde::{Deserialize, Serialize};
use tufstore::terms::{RepositoryName, UnixTime};
use tufstore::{Lookup, SignedIn, Store};

use super::WireError;
use crate::metrics;
use crate::service::Service;
use crate::text::chain;

/// Names in one call.
const MOST: usize = 1_000;
/// Bytes of a call: what the longest names need.
pub(super) const LONGEST: usize = 1 << 20;
/// What the call takes and answers, for tools.
const DESCRIPTION: &str = include_str!("openapi.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    images: Vec<Image>,
}

/// What is asked for, and so answered.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Image {
    repository: String,
    tag: String,
}

#[derive(Serialize)]
struct Answers {
    images: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    image: Image,
    #[serde(flatten)]
    status: Status,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Status {
    Found { digest: String, length: u64, role: &'static str, fresh_until: String },
    NoSuchTag,
    NoSuchRepository,
    Expired { role: String, since: String },
}

impl From<Lookup> for Status {
    fn from(lookup: Lookup) -> Self {
        match lookup {
            Lookup::Found(found) => Self::Found {
                digest: format!("sha256:{}", found.target.sha256),
                length: found.target.length,
                role: SignedIn::as_str(found.target.from),
                fresh_until: found.fresh_until.to_string(),
            },
            Lookup::NoSuchTag => Self::NoSuchTag,
            Lookup::NoSuchRepository => Self::NoSuchRepository,
            Lookup::Expired { role, since } => {
                Self::Expired { role: role.as_str().to_owned(), since: since.to_string() }
            }
        }
    }
}

pub(super) async fn lookup(service: &Service, request: Request<Body>) -> Result<Response<Body>, WireError> {
    let (body, _room) = service.bodies.receive_short(request, LONGEST).await?;
    let (answers, expired) = look(service, body.clone()).await?;
    if expired.is_empty() {
        return Ok(json(answers));
    }
    // What the server signs itself is signed anew before it is said to have expired; whoever waits, waits for all at once.
    let renewals = expired.iter().map(|repository| async move {
        if let Err(error) = service.renewals.current(repository).await {
            tracing::warn!(%repository, error = %chain(&error), "not renewed before a lookup");
        }
    });
    join_all(renewals).await;
    Ok(json(look(service, body).await?.0))
}

/// How the calls of this API look, as `OpenAPI` has it.
pub(super) fn description() -> Response<Body> {
    json(DESCRIPTION)
}

async fn look(service: &Service, body: Bytes) -> Result<(Vec<u8>, BTreeSet<RepositoryName>), WireError> {
    let (store, now) = (service.store.clone(), service.clock.now());
    let prefixes = service.settings.gun_prefixes.clone();
    service.workers.read(move || answer(&store, now, &prefixes, &body)).await?
}

/// The answers as they are written down, and the repositories of which something has expired.
fn answer(
    store: &Store,
    now: UnixTime,
    prefixes: &[String],
    body: &[u8],
) -> Result<(Vec<u8>, BTreeSet<RepositoryName>), WireError> {
    let Call { images } =
        serde_json::from_slice(body).map_err(|error| WireError::unreadable(error.to_string()))?;
    if !(1..=MOST).contains(&images.len()) {
        let why = format!("{} images were asked for; a call takes 1 to {MOST}", images.len());
        return Err(WireError::invalid_parameters(Some(why)));
    }
    let questions: Vec<_> =
        images.iter().map(|image| (image.repository.as_str(), image.tag.as_str())).collect();
    let lookups = store.lookup_many(&questions, now)?;
    metrics::looked_up(images.len());
    let mut expired = BTreeSet::new();
    let answers = images.into_iter().zip(lookups).map(|(image, lookup)| {
        let served =
            prefixes.is_empty() || prefixes.iter().any(|prefix| image.repository.starts_with(prefix));
        let lookup = if served { lookup } else { Lookup::NoSuchRepository };
        if let (Lookup::Expired { .. }, Ok(repository)) = (&lookup, image.repository.parse()) {
            expired.insert(repository);
        }
        Answer { image, status: lookup.into() }
    });
    let answers = Answers { images: answers.collect() };
    // It holds nothing but texts and numbers.
    Ok((serde_json::to_vec(&answers).unwrap_or_default(), expired))
}

fn json(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The next call may be answered otherwise.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
