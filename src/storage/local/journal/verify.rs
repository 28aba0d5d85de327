use super::layout::ALIGNMENT;
use super::segment::{Framed, GROUP_HEADER, Group, SEGMENT_HEADER, SegmentFile, frames};
use super::{End, Journal, Segment, StoredRecord};
use crate::storage::local::codec;
use crate::storage::{Damage, StorageError};
use crate::terms::Position;

/// What a check of the journal tells.
pub(crate) trait Check {
    /// A record whose checksums agree; otherwise, what is wrong with what it holds.
    fn record(&mut self, record: StoredRecord) -> Result<(), StorageError>;
    /// Records done, of all. Whether to go on.
    fn progress(&mut self, done: u64, all: u64) -> bool;
    fn damage(&mut self, damage: Damage);
}

/// What the next thing read has to follow; `None` after damage, until something says it again.
struct Walk<'a> {
    check: &'a mut dyn Check,
    position: Position,
    chain: Option<[u8; 32]>,
    confirms: Option<[u8; 32]>,
    all: u64,
    stopped: bool,
}

impl Journal {
    /// Reads all records of `segments`, which end at `end`, and checks all that can be checked. `false` if it was stopped.
    pub(crate) fn verify(&self, end: End, segments: &[Segment], check: &mut dyn Check) -> bool {
        let mut walk = Walk {
            check,
            position: Position::START,
            chain: Some([0; 32]),
            confirms: Some([0; 32]),
            all: end.position.get(),
            stopped: false,
        };
        for known in segments {
            match self.as_it_is(known) {
                Ok((file, segment)) => walk.segment(&file, &segment),
                Err(error) => walk.lost(error),
            }
            if walk.stopped {
                return false;
            }
        }
        if walk.chain.is_some_and(|chain| chain != end.chain) || walk.position != end.position {
            walk.say(StorageError::corrupt(
                "journal",
                0,
                "its newest record is not the one that memory holds",
            ));
        }
        true
    }
}

impl Journal {
    /// A segment's file, and what memory knows of just that file: it may have been written anew since.
    fn as_it_is(&self, known: &Segment) -> Result<(SegmentFile, Segment), StorageError> {
        loop {
            let file = SegmentFile::open(&*self.device, known.number)?;
            if file.digest == known.header {
                return Ok((file, known.clone()));
            }
            let table = self.table.read();
            let now = table.segments.iter().find(|segment| segment.number == known.number);
            match now {
                Some(now) if now.header == file.digest => return Ok((file, now.clone())),
                // Between the two looks it was replaced again.
                Some(now) if now.header != known.header => {}
                Some(_) | None => return Ok((file, known.clone())),
            }
        }
    }
}

impl Walk<'_> {
    fn segment(&mut self, file: &SegmentFile, segment: &Segment) {
        let header = &file.header;
        if file.digest != segment.header
            || header.first != segment.first
            || self.chain.is_some_and(|chain| chain != header.chain)
            || self.confirms.is_some_and(|confirms| confirms != header.confirms)
        {
            self.say(file.corrupt(0, "not the segment that follows the one before it"));
        }
        self.position = Position::new(header.first.get().saturating_sub(1));
        self.chain = Some(header.chain);
        self.confirms = Some(header.confirms);
        let mut places = segment.records.iter();
        let mut offset = SEGMENT_HEADER;
        while offset < segment.end && !self.stopped {
            let none = || file.corrupt_group(offset, "no valid group");
            let group = match file.group(offset).and_then(|group| group.ok_or_else(none)) {
                Ok(group) => group,
                Err(error) => {
                    self.say(error);
                    offset = next_group(file, segment, offset);
                    (self.chain, self.confirms) = (None, None);
                    continue;
                }
            };
            if self.confirms.is_some_and(|confirms| confirms != group.header.confirms) {
                self.say(file.corrupt(offset, "a group that does not confirm the one before it"));
            }
            self.confirms = Some(group.check);
            self.group(file, offset, &group, &mut places);
            offset = group.end;
        }
        match file.original_check(segment.end) {
            Ok(original) => self.confirms = original.or(self.confirms),
            Err(error) => {
                self.say(error);
                self.confirms = None;
            }
        }
    }

    fn group(
        &mut self,
        file: &SegmentFile,
        offset: u64,
        group: &Group,
        places: &mut core::slice::Iter<'_, u64>,
    ) {
        let mut position = group.header.first;
        for framed in frames(&group.body) {
            let framed = match framed {
                Ok(framed) => framed,
                Err(finding) => {
                    self.say(file.corrupt(offset, finding));
                    self.chain = None;
                    return;
                }
            };
            let place = offset + GROUP_HEADER + framed.offset;
            // After damage the places of what was lost are passed over.
            if !places.any(|known| *known == place) {
                self.say(file.corrupt(place, "a record that memory does not know here"));
            }
            if let Err(error) = self.framed(&framed, position, format!("{} at {place}", file.name)) {
                self.say(error);
            }
            self.position = position;
            self.chain = Some(framed.frame.header_digest);
            position = position.next();
            self.stopped |= !self.check.progress(self.position.get(), self.all);
        }
    }

    fn framed(&mut self, framed: &Framed<'_>, position: Position, place: String) -> Result<(), StorageError> {
        let corrupt =
            |repository, finding| Err(StorageError::Corrupt { place: place.clone(), repository, finding });
        if *blake3::hash(framed.header).as_bytes() != framed.frame.header_digest {
            return corrupt(None, "a record header that its frame does not name");
        }
        let Ok(header) = codec::decode_header(framed.header) else {
            return corrupt(None, "a record header that cannot be decoded");
        };
        let of = Some(header.repository.clone());
        if header.position != position || self.chain.is_some_and(|chain| chain != header.previous) {
            return corrupt(of, "a record that does not follow the one before it");
        }
        if *blake3::hash(framed.payload).as_bytes() != framed.frame.payload_digest {
            return corrupt(of, "a payload that its frame does not name");
        }
        self.check.record(StoredRecord::new(header, framed.payload.to_vec(), place)?)
    }

    fn say(&mut self, error: StorageError) {
        let damage = if let StorageError::Corrupt { place, repository, finding } = error {
            Damage { repository, place, finding: finding.to_owned() }
        } else if let StorageError::Io { doing, source } = error {
            Damage { repository: None, place: doing, finding: source.to_string() }
        } else {
            Damage { repository: None, place: "journal".to_owned(), finding: error.to_string() }
        };
        self.check.damage(damage);
    }

    /// A segment that cannot be opened.
    fn lost(&mut self, error: StorageError) {
        (self.chain, self.confirms) = (None, None);
        self.say(error);
    }
}

/// Where the next group stands after one that cannot be read; where all that follows cannot be looked through, the next that
/// memory knows of.
fn next_group(file: &SegmentFile, segment: &Segment, offset: u64) -> u64 {
    let known = || {
        let groups = segment.records.iter().filter_map(|place| place.checked_sub(GROUP_HEADER));
        let is_group = |at: &u64| *at > offset && matches!(file.group_header(*at), Ok(Some(_)));
        groups.into_iter().find(is_group)
    };
    let next = file.next_group(offset + ALIGNMENT, Position::START).unwrap_or_else(|_| known());
    next.unwrap_or(segment.end)
}
