use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::pack::pack;
use super::read::numbers;
use super::{Ancestor, Lineage, Reader, Step, unpack};
use crate::storage::local::LocalStorage;
use crate::storage::local::journal::{At, Form, encode_payload};
use crate::storage::{Commit, Prepared, Record, StorageError, StoredDocument};
use crate::terms::Position;

/// A record's documents and attachment as they will stand in the journal.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(in crate::storage::local) bytes: Vec<u8>,
    /// What each document stands on.
    descents: Vec<Descent>,
}

/// A document's step, and what it stands on: its base first. Nothing for what stands alone.
#[derive(Debug)]
struct Descent {
    step: Step,
    ancestors: Vec<Ancestor>,
}

#[cfg(test)]
impl Payload {
    /// One that nobody prepared.
    pub(in crate::storage::local) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, descents: Vec::new() }
    }
}

/// One document as it will stand in the journal.
struct Packed<'a> {
    form: Form,
    bytes: Cow<'a, [u8]>,
    descent: Descent,
}

/// What a document could be the difference to.
struct Base {
    at: At,
    bytes: Arc<[u8]>,
    /// Of that document.
    descent: Descent,
}

impl Descent {
    const ALONE: Self = Self { step: Step::ALONE, ancestors: Vec::new() };
}

impl LocalStorage {
    /// Packs a record's documents: all that can be done before it is its turn to be written.
    pub(in crate::storage::local) fn pack(&self, commit: Commit) -> Result<Prepared, StorageError> {
        let Commit { base, replaced, record } = commit;
        let mut replaced: HashMap<_, _> =
            replaced.into_iter().map(|document| (document.role.clone(), document)).collect();
        let mut packed = Vec::with_capacity(record.documents.len());
        for document in &record.documents {
            // Of several documents of a role, only the first follows what is written already.
            let base = replaced.remove(&document.role).and_then(|before| self.base_after(&record, before));
            packed.push(shortest(&document.bytes, base)?);
        }
        let bytes = encode_payload(packed.iter().map(|one| (one.form, &*one.bytes)), &record.attachment)?;
        let descents = packed.into_iter().map(|one| one.descent).collect();
        Ok(Prepared { base, record, payload: Arc::new(Payload { bytes, descents }) })
    }

    /// Keeps what the next documents of these roles will stand on, now that the record is durable.
    pub(in crate::storage::local) fn remember(&self, prepared: &Prepared, position: Position) {
        let Prepared { record, payload, .. } = prepared;
        let numbered = numbers(record.documents.len()).zip(&record.documents).zip(&payload.descents);
        for ((number, document), descent) in numbered {
            let at = At { position, number };
            let newest = Ancestor { at, step: descent.step, bytes: Some(Arc::clone(&document.bytes)) };
            let ancestors = [newest].into_iter().chain(descent.ancestors.iter().cloned()).collect();
            let lineage = Lineage { sha256: document.sha256, ancestors };
            self.recent.put(&record.repository, record.incarnation, &document.role, lineage);
        }
    }

    /// What a document after `replaced` would be the difference to. `None` if that cannot be read: it stands alone then.
    fn base_after(&self, record: &Record, replaced: StoredDocument) -> Option<Base> {
        let recent = self.recent.get(&record.repository, record.incarnation, &replaced.role);
        let lineage = match recent {
            Some(lineage) if lineage.sha256 == replaced.sha256 => Ok(Some(lineage)),
            Some(_) | None => self.trace(record, replaced),
        };
        let base = lineage.and_then(|lineage| lineage.map_or(Ok(None), |lineage| self.base(&lineage)));
        base.unwrap_or_else(|error| {
            tracing::warn!(%error, repository = %record.repository, "what is stored cannot be a base; a document stands alone");
            None
        })
    }

    fn trace(&self, record: &Record, replaced: StoredDocument) -> Result<Option<Lineage>, StorageError> {
        let StoredDocument { role, sha256, bytes, .. } = replaced;
        let found = self.index.by_digest(&record.repository, record.incarnation, &role, &sha256)?;
        let Some(position) = found.filter(|position| self.holds(*position)) else { return Ok(None) };
        let mut reader = Reader::new(&self.journal, &self.recent);
        let stored = reader.stored(position)?;
        let header = &stored.header;
        if header.repository != record.repository || header.incarnation != record.incarnation {
            return Ok(None);
        }
        let number = numbers(header.documents.len())
            .zip(&header.documents)
            .find(|(_, document)| document.role == role && document.sha256 == sha256);
        let Some((number, _)) = number else { return Ok(None) };
        let mut ancestors = reader.ancestors(&stored, number)?;
        if let Some(newest) = ancestors.first_mut() {
            newest.bytes = Some(bytes);
        }
        Ok(Some(Lineage { sha256, ancestors }))
    }

    /// What a document that follows would be the difference to.
    fn base(&self, lineage: &Lineage) -> Result<Option<Base>, StorageError> {
        let Some((step, ancestors)) = lineage.next() else { return Ok(None) };
        let Some(base) = ancestors.first() else { return Ok(None) };
        let bytes = if let Some(bytes) = &base.bytes {
            Arc::clone(bytes)
        } else {
            let mut reader = Reader::new(&self.journal, &self.recent);
            let stored = reader.stored(base.at.position)?;
            reader.document(&stored, base.at.number)?.bytes
        };
        let mut ancestors = ancestors.to_vec();
        if let Some(base) = ancestors.first_mut() {
            base.bytes = Some(Arc::clone(&bytes));
        }
        Ok(Some(Base { at: base.at, bytes, descent: Descent { step, ancestors } }))
    }
}

/// The shorter form of a document that stands alone, and its bytes.
pub(in crate::storage::local) fn alone(bytes: &[u8]) -> Result<(Form, Vec<u8>), StorageError> {
    let Packed { form, bytes, .. } = shortest(bytes, None)?;
    Ok((form, bytes.into_owned()))
}

/// The shortest form of a document. A difference that halves it is not compared with others.
fn shortest(bytes: &[u8], base: Option<Base>) -> Result<Packed<'_>, StorageError> {
    let difference = match base {
        Some(base) => difference(bytes, base)?,
        None => None,
    };
    let difference = match difference {
        Some(difference) if difference.bytes.len() <= bytes.len() / 2 => return Ok(difference),
        other => other,
    };
    let whole = Packed { form: Form::Whole, bytes: Cow::Borrowed(bytes), descent: Descent::ALONE };
    let alone = certain(None, bytes)?.map(|packed| Packed {
        form: Form::Packed,
        bytes: Cow::Owned(packed),
        descent: Descent::ALONE,
    });
    Ok([alone, difference].into_iter().flatten().fold(whole, shorter))
}

fn shorter<'d>(one: Packed<'d>, other: Packed<'d>) -> Packed<'d> {
    if other.bytes.len() < one.bytes.len() { other } else { one }
}

fn difference(bytes: &[u8], base: Base) -> Result<Option<Packed<'_>>, StorageError> {
    let Base { at, bytes: base, descent } = base;
    let form = Form::Difference { base: at, step: descent.step.0 };
    Ok(certain(Some(&base), bytes)?.map(|packed| Packed { form, bytes: Cow::Owned(packed), descent }))
}

/// Packed bytes from which the document was made again. `None` if that failed: what cannot be read back would be lost.
fn certain(base: Option<&[u8]>, bytes: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
    let packed = pack(base, bytes)?;
    if unpack(base, &packed, bytes.len()).as_deref() == Some(bytes) {
        return Ok(Some(packed));
    }
    tracing::error!("a packed document does not unpack to what it was; it is stored otherwise");
    Ok(None)
}
