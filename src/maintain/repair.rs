//! A whole store from what can be read of a damaged one.
//!
//! Publications are taken over one by one, in their order: those of which every document can be read, and every file that
//! they carry along. Lives keep their incarnations. Positions begin after all that there ever were, so that whoever follows the
//! feed hears of everything again and misses nothing; revisions are counted anew.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{Finding, Progress, Stage};
use crate::recover::{Attachment, Online};
use crate::storage::{
    Building, Commit, Record, RecordHeader, RecordKind, Salvage, SalvagedRecord, Storage, StorageError,
    StoredDocument, Wanted,
};
use crate::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime};

/// What a repair saved, and what it could not.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RepairReport {
    /// Publications and deletions that are in the new store.
    pub saved: u64,
    /// The Positions of the old store that nothing was saved of, from the first to the last of each gap.
    pub gaps: Vec<(Position, Position)>,
    /// What could not be saved, and what is damaged.
    pub findings: Vec<Finding>,
}

/// One life of a repository, as far as it was taken over.
struct Life {
    incarnation: Incarnation,
    revision: Revision,
    ended: bool,
    /// When its newest publication was, if a collection left only the record of it: the life had ended then.
    dropped: Option<UnixTime>,
    /// Every document of it, bytes or not.
    documents: HashSet<(RoleName, Sha256)>,
    /// The newest of each role: what the next one is probably alike.
    newest: HashMap<RoleName, Sha256>,
    /// Where records that hold online keys stood and stand.
    keys: HashMap<Position, Position>,
}

impl Life {
    fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            revision: Revision::NONE,
            ended: false,
            dropped: None,
            documents: HashSet::new(),
            newest: HashMap::new(),
            keys: HashMap::new(),
        }
    }
}

struct Repair<'a> {
    salvage: &'a Salvage,
    building: &'a Building,
    lives: HashMap<RepositoryName, Life>,
    report: RepairReport,
}

/// Makes a store in `to` from what can be read of the one in `from`, which is left as it is.
pub(crate) fn repair(
    from: &Path,
    to: &Path,
    along: &[(String, Vec<u8>)],
    progress: &mut dyn FnMut(Progress),
) -> Result<RepairReport, StorageError> {
    let salvage = Salvage::of(from)?;
    let building = Building::begin(to)?;
    building.storage().skip_to(salvage.newest)?;
    let findings = salvage.damages.iter().cloned().map(Finding::from).collect();
    let report = RepairReport { findings, ..RepairReport::default() };
    let mut repair = Repair { salvage: &salvage, building: &building, lives: HashMap::new(), report };
    let all = u64::try_from(salvage.headers.len()).unwrap_or(u64::MAX);
    let mut expected = Position::START.next();
    for (done, header) in (1..).zip(&salvage.headers) {
        if header.position > expected {
            let last = Position::new(header.position.get().saturating_sub(1));
            repair.report.gaps.push((expected, last));
        }
        expected = header.position.next();
        repair.take(header)?;
        progress(Progress { stage: Stage::Repairing, done, all });
    }
    if salvage.newest >= expected {
        repair.report.gaps.push((expected, salvage.newest));
    }
    repair.end_dropped()?;
    let report = repair.report;
    for (name, bytes) in along {
        building.put(name, bytes)?;
    }
    building.finish()?;
    Ok(report)
}

impl Repair<'_> {
    /// Takes a record over, or says why not.
    fn take(&mut self, header: &RecordHeader) -> Result<(), StorageError> {
        let living = self.lives.get(&header.repository).filter(|life| !life.ended);
        let living = living.map(|life| life.incarnation);
        if living.is_some_and(|incarnation| incarnation < header.incarnation) {
            // The deletion that came between is lost.
            self.end(&header.repository, header.time)?;
        }
        if header.kind == RecordKind::Deletion {
            let lives = living == Some(header.incarnation);
            return if lives { self.end(&header.repository, header.time) } else { Ok(()) };
        }
        match self.salvage.record(header) {
            Ok(record) => self.publication(header, record),
            Err(error @ StorageError::Io { .. }) => Err(error),
            Err(error) => {
                self.lost(header, error.to_string());
                Ok(())
            }
        }
    }

    /// Ends the lives whose end is lost, and of which nothing is left.
    fn end_dropped(&mut self) -> Result<(), StorageError> {
        let dropped = |(name, life): (&RepositoryName, &Life)| {
            life.dropped.filter(|_| !life.ended).map(|time| (name.clone(), time))
        };
        let mut left: Vec<_> = self.lives.iter().filter_map(dropped).collect();
        left.sort();
        left.into_iter().try_for_each(|(name, time)| self.end(&name, time))
    }

    fn lost(&mut self, header: &RecordHeader, what: String) {
        let place = format!("position {}", header.position);
        self.report.findings.push(Finding { repository: Some(header.repository.clone()), place, what });
    }

    fn end(&mut self, repository: &RepositoryName, time: UnixTime) -> Result<(), StorageError> {
        let Some(life) = self.lives.get_mut(repository) else { return Ok(()) };
        let base = Some((life.incarnation, life.revision));
        life.revision = life.revision.next();
        life.ended = true;
        let record = Record {
            kind: RecordKind::Deletion,
            repository: repository.clone(),
            incarnation: life.incarnation,
            revision: life.revision,
            time,
            timestamp: None,
            documents: Vec::new(),
            attachment: Vec::new().into(),
        };
        self.building.storage().commit_alone(Commit { base, replaced: Vec::new(), record })?;
        self.report.saved += 1;
        Ok(())
    }

    fn publication(&mut self, header: &RecordHeader, mut record: SalvagedRecord) -> Result<(), StorageError> {
        // What a collection left of an ended life has no use for one.
        let attachment = if record.attachment.is_empty() {
            None
        } else {
            match Attachment::decode(&record.attachment) {
                Ok(attachment) => Some(attachment),
                Err(error) => {
                    self.lost(header, error.to_string());
                    return Ok(());
                }
            }
        };
        let known = self.lives.get(&header.repository);
        let before = known.filter(|life| !life.ended && life.incarnation == header.incarnation);
        let carried = attachment.as_ref().map(|attachment| &attachment.carried).into_iter().flatten();
        let missing = carried.into_iter().find(|(role, sha256)| {
            !before.is_some_and(|life| life.documents.contains(&(role.clone(), *sha256)))
        });
        if let Some((role, sha256)) = missing {
            let what = format!("it goes on with {role} {sha256}, which is lost");
            self.lost(header, what);
            return Ok(());
        }
        let (base, revision) = match (known, before) {
            (_, Some(life)) => (Some((life.incarnation, life.revision)), life.revision.next()),
            (Some(ended), None) => (Some((ended.incarnation, ended.revision)), Revision::NONE.next()),
            (None, None) => (None, Revision::NONE.next()),
        };
        if let Some(mut attachment) = attachment {
            if let Online::At(position) = attachment.online {
                attachment.online = match before.and_then(|life| life.keys.get(&position)) {
                    Some(position) => Online::At(*position),
                    None => Online::None,
                };
                if attachment.online == Online::None {
                    let what = "the online keys that signed it are lost: keys that were derived are found again, others have to be rotated";
                    self.lost(header, what.to_owned());
                }
            }
            record.attachment = attachment.encode()?;
        }
        let position = self.commit(header, &record, base, revision)?;
        let begins = self.lives.get(&header.repository).is_none_or(|life| life.ended);
        if begins {
            self.lives.insert(header.repository.clone(), Life::new(header.incarnation));
        }
        let Some(life) = self.lives.get_mut(&header.repository) else { return Ok(()) };
        life.revision = revision;
        life.dropped = record.attachment.is_empty().then_some(header.time);
        life.keys.insert(header.position, position);
        life.documents
            .extend(header.documents.iter().map(|document| (document.role.clone(), document.sha256)));
        for document in record.documents.iter().flatten() {
            life.newest.insert(document.role.clone(), document.sha256);
        }
        self.report.saved += 1;
        Ok(())
    }

    fn commit(
        &self,
        header: &RecordHeader,
        record: &SalvagedRecord,
        base: Option<(Incarnation, Revision)>,
        revision: Revision,
    ) -> Result<Position, StorageError> {
        let storage = self.building.storage();
        let documents: Vec<_> = record.documents.iter().flatten().cloned().collect();
        if documents.len() < record.documents.len() {
            return storage.commit_dropped(RecordHeader { revision, ..header.clone() }, record);
        }
        let before = self.lives.get(&header.repository).filter(|life| !life.ended);
        let mut replaced = Vec::new();
        for StoredDocument { role, .. } in &documents {
            if let Some(newest) = before.and_then(|life| life.newest.get(role)) {
                let found = storage.find(&header.repository, &Wanted::Digest(role.clone(), *newest))?;
                replaced.extend(found.map(|found| found.document));
            }
        }
        let commit = Commit {
            base,
            replaced,
            record: Record {
                kind: header.kind,
                repository: header.repository.clone(),
                incarnation: header.incarnation,
                revision,
                time: header.time,
                timestamp: header.timestamp,
                documents,
                attachment: record.attachment.clone(),
            },
        };
        storage.commit_alone(commit)
    }
}
