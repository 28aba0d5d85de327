//! `Complete` to `Staged`: the record to write and the state to show, so that after the write nothing can fail.

use std::sync::Arc;

use super::base::Base;
use super::complete::Complete;
use crate::catalog::{HashKey, State};
use crate::metadata::Document;
use crate::recover::{Attachment, Online};
use crate::storage::{Commit, Prepared, Record, RecordKind, Storage, StorageError, StoredDocument};
use crate::terms::{Incarnation, Note, Position, RepositoryName, Revision, RoleName, UnixTime};
use crate::trust::{Delegated, Set, Warning};

/// Ready to be written and shown.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(super) commit: Commit,
    pub(super) next: Next,
    pub(super) warnings: Vec<Warning>,
}

/// With the record as it will be written: nothing is left to do but to write it.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) prepared: Prepared,
    pub(super) next: Next,
    pub(super) warnings: Vec<Warning>,
}

impl Staged {
    pub(super) fn prepare(self, storage: &dyn Storage) -> Result<Ready, StorageError> {
        let Self { commit, next, warnings } = self;
        Ok(Ready { prepared: storage.prepare(commit)?, next, warnings })
    }
}

/// What readers see after it.
#[derive(Debug)]
pub(crate) enum Next {
    /// A state, still without a position.
    State(Box<State>, OnlineAt),
    /// That the repository does not live any more.
    Nothing,
    /// What they saw before: settings are of no repository.
    Same,
}

/// Where the sealed keys will stand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OnlineAt {
    /// In the record that is staged.
    Here,
    /// Where they stood, if anywhere.
    There(Option<Position>),
}

/// Builds record and next state of a publication, a mirrored set or a restoration. `key`: the catalog's.
pub(crate) fn stage(
    complete: Complete,
    base: &Base,
    key: &HashKey,
    kind: RecordKind,
    note: Option<Note>,
    now: UnixTime,
) -> Result<Staged, StorageError> {
    let Complete { set, new, first_used, warnings } = complete;
    let online_at = if first_used.is_empty() { OnlineAt::There(base.online_at()) } else { OnlineAt::Here };
    let online: Vec<_> = base.online().iter().cloned().chain(first_used).collect();
    let is_new = |role: &RoleName| new.iter().any(|document| document.role() == role);
    let attachment = Attachment {
        online: match online_at {
            OnlineAt::Here => Online::Here(online.clone()),
            OnlineAt::There(None) => Online::None,
            OnlineAt::There(Some(position)) => Online::At(position),
        },
        carried: set
            .documents()
            .filter(|document| !is_new(document.role()))
            .map(|document| (document.role().clone(), *document.sha256()))
            .collect(),
        faulty: set
            .delegations
            .iter()
            .filter(|(_, file)| matches!(file, Delegated::Faulty(_)))
            .map(|(role, _)| role.clone())
            .collect(),
    };
    let timestamp = set.timestamp.document();
    let record = Record {
        kind,
        repository: base.repository().clone(),
        incarnation: base.incarnation(),
        revision: base.revision().next(),
        time: now,
        timestamp: Some((timestamp.version(), *timestamp.sha256())),
        documents: new.iter().map(stored).collect(),
        attachment: attachment.encode()?,
        note,
    };
    let replaced = base.set().into_iter().flat_map(Set::documents);
    let replaced = replaced.filter(|document| is_new(document.role())).map(stored).collect();
    let before = base.current().map(|current| &current.state);
    let (incarnation, revision) = (record.incarnation, record.revision);
    let state = State::new(incarnation, revision, record.time, set, online.into(), key, before);
    let next = Next::State(Box::new(state), online_at);
    Ok(Staged { commit: Commit { base: base.guard(), replaced, record }, next, warnings })
}

fn stored(document: &Document) -> StoredDocument {
    StoredDocument {
        role: document.role().clone(),
        version: document.version(),
        sha256: *document.sha256(),
        bytes: Arc::clone(document.bytes()),
    }
}

/// Builds the record that ends a repository's life.
pub(super) fn stage_deletion(
    repository: &RepositoryName,
    incarnation: Incarnation,
    revision: Revision,
    note: Option<Note>,
    now: UnixTime,
) -> Staged {
    let record = Record {
        kind: RecordKind::Deletion,
        repository: repository.clone(),
        incarnation,
        revision: revision.next(),
        time: now,
        timestamp: None,
        documents: Vec::new(),
        attachment: [].into(),
        note,
    };
    let base = Some((incarnation, revision));
    let commit = Commit { base, replaced: Vec::new(), record };
    Staged { commit, next: Next::Nothing, warnings: Vec::new() }
}
