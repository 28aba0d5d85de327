//! What nobody needs any more goes, and its bytes with it: documents that were replaced long ago, and lives that ended.
//!
//! What stays: every root; what the newest publication consists of; the last versions of each role, and what was replaced
//! lately; all that a timestamp which has not expired leads to, since a client may hold it; and what any of these is
//! stored as a difference to. That a document was published stays on record. Of settings, the newest stay.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::{Progress, Stage};
use crate::metadata::{FileMeta, Limits, parse_snapshot, parse_timestamp};
use crate::recover::Loader;
use crate::storage::{
    Discard, DocumentAt, Head, RecordHeader, Storage, StorageError, StoredDocument, Wanted,
};
use crate::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime};
use crate::trust::Set;

/// How much of the past is kept of repositories that live. Of those that were deleted, nothing is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Retention {
    /// So many of the last versions of each role: 10 by default.
    pub versions: u64,
    /// What was replaced within so much time: 90 days by default.
    pub age: Duration,
    /// A file of the journal is written anew once about so many hundredths of it may be dropped: 25 by default. With 0, any
    /// byte is worth it: nothing of what may be dropped is left on the disk then.
    pub worth: u8,
}

impl Default for Retention {
    fn default() -> Self {
        Self { versions: 10, age: Duration::from_hours(24 * 90), worth: 25 }
    }
}

impl Retention {
    /// Everything of repositories that live is kept.
    #[must_use]
    pub fn of_everything() -> Self {
        Self { versions: u64::MAX, ..Self::default() }
    }

    /// With another number of versions.
    #[must_use]
    pub fn with_versions(mut self, versions: u64) -> Self {
        self.versions = versions;
        self
    }

    /// With another time.
    #[must_use]
    pub fn with_age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// With another worth of writing a file anew.
    #[must_use]
    pub fn with_worth(mut self, hundredths: u8) -> Self {
        self.worth = hundredths;
        self
    }
}

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CollectReport {
    /// Documents of repositories that live which are not kept, those dropped before included.
    pub documents: u64,
    /// By how much the journal became smaller.
    pub freed_bytes: u64,
}

/// One document of a life.
struct Item {
    at: DocumentAt,
    sha256: Sha256,
    length: u64,
    /// When the next one of its role came; `None` for the newest.
    replaced: Option<UnixTime>,
}

/// Every document of one life, by role, oldest first.
type Items = BTreeMap<RoleName, Vec<Item>>;

/// Collects in a whole store. `progress` is asked between steps whether to go on, and may take its time to answer.
pub(crate) fn collect(
    loader: &Loader,
    retention: &Retention,
    now: UnixTime,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<CollectReport, StorageError> {
    let storage = &*loader.storage;
    let mut report = CollectReport::default();
    let (mut dropped, mut damaged) = (Vec::new(), None);
    if retention.versions < u64::MAX {
        let names = loader.catalog.names();
        let all = count(names.len());
        for (done, repository) in (0..).zip(&names) {
            if !progress(Progress { stage: Stage::Choosing, done, all }) {
                return Ok(report);
            }
            match of_repository(loader, repository, retention, now) {
                Ok(of_repository) => dropped.extend(of_repository),
                // All of it is kept, and the others are collected.
                Err(error) if error.is_of_damage() => {
                    tracing::warn!(%error, %repository, "nothing of it is collected: it is damaged");
                    damaged.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
    }
    match of_settings(storage) {
        Ok(of_settings) => dropped.extend(of_settings),
        Err(error) if error.is_of_damage() => {
            tracing::warn!(%error, "no settings are collected: they are damaged");
            damaged.get_or_insert(error);
        }
        Err(error) => return Err(error),
    }
    dropped.sort_unstable();
    report.documents = count(dropped.len());
    let may = |header: &RecordHeader| match storage.head(&header.repository) {
        Some(head) if has_ended(&head, header) => Discard::all(header),
        _ => Discard { documents: of_record(&dropped, header.position), attachment: false },
    };
    let part = 100_u64.checked_div(retention.worth.into()).unwrap_or(u64::MAX);
    report.freed_bytes = storage
        .compact(&may, part, &mut |done, all| progress(Progress { stage: Stage::Compacting, done, all }))?;
    damaged.map_or(Ok(report), Err)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Whether the life of a record is over.
fn has_ended(head: &Head, record: &RecordHeader) -> bool {
    head.incarnation > record.incarnation || (head.incarnation == record.incarnation && head.deleted)
}

fn of_record(dropped: &[DocumentAt], position: Position) -> Vec<u32> {
    let start = dropped.partition_point(|at| at.position < position);
    let rest = dropped.get(start..).unwrap_or_default();
    rest.iter().take_while(|at| at.position == position).map(|at| at.number).collect()
}

/// The documents of a repository that are not kept.
fn of_repository(
    loader: &Loader,
    repository: &RepositoryName,
    retention: &Retention,
    now: UnixTime,
) -> Result<Vec<DocumentAt>, StorageError> {
    let storage = &*loader.storage;
    // Before its history is read: what is published meanwhile is newer than all that goes.
    let Some(current) = loader.glance(repository)? else { return Ok(Vec::new()) };
    let Some(positions) = storage.positions(repository) else {
        tracing::warn!(%repository, "nothing of it is collected: the index does not know all that it published");
        return Ok(Vec::new());
    };
    let Some(items) = items(storage, repository, current.state.incarnation, &positions)? else {
        tracing::warn!(%repository, "nothing of it is collected: the index takes records for its own that are not");
        return Ok(Vec::new());
    };
    let mut kept: HashSet<DocumentAt> = HashSet::new();
    for (role, items) in &items {
        let newest = usize::try_from(retention.versions.max(1)).unwrap_or(usize::MAX);
        let last = items.iter().rev().take(newest);
        let lately = items.iter().filter(|item| item.replaced.is_none_or(|at| at.until(now) < retention.age));
        kept.extend(last.chain(lately).map(|item| item.at));
        if *role == RoleName::Root {
            kept.extend(items.iter().map(|item| item.at));
        }
    }
    kept.extend(of_set(&items, &current.state.set));
    kept.extend(within_reach(storage, &loader.limits, repository, &items, now)?);
    let mut sorted: Vec<_> = kept.iter().copied().collect();
    sorted.sort_unstable();
    kept.extend(storage.standing_on(&sorted)?);
    let all = items.into_values().flatten().map(|item| item.at);
    Ok(all.filter(|at| !kept.contains(at)).collect())
}

/// All settings but the newest, which alone say anything still: what was taken away from somebody is not kept.
fn of_settings(storage: &dyn Storage) -> Result<Vec<DocumentAt>, StorageError> {
    let settings = RepositoryName::of_settings();
    let Some(head) = storage.head(&settings) else { return Ok(Vec::new()) };
    let positions = storage.positions(&settings).unwrap_or_default();
    let Some(items) = items(storage, &settings, head.incarnation, &positions)? else { return Ok(Vec::new()) };
    let items: Vec<_> = items.into_values().flatten().map(|item| item.at).collect();
    let Some(newest) = items.last() else { return Ok(Vec::new()) };
    let kept = storage.standing_on(&[*newest])?;
    Ok(items.iter().copied().filter(|at| at != newest && !kept.contains(at)).collect())
}

/// `None` if these are not the Positions of that life, each of its publications after the one before.
fn items(
    storage: &dyn Storage,
    repository: &RepositoryName,
    incarnation: Incarnation,
    positions: &[Position],
) -> Result<Option<Items>, StorageError> {
    let mut items = Items::new();
    let mut revision = Revision::NONE;
    for position in positions {
        let before = Position::new(position.get().saturating_sub(1));
        let header = storage.headers(before, 1)?.pop();
        let is_next = |header: &RecordHeader| {
            header.position == *position
                && header.repository == *repository
                && header.incarnation == incarnation
                && header.revision == revision.next()
        };
        let Some(header) = header.filter(is_next) else { return Ok(None) };
        revision = header.revision;
        for (number, document) in (0..).zip(header.documents) {
            let of_role = items.entry(document.role).or_default();
            if let Some(last) = of_role.last_mut() {
                last.replaced = Some(header.time);
            }
            let at = DocumentAt { position: header.position, number };
            let (sha256, length) = (document.sha256, document.length);
            of_role.push(Item { at, sha256, length, replaced: None });
        }
    }
    Ok(Some(items))
}

/// What the newest publication consists of.
fn of_set<'i>(items: &'i Items, set: &'i Set) -> impl Iterator<Item = DocumentAt> + 'i {
    set.documents().flat_map(|document| {
        let of_role = items.get(document.role()).into_iter().flatten();
        of_role.filter(|item| item.sha256 == *document.sha256()).map(|item| item.at)
    })
}

/// Every timestamp that has not expired, and what it leads to.
fn within_reach(
    storage: &dyn Storage,
    limits: &Limits,
    repository: &RepositoryName,
    items: &Items,
    now: UnixTime,
) -> Result<HashSet<DocumentAt>, StorageError> {
    let read = |role: &RoleName, sha256: Sha256| {
        storage
            .find(repository, &Wanted::Digest(role.clone(), sha256))
            .map(|found| found.map(|found| found.document))
    };
    let mut reached = HashSet::new();
    let mut snapshots = HashSet::new();
    for item in items.get(&RoleName::Timestamp).into_iter().flatten() {
        let Some(StoredDocument { bytes, .. }) = read(&RoleName::Timestamp, item.sha256)? else { continue };
        let Ok(timestamp) = parse_timestamp(bytes, limits) else { continue };
        if timestamp.expires() >= now {
            reached.insert(item.at);
            snapshots.extend(named(items, &RoleName::Snapshot, &timestamp.unverified().snapshot));
        }
    }
    for item in items.get(&RoleName::Snapshot).into_iter().flatten() {
        if !snapshots.contains(&item.at) {
            continue;
        }
        let Some(StoredDocument { bytes, .. }) = read(&RoleName::Snapshot, item.sha256)? else { continue };
        let Ok(snapshot) = parse_snapshot(bytes, limits) else { continue };
        for (role, meta) in &snapshot.unverified().meta {
            reached.extend(named(items, role, meta));
        }
    }
    reached.extend(snapshots);
    Ok(reached)
}

/// The documents of `role` that may be meant. Where only a digest of another kind is given, its length decides.
fn named<'i>(items: &'i Items, role: &RoleName, meta: &'i FileMeta) -> impl Iterator<Item = DocumentAt> + 'i {
    let of_role = items.get(role).into_iter().flatten();
    let meant = of_role
        .filter(|item| item.length == meta.length && meta.sha256.is_none_or(|sha256| sha256 == item.sha256));
    meant.map(|item| item.at)
}
