//! Which key-value store holds the index, and where it lies in a store's folder. It does its own I/O, and so does who
//! clears up after it.

#![expect(clippy::disallowed_methods, reason = "not the journal's files, which go through the device")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Behind, Index, IndexError, Reached};

/// Which key-value store holds the index. What is in the index is the same, and can be made anew at any time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IndexKind {
    /// redb, which a new store has.
    Redb,
    /// sled. Several times larger on disk, and slow to open once there is much in it; see `docs/adr/0015`.
    Sled,
}

impl IndexKind {
    /// Its name, as options spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
        }
    }

    const ALL: [Self; 2] = [Self::Redb, Self::Sled];

    /// The first that this build has.
    pub(super) fn usual() -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.is_built_in())
    }

    /// What lies in a store's folder, if this build has it.
    pub(super) fn found(folder: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.is_built_in() && kind.place(folder).exists())
    }

    fn is_built_in(self) -> bool {
        match self {
            Self::Sled => cfg!(feature = "sled"),
            Self::Redb => cfg!(feature = "redb"),
        }
    }

    pub(super) fn place(self, folder: &Path) -> PathBuf {
        match self {
            Self::Redb => folder.join("index/redb"),
            Self::Sled => folder.join("index/sled"),
        }
    }

    pub(super) fn open(self, folder: &Path) -> Result<Arc<dyn Index>, IndexError> {
        let place = self.place(folder);
        std::fs::create_dir_all(folder.join("index")).map_err(std::sync::Arc::new)?;
        #[cfg(feature = "sled")]
        if self == Self::Sled {
            return Ok(Arc::new(super::sled::SledIndex::open(&place)?));
        }
        #[cfg(feature = "redb")]
        if self == Self::Redb {
            return Ok(Arc::new(super::redb::RedbIndex::open(&place)?));
        }
        Err(IndexError::NotBuiltIn(place))
    }

    /// Removes what other kinds have left in a store's folder.
    pub(super) fn discard_others(self, folder: &Path) -> Result<(), IndexError> {
        Self::ALL
            .into_iter()
            .filter(|other| *other != self)
            .try_for_each(|other| discard(&other.place(folder)))
    }
}
/// How far the index in a store's folder says that it was brought, asked of a copy in another folder: opening one writes to it.
/// `None` if there is none, or none that can be read.
pub(crate) fn reached_by_copy(folder: &Path, beside: &Path) -> Result<Option<Reached>, IndexError> {
    let Some(kind) = IndexKind::found(folder) else { return Ok(None) };
    let copied = kind.place(beside);
    std::fs::create_dir_all(beside.join("index"))
        .and_then(|()| copy(&kind.place(folder), &copied))
        .map_err(Arc::new)?;
    // Whatever its disk did to it: it is looked through as a whole first.
    #[cfg(feature = "redb")]
    for _ in 0..2 {
        mark_open(&copied);
    }
    Behind::open(beside, Some(kind))?.reached()
}

/// Copies a file or a folder, without the right to read it only.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !std::fs::metadata(from)?.is_dir() {
        std::fs::copy(from, to)?;
        return std::fs::set_permissions(to, Permissions::from_mode(0o600));
    }
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Moves away what lies there, so that an index can begin anew. Nothing there is fine.
pub(super) fn discard(place: &Path) -> Result<(), IndexError> {
    let aside = place.with_added_extension("old");
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| IndexError::Folder(std::sync::Arc::new(error))),
    };
    // At once, so that a half removed one is never opened; and whatever was left there before.
    gone(remove(&aside))?;
    gone(std::fs::rename(place, &aside))?;
    gone(remove(&aside))
}

/// Beside a database while somebody has it open: a byte for each who opened it since it was closed.
#[cfg(feature = "redb")]
fn mark(place: &Path) -> PathBuf {
    place.with_added_extension("open")
}

/// Notes that somebody opens it, and says how many did so before and never closed it.
#[cfg(feature = "redb")]
pub(super) fn mark_open(place: &Path) -> usize {
    let mark = mark(place);
    // Where it cannot be read, nobody is known of.
    let mut openings = std::fs::read(&mark).unwrap_or_default();
    let before = openings.len();
    openings.push(b'.');
    if let Err(error) = std::fs::write(mark, openings) {
        tracing::warn!(%error, "that the index is open could not be noted");
    }
    before
}

/// Notes that it was closed.
#[cfg(feature = "redb")]
pub(super) fn mark_closed(place: &Path) {
    // Where it stays, the database is looked through once more than it had to be.
    let _stays = std::fs::remove_file(mark(place));
}

fn remove(place: &Path) -> std::io::Result<()> {
    if std::fs::symlink_metadata(place)?.is_dir() {
        std::fs::remove_dir_all(place)
    } else {
        std::fs::remove_file(place)
    }
}

/// How many bytes a file has.
#[cfg(feature = "redb")]
pub(super) fn bytes(file: &Path) -> Result<u64, IndexError> {
    Ok(std::fs::metadata(file).map_err(std::sync::Arc::new)?.len())
}
