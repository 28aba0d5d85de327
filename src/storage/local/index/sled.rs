use std::path::Path;
use std::sync::Arc;

use sled::{Batch, Config, Db, IVec};

use super::{Entry, Index, IndexError, Life, Reached};
use crate::terms::{Incarnation, Position, RepositoryName, RoleName, Sha256, Version};

/// An index in a sled database, one tree. Integers in keys are big-endian, so that their order is that of the numbers.
///
/// | key | value |
/// |---|---|
/// | life, `v`, role, version (8), position (8) | SHA-256 (32), length of the repository's name (2), that name, the role's name |
/// | life, `d`, role, SHA-256 (32), position (8) | empty |
/// | `reached` | format (2), position (8), chain (32) |
///
/// A *life* is the first 16 bytes of BLAKE3 of the repository's name, and the incarnation (8); a *role* the first 16 bytes
/// of BLAKE3 of its name. `docs/format.md` has the same.
pub(crate) struct SledIndex(Db);

const FORMAT: u16 = 1;
const REACHED: &[u8] = b"reached";
const BY_VERSION: u8 = b'v';
const BY_DIGEST: u8 = b'd';
/// Life, kind, role.
const PREFIX: usize = 16 + 8 + 1 + 16;
/// The tree's working memory; what is found here is cached above as states.
const CACHE: u64 = 32 << 20;

impl SledIndex {
    pub(crate) fn open(folder: &Path) -> Result<Self, IndexError> {
        let index = Self(Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(None).open()?);
        // A format that is not ours shows itself now, not at the first question.
        index.reached()?;
        Ok(index)
    }

    fn newest(&self, prefix: &[u8]) -> Result<Option<Position>, IndexError> {
        let Some(found) = self.0.scan_prefix(prefix).next_back() else { return Ok(None) };
        let (key, _) = found?;
        let position = key.last_chunk().ok_or(IndexError::Unreadable("a key without a position"))?;
        Ok(Some(Position::new(u64::from_be_bytes(*position))))
    }
}

/// Moves what lies in `folder` away, so that an index can begin anew in it.
#[expect(clippy::disallowed_methods, reason = "sled does its own I/O, and so does who clears up after it")]
pub(crate) fn discard(folder: &Path) -> Result<(), IndexError> {
    let aside = folder.with_extension("old");
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| IndexError::Folder(Arc::new(error))),
    };
    gone(std::fs::remove_dir_all(&aside))?;
    gone(std::fs::rename(folder, &aside))?;
    gone(std::fs::remove_dir_all(&aside))
}

fn short_hash(text: &str) -> [u8; 16] {
    let hash = blake3::hash(text.as_bytes());
    let mut short = [0; 16];
    short.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

fn life_key(life: Life<'_>) -> Vec<u8> {
    let mut key = Vec::with_capacity(PREFIX + 40);
    key.extend(short_hash(life.repository.as_str()));
    key.extend(life.incarnation.get().to_be_bytes());
    key
}

fn key(life: Life<'_>, kind: u8, role: &RoleName, detail: &[u8]) -> Vec<u8> {
    let mut key = life_key(life);
    key.push(kind);
    key.extend(short_hash(role.as_str()));
    key.extend(detail);
    key
}

impl Index for SledIndex {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        const UNREADABLE: IndexError = IndexError::Unreadable("how far it reaches");
        let Some(value) = self.0.get(REACHED)? else { return Ok(None) };
        let (format, rest) = value.split_first_chunk().ok_or(UNREADABLE)?;
        if u16::from_be_bytes(*format) != FORMAT {
            return Err(IndexError::Unreadable("a format of another release"));
        }
        let (position, chain) = rest.split_first_chunk().ok_or(UNREADABLE)?;
        let chain = <[u8; 32]>::try_from(chain).map_err(|_| UNREADABLE)?;
        Ok(Some(Reached { position: Position::new(u64::from_be_bytes(*position)), chain }))
    }

    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for entry in entries {
            let life = Life { repository: &entry.repository, incarnation: entry.incarnation };
            let position = entry.position.get().to_be_bytes();
            let version = [entry.version.get().to_be_bytes(), position].concat();
            let digest = [entry.sha256.as_bytes().as_slice(), &position].concat();
            let name = entry.repository.as_str();
            let length = u16::try_from(name.len()).map_err(|_| IndexError::Unreadable("a name too long"))?;
            let role = entry.role.as_str();
            let value =
                [entry.sha256.as_bytes().as_slice(), &length.to_be_bytes(), name.as_bytes(), role.as_bytes()]
                    .concat();
            batch.insert(key(life, BY_VERSION, &entry.role, &version), value);
            batch.insert(key(life, BY_DIGEST, &entry.role, &digest), &[]);
        }
        let how_far =
            [FORMAT.to_be_bytes().as_slice(), &reached.position.get().to_be_bytes(), &reached.chain].concat();
        batch.insert(REACHED, how_far);
        Ok(self.0.apply_batch(batch)?)
    }

    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        self.newest(&key(life, BY_VERSION, role, &version.get().to_be_bytes()))
    }

    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        self.newest(&key(life, BY_DIGEST, role, sha256.as_bytes()))
    }

    fn count(&self, life: Life<'_>) -> Result<u64, IndexError> {
        let mut prefix = life_key(life);
        prefix.push(BY_VERSION);
        self.0
            .scan_prefix(prefix)
            .try_fold(0, |count, entry| entry.map(|_| count + 1).map_err(IndexError::from))
    }

    fn entries(&self, visit: &mut dyn FnMut(Entry)) -> Result<(), IndexError> {
        for found in self.0.iter() {
            let (key, value) = found?;
            if let Some(entry) = entry(&key, &value)? {
                visit(entry);
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.0.flush()?;
        Ok(())
    }

    fn clear(&self) -> Result<(), IndexError> {
        Ok(self.0.clear()?)
    }

    fn size(&self) -> Result<u64, IndexError> {
        Ok(self.0.size_on_disk()?)
    }
}

/// The entry that a key by version stands for; `None` for any other key.
fn entry(key: &IVec, value: &IVec) -> Result<Option<Entry>, IndexError> {
    const UNREADABLE: IndexError = IndexError::Unreadable("an entry");
    if **key == *REACHED || key.get(24) == Some(&BY_DIGEST) {
        return Ok(None);
    }
    let (prefix, rest) = key.split_at_checked(PREFIX).ok_or(UNREADABLE)?;
    let (version, position) = rest.split_first_chunk().ok_or(UNREADABLE)?;
    let position = <[u8; 8]>::try_from(position).map_err(|_| UNREADABLE)?;
    let incarnation =
        prefix.get(16..24).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).ok_or(UNREADABLE)?;
    let (sha256, rest) = value.split_first_chunk().ok_or(UNREADABLE)?;
    let (length, rest) = rest.split_first_chunk().ok_or(UNREADABLE)?;
    let (name, role) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(UNREADABLE)?;
    let text = |bytes| str::from_utf8(bytes).map_err(|_| UNREADABLE);
    Ok(Some(Entry {
        repository: text(name)?.parse::<RepositoryName>().map_err(|_| UNREADABLE)?,
        incarnation: Incarnation::new(u64::from_be_bytes(incarnation)),
        role: text(role)?.parse::<RoleName>().map_err(|_| UNREADABLE)?,
        version: Version::new(u64::from_be_bytes(*version)).ok_or(UNREADABLE)?,
        sha256: Sha256::new(*sha256),
        position: Position::new(u64::from_be_bytes(position)),
    }))
}
