//! The master key file, byte by byte. Numbers are big-endian.
//!
//! ```text
//! offset 0,  8 bytes   magic
//! offset 8,  2 bytes   format, 1
//! offset 10, 1 byte    sealed by: 1 a passphrase, 2 a key file
//! offset 11, 4 bytes   Argon2id: memory in KiB; zero for a key file, as the next two
//! offset 15, 4 bytes   Argon2id: passes
//! offset 19, 4 bytes   Argon2id: lanes
//! offset 23, 16 bytes  salt of Argon2id, or of HKDF over the key file
//! offset 39, 12 bytes  nonce of AES-256-GCM; what stands before it is its associated data
//! offset 51            encrypted: master key, 32 bytes; number of salts, 1 byte; salts of 32 bytes, the newest first
//! then       16 bytes  tag
//! last       32 bytes  SHA-256 of all before, so that damage can be told from a wrong passphrase
//! ```

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use tufstore::crypto::sha256;
use zeroize::Zeroizing;

use super::{MasterKey, MasterKeyError, Opener, SealedBy, read_key_file};
use crate::error::failed;
use crate::sealing::{SECRET, Sealer, Secret, derived};

const MAGIC: &[u8; 8] = b"TUFSTMK\0";
const FORMAT: u16 = 1;
const SALT: usize = 16;
const HEADER: usize = 39;
const CHECKSUM: usize = 32;
/// How many salts a file keeps: the newest and those of former backups.
pub(super) const MOST_SALTS: usize = 64;

/// RFC 9106, section 4, second recommended option.
const COST: Cost = Cost { memory: 64 * 1024, passes: 3, lanes: 4 };
/// A file that asks for more was not written here; without a limit it could ask for all memory there is.
const MOST: Cost = Cost { memory: 1024 * 1024, passes: 64, lanes: 64 };

#[derive(Clone, Copy)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

struct Header {
    by: SealedBy,
    cost: Cost,
    salt: [u8; SALT],
}

pub(super) fn sealed(master: &MasterKey, opener: Opener<'_>) -> Result<Vec<u8>, MasterKeyError> {
    let mut salt = [0; SALT];
    aws_lc_rs::rand::fill(&mut salt).map_err(failed("drawing random bytes"))?;
    let (by, cost) = match opener {
        Opener::Passphrase(_) => (SealedBy::Passphrase, COST),
        Opener::KeyFile(_) => (SealedBy::KeyFile, Cost { memory: 0, passes: 0, lanes: 0 }),
    };
    let header = Header { by, cost, salt };
    let mut file = header.written();
    let mut body = Zeroizing::new(Vec::with_capacity(SECRET + 1 + master.salts.len() * SECRET));
    body.extend_from_slice(master.secret.as_slice());
    body.push(u8::try_from(master.salts.len()).unwrap_or(u8::MAX));
    for salt in &master.salts {
        body.extend_from_slice(salt.as_slice());
    }
    let encrypted = Sealer::new(&header.key(opener)?)?.seal(&file, &body)?;
    file.extend_from_slice(&encrypted);
    let checksum = sha256(&file);
    file.extend_from_slice(checksum.as_bytes());
    Ok(file)
}

pub(super) fn opened(file: &[u8], opener: Opener<'_>) -> Result<MasterKey, MasterKeyError> {
    let (header, written, encrypted) = parts(file)?;
    match (header.by, opener) {
        (SealedBy::Passphrase, Opener::Passphrase(_)) | (SealedBy::KeyFile, Opener::KeyFile(_)) => {}
        (by, _) => return Err(MasterKeyError::OtherOpener { by }),
    }
    let body = Sealer::new(&header.key(opener)?)?
        .open(written, encrypted)
        .map_err(|_| MasterKeyError::WrongOpener)?;
    let (secret, rest) = body.split_first_chunk::<SECRET>().ok_or(MasterKeyError::Damaged)?;
    let (count, salts) = rest.split_first().ok_or(MasterKeyError::Damaged)?;
    let salts: Vec<Secret> = salts
        .chunks(SECRET)
        .map(|salt| salt.try_into().map(Zeroizing::new))
        .collect::<Result<_, _>>()
        .map_err(|_| MasterKeyError::Damaged)?;
    if salts.is_empty() || usize::from(*count) != salts.len() {
        return Err(MasterKeyError::Damaged);
    }
    Ok(MasterKey { secret: Zeroizing::new(*secret), salts })
}

pub(super) fn sealed_by(file: &[u8]) -> Result<SealedBy, MasterKeyError> {
    parts(file).map(|(header, ..)| header.by)
}

/// The header, as read and as written, and what is sealed.
fn parts(file: &[u8]) -> Result<(Header, &[u8], &[u8]), MasterKeyError> {
    let mut reader = Reader(file);
    let magic: [u8; 8] = reader.take()?;
    let format = u16::from_be_bytes(reader.take()?);
    if &magic != MAGIC {
        return Err(MasterKeyError::Damaged);
    }
    if format > FORMAT {
        return Err(MasterKeyError::NewerFormat { found: format, supported: FORMAT });
    }
    let (content, checksum) = file.split_last_chunk::<CHECKSUM>().ok_or(MasterKeyError::Damaged)?;
    if sha256(content).as_bytes() != checksum {
        return Err(MasterKeyError::Damaged);
    }
    let by = match reader.take()? {
        [1] => SealedBy::Passphrase,
        [2] => SealedBy::KeyFile,
        _ => return Err(MasterKeyError::Damaged),
    };
    let [memory, passes, lanes] = [reader.take()?, reader.take()?, reader.take()?].map(u32::from_be_bytes);
    let header = Header { by, cost: Cost { memory, passes, lanes }, salt: reader.take()? };
    let (written, sealed) = content.split_at_checked(HEADER).ok_or(MasterKeyError::Damaged)?;
    Ok((header, written, sealed))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], MasterKeyError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(MasterKeyError::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }
}

impl Header {
    fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        bytes.push(match self.by {
            SealedBy::Passphrase => 1,
            SealedBy::KeyFile => 2,
        });
        for number in [self.cost.memory, self.cost.passes, self.cost.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes
    }

    /// The key that the content is sealed with.
    fn key(&self, opener: Opener<'_>) -> Result<Secret, MasterKeyError> {
        match opener {
            Opener::Passphrase([]) => Err(MasterKeyError::EmptyPassphrase),
            Opener::Passphrase(passphrase) => self.stretched(passphrase),
            Opener::KeyFile(path) => {
                let prk = Salt::new(HKDF_SHA256, &self.salt).extract(read_key_file(path)?.as_slice());
                Ok(derived(&prk, &[b"tufstore master key file 1"])?)
            }
        }
    }

    fn stretched(&self, passphrase: &[u8]) -> Result<Secret, MasterKeyError> {
        let Cost { memory, passes, lanes } = self.cost;
        if memory > MOST.memory || passes > MOST.passes || lanes > MOST.lanes {
            return Err(MasterKeyError::Damaged);
        }
        let params = Params::new(memory, passes, lanes, Some(SECRET)).map_err(|_| MasterKeyError::Damaged)?;
        let mut key = Secret::default();
        let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase, &self.salt, key.as_mut_slice(), &mut *memory)
            .map_err(failed("stretching a passphrase"))?;
        Ok(key)
    }
}
