//! Which repositories there are.

use serde::Serialize;
use tufstore::terms::{RepositoryName, Revision, RoleName, UnixTime};
use tufstore_server::admin::{Repositories, RepositoryEntry};

use crate::failure::Failure;
use crate::output::{Column, Output, Row, as_text};
use crate::{args, store};

#[derive(Serialize)]
struct RepositoryRow {
    repository: RepositoryName,
    revision: Revision,
    tags: u64,
    #[serde(serialize_with = "as_text")]
    expires: UnixTime,
    /// Whose expiry that is.
    role: RoleName,
    expired: bool,
}

impl Row for RepositoryRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("REPOSITORY"),
        Column::Number("REVISION"),
        Column::Number("TAGS"),
        Column::Text("EXPIRES"),
        Column::Text("ROLE"),
    ];

    fn cells(&self) -> Vec<String> {
        let expired = if self.expired { " (expired)" } else { "" };
        vec![
            self.repository.to_string(),
            self.revision.to_string(),
            self.tags.to_string(),
            format!("{}{expired}", UnixTime::from_seconds(self.expires.seconds())),
            self.role.to_string(),
        ]
    }
}

impl From<RepositoryEntry> for RepositoryRow {
    fn from(entry: RepositoryEntry) -> Self {
        let RepositoryEntry { repository, revision, tags, expires, role, expired, .. } = entry;
        Self { repository, revision, tags, expires, role, expired }
    }
}

/// `tufstore repositories`
pub(crate) fn repositories(args: &args::Repositories, output: Output) -> Result<(), Failure> {
    let entries = store::reach(&args.store)?.ask_once(Repositories {})?;
    output.list(&entries.into_iter().map(RepositoryRow::from).collect::<Vec<_>>())
}
