//! Reading what can still be read of a journal that is damaged.
//!
//! Nothing is taken for granted but a record's own digests: frames are looked for in groups that check, in groups that do not,
//! and where a group's header is damaged. What comes out reads like a journal, with holes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, RwLock};

use super::layout::{ALIGNMENT, GroupHeader};
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
    unreadable: Vec<RecordHeader>,
    damages: Vec<Damage>,
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
            unreadable: Vec::new(),
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
    /// Where what took over is damaged, what stood before serves, if it fits what stands around it.
    fn fill_up(&mut self) {
        for (position, found) in core::mem::take(&mut self.taken_over) {
            let before = Position::new(position.get().saturating_sub(1));
            let follows =
                self.found.get(&before).is_some_and(|before| before.digest == found.header.previous);
            let after = self.found.get(&position.next());
            let followed = after.is_none_or(|after| after.header.previous == found.digest);
            if follows && followed {
                self.found.entry(position).or_insert(found);
            }
        }
    }

    fn segment(&mut self, file: &SegmentFile) {
        self.taken_over.extend(self.found.split_off(&file.header.first));
        self.has_seen(Position::new(file.header.first.get().saturating_sub(1)));
        let mut offset = SEGMENT_HEADER;
        while offset < file.length {
            let Ok(group) = file.group(offset) else {
                self.damaged(file.corrupt(offset, "it cannot be read"));
                return;
            };
            self.witness(file, offset);
            if let Some(group) = group {
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
            }
            offset = end;
        }
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
        self.damages.push(Damage { repository: None, place: name.clone(), finding: error.to_string() });
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
            self.damages.push(Damage {
                repository: Some(found.header.repository.clone()),
                place: format!("{name} at {}", found.offset),
                finding: format!("the publication of position {} is damaged", found.header.position),
            });
            self.unreadable.push(found.header);
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
        self.damages.push(Damage { repository, place, finding });
    }
}

fn whole(device: &dyn Device, name: &str) -> io::Result<Vec<u8>> {
    let file = device.open(name)?;
    let length = usize::try_from(file.length()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    file.read(0, &mut bytes)?;
    Ok(bytes)
}
