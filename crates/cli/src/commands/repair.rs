//! What can be saved of a damaged store.

use std::path::Path;
use std::{fs, io};

use serde::Serialize;
use tufstore::terms::{Position, RepositoryName};
use tufstore::{Finding, Options, RepairReport, Store};

use crate::failure::Failure;
use crate::output::{self, Output};
use crate::{args, store};

#[derive(Serialize)]
struct Repaired {
    /// Everything was saved, and verifies.
    whole: bool,
    saved: u64,
    repositories: u64,
    /// From the first Position to the last of each.
    gaps: Vec<(Position, Position)>,
    findings: Vec<FindingRow>,
    /// What a verification of the new store says.
    verified: Vec<FindingRow>,
}

#[derive(Serialize)]
struct FindingRow {
    repository: Option<RepositoryName>,
    place: String,
    finding: String,
}

impl From<Finding> for FindingRow {
    fn from(finding: Finding) -> Self {
        let Finding { repository, place, what, .. } = finding;
        Self { repository, place, finding: what }
    }
}

/// What a server needs beside the store, if it lies in its folder.
const BESIDE: [&str; 3] = ["master", "tls", "archive"];

/// `tufstore repair`
pub(crate) fn repair(args: &args::Repair, output: Output) -> Result<(), Failure> {
    let bar = output::bar("repairing", 0);
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for name in BESIDE {
        read(&args.folder, name.to_owned(), &mut files, &mut unread);
    }
    let (from, to, position_above) = (args.folder.clone(), args.to.clone(), args.position_above);
    let forget_settings = args.without_users;
    let repair = tufstore::Repair { from, to, files, position_above, forget_settings };
    let report = Store::repair(&repair, &mut |progress| {
        bar.set_length(progress.all);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    let RepairReport { saved, gaps, findings, .. } = report.map_err(Failure::storage("repairing"))?;
    let repaired = store::open_or_make(&args.to, Options::default())?;
    let bar = output::bar("verifying", 0);
    let verified = repaired.verify(&mut |progress| {
        bar.set_length(progress.all);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    let verified = verified.map_err(Failure::storage("verifying the new store"))?;
    store::close(&repaired)?;
    let rows = |findings: Vec<Finding>| findings.into_iter().map(FindingRow::from).collect::<Vec<_>>();
    let findings = unread.into_iter().chain(rows(findings)).collect::<Vec<_>>();
    let verified = rows(verified.findings);
    let repositories = u64::try_from(repaired.repository_count()).unwrap_or(u64::MAX);
    let whole = findings.is_empty() && verified.is_empty() && gaps.is_empty();
    let lost = findings.len() + verified.len() + gaps.len();
    let repaired = Repaired { whole, saved, repositories, gaps, findings, verified };
    output.result(&repaired, repaired.text())?;
    if whole { Ok(()) } else { Err(Failure::NotAllSaved { lost }) }
}

impl Repaired {
    fn text(&self) -> String {
        let mut text = output::facts(&[
            ("publications and deletions saved", output::number(self.saved)),
            ("repositories", output::number(self.repositories)),
            ("everything was saved", if self.whole { "yes" } else { "NO" }.to_owned()),
        ]);
        for (first, last) in &self.gaps {
            text = format!("{text}\n\nposition {first} to {last}: nothing of it can be read");
        }
        let found = self.findings.iter().map(|finding| ("", finding));
        let verified = self.verified.iter().map(|finding| ("in the new store: ", finding));
        for (where_, FindingRow { repository, place, finding }) in found.chain(verified) {
            let of = repository.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            text = format!("{text}\n\n{where_}{place}{of}: {finding}");
        }
        text
    }
}

/// Reads a file, or all in a folder, if it is there. The store is saved without what cannot be read.
fn read(folder: &Path, name: String, along: &mut Vec<(String, Vec<u8>)>, unread: &mut Vec<FindingRow>) {
    let path = folder.join(&name);
    let mut failed = |error: io::Error| {
        let finding = format!("it cannot be read, and is not in the new store: {error}");
        unread.push(FindingRow { repository: None, place: name.clone(), finding });
    };
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => failed(error),
        Ok(found) if found.is_dir() => {
            match fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Err(error) => failed(error),
                Ok(entries) => {
                    let names = entries.iter().map(fs::DirEntry::file_name);
                    for entry in names.filter_map(|entry| entry.into_string().ok()) {
                        read(folder, format!("{name}/{entry}"), along, unread);
                    }
                }
            }
        }
        Ok(found) if !found.is_file() => {}
        Ok(_) => match fs::read(&path) {
            Ok(bytes) => along.push((name, bytes)),
            Err(error) => failed(error),
        },
    }
}
