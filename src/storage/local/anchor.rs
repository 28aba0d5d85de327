//! A small file on other storage that says how far the journal has come: what finds out that an old copy of the whole
//! folder was put back. It is written behind the journal, a second late at most, and at the end.
//!
//! offset 0, 8 bytes, magic; 8, u16, format; 10, 6 bytes, zero; 16, u64, Position; 24, 32 bytes, BLAKE3 of that record's
//! header; 56, 32 bytes, BLAKE3 of the 56 before. Integers are little-endian.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::storage::StorageError;
use crate::storage::device::{Device, FileDevice};
use crate::storage::local::index::Reached;
use crate::terms::Position;

const MAGIC: [u8; 8] = *b"tufs-anc";
const FORMAT: u16 = 1;
const CHECKED: usize = 56;
const LENGTH: usize = 88;
/// Between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes the file from now on.
pub(super) struct Anchor {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    file: File,
    state: Mutex<State>,
    told: Condvar,
}

struct File {
    device: Arc<dyn Device>,
    name: String,
}

#[derive(Clone, Copy, Debug)]
struct State {
    wanted: Option<Reached>,
    ended: bool,
}

impl Anchor {
    /// What the file says, if there is one; and who writes it from now on.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if it is damaged, and so can say nothing.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Reached>), StorageError> {
        let failed = |source| StorageError::io(format!("reading the anchor {}", path.display()), source);
        let whole = std::path::absolute(path).map_err(failed)?;
        let parts = whole.parent().zip(whole.file_name().and_then(|name| name.to_str()));
        let (folder, name) = parts.ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        let device: Arc<dyn Device> = Arc::new(FileDevice::open(folder).map_err(failed)?);
        let file = File { device, name: name.to_owned() };
        let seen = file.read()?;
        let state = Mutex::new(State { wanted: None, ended: false });
        let shared = Arc::new(Shared { file, state, told: Condvar::new() });
        let own = Arc::clone(&shared);
        let writer = thread::Builder::new().name("tufstore-anchor".to_owned()).spawn(move || own.run());
        let writer = Mutex::new(Some(writer.map_err(failed)?));
        Ok((Self { shared, writer }, seen))
    }

    /// How far the journal has come.
    pub(super) fn note(&self, reached: Reached) {
        self.shared.state.lock().wanted = Some(reached);
        self.shared.told.notify_one();
    }

    /// Writes what is left to write, and ends.
    pub(super) fn end(&self) {
        self.shared.state.lock().ended = true;
        self.shared.told.notify_one();
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the anchor's writer panicked");
        }
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let (wanted, ended) = {
                let mut state = self.state.lock();
                while state.wanted.is_none() && !state.ended {
                    self.told.wait(&mut state);
                }
                (state.wanted.take(), state.ended)
            };
            if let Some(reached) = wanted
                && let Err(error) = self.file.write(reached)
            {
                tracing::warn!(%error, "the anchor could not be written: an old copy of the store may pass for the newest");
            }
            if ended {
                return;
            }
            // What comes meanwhile is written in one.
            let _ended_or_late =
                self.told.wait_while_for(&mut self.state.lock(), |state| !state.ended, PAUSE);
        }
    }
}

impl File {
    fn read(&self) -> Result<Option<Reached>, StorageError> {
        let failed = |source| StorageError::io("reading the anchor", source);
        let file = match self.device.open(&self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let damaged = || StorageError::corrupt("anchor", 0, "not what was written there");
        let mut bytes = [0; LENGTH];
        if file.length().map_err(failed)? != u64::try_from(LENGTH).unwrap_or_default() {
            return Err(damaged());
        }
        file.read(0, &mut bytes).map_err(failed)?;
        decode(&bytes).ok_or_else(damaged).map(Some)
    }

    fn write(&self, reached: Reached) -> Result<(), StorageError> {
        let failed = |source| StorageError::io("writing the anchor", source);
        let beside = format!("{}.new", self.name);
        match self.device.remove(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let file = self.device.create(&beside).map_err(failed)?;
        file.write(0, &encode(reached)).and_then(|()| file.sync()).map_err(failed)?;
        self.device.rename(&beside, &self.name).map_err(failed)?;
        self.device.sync_folder().map_err(failed)
    }
}

fn encode(Reached { position, chain }: Reached) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(position.get().to_le_bytes());
    bytes.extend(chain);
    bytes.extend(blake3::hash(&bytes).as_bytes());
    bytes
}

fn decode(bytes: &[u8; LENGTH]) -> Option<Reached> {
    let (checked, digest) = bytes.split_at_checked(CHECKED)?;
    if digest != blake3::hash(checked).as_bytes() {
        return None;
    }
    let (prefix, rest) = checked.split_first_chunk::<16>()?;
    if !prefix.starts_with(&MAGIC) || prefix.get(8..10)? != FORMAT.to_le_bytes() {
        return None;
    }
    let (position, chain) = rest.split_first_chunk()?;
    Some(Reached { position: Position::new(u64::from_le_bytes(*position)), chain: *chain.first_chunk()? })
}
