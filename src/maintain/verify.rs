//! Reads everything and believes nothing: bytes first, then what they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{HashKey, State, tags};
use crate::metadata::Limits;
use crate::recover::{self, Attachment};
use crate::storage::{Record, RecordHeader, RecordKind, Storage, StorageError};
use crate::terms::{Position, RepositoryName, RoleName, Sha256};
use crate::trust::{CompleteSet, Reason, Set, believe};

/// How far a verification is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being checked.
    pub stage: Stage,
    /// Records done.
    pub done: u64,
    /// Records in all.
    pub all: u64,
}

/// What a verification checks, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// Checksums, the chain of headers, digests, and the index against the journal.
    Bytes,
    /// Signatures and rules of every publication, on top of the one before.
    Trust,
}

/// What a verification found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Records read.
    pub records: u64,
    /// Documents whose signatures were verified.
    pub documents: u64,
    /// Repositories that live.
    pub repositories: u64,
    /// Tags that they resolve.
    pub tags: u64,
    /// What is wrong; empty for a sound store.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The repository that it concerns, where that is known.
    pub repository: Option<RepositoryName>,
    /// File and offset, position, or the index's entry.
    pub place: String,
    /// What was expected and found.
    pub what: String,
}

/// Verifies a whole store.
pub(crate) fn verify(
    storage: &dyn Storage,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<VerifyReport, StorageError> {
    let mut report = VerifyReport::default();
    let mut findings = Vec::new();
    storage.verify(
        &mut |done, all| progress(Progress { stage: Stage::Bytes, done, all }),
        &mut |damage| {
            findings.push(Finding {
                repository: damage.repository,
                place: damage.place,
                what: damage.finding,
            });
        },
    )?;
    report.findings = findings;
    let all = storage.end().get();
    let mut repositories = BTreeMap::new();
    let mut after = Position::START;
    loop {
        let page = match storage.headers(after, 256) {
            Ok(page) => page,
            // The journal's own check has told of it; nothing after it can be placed.
            Err(_) if !report.findings.is_empty() => return Ok(report),
            Err(error) => return Err(error),
        };
        let Some(last) = page.last() else { break };
        after = last.position;
        for header in page {
            report.records += 1;
            progress(Progress { stage: Stage::Trust, done: header.position.get(), all });
            if let Err(what) = follow(storage, limits, &header, &mut repositories, &mut report.documents) {
                let place = format!("position {}", header.position);
                report.findings.push(Finding { repository: Some(header.repository), place, what });
            }
        }
    }
    for (repository, followed) in repositories {
        report.repositories += 1;
        let Some(followed) = followed else { continue };
        match compare(storage, limits, &repository, followed) {
            Ok(tags) => report.tags += tags,
            Err(what) => report.findings.push(Finding {
                repository: Some(repository),
                place: "newest state".to_owned(),
                what,
            }),
        }
    }
    Ok(report)
}

/// Verifies one record on top of those before it.
fn follow(
    storage: &dyn Storage,
    limits: &Limits,
    header: &RecordHeader,
    repositories: &mut BTreeMap<RepositoryName, Option<Set>>,
    documents: &mut u64,
) -> Result<(), String> {
    let before = repositories.remove(&header.repository);
    if header.kind == RecordKind::Deletion {
        return Ok(());
    }
    // What stands on a record that is wrong is not worth a finding of its own: it is wrong until a new life begins.
    repositories.insert(header.repository.clone(), None);
    if matches!(before, Some(None)) {
        return Ok(());
    }
    let before = before.flatten();
    let record = storage.record(header.position).map_err(explain)?;
    *documents += u64::try_from(record.documents.len()).unwrap_or(u64::MAX);
    let offered = complete_set(&record, before.as_ref())?;
    match believe(&offered, before.as_ref(), &header.repository, limits) {
        Ok(believed) => {
            repositories.insert(header.repository.clone(), Some(believed.set));
            Ok(())
        }
        Err(disbelief) => Err(format!(
            "{}: {}",
            disbelief.role,
            match disbelief.why {
                Reason::Malformed(error) => explain(error),
                Reason::NoRoot => "there is no root".to_owned(),
                Reason::Untrusted(error) => explain(error),
            }
        )),
    }
}

/// The whole set as it was after `record`: its own files and those that it says are carried along.
fn complete_set(record: &Record, before: Option<&Set>) -> Result<CompleteSet, String> {
    let attachment = Attachment::decode(&record.attachment).map_err(explain)?;
    let mut roots = Vec::new();
    let mut files: BTreeMap<RoleName, Arc<[u8]>> = BTreeMap::new();
    let carried = |role: &RoleName, sha256: &Sha256| {
        let document =
            before.and_then(|set| set.document(role)).filter(|document| document.sha256() == sha256);
        document.map(|document| document.bytes().clone())
    };
    for (role, sha256) in &attachment.carried {
        let bytes = carried(role, sha256).ok_or_else(|| format!("{role} is carried along from nowhere"))?;
        files.insert(role.clone(), bytes);
    }
    for document in &record.documents {
        if document.role == RoleName::Root {
            roots.push(document.bytes.clone());
        } else {
            files.insert(document.role.clone(), document.bytes.clone());
        }
    }
    files.remove(&RoleName::Root);
    let mut take = |role: RoleName| files.remove(&role).ok_or_else(|| format!("{role} is missing"));
    let (timestamp, snapshot) = (take(RoleName::Timestamp)?, take(RoleName::Snapshot)?);
    let targets = take(RoleName::Targets)?;
    let set = CompleteSet::new(roots, timestamp, snapshot, targets);
    Ok(files.into_iter().fold(set, |set, (role, bytes)| set.with(role, bytes)))
}

/// Compares the state that is served with the one that was just derived from the signatures, tag by tag.
fn compare(
    storage: &dyn Storage,
    limits: &Limits,
    repository: &RepositoryName,
    followed: Set,
) -> Result<u64, String> {
    let head = storage.head(repository).ok_or("it has no head")?;
    let key = HashKey::new(storage.hash_key());
    let served = recover::load(storage, limits, &key, repository, &head).map_err(explain)?;
    let published = served.state.published;
    let derived = State::new(head.incarnation, head.revision, published, followed, [].into(), &key, None);
    let same_files = served.state.set.documents().eq(derived.set.documents());
    if !same_files || served.state.tags != derived.tags {
        return Err("what is served is not what the signatures say".to_owned());
    }
    let mut prebuilt = Ok(());
    storage.prebuilt(repository, &mut |standing, table| {
        prebuilt = derived.tags.check_prebuilt(repository, head.position, standing, table);
    });
    prebuilt?;
    Ok(u64::try_from(tags(&derived.set).len()).unwrap_or(u64::MAX))
}

fn explain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
