//! The truth on disk: an append-only row of segments, each a row of groups, each a row of records.
//!
//! - **Append**: one write and one sync for a group of records, and a group is written only after the sync of the group
//!   before it returned `Ok`; the group's header confirms that one. So of all groups, only the last may be torn.
//! - **Open**: a last group that does not check is cut, unless something after it proves that it was once durable. What
//!   an unclean end left readable is written again, to a fresh segment, before it is served: the page cache may hold
//!   what no disk does. A segment's header names the Position from which it counts; earlier segments count only up to it.
//! - **Close**: a seal ends the last segment.
//! - **Compact**: a segment that something follows is written anew without what may be dropped, and takes the old one's
//!   place.
//!
//! What may stand in the folder after a power cut, and why each case opens, is argued at `open`, `segment::Unnamed` and `compact`.

mod compact;
mod layout;
mod open;
mod payload;
mod read;
mod reserve;
mod salvage;
mod segment;
pub(super) mod twins;
mod verify;
mod write;

pub(super) use payload::{At, Form, encode as encode_payload};
pub(super) use read::StoredRecord;
pub(super) use reserve::NAME as RESERVE;
pub(super) use salvage::Salvaged;
pub(super) use verify::Check;
pub(super) use write::Appender;
pub(crate) use write::Raw;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::storage::device::Device;
use crate::terms::Position;

/// How segments grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalOptions {
    /// Bytes of the first segments. Later ones are as large as all before them together, roughly.
    pub(crate) smallest_segment: u64,
    /// No segment is larger, unless one group is.
    pub(crate) largest_segment: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { smallest_segment: 256 << 10, largest_segment: 64 << 20 }
    }
}

/// How far the journal goes, and what the next thing written has to follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Of the newest record.
    pub(crate) position: Position,
    /// BLAKE3 of its encoded header; zeros if there is none.
    pub(crate) chain: [u8; 32],
    /// The check of the newest group of records; zeros if there is none.
    pub(crate) confirms: [u8; 32],
}

impl End {
    const START: Self = Self { position: Position::START, chain: [0; 32], confirms: [0; 32] };
}

/// What memory and the checkpoint know of one segment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Segment {
    number: u64,
    /// Of the first record in it.
    first: Position,
    /// BLAKE3 of the header's bytes: tells an older copy or another segment under its name.
    header: [u8; 32],
    /// Where the last group that counts ends.
    end: u64,
    /// Where the frame of each record starts.
    records: Vec<u64>,
}

impl Segment {
    /// How many bytes of it count.
    pub(crate) fn bytes(&self) -> u64 {
        self.end
    }
}

/// The open journal. Readers and one writer at a time.
pub(crate) struct Journal {
    device: Arc<dyn Device>,
    options: JournalOptions,
    /// Durable things only. Held for moments, never over a read, write or sync.
    table: RwLock<Table>,
    /// Segments were replaced, and their folder not synced since.
    unsynced: AtomicBool,
    /// Held over writes and syncs.
    writer: Mutex<write::Writer>,
}

struct Table {
    /// In order; together they hold every Position from 1 to the end.
    segments: Vec<Segment>,
    end: End,
    /// How often a segment was replaced by one that was written anew.
    replaced: u64,
}

impl Journal {
    pub(crate) fn end(&self) -> End {
        self.table.read().end
    }

    /// Whether a write would be tried. Waits for none: who writes just now does not know better.
    pub(crate) fn takes_writes(&self) -> bool {
        self.writer.try_lock().is_none_or(|writer| writer.state == write::State::Open)
    }

    /// Everything that a checkpoint has to say of the journal.
    pub(crate) fn reached(&self) -> (End, Vec<Segment>) {
        let table = self.table.read();
        (table.end, table.segments.clone())
    }

    /// Keeps some room for a full disk, if it is not kept yet.
    pub(crate) fn keep_reserve(&self) {
        let bytes = self.table.read().segments.iter().map(|segment| segment.end).sum();
        reserve::keep(&*self.device, self.options.smallest_segment, bytes);
    }
}

/// Decodes `bytes` as each of the structures that a segment is made of, whatever they are.
#[cfg(any(test, fuzzing))]
pub(super) fn decode_any(bytes: &[u8]) {
    if let Ok(header) = layout::SegmentHeader::decode(bytes, "any") {
        assert_eq!(Some(header.encode().as_slice()), bytes.get(..layout::SegmentHeader::LENGTH));
    }
    let key = [0; 32];
    if let Some((header, check)) = layout::GroupHeader::decode(bytes, &key) {
        assert_eq!(header.encode(&key).1, check);
    }
    for framed in segment::frames(bytes).map_while(Result::ok) {
        if let Ok(header) = super::codec::decode_header(framed.header) {
            drop(StoredRecord::new(header, framed.payload.to_vec(), String::new()));
        }
    }
}

#[cfg(test)]
mod tests;
