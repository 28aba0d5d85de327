//! What an embedding server keeps with its repositories: one document, of which the store knows only the bytes.

use std::sync::Arc;

use super::stage::{Next, Staged};
use super::{Publisher, SettingsError, commit, install};
use crate::crypto::sha256;
use crate::storage::{Commit, Record, RecordKind, Storage, StorageError, StoredDocument};
use crate::terms::{Incarnation, Note, Position, RepositoryName, Revision, RoleName, UnixTime, Version};

/// The role under which a record of settings holds them.
const ROLE: RoleName = RoleName::Targets;

/// The settings as they are at a [`Revision`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// How often they were set.
    pub revision: Revision,
    /// Of the commit that set them.
    pub position: Position,
    /// The committer's `now`.
    pub time: UnixTime,
    /// As they were given.
    pub bytes: Arc<[u8]>,
}

/// The newest settings; `None` if there never were any.
pub(crate) fn settings(storage: &dyn Storage) -> Result<Option<Settings>, StorageError> {
    let Some(head) = storage.head(&RepositoryName::of_settings()) else { return Ok(None) };
    let record = storage.record(head.position)?;
    let corrupt = StorageError::Corrupt {
        place: format!("journal, position {}", head.position),
        repository: None,
        finding: "settings without content",
    };
    let StoredDocument { bytes, .. } = record.documents.into_iter().next().ok_or(corrupt)?;
    Ok(Some(Settings { revision: head.revision, position: head.position, time: record.time, bytes }))
}

/// Sets them, if they are still those of `after`.
pub(crate) fn set_settings(
    publisher: &Publisher,
    after: Revision,
    bytes: Arc<[u8]>,
    note: Option<Note>,
    now: UnixTime,
) -> Result<Settings, SettingsError> {
    let before = settings(&*publisher.loader.storage)?;
    if before.as_ref().map_or(Revision::NONE, |before| before.revision) != after {
        return Err(SettingsError::Superseded);
    }
    let staged = stage(before.as_ref(), bytes, note, now)?;
    let bytes = staged.commit.record.documents.iter().map(|document| Arc::clone(&document.bytes)).next();
    match publisher.committer.commit(staged)? {
        commit::Answer::Committed(committed) => {
            let receipt = install::receipt(committed);
            let (revision, position) = (receipt.revision, receipt.position);
            Ok(Settings { revision, position, time: now, bytes: bytes.unwrap_or_default() })
        }
        commit::Answer::Moved => Err(SettingsError::Superseded),
    }
}

fn stage(
    before: Option<&Settings>,
    bytes: Arc<[u8]>,
    note: Option<Note>,
    now: UnixTime,
) -> Result<Staged, StorageError> {
    let revision = before.map_or(Revision::NONE, |before| before.revision);
    let document = |revision: Revision, bytes: Arc<[u8]>| {
        let version = Version::new(revision.get()).ok_or(StorageError::Bug("settings of no revision"))?;
        Ok::<_, StorageError>(StoredDocument { role: ROLE, version, sha256: sha256(&bytes), bytes })
    };
    let replaced = before.map(|before| document(before.revision, Arc::clone(&before.bytes))).transpose()?;
    let record = Record {
        kind: RecordKind::Settings,
        repository: RepositoryName::of_settings(),
        incarnation: Incarnation::FIRST,
        revision: revision.next(),
        time: now,
        timestamp: None,
        documents: vec![document(revision.next(), bytes)?],
        attachment: [].into(),
        note,
    };
    let base = before.map(|before| (Incarnation::FIRST, before.revision));
    let commit = Commit { base, replaced: replaced.into_iter().collect(), record };
    Ok(Staged { commit, next: Next::Same, warnings: Vec::new() })
}
