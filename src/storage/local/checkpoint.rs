//! What memory holds, written down now and then, so that opening need not read the whole journal.
//!
//! It is an aid and a witness, never the truth: one that does not check is passed over, and one that has seen more than
//! the journal holds proves that records are lost.

use std::io;

use serde::{Deserialize, Serialize};

use crate::storage::device::Device;
use crate::storage::local::codec;
use crate::storage::local::journal::{End, Segment};
use crate::storage::{Head, StorageError};
use crate::terms::RecordName;

/// The file's name.
pub(super) const NAME: &str = "checkpoint";
const BESIDE: &str = "checkpoint.new";
const MAGIC: [u8; 8] = *b"tufs-chk";
const FORMAT: u16 = 1;
/// Magic, format, zeros.
const PREFIX: usize = 16;
const DIGEST: usize = 32;

/// The whole state of the store at a Position.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) end: End,
    pub(super) segments: Vec<Segment>,
    pub(super) heads: Vec<(RecordName, Head)>,
}

impl Checkpoint {
    /// offset 0, 8 bytes, magic; 8, u16, format; 10, 6 bytes, zero; 16, the encoded checkpoint; then 32 bytes, BLAKE3 of
    /// all before.
    fn encode(&self) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(codec::encode_checkpoint(self)?);
        let digest = blake3::hash(&bytes);
        bytes.extend(digest.as_bytes());
        Ok(bytes)
    }

    /// `None` if it is damaged. The checksum stands at the end in every format, so damage is told from newness.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, StorageError> {
        let Some((checked, digest)) = bytes.split_last_chunk::<DIGEST>() else { return Ok(None) };
        if blake3::hash(checked) != blake3::Hash::from_bytes(*digest) {
            return Ok(None);
        }
        let Some((prefix, body)) = checked.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [magic @ .., low, high, 0, 0, 0, 0, 0, 0] = prefix else { return Ok(None) };
        if *magic != MAGIC {
            return Ok(None);
        }
        match u16::from_le_bytes([*low, *high]) {
            FORMAT => Ok(codec::decode_checkpoint(body).ok()),
            found if found > FORMAT => {
                Err(StorageError::NewerFormat { file: NAME.to_owned(), found, supported: FORMAT })
            }
            _ => Ok(None),
        }
    }

    /// The checkpoint in a folder; `None` if there is none that checks. Removes one that was being written.
    pub(super) fn read(device: &dyn Device) -> Result<Option<Self>, StorageError> {
        let failed = |source| StorageError::io("reading the checkpoint", source);
        match device.remove(BESIDE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        Self::look(device)
    }

    /// The same, where the folder is left as it is.
    pub(super) fn look(device: &dyn Device) -> Result<Option<Self>, StorageError> {
        let failed = |source| StorageError::io("reading the checkpoint", source);
        let file = match device.open(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let length = usize::try_from(file.length().map_err(failed)?)
            .map_err(|_| StorageError::corrupt(NAME, 0, "larger than memory can hold"))?;
        let mut bytes = vec![0; length];
        file.read(0, &mut bytes).map_err(failed)?;
        let checkpoint = Self::decode(&bytes)?;
        if checkpoint.is_none() {
            tracing::warn!("the checkpoint is damaged and passed over: the whole journal is read");
        }
        Ok(checkpoint)
    }

    /// Replaces the checkpoint of a folder, durably. A power cut meanwhile leaves the one or the other.
    pub(super) fn write(&self, device: &dyn Device) -> Result<u64, StorageError> {
        let bytes = self.encode()?;
        let failed = |source| StorageError::io("writing the checkpoint", source);
        match device.remove(BESIDE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let file = device.create(BESIDE).map_err(failed)?;
        file.write(0, &bytes).map_err(failed)?;
        file.sync().map_err(failed)?;
        device.rename(BESIDE, NAME).map_err(failed)?;
        device.sync_folder().map_err(failed)?;
        u64::try_from(bytes.len()).map_err(|_| StorageError::Bug("a checkpoint beyond 64 bits"))
    }
}

/// Removes what cannot be read anyway.
pub(super) fn discard(device: &dyn Device) -> Result<(), StorageError> {
    match device.remove(NAME) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::io("removing the checkpoint", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
