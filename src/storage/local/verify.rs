use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::MutexGuard;

use crate::storage::local::delta::{Lineage, Reader, Recent, numbers};
use crate::storage::local::heads::Heads;
use crate::storage::local::index::{Life, Row};
use crate::storage::local::journal::{Check, Journal, StoredRecord};
use crate::storage::local::{LocalStorage, catch_up};
use crate::storage::{Damage, Head, StorageError};
use crate::terms::{Position, RepositoryName};

/// What has been read so far.
struct Tally<'a> {
    heads: Heads,
    /// What the index should hold: the documents of lives that go on.
    indexed: Bag,
    living: &'a HashSet<[u8; 24]>,
    journal: &'a Journal,
    /// So that a document is not made anew for each that stands on it.
    recent: Recent,
    damaged: bool,
    progress: &'a mut dyn FnMut(u64, u64) -> bool,
    report: &'a mut dyn FnMut(Damage),
}

/// A set of index rows that can be compared with another without holding either.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Bag {
    count: u64,
    sum: u128,
}

impl Check for Tally<'_> {
    fn record(&mut self, record: StoredRecord) -> Result<(), StorageError> {
        let record = Arc::new(record);
        let header = &record.header;
        if !self.damaged
            && let Err(finding) = self.heads.follow(header)
        {
            self.damage(Damage {
                repository: Some(header.repository.clone()),
                place: format!("position {}", header.position),
                finding: finding.to_owned(),
            });
        }
        for row in catch_up::entries(header).map(|entry| Row::of(&entry)) {
            if self.living.contains(&row.life) {
                self.indexed.add(&row);
            }
        }
        if self.documents(&record).is_err() {
            // What it stands on may have been dropped together with it since it was read.
            let position = header.position;
            self.journal.steadily(|| self.documents(&Arc::new(self.journal.stored(position)?)))?;
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, all: u64) -> bool {
        (self.progress)(done, all)
    }

    fn damage(&mut self, damage: Damage) {
        self.damaged = true;
        (self.report)(damage);
    }
}

impl Tally<'_> {
    /// Reads every document of a record.
    fn documents(&self, record: &Arc<StoredRecord>) -> Result<(), StorageError> {
        let header = &record.header;
        let mut reader = Reader::new(self.journal, &self.recent);
        for number in numbers(header.documents.len()) {
            let document = match reader.document(record, number) {
                Err(StorageError::Collected) => continue,
                document => document?,
            };
            let mut ancestors = reader.ancestors(record, number)?;
            if let Some(newest) = ancestors.first_mut() {
                newest.bytes = Some(document.bytes);
            }
            let lineage = Lineage { sha256: document.sha256, ancestors };
            self.recent.put(&header.repository, header.incarnation, &document.role, lineage);
        }
        Ok(())
    }
}

impl Bag {
    fn add(&mut self, row: &Row) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&row.life).update(&row.role);
        hasher.update(&row.version.to_le_bytes());
        hasher.update(&row.position.get().to_le_bytes());
        hasher.update(row.sha256.as_bytes());
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        self.count += 1;
        self.sum = self.sum.wrapping_add(u128::from_le_bytes(digest));
    }
}

impl LocalStorage {
    pub(super) fn verify_all(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> bool,
        report: &mut dyn FnMut(Damage),
    ) -> Result<bool, StorageError> {
        if !self.heal_twins(progress, report)? {
            return Ok(false);
        }
        let (heads, end, segments) = {
            let _no_commits = self.journal.appender();
            let (end, segments) = self.journal.reached();
            (self.heads.all(), end, segments)
        };
        let lives = heads.iter().filter(|(_, head)| !head.deleted);
        let living: HashSet<_> = lives
            .map(|(repository, head)| Life { repository, incarnation: head.incarnation }.hash())
            .collect();
        let mut tally = Tally {
            heads: Heads::new([]),
            indexed: Bag::default(),
            living: &living,
            journal: &self.journal,
            recent: Recent::new(self.recent.most()),
            damaged: false,
            progress,
            report,
        };
        if !self.journal.verify(end, &segments, &mut tally) {
            return Ok(false);
        }
        // Against a damaged journal neither heads nor index can be compared.
        if !tally.damaged {
            compare_heads(heads, &tally.heads, tally.report);
            let indexed = tally.indexed;
            self.compare_index(end.position, indexed, &living, report);
        }
        Ok(true)
    }

    /// Makes both journals the same, where there are two; `false` if it was stopped. Between segments others may write some anew.
    fn heal_twins(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> bool,
        report: &mut dyn FnMut(Damage),
    ) -> Result<bool, StorageError> {
        let Some(twins) = &self.twins else { return Ok(true) };
        let mut heal = |number| match twins.heal_segment(number, self.journal.header_of(number)) {
            Err(StorageError::Corrupt { place, repository, finding }) => {
                report(Damage { repository, place, finding: finding.to_owned() });
                Ok(())
            }
            healed => healed,
        };
        let mut last = 0;
        while let Some(number) = self.journal.followed().into_iter().find(|number| *number > last) {
            let alone = self.compacting.lock();
            heal(number)?;
            MutexGuard::unlock_fair(alone);
            last = number;
            if !progress(0, self.journal.end().position.get()) {
                return Ok(false);
            }
        }
        let _alone = self.compacting.lock();
        // Nobody writes to the newest one meanwhile.
        let mut writer = self.journal.appender();
        let healed = self.journal.newest().into_iter().try_for_each(heal);
        writer.reopen(healed.is_ok());
        healed.map(|()| true)
    }

    fn compare_index(
        &self,
        end: Position,
        documents: Bag,
        living: &HashSet<[u8; 24]>,
        report: &mut dyn FnMut(Damage),
    ) {
        let mut indexed = Bag::default();
        let read = self.index.rows(&mut |row| {
            if row.position <= end && living.contains(&row.life) {
                indexed.add(&row);
            }
        });
        let finding = match read {
            Err(error) => format!("it cannot be read: {error}"),
            Ok(()) if indexed.count != documents.count => {
                format!("it knows {} documents, the journal holds {}", indexed.count, documents.count)
            }
            Ok(()) if indexed != documents => "it knows other documents than the journal holds".to_owned(),
            Ok(()) => return,
        };
        report(Damage { repository: None, place: "index".to_owned(), finding });
    }
}

fn compare_heads(held: Vec<(RepositoryName, Head)>, folded: &Heads, report: &mut dyn FnMut(Damage)) {
    let mut folded: HashMap<RepositoryName, Head> = folded.all().into_iter().collect();
    let mut differs = |repository| {
        let finding = "the head in memory is not what the journal's records add up to".to_owned();
        report(Damage { repository: Some(repository), place: "heads".to_owned(), finding });
    };
    for (repository, head) in held {
        if folded.remove(&repository) != Some(head) {
            differs(repository);
        }
    }
    folded.into_keys().for_each(differs);
}
