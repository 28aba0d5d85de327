//! The files that a repository has published: their bytes, and a list of them.

use serde::Serialize;
use tufstore::terms::{Position, RoleName, Sha256, UnixTime, Version};
use tufstore::{DocumentEntry, Which};

use crate::failure::Failure;
use crate::output::{self, Column, Output, Row, as_text};
use crate::{args, store};

/// `tufstore show`
pub(crate) fn show(args: &args::Show) -> Result<(), Failure> {
    let store = store::open(&args.store.data)?;
    let view = store::view(&store, &args.repository)?;
    let (which, text) = match (args.version, args.sha256) {
        (Some(version), _) => (Some(Which::from(version)), format!("of version {version}")),
        (None, Some(sha256)) => (Some(Which::from(sha256)), format!("with SHA-256 {sha256}")),
        (None, None) => (None, "at present".to_owned()),
    };
    let document = match which {
        None => view.document(&args.role).cloned(),
        Some(which) => store
            .history(&args.repository, &args.role, which)
            .map_err(Failure::storage("reading the document"))?
            .map(|found| found.document),
    };
    store::close(&store)?;
    let (repository, role) = (args.repository.clone(), args.role.clone());
    let document = document.ok_or(Failure::NoSuchDocument { repository, role, which: text })?;
    output::write(document.bytes())
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
    let store = store::open(&args.store.data)?;
    // Fails where the repository is not there, which an empty list would not tell.
    store::view(&store, &args.repository)?;
    let entries: Vec<_> = store
        .documents(&args.repository)
        .collect::<Result<_, _>>()
        .map_err(Failure::storage("reading the history"))?;
    store::close(&store)?;
    let wanted =
        entries.into_iter().filter(|entry| args.role.as_ref().is_none_or(|role| entry.role == *role));
    output.list(&wanted.map(DocumentRow::from).collect::<Vec<_>>())
}
