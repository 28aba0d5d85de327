//! What a store acknowledged, against what it holds.

use std::collections::HashSet;

use tufstore::terms::{Position, RepositoryName, UnixTime};
use tufstore::{ChangeKind, Store};

use super::question::{Acknowledged, Held, Holds, Lost, Question};
use super::{Opened, Progress, Refusal};

impl Question for Holds {
    type Answer = Held;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Held, Refusal> {
        let reading = |error| Refusal::storage("reading the history", &error);
        let mut published = HashSet::new();
        for entry in store.documents(&self.repository) {
            let entry = entry.map_err(reading)?;
            let tufstore::DocumentEntry { position, role, version, sha256, .. } = entry;
            published.insert(Acknowledged { position, role, version, sha256 });
        }
        let mut held = Held { whole: 0, collected: 0, ended: 0, lost: Vec::new() };
        let all = u64::try_from(self.documents.len()).unwrap_or(u64::MAX);
        for (done, document) in (1..).zip(&self.documents) {
            let finding = if published.contains(document) {
                let found = store.history(&self.repository, &document.role, document.sha256);
                match found {
                    Ok(Some(_)) => {
                        held.whole += 1;
                        None
                    }
                    Ok(None) => {
                        held.collected += 1;
                        None
                    }
                    Err(error) => Some(Refusal::storage("reading it", &error).in_one_line()),
                }
            } else {
                match of_ended_life(store, &self.repository, document)? {
                    None => {
                        held.ended += 1;
                        None
                    }
                    finding => finding.map(ToOwned::to_owned),
                }
            };
            held.lost.extend(finding.map(|finding| Lost { document: document.clone(), finding }));
            progress(Progress { doing: format!("comparing {}", self.repository), done, all });
        }
        Ok(held)
    }
}

/// What speaks against a document being of a life of the repository that has ended; of other roles than the timestamp,
/// only the record can tell.
fn of_ended_life(
    store: &Store,
    repository: &RepositoryName,
    document: &Acknowledged,
) -> Result<Option<&'static str>, Refusal> {
    let before = Position::new(document.position.get().saturating_sub(1));
    let change = store.changes(before).next().transpose();
    let change = change.map_err(|error| Refusal::storage("reading the changes", &error))?;
    let Some(change) = change.filter(|change| change.position == document.position) else {
        return Ok(Some("the store ends before that position"));
    };
    if change.repository != *repository {
        return Ok(Some("another repository's commit stands at that position"));
    }
    let view = store.view(repository);
    let view = view.map_err(|error| Refusal::storage("reading the repository", &error))?;
    if view.is_some_and(|view| view.incarnation() == change.incarnation) {
        return Ok(Some("the commit at that position does not have it"));
    }
    Ok(match change.kind {
        ChangeKind::Published { version, sha256 } | ChangeKind::Restored { version, sha256 }
            if document.role == tufstore::terms::RoleName::Timestamp
                && (version, sha256) != (document.version, document.sha256) =>
        {
            Some("the commit at that position has another timestamp")
        }
        ChangeKind::Published { .. } | ChangeKind::Restored { .. } => None,
        ChangeKind::Deleted | _ => Some("the commit at that position is a deletion"),
    })
}
