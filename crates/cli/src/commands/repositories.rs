//! Which repositories there are.

use serde::Serialize;
use tufstore::terms::{RepositoryName, Revision, RoleName, UnixTime};

use crate::failure::Failure;
use crate::output::{Column, Output, Row, as_text};
use crate::{args, clock, store};

#[derive(Serialize)]
struct RepositoryRow {
    repository: RepositoryName,
    revision: Revision,
    tags: usize,
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

/// `tufstore repositories`
pub(crate) fn repositories(args: &args::Repositories, output: Output) -> Result<(), Failure> {
    let store = store::open(&args.store.data)?;
    let now = clock::now();
    let mut rows = Vec::new();
    for repository in store.repositories() {
        let view = store::view(&store, &repository)?;
        let (expires, role) = view.expires();
        rows.push(RepositoryRow {
            repository,
            revision: view.revision(),
            tags: view.tags().count(),
            expires,
            role: role.clone(),
            expired: expires <= now,
        });
    }
    store::close(&store)?;
    output.list(&rows)
}
