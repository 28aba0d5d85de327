//! Where files are reached. Faults are injected by implementing [`Device`].

mod files;
mod memory;
mod twin;

pub use files::FileDevice;
pub use memory::MemoryDevice;
pub(crate) use twin::TwinDevice;

use std::io;

/// A flat folder of files.
///
/// The contract, which tests inject faults into: bytes written are durable only after [`DeviceFile::sync`] of that file
/// returned `Ok`; a name made, changed or removed is durable only after [`Device::sync_folder`] returned `Ok`. Until then a
/// power cut may keep, drop, tear or reorder them. Names are plain file names without folders.
pub trait Device: Send + Sync + 'static {
    /// The names of all files, in any order.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file that must not exist yet.
    ///
    /// # Errors
    /// As the operating system says; [`io::ErrorKind::AlreadyExists`] where there is one.
    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// As the operating system says; [`io::ErrorKind::NotFound`] where there is none.
    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all names durable as they are now.
    ///
    /// # Errors
    /// As the operating system says. Which names are durable then is unknown.
    fn sync_folder(&self) -> io::Result<()>;
}

/// One open file of a [`Device`].
pub trait DeviceFile: Send + Sync {
    /// How many bytes it has.
    ///
    /// # Errors
    /// As the operating system says.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    ///
    /// # Errors
    /// As the operating system says.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// The same from another copy of the file, if there is one.
    fn read_other(&self, offset: u64, buffer: &mut [u8]) -> Option<io::Result<()>> {
        let _ = (offset, buffer);
        None
    }

    /// Writes what was read from another copy to the one that is read first, durably.
    ///
    /// # Errors
    /// As the operating system says.
    fn heal(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let _ = (offset, bytes);
        Ok(())
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// As the operating system says. How much was written is unknown then.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends with zeros.
    ///
    /// # Errors
    /// As the operating system says.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// As the operating system says. What is durable then is unknown, and a later `Ok` proves nothing about this call.
    fn sync(&self) -> io::Result<()>;
}
