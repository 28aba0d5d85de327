//! A whole store from what can be read of a damaged one.
//!
//! Publications are taken over one by one, in their order: those of which every document can be read, and every file that
//! they carry along. Lives keep their incarnations. Positions begin after all that there ever were, so that whoever follows the
//! feed hears of everything again and misses nothing; revisions are counted anew.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::{Finding, Progress, Stage};
use crate::recover::{Attachment, Online};
use crate::storage::{
    Building, Commit, Record, RecordHeader, RecordKind, Salvage, SalvagedRecord, Storage, StorageError,
    StoredDocument, Wanted, Witnessed,
};
use crate::terms::{Incarnation, Note, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime};

/// What to repair, and to where.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "written as a literal")]
pub struct Repair {
    /// The damaged store's folder, which is left as it is.
    pub from: PathBuf,
    /// The new store's folder; nothing may be in it.
    pub to: PathBuf,
    /// Files to put into it, by name; a `/` in a name leads into a folder there.
    pub files: Vec<(String, Vec<u8>)>,
    /// No record had a Position above this one, where somebody knows better than what can be read: an anchor, or who follows
    /// the changes.
    pub position_above: Option<Position>,
    /// Leave the settings out, whatever of them can be read: the new store has none.
    pub forget_settings: bool,
}

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
    /// When its newest publication was, if not all that it consists of is there: the life had ended when that was dropped, or
    /// what came after it is lost.
    dropped: Option<UnixTime>,
    /// Every document of it, and whether its bytes are there.
    documents: HashMap<(RoleName, Sha256), bool>,
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
            documents: HashMap::new(),
            newest: HashMap::new(),
            keys: HashMap::new(),
        }
    }
}

struct Repairing<'a> {
    salvage: &'a Salvage,
    building: &'a Building,
    lives: HashMap<RepositoryName, Life>,
    /// The newest life that any header tells of, of each repository, and when.
    heard: BTreeMap<RepositoryName, (Incarnation, UnixTime)>,
    settings: Settings,
    report: RepairReport,
}

/// The settings, as far as they were taken over. The record of each stays, with what is noted of it.
struct Settings {
    /// Of the newest that are whole.
    newest: Option<Position>,
    /// Whether a later one is lost, or any, where none is whole.
    lost: bool,
    forgotten: bool,
}

/// Makes a store from what can be read of another one.
pub(crate) fn repair(
    asked: &Repair,
    progress: &mut dyn FnMut(Progress),
) -> Result<RepairReport, StorageError> {
    let Repair { from, to, files, position_above, forget_settings } = asked;
    let building = Building::begin(to)?;
    let salvage = building.salvage(from)?;
    let newest = salvage.newest.max(position_above.unwrap_or(Position::START));
    if i64::try_from(newest.get()).is_err() {
        let doing = format!("going on above position {newest}, which leaves no room");
        return Err(StorageError::io(doing, std::io::ErrorKind::InvalidInput.into()));
    }
    building.storage().skip_to(newest)?;
    let findings = salvage.damages.iter().cloned().map(Finding::from).collect();
    let report = RepairReport { findings, ..RepairReport::default() };
    let newest_settings = newest_settings(&salvage);
    let mut repair = Repairing {
        salvage: &salvage,
        building: &building,
        lives: HashMap::new(),
        heard: BTreeMap::new(),
        settings: Settings {
            lost: salvage.had_settings && newest_settings.is_none(),
            newest: newest_settings,
            forgotten: *forget_settings,
        },
        report,
    };
    let all = u64::try_from(salvage.headers.len()).unwrap_or(u64::MAX);
    let mut expected = Position::START.next();
    let mut unreadable: Vec<_> = salvage.unreadable.iter().collect();
    unreadable.sort_by_key(|header| header.position);
    let mut unreadable = unreadable.into_iter().peekable();
    for (done, header) in (1..).zip(&salvage.headers) {
        while let Some(header) = unreadable.next_if(|unreadable| unreadable.position < header.position) {
            repair.hear(header)?;
        }
        if header.position > expected {
            let last = Position::new(header.position.get().saturating_sub(1));
            repair.report.gaps.push((expected, last));
        }
        expected = header.position.next();
        repair.take(header)?;
        progress(Progress { stage: Stage::Repairing, done, all });
    }
    unreadable.try_for_each(|header| repair.hear(header))?;
    if newest >= expected {
        repair.report.gaps.push((expected, newest));
    }
    repair.end_settings()?;
    repair.end_witnessed()?;
    repair.end_dropped()?;
    repair.end_unsaved()?;
    let report = repair.report;
    for (name, bytes) in files {
        building.put(name, bytes)?;
    }
    building.finish()?;
    Ok(report)
}

fn newest_settings(salvage: &Salvage) -> Option<Position> {
    let of_settings = salvage.headers.iter().rev().filter(|header| header.kind == RecordKind::Settings);
    let is_whole = |header: &&RecordHeader| {
        salvage.record(header).is_ok_and(|record| record.documents.iter().all(Option::is_some))
    };
    of_settings.into_iter().find(is_whole).map(|header| header.position)
}

impl Repairing<'_> {
    /// Ends what a header says has ended, if nothing else of its record is used.
    fn hear(&mut self, header: &RecordHeader) -> Result<(), StorageError> {
        if header.kind == RecordKind::Settings {
            return self.settings(header);
        }
        let ended = header.kind == RecordKind::Deletion;
        self.hear_of(&header.repository, header.incarnation, ended, header.time, header.note.as_ref())
    }

    /// Ends a life that had ended when that one lived, or with that one.
    fn hear_of(
        &mut self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        ended: bool,
        time: UnixTime,
        note: Option<&Note>,
    ) -> Result<(), StorageError> {
        let heard = self.heard.entry(repository.clone()).or_insert((incarnation, time));
        *heard = (*heard).max((incarnation, time));
        let living = self.lives.get(repository).filter(|life| !life.ended);
        let Some(living) = living.map(|life| life.incarnation) else { return Ok(()) };
        // Where a later life began, the deletion that came between is lost.
        let ends = living < incarnation || (living == incarnation && ended);
        // The note is of the very record that ended it.
        let note = note.filter(|_| living == incarnation).cloned();
        if ends { self.end(repository, time, note) } else { Ok(()) }
    }

    /// Ends what the checkpoint has seen end: the record that said so may be one that cannot be read.
    fn end_witnessed(&mut self) -> Result<(), StorageError> {
        let salvage = self.salvage;
        for Witnessed { repository, incarnation, ended, time } in &salvage.heads {
            let heard = self.heard.get(repository);
            if !ended && heard.is_none_or(|(heard, _)| heard < incarnation) {
                self.report.findings.push(Finding {
                    repository: Some(repository.clone()),
                    place: "repository".to_owned(),
                    what: "it lived, and nothing of that life is left: it is deleted".to_owned(),
                });
            }
            self.hear_of(repository, *incarnation, *ended, *time, None)?;
        }
        Ok(())
    }

    /// Takes a record over, or says why not.
    fn take(&mut self, header: &RecordHeader) -> Result<(), StorageError> {
        self.hear(header)?;
        match header.kind {
            RecordKind::Deletion | RecordKind::Settings => return Ok(()),
            RecordKind::Publication | RecordKind::Restoration => {}
        }
        match self.salvage.record(header) {
            Ok(record) => self.publication(header, record),
            Err(error) => {
                self.lost(header, error.to_string());
                Ok(())
            }
        }
    }

    /// Takes the record of settings over, with whatever is left of it.
    fn settings(&mut self, header: &RecordHeader) -> Result<(), StorageError> {
        if self.settings.forgotten {
            return Ok(());
        }
        let dropped =
            || SalvagedRecord { documents: vec![None; header.documents.len()], attachment: [].into() };
        let record = self.salvage.record(header).unwrap_or_else(|_| dropped());
        self.settings.lost |= self.settings.newest < Some(header.position);
        self.commit_settings(header, &record)
    }

    /// Has the newest whole settings hold again, if later ones are lost. If none is whole, nobody is let in by what nobody wrote:
    /// settings without content stand for what is lost, and whoever reads them is refused.
    fn end_settings(&mut self) -> Result<(), StorageError> {
        if !self.settings.lost || self.settings.forgotten {
            return Ok(());
        }
        let newest = self.settings.newest;
        let whole = self.salvage.headers.iter().find(|header| Some(header.position) == newest);
        let what = if let Some(header) = whole {
            let record = self.salvage.record(header)?;
            self.commit_settings(&RecordHeader { note: None, ..header.clone() }, &record)?;
            "some are lost, and those before them hold again: what these changed has to be done anew"
        } else {
            let nothing = SalvagedRecord { documents: Vec::new(), attachment: [].into() };
            let header = RecordHeader {
                position: Position::START,
                kind: RecordKind::Settings,
                repository: RepositoryName::of_settings(),
                incarnation: Incarnation::FIRST,
                revision: Revision::NONE,
                time: UnixTime::from_seconds(0),
                timestamp: None,
                documents: Vec::new(),
                previous: [0; 32],
                note: None,
            };
            self.commit_settings(&header, &nothing)?;
            "none are left that are whole, and the new store cannot be used by what goes by them; repair it anew without settings to begin with none"
        };
        self.report.findings.push(Finding {
            repository: None,
            place: "settings".to_owned(),
            what: what.to_owned(),
        });
        Ok(())
    }

    fn commit_settings(
        &mut self,
        header: &RecordHeader,
        record: &SalvagedRecord,
    ) -> Result<(), StorageError> {
        let head = self.building.storage().head(&header.repository);
        let base = head.map(|head| (head.incarnation, head.revision));
        let revision = base.map_or(Revision::NONE, |(_, revision)| revision).next();
        self.commit(header, record, base, revision)?;
        self.report.saved += 1;
        Ok(())
    }

    /// Ends the newest lives of which nothing was saved: the next one goes on after them.
    fn end_unsaved(&mut self) -> Result<(), StorageError> {
        for (repository, (incarnation, time)) in core::mem::take(&mut self.heard) {
            let life = self.lives.get(&repository);
            if life.is_some_and(|life| life.incarnation >= incarnation) {
                continue;
            }
            let base = life.map(|life| (life.incarnation, life.revision));
            self.commit_end(&repository, base, incarnation, Revision::NONE.next(), time, None)?;
        }
        Ok(())
    }

    /// Ends the lives whose end is lost, and of which not all is left that their newest publication consists of.
    fn end_dropped(&mut self) -> Result<(), StorageError> {
        let dropped = |(name, life): (&RepositoryName, &Life)| {
            life.dropped.filter(|_| !life.ended).map(|time| (name.clone(), time))
        };
        let mut left: Vec<_> = self.lives.iter().filter_map(dropped).collect();
        left.sort();
        for (repository, time) in left {
            let what = "not all is left of any state of it: it is deleted".to_owned();
            self.report.findings.push(Finding {
                repository: Some(repository.clone()),
                place: "repository".to_owned(),
                what,
            });
            self.end(&repository, time, None)?;
        }
        Ok(())
    }

    fn lost(&mut self, header: &RecordHeader, what: String) {
        let place = format!("position {}", header.position);
        let repository = (header.kind != RecordKind::Settings).then(|| header.repository.clone());
        self.report.findings.push(Finding { repository, place, what });
    }

    fn end(
        &mut self,
        repository: &RepositoryName,
        time: UnixTime,
        note: Option<Note>,
    ) -> Result<(), StorageError> {
        let Some(life) = self.lives.get_mut(repository) else { return Ok(()) };
        let base = Some((life.incarnation, life.revision));
        life.revision = life.revision.next();
        life.ended = true;
        let (incarnation, revision) = (life.incarnation, life.revision);
        self.commit_end(repository, base, incarnation, revision, time, note)
    }

    fn commit_end(
        &mut self,
        repository: &RepositoryName,
        base: Option<(Incarnation, Revision)>,
        incarnation: Incarnation,
        revision: Revision,
        time: UnixTime,
        note: Option<Note>,
    ) -> Result<(), StorageError> {
        let record = Record {
            kind: RecordKind::Deletion,
            repository: repository.clone(),
            incarnation,
            revision,
            time,
            timestamp: None,
            documents: Vec::new(),
            attachment: Vec::new().into(),
            note,
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
        if known.is_some_and(|life| life.incarnation > header.incarnation)
            || known.is_some_and(|life| life.ended && life.incarnation == header.incarnation)
        {
            self.lost(header, "it is of a life that had ended".to_owned());
            return Ok(());
        }
        let before = known.filter(|life| !life.ended && life.incarnation == header.incarnation);
        let carried = attachment.as_ref().map(|attachment| &attachment.carried).into_iter().flatten();
        let there = |role: &RoleName, sha256: &Sha256| {
            before.and_then(|life| life.documents.get(&(role.clone(), *sha256))).copied()
        };
        let missing = carried.clone().find(|(role, sha256)| there(role, sha256).is_none());
        let whole = record.documents.iter().all(Option::is_some)
            && carried.into_iter().all(|(role, sha256)| there(role, sha256) == Some(true));
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
        life.dropped = (!whole || record.attachment.is_empty()).then_some(header.time);
        life.keys.insert(header.position, position);
        for (document, bytes) in header.documents.iter().zip(&record.documents) {
            let is_there = life.documents.entry((document.role.clone(), document.sha256)).or_default();
            *is_there |= bytes.is_some();
        }
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
                note: header.note.clone(),
            },
        };
        storage.commit_alone(commit)
    }
}
