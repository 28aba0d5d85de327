//! What expires, and what clients complain of.

use serde::Serialize;
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore_server::admin::{Check, Concern, ConcernKind};

use super::maintain::asked;
use crate::failure::Failure;
use crate::output::{Column, Output, Row, as_text_or_null};
use crate::{args, store};

#[derive(Serialize)]
struct Checked<'a> {
    repositories: u64,
    concerns: &'a [ConcernRow],
}

#[derive(Serialize)]
struct ConcernRow {
    repository: RepositoryName,
    role: Option<RoleName>,
    kind: ConcernKind,
    #[serde(serialize_with = "as_text_or_null")]
    expires: Option<UnixTime>,
    /// Whether clients complain already.
    is_due: bool,
    text: String,
}

impl Row for ConcernRow {
    const COLUMNS: &'static [Column] =
        &[Column::Text("REPOSITORY"), Column::Text("WHEN"), Column::Text("WHAT")];

    fn cells(&self) -> Vec<String> {
        let when = match self.expires {
            Some(expires) => UnixTime::from_seconds(expires.seconds()).to_string(),
            None => "now".to_owned(),
        };
        vec![self.repository.to_string(), when, self.text.clone()]
    }
}

impl From<Concern> for ConcernRow {
    fn from(concern: Concern) -> Self {
        let Concern { repository, role, kind, expires, is_due, text, .. } = concern;
        Self { repository, role, kind, expires, is_due, text }
    }
}

/// `tufstore check`
pub(crate) fn check(args: &args::Check, output: Output) -> Result<(), Failure> {
    let store = store::reach(&args.store)?;
    let checked = asked(&store, Check { within: args.within.as_secs() })?;
    store.close()?;
    let rows: Vec<_> = checked.concerns.into_iter().map(ConcernRow::from).collect();
    output.either(&Checked { repositories: checked.repositories, concerns: &rows }, &rows)?;
    let due = rows.iter().filter(|row| row.is_due).count();
    let expired = rows.iter().any(|row| row.is_due && row.expires.is_some());
    if rows.is_empty() { Ok(()) } else { Err(Failure::Concerns { due, soon: rows.len() - due, expired }) }
}
