//! What many tags stand for, in one call: for admission controllers, which have to know before a container starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use futures_util::future::join_all;
use http::{HeaderValue, Request, Response, header};
use serde::{Deserialize, Serialize};
use tufstore::terms::{RepositoryName, UnixTime};
use tufstore::{Lookup, SignedIn, Store};

use super::WireError;
use super::reader::Reader;
use crate::access::Access;
use crate::directory::Directory;
use crate::metrics;
use crate::service::Service;
use crate::settings::ApiSettings;
use crate::text::chain;

/// Names in one call.
const MOST: usize = 1_000;
/// Bytes of a call: what the longest names need.
const LONGEST: usize = 1 << 20;
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

pub(super) async fn lookup(
    service: &Service,
    reader: Reader,
    request: Request<Body>,
) -> Result<Response<Body>, WireError> {
    let (body, _room) = service.bodies.receive_short(request, LONGEST).await?;
    let (store, now, settings) = (service.store.clone(), service.clock.now(), service.settings.clone());
    let directory = Arc::clone(&service.directory);
    let first = service.workers.read(move || {
        let looked = Looked::new(&store, now, &settings, &directory, &reader, &body)?;
        Ok::<_, WireError>(looked.finish())
    });
    let mut looked = match first.await?? {
        Finished::Written(answers) => return Ok(json(answers)),
        Finished::Expired(looked) => looked,
    };
    // What the server signs itself is signed anew before it is said to have expired; whoever waits, waits for all at once.
    let expired = looked.expired();
    let renewals = expired.iter().map(|repository| async move {
        if let Err(error) = service.renewals.current(repository).await {
            tracing::warn!(%repository, error = %chain(&error), "not renewed before a lookup");
        }
    });
    join_all(renewals).await;
    let (store, now) = (service.store.clone(), service.clock.now());
    let again = service.workers.read(move || {
        looked.ask_again(&store, now)?;
        Ok::<_, WireError>(looked.write())
    });
    Ok(json(again.await??))
}

/// How the calls of this API look, as `OpenAPI` has it.
pub(super) fn description() -> Response<Body> {
    json(DESCRIPTION)
}

/// What was asked for, and the answers in the same order.
struct Looked {
    images: Vec<Image>,
    lookups: Vec<Lookup>,
}

enum Finished {
    /// As it is sent.
    Written(Vec<u8>),
    /// Something has expired, and may be renewed.
    Expired(Looked),
}

impl Looked {
    fn new(
        store: &Store,
        now: UnixTime,
        settings: &ApiSettings,
        directory: &Directory,
        reader: &Reader,
        body: &[u8],
    ) -> Result<Self, WireError> {
        let Call { images } =
            serde_json::from_slice(body).map_err(|error| WireError::unreadable(error.to_string()))?;
        if !(1..=MOST).contains(&images.len()) {
            let why = format!("{} images were asked for; a call takes 1 to {MOST}", images.len());
            return Err(WireError::invalid_parameters(Some(why)));
        }
        // What is not served, or not to this caller, is asked for under a name that nothing has.
        let access = directory.access();
        let served = |image: &Image| {
            settings.serves(&image.repository)
                && directory.shows_under(&access, &image.repository)
                && may_read(reader, &access, &image.repository, now)
        };
        let questions: Vec<_> = images
            .iter()
            .map(|image| (if served(image) { image.repository.as_str() } else { "" }, image.tag.as_str()))
            .collect();
        let lookups = store.lookup_many(&questions, now)?;
        metrics::looked_up(images.len());
        Ok(Self { images, lookups })
    }

    fn finish(self) -> Finished {
        let expired = self.lookups.iter().any(|lookup| matches!(lookup, Lookup::Expired { .. }));
        if expired { Finished::Expired(self) } else { Finished::Written(self.write()) }
    }

    /// The repositories of which something has expired.
    fn expired(&self) -> BTreeSet<RepositoryName> {
        let each = self.images.iter().zip(&self.lookups);
        let expired = each.filter(|(_, lookup)| matches!(lookup, Lookup::Expired { .. }));
        expired.filter_map(|(image, _)| image.repository.parse().ok()).collect()
    }

    fn ask_again(&mut self, store: &Store, now: UnixTime) -> Result<(), WireError> {
        for (image, lookup) in self.images.iter().zip(&mut self.lookups) {
            if matches!(lookup, Lookup::Expired { .. }) {
                *lookup = store.lookup(&image.repository, &image.tag, now)?;
            }
        }
        Ok(())
    }

    fn write(self) -> Vec<u8> {
        let each = self.images.into_iter().zip(self.lookups);
        let images = each.map(|(image, lookup)| Answer { image, status: lookup.into() }).collect();
        // It holds nothing but texts and numbers.
        serde_json::to_vec(&Answers { images }).unwrap_or_default()
    }
}

fn may_read(reader: &Reader, access: &Access, repository: &str, now: UnixTime) -> bool {
    reader.is_anybody() || repository.parse().is_ok_and(|name| reader.may_read(access, &name, now))
}

fn json(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The next call may be answered otherwise.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
