//! A record's documents and attachment as bytes.
//!
//! For each document, in the order of the header: u8, its form (0 whole, 1 packed, 2 difference, 3 dropped); for a
//! difference, where its base stands and its step; length; so many bytes. Then the length of the attachment; so many bytes. Nothing after it.

use core::ops::Range;

use super::layout::{Fields, put_number};
use crate::storage::StorageError;
use crate::terms::Position;

/// Which document of which record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::storage::local) struct At {
    pub(in crate::storage::local) position: Position,
    /// From 0 on, in the order of the record's header.
    pub(in crate::storage::local) number: u32,
}

/// How a document is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::storage::local) enum Form {
    /// Its own bytes.
    Whole,
    /// Compressed by itself.
    Packed,
    /// Its difference to another one.
    Difference {
        base: At,
        /// How many documents of its role, this one included, came since the last one that stands alone.
        step: u64,
    },
    /// It was dropped: no bytes stand for it.
    Dropped,
}

/// A document as it is stored: its form, and the bytes.
pub(in crate::storage::local) type Stored<'a> = (Form, &'a [u8]);

/// Where in a payload its parts stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Parts {
    pub(super) documents: Vec<(Form, Range<usize>)>,
    pub(super) attachment: Range<usize>,
}

const WHOLE: u8 = 0;
const PACKED: u8 = 1;
const DIFFERENCE: u8 = 2;
const DROPPED: u8 = 3;

/// A record's payload.
pub(in crate::storage::local) fn encode<'a>(
    documents: impl IntoIterator<Item = Stored<'a>>,
    attachment: &[u8],
) -> Result<Vec<u8>, StorageError> {
    let mut payload = Vec::new();
    for (form, bytes) in documents {
        match form {
            Form::Whole => payload.push(WHOLE),
            Form::Packed => payload.push(PACKED),
            Form::Dropped => payload.push(DROPPED),
            Form::Difference { base, step } => {
                payload.push(DIFFERENCE);
                put_number(&mut payload, base.position.get());
                put_number(&mut payload, base.number.into());
                put_number(&mut payload, step);
            }
        }
        append(&mut payload, bytes)?;
    }
    append(&mut payload, attachment)?;
    Ok(payload)
}

fn append(to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), StorageError> {
    let length = u64::try_from(bytes.len()).map_err(|_| StorageError::Bug("a length beyond 64 bits"))?;
    put_number(to, length);
    to.extend(bytes);
    Ok(())
}

/// Takes the payload of so many documents apart; otherwise, what is wrong.
pub(super) fn parse(documents: usize, payload: &[u8]) -> Result<Parts, &'static str> {
    let mut fields = Fields(payload);
    let mut parts = Parts { documents: Vec::with_capacity(documents), attachment: 0..0 };
    for _ in 0..documents {
        let form = match fields.bytes().ok_or(SHORT)? {
            [WHOLE] => Form::Whole,
            [PACKED] => Form::Packed,
            [DIFFERENCE] => {
                let mut number = || fields.number().ok_or(NO_NUMBER);
                let position = Position::new(number()?);
                let base = At { position, number: u32::try_from(number()?).map_err(|_| NO_NUMBER)? };
                Form::Difference { base, step: number()? }
            }
            [DROPPED] => Form::Dropped,
            _ => return Err("a document in a form that this release does not know"),
        };
        let range = next(&mut fields, payload)?;
        if form == Form::Dropped && !range.is_empty() {
            return Err("bytes of a document that was dropped");
        }
        parts.documents.push((form, range));
    }
    parts.attachment = next(&mut fields, payload)?;
    if fields.0.is_empty() { Ok(parts) } else { Err("bytes after the attachment") }
}

const NO_NUMBER: &str = "no number where the payload should have one";
const SHORT: &str = "the payload ends within a document or the attachment";

fn next(fields: &mut Fields<'_>, payload: &[u8]) -> Result<Range<usize>, &'static str> {
    let length = fields.number().ok_or(NO_NUMBER)?;
    let bytes = fields.slice(length).ok_or(SHORT)?;
    let end = payload.len().saturating_sub(fields.0.len());
    Ok(end.saturating_sub(bytes.len())..end)
}

#[cfg(test)]
mod tests;
