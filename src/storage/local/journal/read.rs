use super::Journal;
use super::layout::{Frame, SegmentHeader};
use super::payload::{self, Parts, Stored};
use super::segment::{FRAME, name};
use super::write::Raw;
use crate::storage::device::DeviceFile;
use crate::storage::local::codec;
use crate::storage::{DocumentHeader, RecordHeader, StorageError};
use crate::terms::{Position, RepositoryName};

/// Where a record's frame stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: Position,
    segment: u64,
    offset: u64,
}

/// A record as it stands in the journal: its documents may be differences to others.
#[derive(Debug)]
pub(crate) struct StoredRecord {
    pub(crate) header: RecordHeader,
    payload: Vec<u8>,
    parts: Parts,
    /// File and offset, for people.
    place: String,
}

impl StoredRecord {
    /// Takes a payload apart whose checksum agrees.
    pub(super) fn new(header: RecordHeader, payload: Vec<u8>, place: String) -> Result<Self, StorageError> {
        match payload::parse(header.documents.len(), &payload) {
            Ok(parts) => Ok(Self { header, payload, parts, place }),
            Err(finding) => {
                Err(StorageError::Corrupt { place, repository: Some(header.repository), finding })
            }
        }
    }

    /// A document by its number.
    pub(crate) fn document(&self, number: u32) -> Option<(&DocumentHeader, Stored<'_>)> {
        let number = usize::try_from(number).ok()?;
        let (form, range) = self.parts.documents.get(number)?;
        Some((self.header.documents.get(number)?, (*form, self.payload.get(range.clone())?)))
    }

    pub(crate) fn attachment(&self) -> &[u8] {
        self.payload.get(self.parts.attachment.clone()).unwrap_or_default()
    }

    /// Damage of this record.
    pub(crate) fn corrupt(&self, finding: &'static str) -> StorageError {
        let repository = Some(self.header.repository.clone());
        StorageError::Corrupt { place: self.place.clone(), repository, finding }
    }
}

/// A file that frames are read from.
struct Source {
    name: String,
    file: Box<dyn DeviceFile>,
    length: u64,
}

impl Journal {
    /// One record as it stands, its frame's digests checked.
    pub(crate) fn stored(&self, position: Position) -> Result<StoredRecord, StorageError> {
        self.steadily(|| self.try_stored(position))
    }

    /// BLAKE3 of a record's encoded header; `None` if there is no such record.
    pub(crate) fn chain(&self, position: Position) -> Result<Option<[u8; 32]>, StorageError> {
        self.steadily(|| self.try_chain(position))
    }

    /// The same of the newest record up to a position; `None` beyond the end.
    pub(crate) fn chain_up_to(&self, position: Position) -> Result<Option<[u8; 32]>, StorageError> {
        if position > self.end().position {
            return Ok(None);
        }
        self.chain(self.newest_up_to(position))
    }

    /// Where a record stands that is no later; the start, if there is none.
    fn newest_up_to(&self, position: Position) -> Position {
        let table = self.table.read();
        let before = table.segments.partition_point(|segment| segment.first <= position);
        let mut segments = table.segments.iter().take(before).rev();
        let holding = segments.find(|segment| !segment.records.is_empty());
        holding.map_or(Position::START, |segment| {
            let last = u64::try_from(segment.records.len()).unwrap_or(u64::MAX).saturating_sub(1);
            position.min(Position::new(segment.first.get().saturating_add(last)))
        })
    }

    /// At most `limit` headers after a position, each with its digest, every link between them checked.
    pub(crate) fn headers(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(RecordHeader, [u8; 32])>, StorageError> {
        self.steadily(|| self.try_headers(after, limit))
    }

    /// Records after a position as they stand, as many as have about so many bytes, every digest checked.
    pub(crate) fn export(&self, after: Position, bytes: usize) -> Result<Vec<Raw>, StorageError> {
        self.steadily(|| self.try_export(after, bytes))
    }

    /// Reads again what could not be read while a segment was written anew: places that were known are of the old file, and
    /// of two records the one may be read before and the other after.
    pub(crate) fn steadily<T>(&self, read: impl Fn() -> Result<T, StorageError>) -> Result<T, StorageError> {
        loop {
            let before = self.table.read().replaced;
            let read = read();
            if read.is_ok() || self.table.read().replaced == before {
                return read;
            }
        }
    }

    fn try_stored(&self, position: Position) -> Result<StoredRecord, StorageError> {
        let place = self.place(position).ok_or(StorageError::Bug("a position that has no record"))?;
        let source = self.source(place.segment)?;
        let (_, header, payload) = source.record(place.offset, position)?;
        StoredRecord::new(header, payload, format!("{} at {}", source.name, place.offset))
    }

    fn try_export(&self, after: Position, bytes: usize) -> Result<Vec<Raw>, StorageError> {
        const MOST: usize = 1024;
        let (mut records, mut taken): (Vec<Raw>, usize) = (Vec::new(), 0);
        let mut open: Option<(u64, Source)> = None;
        for place in self.places(after.next(), MOST) {
            let source = match open.take() {
                Some((segment, source)) if segment == place.segment => source,
                Some(_) | None => self.source(place.segment)?,
            };
            let (frame, header, payload) = source.record(place.offset, place.position)?;
            taken = taken.saturating_add(payload.len());
            records.push(Raw { header, payload, dropped: frame.dropped });
            if taken >= bytes {
                break;
            }
            open = Some((place.segment, source));
        }
        Ok(records)
    }

    fn try_chain(&self, position: Position) -> Result<Option<[u8; 32]>, StorageError> {
        if position == Position::START {
            return Ok(Some([0; 32]));
        }
        let Some(place) = self.place(position) else { return Ok(None) };
        let (frame, _) = self.source(place.segment)?.header(place.offset, position)?;
        Ok(Some(frame.header_digest))
    }

    fn try_headers(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(RecordHeader, [u8; 32])>, StorageError> {
        let mut headers: Vec<(RecordHeader, [u8; 32])> = Vec::new();
        let mut open: Option<(u64, Source)> = None;
        for place in self.places(after.next(), limit) {
            let source = match open.take() {
                Some((segment, source)) if segment == place.segment => source,
                Some(_) | None => self.source(place.segment)?,
            };
            let (frame, header) = source.header(place.offset, place.position)?;
            if headers.last().is_some_and(|(_, digest)| *digest != header.previous) {
                let finding = "a record that does not follow the one before it";
                return Err(source.corrupt_of(place.offset, header.repository, finding));
            }
            headers.push((header, frame.header_digest));
            open = Some((place.segment, source));
        }
        Ok(headers)
    }

    /// Whether there is a record of that position.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.place(position).is_some()
    }

    fn place(&self, position: Position) -> Option<Place> {
        self.places(position, 1).first().copied().filter(|place| place.position == position)
    }

    /// Where at most `limit` records from `first` on stand.
    fn places(&self, first: Position, limit: usize) -> Vec<Place> {
        let table = self.table.read();
        let after = table.segments.partition_point(|segment| segment.first <= first);
        let mut places = Vec::new();
        for segment in table.segments.iter().skip(after.saturating_sub(1)) {
            let skip = first.get().saturating_sub(segment.first.get());
            let Ok(skip) = usize::try_from(skip) else { continue };
            let left = limit.saturating_sub(places.len());
            let positions = (segment.first.get()..).map(Position::new);
            let records = positions.zip(&segment.records).skip(skip).take(left);
            places.extend(records.map(|(position, offset)| Place {
                position,
                segment: segment.number,
                offset: *offset,
            }));
            if places.len() >= limit {
                break;
            }
        }
        places
    }

    fn source(&self, segment: u64) -> Result<Source, StorageError> {
        let name = name(segment);
        let failed = |source| StorageError::io(format!("opening {name}"), source);
        let file = self.device.open(&name).map_err(failed)?;
        let length = file.length().map_err(failed)?;
        Ok(Source { name, file, length })
    }
}

/// Which copy of a file is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Copied {
    First,
    Other,
}

impl Source {
    /// The frame at `offset` and the record header in it, which must be that of `position`.
    fn header(&self, offset: u64, position: Position) -> Result<(Frame, RecordHeader), StorageError> {
        self.either(|copy| {
            let (frame, header, bytes) = self.header_in(copy, offset, position)?;
            let whole = match copy {
                Copied::First => Vec::new(),
                Copied::Other => [&frame.encode()[..], &bytes].concat(),
            };
            Ok(((frame, header), offset, whole))
        })
    }

    /// The same with the payload.
    fn record(
        &self,
        offset: u64,
        position: Position,
    ) -> Result<(Frame, RecordHeader, Vec<u8>), StorageError> {
        self.either(|copy| {
            let (frame, header, bytes) = self.header_in(copy, offset, position)?;
            let start = offset + FRAME + u64::from(frame.header_length);
            let payload = self.read(copy, start, frame.payload_length)?;
            if *blake3::hash(&payload).as_bytes() != frame.payload_digest {
                let finding = "a payload that its frame does not name";
                return Err(self.corrupt_of(offset, header.repository, finding));
            }
            let whole = match copy {
                Copied::First => Vec::new(),
                Copied::Other => [&frame.encode()[..], &bytes, &payload].concat(),
            };
            Ok(((frame, header, payload), offset, whole))
        })
    }

    /// Reads from the first copy; what is damaged there from another one, if there is one, and heals the first with it. `read`
    /// answers what it read, and of the other copy where, and the bytes.
    fn either<T>(
        &self,
        read: impl Fn(Copied) -> Result<(T, u64, Vec<u8>), StorageError>,
    ) -> Result<T, StorageError> {
        let error = match read(Copied::First) {
            Ok((value, ..)) => return Ok(value),
            Err(error) => error,
        };
        let Ok((value, offset, bytes)) = read(Copied::Other) else { return Err(error) };
        if !self.is_one_segment() {
            // One of them was written anew meanwhile: what is sound in the other has another place in it.
            return Ok(value);
        }
        tracing::warn!(%error, "read from the second journal, and healed with it");
        if let Err(error) = self.file.heal(offset, &bytes) {
            tracing::warn!(%error, "what was read from the second journal could not heal the first");
        }
        Ok(value)
    }

    /// Whether both copies have the same header, which no two files that were ever written share.
    fn is_one_segment(&self) -> bool {
        let (mut ours, mut theirs) = ([0; SegmentHeader::LENGTH], [0; SegmentHeader::LENGTH]);
        let read = self.file.read(0, &mut ours);
        read.is_ok() && matches!(self.file.read_other(0, &mut theirs), Some(Ok(()))) && ours == theirs
    }

    fn header_in(
        &self,
        copy: Copied,
        offset: u64,
        position: Position,
    ) -> Result<(Frame, RecordHeader, Vec<u8>), StorageError> {
        let corrupt = |finding| StorageError::corrupt(&self.name, offset, finding);
        let frame = Frame::decode(&self.read(copy, offset, FRAME)?).ok_or_else(|| corrupt("no frame"))?;
        let bytes = self.read(copy, offset + FRAME, frame.header_length.into())?;
        if *blake3::hash(&bytes).as_bytes() != frame.header_digest {
            return Err(corrupt("a record header that its frame does not name"));
        }
        let header =
            codec::decode_header(&bytes).map_err(|_| corrupt("a record header that cannot be decoded"))?;
        if header.position != position {
            return Err(corrupt("the record of another position"));
        }
        Ok((frame, header, bytes))
    }

    fn read(&self, copy: Copied, offset: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        let short = || StorageError::corrupt(&self.name, offset, "a frame beyond the end of its file");
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(short());
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| short())?];
        let read = match copy {
            Copied::First => self.file.read(offset, &mut bytes),
            Copied::Other => self.file.read_other(offset, &mut bytes).ok_or_else(short)?,
        };
        match read {
            Ok(()) => Ok(bytes),
            Err(source) => Err(StorageError::io(format!("reading {}", self.name), source)),
        }
    }

    fn corrupt_of(&self, offset: u64, repository: RepositoryName, finding: &'static str) -> StorageError {
        StorageError::Corrupt {
            place: format!("{} at {offset}", self.name),
            repository: Some(repository),
            finding,
        }
    }
}
