//! `Committed` to `Receipt`: what is durable becomes visible. Nothing here can fail.

use std::sync::Arc;

use super::Receipt;
use super::stage::{Next, OnlineAt, Ready};
use crate::catalog::{Catalog, Current};
use crate::recover::keep_prebuilt;
use crate::storage::{Record, Storage};
use crate::terms::Position;
use crate::trust::Warning;

/// On disk and visible.
pub(crate) struct Committed {
    position: Position,
    record: Record,
    warnings: Vec<Warning>,
}

/// Shows what was just written. The committer alone calls this, in the order of positions.
pub(super) fn install(
    ready: Ready,
    position: Position,
    catalog: &Catalog,
    storage: &dyn Storage,
) -> Committed {
    let Ready { prepared, next, warnings } = ready;
    let repository = &prepared.record.repository;
    match next {
        Next::State(state, online) => {
            let online_at = match online {
                OnlineAt::Here => Some(position),
                OnlineAt::There(there) => there,
            };
            let current = Arc::new(Current::new(position, online_at, *state));
            catalog.install(repository, &current);
            keep_prebuilt(storage, repository, &current);
        }
        Next::Nothing => {
            catalog.remove(repository);
            storage.forget_prebuilt(repository);
        }
        Next::Same => {}
    }
    catalog.arrivals().announce(position);
    Committed { position, record: prepared.record, warnings }
}

/// What the publisher is told.
pub(super) fn receipt(committed: Committed) -> Receipt {
    let Committed { position, record, warnings } = committed;
    let documents = record
        .documents
        .into_iter()
        .map(|document| (document.role, document.version, document.sha256))
        .collect();
    Receipt { position, incarnation: record.incarnation, revision: record.revision, documents, warnings }
}
