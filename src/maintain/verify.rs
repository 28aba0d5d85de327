//! Reads everything and believes nothing: bytes first, then what they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Progress, Stage};
use crate::catalog::{HashKey, State, tags};
use crate::metadata::Limits;
use crate::recover::{self, Attachment};
use crate::storage::{Damage, Record, RecordHeader, RecordKind, Storage, StorageError, Wanted};
use crate::terms::{Position, RepositoryName, RoleName, Sha256};
use crate::trust::{CompleteSet, Reason, Set, believe};

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

impl From<Damage> for Finding {
    fn from(damage: Damage) -> Self {
        let Damage { repository, place, finding } = damage;
        Self { repository, place, what: finding }
    }
}

/// Reads a whole store, and checks that the bytes are those that were written.
pub(crate) fn scrub(
    storage: &dyn Storage,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Option<VerifyReport>, StorageError> {
    let mut report = VerifyReport { records: storage.end().get(), ..VerifyReport::default() };
    let whole = storage.verify(
        &mut |done, all| progress(Progress { stage: Stage::Bytes, done, all }),
        &mut |damage| {
            report.findings.push(damage.into());
        },
    )?;
    Ok(whole.then_some(report))
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
        &mut |done, all| {
            progress(Progress { stage: Stage::Bytes, done, all });
            true
        },
        &mut |damage| {
            findings.push(damage.into());
        },
    )?;
    report.findings = findings;
    let all = storage.end().get();
    let mut believing = Believing { storage, limits, repositories: BTreeMap::new(), documents: 0 };
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
            if let Err(what) = believing.follow(&header) {
                let place = format!("position {}", header.position);
                report.findings.push(Finding { repository: Some(header.repository), place, what });
            }
        }
    }
    report.documents = believing.documents;
    for (repository, life) in believing.repositories {
        report.repositories += 1;
        let compared = match life.state {
            Followed::Wrong => continue,
            Followed::Nothing | Followed::Dropped => Err("what it consists of was dropped".to_owned()),
            Followed::Believed(set) => compare(storage, limits, &repository, *set),
        };
        match compared {
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

/// Verifies records, each on top of those before it.
struct Believing<'a> {
    storage: &'a dyn Storage,
    limits: &'a Limits,
    /// Those that live, as far as the records were read.
    repositories: BTreeMap<RepositoryName, Life>,
    documents: u64,
}

/// One life of a repository.
struct Life {
    /// Of every root that it has published.
    roots: Vec<Sha256>,
    state: Followed,
}

enum Followed {
    /// It begins.
    Nothing,
    /// The newest set.
    Believed(Box<Set>),
    /// Something of the newest set was dropped: it was replaced long ago.
    Dropped,
    /// A record is wrong. What stands on it is not worth a finding of its own, until a new life begins.
    Wrong,
}

impl Believing<'_> {
    fn follow(&mut self, header: &RecordHeader) -> Result<(), String> {
        if header.kind == RecordKind::Settings {
            // Of which whoever embeds the store knows what they say.
            self.documents += count(header.documents.len());
            return Ok(());
        }
        if header.kind == RecordKind::Deletion {
            self.repositories.remove(&header.repository);
            return Ok(());
        }
        let begins = || Life { roots: Vec::new(), state: Followed::Nothing };
        let mut life = self.repositories.remove(&header.repository).unwrap_or_else(begins);
        let roots = header.documents.iter().filter(|document| document.role == RoleName::Root);
        life.roots.extend(roots.map(|root| root.sha256));
        let followed = match life.state {
            Followed::Wrong => Ok(Followed::Wrong),
            Followed::Nothing => self.record(header, None, &life.roots),
            Followed::Believed(before) => self.record(header, Some(&before), &life.roots),
            Followed::Dropped => self.whole(header, &life.roots),
        };
        let (state, finding) = match followed {
            Ok(state) => (state, Ok(())),
            Err(what) => (Followed::Wrong, Err(what)),
        };
        self.repositories.insert(header.repository.clone(), Life { state, ..life });
        finding
    }

    /// A record on top of the set before it.
    fn record(
        &mut self,
        header: &RecordHeader,
        before: Option<&Set>,
        roots: &[Sha256],
    ) -> Result<Followed, String> {
        let record = match self.storage.record(header.position) {
            Err(StorageError::Collected) => return self.whole(header, roots),
            record => record.map_err(explain)?,
        };
        self.documents += count(record.documents.len());
        let offered = complete_set(&record, before)?;
        self.believed(&offered, before, &header.repository)
    }

    /// A record by itself: the set that it completes, from the first root on. Nothing, if something of that was dropped.
    fn whole(&mut self, header: &RecordHeader, roots: &[Sha256]) -> Result<Followed, String> {
        let attachment = self.storage.attachment(header.position).map_err(explain)?;
        if attachment.is_empty() {
            // Of a life that has ended.
            return Ok(Followed::Dropped);
        }
        let attachment = Attachment::decode(&attachment).map_err(explain)?;
        let own = header.documents.iter().filter(|document| document.role != RoleName::Root);
        let own = own.map(|document| (document.role.clone(), document.sha256));
        let roots = roots.iter().map(|sha256| (RoleName::Root, *sha256));
        let carried = attachment.carried.into_iter().filter(|(role, _)| *role != RoleName::Root);
        let (mut chain, mut files) = (Vec::new(), BTreeMap::new());
        for (role, sha256) in roots.chain(own).chain(carried) {
            let wanted = Wanted::Digest(role.clone(), sha256);
            let found = self.storage.find(&header.repository, &wanted).map_err(explain)?;
            let Some(found) = found else { return Ok(Followed::Dropped) };
            if role == RoleName::Root {
                chain.push(found.document.bytes);
            } else {
                files.insert(role, found.document.bytes);
            }
        }
        self.documents += count(header.documents.len());
        let offered = set_of(chain, files)?;
        self.believed(&offered, None, &header.repository)
    }

    fn believed(
        &self,
        offered: &CompleteSet,
        before: Option<&Set>,
        repository: &RepositoryName,
    ) -> Result<Followed, String> {
        match believe(offered, before, repository, self.limits) {
            Ok(believed) => Ok(Followed::Believed(Box::new(believed.set))),
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
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
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
    set_of(roots, files)
}

fn set_of(roots: Vec<Arc<[u8]>>, mut files: BTreeMap<RoleName, Arc<[u8]>>) -> Result<CompleteSet, String> {
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
