//! Whether two copies are of one journal, which is known before anything is written to either.

use std::collections::{BTreeMap, BTreeSet};

use super::{Copy, readable};
use crate::storage::StorageError;
use crate::storage::local::journal::segment::{self, SEGMENT_HEADER, SegmentFile, frames};

/// The digests of the records' headers, as far as they can be read, by Position.
type Records = BTreeMap<u64, [u8; 32]>;

/// `ours` and `theirs` are the names of the segments in each.
///
/// # Errors
/// [`StorageError::Corrupt`] if they are not; [`StorageError::NewerFormat`]; [`StorageError::Io`].
pub(super) fn of_one_journal(
    one: &Copy<'_>,
    other: &Copy<'_>,
    ours: &BTreeSet<String>,
    theirs: &BTreeSet<String>,
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
    Ok(())
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
