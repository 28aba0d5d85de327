use crate::storage::local::LocalStorage;
use crate::storage::local::index::{Entry, Reached};
use crate::storage::local::journal::Appender;
use crate::storage::{RecordHeader, StorageError};
use crate::terms::Position;

/// How many record headers are read at once.
pub(super) const BATCH: usize = 1024;

/// What the index holds of a record.
pub(super) fn entries(header: &RecordHeader) -> impl Iterator<Item = Entry> {
    header.documents.iter().map(|document| Entry {
        repository: header.repository.clone(),
        incarnation: header.incarnation,
        role: document.role.clone(),
        version: document.version,
        sha256: document.sha256,
        position: header.position,
    })
}

impl LocalStorage {
    /// Brings the index to the journal's end: what is missing is done again, what does not fit is made anew.
    pub(super) fn catch_up(&self) -> Result<(), StorageError> {
        let writer = self.journal.appender();
        let reached = match self.index.reached() {
            Ok(Some(reached)) => reached,
            Ok(None) => return self.note_after(&writer, Position::START, &mut |_, _| {}),
            Err(error) => {
                tracing::warn!(%error, "the index does not say how far it goes and is made anew");
                return self.rebuild_index(&writer, &mut |_, _| {});
            }
        };
        if self.journal.chain(reached.position)? == Some(reached.chain) {
            return self.note_after(&writer, reached.position, &mut |_, _| {});
        }
        tracing::warn!(position = %reached.position, "the index is not of this journal and is made anew");
        self.rebuild_index(&writer, &mut |_, _| {})
    }

    /// Holding the journal's writer keeps commits away, whose notes would come between.
    pub(super) fn rebuild_index(
        &self,
        writer: &Appender<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), StorageError> {
        self.index.clear()?;
        self.note_after(writer, Position::START, progress)?;
        Ok(self.index.settle()?)
    }

    /// Whether the life of a record is the present one of its repository. Of others nobody asks: they take no room.
    fn may_live(&self, header: &RecordHeader) -> bool {
        let head = self.heads.get(&header.repository);
        head.is_none_or(|head| head.incarnation == header.incarnation && !head.deleted)
    }

    fn note_after(
        &self,
        _writer: &Appender<'_>,
        mut after: Position,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), StorageError> {
        let end = self.journal.end().position.get();
        loop {
            let headers = self.journal.headers(after, BATCH)?;
            let Some((newest, chain)) = headers.last() else { return Ok(()) };
            after = newest.position;
            let reached = Reached { position: after, chain: *chain };
            let living = headers.iter().filter(|(header, _)| self.may_live(header));
            self.index.note(living.flat_map(|(header, _)| entries(header)).collect(), reached);
            progress(after.get(), end);
        }
    }
}
