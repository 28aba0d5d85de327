//! Metadata of another server, from files.

use std::path::PathBuf;

use serde::Serialize;
use tufstore::CompleteSet;
use tufstore::terms::{Position, RepositoryName, Revision, RoleName, Sha256, Version};
use tufstore_server::admin::{self, Blob, Kind, Mirror, ReceiptEntry, Refusal};

use crate::args;
use crate::failure::Failure;
use crate::import::folder::{Folder, Timestamp};
use crate::output::{self, Column, Output, Row, as_text};
use crate::store::{self, Reached};

/// What became of one timestamp's set.
#[derive(Serialize)]
struct SetRow {
    /// Of the timestamp.
    version: Version,
    /// Of the timestamp.
    #[serde(serialize_with = "as_text")]
    sha256: Sha256,
    outcome: &'static str,
    position: Option<Position>,
    revision: Option<Revision>,
    /// Files that the store did not have.
    documents: u64,
    warnings: Vec<String>,
    /// Why it was left out.
    reason: Option<String>,
}

const TAKEN: &str = "taken";
const KNOWN: &str = "known already";
const LEFT_OUT: &str = "left out";
const REFUSED: &str = "refused";

impl Row for SetRow {
    const COLUMNS: &'static [Column] = &[
        Column::Number("TIMESTAMP"),
        Column::Text("OUTCOME"),
        Column::Number("POSITION"),
        Column::Number("REVISION"),
        Column::Number("NEW FILES"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.outcome.to_owned(),
            self.position.map(|position| position.to_string()).unwrap_or_default(),
            self.revision.map(|revision| revision.to_string()).unwrap_or_default(),
            self.documents.to_string(),
        ]
    }
}

impl SetRow {
    fn new(timestamp: &Timestamp, outcome: &'static str) -> Self {
        let Timestamp { version, sha256, .. } = *timestamp;
        let (position, revision, reason) = (None, None, None);
        Self { version, sha256, outcome, position, revision, documents: 0, warnings: Vec::new(), reason }
    }

    fn because(self, reason: String) -> Self {
        Self { reason: Some(reason), ..self }
    }

    fn accepted(timestamp: &Timestamp, receipt: ReceiptEntry) -> Self {
        Self {
            position: Some(receipt.position),
            revision: Some(receipt.revision),
            documents: u64::try_from(receipt.documents.len()).unwrap_or(u64::MAX),
            warnings: receipt.warnings,
            ..Self::new(timestamp, if receipt.documents.is_empty() { KNOWN } else { TAKEN })
        }
    }
}

/// Everything that an import has to tell.
#[derive(Serialize)]
struct Imported<'a> {
    repository: &'a RepositoryName,
    sets: Vec<SetRow>,
    /// Files that are no metadata, and why.
    other_files: Vec<OtherFile>,
}

#[derive(Serialize)]
struct OtherFile {
    path: PathBuf,
    reason: String,
}

/// `tufstore import`
pub(crate) fn import(args: &args::Import, output: Output) -> Result<(), Failure> {
    let folder = Folder::read(&args.folder)
        .map_err(Failure::file(format!("reading the files in {}", args.folder.display())))?;
    let repository = &args.repository;
    let mut sets = Vec::new();
    let mut refusals = Vec::new();
    if folder.timestamps().next().is_some() {
        let store = store::reach_or_make(&args.store.data, args.store.kept.options())?;
        let all = u64::try_from(folder.timestamps().count()).unwrap_or(u64::MAX);
        let bar = output::bar("importing", all);
        for timestamp in folder.timestamps() {
            match take(&store, repository, &folder, &timestamp)? {
                Ok(row) => sets.push(row),
                Err(refusal) => {
                    sets.push(SetRow::new(&timestamp, REFUSED).because(output::chain(&refusal)));
                    refusals.push(refusal);
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        store.close()?;
    }
    for row in &sets {
        for line in row.warnings.iter().chain(&row.reason) {
            output::note(format_args!("timestamp {}: {}: {line}", row.version, row.outcome));
        }
    }
    let other_files: Vec<_> = folder
        .strangers
        .iter()
        .map(|(path, why)| OtherFile { path: path.clone(), reason: why.to_string() })
        .collect();
    for OtherFile { path, reason } in &other_files {
        output::note(format_args!("{}: left out: {reason}", path.display()));
    }
    let any = sets.iter().any(|row| matches!(row.outcome, TAKEN | KNOWN));
    let imported = Imported { repository, sets, other_files };
    output.either(&imported, &imported.sets)?;
    let refused = refusals.len();
    match refusals.into_iter().next() {
        Some(source) => {
            Err(Failure::ImportRefused { repository: repository.clone(), refused, source: Box::new(source) })
        }
        None if any => Ok(()),
        None => Err(Failure::NothingToImport { folder: args.folder.clone() }),
    }
}

/// Mirrors one timestamp's set. What the engine refuses is the inner error; it stops nothing but a failing store does.
fn take(
    store: &Reached,
    repository: &RepositoryName,
    folder: &Folder,
    timestamp: &Timestamp,
) -> Result<Result<SetRow, Refusal>, Failure> {
    if let Some(row) = passed(store, repository, timestamp)? {
        return Ok(Ok(row));
    }
    let set = match folder.set(timestamp) {
        Ok(set) => set,
        Err(incomplete) => {
            return Ok(Ok(SetRow::new(timestamp, LEFT_OUT).because(output::chain(&incomplete))));
        }
    };
    match store.ask(question(repository, set)) {
        Ok(receipt) => Ok(Ok(SetRow::accepted(timestamp, receipt))),
        Err(Failure::Refused(refusal)) if matches!(refusal.kind, Kind::Publisher | Kind::Race) => {
            Ok(Err(refusal))
        }
        Err(failure) => Err(failure),
    }
}

fn question(repository: &RepositoryName, set: CompleteSet) -> Mirror {
    let CompleteSet { roots, timestamp, snapshot, targets, delegations, .. } = set;
    let top =
        [(RoleName::Timestamp, timestamp), (RoleName::Snapshot, snapshot), (RoleName::Targets, targets)];
    let files = top.into_iter().chain(delegations).map(|(role, bytes)| (role, Blob(bytes))).collect();
    Mirror { repository: repository.clone(), roots: roots.into_iter().map(Blob).collect(), files }
}

/// A set that the store has, or has gone past: offering it again would be a rollback.
fn passed(
    store: &Reached,
    repository: &RepositoryName,
    timestamp: &Timestamp,
) -> Result<Option<SetRow>, Failure> {
    let question = admin::Receipt { repository: repository.clone(), timestamp: timestamp.sha256 };
    let Some((known, newest)) = store.ask(question)? else { return Ok(None) };
    if known {
        return Ok(Some(SetRow::new(timestamp, KNOWN)));
    }
    Ok((timestamp.version < newest).then(|| {
        let reason = format!("the store has timestamp {newest} already, and versions never fall");
        SetRow::new(timestamp, LEFT_OUT).because(reason)
    }))
}
