use std::io;

use super::layout::{ALIGNMENT, Frame, GroupHeader, GroupKind, SegmentHeader};
use crate::storage::StorageError;
use crate::storage::device::{Device, DeviceFile};
use crate::storage::local::codec;
use crate::terms::{Position, RepositoryName};

/// The end of a segment's file name.
const EXTENSION: &str = ".segment";
/// The end of the name of a file that is being made; removed at open.
pub(crate) const UNFINISHED: &str = ".new";
/// How many zeros one write makes.
const ZEROS: u64 = 1 << 20;

pub(super) const SEGMENT_HEADER: u64 = 160;
pub(super) const GROUP_HEADER: u64 = 128;
/// What stands before a record's encoded header.
pub(super) const FRAME: u64 = 80;

pub(super) fn name(number: u64) -> String {
    format!("{number:020}{EXTENSION}")
}

/// The number of a segment's file; `None` for any other file.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// A segment that has no name yet: nothing has happened to the journal.
///
/// It is made beside, filled, synced, and only then given its name. So a power cut at any point leaves either no such
/// segment or a whole one; and a later sync of a group in it writes no file metadata.
pub(super) struct Unnamed(SegmentFile);

impl Unnamed {
    /// Makes one with `content` after its header, durable but for its name. Where that fails, nothing is left of it.
    pub(super) fn make(
        device: &dyn Device,
        header: &SegmentHeader,
        content: &[u8],
    ) -> Result<Self, StorageError> {
        let made = make(device, header, content);
        if made.is_err() {
            // What is left would be removed at the next open, too.
            let _gone = device.remove(&beside(header.number));
        }
        made.map(Self)
    }

    /// Gives it its name, durably. Where that fails, what the next open finds is not known.
    pub(super) fn name(self, device: &dyn Device) -> Result<SegmentFile, StorageError> {
        let Self(segment) = self;
        let failed = |source| StorageError::io(format!("naming {}", segment.name), source);
        device.rename(&beside(segment.header.number), &segment.name).map_err(failed)?;
        device.sync_folder().map_err(failed)?;
        Ok(segment)
    }

    pub(super) fn header(&self) -> &SegmentHeader {
        &self.0.header
    }
}

/// The name of a segment's file until it is whole.
pub(super) fn beside(number: u64) -> String {
    format!("{}{UNFINISHED}", name(number))
}

fn make(device: &dyn Device, header: &SegmentHeader, content: &[u8]) -> Result<SegmentFile, StorageError> {
    let name = name(header.number);
    let beside = beside(header.number);
    let failed = |source| StorageError::io(format!("making {name}"), source);
    match device.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let file = device.create(&beside).map_err(failed)?;
    let mut start = header.encode();
    let digest = *blake3::hash(&start).as_bytes();
    start.extend(content);
    file.write(0, &start).map_err(failed)?;
    let mut filled = u64::try_from(start.len()).map_err(|_| StorageError::Bug("a segment beyond 64 bits"))?;
    let zeros = vec![0; usize::try_from(header.size.saturating_sub(filled).min(ZEROS)).unwrap_or_default()];
    while filled < header.size {
        let count = (header.size - filled).min(ZEROS);
        let chunk = usize::try_from(count).ok().and_then(|count| zeros.get(..count));
        file.write(filled, chunk.ok_or(StorageError::Bug("fewer zeros than counted"))?).map_err(failed)?;
        filled += count;
    }
    file.sync().map_err(failed)?;
    Ok(SegmentFile { key: header.group_key(), header: header.clone(), name, file, digest, length: filled })
}

/// A segment's open file, its header read and checked.
pub(super) struct SegmentFile {
    pub(super) name: String,
    pub(super) file: Box<dyn DeviceFile>,
    pub(super) header: SegmentHeader,
    pub(super) key: [u8; 32],
    /// BLAKE3 of the header's bytes.
    pub(super) digest: [u8; 32],
    /// When it was opened.
    pub(super) length: u64,
}

/// A group whose header and body check.
pub(super) struct Group {
    pub(super) header: GroupHeader,
    pub(super) check: [u8; 32],
    pub(super) body: Vec<u8>,
    /// Where it ends, filling included.
    pub(super) end: u64,
}

impl SegmentFile {
    pub(super) fn open(device: &dyn Device, number: u64) -> Result<Self, StorageError> {
        let name = name(number);
        let failed = |source| StorageError::io(format!("opening {name}"), source);
        let file = device.open(&name).map_err(failed)?;
        let length = file.length().map_err(failed)?;
        let mut bytes = [0; SegmentHeader::LENGTH];
        if length < SEGMENT_HEADER {
            return Err(StorageError::corrupt(&name, 0, "shorter than a segment header"));
        }
        file.read(0, &mut bytes).map_err(failed)?;
        let header = match SegmentHeader::decode(&bytes, &name) {
            // Where the journal is kept twice, the other copy of it will do, until that heals this one.
            Err(error @ StorageError::Corrupt { .. }) => match file.read_other(0, &mut bytes) {
                Some(Ok(())) => SegmentHeader::decode(&bytes, &name)?,
                Some(Err(_)) | None => return Err(error),
            },
            header => header?,
        };
        if header.number != number {
            return Err(StorageError::corrupt(&name, 0, "another segment under this one's name"));
        }
        let digest = *blake3::hash(&bytes).as_bytes();
        Ok(Self { key: header.group_key(), header, name, file, digest, length })
    }

    /// `None` if the file is too short.
    pub(super) fn read(&self, offset: u64, length: u64) -> Result<Option<Vec<u8>>, StorageError> {
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let length =
            usize::try_from(length).map_err(|_| self.corrupt(offset, "longer than memory can hold"))?;
        let mut bytes = vec![0; length];
        match self.file.read(offset, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) => Err(StorageError::io(format!("reading {}", self.name), error)),
        }
    }

    /// The header at `offset` and its check; `None` if none of this segment stands there.
    pub(super) fn group_header(&self, offset: u64) -> Result<Option<(GroupHeader, [u8; 32])>, StorageError> {
        let bytes = self.read(offset, GROUP_HEADER)?;
        Ok(bytes.and_then(|bytes| GroupHeader::decode(&bytes, &self.key)))
    }

    /// The group at `offset`, `None` if it does not check.
    pub(super) fn group(&self, offset: u64) -> Result<Option<Group>, StorageError> {
        let Some((header, check)) = self.group_header(offset)? else { return Ok(None) };
        let Some(end) = header.span().and_then(|span| offset.checked_add(span)) else { return Ok(None) };
        let Some(body) = self.read(offset + GROUP_HEADER, header.body)? else { return Ok(None) };
        let whole = blake3::hash(&body) == blake3::Hash::from_bytes(header.digest);
        Ok(whole.then_some(Group { header, check, body, end }))
    }

    /// The check of the last group before `offset` as it was first written, if the segment was written anew and ends there.
    pub(super) fn original_check(&self, offset: u64) -> Result<Option<[u8; 32]>, StorageError> {
        let mark = self.group(offset)?.filter(|group| group.header.kind == GroupKind::Rewritten);
        Ok(mark.and_then(|mark| mark.body.first_chunk().copied()))
    }

    /// BLAKE3 of the encoded record header in the frame at `place`; `None` if that is none.
    pub(super) fn chain(&self, place: u64) -> Result<Option<[u8; 32]>, StorageError> {
        let Some(prefix) = self.read(place, FRAME)? else { return Ok(None) };
        let Some(frame) = Frame::decode(&prefix) else { return Ok(None) };
        let header = self.read(place.saturating_add(FRAME), frame.header_length.into())?;
        Ok(header.map(|header| *blake3::hash(&header).as_bytes()))
    }

    /// Where the next group header of this segment stands that counts from `first` on.
    pub(super) fn next_group(&self, after: u64, first: Position) -> Result<Option<u64>, StorageError> {
        const WINDOW: u64 = 1 << 20;
        let mut offset = after.next_multiple_of(ALIGNMENT);
        while offset < self.length {
            let Some(window) = self.read(offset, WINDOW.min(self.length - offset))? else { return Ok(None) };
            let mut candidate = offset;
            for start in window.chunks(8) {
                if start == GroupHeader::MAGIC
                    && let Some((header, _)) = self.group_header(candidate)?
                    && header.first >= first
                {
                    return Ok(Some(candidate));
                }
                candidate += ALIGNMENT;
            }
            offset += WINDOW;
        }
        Ok(None)
    }

    /// Ends a segment that another one, durable by now, follows at `first`: says so at `end`, and gives back the rest.
    ///
    /// Nothing rests on this being durable: what stands after `end` does not count any more. The mark only makes the
    /// loss of the later segment evident. One that was written anew has a mark of its own, which is needed.
    pub(super) fn finish(&self, end: u64, first: Position, confirms: [u8; 32]) -> Result<(), StorageError> {
        if self.header.is_rewritten() {
            return Ok(());
        }
        let failed = |source| StorageError::io(format!("finishing {}", self.name), source);
        let (mark, _) = GroupHeader::bare(GroupKind::Continued, first, confirms).encode(&self.key);
        self.file.write(end, &mark).map_err(failed)?;
        self.file.set_length(end + GROUP_HEADER).map_err(failed)
    }

    pub(super) fn corrupt(&self, offset: u64, finding: &'static str) -> StorageError {
        StorageError::corrupt(&self.name, offset, finding)
    }

    /// Damage of the group at `offset`, with the repository whose record is hit, as far as that can still be read.
    pub(super) fn corrupt_group(&self, offset: u64, finding: &'static str) -> StorageError {
        const LOOK_AT: u64 = 1 << 20;
        let start = offset.saturating_add(GROUP_HEADER);
        let length = match self.group_header(offset) {
            Ok(Some((header, _))) => header.body,
            Ok(None) | Err(_) => LOOK_AT,
        };
        let body = self.read(start, length.min(self.length.saturating_sub(start)));
        let repository = body.ok().flatten().and_then(|body| hit(&body));
        StorageError::Corrupt { place: format!("{} at {offset}", self.name), repository, finding }
    }
}

/// Whose payload in a damaged body does not check; if all do as far as they can be read, whose record is the first.
fn hit(body: &[u8]) -> Option<RepositoryName> {
    let mut first = None;
    for framed in frames(body) {
        let framed = framed.ok()?;
        if *blake3::hash(framed.header).as_bytes() != framed.frame.header_digest {
            break;
        }
        let repository = codec::decode_header(framed.header).ok()?.repository;
        if *blake3::hash(framed.payload).as_bytes() != framed.frame.payload_digest {
            return Some(repository);
        }
        first.get_or_insert(repository);
    }
    first
}

/// One frame of a body, taken apart and not yet checked.
pub(super) struct Framed<'a> {
    /// From the start of the body.
    pub(super) offset: u64,
    pub(super) frame: Frame,
    pub(super) header: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// The frames of a body, up to its end or to what is no frame.
pub(super) fn frames(body: &[u8]) -> impl Iterator<Item = Result<Framed<'_>, &'static str>> {
    let mut rest = body;
    let mut offset = 0;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let framed = split(rest, offset).ok_or("a frame that ends outside its group");
        match &framed {
            Ok((framed, after)) => {
                offset += span(&framed.frame);
                rest = after;
            }
            Err(_) => rest = &[],
        }
        Some(framed.map(|(framed, _)| framed))
    })
}

fn split(bytes: &[u8], offset: u64) -> Option<(Framed<'_>, &[u8])> {
    let (prefix, rest) = bytes.split_at_checked(Frame::LENGTH)?;
    let frame = Frame::decode(prefix)?;
    let (header, rest) = rest.split_at_checked(usize::try_from(frame.header_length).ok()?)?;
    let (payload, rest) = rest.split_at_checked(usize::try_from(frame.payload_length).ok()?)?;
    Some((Framed { offset, frame, header, payload }, rest))
}

/// How many bytes a frame takes, header and payload included.
fn span(frame: &Frame) -> u64 {
    FRAME.saturating_add(frame.header_length.into()).saturating_add(frame.payload_length)
}
