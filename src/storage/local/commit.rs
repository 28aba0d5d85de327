use std::collections::{HashMap, HashSet};

use crate::storage::local::heads::{Step, follow};
use crate::storage::local::index::Reached;
use crate::storage::local::journal::Appender;
use crate::storage::local::{LocalStorage, catch_up};
use crate::storage::{Head, Outcome, Prepared, RecordKind, StorageError};
use crate::terms::{Incarnation, RepositoryName};

/// Above so many bytes, what waits is written as several groups.
const LARGEST_WRITE: usize = 64 << 20;
/// A longer record is refused: it could not be held twice in memory while it is written.
const LARGEST_RECORD: usize = 1 << 30;

/// More documents do not fit into a record's header, whatever their names.
const MOST_DOCUMENTS: usize = 50_000;

/// Commits that may go on, and those of them that are not written yet.
struct Admitted {
    /// Heads as they will be, of repositories in this group.
    heads: HashMap<RepositoryName, Head>,
    /// With their places in the group.
    waiting: Vec<(usize, Prepared)>,
    bytes: usize,
}

impl LocalStorage {
    pub(super) fn commit_group(&self, group: Vec<Prepared>) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Conflict; group.len()];
        let mut writer = self.journal.appender();
        let mut admitted = Admitted { heads: HashMap::new(), waiting: Vec::new(), bytes: 0 };
        for (place, commit) in group.into_iter().enumerate() {
            match self.admit(&mut admitted, &commit) {
                Ok(true) => admitted.waiting.push((place, commit)),
                Ok(false) => {}
                Err(error) => set(&mut outcomes, place, Outcome::Refused(error)),
            }
            if admitted.bytes >= LARGEST_WRITE {
                self.write(&mut writer, &mut admitted, &mut outcomes);
            }
        }
        self.write(&mut writer, &mut admitted, &mut outcomes);
        if writer.ready().is_ok() && writer.bytes() >= self.checkpointed.lock().due {
            // In the committer's way, but seldom, and in time a small part of what the commits since took.
            if let Err(error) = self.write_checkpoint(writer.bytes()) {
                tracing::warn!(%error, "no checkpoint could be written; opening will take longer");
                self.checkpointed.lock().due = writer.bytes().saturating_add(self.checkpoint_every);
            }
        }
        outcomes
    }

    /// Whether a commit was staged on its repository's head as it is after those before it. An error if it breaks the
    /// rules even so.
    fn admit(&self, admitted: &mut Admitted, commit: &Prepared) -> Result<bool, StorageError> {
        let record = &commit.record;
        let durable = self.heads.get(&record.repository);
        let head = admitted.heads.get(&record.repository).or(durable.as_ref());
        if commit.base != head.map(|head| (head.incarnation, head.revision)) {
            return Ok(false);
        }
        if record.documents.len() > MOST_DOCUMENTS {
            return Err(StorageError::Bug("a record of more than 50,000 documents"));
        }
        let mut named = HashSet::with_capacity(record.documents.len());
        if !record.documents.iter().all(|document| named.insert((&document.role, document.version))) {
            return Err(StorageError::Bug("a record with two documents of one role and version"));
        }
        let bytes = commit.payload.bytes.len();
        if bytes > LARGEST_RECORD {
            return Err(StorageError::Bug("a record of more than a gibibyte"));
        }
        let step = Step {
            kind: record.kind,
            incarnation: record.incarnation,
            revision: record.revision,
            documents: record.documents.len(),
        };
        let next = head.map_or(Incarnation::FIRST, |head| {
            if head.deleted { head.incarnation.next() } else { head.incarnation }
        });
        let begins = head.is_none_or(|head| head.deleted);
        if !self.rebuilding && (record.incarnation != next || (begins && record.kind == RecordKind::Deletion))
        {
            return Err(StorageError::Bug("a record of another life than comes next"));
        }
        // The position is set when there is one.
        let head = follow(head, step, self.journal.end().position).map_err(StorageError::Bug)?;
        admitted.heads.insert(record.repository.clone(), head);
        admitted.bytes += bytes;
        Ok(true)
    }

    fn write(&self, writer: &mut Appender<'_>, admitted: &mut Admitted, outcomes: &mut [Outcome]) {
        let waiting = core::mem::take(&mut admitted.waiting);
        admitted.bytes = 0;
        if waiting.is_empty() {
            return;
        }
        let records =
            waiting.iter().map(|(_, prepared)| (&prepared.record, prepared.payload.bytes.as_slice()));
        let appended = match writer.append(records) {
            Ok(appended) => appended,
            Err(error) => {
                let known = writer.ready().is_ok();
                for (place, _) in waiting {
                    let error = error.clone();
                    let outcome = if known { Outcome::Refused(error) } else { Outcome::Unknown(error) };
                    set(outcomes, place, outcome);
                }
                // What was staged on these heads has nothing to follow.
                admitted.heads.clear();
                return;
            }
        };
        let mut entries = Vec::new();
        let mut reached = None;
        for ((place, prepared), appended) in waiting.iter().zip(appended) {
            let position = appended.header.position;
            self.remember(prepared, position);
            reached = Some(Reached { position, chain: appended.chain });
            set(outcomes, *place, Outcome::Committed(position));
            entries.extend(catch_up::entries(&appended.header));
            // Each record follows the head before it, as was checked; this sets what was not known then.
            if let Err(finding) = self.heads.follow(&appended.header) {
                tracing::error!(finding, "a head does not follow the journal");
            }
        }
        if let Some(reached) = reached {
            self.index.note(entries, reached);
            self.anchored();
        }
    }
}

fn set(outcomes: &mut [Outcome], place: usize, outcome: Outcome) {
    if let Some(slot) = outcomes.get_mut(place) {
        *slot = outcome;
    }
}
