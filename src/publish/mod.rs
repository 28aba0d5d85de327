//! How new metadata becomes durable and visible.
//!
//! ```text
//! publish  bytes ─parse─▶ Parsed ─verify─▶ Verified ─complete─▶ Complete ─stage─▶ Staged ─commit─▶ Committed ─install─▶ Receipt
//! mirror   a set signed elsewhere ──parse, verify as a client───▶ Complete ─▶ the same from there
//! restore  base of before ────────── signed above a floor ─────▶ Complete ─▶ the same from there
//! settings ───────────────────────────────────────────────────────────────▶ Staged ─▶ the same from there
//! delete   ──────────────────────────────────────────────────────────────▶ Staged ─▶ the same from there
//! ```
//!
//! Each step takes the step before by value. All that can fail happens before the durable write.

mod base;
mod parse;
mod verify;
mod complete;
mod mirror;
mod stage;
mod commit;
mod install;
mod delete;
mod restore;
mod settings;
mod online;
mod error;
mod receipt;
#[cfg(all(test, shuttle))]
mod model;

use std::sync::Arc;
use std::time::Duration;

pub use error::{DeleteError, Fault, MirrorError, OnlineKeyRefused, PublishError, SettingsError};
pub use parse::Upload;
pub use receipt::Receipt;
pub use settings::Settings;

pub(crate) use commit::Committer;
pub(crate) use delete::delete;
pub(crate) use mirror::mirror;
pub(crate) use online::{online_key, pending_key};
pub(crate) use restore::{Floor, restore};
pub(crate) use settings::{set_settings, settings};

use crate::crypto::OnlineKeys;
use crate::recover::Loader;
use crate::storage::RecordKind;
use crate::terms::{RepositoryName, UnixTime};

/// What the flow is run with; wired by `store`.
pub(crate) struct Publisher {
    pub(crate) loader: Loader,
    pub(crate) committer: Committer,
    pub(crate) online: Arc<dyn OnlineKeys>,
    pub(crate) lifetimes: Lifetimes,
}

/// How long what the store signs itself is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Lifetimes {
    /// Of a timestamp: 14 days by default, as Notary has it.
    pub timestamp: Duration,
    /// Of a snapshot: three years by default, as Notary has it.
    pub snapshot: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self { timestamp: DAY * 14, snapshot: DAY * 3 * 365 }
    }
}

/// Takes an author's upload. If only others' roles moved on meanwhile, it is verified again on the newer state.
pub(crate) fn publish(
    publisher: &Publisher,
    repository: &RepositoryName,
    upload: &Upload,
    now: UnixTime,
) -> Result<Receipt, PublishError> {
    let mut base = base::pin(publisher, repository)?;
    loop {
        let parsed = parse::parse(upload, &publisher.loader.limits)?;
        let verified = verify::verify(parsed, &base, now)?;
        let complete = complete::complete(verified, &base, publisher, Floor::NONE, now)?;
        let (key, note) = (publisher.loader.catalog.key(), upload.note().cloned());
        let staged = stage::stage(complete, &base, key, RecordKind::Publication, note, now)?;
        match publisher.committer.commit(staged)? {
            commit::Answer::Committed(committed) => return Ok(install::receipt(committed)),
            commit::Answer::Moved => {
                let newer = base::pin(publisher, repository)?;
                if newer.incarnation() != base.incarnation() {
                    return Err(PublishError::LifeEnded);
                }
                base = newer;
            }
        }
    }
}
