//! What somebody has to act on before clients complain: found for whoever asks, and from time to time for the metrics.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time;
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{StorageError, Store, View, Warning};

use crate::metrics::{self, Concerned};
use crate::service::Service;
use crate::text::chain;
use crate::workers::WorkError;

/// How far ahead the metrics look.
pub(crate) const AHEAD: Duration = Duration::from_hours(24 * 30);
/// How often for the metrics.
const EVERY: Duration = Duration::from_hours(1);
/// So many repositories are looked at without a pause.
const STEP: usize = 64;
/// Where others are to be served first.
const BUSY: Duration = Duration::from_secs(1);
/// A pause is so many times as long as what came before it, so that looking takes a small part of one processor.
const PAUSE: u32 = 19;

/// Something that a repository's signers have to act on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Concern {
    /// Whose.
    pub repository: RepositoryName,
    /// Whose signers; the operator, if none.
    pub role: Option<RoleName>,
    /// What it is, for programs.
    pub kind: ConcernKind,
    /// When, of what time brings about.
    pub expires: Option<UnixTime>,
    /// Whether clients complain already.
    pub is_due: bool,
    /// What it is, for people.
    pub text: String,
}

/// What a concern is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConcernKind {
    /// A file expires that its signers have to sign anew.
    File,
    /// The certificate of a root key.
    Certificate,
    /// A delegation that clients skip.
    Untrusted,
    /// Tags that clients do not see.
    OutsidePaths,
    /// A file in the snapshot that nobody delegates to.
    Stray,
    /// A repository whose metadata cannot be read.
    Unreadable,
    /// What this release does not know.
    Unknown,
}

impl ConcernKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Certificate => "certificate",
            Self::Untrusted => "untrusted",
            Self::OutsidePaths => "outside-paths",
            Self::Stray => "stray",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

/// What of a repository clients complain of at `now`, or will within that time; `None` if it has ended.
///
/// # Errors
/// [`StorageError::Closed`]. What cannot be read otherwise is a concern.
pub(crate) fn of(
    store: &Store,
    repository: &RepositoryName,
    now: UnixTime,
    within: Duration,
) -> Result<Option<Vec<Concern>>, StorageError> {
    match store.glance(repository) {
        Ok(view) => Ok(view.map(|view| of_view(repository, &view, now, within))),
        Err(StorageError::Closed) => Err(StorageError::Closed),
        Err(error) => Ok(Some(vec![Concern {
            repository: repository.clone(),
            role: None,
            kind: ConcernKind::Unreadable,
            expires: None,
            is_due: true,
            text: format!("it cannot be read: {}", chain(&error)),
        }])),
    }
}

fn of_view(repository: &RepositoryName, view: &View, now: UnixTime, within: Duration) -> Vec<Concern> {
    let warnings = view.warnings(now.after(within)).into_iter();
    let concerns = warnings.map(|warning| {
        let expires = warning.expires();
        let is_due = expires.is_none_or(|expires| expires < now);
        let verb = if is_due { "expired" } else { "expires" };
        let (kind, text) = match &warning {
            Warning::Expired { role, .. } => {
                (ConcernKind::File, format!("{role} {verb}: its signers must sign it anew"))
            }
            Warning::Certificate { key, .. } => {
                let short = key.to_string().chars().take(16).collect::<String>();
                let text = format!("the certificate of root key {short} {verb}: rotate the root key");
                (ConcernKind::Certificate, text)
            }
            Warning::Untrusted { .. } => (ConcernKind::Untrusted, chain(&warning)),
            Warning::OutsidePaths { .. } => (ConcernKind::OutsidePaths, chain(&warning)),
            Warning::Stray { .. } => (ConcernKind::Stray, chain(&warning)),
            _ => (ConcernKind::Unknown, chain(&warning)),
        };
        let (repository, role) = (repository.clone(), Some(warning.role().clone()));
        Concern { repository, role, kind, expires, is_due, text }
    });
    concerns.collect()
}

/// Counts them for the metrics, from now on and for ever.
pub(crate) async fn watch(service: Arc<Service>) {
    loop {
        match look(&service).await {
            Ok(concerns) => metrics::concerned(concerns),
            Err(error) => tracing::warn!(error = %chain(&error), "what expires could not be looked for"),
        }
        time::sleep(EVERY).await;
    }
}

async fn look(service: &Service) -> Result<Concerned, StorageError> {
    let names = service.store.repositories();
    let mut all = Concerned::default();
    for step in names.chunks(STEP) {
        let began = crate::clock::Stopwatch::start();
        let found = loop {
            let (store, names, now) = (service.store.clone(), step.to_vec(), service.clock.now());
            match service.workers.scan(move || concerns_of(&store, &names, now)).await {
                Ok(found) => break found?,
                Err(error @ WorkError::Panicked) => {
                    tracing::error!(%error, "some repositories cannot be looked at for what expires");
                    break Vec::new();
                }
                Err(error @ WorkError::Busy) => {
                    tracing::debug!(%error, "some repositories are looked at later for what expires");
                    time::sleep(BUSY).await;
                }
            }
        };
        all.add(found);
        if step.len() == STEP {
            time::sleep(began.elapsed() * PAUSE).await;
        }
    }
    Ok(all)
}

fn concerns_of(store: &Store, names: &[RepositoryName], now: UnixTime) -> Result<Vec<Concern>, StorageError> {
    let mut all = Vec::new();
    for name in names {
        // It may have ended since it was listed.
        all.extend(of(store, name, now, AHEAD)?.into_iter().flatten());
    }
    Ok(all)
}
