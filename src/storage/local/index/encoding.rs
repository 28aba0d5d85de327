//! An index's keys and values in an ordered key-value store, whichever it is. Integers in keys are big-endian, so that their
//! order is that of the numbers.
//!
//! | key | value |
//! |---|---|
//! | life, `v`, role, version (8), position (8) | SHA-256 (32) |
//! | life, `d`, role, the first 16 bytes of SHA-256, position (8) | empty |
//! | `reached` | format (2), position (8), chain (32) |
//!
//! A *life* is the first 16 bytes of BLAKE3 of the repository's name, and the incarnation (8); a *role* the first 16 bytes
//! of BLAKE3 of its name. `docs/format.md` has the same.

use super::{Entry, IndexError, Life, Reached, Row, short_hash};
use crate::terms::{Position, RoleName, Sha256, Version};

const FORMAT: u16 = 2;
pub(super) const REACHED: &[u8] = b"reached";
const BY_VERSION: u8 = b'v';
const BY_DIGEST: u8 = b'd';
/// Life, kind, role.
const PREFIX: usize = 16 + 8 + 1 + 16;

/// The two keys of an entry, and the value of the first; the second has none.
pub(super) fn pair(entry: &Entry) -> (Vec<u8>, [u8; 32], Vec<u8>) {
    let life = Life { repository: &entry.repository, incarnation: entry.incarnation };
    let position = entry.position.get().to_be_bytes();
    let mut by_version = version(life, &entry.role, entry.version);
    by_version.extend(position);
    let mut by_digest = digest(life, &entry.role, &entry.sha256);
    by_digest.extend(position);
    (by_version, *entry.sha256.as_bytes(), by_digest)
}

/// What every document of a version has in front.
pub(super) fn version(life: Life<'_>, role: &RoleName, version: Version) -> Vec<u8> {
    key(life, BY_VERSION, role, &version.get().to_be_bytes())
}

/// What every document of a digest has in front.
pub(super) fn digest(life: Life<'_>, role: &RoleName, sha256: &Sha256) -> Vec<u8> {
    let (first, _) = sha256.as_bytes().split_at(16);
    key(life, BY_DIGEST, role, first)
}

/// What every document of a life has in front, once.
pub(super) fn all(life: Life<'_>) -> Vec<u8> {
    let mut key = life.hash().to_vec();
    key.push(BY_VERSION);
    key
}

fn key(life: Life<'_>, kind: u8, role: &RoleName, detail: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(PREFIX + detail.len() + 8);
    key.extend(life.hash());
    key.push(kind);
    key.extend(short_hash(role.as_str()));
    key.extend(detail);
    key
}

/// The position that a key ends in.
pub(super) fn position(key: &[u8]) -> Result<Position, IndexError> {
    let position = key.last_chunk().ok_or(IndexError::Unreadable("a key without a position"))?;
    Ok(Position::new(u64::from_be_bytes(*position)))
}

pub(super) fn reached(reached: Reached) -> Vec<u8> {
    [FORMAT.to_be_bytes().as_slice(), &reached.position.get().to_be_bytes(), &reached.chain].concat()
}

pub(super) fn read_reached(value: &[u8]) -> Result<Reached, IndexError> {
    const UNREADABLE: IndexError = IndexError::Unreadable("how far it reaches");
    let (format, rest) = value.split_first_chunk().ok_or(UNREADABLE)?;
    if u16::from_be_bytes(*format) != FORMAT {
        return Err(IndexError::Unreadable("a format of another release"));
    }
    let (position, chain) = rest.split_first_chunk().ok_or(UNREADABLE)?;
    let chain = <[u8; 32]>::try_from(chain).map_err(|_| UNREADABLE)?;
    Ok(Reached { position: Position::new(u64::from_be_bytes(*position)), chain })
}

/// What a key by version and its value say; `None` for any other key.
pub(super) fn row(key: &[u8], value: &[u8]) -> Result<Option<Row>, IndexError> {
    const UNREADABLE: IndexError = IndexError::Unreadable("an entry");
    if key == REACHED || key.get(24) == Some(&BY_DIGEST) {
        return Ok(None);
    }
    let (life, rest) = key.split_first_chunk().ok_or(UNREADABLE)?;
    let ([BY_VERSION], rest) = rest.split_first_chunk().ok_or(UNREADABLE)? else { return Err(UNREADABLE) };
    let (role, rest) = rest.split_first_chunk().ok_or(UNREADABLE)?;
    let (version, position) = rest.split_first_chunk().ok_or(UNREADABLE)?;
    let position = <[u8; 8]>::try_from(position).map_err(|_| UNREADABLE)?;
    Ok(Some(Row {
        life: *life,
        role: *role,
        version: u64::from_be_bytes(*version),
        sha256: Sha256::new(<[u8; 32]>::try_from(value).map_err(|_| UNREADABLE)?),
        position: Position::new(u64::from_be_bytes(position)),
    }))
}
