//! Reading what can still be read of a journal that is damaged.
//!
//! Nothing is taken for granted but a record's own digests: frames are looked for in groups that check, in groups that do not,
//! and where a group's header is damaged. What comes out reads like a journal, with holes.

use core::ops::Range;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, RwLock};

use super::layout::{ALIGNMENT, GroupHeader, GroupKind};
use super::segment::{self, Framed, GROUP_HEADER, SEGMENT_HEADER, SegmentFile, frames};
use super::write::{State, Writer};
use super::{End, Journal, JournalOptions, Segment, Table};
use crate::storage::device::Device;
use crate::storage::local::codec;
use crate::storage::{Damage, RecordHeader, StorageError};
use crate::terms::Position;

/// What could be read.
pub(crate) struct Salvaged {
    /// To read records from; nothing is written to it.
    pub(crate) journal: Journal,
    /// The header of every record that it holds, in order.
    pub(crate) headers: Vec<RecordHeader>,
    /// The headers of records of which the rest is damaged.
    pub(crate) unreadable: Vec<RecordHeader>,
    /// What is damaged.
    pub(crate) damages: Vec<Damage>,
    /// The newest record that there was, as far as anything tells of it.
    pub(crate) newest: Position,
}

/// A record that could be read.
struct Found {
    header: RecordHeader,
    digest: [u8; 32],
    segment: u64,
    offset: u64,
}

struct Search {
    found: BTreeMap<Position, Found>,
    /// What a later segment took over, or what was never acknowledged.
    taken_over: BTreeMap<Position, Found>,
    unreadable: BTreeMap<Position, RecordHeader>,
    /// The same of those.
    unreadable_before: BTreeMap<Position, RecordHeader>,
    /// Where what counts is damaged: from one Position on and before another.
    lost: Vec<Range<Position>>,
    /// The Position that the next record has, as far as the segments up to here tell.
    expected: Position,
    /// By the Position from which on.
    damages: Vec<(Position, Damage)>,
    newest: Position,
}

impl Journal {
    /// Reads what can be read of the journal in a folder, which is left as it is.
    ///
    /// # Errors
    /// [`StorageError::Io`] if the folder cannot be listed, [`StorageError::NewerFormat`].
    pub(crate) fn salvage(device: Arc<dyn Device>) -> Result<Salvaged, StorageError> {
        let names = device.list().map_err(|source| StorageError::io("listing the journal", source))?;
        let mut numbers: Vec<_> = names.iter().filter_map(|name| segment::number(name)).collect();
        numbers.sort_unstable();
        let mut search = Search {
            found: BTreeMap::new(),
            taken_over: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            unreadable_before: BTreeMap::new(),
            lost: Vec::new(),
            expected: Position::START.next(),
            damages: Vec::new(),
            newest: Position::START,
        };
        for number in &numbers {
            match SegmentFile::open(&*device, *number) {
                Ok(file) => search.segment(&file),
                Err(error @ StorageError::NewerFormat { .. }) => return Err(error),
                Err(error) => search.without_header(&*device, *number, &error),
            }
        }
        search.fill_up();
        let Search { found, unreadable, damages, newest, .. } = search;
        let table = table(&found);
        let next_number = numbers.last().map_or(1, |last| last.saturating_add(1));
        let writer = Writer { active: None, state: State::Closed, next_number, bytes: 0 };
        let journal = Journal {
            device,
            options: JournalOptions::default(),
            table: RwLock::new(table),
            unsynced: AtomicBool::new(false),
            writer: Mutex::new(writer),
        };
        let headers = found.into_values().map(|found| found.header).collect();
        let unreadable = unreadable.into_values().collect();
        let damages = damages.into_iter().map(|(_, damage)| damage).collect();
        Ok(Salvaged { journal, headers, unreadable, damages, newest })
    }
}

/// A table of runs: records that follow each other in one file.
fn table(found: &BTreeMap<Position, Found>) -> Table {
    let mut segments: Vec<Segment> = Vec::new();
    let mut before = None;
    for (position, found) in found {
        let follows = before == Some((found.segment, *position));
        match segments.last_mut().filter(|_| follows) {
            Some(run) => run.records.push(found.offset),
            None => segments.push(Segment {
                number: found.segment,
                first: *position,
                header: [0; 32],
                end: 0,
                records: vec![found.offset],
            }),
        }
        before = Some((found.segment, position.next()));
    }
    let end = found.last_key_value().map_or(End::START, |(position, found)| End {
        position: *position,
        chain: found.digest,
        confirms: [0; 32],
    });
    Table { segments, end, replaced: 0 }
}

impl Search {
    /// Where what took over is damaged, what stood before serves, if it fits what stands around it. Elsewhere it was taken over,
    /// or never counted.
    fn fill_up(&mut self) {
        for (position, found) in core::mem::take(&mut self.taken_over) {
            if !self.is_lost(position) {
                continue;
            }
            let follows = self.before(position).is_some_and(|before| before.digest == found.header.previous);
            let after = self.found.get(&position.next());
            let followed = after.is_none_or(|after| after.header.previous == found.digest);
            if follows && followed {
                self.found.entry(position).or_insert(found);
            }
        }
        for (position, header) in core::mem::take(&mut self.unreadable_before) {
            let follows = self.before(position).is_none_or(|before| before.digest == header.previous);
            if self.is_lost(position) && follows && !self.found.contains_key(&position) {
                self.unreadable.entry(position).or_insert(header);
            }
        }
    }

    fn before(&self, position: Position) -> Option<&Found> {
        self.found.get(&Position::new(position.get().saturating_sub(1)))
    }

    fn is_lost(&self, position: Position) -> bool {
        self.lost.iter().any(|lost| lost.contains(&position))
    }

    /// What stands in earlier segments from there on does not count any more.
    fn takes_over(&mut self, first: Position) {
        self.taken_over.extend(self.found.split_off(&first));
        self.unreadable_before.extend(self.unreadable.split_off(&first));
        self.damages.retain(|(from, _)| *from < first);
        for lost in &mut self.lost {
            lost.end = lost.end.min(first);
        }
        self.lost.push(self.expected..first);
        self.expected = first;
        self.has_seen(Position::new(first.get().saturating_sub(1)));
    }

    fn segment(&mut self, file: &SegmentFile) {
        self.takes_over(file.header.first);
        let (mut offset, mut ended) = (SEGMENT_HEADER, false);
        while offset < file.length {
            let Ok(group) = file.group(offset) else {
                self.damaged(file.corrupt(offset, "it cannot be read"));
                self.lost_up_to(None);
                return;
            };
            self.witness(file, offset);
            if let Some(group) = group {
                let GroupHeader { kind, first, records, .. } = group.header;
                ended = kind != GroupKind::Records;
                self.goes_on(Position::new(first.get().saturating_add(records.into())));
                self.frames(file.header.number, &file.name, offset + GROUP_HEADER, &group.body);
                offset = group.end;
                continue;
            }
            let next = file.next_group(offset + ALIGNMENT, Position::START).ok().flatten();
            let end = next.unwrap_or(file.length);
            let start = offset + GROUP_HEADER;
            let body = file.read(start, end.saturating_sub(start)).ok().flatten().unwrap_or_default();
            // Zeros are what was never written to.
            if next.is_some() || body.iter().any(|byte| *byte != 0) {
                self.damaged(file.corrupt_group(offset, "no valid group"));
                self.frames(file.header.number, &file.name, start, &body);
                let next = next.and_then(|next| file.group_header(next).ok().flatten());
                self.lost_up_to(next.map(|(next, _)| next.first));
            }
            offset = end;
        }
        if !ended && (file.length < file.header.size || file.header.is_rewritten()) {
            // It was cut to what something ends, and that is gone.
            self.lost_up_to(None);
        }
    }

    fn goes_on(&mut self, next: Position) {
        self.expected = self.expected.max(next);
    }

    /// What follows up to there is damaged; without a Position, all that follows in this segment.
    fn lost_up_to(&mut self, next: Option<Position>) {
        self.lost.push(self.expected..next.unwrap_or(Position::new(u64::MAX)));
        self.goes_on(next.unwrap_or(self.expected));
    }

    /// What a group's header says of Positions, whatever became of its records: which it holds, or after which it was written.
    fn witness(&mut self, file: &SegmentFile, offset: u64) {
        if let Ok(Some((GroupHeader { first, records, .. }, _))) = file.group_header(offset) {
            self.has_seen(Position::new(first.get().saturating_add(records.into()).saturating_sub(1)));
        }
    }

    /// A segment whose header is damaged: what looks like a group may be one.
    fn without_header(&mut self, device: &dyn Device, number: u64, error: &StorageError) {
        let name = segment::name(number);
        let damage = Damage { repository: None, place: name.clone(), finding: error.to_string() };
        self.damages.push((Position::START, damage));
        let Ok(bytes) = whole(device, &name) else { return };
        let mut offset = 0;
        for start in bytes.chunks(8) {
            if start == GroupHeader::MAGIC {
                let body = usize::try_from(offset + GROUP_HEADER).ok().and_then(|body| bytes.get(body..));
                self.frames(number, &name, offset + GROUP_HEADER, body.unwrap_or_default());
            }
            offset += ALIGNMENT;
        }
    }

    /// Takes the records that stand one after another from `start` on.
    fn frames(&mut self, segment: u64, name: &str, start: u64, body: &[u8]) {
        for framed in frames(body) {
            let Ok(framed) = framed else { return };
            let digest = framed.frame.header_digest;
            if *blake3::hash(framed.header).as_bytes() != digest {
                return;
            }
            let Ok(header) = codec::decode_header(framed.header) else { return };
            let offset = start + framed.offset;
            self.has_seen(header.position);
            self.record(Found { header, digest, segment, offset }, &framed, name);
        }
    }

    fn record(&mut self, found: Found, framed: &Framed<'_>, name: &str) {
        let whole = *blake3::hash(framed.payload).as_bytes() == framed.frame.payload_digest;
        if whole {
            // A later segment takes over from an earlier one: what stands there counts.
            self.found.insert(found.header.position, found);
        } else {
            let position = found.header.position;
            let damage = Damage {
                repository: Some(found.header.repository.clone()),
                place: format!("{name} at {}", found.offset),
                finding: format!("the publication of position {position} is damaged"),
            };
            self.damages.push((position, damage));
            self.unreadable.insert(position, found.header);
        }
    }

    fn has_seen(&mut self, position: Position) {
        self.newest = self.newest.max(position);
    }

    fn damaged(&mut self, error: StorageError) {
        let (repository, place, finding) = if let StorageError::Corrupt { place, repository, finding } = error
        {
            (repository, place, finding.to_owned())
        } else {
            (None, "journal".to_owned(), error.to_string())
        };
        self.damages.push((self.expected, Damage { repository, place, finding }));
    }
}

fn whole(device: &dyn Device, name: &str) -> io::Result<Vec<u8>> {
    let file = device.open(name)?;
    let length = usize::try_from(file.length()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    file.read(0, &mut bytes)?;
    Ok(bytes)
}
