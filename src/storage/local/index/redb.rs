use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use redb::{Database, Durability, Range, ReadOnlyTable, ReadableDatabase, TableDefinition, WriteTransaction};

use super::behind::let_go;
use super::prebuilt::Rows;
use super::{Entry, Index, IndexError, Life, Reached, Row, encoding, place};
use crate::terms::{Position, RoleName, Sha256, Version};

/// An index in a redb database: a table of entries, and one of what is kept beside them.
pub(crate) struct RedbIndex {
    file: PathBuf,
    /// What is kept beside the entries, as it was after the last batch: opening a table takes longer than reading from it.
    /// Closed before the database is.
    kept: Mutex<Option<Arc<KeptTable>>>,
    /// `None` once a new one could not be made in its place.
    database: RwLock<Option<Database>>,
    /// Batches since the last that was synced.
    unsynced: Mutex<u32>,
}

type KeptTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("index");
const KEPT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("prebuilt");
/// The tree's working memory; what is found here is cached above as states.
const CACHE: usize = 32 << 20;
/// What is freed can be used again only after a sync, and an unclean end leads back to the last one. So now and then there
/// is one, by a thread that nobody waits for.
const SYNC_EVERY: u32 = 64;

impl RedbIndex {
    pub(crate) fn open(file: &Path) -> Result<Self, IndexError> {
        // Damage may end a process, where one panic follows another in redb, and then the next one. So what two in a row did
        // not close is looked through as a whole, which ends none.
        let checked = place::mark_open(file) >= 2;
        let database = RwLock::new(Some(open(file, checked)?));
        let index =
            Self { file: file.to_owned(), database, unsynced: Mutex::default(), kept: Mutex::default() };
        // A format that is not ours shows itself now, not at the first question.
        index.reached()?;
        Ok(index)
    }

    fn with<A>(&self, ask: impl FnOnce(&Database) -> Result<A, redb::Error>) -> Result<A, IndexError> {
        Ok(ask(self.database.read().as_ref().ok_or(IndexError::StandsStill)?)?)
    }

    /// One batch.
    fn write(
        &self,
        batch: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), IndexError> {
        let mut unsynced = self.unsynced.lock();
        *unsynced = (*unsynced + 1) % SYNC_EVERY;
        let sync = *unsynced == 0;
        // It would keep what this batch replaces.
        self.kept.lock().take();
        let written = self.with(|database| {
            let mut writing = database.begin_write()?;
            if sync {
                writing.set_quick_repair(true);
            } else {
                writing.set_durability(Durability::None)?;
            }
            batch(&writing)?;
            Ok(writing.commit()?)
        });
        // Whoever read meanwhile opened it as it was before.
        self.kept.lock().take();
        written
    }

    /// While `database` is not exchanged.
    fn kept_table(&self, database: &Database) -> Result<Arc<KeptTable>, redb::Error> {
        let mut kept = self.kept.lock();
        if let Some(table) = &*kept {
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(database.begin_read()?.open_table(KEPT)?);
        *kept = Some(Arc::clone(&table));
        Ok(table)
    }

    /// All that begins with `prefix`, as it is now.
    fn range(&self, prefix: &[u8]) -> Result<Range<'static, &'static [u8], &'static [u8]>, IndexError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(TABLE)?;
            Ok(match after(prefix) {
                Some(end) => table.range(prefix..end.as_slice())?,
                None => table.range(prefix..)?,
            })
        })
    }

    fn newest(&self, prefix: &[u8]) -> Result<Option<Position>, IndexError> {
        match self.range(prefix)?.next_back() {
            Some(pair) => encoding::position(pair?.0.value()).map(Some),
            None => Ok(None),
        }
    }
}

impl Drop for RedbIndex {
    fn drop(&mut self) {
        if let_go(self.kept.get_mut().take()) && let_go(self.database.get_mut().take()) {
            place::mark_closed(&self.file);
        }
    }
}

/// The first key after all that begin with `prefix`; `None` if there can be none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    *after.last_mut()? += 1;
    Some(after)
}

fn open(file: &Path, checked: bool) -> Result<Database, IndexError> {
    let make = || -> Result<Database, redb::Error> {
        let mut builder = Database::builder();
        let database = builder.set_cache_size(CACHE).set_check_integrity_on_open(checked).create(file)?;
        // The tables are there from the beginning, so that reading never has to make them.
        let writing = database.begin_write()?;
        drop(writing.open_table(TABLE)?);
        drop(writing.open_table(KEPT)?);
        writing.commit()?;
        Ok(database)
    };
    Ok(make()?)
}

impl Index for RedbIndex {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        let value = self.with(|database| {
            let table = database.begin_read()?.open_table(TABLE)?;
            Ok(table.get(encoding::REACHED)?.map(|value| value.value().to_vec()))
        })?;
        value.map(|value| encoding::read_reached(&value)).transpose()
    }

    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        self.write(|writing| {
            let mut table = writing.open_table(TABLE)?;
            for entry in entries {
                let (by_version, sha256, by_digest) = encoding::pair(entry);
                table.insert(by_version.as_slice(), sha256.as_slice())?;
                table.insert(by_digest.as_slice(), [].as_slice())?;
            }
            table.insert(encoding::REACHED, encoding::reached(reached).as_slice())?;
            Ok(())
        })
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
        let mut of_life = self.range(&encoding::all(life))?;
        of_life.try_fold(0, |count, pair| pair.map(|_| count + 1).map_err(IndexError::from))
    }

    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError> {
        self.range(&encoding::all(life))?.map(|pair| encoding::position(pair?.0.value())).collect()
    }

    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        for pair in self.range(&[])? {
            let (key, value) = pair?;
            if let Some(row) = encoding::row(key.value(), value.value())? {
                visit(row);
            }
        }
        Ok(())
    }

    fn keep(&self, rows: Rows) -> Result<(), IndexError> {
        self.write(|writing| {
            let mut table = writing.open_table(KEPT)?;
            for (key, value) in &rows {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice())?,
                    None => table.remove(key.as_slice())?,
                };
            }
            Ok(())
        })
    }

    fn kept(&self, keys: &[Vec<u8>], visit: &mut dyn FnMut(&[u8])) -> Result<(), IndexError> {
        self.with(|database| {
            let table = self.kept_table(database)?;
            for key in keys {
                let Some(value) = table.get(key.as_slice())? else { break };
                visit(value.value());
            }
            Ok(())
        })
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.with(|database| {
            let mut writing = database.begin_write()?;
            writing.set_quick_repair(true);
            Ok(writing.commit()?)
        })
    }

    fn clear(&self) -> Result<(), IndexError> {
        let mut database = self.database.write();
        self.kept.lock().take();
        let_go(database.take());
        place::discard(&self.file)?;
        *database = Some(open(&self.file, false)?);
        Ok(())
    }

    fn size(&self) -> Result<u64, IndexError> {
        place::bytes(&self.file)
    }

    fn may_hang(&self) -> bool {
        false
    }
}
