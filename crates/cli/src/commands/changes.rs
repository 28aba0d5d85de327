//! What happened in the store.

use serde::Serialize;
use tufstore::terms::{Incarnation, Position, RepositoryName, Revision, Sha256, UnixTime, Version};
use tufstore_server::admin::{ChangeEntry, ChangeEntryKind, Changes};

use crate::failure::Failure;
use crate::output::{self, Column, Output, Row, as_text, as_text_or_null};
use crate::{args, store};

#[derive(Serialize)]
struct ChangeRow {
    position: Position,
    #[serde(serialize_with = "as_text")]
    time: UnixTime,
    repository: RepositoryName,
    incarnation: Incarnation,
    revision: Revision,
    change: &'static str,
    /// Version of the timestamp; none for a deletion.
    version: Option<Version>,
    /// SHA-256 of the timestamp; none for a deletion.
    #[serde(serialize_with = "as_text_or_null")]
    sha256: Option<Sha256>,
}

impl Row for ChangeRow {
    const COLUMNS: &'static [Column] = &[
        Column::Number("POSITION"),
        Column::Text("TIME"),
        Column::Text("REPOSITORY"),
        Column::Number("REVISION"),
        Column::Text("CHANGE"),
        Column::Number("TIMESTAMP"),
        Column::Text("SHA256"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.position.to_string(),
            UnixTime::from_seconds(self.time.seconds()).to_string(),
            self.repository.to_string(),
            self.revision.to_string(),
            self.change.to_owned(),
            self.version.map(|version| version.to_string()).unwrap_or_default(),
            self.sha256.map(|sha256| sha256.to_string()).unwrap_or_default(),
        ]
    }
}

impl From<ChangeEntry> for ChangeRow {
    fn from(change: ChangeEntry) -> Self {
        let (kind, version, sha256) = match change.kind {
            ChangeEntryKind::Published { version, sha256 } => ("published", Some(version), Some(sha256)),
            ChangeEntryKind::Restored { version, sha256 } => ("restored", Some(version), Some(sha256)),
            ChangeEntryKind::Deleted => ("deleted", None, None),
            ChangeEntryKind::Unknown | _ => ("unknown to this release", None, None),
        };
        let ChangeEntry { position, repository, incarnation, revision, time, .. } = change;
        Self { position, time, repository, incarnation, revision, change: kind, version, sha256 }
    }
}

/// `tufstore changes`
pub(crate) fn changes(args: &args::Changes, output: Output) -> Result<(), Failure> {
    let limit = u64::try_from(args.limit).unwrap_or(u64::MAX);
    let changed = store::reach(&args.store)?.ask_once(Changes { after: args.after, limit })?;
    let rows: Vec<_> = changed.changes.into_iter().map(ChangeRow::from).collect();
    let last = rows.last().map_or(args.after, |row| row.position);
    output.list(&rows)?;
    if changed.more {
        output::note(format_args!("there are more: go on with --after {last}"));
    }
    Ok(())
}
