//! Values to bytes and back: the only file that knows bincode, and `docs/format.md` outlives it.
//!
//! Integers are little-endian: in a checkpoint of fixed width, in record headers and attachments as short as they can be.
//! Decoding is total: whatever the bytes, it ends with the value that encodes to just them, or with [`Undecodable`].

use bincode::config::{self, Config, Configuration, Limit, LittleEndian, Varint};
use bincode::enc::write::SizeWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::storage::local::checkpoint::Checkpoint;
use crate::storage::{RecordHeader, StorageError};

/// How long an encoded record header may be: some 30,000 documents with long names.
const HEADER_LIMIT: usize = 16 << 20;
/// How long an encoded checkpoint may be: about a thousand million records.
const CHECKPOINT_LIMIT: usize = 16 << 30;

const SHORT_INTEGERS: Configuration<LittleEndian, Varint, Limit<HEADER_LIMIT>> =
    config::standard().with_little_endian().with_variable_int_encoding().with_limit::<HEADER_LIMIT>();

/// Not what an encoder wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Undecodable;

pub(crate) fn encode_header(header: &RecordHeader) -> Result<Vec<u8>, StorageError> {
    encode(header, HEADER_LIMIT, SHORT_INTEGERS)
}

pub(crate) fn decode_header(bytes: &[u8]) -> Result<RecordHeader, Undecodable> {
    decode(bytes, SHORT_INTEGERS)
}

pub(super) fn encode_checkpoint(checkpoint: &Checkpoint) -> Result<Vec<u8>, StorageError> {
    encode(
        checkpoint,
        CHECKPOINT_LIMIT,
        config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<CHECKPOINT_LIMIT>(),
    )
}

pub(super) fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, Undecodable> {
    // bincode takes memory for a length that it reads before it looks whether so many bytes are there: up to the limit.
    // What decodes takes no more than was read, so a short input does with a low one.
    const SHORT: usize = 64 << 10;
    let config = config::standard().with_little_endian().with_fixed_int_encoding();
    if bytes.len() <= SHORT {
        decode(bytes, config.with_limit::<SHORT>())
    } else if bytes.len() <= HEADER_LIMIT {
        decode(bytes, config.with_limit::<HEADER_LIMIT>())
    } else {
        decode(bytes, config.with_limit::<CHECKPOINT_LIMIT>())
    }
}

/// Encodes what the layer above puts beside a record's documents.
pub(crate) fn encode_attachment(attachment: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    encode(attachment, HEADER_LIMIT, SHORT_INTEGERS)
}

/// Decodes what [`encode_attachment`] made.
pub(crate) fn decode_attachment<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, StorageError> {
    decode(bytes, SHORT_INTEGERS).map_err(|Undecodable| StorageError::Corrupt {
        place: "a record's attachment".to_owned(),
        repository: None,
        finding: "cannot be decoded, although its checksum agrees",
    })
}

fn encode<C: Config>(value: &impl Serialize, limit: usize, config: C) -> Result<Vec<u8>, StorageError> {
    // bincode holds decoders to the limit, and encoders not.
    match bincode::serde::encode_to_vec(value, config) {
        Ok(bytes) if bytes.len() <= limit => Ok(bytes),
        Ok(_) => Err(StorageError::Bug("a value that is too large to be read back")),
        Err(_) => Err(StorageError::Bug("a value that cannot be encoded")),
    }
}

fn decode<T: DeserializeOwned + Serialize, C: Config + Copy>(
    bytes: &[u8],
    config: C,
) -> Result<T, Undecodable> {
    let Ok((value, used)) = bincode::serde::borrow_decode_from_slice::<T, C>(bytes, config) else {
        return Err(Undecodable);
    };
    // A short integer may be written longer than it has to be, and nothing else in more than one way: so the value's own
    // encoding is as long as these bytes only if it is these bytes.
    let mut size = SizeWriter::default();
    let sized = bincode::serde::encode_into_writer(&value, &mut size, config);
    if used == bytes.len() && sized.is_ok() && size.bytes_written == used {
        Ok(value)
    } else {
        Err(Undecodable)
    }
}

#[cfg(test)]
mod tests;
