//! From what can be read of a damaged store to a whole one.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::storage::device::{Device as _, FileDevice};
use crate::storage::local::checkpoint::Checkpoint;
use crate::storage::local::delta::{Reader, Recent, alone, numbers};
use crate::storage::local::index::{self, Reached};
use crate::storage::local::journal::{Form, Journal, Raw, Salvaged, encode_payload};
use crate::storage::local::lock::FolderLock;
use crate::storage::local::{LocalOptions, LocalStorage, catch_up};
use crate::storage::{Commit, Damage, Head, Outcome, RecordHeader, Storage, StorageError, StoredDocument};
use crate::terms::{Incarnation, Position, RecordName, RepositoryName, UnixTime};

/// What can be read of a store. Nothing in its folder is changed.
pub(crate) struct Salvage {
    journal: Journal,
    recent: Recent,
    /// Nobody may open the store meanwhile.
    _lock: Option<FolderLock>,
    /// Of every record that can be read, in order.
    pub(crate) headers: Vec<RecordHeader>,
    /// The headers of records of which the rest is damaged.
    pub(crate) unreadable: Vec<RecordHeader>,
    /// What is damaged.
    pub(crate) damages: Vec<Damage>,
    /// The newest record that there was, as far as anything tells of it.
    pub(crate) newest: Position,
    /// What the checkpoint tells of each repository.
    pub(crate) heads: Vec<Witnessed>,
    /// Whether the checkpoint tells of settings.
    pub(crate) had_settings: bool,
}

/// The newest life of a repository when the checkpoint was written, whatever can be read of its records.
pub(crate) struct Witnessed {
    pub(crate) repository: RepositoryName,
    pub(crate) incarnation: Incarnation,
    /// Whether it had ended. If not, it may have since.
    pub(crate) ended: bool,
    /// When the newest record of it was that can be read; of any, if none of it can.
    pub(crate) time: UnixTime,
}

/// A record as far as it can be read.
pub(crate) struct SalvagedRecord {
    /// In the order of the header; `None` for one that was dropped.
    pub(crate) documents: Vec<Option<StoredDocument>>,
    pub(crate) attachment: Arc<[u8]>,
}

impl Salvage {
    /// Reads what there is in a store's folder. `beside` is another one, for what can be read only where it can be written to.
    fn of(folder: &Path, beside: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::io(format!("reading {}", folder.display()), source);
        // Opening the device would make the folder.
        let journal = folder.join("journal");
        if !journal.is_dir() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let lock = FolderLock::look(&folder.join("lock"))?;
        let device = Arc::new(FileDevice::open(journal).map_err(failed)?);
        // A witness of what there was, if it can be read.
        let checkpoint = Checkpoint::look(&*device).ok().flatten();
        let Salvaged { journal, headers, unreadable, mut damages, mut newest } = Journal::salvage(device)?;
        let (mut heads, mut had_settings) = (Vec::new(), false);
        if let Some(Checkpoint { end, heads: seen, .. }) = checkpoint {
            newest = newest.max(end.position);
            if journal.chain(end.position).is_ok_and(|chain| chain.is_some_and(|chain| chain != end.chain)) {
                let finding = "it has seen another journal".to_owned();
                damages.push(Damage { repository: None, place: "checkpoint".to_owned(), finding });
            } else {
                had_settings = seen.iter().any(|(RecordName(name), _)| name.is_of_settings());
                heads = witnessed(seen, headers.iter().chain(&unreadable));
            }
        }
        match index::reached_by_copy(folder, beside) {
            Ok(reached) => newest = newest.max(reached.map_or(Position::START, |reached| reached.position)),
            Err(error) => {
                let finding = format!("it cannot be asked how far the store had come: {error}");
                damages.push(Damage { repository: None, place: "index".to_owned(), finding });
            }
        }
        let recent = Recent::new(LocalOptions::default().recent);
        Ok(Self { journal, recent, _lock: lock, headers, unreadable, damages, newest, heads, had_settings })
    }

    /// One of the records.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if a document of it, or what that is stored as a difference to, cannot be read.
    pub(crate) fn record(&self, header: &RecordHeader) -> Result<SalvagedRecord, StorageError> {
        let mut reader = Reader::new(&self.journal, &self.recent);
        let stored = reader.stored(header.position)?;
        let documents =
            numbers(header.documents.len()).map(|number| match reader.document(&stored, number) {
                Ok(document) => Ok(Some(document)),
                Err(StorageError::Collected) => Ok(None),
                Err(error) => Err(error),
            });
        let documents = documents.collect::<Result<_, _>>()?;
        Ok(SalvagedRecord { documents, attachment: stored.attachment().into() })
    }
}

fn witnessed<'a>(
    seen: Vec<(RecordName, Head)>,
    headers: impl Iterator<Item = &'a RecordHeader>,
) -> Vec<Witnessed> {
    let (mut newest, mut times) = (UnixTime::from_seconds(0), HashMap::new());
    for RecordHeader { repository, time, .. } in headers {
        newest = newest.max(*time);
        let known = times.entry(repository).or_insert(*time);
        *known = (*known).max(*time);
    }
    let repositories = seen.into_iter().filter(|(RecordName(name), _)| !name.is_of_settings());
    let witnessed = repositories.map(|(RecordName(repository), Head { incarnation, deleted, .. })| {
        let time = times.get(&repository).copied().unwrap_or(newest);
        Witnessed { repository, incarnation, ended: deleted, time }
    });
    let mut witnessed: Vec<_> = witnessed.collect();
    witnessed.sort_by(|one, other| one.repository.cmp(&other.repository));
    witnessed
}

/// A store that is being made, in a folder that gets its name once it is whole.
pub(crate) struct Building {
    storage: Arc<LocalStorage>,
    beside: Beside,
    to: PathBuf,
}

/// The folder as long as it is not whole: it is gone with this.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, folder = %self.0.display(), "an unfinished store is left");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl Building {
    /// Begins one beside `to`, where nothing may be. What an earlier try left is removed.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) fn begin(to: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::io(format!("making {}", to.display()), source);
        if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) || to.is_file() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let whole = std::path::absolute(to).map_err(failed)?;
        let mut name =
            whole.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?.to_owned();
        name.push(".unfinished");
        let beside = whole.with_file_name(name);
        match fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new().mode(0o700).create(&beside).map_err(failed)?;
        let beside = Beside(beside);
        let options = LocalOptions { rebuilding: true, ..LocalOptions::default() };
        let storage = LocalStorage::open(&beside.0, &options)?;
        Ok(Self { storage: Arc::new(storage), beside, to: whole })
    }

    /// Reads what there is in another store's folder, and changes nothing there.
    ///
    /// # Errors
    /// [`StorageError::InUse`] if it is open; otherwise if its journal cannot be listed, or was written by a newer release.
    pub(crate) fn salvage(&self, folder: &Path) -> Result<Salvage, StorageError> {
        let beside = self.beside.0.join("seen");
        let salvage = Salvage::of(folder, &beside);
        match fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io(format!("removing {}", beside.display()), error))
            }
            Ok(()) | Err(_) => salvage,
        }
    }

    /// The store as far as it was made.
    pub(crate) fn storage(&self) -> &Arc<LocalStorage> {
        &self.storage
    }

    /// Puts a file beside the store's own or into a folder there, durably and for its owner only.
    ///
    /// # Errors
    /// [`StorageError`]; also of a name that leads elsewhere.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let failed = |source| StorageError::io(format!("writing {name}"), source);
        let within = Path::new(name);
        let file_name = within.file_name().and_then(|name| name.to_str());
        let stays = within.components().all(|part| matches!(part, Component::Normal(_)));
        let file_name =
            file_name.filter(|_| stays).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let folder = self.beside.0.join(within.parent().unwrap_or(Path::new("")));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let device = FileDevice::open(&folder).map_err(failed)?;
        let file = device.create(file_name).map_err(failed)?;
        fs::set_permissions(folder.join(file_name), fs::Permissions::from_mode(0o600)).map_err(failed)?;
        file.write(0, bytes).and_then(|()| file.sync()).map_err(failed)?;
        device.sync_folder().map_err(failed)?;
        FileDevice::open(&self.beside.0).and_then(|whole| whole.sync_folder()).map_err(failed)
    }

    /// Closes it and gives it its name, durably. Nobody else may hold its storage any more.
    ///
    /// # Errors
    /// [`StorageError`]; nothing has that name then, or all of it.
    #[expect(clippy::disallowed_methods, reason = "a folder, and not the files in it")]
    pub(crate) fn finish(self) -> Result<(), StorageError> {
        let Self { storage, beside, to } = self;
        storage.close()?;
        drop(storage);
        let failed = |source| StorageError::io(format!("naming {}", to.display()), source);
        // An empty folder makes way.
        match fs::remove_dir(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&beside.0, &to).map_err(failed)?;
        let parent = to.parent().unwrap_or(Path::new("/"));
        fs::OpenOptions::new().read(true).open(parent).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

impl LocalStorage {
    /// Goes on at the Position after that one.
    pub(crate) fn skip_to(&self, last_skipped: Position) -> Result<(), StorageError> {
        self.journal.appender().skip_to(last_skipped)
    }

    /// Commits what nobody else can get in the way of.
    pub(crate) fn commit_alone(&self, commit: Commit) -> Result<Position, StorageError> {
        let prepared = self.prepare(commit)?;
        match self.commit(vec![prepared]).pop() {
            Some(Outcome::Committed(position)) => Ok(position),
            Some(Outcome::Conflict) | None => Err(StorageError::Bug("a record that nothing comes between")),
            Some(Outcome::Refused(error) | Outcome::Unknown(error)) => Err(error),
        }
    }

    /// The same for a record of which documents were dropped, under a header whose position and chain are set here.
    pub(crate) fn commit_dropped(
        &self,
        mut header: RecordHeader,
        record: &SalvagedRecord,
    ) -> Result<Position, StorageError> {
        let end = self.journal.end();
        (header.position, header.previous) = (end.position.next(), end.chain);
        let mut parts = Vec::with_capacity(record.documents.len());
        for document in &record.documents {
            parts.push(match document {
                Some(document) => alone(&document.bytes)?,
                None => (Form::Dropped, Vec::new()),
            });
        }
        let dropped = parts.iter().filter(|(form, _)| *form == Form::Dropped).count();
        let dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
        let parts = parts.iter().map(|(form, bytes)| (*form, bytes.as_slice()));
        let payload = encode_payload(parts, &record.attachment)?;
        self.take_again(&[Raw { header, payload, dropped }])?;
        Ok(end.position.next())
    }

    /// Appends records as they were in another journal, in order.
    pub(crate) fn take_again(&self, records: &[Raw]) -> Result<(), StorageError> {
        let mut writer = self.journal.appender();
        writer.append_again(records)?;
        for Raw { header, .. } in records {
            self.heads.follow(header).map_err(|finding| StorageError::Corrupt {
                place: format!("position {}", header.position),
                repository: Some(header.repository.clone()),
                finding,
            })?;
        }
        if let Some(Raw { header, .. }) = records.last() {
            let reached = Reached { position: header.position, chain: self.journal.end().chain };
            self.index.note(records.iter().flat_map(|raw| catch_up::entries(&raw.header)).collect(), reached);
        }
        drop(writer);
        Ok(())
    }
}
