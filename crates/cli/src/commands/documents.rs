//! The files that a repository has published: their bytes, and a list of them.

use serde::Serialize;
use tufstore::terms::{Position, RoleName, Sha256, UnixTime, Version};
use tufstore_server::admin::{DocumentEntry, History, Show};

use crate::failure::Failure;
use crate::output::{self, Column, Output, Row, as_text};
use crate::{args, store};

/// `tufstore show`
pub(crate) fn show(args: &args::Show) -> Result<(), Failure> {
    let (repository, role) = (args.repository.clone(), args.role.clone());
    let question = Show { repository, role, version: args.version, sha256: args.sha256 };
    output::write(&store::reach(&args.store)?.ask_once(question)?.0)
}

#[derive(Serialize)]
struct DocumentRow {
    position: Position,
    #[serde(serialize_with = "as_text")]
    time: UnixTime,
    role: RoleName,
    version: Version,
    length: u64,
    #[serde(serialize_with = "as_text")]
    sha256: Sha256,
}

impl Row for DocumentRow {
    const COLUMNS: &'static [Column] = &[
        Column::Number("POSITION"),
        Column::Text("TIME"),
        Column::Text("ROLE"),
        Column::Number("VERSION"),
        Column::Number("LENGTH"),
        Column::Text("SHA256"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.position.to_string(),
            UnixTime::from_seconds(self.time.seconds()).to_string(),
            self.role.to_string(),
            self.version.to_string(),
            self.length.to_string(),
            self.sha256.to_string(),
        ]
    }
}

impl From<DocumentEntry> for DocumentRow {
    fn from(entry: DocumentEntry) -> Self {
        let DocumentEntry { position, time, role, version, sha256, length, .. } = entry;
        Self { position, time, role, version, length, sha256 }
    }
}

/// `tufstore history`
pub(crate) fn history(args: &args::History, output: Output) -> Result<(), Failure> {
    let question = History { repository: args.repository.clone() };
    let entries = store::reach(&args.store)?.ask_once(question)?;
    let wanted =
        entries.into_iter().filter(|entry| args.role.as_ref().is_none_or(|role| entry.role == *role));
    output.list(&wanted.map(DocumentRow::from).collect::<Vec<_>>())
}
