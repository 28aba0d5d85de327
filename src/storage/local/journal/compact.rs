//! Writing a segment anew without what may be dropped from it.
//!
//! Headers stay, and with them the chain. A document that is dropped leaves its form behind, [`Form::Dropped`]; all others
//! stand as they stood. The new file is made beside and takes the old one's name: a power cut leaves the one or the other,
//! and both say the same of everything that is kept. Readers are not kept waiting: who finds bytes of the other file where
//! it looks, looks again.

use std::sync::atomic::Ordering;

use super::layout::{Frame, GroupHeader, GroupKind, SegmentHeader, WITH_GAPS};
use super::payload::{self, Form};
use super::read::StoredRecord;
use super::segment::{self, FRAME, Framed, GROUP_HEADER, SEGMENT_HEADER, SegmentFile, frames};
use super::{Journal, Segment, reserve};
use crate::storage::local::codec;
use crate::storage::{Discard, RecordHeader, StorageError};
use crate::terms::Position;

/// What of a record may be dropped.
pub(crate) type May<'a> = dyn Fn(&RecordHeader) -> Discard + 'a;

/// A segment as it is written anew.
struct Draft<'a> {
    file: SegmentFile,
    may: &'a May<'a>,
    offset: u64,
    /// Of the records, in the new file.
    places: Vec<u64>,
    /// The check of the group before.
    confirms: [u8; 32],
}

impl Journal {
    /// The numbers of all segments that something follows, oldest first.
    pub(crate) fn followed(&self) -> Vec<u64> {
        let table = self.table.read();
        let all = table.segments.split_last().map_or(&[][..], |(_, followed)| followed);
        all.iter().map(|segment| segment.number).collect()
    }

    /// Whether all of a segment can be read and checks, and the header of the one after it.
    pub(crate) fn is_readable(&self, number: u64) -> bool {
        let read = |(known, next): (Segment, u64)| {
            let file = SegmentFile::open(&*self.device, number)?;
            let mut offset = SEGMENT_HEADER;
            while offset < known.end {
                let Some(group) = file.group(offset)? else { return Ok(false) };
                offset = group.end;
            }
            SegmentFile::open(&*self.device, next).map(|_| file.digest == known.header)
        };
        self.with_next(number).is_none_or(|known| read(known).is_ok_and(|readable: bool| readable))
    }

    /// How many bytes of a segment count; none of one that is not there.
    pub(crate) fn bytes_of(&self, number: u64) -> u64 {
        let table = self.table.read();
        table.segments.iter().find(|segment| segment.number == number).map_or(0, |segment| segment.end)
    }

    /// BLAKE3 of the header of a segment's file, as memory knows it.
    pub(crate) fn header_of(&self, number: u64) -> Option<[u8; 32]> {
        let table = self.table.read();
        table.segments.iter().find(|segment| segment.number == number).map(|segment| segment.header)
    }

    /// The number of the segment after those, if there is one.
    pub(crate) fn newest(&self) -> Vec<u64> {
        self.table.read().segments.last().map(|segment| segment.number).into_iter().collect()
    }

    /// Writes a segment anew without what `may` be dropped, if that frees a part of it: one of so many. Answers how many
    /// bytes that freed.
    ///
    /// # Errors
    /// [`StorageError`]; the segment is as it was then, unless only its folder could not be synced. Where it is not known which
    /// file has the name, or the two journals differ in that, the journal takes no more.
    pub(crate) fn compact(&self, number: u64, may: &May<'_>, part: u64) -> Result<u64, StorageError> {
        self.appender().ready()?;
        let Some((old, next)) = self.with_next(number) else { return Ok(0) };
        let source = SegmentFile::open(&*self.device, number)?;
        if source.digest != old.header {
            return Err(source.corrupt(0, "not the segment that memory knows"));
        }
        let freed = droppable(&source, &old, may)?;
        if !is_worth(freed, &old, part) {
            return Ok(0);
        }
        let original = SegmentFile::open(&*self.device, next)?.header.confirms;
        let beside = segment::beside(number);
        let new =
            reserve::or_without(&*self.device, || self.write_anew(&source, &old, &beside, original, may));
        if new.is_err() {
            // What is left would be removed at the next open, too.
            let _gone = self.device.remove(&beside);
        }
        let new = new?;
        let freed = old.end.saturating_sub(new.end);
        let failed = |source| StorageError::io(format!("replacing {}", segment::name(number)), source);
        let renamed = {
            // A reader takes places and a count of replacements together; see `read`.
            let mut table = self.table.write();
            self.unsynced.store(true, Ordering::Release);
            let renamed = self.device.rename(&beside, &source.name).map_err(failed);
            if renamed.is_ok() {
                table.replaced += 1;
                let slot = table.segments.iter_mut().find(|segment| segment.number == number);
                *slot.ok_or(StorageError::Bug("a segment that is gone from memory"))? = new;
            }
            renamed
        };
        if renamed.is_err() && !self.still_stands(&old) {
            self.appender().halt();
        }
        renamed?;
        self.settle_names()?;
        let mut writer = self.writer.lock();
        writer.bytes = writer.bytes.saturating_sub(freed);
        Ok(freed)
    }

    /// Makes durable that segments were replaced, if that failed before: until then a power cut brings back what they held.
    pub(crate) fn settle_names(&self) -> Result<(), StorageError> {
        if self.unsynced.load(Ordering::Acquire) {
            let failed = |source| StorageError::io("syncing the journal's folder", source);
            self.device.sync_folder().map_err(failed)?;
            self.unsynced.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Whether a segment is what memory knows, in every copy.
    fn still_stands(&self, known: &Segment) -> bool {
        let Ok(file) = SegmentFile::open(&*self.device, known.number) else { return false };
        let mut other = [0; SegmentHeader::LENGTH];
        let other = match file.file.read_other(0, &mut other) {
            None => true,
            Some(read) => read.is_ok() && *blake3::hash(&other).as_bytes() == known.header,
        };
        file.digest == known.header && other
    }

    /// Whether the newest segment is to be written anew as well, so that another one has to follow it first.
    pub(crate) fn should_rotate(&self, may: &May<'_>, part: u64) -> Result<bool, StorageError> {
        let newest = self.table.read().segments.last().cloned();
        let Some(newest) = newest.filter(|newest| !newest.records.is_empty()) else { return Ok(false) };
        let source = SegmentFile::open(&*self.device, newest.number)?;
        Ok(is_worth(droppable(&source, &newest, may)?, &newest, part))
    }

    /// A segment, and the number of the one after it; `None` if there is none.
    fn with_next(&self, number: u64) -> Option<(Segment, u64)> {
        let table = self.table.read();
        let at = table.segments.iter().position(|segment| segment.number == number)?;
        Some((table.segments.get(at)?.clone(), table.segments.get(at + 1)?.number))
    }

    fn write_anew(
        &self,
        source: &SegmentFile,
        old: &Segment,
        beside: &str,
        original: [u8; 32],
        may: &May<'_>,
    ) -> Result<Segment, StorageError> {
        let failed = |source| StorageError::io(format!("making {beside}"), source);
        match self.device.remove(beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let header = SegmentHeader {
            format: source.header.format.max(WITH_GAPS),
            key: rand::random(),
            size: 0,
            ..source.header.clone()
        };
        let encoded = header.encode();
        let file = self.device.create(beside).map_err(failed)?;
        file.write(0, &encoded).map_err(failed)?;
        let digest = *blake3::hash(&encoded).as_bytes();
        let confirms = header.confirms;
        let name = beside.to_owned();
        let file = SegmentFile { key: header.group_key(), header, name, file, digest, length: 0 };
        let mut draft = Draft { file, may, offset: SEGMENT_HEADER, places: Vec::new(), confirms };
        let mut offset = SEGMENT_HEADER;
        let mut first = old.first;
        while offset < old.end {
            let group =
                source.group(offset)?.ok_or_else(|| source.corrupt_group(offset, "no valid group"))?;
            first = draft.group(source, offset, &group.body, first)?;
            offset = group.end;
        }
        draft.finish(first, original)?;
        let records = draft.places;
        if records.len() != old.records.len() {
            return Err(source.corrupt(0, "another number of records than memory knows"));
        }
        Ok(Segment { number: old.number, first: old.first, header: digest, end: draft.offset, records })
    }
}

/// Whether that frees a part of a segment: one of so many.
fn is_worth(freed: u64, segment: &Segment, part: u64) -> bool {
    freed > 0 && freed >= segment.end / part.max(1)
}

/// About how many bytes would be freed. Reads headers, and no payloads.
fn droppable(source: &SegmentFile, segment: &Segment, may: &May<'_>) -> Result<u64, StorageError> {
    let mut freed = 0_u64;
    for place in &segment.records {
        let short = || source.corrupt(*place, "a frame beyond the end of its file");
        let frame = source.read(*place, FRAME)?.as_deref().and_then(Frame::decode).ok_or_else(short)?;
        let bytes = source.read(place + FRAME, frame.header_length.into())?.ok_or_else(short)?;
        if *blake3::hash(&bytes).as_bytes() != frame.header_digest {
            return Err(source.corrupt(*place, "a record header that its frame does not name"));
        }
        let header = codec::decode_header(&bytes)
            .map_err(|_| source.corrupt(*place, "a record header that cannot be decoded"))?;
        let may = may(&header);
        let parts = u64::try_from(header.documents.len()).unwrap_or(u64::MAX).saturating_add(1);
        let dropped = u64::from(may.count()).saturating_sub(frame.dropped.into());
        let left = parts.saturating_sub(frame.dropped.into()).max(1);
        freed = freed.saturating_add(frame.payload_length.saturating_mul(dropped) / left);
    }
    Ok(freed)
}

impl Draft<'_> {
    /// Writes the group in which `body` stood at `offset`; its first record has Position `first`. Answers which one comes
    /// after it.
    fn group(
        &mut self,
        source: &SegmentFile,
        offset: u64,
        body: &[u8],
        first: Position,
    ) -> Result<Position, StorageError> {
        let (mut new, mut starts, mut position) = (Vec::new(), Vec::new(), first);
        for framed in frames(body) {
            let framed = framed.map_err(|finding| source.corrupt(offset, finding))?;
            let place = offset + GROUP_HEADER + framed.offset;
            starts.push(u64::try_from(new.len()).map_err(|_| BEYOND)?);
            self.record(source, place, &framed, position, &mut new)?;
            position = position.next();
        }
        let header = GroupHeader::of_records(starts.len(), &new, first, self.confirms).ok_or(BEYOND)?;
        let start = self.offset + GROUP_HEADER;
        self.places.extend(starts.into_iter().map(|frame| start + frame));
        self.confirms = self.write(&header, &new)?;
        Ok(position)
    }

    /// Appends the frame of one record, without what may be dropped of it.
    fn record(
        &self,
        source: &SegmentFile,
        place: u64,
        framed: &Framed<'_>,
        position: Position,
        to: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let corrupt = |finding| source.corrupt(place, finding);
        if *blake3::hash(framed.header).as_bytes() != framed.frame.header_digest {
            return Err(corrupt("a record header that its frame does not name"));
        }
        let header = codec::decode_header(framed.header)
            .map_err(|_| corrupt("a record header that cannot be decoded"))?;
        if header.position != position {
            return Err(corrupt("a record that does not follow the one before it"));
        }
        let repository = Some(header.repository.clone());
        if *blake3::hash(framed.payload).as_bytes() != framed.frame.payload_digest {
            let place = format!("{} at {place}", source.name);
            let finding = "a payload that its frame does not name";
            return Err(StorageError::Corrupt { place, repository, finding });
        }
        let may = (self.may)(&header);
        let documents = header.documents.len();
        let stored = StoredRecord::new(header, framed.payload.to_vec(), source.name.clone())?;
        let mut dropped = 0_u32;
        let parts = (0..).take(documents).map(|number| {
            let (form, bytes) = stored.document(number).map_or((Form::Dropped, &[][..]), |(_, part)| part);
            if form == Form::Dropped || may.drops(number) {
                dropped = dropped.saturating_add(1);
                return (Form::Dropped, &[][..]);
            }
            (form, bytes)
        });
        let parts: Vec<_> = parts.collect();
        let attachment = if may.attachment { &[][..] } else { stored.attachment() };
        // What was dropped before stays counted.
        let dropped = dropped.saturating_add(u32::from(may.attachment)).max(framed.frame.dropped);
        let payload = payload::encode(parts, attachment)?;
        let frame = Frame::of(framed.header, &payload, dropped).ok_or(BEYOND)?;
        to.extend(frame.encode());
        to.extend(framed.header);
        to.extend(payload);
        Ok(())
    }

    /// Ends the file, and makes it durable under the name that it has.
    fn finish(&mut self, next: Position, original: [u8; 32]) -> Result<(), StorageError> {
        let kind = GroupKind::Rewritten;
        let header = GroupHeader::of_records(0, &original, next, self.confirms).ok_or(BEYOND)?;
        let end = self.offset;
        self.write(&GroupHeader { kind, ..header }, &original)?;
        self.offset = end;
        let failed = |source| StorageError::io(format!("making {}", self.file.name), source);
        self.file.file.sync().map_err(failed)
    }

    fn write(&mut self, header: &GroupHeader, body: &[u8]) -> Result<[u8; 32], StorageError> {
        let (mut bytes, check) = header.encode(&self.file.key);
        let span = header.span().ok_or(BEYOND)?;
        bytes.extend(body);
        bytes.resize(usize::try_from(span).map_err(|_| BEYOND)?, 0);
        let failed = |source| StorageError::io(format!("making {}", self.file.name), source);
        self.file.file.write(self.offset, &bytes).map_err(failed)?;
        self.offset = self.offset.checked_add(span).ok_or(BEYOND)?;
        Ok(check)
    }
}

const BEYOND: StorageError = StorageError::Bug("a group beyond what its header can say");
