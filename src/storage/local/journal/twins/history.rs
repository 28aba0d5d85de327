//! Whether two copies are of one journal, which is known before anything is written to either.

use std::collections::{BTreeMap, BTreeSet};

use super::{Copy, readable};
use crate::storage::StorageError;
use crate::storage::local::journal::segment::{self, SEGMENT_HEADER, SegmentFile, frames};
use crate::storage::local::journal::{End, Journal};
use crate::terms::Position;

/// The digests of the records' headers, as far as they can be read, by Position.
type Records = BTreeMap<u64, [u8; 32]>;

/// `ours` and `theirs` are the names of the segments in each, and `differing` those of files that are not the same in both.
///
/// # Errors
/// [`StorageError::Corrupt`] if they are not; [`StorageError::NewerFormat`]; [`StorageError::Io`].
pub(super) fn of_one_journal(
    one: &Copy<'_>,
    other: &Copy<'_>,
    (ours, theirs): (&BTreeSet<String>, &BTreeSet<String>),
    differing: &BTreeSet<&String>,
) -> Result<(), StorageError> {
    let mut shared = ours.intersection(theirs).filter_map(|name| segment::number(name)).peekable();
    if shared.peek().is_none() && holds_records(one, ours)? && holds_records(other, theirs)? {
        let finding = "the two journals have no segment in common";
        return Err(StorageError::corrupt(one.name, 0, finding));
    }
    for number in shared {
        if let (Some(ours), Some(theirs)) = (opened(one, number)?, opened(other, number)?) {
            same_segment(&ours, &theirs)?;
        }
    }
    if ours.is_empty() || theirs.is_empty() {
        return Ok(());
    }
    let Some(first) = differing.first() else { return Ok(()) };
    // The one before is the same in both: they may part after it.
    let from = ours.range::<String, _>(..*first).next_back().or(ours.first());
    let from = from.and_then(|name| segment::number(name)).unwrap_or_default();
    let (Some(ours), Some(theirs)) = (History::of(one, from)?, History::of(other, from)?) else {
        // Which of their records are damaged is seen group by group.
        return Ok(());
    };
    // One was left behind; or what the power cut last was written to the one and not to the other.
    let (longer, shorter) =
        if ours.end.position < theirs.end.position { (theirs, ours) } else { (ours, theirs) };
    let alike =
        longer.knows(&shorter.end) || longer.knows(&shorter.confirmed) || shorter.knows(&longer.confirmed);
    if alike {
        Ok(())
    } else {
        let finding = "the two journals went different ways: either holds records that the other has not";
        Err(StorageError::corrupt(one.name, 0, finding))
    }
}

/// What a copy holds from one of its segments on.
struct History {
    /// Of each record, its Position and the digest of the header before it.
    records: Vec<(Position, [u8; 32])>,
    end: End,
    /// The end without a last group that may never have been durable.
    confirmed: End,
}

impl History {
    /// `None` if the copy is damaged.
    fn of(copy: &Copy<'_>, from: u64) -> Result<Option<Self>, StorageError> {
        let mut records = Vec::new();
        let scanned = Journal::scan_from(copy.device, from, &mut |header| {
            records.push((header.position, header.previous));
            Ok(())
        });
        match scanned {
            Ok(scanned) => {
                let (end, confirmed) = (scanned.end(), scanned.confirmed());
                Ok(Some(Self { records, end, confirmed }))
            }
            Err(error @ StorageError::NewerFormat { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether another one that ended there would be this one, left behind.
    fn knows(&self, end: &End) -> bool {
        let after = self.records.partition_point(|(position, _)| *position <= end.position);
        match self.records.get(after) {
            Some((_, previous)) => *previous == end.chain,
            None => end.chain == self.end.chain,
        }
    }
}

/// The file of a segment; `None` if it is damaged or cannot be read.
pub(super) fn opened(copy: &Copy<'_>, number: u64) -> Result<Option<SegmentFile>, StorageError> {
    match SegmentFile::open(copy.device, number) {
        Ok(file) => Ok(Some(file)),
        Err(error @ StorageError::NewerFormat { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Refuses two files of one name that are neither the same segment nor one that was written anew and what it was before.
pub(super) fn same_segment(ours: &SegmentFile, theirs: &SegmentFile) -> Result<(), StorageError> {
    if ours.digest == theirs.digest {
        return Ok(());
    }
    let alike = ours.header.first == theirs.header.first
        && ours.header.chain == theirs.header.chain
        && (ours.header.is_rewritten() || theirs.header.is_rewritten());
    let of_one_history = || {
        let (ours, theirs) = (records(ours), records(theirs));
        let mut both = ours.iter().filter_map(|(position, digest)| Some((digest, theirs.get(position)?)));
        both.all(|(ours, theirs)| ours == theirs)
    };
    // The chain names all that came before, so where there is one, files of another journal differ in it.
    if alike && of_one_history() {
        Ok(())
    } else {
        Err(ours.corrupt(0, "the two journals hold different segments of that name"))
    }
}

fn holds_records(copy: &Copy<'_>, names: &BTreeSet<String>) -> Result<bool, StorageError> {
    for number in names.iter().filter_map(|name| segment::number(name)) {
        if opened(copy, number)?.is_some_and(|file| !records(&file).is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn records(file: &SegmentFile) -> Records {
    let mut records = Records::new();
    let mut offset = SEGMENT_HEADER;
    while let Some(group) = readable(file, offset) {
        let positions = group.header.first.get()..;
        let framed = frames(&group.body).map_while(Result::ok).map(|framed| framed.frame.header_digest);
        records.extend(positions.zip(framed));
        offset = group.end;
    }
    records
}
