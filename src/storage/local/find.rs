use std::sync::atomic::Ordering;

use crate::storage::local::LocalStorage;
use crate::storage::local::catch_up::BATCH;
use crate::storage::local::delta::{Reader, numbers};
use crate::storage::local::index::IndexError;
use crate::storage::{DocumentHeader, Found, Head, RecordHeader, StorageError, Wanted};
use crate::terms::{Incarnation, Position, RepositoryName};

impl LocalStorage {
    /// Asks the index and believes nothing of it: what it points to is read and compared, and that there is nothing is
    /// believed only if it counts as many documents as the head does.
    pub(super) fn find_document(
        &self,
        repository: &RepositoryName,
        wanted: &Wanted,
    ) -> Result<Option<Found>, StorageError> {
        let Some(head) = self.heads.get(repository).filter(|head| !head.deleted) else { return Ok(None) };
        match self.ask(repository, head.incarnation, wanted) {
            Ok(Some(position)) => match self.document(position, repository, head.incarnation, wanted)? {
                Some(document) => Ok(Some(document)),
                None => self.find_in_journal(repository, wanted),
            },
            Ok(None) => self.denied(repository, wanted, &head),
            Err(error) => {
                tracing::warn!(%error, %repository, "the index failed; the journal is searched");
                self.find_in_journal(repository, wanted)
            }
        }
    }

    /// The index knows of no such document.
    fn denied(
        &self,
        repository: &RepositoryName,
        wanted: &Wanted,
        head: &Head,
    ) -> Result<Option<Found>, StorageError> {
        if self.index.count(repository, head.incarnation).is_ok_and(|count| count == head.documents) {
            return Ok(None);
        }
        if self.distrusted.load(Ordering::Acquire) {
            return self.find_in_journal(repository, wanted);
        }
        // Perhaps a commit came between the two counts: none can now.
        let writer = self.journal.appender();
        let Some(head) = self.heads.get(repository).filter(|head| !head.deleted) else { return Ok(None) };
        let complete =
            || self.index.count(repository, head.incarnation).is_ok_and(|count| count == head.documents);
        if !complete() {
            tracing::warn!(%repository, "the index has lost entries and is made anew");
            let rebuilt = self.rebuild_index(&writer, &mut |_, _| {});
            if rebuilt.is_err() || !complete() {
                tracing::error!(%repository, "a new index does not count what the journal holds; it is not relied on");
                self.distrusted.store(true, Ordering::Release);
                drop(writer);
                return self.find_in_journal(repository, wanted);
            }
        }
        drop(writer);
        match self.ask(repository, head.incarnation, wanted) {
            Ok(None) => Ok(None),
            Ok(Some(position)) => match self.document(position, repository, head.incarnation, wanted)? {
                Some(document) => Ok(Some(document)),
                None => self.find_in_journal(repository, wanted),
            },
            Err(_) => self.find_in_journal(repository, wanted),
        }
    }

    fn ask(
        &self,
        repository: &RepositoryName,
        incarnation: Incarnation,
        wanted: &Wanted,
    ) -> Result<Option<Position>, IndexError> {
        match wanted {
            Wanted::Version(role, version) => self.index.by_version(repository, incarnation, role, *version),
            Wanted::Digest(role, sha256) => self.index.by_digest(repository, incarnation, role, sha256),
        }
    }

    /// The wanted document in the record at `position`; `None` if there is none.
    fn document(
        &self,
        position: Position,
        repository: &RepositoryName,
        incarnation: Incarnation,
        wanted: &Wanted,
    ) -> Result<Option<Found>, StorageError> {
        if !self.holds(position) {
            return Ok(None);
        }
        let mut reader = Reader::new(&self.journal, &self.recent);
        let record = reader.stored(position)?;
        let header = &record.header;
        if header.repository != *repository || header.incarnation != incarnation {
            return Ok(None);
        }
        let newest = numbers(header.documents.len())
            .zip(&header.documents)
            .filter(|(_, document)| is_wanted(document, wanted))
            .last();
        let Some((number, _)) = newest else { return Ok(None) };
        Ok(Some(Found { document: reader.document(&record, number)?, time: header.time }))
    }

    /// Every record of a life has documents, and its revision counts them: so an index that has lost some is found out.
    pub(super) fn positions_of_life(&self, repository: &RepositoryName) -> Option<Vec<Position>> {
        let head = self.heads.get(repository).filter(|head| !head.deleted)?;
        let mut positions = match self.index.positions(repository, head.incarnation) {
            Ok(positions) => positions,
            Err(error) => {
                tracing::warn!(%error, %repository, "the index failed; the journal is searched");
                return None;
            }
        };
        positions.sort_unstable();
        positions.dedup();
        // What was committed meanwhile is not asked for.
        positions.retain(|position| *position <= head.position);
        let complete = u64::try_from(positions.len()).is_ok_and(|count| count == head.revision.get());
        complete.then_some(positions)
    }

    /// Reads every header that there is. Slow, and right whatever the index says.
    fn find_in_journal(
        &self,
        repository: &RepositoryName,
        wanted: &Wanted,
    ) -> Result<Option<Found>, StorageError> {
        let Some(head) = self.heads.get(repository).filter(|head| !head.deleted) else { return Ok(None) };
        let holds = |header: &RecordHeader| {
            header.repository == *repository
                && header.incarnation == head.incarnation
                && header.documents.iter().any(|document| is_wanted(document, wanted))
        };
        let mut newest = None;
        let mut after = Position::START;
        loop {
            let headers = self.journal.headers(after, BATCH)?;
            let Some((last, _)) = headers.last() else { break };
            after = last.position;
            newest = headers
                .iter()
                .rev()
                .map(|(header, _)| header)
                .find(|header| holds(header))
                .map_or(newest, |header| Some(header.position));
        }
        match newest {
            Some(position) => self.document(position, repository, head.incarnation, wanted),
            None => Ok(None),
        }
    }
}

fn is_wanted(document: &DocumentHeader, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Version(role, version) => (&document.role, &document.version) == (role, version),
        Wanted::Digest(role, sha256) => (&document.role, &document.sha256) == (role, sha256),
    }
}
