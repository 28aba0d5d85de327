use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use sled::{Batch, Config, Db};

use super::behind::let_go;
use super::prebuilt::Rows;
use super::{Entry, Index, IndexError, Life, Reached, Row, encoding, place};
use crate::terms::{Position, RoleName, Sha256, Version};

/// An index in a sled database: a tree of entries, and one of what is kept beside them.
pub(crate) struct SledIndex {
    folder: PathBuf,
    /// `None` once a new one could not be made in its place.
    database: RwLock<Option<Db>>,
}

/// The tree beside the entries'.
const KEPT: &str = "prebuilt";

/// The tree's working memory; what is found here is cached above as states.
const CACHE: u64 = 32 << 20;

impl SledIndex {
    pub(crate) fn open(folder: &Path) -> Result<Self, IndexError> {
        let database = RwLock::new(Some(open(folder)?));
        let index = Self { folder: folder.to_owned(), database };
        // A format that is not ours shows itself now, not at the first question.
        index.reached()?;
        Ok(index)
    }

    fn with<A>(&self, ask: impl FnOnce(&Db) -> Result<A, IndexError>) -> Result<A, IndexError> {
        ask(self.database.read().as_ref().ok_or(IndexError::StandsStill)?)
    }

    fn newest(&self, prefix: &[u8]) -> Result<Option<Position>, IndexError> {
        self.with(|database| match database.scan_prefix(prefix).next_back() {
            Some(found) => encoding::position(&found?.0).map(Some),
            None => Ok(None),
        })
    }
}

impl Drop for SledIndex {
    fn drop(&mut self) {
        let_go(self.database.get_mut().take());
    }
}

fn open(folder: &Path) -> Result<Db, IndexError> {
    Ok(Config::new().path(folder).cache_capacity(CACHE).flush_every_ms(None).open()?)
}

impl Index for SledIndex {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        self.with(|database| match database.get(encoding::REACHED)? {
            Some(value) => encoding::read_reached(&value).map(Some),
            None => Ok(None),
        })
    }

    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for entry in entries {
            let (by_version, sha256, by_digest) = encoding::pair(entry);
            batch.insert(by_version, &sha256);
            batch.insert(by_digest, &[]);
        }
        batch.insert(encoding::REACHED, encoding::reached(reached));
        self.with(|database| Ok(database.apply_batch(batch)?))
    }

    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        self.newest(&encoding::version(life, role, version))
    }

    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        self.newest(&encoding::digest(life, role, sha256))
    }

    fn count(&self, life: Life<'_>) -> Result<u64, IndexError> {
        self.with(|database| {
            let mut of_life = database.scan_prefix(encoding::all(life));
            of_life.try_fold(0, |count, entry| entry.map(|_| count + 1).map_err(IndexError::from))
        })
    }

    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError> {
        self.with(|database| {
            database.scan_prefix(encoding::all(life)).map(|entry| encoding::position(&entry?.0)).collect()
        })
    }

    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        self.with(|database| {
            for found in database.iter() {
                let (key, value) = found?;
                if let Some(row) = encoding::row(&key, &value)? {
                    visit(row);
                }
            }
            Ok(())
        })
    }

    fn keep(&self, rows: Rows) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (key, value) in rows {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.with(|database| Ok(database.open_tree(KEPT)?.apply_batch(batch)?))
    }

    fn kept(&self, keys: &[Vec<u8>], visit: &mut dyn FnMut(&[u8])) -> Result<(), IndexError> {
        self.with(|database| {
            let tree = database.open_tree(KEPT)?;
            for key in keys {
                let Some(value) = tree.get(key)? else { break };
                visit(&value);
            }
            Ok(())
        })
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.with(|database| Ok(database.flush().map(drop)?))
    }

    fn clear(&self) -> Result<(), IndexError> {
        // In a fresh folder: sled never gives room back.
        let mut database = self.database.write();
        let_go(database.take());
        place::discard(&self.folder)?;
        *database = Some(open(&self.folder)?);
        Ok(())
    }

    fn size(&self) -> Result<u64, IndexError> {
        self.with(|database| Ok(database.size_on_disk()?))
    }
}
