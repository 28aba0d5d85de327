use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, RwLock};

use super::layout::{ALIGNMENT, GroupHeader, GroupKind, SegmentHeader};
use super::segment::{self, GROUP_HEADER, Group, SEGMENT_HEADER, SegmentFile, UNFINISHED, Unnamed, frames};
use super::write::{Active, State, Writer, following, least};
use super::{End, Journal, JournalOptions, Segment, Table, reserve};
use crate::storage::device::Device;
use crate::storage::local::codec;
use crate::storage::{RecordHeader, StorageError};
use crate::terms::Position;

/// Is told each record that is read at open, in order. What it answers with `Err` is damage.
pub(crate) type Visit<'a> = dyn FnMut(&RecordHeader) -> Result<(), &'static str> + 'a;

/// The row of segments as far as it was read.
struct Scan<'a, 'v> {
    end: End,
    segments: Vec<Segment>,
    visit: &'a mut Visit<'v>,
}

/// The newest group of the last segment. Its sync may not have returned, so it is written again.
struct Tail {
    /// The journal without it.
    before: End,
    offset: u64,
    group: Group,
}

/// How the last segment ends.
enum Stop {
    /// Sealed, or another segment takes over, or there is none.
    Clean,
    Unclean(Option<Box<Tail>>),
}

/// A journal that was read and not yet written to: what it holds can still be refused.
pub(crate) struct Scanned {
    end: End,
    segments: Vec<Segment>,
    /// Of the newest segment in the folder; 0 if there is none.
    last_number: u64,
    stop: Stop,
}

impl Journal {
    /// Reads the journal in a folder. `from` is what a checkpoint says: records up to it are not read.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] where bytes that were durable are not there any more. With `from`, also where the
    /// checkpoint does not fit the folder.
    pub(crate) fn scan(
        device: &dyn Device,
        from: Option<(End, Vec<Segment>)>,
        visit: &mut Visit<'_>,
    ) -> Result<Scanned, StorageError> {
        let glances = glance(device)?;
        let (end, known) = from.unwrap_or((End::START, Vec::new()));
        let known = known_stand(device, &glances, known, &end)?;
        // The last one known may have grown since, so it is read on from where the checkpoint saw its end.
        let resumed = known.len().saturating_sub(1);
        Scan { end, segments: known, visit }.all(device, &glances, resumed)
    }

    /// The same from a segment on, which is taken to go on after what stands before it.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub(super) fn scan_from(
        device: &dyn Device,
        number: u64,
        visit: &mut Visit<'_>,
    ) -> Result<Scanned, StorageError> {
        let mut glances = glance(device)?;
        glances.retain(|glance| glance.header.number >= number);
        let end = glances.first().map_or(End::START, |glance| {
            let SegmentHeader { first, chain, confirms, .. } = glance.header;
            End { position: Position::new(first.get().saturating_sub(1)), chain, confirms }
        });
        Scan { end, segments: Vec::new(), visit }.all(device, &glances, 0)
    }
}

/// What is looked at of every segment. Its file is closed again: there may be more of them than a process may open.
struct Glance {
    header: SegmentHeader,
    digest: [u8; 32],
    length: u64,
}

/// All segments, in order. What was being made when the power went is removed.
fn glance(device: &dyn Device) -> Result<Vec<Glance>, StorageError> {
    let names = device.list().map_err(|source| StorageError::io("listing the journal", source))?;
    let mut numbers = Vec::new();
    for name in names {
        if let Some(number) = segment::number(&name) {
            numbers.push(number);
        } else if name.strip_suffix(UNFINISHED).is_some_and(|name| segment::number(name).is_some()) {
            device.remove(&name).map_err(|source| StorageError::io(format!("removing {name}"), source))?;
        }
    }
    numbers.sort_unstable();
    let glance = |number| {
        let SegmentFile { header, digest, length, .. } = SegmentFile::open(device, number)?;
        Ok(Glance { header, digest, length })
    };
    numbers.into_iter().map(glance).collect()
}

/// Whether the segments that a checkpoint knows are the first in the folder, unchanged as far as a glance can tell, and
/// the newest record that it knows stands in them. Answers them as they are: one that was written anew since is read again.
fn known_stand(
    device: &dyn Device,
    glances: &[Glance],
    mut known: Vec<Segment>,
    end: &End,
) -> Result<Vec<Segment>, StorageError> {
    let mut newest = None;
    for (at, segment) in known.iter_mut().enumerate() {
        let glance = glances.get(at).filter(|glance| glance.header.number == segment.number);
        let next = glances.get(at + 1).map(|glance| &glance.header);
        let stands = match glance {
            Some(glance) if glance.digest == segment.header => glance.length >= segment.end,
            Some(_) => match written_anew(device, segment, next)? {
                Some(anew) => {
                    *segment = anew;
                    true
                }
                None => false,
            },
            None => false,
        };
        if !stands {
            let name = segment::name(segment.number);
            return Err(StorageError::corrupt(
                &name,
                0,
                "missing, or not the file that the checkpoint knows",
            ));
        }
        newest = segment.records.last().map(|place| (segment.number, *place)).or(newest);
    }
    let Some((number, place)) = newest else { return Ok(known) };
    let file = SegmentFile::open(device, number)?;
    if file.chain(place)? != Some(end.chain) {
        return Err(file.corrupt(place, "not the newest record that the checkpoint knows"));
    }
    Ok(known)
}

/// The segment as it is now, if it holds the same records that `known` held before it was written anew.
fn written_anew(
    device: &dyn Device,
    known: &Segment,
    next: Option<&SegmentHeader>,
) -> Result<Option<Segment>, StorageError> {
    let file = SegmentFile::open(device, known.number)?;
    let Some(next) = next.filter(|_| file.header.is_rewritten() && file.header.first == known.first) else {
        return Ok(None);
    };
    let SegmentHeader { first, chain, confirms, .. } = file.header;
    let before = Position::new(first.get().saturating_sub(1));
    let mut scan = Scan {
        end: End { position: before, chain, confirms },
        segments: vec![Segment::new(&file, End { position: before, chain, confirms })],
        visit: &mut |_| Ok(()),
    };
    scan.read(&file, Some(next))?;
    let same = scan.end.chain == next.chain && scan.end.confirms == next.confirms;
    Ok(scan.segments.pop().filter(|anew| same && anew.records.len() == known.records.len()))
}

impl Scan<'_, '_> {
    /// Reads all segments but so many, the last of those that are known among them.
    fn all(
        mut self,
        device: &dyn Device,
        glances: &[Glance],
        resumed: usize,
    ) -> Result<Scanned, StorageError> {
        let mut stop = Stop::Clean;
        let mut left = glances.iter().enumerate().skip(resumed).peekable();
        while let Some((at, glance)) = left.next() {
            let file = SegmentFile::open(device, glance.header.number)?;
            if at >= self.segments.len() {
                self.begin(&file)?;
            }
            stop = self.read(&file, left.peek().map(|(_, next)| &next.header))?;
        }
        let last_number = glances.last().map_or(0, |glance| glance.header.number);
        Ok(Scanned { end: self.end, segments: self.segments, last_number, stop })
    }

    fn begin(&mut self, file: &SegmentFile) -> Result<(), StorageError> {
        let header = &file.header;
        if !header.goes_on_after(self.end.position)
            || header.chain != self.end.chain
            || header.confirms != self.end.confirms
        {
            let finding =
                "does not go on where the segment before it ends: one of them is missing or an older copy";
            return Err(file.corrupt(0, finding));
        }
        self.end.position = Position::new(header.first.get().saturating_sub(1));
        self.segments.push(Segment::new(file, self.end));
        Ok(())
    }

    /// Reads groups up to where the next segment takes over, or to the end of the last.
    fn read(&mut self, file: &SegmentFile, next: Option<&SegmentHeader>) -> Result<Stop, StorageError> {
        let mut tail = None;
        loop {
            let offset = self.segments.last().map_or(SEGMENT_HEADER, |segment| segment.end);
            if let Some(next) = next
                && next.goes_on_after(self.end.position)
            {
                if let Some(original) = file.original_check(offset)? {
                    self.end.confirms = original;
                }
                return Ok(Stop::Clean);
            }
            let group = file.group(offset)?.filter(|group| {
                group.header.first == self.end.position.next() && group.header.confirms == self.end.confirms
            });
            let Some(group) = group else {
                return match next {
                    Some(_) => {
                        Err(file
                            .corrupt_group(offset, "no valid group, but a later segment goes on after it"))
                    }
                    None => self.torn(file, offset).map(|()| Stop::Unclean(tail.map(Box::new))),
                };
            };
            match group.header.kind {
                GroupKind::Records => {
                    let before = self.end;
                    self.records(file, offset, &group)?;
                    tail = Some(Tail { before, offset, group });
                }
                GroupKind::Seal if next.is_none() => return Ok(Stop::Clean),
                GroupKind::Seal => {
                    return Err(
                        file.corrupt(offset, "sealed here, but the segment that follows begins later")
                    );
                }
                GroupKind::Continued | GroupKind::Rewritten => {
                    return Err(file.corrupt(offset, "the segment that follows this one is missing"));
                }
            }
        }
    }

    fn counts_to(&mut self, end: u64) {
        if let Some(segment) = self.segments.last_mut() {
            segment.end = end;
        }
    }

    fn records(&mut self, file: &SegmentFile, offset: u64, group: &Group) -> Result<(), StorageError> {
        let start = offset + GROUP_HEADER;
        let mut count = 0;
        for framed in frames(&group.body) {
            let framed = framed.map_err(|finding| file.corrupt(offset, finding))?;
            let place = start + framed.offset;
            let broken = |finding| file.corrupt(place, finding);
            if *blake3::hash(framed.header).as_bytes() != framed.frame.header_digest {
                return Err(broken("a record header that its frame does not name"));
            }
            let header = codec::decode_header(framed.header)
                .map_err(|_| broken("a record header that cannot be decoded"))?;
            if header.position != self.end.position.next() || header.previous != self.end.chain {
                return Err(broken("a record that does not follow the one before it"));
            }
            (self.visit)(&header).map_err(|finding| StorageError::Corrupt {
                place: format!("{} at {place}", file.name),
                repository: Some(header.repository.clone()),
                finding,
            })?;
            self.end.position = header.position;
            self.end.chain = framed.frame.header_digest;
            if let Some(segment) = self.segments.last_mut() {
                segment.records.push(place);
            }
            count += 1;
        }
        if count != group.header.records {
            return Err(file.corrupt(offset, "a group of another number of records than its header says"));
        }
        self.end.confirms = group.check;
        self.counts_to(group.end);
        Ok(())
    }

    /// Decides whether what does not check at the journal's end may be what a power cut left of the last write.
    ///
    /// It is not if a group of this segment stands anywhere after it: that was written only after the sync of this one
    /// had returned. Nor if the file is shorter than it was made, as only a sealed or followed segment is cut.
    fn torn(&self, file: &SegmentFile, offset: u64) -> Result<(), StorageError> {
        if file.length < file.header.size {
            return Err(
                file.corrupt_group(offset, "the last segment is neither sealed nor as long as it was made")
            );
        }
        if file.group(offset)?.is_some() {
            return Err(file.corrupt_group(offset, "a whole group that does not follow the one before it"));
        }
        match file.next_group(offset.saturating_add(ALIGNMENT), self.end.position.next())? {
            Some(_) => Err(file.corrupt_group(offset, "no valid group, but another one stands after it")),
            None => Ok(()),
        }
    }
}

impl Scanned {
    /// How far the journal goes.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// The same without the last group, if nothing proves that it was durable.
    pub(super) fn confirmed(&self) -> End {
        match &self.stop {
            Stop::Unclean(Some(tail)) => tail.before,
            Stop::Clean | Stop::Unclean(None) => self.end,
        }
    }

    /// Makes the folder ready to be written to, and the journal from it.
    ///
    /// A power cut while this runs is as one before it: a fresh segment counts only once it has its name, and then holds
    /// all that it takes over; what the segments before it hold from there on is no longer looked at.
    pub(crate) fn open(
        mut self,
        device: Arc<dyn Device>,
        options: JournalOptions,
    ) -> Result<Journal, StorageError> {
        let mut writer = Writer {
            active: None,
            state: State::Open,
            next_number: self.last_number.saturating_add(1),
            bytes: self.segments.iter().map(|segment| segment.end).sum(),
        };
        match core::mem::replace(&mut self.stop, Stop::Clean) {
            Stop::Clean => {}
            Stop::Unclean(tail) => {
                let fresh = self.take_over(&*device, options, &mut writer, tail)?;
                writer.active = Some(fresh);
            }
        }
        self.drop_empty(&*device)?;
        if let (Some(active), [.., before, _]) = (&writer.active, self.segments.as_slice()) {
            let header = &active.segment.header;
            let file = SegmentFile::open(&*device, before.number)?;
            file.finish(before.end, header.first, header.confirms)?;
        }
        let table = Table { segments: self.segments, end: self.end, replaced: 0 };
        let (table, writer) = (RwLock::new(table), Mutex::new(writer));
        Ok(Journal { device, options, table, unsynced: AtomicBool::new(false), writer })
    }

    /// Writes the tail to a fresh segment. From when that has its name, durably, the old place does not count.
    fn take_over(
        &mut self,
        device: &dyn Device,
        options: JournalOptions,
        writer: &mut Writer,
        tail: Option<Box<Tail>>,
    ) -> Result<Active, StorageError> {
        let before = tail.as_ref().map_or(self.end, |tail| tail.before);
        let span = tail.as_ref().and_then(|tail| tail.group.header.span()).unwrap_or_default();
        let mut header = following(&before, writer.next_number, options.size(writer.bytes, span));
        if let Some(old) = self.segments.last() {
            let SegmentHeader { format, skipped, .. } = SegmentFile::open(device, old.number)?.header;
            header.format = format;
            if tail.as_ref().map_or(old.records.is_empty(), |tail| tail.offset == SEGMENT_HEADER) {
                // It takes the place of the whole segment, and with it that of what the segment skipped.
                header = header.after_skipping(skipped);
            }
        }
        let mut content = Vec::new();
        let mut moved = Vec::new();
        if let Some(tail) = tail {
            let (bytes, check) =
                GroupHeader { confirms: before.confirms, ..tail.group.header }.encode(&header.group_key());
            content.extend(bytes);
            content.extend(tail.group.body);
            content.resize(usize::try_from(span).map_err(|_| StorageError::Bug("a group beyond memory"))?, 0);
            self.end.confirms = check;
            if let Some(old) = self.segments.last_mut() {
                let kept = old.records.partition_point(|place| *place < tail.offset);
                moved = old.records.split_off(kept);
                for place in &mut moved {
                    *place = *place - tail.offset + SEGMENT_HEADER;
                }
                old.end = tail.offset;
            }
        }
        let made = match Unnamed::make(device, &header, &content) {
            Err(error) if error.is_full_disk() => {
                // One for this alone, and from the room that is kept if need be.
                header.size = least(span);
                reserve::or_without(device, || Unnamed::make(device, &header, &content))?
            }
            made => made?,
        };
        let segment = made.name(device)?;
        writer.next_number = writer.next_number.saturating_add(1);
        let offset = SEGMENT_HEADER + span;
        self.segments.push(Segment { records: moved, end: offset, ..Segment::new(&segment, before) });
        writer.bytes += SEGMENT_HEADER;
        Ok(Active { segment, offset })
    }

    /// Removes segments of which nothing counts any more.
    fn drop_empty(&mut self, device: &dyn Device) -> Result<(), StorageError> {
        let last = self.segments.last().map_or(0, |segment| segment.number);
        let (empty, kept) = self
            .segments
            .drain(..)
            .partition(|segment| segment.end == SEGMENT_HEADER && segment.number != last);
        self.segments = kept;
        let empty: Vec<Segment> = empty;
        for segment in empty {
            let name = segment::name(segment.number);
            device.remove(&name).map_err(|source| StorageError::io(format!("removing {name}"), source))?;
        }
        Ok(())
    }
}
