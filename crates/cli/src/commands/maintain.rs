//! What an operator asks of a whole store.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use tufstore::StorageError;
use tufstore::terms::RepositoryName;
use tufstore_server::admin::{
    self, Acknowledged, Collect, FindingEntry, Holds, Question, Reindex, Scrub, Status, StatusEntry, Verify,
};

use crate::clock::Stopwatch;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::store::{self, Reached};
use crate::{acks, args};

#[derive(Serialize)]
struct Reindexed {
    records: u64,
    seconds: f64,
}

/// `tufstore reindex`
pub(crate) fn reindex(args: &args::Reindex, output: Output) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let store = match args.index {
        Some(kind) => store::open_with_index(&args.store, kind.into())?,
        None => store::reach(&args.store)?,
    };
    let records = asked(&store, Reindex {})?.records;
    store.close()?;
    let seconds = watch.elapsed().as_secs_f64();
    let text = format!("the index is made anew from {records} records, in {seconds:.1} s");
    output.result(&Reindexed { records, seconds }, text)
}

/// Asks what takes its time, behind a bar.
pub(super) fn asked<Q: Question>(store: &Reached, question: Q) -> Result<Q::Answer, Failure> {
    let bar = output::bar("beginning", 0);
    let answer = store.ask_for_long(question, &mut |progress| {
        bar.set_message(progress.doing);
        bar.set_length(progress.all);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    answer
}

/// How a store is, and who answers for it.
#[derive(Serialize)]
struct Condition {
    #[serde(flatten)]
    status: StatusEntry,
    /// The server that has it open, if one has.
    server: Option<Serving>,
}

#[derive(Serialize)]
struct Serving {
    version: String,
    process: u32,
}

/// `tufstore status`
pub(crate) fn status(args: &args::Status, output: Output) -> Result<(), Failure> {
    let store = store::reach(&args.store)?;
    let status = store.ask(Status {})?;
    let server = match &store {
        Reached::Folder(_) => None,
        Reached::Server(connection) => {
            let connection = connection.lock();
            Some(Serving { version: connection.version().to_owned(), process: connection.process() })
        }
    };
    store.close()?;
    let yes = |yes| if yes { "yes" } else { "NO" }.to_owned();
    let text = output::facts(&[
        ("repositories", output::number(status.repositories)),
        ("position", output::number(status.position.get())),
        ("journal", output::size(status.journal_bytes)),
        ("index", format!("{}, in {}", output::size(status.index_bytes), status.index)),
        ("index is behind by", format!("{} commits", output::number(status.index_behind))),
        ("index counts what the journal holds", yes(status.index_relied_on)),
        ("takes writes", yes(status.takes_writes)),
        ("opened by", server.as_ref().map_or_else(|| "this command".to_owned(), Serving::text)),
    ]);
    output.result(&Condition { status, server }, text)
}

impl Serving {
    fn text(&self) -> String {
        format!("the server of process {}, tufstore {}", self.process, self.version)
    }
}

#[derive(Serialize)]
struct Collected {
    documents: u64,
    freed_bytes: u64,
    journal_bytes: u64,
}

/// `tufstore collect`
pub(crate) fn collect(args: &args::Collect, output: Output) -> Result<(), Failure> {
    let store = store::reach(&args.store)?;
    let versions = if args.deleted_only { u64::MAX } else { args.versions };
    let collected = asked(&store, Collect { versions, age: args.age.as_secs(), worth: args.worth })?;
    if collected.freed_bytes > 0 && matches!(store, Reached::Folder(_)) {
        // What ended takes no room in a new one. In a server, publishers would have to wait for that.
        asked(&store, Reindex {})?;
    }
    let journal_bytes = store.ask(Status {})?.journal_bytes;
    store.close()?;
    let admin::Collected { documents, freed_bytes, .. } = collected;
    let text = output::facts(&[
        ("documents that are not kept", output::number(documents)),
        ("freed", output::size(freed_bytes)),
        ("journal", output::size(journal_bytes)),
    ]);
    output.result(&Collected { documents, freed_bytes, journal_bytes }, text)
}

#[derive(Default, Serialize)]
struct Verified {
    sound: bool,
    records: u64,
    documents: u64,
    repositories: u64,
    tags: u64,
    /// Against the file of acknowledgements, if one was given.
    acknowledged: Option<AcknowledgedRow>,
    findings: Vec<FindingRow>,
}

#[derive(Default, Serialize)]
struct AcknowledgedRow {
    documents: u64,
    whole: u64,
    /// Dropped by a collection.
    collected: u64,
    /// Of lives that ended since.
    ended: u64,
    lost: u64,
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
    let acknowledged = args.acks.as_deref().map(acks::read).transpose()?;
    checked(&folder, &args.kept, output, |store| {
        let mut verified = Verified::from(asked(store, Verify {})?);
        if let Some(acknowledged) = acknowledged {
            verified.hold(store, acknowledged)?;
        }
        Ok(verified)
    })
}

/// `tufstore scrub`
pub(crate) fn scrub(args: &args::Scrub, output: Output) -> Result<(), Failure> {
    checked(&args.store.data, &args.store.kept, output, |store| {
        let report = asked(store, Scrub {})?;
        // Of the rest, a scrub knows nothing.
        Ok(Verified { repositories: store.ask(Status {})?.repositories, ..Verified::from(report) })
    })
}

/// Shows what a check of a whole store says.
fn checked(
    folder: &Path,
    kept: &args::Kept,
    output: Output,
    check: impl FnOnce(&Reached) -> Result<Verified, Failure>,
) -> Result<(), Failure> {
    let verified = match store::reach_in(folder, kept) {
        Ok(store) => {
            let verified = check(&store)?;
            // Whether it can be closed cleanly says nothing about what was found.
            if let Err(failure) = store.close() {
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
        Self { findings: vec![finding], ..Self::default() }
    }

    /// Compares the store with what it acknowledged.
    fn hold(
        &mut self,
        store: &Reached,
        acknowledged: BTreeMap<RepositoryName, Vec<Acknowledged>>,
    ) -> Result<(), Failure> {
        let mut row = AcknowledgedRow::default();
        for (repository, documents) in acknowledged {
            row.documents += count(documents.len());
            let held = asked(store, Holds { repository: repository.clone(), documents })?;
            row.whole += held.whole;
            row.collected += held.collected;
            row.ended += held.ended;
            row.lost += count(held.lost.len());
            self.findings.extend(held.lost.into_iter().map(|lost| {
                let Acknowledged { position, role, version, .. } = lost.document;
                let finding = format!("{role} of version {version} was acknowledged: {}", lost.finding);
                let place = format!("position {position}");
                FindingRow {
                    repository: Some(repository.clone()),
                    what_to_do: what_to_do(&place),
                    place,
                    finding,
                }
            }));
        }
        self.acknowledged = Some(row);
        self.sound = self.findings.is_empty();
        Ok(())
    }

    fn text(&self) -> String {
        let mut facts = vec![
            ("records", output::number(self.records)),
            ("repositories", output::number(self.repositories)),
        ];
        if self.documents > 0 {
            facts.push(("documents", output::number(self.documents)));
            facts.push(("tags", output::number(self.tags)));
        }
        if let Some(acknowledged) = &self.acknowledged {
            let AcknowledgedRow { documents, whole, collected, ended, lost } = acknowledged;
            facts.extend([
                ("acknowledged documents", output::number(*documents)),
                ("of these, whole", output::number(*whole)),
                ("dropped by a collection", output::number(*collected)),
                ("of lives that ended since", output::number(*ended)),
                ("lost", output::number(*lost)),
            ]);
        }
        facts.push(("sound", if self.sound { "yes" } else { "NO" }.to_owned()));
        let mut text = output::facts(&facts);
        for FindingRow { repository, place, finding, what_to_do } in &self.findings {
            let of = repository.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            text = format!("{text}\n\n{place}{of}: {finding}\n  what to do: {what_to_do}");
        }
        text
    }
}

impl From<admin::Verified> for Verified {
    fn from(report: admin::Verified) -> Self {
        let admin::Verified { records, documents, repositories, tags, findings, .. } = report;
        let findings: Vec<_> = findings.into_iter().map(FindingRow::from).collect();
        let sound = findings.is_empty();
        Self { sound, records, documents, repositories, tags, acknowledged: None, findings }
    }
}

impl From<FindingEntry> for FindingRow {
    fn from(finding: FindingEntry) -> Self {
        let what_to_do = what_to_do(&finding.place);
        let FindingEntry { repository, place, what, .. } = finding;
        Self { repository, place, finding: what, what_to_do }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The index can be made anew from the journal; the journal is the truth, and comes back only from a backup.
fn what_to_do(place: &str) -> &'static str {
    match place {
        "index" => "run `tufstore reindex`",
        "heads" => "remove the file journal/checkpoint: the next open makes it anew from the journal",
        _ => "restore a backup, or save what can be read with `tufstore repair`",
    }
}
