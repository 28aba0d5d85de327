//! What an operator asks of a whole store.

use indicatif::ProgressBar;
use serde::Serialize;
use tufstore::terms::RepositoryName;
use tufstore::{Finding, Progress, Stage, StorageError, Store, VerifyReport};

use crate::clock::Stopwatch;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::{args, store};

#[derive(Serialize)]
struct Reindexed {
    records: u64,
    seconds: f64,
}

/// `tufstore reindex`
pub(crate) fn reindex(args: &args::Reindex, output: Output) -> Result<(), Failure> {
    let store = store::open(&args.store.data)?;
    let watch = Stopwatch::start();
    let bar = output::bar("indexing", store.position().get());
    store
        .reindex(&mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
        .map_err(Failure::storage("making the index anew"))?;
    bar.finish_and_clear();
    let records = store.position().get();
    store::close(&store)?;
    let seconds = watch.elapsed().as_secs_f64();
    let text = format!("the index is made anew from {records} records, in {seconds:.1} s");
    output.result(&Reindexed { records, seconds }, text)
}

#[derive(Serialize)]
struct Verified {
    sound: bool,
    records: u64,
    documents: u64,
    repositories: u64,
    tags: u64,
    findings: Vec<FindingRow>,
}

#[derive(Serialize)]
struct FindingRow {
    repository: Option<RepositoryName>,
    place: String,
    finding: String,
    what_to_do: &'static str,
}

/// `tufstore verify`
pub(crate) fn verify(args: &args::Verify, output: Output) -> Result<(), Failure> {
    let folder = args.folder.as_ref().or(args.data.as_ref()).cloned().unwrap_or_default();
    let verified = match store::open(&folder) {
        Ok(store) => {
            let verified = Verified::from(check(&store)?);
            // Whether it can be closed cleanly says nothing about what was found.
            if let Err(failure) = store::close(&store) {
                output::failure(&failure);
            }
            verified
        }
        // A store that refuses to open because of what is in it is not sound, and this is the finding.
        Err(Failure::Open { source, .. }) if is_damage(&source) => Verified::refused(&source),
        Err(failure) => return Err(failure),
    };
    output.result(&verified, verified.text())?;
    if verified.sound { Ok(()) } else { Err(Failure::NotSound { findings: verified.findings.len() }) }
}

fn is_damage(error: &StorageError) -> bool {
    matches!(error, StorageError::Corrupt { .. } | StorageError::LostRecords { .. })
}

fn check(store: &Store) -> Result<VerifyReport, Failure> {
    let bar = output::bar("reading", store.position().get());
    let report =
        store.verify(&mut |progress| show(&bar, progress)).map_err(Failure::storage("reading the store"));
    bar.finish_and_clear();
    report
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_message(match progress.stage {
        Stage::Bytes => "reading",
        Stage::Trust | _ => "verifying",
    });
    bar.set_length(progress.all);
    bar.set_position(progress.done);
}

impl Verified {
    /// What a store that does not open has to say.
    fn refused(error: &StorageError) -> Self {
        let (repository, place) = if let StorageError::Corrupt { repository, place, .. } = error {
            (repository.clone(), place.clone())
        } else {
            (None, "journal".to_owned())
        };
        let what_to_do = what_to_do(&place);
        let finding = FindingRow { repository, place, finding: output::chain(error), what_to_do };
        Self { sound: false, records: 0, documents: 0, repositories: 0, tags: 0, findings: vec![finding] }
    }

    fn text(&self) -> String {
        let mut text = output::facts(&[
            ("records", output::number(self.records)),
            ("documents", output::number(self.documents)),
            ("repositories", output::number(self.repositories)),
            ("tags", output::number(self.tags)),
            ("sound", if self.sound { "yes" } else { "NO" }.to_owned()),
        ]);
        for FindingRow { repository, place, finding, what_to_do } in &self.findings {
            let of = repository.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            text = format!("{text}\n\n{place}{of}: {finding}\n  what to do: {what_to_do}");
        }
        text
    }
}

impl From<VerifyReport> for Verified {
    fn from(report: VerifyReport) -> Self {
        let VerifyReport { records, documents, repositories, tags, findings, .. } = report;
        let findings: Vec<_> = findings.into_iter().map(FindingRow::from).collect();
        Self { sound: findings.is_empty(), records, documents, repositories, tags, findings }
    }
}

impl From<Finding> for FindingRow {
    fn from(finding: Finding) -> Self {
        let what_to_do = what_to_do(&finding.place);
        let Finding { repository, place, what, .. } = finding;
        Self { repository, place, finding: what, what_to_do }
    }
}

/// The index can be made anew from the journal; the journal is the truth, and comes back only from a backup.
fn what_to_do(place: &str) -> &'static str {
    match place {
        "index" => "run `tufstore reindex`",
        "heads" => "remove the file journal/checkpoint: the next open makes it anew from the journal",
        _ => "restore the journal's files from a backup; what this finding does not touch can still be read",
    }
}
