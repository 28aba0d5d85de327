use parking_lot::MutexGuard;

use super::layout::{FORMAT, Frame, GroupHeader, GroupKind, SegmentHeader, WITH_GAPS, WITH_NOTES};
use super::segment::{GROUP_HEADER, SEGMENT_HEADER, SegmentFile, Unnamed};
use super::{End, Journal, JournalOptions, Segment, reserve};
use crate::storage::local::codec;
use crate::storage::{DocumentHeader, Record, RecordHeader, RecordKind, StorageError, StoredDocument};
use crate::terms::{Note, Position};

/// What only the writer knows.
pub(super) struct Writer {
    /// Where the next group goes; `None` until a commit needs a segment.
    pub(super) active: Option<Active>,
    pub(super) state: State,
    /// Higher than that of any segment there ever was.
    pub(super) next_number: u64,
    /// Of all segments, as far as they count.
    pub(super) bytes: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Open,
    /// A write or sync failed. What is on disk is not known, so nothing is added to it, not even a seal.
    Halted,
    Closed,
}

/// The segment that is written to.
pub(super) struct Active {
    pub(super) segment: SegmentFile,
    pub(super) offset: u64,
}

/// The journal's only writer, as long as this lives.
pub(crate) struct Appender<'a> {
    journal: &'a Journal,
    writer: MutexGuard<'a, Writer>,
}

/// A record as it stands in a journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Raw {
    pub(crate) header: RecordHeader,
    pub(crate) payload: Vec<u8>,
    /// How many documents were dropped from it, the attachment counted as one.
    pub(crate) dropped: u32,
}

/// A record that is durable now.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) header: RecordHeader,
    /// BLAKE3 of the encoded header.
    pub(crate) chain: [u8; 32],
}

/// A group that only lacks the check of the segment that it goes to.
struct Group {
    header: GroupHeader,
    /// Room for the header, the frames, and zeros up to the span.
    bytes: Vec<u8>,
    span: u64,
    /// Where each frame starts, from the start of the group.
    offsets: Vec<u64>,
    appended: Vec<Appended>,
    /// The journal with it, but for the group's check.
    end: End,
}

/// A group as it is being put together.
struct Draft {
    /// Room for the group's header, then the frames.
    bytes: Vec<u8>,
    /// Where each frame starts, from the start of the group.
    offsets: Vec<u64>,
    appended: Vec<Appended>,
    /// The journal with it, but for the group's check.
    end: End,
}

impl Journal {
    /// Waits for the writer before.
    pub(crate) fn appender(&self) -> Appender<'_> {
        Appender { journal: self, writer: self.writer.lock() }
    }
}

impl Appender<'_> {
    /// Whether a write would be tried at all.
    pub(crate) fn ready(&self) -> Result<(), StorageError> {
        match self.writer.state {
            State::Open => Ok(()),
            State::Halted => Err(StorageError::Halted),
            State::Closed => Err(StorageError::Closed),
        }
    }

    /// Takes no more until the store is opened again.
    pub(super) fn halt(&mut self) {
        self.writer.state = State::Halted;
    }

    /// Goes on in the file that has the name of the segment that is written to, which may be another one by now. Where that is
    /// not known to be durable, the next commit makes a segment of its own.
    pub(crate) fn reopen(&mut self, is_durable: bool) {
        let Some(Active { segment, offset }) = self.writer.active.take() else { return };
        let opened = SegmentFile::open(&*self.journal.device, segment.header.number);
        let opened = opened.ok().filter(|opened| is_durable && opened.digest == segment.digest);
        self.writer.active = opened.map(|segment| Active { segment, offset });
    }

    /// How many bytes all records take by now.
    pub(crate) fn bytes(&self) -> u64 {
        self.writer.bytes
    }

    /// Makes records durable, each with its payload, all in one write and one sync.
    ///
    /// When this returns an error and the journal is [ready](Self::ready) still, nothing was written. Otherwise the records
    /// are whole or absent, known after reopening, and the journal takes no more.
    pub(crate) fn append<'r>(
        &mut self,
        records: impl Iterator<Item = (&'r Record, &'r [u8])>,
    ) -> Result<Vec<Appended>, StorageError> {
        self.ready()?;
        let (mut frees, mut format) = (true, FORMAT);
        let records = records.inspect(|(record, _)| {
            frees &= record.kind == RecordKind::Deletion;
            format = format.max(format_of(record.kind, record.note.as_ref()));
        });
        let group = assemble(records, self.journal.end())?.finish(self.journal.end())?;
        self.put(group, frees, format)
    }

    /// Makes a group durable, in a segment of that format or a later one; on a full disk, one that frees room may use what is
    /// kept for that.
    fn put(&mut self, group: Group, frees: bool, format: u16) -> Result<Vec<Appended>, StorageError> {
        let next = if self.fits(group.span, format) {
            None
        } else {
            Some(self.next_segment(group.span, frees, format)?)
        };
        self.halting(|appender| {
            if let Some(next) = next {
                appender.advance(next)?;
            }
            appender.write(group)
        })
    }

    /// Goes on at a later Position: no record has those between.
    pub(crate) fn skip_to(&mut self, last_skipped: Position) -> Result<(), StorageError> {
        self.ready()?;
        let end = self.journal.end();
        let skipped = last_skipped.get().saturating_sub(end.position.get());
        if skipped == 0 {
            return Ok(());
        }
        let size = self.journal.options.size(self.writer.bytes, 0);
        let skipped = skipped.saturating_add(self.skipped_by_empty()?);
        let header = SegmentHeader {
            first: last_skipped.next(),
            ..following(&end, self.writer.next_number, size).after_skipping(skipped)
        };
        let next = Unnamed::make(&*self.journal.device, &header, &[])?;
        self.halting(|appender| {
            appender.journal.table.write().end.position = last_skipped;
            appender.advance(next)
        })
    }

    /// Makes records durable that were one journal's before, each with its payload: their headers stay what they were, and so
    /// does the chain.
    pub(crate) fn append_again(&mut self, records: &[Raw]) -> Result<(), StorageError> {
        let Some(first) = records.first() else { return Ok(()) };
        self.skip_to(Position::new(first.header.position.get().saturating_sub(1)))?;
        let end = self.journal.end();
        // Releases before cannot read what was dropped.
        let (mut draft, mut format) = (Draft::new(end), WITH_GAPS);
        for raw in records {
            format = format.max(format_of(raw.header.kind, raw.header.note.as_ref()));
            if raw.header.position != draft.end.position.next() || raw.header.previous != draft.end.chain {
                return Err(StorageError::Bug("a record again that does not follow the one before it"));
            }
            draft.record(&codec::encode_header(&raw.header)?, &raw.payload, raw.dropped)?;
            draft.end.position = raw.header.position;
        }
        self.put(draft.finish(end)?, false, format).map(|_| ())
    }

    /// Lets another segment follow the newest one, so that it may be compacted.
    pub(crate) fn rotate(&mut self) -> Result<(), StorageError> {
        self.ready()?;
        let next = self.next_segment(0, true, FORMAT)?;
        self.halting(|appender| appender.advance(next))
    }

    /// What leaves the journal as nobody knows if it fails.
    fn halting<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let written = write(self);
        if written.is_err() {
            self.writer.state = State::Halted;
        }
        written
    }

    fn write(&mut self, group: Group) -> Result<Vec<Appended>, StorageError> {
        let Group { header, mut bytes, span, offsets, appended, end } = group;
        let active = self.writer.active.as_mut().ok_or(StorageError::Bug("no segment to write to"))?;
        let (encoded, check) = header.encode(&active.segment.key);
        fill(&mut bytes, 0, &encoded)?;
        let failed = |source| StorageError::io(format!("writing {}", active.segment.name), source);
        active.segment.file.write(active.offset, &bytes).map_err(failed)?;
        active.segment.file.sync().map_err(failed)?;
        let start = active.offset;
        active.offset += span;
        let stop = active.offset;
        self.writer.bytes += span;

        let mut table = self.journal.table.write();
        let segment = table.segments.last_mut().ok_or(StorageError::Bug("no segment to write to"))?;
        segment.records.extend(offsets.iter().map(|offset| start + offset));
        segment.end = stop;
        table.end = End { confirms: check, ..end };
        Ok(appended)
    }

    /// Whether a group of that format fits into the segment that is written to, together with a seal.
    fn fits(&self, span: u64, format: u16) -> bool {
        self.writer.active.as_ref().is_some_and(|active| {
            let header = &active.segment.header;
            active.offset + span + GROUP_HEADER <= header.size
                && (format < WITH_NOTES || header.format >= format)
        })
    }

    /// How many Positions the newest segment skipped, if nothing else is in it: it is gone once another one follows it.
    fn skipped_by_empty(&self) -> Result<u64, StorageError> {
        let empty = {
            let table = self.journal.table.read();
            table.segments.last().filter(|last| last.records.is_empty()).map(|last| last.number)
        };
        let header = |number| Ok(SegmentFile::open(&*self.journal.device, number)?.header.skipped);
        empty.map_or(Ok(0), header)
    }

    /// A segment with room for a group of so many bytes, not named yet.
    fn next_segment(&self, span: u64, frees: bool, format: u16) -> Result<Unnamed, StorageError> {
        let device = &*self.journal.device;
        let number = self.writer.next_number;
        let skipped = self.skipped_by_empty()?;
        // Where there is one note, there will be more.
        let noted =
            self.writer.active.as_ref().is_some_and(|active| active.segment.header.format >= WITH_NOTES);
        let format = if noted { format.max(WITH_NOTES) } else { format };
        let header = |size| {
            SegmentHeader { format, ..following(&self.journal.end(), number, size) }.after_skipping(skipped)
        };
        let make = |size| Unnamed::make(device, &header(size), &[]);
        let options = &self.journal.options;
        match make(options.size(self.writer.bytes, span)) {
            // A small one is better than none, and one for this group alone better than nothing freed.
            Err(error) if error.is_full_disk() && frees => match make(least(span)) {
                Err(error) if error.is_full_disk() => reserve::or_without(device, || make(least(span))),
                unnamed => unnamed,
            },
            Err(error) if error.is_full_disk() => make(options.size(0, span)),
            unnamed => unnamed,
        }
    }

    /// Goes on in the next segment.
    fn advance(&mut self, next: Unnamed) -> Result<(), StorageError> {
        let end = self.journal.end();
        self.writer.next_number = next.header().number.saturating_add(1);
        let segment = next.name(&*self.journal.device)?;
        self.writer.active = None;
        let before = {
            let mut table = self.journal.table.write();
            let before = table.segments.last().map(|before| (before.number, before.end));
            table.segments.push(Segment::new(&segment, end));
            before
        };
        if let Some((number, stop)) = before {
            SegmentFile::open(&*self.journal.device, number)?.finish(
                stop,
                end.position.next(),
                end.confirms,
            )?;
        }
        self.writer.active = Some(Active { segment, offset: SEGMENT_HEADER });
        Ok(())
    }

    /// Ends the journal for good. `Ok` if it was closed before, too.
    pub(crate) fn seal(&mut self) -> Result<(), StorageError> {
        match self.writer.state {
            State::Closed => return Ok(()),
            State::Halted => return Err(StorageError::Halted),
            State::Open => {}
        }
        let Some(active) = self.writer.active.take() else {
            self.writer.state = State::Closed;
            return Ok(());
        };
        self.writer.state = State::Halted;
        let end = self.journal.end();
        // No later group confirms a seal: one that can be read need not be durable. That all before it is, it proves
        // even so, as it was written after that.
        let seal = GroupHeader::bare(GroupKind::Seal, end.position.next(), end.confirms);
        let (bytes, _) = seal.encode(&active.segment.key);
        let failed = |source| StorageError::io(format!("sealing {}", active.segment.name), source);
        let file = &active.segment.file;
        file.write(active.offset, &bytes).map_err(failed)?;
        // Before the cut: an unsealed segment that is shorter than it was made counts as damaged.
        file.sync().map_err(failed)?;
        file.set_length(active.offset + GROUP_HEADER).map_err(failed)?;
        file.sync().map_err(failed)?;
        self.writer.state = State::Closed;
        Ok(())
    }
}

impl JournalOptions {
    /// How large the next segment is, after so many bytes and for a group of so many.
    pub(super) fn size(&self, bytes: u64, span: u64) -> u64 {
        let whole = bytes.checked_next_power_of_two().unwrap_or(self.largest_segment);
        let usual = whole.min(self.largest_segment).max(self.smallest_segment);
        // Room for the group and, always, for what seals or continues.
        usual.max(least(span))
    }
}

impl Segment {
    /// A segment that holds nothing yet.
    pub(super) fn new(file: &SegmentFile, end: End) -> Self {
        Self {
            number: file.header.number,
            first: end.position.next(),
            header: file.digest,
            end: SEGMENT_HEADER,
            records: Vec::new(),
        }
    }
}

/// How large a segment is that has room for one group of so many bytes, and for what seals or continues it.
pub(super) fn least(span: u64) -> u64 {
    SEGMENT_HEADER + span + GROUP_HEADER
}

/// What a segment has to have as format to hold such a record.
fn format_of(kind: RecordKind, note: Option<&Note>) -> u16 {
    if kind == RecordKind::Settings || note.is_some() { WITH_NOTES } else { FORMAT }
}

/// The header of a segment that takes over after `end`.
pub(super) fn following(end: &End, number: u64, size: u64) -> SegmentHeader {
    SegmentHeader {
        format: FORMAT,
        number,
        first: end.position.next(),
        chain: end.chain,
        confirms: end.confirms,
        key: rand::random(),
        size,
        skipped: 0,
    }
}

const BEYOND: StorageError = StorageError::Bug("a group beyond what its header can say");

fn assemble<'r>(
    records: impl Iterator<Item = (&'r Record, &'r [u8])>,
    end: End,
) -> Result<Draft, StorageError> {
    let mut draft = Draft::new(end);
    for (record, payload) in records {
        let header = header(record, draft.end)?;
        draft.record(&codec::encode_header(&header)?, payload, 0)?;
        draft.end.position = header.position;
        draft.appended.push(Appended { header, chain: draft.end.chain });
    }
    Ok(draft)
}

impl Draft {
    fn new(end: End) -> Self {
        let bytes = vec![0; GroupHeader::LENGTH];
        Self { bytes, offsets: Vec::new(), appended: Vec::new(), end }
    }

    /// Appends the frame of a record, and sets the chain.
    fn record(&mut self, header: &[u8], payload: &[u8], dropped: u32) -> Result<(), StorageError> {
        self.offsets.push(u64::try_from(self.bytes.len()).map_err(|_| BEYOND)?);
        let frame = Frame::of(header, payload, dropped).ok_or(BEYOND)?;
        self.bytes.extend(frame.encode());
        self.bytes.extend(header);
        self.bytes.extend(payload);
        self.end.chain = frame.header_digest;
        Ok(())
    }

    fn finish(mut self, before: End) -> Result<Group, StorageError> {
        let body = self.bytes.get(GroupHeader::LENGTH..).ok_or(BEYOND)?;
        let first = before.position.next();
        let header =
            GroupHeader::of_records(self.offsets.len(), body, first, before.confirms).ok_or(BEYOND)?;
        let span = header.span().ok_or(BEYOND)?;
        self.bytes.resize(usize::try_from(span).map_err(|_| BEYOND)?, 0);
        let Self { bytes, offsets, appended, end } = self;
        Ok(Group { header, bytes, span, offsets, appended, end })
    }
}

/// Puts `content` where room was left for it.
fn fill(bytes: &mut [u8], start: usize, content: &[u8]) -> Result<(), StorageError> {
    let room = bytes.get_mut(start..).and_then(|bytes| bytes.get_mut(..content.len())).ok_or(BEYOND)?;
    room.copy_from_slice(content);
    Ok(())
}

fn header(record: &Record, end: End) -> Result<RecordHeader, StorageError> {
    let document = |document: &StoredDocument| {
        Ok(DocumentHeader {
            role: document.role.clone(),
            version: document.version,
            sha256: document.sha256,
            length: u64::try_from(document.bytes.len())
                .map_err(|_| StorageError::Bug("a document beyond 64 bits"))?,
        })
    };
    Ok(RecordHeader {
        position: end.position.next(),
        kind: record.kind,
        repository: record.repository.clone(),
        incarnation: record.incarnation,
        revision: record.revision,
        time: record.time,
        timestamp: record.timestamp,
        documents: record.documents.iter().map(document).collect::<Result<_, StorageError>>()?,
        previous: end.chain,
        note: record.note.clone(),
    })
}
