//! A store from its backups.
//!
//! What stands in the backups is taken over as it was, header by header, so that the chain is the same. If more was published
//! after the last of them, going on from there is a rollback, which is what clients are there to refuse: what the store
//! signs is signed anew above all that they may have seen, Positions go on above all that there ever were, and what
//! ended since stays ended. What others signed meanwhile is gone, and they are named.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::backup::file::{Checked, Entry, InvalidBackup};
use super::{Progress, Stage};
use crate::storage::{Building, Commit, Head, Raw, Record, RecordHeader, RecordKind, Storage, StorageError};
use crate::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, UnixTime, Version};
use crate::trust::Set;

/// What was published after the last backup.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Since {
    /// Nothing: the store goes on where the backups end.
    Nothing,
    /// Something, and it is given up.
    Lost(Lost),
}

/// What is known of what was published after the last backup. At least the old store, or Positions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "written as a literal with the rest by default")]
pub struct Lost {
    /// The folder of the store that is lost, whatever of it can still be read.
    pub old: Option<PathBuf>,
    /// No record had a Position above this one.
    pub position: Option<Position>,
    /// No file that the store signed had a version above this one.
    pub version: Option<Version>,
}

/// A store that was restored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreReport {
    /// Records that the backups held.
    pub records: u64,
    /// The last Position in them.
    pub end: Position,
    /// The Position after which the store goes on.
    pub goes_on_after: Position,
    /// After a loss: every repository that lives.
    pub repositories: Vec<RestoredRepository>,
    /// After a loss: repositories that the old store had, and the backups have not or only an earlier life of.
    pub gone: Vec<RepositoryName>,
    /// Positions of the old store that nothing can be read of any more: what they published is not known.
    pub unreadable: u64,
}

/// One repository that goes on with what it was when the backup was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoredRepository {
    /// Which.
    pub repository: RepositoryName,
    /// Whether the store signed for it anew.
    pub signed: bool,
    /// The files that clients may have seen newer versions of: their signers have to publish again, above that version.
    pub publish_above: Vec<(RoleName, Version)>,
}

/// Why a store could not be restored. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A file cannot be used.
    #[error("the backup {} cannot be used", path.display())]
    Backup {
        /// Which.
        path: PathBuf,
        /// Why.
        source: InvalidBackup,
    },
    /// The backups do not follow each other.
    #[error("the backup {} begins after position {begins}, and what comes before it ends at {ends}", path.display())]
    Gap {
        /// Which.
        path: PathBuf,
        /// After which Position it begins.
        begins: Position,
        /// Where the one before it ends.
        ends: Position,
    },
    /// Another store's, or one of after a restore.
    #[error("the backup {} is of another history than the one before it", path.display())]
    OtherHistory {
        /// Which.
        path: PathBuf,
    },
    /// None was given.
    #[error("no backup is given")]
    NoBackup,
    /// There would be no room to go on.
    #[error("a position above {}, or a version above {HIGHEST}, leaves no room to go on above it", i64::MAX)]
    Beyond,
    /// Clients may have seen anything.
    #[error("neither the old store nor its last position is known, so nothing says what to go on above")]
    NoFloor,
    /// What the store signs cannot be signed anew.
    #[error("{repository} cannot be signed anew")]
    Sign {
        /// Of which repository.
        repository: RepositoryName,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The new store cannot be written, or the old one not read.
    #[error("the store cannot be written")]
    Storage(#[from] StorageError),
}

/// No version is signed above this: they end at 2^53 - 1, and half of them is left to go on with.
const HIGHEST: u64 = 1 << 52;
/// About how many bytes are written at once.
const STEP: usize = 4 << 20;
/// And how many records.
const MOST: usize = 1024;

/// The files that went along with a backup, every byte of which is checked.
pub(crate) fn files_in(backup: &Path) -> Result<Vec<(String, Vec<u8>)>, InvalidBackup> {
    let mut files = Vec::new();
    for entry in Checked::open(backup)?.entries()? {
        match entry? {
            Entry::File(name, bytes) => files.push((name, bytes)),
            // They come first.
            Entry::Record(_) => break,
        }
    }
    Ok(files)
}

/// A store that is being restored.
pub(crate) struct Restoring {
    pub(crate) building: Building,
    pub(crate) report: RestoreReport,
    known: Known,
}

/// What is known of what was published, in the backups or after them.
struct Known {
    newest: Position,
    /// The newest life of each repository, and whether it has ended.
    lives: BTreeMap<RepositoryName, (Incarnation, bool, UnixTime)>,
    versions: HashMap<(RepositoryName, Incarnation, RoleName), Version>,
    /// The Positions after the last backup of which at least the header can be read.
    read: BTreeSet<Position>,
    /// How many records after the last backup nothing can be read of, each of which may have raised a version by one.
    unreadable: u64,
    /// What the operator says.
    given: Option<Version>,
}

/// Takes the backups over into a store that is to be `to`, and leaves signing to others.
pub(crate) fn begin(
    backups: &[PathBuf],
    to: &Path,
    since: &Since,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restoring, RestoreError> {
    let checked = check(backups)?;
    let end = checked.last().map(|(_, backup)| backup.header.to).ok_or(RestoreError::NoBackup)?;
    let building = Building::begin(to)?;
    let mut known = match since {
        Since::Nothing => Known::new(None),
        Since::Lost(lost) => Known::of(lost, &building)?,
    };
    let goes_on_after = known.goes_on_after(since, end)?;
    let records = take_over(&building, checked, end, progress)?;
    let mut report = RestoreReport {
        records,
        end,
        goes_on_after,
        repositories: Vec::new(),
        gone: Vec::new(),
        unreadable: known.unreadable,
    };
    if matches!(since, Since::Lost(_)) {
        building.storage().skip_to(goes_on_after)?;
        report.gone = end_lives(&building, &known)?;
    }
    Ok(Restoring { building, report, known })
}

/// Reads every backup through, and sees that they follow each other.
fn check(backups: &[PathBuf]) -> Result<Vec<(PathBuf, Checked)>, RestoreError> {
    let mut checked: Vec<(PathBuf, Checked)> = Vec::new();
    let (mut ends, mut chain) = (Position::START, [0; 32]);
    for path in backups {
        let failed = |source| RestoreError::Backup { path: path.clone(), source };
        let backup = Checked::open(path).map_err(failed)?;
        let begins = backup.header.after;
        if begins != ends {
            return Err(RestoreError::Gap { path: path.clone(), begins, ends });
        }
        if backup.header.after_chain != chain {
            return Err(RestoreError::OtherHistory { path: path.clone() });
        }
        (ends, chain) = (backup.header.to, backup.header.to_chain);
        checked.push((path.clone(), backup));
    }
    Ok(checked)
}

/// Writes all records of the backups. How many.
fn take_over(
    building: &Building,
    backups: Vec<(PathBuf, Checked)>,
    end: Position,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, RestoreError> {
    let (mut records, mut step, mut bytes) = (0, Vec::new(), 0);
    let mut write = |step: &mut Vec<Raw>| -> Result<(), StorageError> {
        building.storage().take_again(step)?;
        let done = step.last().map_or(0, |raw| raw.header.position.get());
        step.clear();
        progress(Progress { stage: Stage::Restoring, done, all: end.get() });
        Ok(())
    };
    for (path, backup) in backups {
        let header = backup.header;
        let failed = |source| RestoreError::Backup { path: path.clone(), source };
        for entry in backup.entries().map_err(failed)? {
            let Entry::Record(raw) = entry.map_err(failed)? else { continue };
            // A Position may be skipped where the store was restored before: each run is a write of its own.
            let follows =
                step.last().is_none_or(|last: &Raw| last.header.position.next() == raw.header.position);
            if !follows || bytes >= STEP || step.len() >= MOST {
                write(&mut step)?;
                bytes = 0;
            }
            bytes += raw.payload.len();
            records += 1;
            step.push(raw);
        }
        if !step.is_empty() {
            write(&mut step)?;
            bytes = 0;
        }
        let storage = building.storage();
        storage.skip_to(header.to)?;
        if storage.end() != header.to || storage.chain_up_to(header.to)? != Some(header.to_chain) {
            let source = InvalidBackup::Damaged("it does not reach as far as its header says");
            return Err(RestoreError::Backup { path, source });
        }
    }
    Ok(records)
}

impl Known {
    fn new(given: Option<Version>) -> Self {
        let (lives, versions, read) = (BTreeMap::new(), HashMap::new(), BTreeSet::new());
        Self { newest: Position::START, lives, versions, read, unreadable: 0, given }
    }

    fn of(lost: &Lost, building: &Building) -> Result<Self, RestoreError> {
        let mut known = Self::new(lost.version);
        let Some(old) = &lost.old else {
            return if lost.position.is_some() { Ok(known) } else { Err(RestoreError::NoFloor) };
        };
        let salvage = building.salvage(old)?;
        known.newest = salvage.newest;
        for header in salvage.headers.iter().chain(&salvage.unreadable) {
            known.hear(header);
        }
        for seen in &salvage.heads {
            known.hear_of(&seen.repository, (seen.incarnation, seen.ended, seen.time));
        }
        Ok(known)
    }

    /// Where the store goes on, which ends at `end` in the backups; and counts what is not known up to there.
    fn goes_on_after(&mut self, since: &Since, end: Position) -> Result<Position, RestoreError> {
        let Since::Lost(lost) = since else { return Ok(end) };
        let above = self.newest.max(lost.position.unwrap_or(Position::START)).max(end);
        let read = self.read.range(end.next()..=above.max(end.next())).count();
        let all = above.get().saturating_sub(end.get());
        self.unreadable = all.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        let raised = lost.version.map_or(self.unreadable, Version::get);
        if i64::try_from(above.get()).is_err() || raised > HIGHEST {
            return Err(RestoreError::Beyond);
        }
        Ok(above)
    }

    fn hear(&mut self, header: &RecordHeader) {
        self.read.insert(header.position);
        if header.kind == RecordKind::Settings {
            return;
        }
        let ended = header.kind == RecordKind::Deletion;
        self.hear_of(&header.repository, (header.incarnation, ended, header.time));
        for document in &header.documents {
            let key = (header.repository.clone(), header.incarnation, document.role.clone());
            let newest = self.versions.entry(key).or_insert(document.version);
            *newest = (*newest).max(document.version);
        }
    }

    fn hear_of(&mut self, repository: &RepositoryName, life: (Incarnation, bool, UnixTime)) {
        let newest = self.lives.entry(repository.clone()).or_insert(life);
        *newest = (*newest).max(life);
    }

    /// The highest version of a role that clients may have seen, whose version in the backups is `restored`.
    fn floor(&self, life: &(RepositoryName, Incarnation), role: &RoleName, restored: Version) -> Version {
        let (repository, incarnation) = life;
        let known = self.versions.get(&(repository.clone(), *incarnation, role.clone())).copied();
        let known = known.unwrap_or(restored).max(restored);
        if *role == RoleName::Root {
            // It goes up by one each time, and its owner has it.
            return known;
        }
        // What is not known is bounded by what the operator says.
        match self.given {
            Some(given) => known.max(given),
            None => Version::new(known.get().saturating_add(self.unreadable)).unwrap_or(known),
        }
    }
}

/// Ends what the old store had ended, and lives that the backups do not have. Which repositories are gone with them.
fn end_lives(building: &Building, known: &Known) -> Result<Vec<RepositoryName>, StorageError> {
    let mut gone = Vec::new();
    for (repository, (incarnation, ended, time)) in &known.lives {
        let storage = building.storage();
        let head = storage.head(repository);
        let living = head.as_ref().filter(|head| !head.deleted);
        match living {
            // Nothing later is known of it than the backups have, or that life goes on.
            Some(head) if head.incarnation > *incarnation => continue,
            Some(head) if head.incarnation == *incarnation && !ended => continue,
            Some(head) => end(building, repository, Some(head), head.incarnation, *time)?,
            None => {}
        }
        let lived = living.is_some();
        let head = storage.head(repository);
        let later = head.as_ref().is_none_or(|head| head.incarnation < *incarnation);
        if later {
            end(building, repository, head.as_ref(), *incarnation, *time)?;
        }
        // Of what the backups know to be deleted, the record that says so may be one that cannot be read in the old store.
        if !ended && (lived || later) {
            gone.push(repository.clone());
        }
    }
    Ok(gone)
}

/// Records the end of a life: that of `head`, or of one after it of which nothing is left.
fn end(
    building: &Building,
    repository: &RepositoryName,
    head: Option<&Head>,
    incarnation: Incarnation,
    time: UnixTime,
) -> Result<(), StorageError> {
    let same = head.filter(|head| head.incarnation == incarnation);
    let revision = same.map_or(Revision::NONE, |head| head.revision).next();
    let record = Record {
        kind: RecordKind::Deletion,
        repository: repository.clone(),
        incarnation,
        revision,
        time,
        timestamp: None,
        documents: Vec::new(),
        attachment: Vec::new().into(),
        note: None,
    };
    let base = head.map(|head| (head.incarnation, head.revision));
    building.storage().commit_alone(Commit { base, replaced: Vec::new(), record }).map(|_| ())
}

impl Restoring {
    /// The highest version of a role that clients may have seen of a life, whose version in the backups is `restored`.
    pub(crate) fn floor(
        &self,
        life: &(RepositoryName, Incarnation),
        role: &RoleName,
        restored: Version,
    ) -> Version {
        self.known.floor(life, role, restored)
    }

    /// Notes what became of a repository, whose set was this in the backups and is that now.
    pub(crate) fn restored(&mut self, life: &(RepositoryName, Incarnation), before: &Set, now: &Set) {
        let versions: HashMap<_, _> =
            before.documents().map(|document| (document.role().clone(), document.version())).collect();
        let above = now.documents().filter_map(|document| {
            let restored = versions.get(document.role()).copied().unwrap_or(document.version());
            let floor = self.known.floor(life, document.role(), restored);
            (document.version() < floor).then(|| (document.role().clone(), floor))
        });
        let publish_above = above.collect();
        let signed = now.timestamp.document().version() > before.timestamp.document().version();
        self.report.repositories.push(RestoredRepository {
            repository: life.0.clone(),
            signed,
            publish_above,
        });
    }
}
