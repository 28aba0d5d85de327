//! The fixed bytes of a segment: its header, group headers, frames. `docs/format.md` is the reference.
//!
//! All integers are little-endian.

use crate::storage::StorageError;
use crate::terms::Position;

/// What is written, and what every release reads.
pub(super) const FORMAT: u16 = 1;
/// Of a segment with skipped Positions or dropped documents.
pub(super) const WITH_GAPS: u16 = 2;
/// Of a segment that may hold settings, and records with a note. The newest that this release reads.
pub(super) const WITH_NOTES: u16 = 3;

/// The first bytes of a segment.
///
/// offset 0, 8 bytes, magic; 8, u16, format; 10, 6 bytes, zero; 16, u64, number; 24, u64, first Position;
/// 32, 32 bytes, chain; 64, 32 bytes, confirms; 96, 16 bytes, key; 112, u64, size; 120, u64, skipped;
/// 128, 32 bytes, BLAKE3 of the 128 before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SegmentHeader {
    /// [`FORMAT`], unless something stands in it that releases before cannot read.
    pub(super) format: u16,
    /// As in the file's name. Later segments have higher ones; there may be gaps.
    pub(super) number: u64,
    /// Of the first record that it holds or will hold. Earlier segments count only up to it.
    pub(super) first: Position,
    /// BLAKE3 of the encoded header of the record before `first`; zeros before the first record.
    pub(super) chain: [u8; 32],
    /// The check of the last group of records before `first`; zeros before the first.
    pub(super) confirms: [u8; 32],
    /// Random, so that no bytes made elsewhere pass for a group of this segment.
    pub(super) key: [u8; 16],
    /// How long the file was made. While nothing seals or follows the segment, it cannot be shorter. Zero in one that was
    /// written anew, which something follows always.
    pub(super) size: u64,
    /// How many Positions before `first` no record has, which come after a store was restored or repaired. Zero else.
    pub(super) skipped: u64,
}

impl SegmentHeader {
    pub(super) const LENGTH: usize = 160;
    const MAGIC: [u8; 8] = *b"tufs-seg";
    const CHECKED: usize = 128;

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend(Self::MAGIC);
        bytes.extend(self.format.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.first.get().to_le_bytes());
        bytes.extend(self.chain);
        bytes.extend(self.confirms);
        bytes.extend(self.key);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.skipped.to_le_bytes());
        bytes.extend(blake3::hash(&bytes).as_bytes());
        bytes
    }

    /// `file` is for the error. The checksum stands at the same place in every format, so damage is told from newness.
    pub(super) fn decode(bytes: &[u8], file: &str) -> Result<Self, StorageError> {
        let damaged = || StorageError::corrupt(file, 0, "no valid segment header");
        let (checked, digest) = bytes.split_at_checked(Self::CHECKED).ok_or_else(damaged)?;
        if digest != blake3::hash(checked).as_bytes() {
            return Err(damaged());
        }
        let mut fields = Fields(checked);
        if fields.bytes::<8>() != Some(Self::MAGIC) {
            return Err(damaged());
        }
        match fields.u16().ok_or_else(damaged)? {
            format @ FORMAT..=WITH_NOTES => Self::fields(format, fields).ok_or_else(damaged),
            found if found > WITH_NOTES => {
                Err(StorageError::NewerFormat { file: file.to_owned(), found, supported: WITH_NOTES })
            }
            _ => Err(damaged()),
        }
    }

    fn fields(format: u16, mut fields: Fields<'_>) -> Option<Self> {
        fields.zeros::<6>()?;
        let header = Self {
            format,
            number: fields.u64()?,
            first: Position::new(fields.u64()?),
            chain: fields.bytes()?,
            confirms: fields.bytes()?,
            key: fields.bytes()?,
            size: fields.u64()?,
            skipped: fields.u64()?,
        };
        let sensible = header.skipped < header.first.get() && (format >= WITH_GAPS || header.skipped == 0);
        sensible.then_some(header)
    }

    /// The same, where no record has the last so many Positions before its first.
    pub(super) fn after_skipping(self, skipped: u64) -> Self {
        let format = if skipped == 0 { self.format } else { self.format.max(WITH_GAPS) };
        Self { format, skipped, ..self }
    }

    /// Whether the segment was written anew.
    pub(super) fn is_rewritten(&self) -> bool {
        self.size == 0
    }

    /// Whether it goes on where a journal ends: right before its first Position, or anywhere in those that it skips. One that
    /// takes the place of empty ones skips what they did, and those before them may be there still.
    pub(super) fn goes_on_after(&self, end: Position) -> bool {
        let last_before = self.first.get().saturating_sub(1);
        (last_before.saturating_sub(self.skipped)..=last_before).contains(&end.get())
    }

    /// What group headers of this segment are keyed with.
    pub(super) fn group_key(&self) -> [u8; 32] {
        let mut material = Vec::with_capacity(56);
        material.extend(self.key);
        material.extend(self.number.to_le_bytes());
        material.extend(self.chain);
        blake3::derive_key("tufstore journal 1 group header", &material)
    }
}

/// What a group is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum GroupKind {
    /// One write of records.
    Records,
    /// The store was closed after all before it was durable.
    Seal,
    /// A later segment was durable when this was written.
    Continued,
    /// The end of a segment that was written anew. Its body is the check of the last group as it was first written, which
    /// the segment after it confirms.
    Rewritten,
}

/// What stands before the frames of one write.
///
/// offset 0, 8 bytes, magic; 8, u8, kind (1 records, 2 seal, 3 continued, 4 rewritten); 9, 3 bytes, zero; 12, u32, count of records;
/// 16, u64, length of the body; 24, u64, first Position; 32, 32 bytes, confirms; 64, 32 bytes, BLAKE3 of the body;
/// 96, 32 bytes, check: BLAKE3 of the 96 before, keyed with the segment's group key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct GroupHeader {
    pub(super) kind: GroupKind,
    pub(super) records: u32,
    /// Without the zeros that fill up to the next multiple of [`ALIGNMENT`].
    pub(super) body: u64,
    /// Of its first record, or that the next record will have.
    pub(super) first: Position,
    /// The check of the records group before it in the store, durable when this was written; zeros in the first.
    pub(super) confirms: [u8; 32],
    pub(super) digest: [u8; 32],
}

/// Groups start at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;

impl GroupHeader {
    pub(super) const LENGTH: usize = 128;
    pub(super) const MAGIC: [u8; 8] = *b"tufs-grp";
    const CHECKED: usize = 96;

    /// A header with no body.
    pub(super) fn bare(kind: GroupKind, first: Position, confirms: [u8; 32]) -> Self {
        Self { kind, records: 0, body: 0, first, confirms, digest: *blake3::hash(&[]).as_bytes() }
    }

    /// The header of a group of records with that body; `None` if it is beyond what a header can say.
    pub(super) fn of_records(
        records: usize,
        body: &[u8],
        first: Position,
        confirms: [u8; 32],
    ) -> Option<Self> {
        Some(Self {
            kind: GroupKind::Records,
            records: u32::try_from(records).ok()?,
            body: u64::try_from(body.len()).ok()?,
            first,
            confirms,
            digest: *blake3::hash(body).as_bytes(),
        })
    }

    /// The bytes, and the check that ends them.
    pub(super) fn encode(&self, key: &[u8; 32]) -> (Vec<u8>, [u8; 32]) {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend(Self::MAGIC);
        bytes.push(match self.kind {
            GroupKind::Records => 1,
            GroupKind::Seal => 2,
            GroupKind::Continued => 3,
            GroupKind::Rewritten => 4,
        });
        bytes.extend([0; 3]);
        bytes.extend(self.records.to_le_bytes());
        bytes.extend(self.body.to_le_bytes());
        bytes.extend(self.first.get().to_le_bytes());
        bytes.extend(self.confirms);
        bytes.extend(self.digest);
        let check = *blake3::keyed_hash(key, &bytes).as_bytes();
        bytes.extend(check);
        (bytes, check)
    }

    /// The header and its check, if `bytes` are one of the segment with this key.
    pub(super) fn decode(bytes: &[u8], key: &[u8; 32]) -> Option<(Self, [u8; 32])> {
        let mut fields = Fields(bytes);
        if fields.bytes()? != Self::MAGIC {
            return None;
        }
        let (checked, rest) = bytes.split_at_checked(Self::CHECKED)?;
        let check = *rest.first_chunk()?;
        if blake3::keyed_hash(key, checked) != blake3::Hash::from_bytes(check) {
            return None;
        }
        let [kind] = fields.bytes()?;
        let kind = match kind {
            1 => GroupKind::Records,
            2 => GroupKind::Seal,
            3 => GroupKind::Continued,
            4 => GroupKind::Rewritten,
            _ => return None,
        };
        fields.zeros::<3>()?;
        let header = Self {
            kind,
            records: fields.u32()?,
            body: fields.u64()?,
            first: Position::new(fields.u64()?),
            confirms: fields.bytes()?,
            digest: fields.bytes()?,
        };
        Some((header, check))
    }

    /// How many bytes header, body and filling take.
    pub(super) fn span(&self) -> Option<u64> {
        const LENGTH: u64 = 128;
        self.body.checked_next_multiple_of(ALIGNMENT)?.checked_add(LENGTH)
    }
}

/// What stands before each record in a group's body; the encoded record header and the payload follow.
///
/// offset 0, u32, length of the encoded header; 4, u32, how many documents were dropped from the payload, its attachment
/// counted as one; 8, u64, length of the
/// payload; 16, 32 bytes, BLAKE3 of the encoded header; 48, 32 bytes, BLAKE3 of the payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) header_length: u32,
    /// How many documents, and the attachment.
    pub(super) dropped: u32,
    pub(super) payload_length: u64,
    /// The link that the next record's header names.
    pub(super) header_digest: [u8; 32],
    pub(super) payload_digest: [u8; 32],
}

impl Frame {
    pub(super) const LENGTH: usize = 80;

    /// `None` if a length is beyond what a frame can say.
    pub(super) fn of(header: &[u8], payload: &[u8], dropped: u32) -> Option<Self> {
        Some(Self {
            header_length: u32::try_from(header.len()).ok()?,
            dropped,
            payload_length: u64::try_from(payload.len()).ok()?,
            header_digest: *blake3::hash(header).as_bytes(),
            payload_digest: *blake3::hash(payload).as_bytes(),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.extend(self.header_length.to_le_bytes());
        bytes.extend(self.dropped.to_le_bytes());
        bytes.extend(self.payload_length.to_le_bytes());
        bytes.extend(self.header_digest);
        bytes.extend(self.payload_digest);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            header_length: fields.u32()?,
            dropped: fields.u32()?,
            payload_length: fields.u64()?,
            header_digest: fields.bytes()?,
            payload_digest: fields.bytes()?,
        })
    }
}

/// Reads fixed fields from the front; `None` where the bytes end.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn slice(&mut self, length: u64) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(field)
    }

    /// Bytes that mean nothing yet: what is not zero comes from a writer that knows more.
    fn zeros<const N: usize>(&mut self) -> Option<()> {
        (self.bytes::<N>()? == [0; N]).then_some(())
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// What [`put_number`] wrote; `None` for any other way to write it.
    pub(super) fn number(&mut self) -> Option<u64> {
        let [first] = self.bytes()?;
        let (number, least) = match first {
            TWO_BYTES => (self.u16()?.into(), TWO_BYTES.into()),
            FOUR_BYTES => (self.u32()?.into(), u64::from(u16::MAX) + 1),
            EIGHT_BYTES => (self.u64()?, u64::from(u32::MAX) + 1),
            small if small < TWO_BYTES => (small.into(), 0),
            _ => return None,
        };
        (number >= least).then_some(number)
    }
}

const TWO_BYTES: u8 = 251;
const FOUR_BYTES: u8 = 252;
const EIGHT_BYTES: u8 = 253;

/// Appends a number in as few bytes as its size asks for, as record headers have them.
pub(super) fn put_number(to: &mut Vec<u8>, number: u64) {
    if let Some(small) = u8::try_from(number).ok().filter(|small| *small < TWO_BYTES) {
        to.push(small);
    } else if let Ok(number) = u16::try_from(number) {
        to.push(TWO_BYTES);
        to.extend(number.to_le_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        to.push(FOUR_BYTES);
        to.extend(number.to_le_bytes());
    } else {
        to.push(EIGHT_BYTES);
        to.extend(number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests;
