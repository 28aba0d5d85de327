//! A file that is good for nothing but its room: on a full disk it makes way for what has to be written to open the
//! store, to erase, and to compact.

use std::io;

use crate::storage::StorageError;
use crate::storage::device::Device;

/// The file's name.
pub(crate) const NAME: &str = "reserve";
const LARGEST: u64 = 8 << 20;
/// It is so much of the journal.
const PART: u64 = 16;
/// How many zeros one write makes.
const ZEROS: u64 = 256 << 10;

/// Makes the reserve, if there is room for one and it is not there: for two of the smallest segments at least.
pub(super) fn keep(device: &dyn Device, smallest_segment: u64, journal: u64) {
    let least = smallest_segment.saturating_mul(2).min(LARGEST);
    let size = (journal / PART).clamp(least, LARGEST);
    if let Err(error) = make(device, size) {
        tracing::warn!(%error, "no room is kept for a full disk");
        let _gone = device.remove(NAME);
    }
}

fn make(device: &dyn Device, size: u64) -> io::Result<()> {
    match device.open(NAME) {
        Ok(file) if file.length()? >= size / 2 => return Ok(()),
        Ok(_) => device.remove(NAME)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = device.create(NAME)?;
    let zeros = vec![0; usize::try_from(ZEROS.min(size)).unwrap_or_default()];
    let mut filled = 0;
    while filled < size {
        file.write(filled, &zeros)?;
        filled += ZEROS.min(size);
    }
    file.sync()?;
    device.sync_folder()
}

/// Does what needs room; where there is none, once more after the reserve has made way.
pub(super) fn or_without<T>(
    device: &dyn Device,
    what: impl Fn() -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    match what() {
        Err(error) if error.is_full_disk() && device.remove(NAME).is_ok() => {
            tracing::warn!(%error, "the disk is full: the room kept for that is used");
            what()
        }
        done => done,
    }
}
