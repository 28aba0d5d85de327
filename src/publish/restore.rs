//! What a restored store goes on with. Clients have seen newer versions of what the store signs than the backup has: it is
//! signed anew above them. What others sign is beyond the store: its signers have to publish again.

use super::complete::{Complete, complete};
use super::verify::verify;
use super::{PublishError, Publisher, Receipt, Upload, base, commit, install, parse, stage};
use crate::crypto::OnlineRole;
use crate::storage::{RecordKind, StorageError};
use crate::terms::{RepositoryName, UnixTime, Version};

/// The highest versions that anybody may have seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Floor {
    pub(crate) snapshot: Option<Version>,
    pub(crate) timestamp: Option<Version>,
}

impl Floor {
    pub(crate) const NONE: Self = Self { snapshot: None, timestamp: None };
}

/// Signs anew what the store holds keys for, above `floor`; where it holds none, the feed hears of the repository all the
/// same. `None` if it does not live.
pub(crate) fn restore(
    publisher: &Publisher,
    repository: &RepositoryName,
    floor: Floor,
    now: UnixTime,
) -> Result<Option<Receipt>, PublishError> {
    let base = base::pin(publisher, repository)?;
    let Some(current) = base.current() else { return Ok(None) };
    let root = current.state.set.root.body();
    let holds = |key: &crate::crypto::SealedKey| {
        key.role == OnlineRole::Timestamp && root.timestamp.keys.iter().any(|listed| listed.id == key.id)
    };
    let complete = if base.online().iter().any(holds) {
        let parsed = parse::parse(&Upload::new(), &publisher.loader.limits)?;
        complete(verify(parsed, &base, now)?, &base, publisher, floor, now)?
    } else {
        let set = current.state.set.clone();
        let new = vec![set.timestamp.document().clone()];
        Complete { set, new, first_used: Vec::new(), warnings: Vec::new() }
    };
    let key = publisher.loader.catalog.key();
    let staged = stage::stage(complete, &base, key, RecordKind::Restoration, None, now)?;
    match publisher.committer.commit(staged)? {
        commit::Answer::Committed(committed) => Ok(Some(install::receipt(committed))),
        commit::Answer::Moved => {
            Err(StorageError::Bug("a store that is being restored has one writer").into())
        }
    }
}
