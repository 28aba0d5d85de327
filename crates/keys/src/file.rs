//! Small secret files: read whole, written whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// No key file is longer; of a longer one nothing behind is read.
const LONGEST: u64 = 64 * 1024;

/// Why a key's file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file stands there already: it may hold somebody's only key, and is never written over.
    #[error("{path} exists already")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// No such file, a full disk, missing rights.
    #[error("{doing} {path} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let whole = || -> io::Result<_> {
        let file = OpenOptions::new().read(true).open(path)?;
        let length = file.metadata()?.len().min(LONGEST);
        // Room for what is there from the start, so that growing leaves no copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
        file.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    whole().map_err(io_error("reading", path))
}

/// Never over another file.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = beside(path, bytes)?;
    written.persist_noclobber(path).map_err(|refused| {
        if refused.error.kind() == io::ErrorKind::AlreadyExists {
            return FileError::Exists { path: path.to_owned() };
        }
        io_error("creating", path)(refused.error)
    })?;
    sync_folder(path)
}

/// Over the file that is there: at every moment the old one or the new one stands under its name.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = beside(path, bytes)?;
    written.persist(path).map_err(|refused| io_error("replacing", path)(refused.error))?;
    sync_folder(path)
}

/// Written and synced in the same folder, readable for its owner alone.
fn beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, FileError> {
    let write = || -> io::Result<_> {
        let mut file = NamedTempFile::new_in(folder(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(io_error("writing", path))
}

fn sync_folder(path: &Path) -> Result<(), FileError> {
    let sync = || OpenOptions::new().read(true).open(folder(path))?.sync_all();
    sync().map_err(io_error("syncing the folder of", path))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether others than its owner can read or write it.
#[cfg(unix)]
pub(crate) fn is_exposed(path: &Path) -> Result<bool, FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    const OTHERS: u32 = 0o077;
    let mode = fs::metadata(path).map_err(io_error("reading", path))?.permissions().mode();
    Ok(mode & OTHERS != 0)
}

/// Whether others than its owner can read or write it: not told here.
#[cfg(not(unix))]
pub(crate) fn is_exposed(path: &Path) -> Result<bool, FileError> {
    fs::metadata(path).map(|_| false).map_err(io_error("reading", path))
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError::Io { doing, path: path.to_owned(), source }
}
