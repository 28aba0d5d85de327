//! A record's documents and attachment as bytes.
//!
//! For each document, in the order of the header: u8, encoding (0 stored whole); u64, length; so many bytes. Then u64,
//! length of the attachment; so many bytes. Nothing after it.

use std::sync::Arc;

use super::layout::Fields;
use crate::crypto::sha256;
use crate::storage::{Record, RecordHeader, StorageError, StoredDocument};

/// The document's own bytes. Above it: encodings that name a base, see `docs/format.md`.
const WHOLE: u8 = 0;

/// Appends a record's payload.
pub(super) fn encode(record: &Record, to: &mut Vec<u8>) -> Result<(), StorageError> {
    to.reserve(length(record));
    for document in &record.documents {
        to.push(WHOLE);
        append(to, &document.bytes)?;
    }
    append(to, &record.attachment)
}

/// How many bytes [`encode`] makes of it.
pub(in crate::storage::local) fn length(record: &Record) -> usize {
    const LENGTH: usize = 8;
    let documents: usize = record.documents.iter().map(|document| 1 + LENGTH + document.bytes.len()).sum();
    documents + LENGTH + record.attachment.len()
}

fn append(to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), StorageError> {
    let length = u64::try_from(bytes.len()).map_err(|_| StorageError::Bug("a length beyond 64 bits"))?;
    to.extend(length.to_le_bytes());
    to.extend(bytes);
    Ok(())
}

/// The record that `header` and `payload` make up, each document's digest checked; otherwise, what is wrong.
pub(super) fn decode(header: RecordHeader, payload: &[u8]) -> Result<Record, &'static str> {
    const SHORT: &str = "the payload ends within a document or the attachment";
    let mut fields = Fields(payload);
    let mut documents = Vec::with_capacity(header.documents.len());
    for expected in header.documents {
        match fields.bytes().ok_or(SHORT)? {
            [WHOLE] => {}
            _ => return Err("a document in an encoding that this release does not know"),
        }
        let length = fields.u64().ok_or(SHORT)?;
        let bytes = fields.slice(length).ok_or(SHORT)?;
        if length != expected.length || sha256(bytes) != expected.sha256 {
            return Err("a document is not the one that the header names");
        }
        documents.push(StoredDocument {
            role: expected.role,
            version: expected.version,
            sha256: expected.sha256,
            bytes: bytes.into(),
        });
    }
    let length = fields.u64().ok_or(SHORT)?;
    let attachment: Arc<[u8]> = fields.slice(length).ok_or(SHORT)?.into();
    if !fields.0.is_empty() {
        return Err("bytes after the attachment");
    }
    Ok(Record {
        kind: header.kind,
        repository: header.repository,
        incarnation: header.incarnation,
        revision: header.revision,
        time: header.time,
        timestamp: header.timestamp,
        documents,
        attachment,
    })
}

#[cfg(test)]
mod tests;
