//! The bytes of a backup.
//!
//! All integers are little-endian. offset 0, 8 bytes, magic; 8, u16, format; 10, 6 bytes, zero; 16, u64, the Position after
//! which it begins; 24, 32 bytes, BLAKE3 of that record's header; 56, u64, the last Position; 64, 32 bytes, BLAKE3 of that
//! record's header; 96, 32 bytes, BLAKE3 of the 96 before; 128, one Zstandard frame; then 32 bytes, BLAKE3 of all before.
//!
//! The frame holds entries. A record: u8 1; u32, length of its encoded header; u64, length of its payload; u32, how many
//! documents were dropped from it; the header; the payload. A file: u8 2; u16, length of its name; u64, its length; the name;
//! the bytes. The end: u8 0.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::storage::device::{Device, DeviceFile, FileDevice};
use crate::storage::{Raw, StorageError, decode_record_header, encode_record_header};
use crate::terms::Position;

const MAGIC: [u8; 8] = *b"tufs-bak";
const FORMAT: u16 = 1;
const HEADER: usize = 128;
const CHECKED: usize = 96;
const DIGEST: u64 = 32;
const END: u8 = 0;
const RECORD: u8 = 1;
const FILE: u8 = 2;
/// What comes from the journal is compressed already, for the most part.
const LEVEL: i32 = 3;
/// No record is longer, and no file that goes along.
const LONGEST: u64 = 2 << 30;

/// What a backup reaches from and to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) after: Position,
    pub(crate) after_chain: [u8; 32],
    pub(crate) to: Position,
    pub(crate) to_chain: [u8; 32],
}

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBackup {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is no backup")]
    NoBackup,
    /// It is cut short, or changed.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// A newer release wrote it.
    #[error("it has format {found}, this release reads up to {supported}: use a newer release")]
    NewerFormat {
        /// What it says.
        found: u16,
        /// What this release knows.
        supported: u16,
    },
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(self.after.get().to_le_bytes());
        bytes.extend(self.after_chain);
        bytes.extend(self.to.get().to_le_bytes());
        bytes.extend(self.to_chain);
        bytes.extend(blake3::hash(&bytes).as_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Self, InvalidBackup> {
        let (checked, digest) = bytes.split_at(CHECKED);
        let mut fields = checked;
        if take(&mut fields)? != MAGIC {
            return Err(InvalidBackup::NoBackup);
        }
        if digest != blake3::hash(checked).as_bytes() {
            return Err(InvalidBackup::Damaged("its header is not what was written"));
        }
        let found = u16::from_le_bytes(take(&mut fields)?);
        if found > FORMAT {
            return Err(InvalidBackup::NewerFormat { found, supported: FORMAT });
        }
        let _zeros: [u8; 6] = take(&mut fields)?;
        let after = Position::new(u64::from_le_bytes(take(&mut fields)?));
        let after_chain = take(&mut fields)?;
        let to = Position::new(u64::from_le_bytes(take(&mut fields)?));
        Ok(Self { after, after_chain, to, to_chain: take(&mut fields)? })
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], InvalidBackup> {
    let (field, rest) = from.split_first_chunk().ok_or(InvalidBackup::Damaged("it is cut short"))?;
    *from = rest;
    Ok(*field)
}

/// Where a file lies, and what it is called there.
fn place(path: &Path) -> io::Result<(FileDevice, String)> {
    let whole = std::path::absolute(path)?;
    let name = whole.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
    let folder: PathBuf = whole.parent().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok((FileDevice::open(folder)?, name.to_owned()))
}

/// A backup that is being written, beside its name until it is whole.
pub(super) struct BackupFile {
    stream: zstd::Encoder<'static, BufWriter<Hashed>>,
    beside: Beside,
    name: String,
}

/// The file as long as it is not whole: it is gone with this.
struct Beside {
    device: FileDevice,
    name: String,
}

impl Drop for Beside {
    fn drop(&mut self) {
        match self.device.remove(&self.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = self.name, "an unfinished backup is left");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Writes to a file, and hashes what it writes.
struct Hashed {
    file: Box<dyn DeviceFile>,
    offset: u64,
    hasher: blake3::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(self.offset, bytes)?;
        self.hasher.update(bytes);
        self.offset += u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BackupFile {
    pub(super) fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let (device, name) = place(path)?;
        let beside = format!("{name}.unfinished");
        match device.remove(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = device.create(&beside)?;
        let beside = Beside { device, name: beside };
        let mut hashed = Hashed { file, offset: 0, hasher: blake3::Hasher::new() };
        hashed.write_all(&header.encode())?;
        let stream = zstd::Encoder::new(BufWriter::with_capacity(1 << 20, hashed), LEVEL)?;
        Ok(Self { stream, beside, name })
    }

    pub(super) fn record(&mut self, raw: &Raw) -> Result<io::Result<()>, StorageError> {
        let header = encode_record_header(&raw.header)?;
        Ok(self.entry(&header, raw))
    }

    fn entry(&mut self, header: &[u8], raw: &Raw) -> io::Result<()> {
        let length = u32::try_from(header.len()).map_err(io::Error::other)?;
        let payload = u64::try_from(raw.payload.len()).map_err(io::Error::other)?;
        self.stream.write_all(&[RECORD])?;
        self.stream.write_all(&length.to_le_bytes())?;
        self.stream.write_all(&payload.to_le_bytes())?;
        self.stream.write_all(&raw.dropped.to_le_bytes())?;
        self.stream.write_all(header)?;
        self.stream.write_all(&raw.payload)
    }

    pub(super) fn along(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        self.stream.write_all(&[FILE])?;
        self.stream.write_all(&length.to_le_bytes())?;
        self.stream.write_all(&u64::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes())?;
        self.stream.write_all(name.as_bytes())?;
        self.stream.write_all(bytes)
    }

    /// Makes it durable under its name. How many bytes it has.
    pub(super) fn finish(self) -> io::Result<u64> {
        let Self { mut stream, beside, name } = self;
        stream.write_all(&[END])?;
        let mut hashed = stream.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        let digest = hashed.hasher.finalize();
        hashed.write_all(digest.as_bytes())?;
        hashed.file.sync()?;
        beside.device.rename(&beside.name, &name)?;
        beside.device.sync_folder()?;
        Ok(hashed.offset)
    }
}

/// The header of a backup, as it says.
pub(crate) fn header_of(path: &Path) -> Result<Header, InvalidBackup> {
    let (device, name) = place(path)?;
    header_in(&*device.open(&name)?)
}

fn header_in(file: &dyn DeviceFile) -> Result<Header, InvalidBackup> {
    let mut bytes = [0; HEADER];
    if file.length()? < u64::try_from(HEADER).unwrap_or(u64::MAX) {
        return Err(InvalidBackup::NoBackup);
    }
    file.read(0, &mut bytes)?;
    Header::decode(&bytes)
}

/// A backup of which every byte was checked.
pub(crate) struct Checked {
    pub(crate) header: Header,
    file: Box<dyn DeviceFile>,
    /// Where the digest stands.
    end: u64,
}

/// What stands in a backup.
pub(crate) enum Entry {
    Record(Raw),
    File(String, Vec<u8>),
}

/// Reads a part of a file from front to back.
struct Part {
    file: Box<dyn DeviceFile>,
    offset: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most) else { return Ok(0) };
        self.file.read(self.offset, buffer)?;
        self.offset += u64::try_from(most).map_err(io::Error::other)?;
        Ok(most)
    }
}

impl Checked {
    /// Reads a whole backup, and compares it with its digest.
    pub(crate) fn open(path: &Path) -> Result<Self, InvalidBackup> {
        let (device, name) = place(path)?;
        let file = device.open(&name)?;
        let header = header_in(&*file)?;
        let end = file.length()?.checked_sub(DIGEST).ok_or(InvalidBackup::NoBackup)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(Part { file: device.open(&name)?, offset: 0, end })?;
        let mut digest = [0; 32];
        file.read(end, &mut digest)?;
        if hasher.finalize() != blake3::Hash::from_bytes(digest) {
            return Err(InvalidBackup::Damaged("its digest is another one"));
        }
        Ok(Self { header, file, end })
    }

    /// What it holds, in order. After an error there is nothing more.
    pub(crate) fn entries(self) -> Result<impl Iterator<Item = Result<Entry, InvalidBackup>>, InvalidBackup> {
        let offset = u64::try_from(HEADER).map_err(|_| InvalidBackup::NoBackup)?;
        let part = Part { file: self.file, offset, end: self.end };
        let mut stream = zstd::Decoder::with_buffer(BufReader::with_capacity(1 << 20, part))?;
        let mut ended = false;
        Ok(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let entry = entry(&mut stream).transpose();
            ended = entry.as_ref().is_none_or(Result::is_err);
            entry
        }))
    }
}

fn entry(from: &mut impl Read) -> Result<Option<Entry>, InvalidBackup> {
    let [kind] = bytes(from)?;
    match kind {
        END => Ok(None),
        RECORD => {
            let header = u64::from(u32::from_le_bytes(bytes(from)?));
            let payload = u64::from_le_bytes(bytes(from)?);
            let dropped = u32::from_le_bytes(bytes(from)?);
            let header = decode_record_header(&run(from, header)?)
                .map_err(|_| InvalidBackup::Damaged("a record header that cannot be decoded"))?;
            Ok(Some(Entry::Record(Raw { header, payload: run(from, payload)?, dropped })))
        }
        FILE => {
            let name = u64::from(u16::from_le_bytes(bytes(from)?));
            let length = u64::from_le_bytes(bytes(from)?);
            let name = String::from_utf8(run(from, name)?)
                .map_err(|_| InvalidBackup::Damaged("a file's name that is no text"))?;
            Ok(Some(Entry::File(name, run(from, length)?)))
        }
        _ => Err(InvalidBackup::Damaged("an entry that this release does not know")),
    }
}

fn bytes<const N: usize>(from: &mut impl Read) -> Result<[u8; N], InvalidBackup> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn run(from: &mut impl Read, length: u64) -> Result<Vec<u8>, InvalidBackup> {
    if length > LONGEST {
        return Err(InvalidBackup::Damaged("an entry that is too long"));
    }
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes)?;
    let whole = u64::try_from(read).is_ok_and(|read| read == length);
    whole.then_some(bytes).ok_or(InvalidBackup::Damaged("it is cut short"))
}
