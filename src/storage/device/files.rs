use std::fs::{self, File, OpenOptions};
use std::io;
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Device, DeviceFile};
use crate::sync::Stopwatch;

/// A real folder.
#[derive(Debug)]
pub struct FileDevice {
    folder: PathBuf,
}

impl FileDevice {
    /// Makes the folder if there is none, durably.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        make_folder(&folder)?;
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        // What is no plain name could leave the folder.
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(io::Error::from(io::ErrorKind::InvalidFilename));
        }
        Ok(self.folder.join(name))
    }
}

/// A folder that was made is durable only once its parent's names are.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    make_folder(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    sync_names(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

fn sync_names(folder: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).open(folder)?.sync_all()
}

impl Device for FileDevice {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // A name that is no text is none of ours.
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        // Sealed keys are among what is written, and what tables are hashed with.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.path(name)?)?;
        Ok(Box::new(OpenFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let path = self.path(name)?;
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            // What may not be written to can be read all the same: a disk that is about to be lost, say.
            Err(error) if matches!(error.kind(), ReadOnlyFilesystem | PermissionDenied) => {
                OpenOptions::new().read(true).open(&path)?
            }
            opened => opened?,
        };
        Ok(Box::new(OpenFile(file)))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the device that everything else goes through")]
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from)?, self.path(to)?)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the device that everything else goes through")]
    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name)?)
    }

    fn sync_folder(&self) -> io::Result<()> {
        sync_names(&self.folder)
    }
}

struct OpenFile(File);

impl DeviceFile for OpenFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // Of the metadata, only what reading needs, which the length is: times are not worth a second write.
        let watch = Stopwatch::start();
        let synced = self.0.sync_data();
        metrics::histogram!("tufstore_sync_seconds").record(watch.elapsed());
        synced
    }
}
