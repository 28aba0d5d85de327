use std::collections::HashMap;
use std::sync::Arc;

use super::{Ancestor, Recent, Step, unpack};
use crate::crypto::sha256;
use crate::storage::local::journal::{At, Form, Journal, StoredRecord};
use crate::storage::{DocumentHeader, Record, StorageError, StoredDocument};
use crate::terms::Position;

const UNPACKED: &str = "a document that does not unpack to the length that the header names";

/// Reads documents with what they stand on; a record that several stand on is read once.
pub(in crate::storage::local) struct Reader<'a> {
    journal: &'a Journal,
    recent: &'a Recent,
    records: HashMap<Position, Arc<StoredRecord>>,
}

impl<'a> Reader<'a> {
    pub(in crate::storage::local) fn new(journal: &'a Journal, recent: &'a Recent) -> Self {
        Self { journal, recent, records: HashMap::new() }
    }

    pub(in crate::storage::local) fn stored(
        &mut self,
        position: Position,
    ) -> Result<Arc<StoredRecord>, StorageError> {
        if let Some(record) = self.records.get(&position) {
            return Ok(Arc::clone(record));
        }
        let record = Arc::new(self.journal.stored(position)?);
        self.records.insert(position, Arc::clone(&record));
        Ok(record)
    }

    /// A record with all its documents, each digest checked.
    pub(in crate::storage::local) fn record(&mut self, position: Position) -> Result<Record, StorageError> {
        let stored = self.stored(position)?;
        let header = &stored.header;
        let documents = numbers(header.documents.len()).map(|number| self.document(&stored, number));
        Ok(Record {
            kind: header.kind,
            repository: header.repository.clone(),
            incarnation: header.incarnation,
            revision: header.revision,
            time: header.time,
            timestamp: header.timestamp,
            documents: documents.collect::<Result<_, _>>()?,
            attachment: stored.attachment().into(),
            note: header.note.clone(),
        })
    }

    /// One document of a record, its digest checked.
    ///
    /// # Errors
    /// [`StorageError::Collected`] if it was dropped, or what it stands on: that goes only once the document itself may, of
    /// which the file was not worth writing anew, or not written yet.
    pub(in crate::storage::local) fn document(
        &mut self,
        record: &Arc<StoredRecord>,
        number: u32,
    ) -> Result<StoredDocument, StorageError> {
        let bytes = self.bytes(record, number)?;
        let (header, _) = document(record, number)?;
        if sha256(&bytes) != header.sha256 {
            return Err(record.corrupt("a document is not the one that the header names"));
        }
        Ok(StoredDocument {
            role: header.role.clone(),
            version: header.version,
            sha256: header.sha256,
            bytes: bytes.into(),
        })
    }

    /// A document and all that it stands on; bytes only where they are at hand.
    pub(in crate::storage::local) fn ancestors(
        &mut self,
        record: &Arc<StoredRecord>,
        number: u32,
    ) -> Result<Vec<Ancestor>, StorageError> {
        let mut ancestors = Vec::new();
        let (mut record, mut number) = (Arc::clone(record), number);
        loop {
            let at = At { position: record.header.position, number };
            match document(&record, number)?.1.0 {
                Form::Whole | Form::Packed => {
                    ancestors.push(Ancestor { at, step: Step::ALONE, bytes: None });
                    return Ok(ancestors);
                }
                Form::Dropped => return Err(StorageError::Collected),
                Form::Difference { base, step } => {
                    ancestors.push(Ancestor { at, step: Step(step), bytes: None });
                    if let Some(known) = self.known(&record, number, base)? {
                        ancestors.extend(known);
                        return Ok(ancestors);
                    }
                    (record, number) = (self.base(&record, number, base)?, base.number);
                }
            }
        }
    }

    fn bytes(&mut self, record: &Arc<StoredRecord>, number: u32) -> Result<Vec<u8>, StorageError> {
        // From the document to what is at hand or stands alone, and back.
        let mut way = vec![(Arc::clone(record), number)];
        let mut at_hand = None;
        let (mut record, mut number) = (Arc::clone(record), number);
        while let Form::Difference { base, .. } = document(&record, number)?.1.0 {
            let known = self.known(&record, number, base)?;
            at_hand = known.and_then(|known| known.into_iter().next()?.bytes);
            if at_hand.is_some() {
                break;
            }
            (record, number) = (self.base(&record, number, base)?, base.number);
            way.push((Arc::clone(&record), number));
        }
        let mut bytes: Option<Vec<u8>> = None;
        for (record, number) in way.iter().rev() {
            let (header, (form, stored)) = document(record, *number)?;
            let length = usize::try_from(header.length).ok();
            let base = match form {
                Form::Difference { .. } => bytes.as_deref().or(at_hand.as_deref()),
                Form::Whole | Form::Packed | Form::Dropped => None,
            };
            let read = match form {
                Form::Whole => (length == Some(stored.len())).then(|| stored.to_vec()),
                Form::Packed | Form::Difference { .. } => {
                    length.and_then(|length| unpack(base, stored, length))
                }
                Form::Dropped => return Err(StorageError::Collected),
            };
            bytes = Some(read.ok_or_else(|| record.corrupt(UNPACKED))?);
        }
        bytes.ok_or(StorageError::Bug("a document without a way to it"))
    }

    /// The base of a document and all that it stands on, if that was read or written lately.
    fn known(
        &self,
        record: &StoredRecord,
        number: u32,
        base: At,
    ) -> Result<Option<Vec<Ancestor>>, StorageError> {
        let (document, _) = document(record, number)?;
        let header = &record.header;
        Ok(self.recent.from(&header.repository, header.incarnation, &document.role, base))
    }

    /// The record that holds the base of a document: an earlier one of the same life, and the base of the same role.
    fn base(
        &mut self,
        record: &Arc<StoredRecord>,
        number: u32,
        base: At,
    ) -> Result<Arc<StoredRecord>, StorageError> {
        const LOST: &str = "the difference to what is lost";
        const FINDING: &str = "the difference to what is no earlier document of its role";
        let (of, _) = document(record, number)?;
        // Each base stands before what stands on it, so that the way ends.
        if base.position >= record.header.position || base.position == Position::START {
            return Err(record.corrupt(FINDING));
        }
        if !self.journal.holds(base.position) {
            return Err(record.corrupt(LOST));
        }
        let earlier = self.stored(base.position)?;
        let same_life = earlier.header.repository == record.header.repository
            && earlier.header.incarnation == record.header.incarnation;
        match earlier.document(base.number) {
            Some((header, _)) if same_life && header.role == of.role => Ok(earlier),
            Some(_) | None => Err(record.corrupt(FINDING)),
        }
    }
}

fn document(record: &StoredRecord, number: u32) -> Result<(&DocumentHeader, (Form, &[u8])), StorageError> {
    record.document(number).ok_or(StorageError::Bug("a document that its record does not have"))
}

/// The numbers of so many documents.
pub(in crate::storage::local) fn numbers(documents: usize) -> impl Iterator<Item = u32> {
    (0..).take(documents)
}
