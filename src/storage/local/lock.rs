use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::storage::StorageError;

/// Holds a folder for one store, until it is dropped or the process ends.
///
/// The file says who holds it, for the error that a second opener gets; what counts is the operating system's lock,
/// so a file left by a killed process holds nobody up.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    /// # Errors
    /// [`StorageError::InUse`] if somebody has it.
    pub(super) fn take(path: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::io(format!("locking {}", path.display()), source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StorageError::InUse { holder: holder(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{} {}", std::process::id(), program()).map_err(failed)?;
        Ok(Self { file })
    }
}

impl FolderLock {
    /// Keeps a store from opening a folder that is only read. The file is not made and not changed; where there is none, or none
    /// that can be locked, nobody is kept away.
    ///
    /// # Errors
    /// [`StorageError::InUse`] if somebody has it.
    pub(super) fn look(path: &Path) -> Result<Option<Self>, StorageError> {
        let opened = OpenOptions::new().read(true).open(path);
        let locked =
            opened.map_err(TryLockError::Error).and_then(|file| file.try_lock_shared().map(|()| file));
        match locked {
            Ok(file) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => {
                let holder = OpenOptions::new().read(true).open(path).ok().map(|mut file| holder(&mut file));
                Err(StorageError::InUse { holder: holder.unwrap_or_else(|| ANYBODY.to_owned()) })
            }
            Err(TryLockError::Error(error)) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::warn!(%error, path = %path.display(), "whether somebody has the store open is not known");
                }
                Ok(None)
            }
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is being started at this moment has a copy of it until it
        // runs its own program, and the lock would last as long.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the folder's lock could not be given back before its file is closed");
        }
    }
}

fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_else(|| OsString::from("unknown"));
    Path::new(&path).file_name().unwrap_or(&path).to_string_lossy().into_owned()
}

const ANYBODY: &str = "another process";

/// What the file says. It may be empty if the holder has only just come.
fn holder(file: &mut File) -> String {
    const LONGEST: u64 = 300;
    let mut text = String::new();
    match file.take(LONGEST).read_to_string(&mut text) {
        Ok(_) => {}
        Err(_) => text.clear(),
    }
    match text.trim().split_once(' ') {
        Some((id, program)) => format!("{program} (process {id})"),
        None => ANYBODY.to_owned(),
    }
}
