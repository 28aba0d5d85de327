use std::io;
use std::sync::Arc;
use std::thread;

use super::{Device, DeviceFile};

/// Two folders with the same files: what is written is written to both, and durable once it is in both. The first one is
/// read; the second where the first turns out to be damaged.
pub(crate) struct TwinDevice {
    first: Arc<dyn Device>,
    second: Arc<dyn Device>,
}

impl TwinDevice {
    /// Of two folders whose files are the same by now.
    pub(crate) fn new(first: Arc<dyn Device>, second: Arc<dyn Device>) -> Self {
        Self { first, second }
    }
}

/// Both, or the failure that came first in the order of the folders.
fn both<T>(
    first: impl FnOnce() -> io::Result<T>,
    second: impl FnOnce() -> io::Result<T>,
) -> io::Result<(T, T)> {
    let (first, second) = (first(), second());
    Ok((first?, second?))
}

/// The same for what takes its time: one after the other only where there is no thread to be had.
fn at_once(first: impl Fn() -> io::Result<()>, second: impl Fn() -> io::Result<()> + Sync) -> io::Result<()> {
    thread::scope(|scope| {
        let Ok(waiting) = thread::Builder::new().spawn_scoped(scope, &second) else {
            return both(first, &second).map(|_| ());
        };
        let first = first();
        let second = waiting.join().unwrap_or_else(|_| Err(io::Error::other("the second copy panicked")));
        first.and(second)
    })
}

impl Device for TwinDevice {
    fn list(&self) -> io::Result<Vec<String>> {
        self.first.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let (first, second) = both(|| self.first.create(name), || self.second.create(name))?;
        Ok(Box::new(TwinFile { first, second }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let (first, second): (Box<dyn DeviceFile>, Box<dyn DeviceFile>) =
            match (self.first.open(name), self.second.open(name)) {
                (Ok(first), Ok(second)) => (first, second),
                (Ok(first), Err(error)) => (first, Box::new(Gone(error))),
                (Err(error), Ok(second)) => (Box::new(Gone(error)), second),
                (Err(error), Err(_)) => return Err(error),
            };
        Ok(Box::new(TwinFile { first, second }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        both(|| self.first.rename(from, to), || self.second.rename(from, to)).map(|_| ())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        both(|| self.first.remove(name), || self.second.remove(name)).map(|_| ())
    }

    fn sync_folder(&self) -> io::Result<()> {
        at_once(|| self.first.sync_folder(), || self.second.sync_folder())
    }
}

struct TwinFile {
    first: Box<dyn DeviceFile>,
    second: Box<dyn DeviceFile>,
}

impl DeviceFile for TwinFile {
    fn length(&self) -> io::Result<u64> {
        match (self.first.length(), self.second.length()) {
            // The shorter one lost something: the other has it.
            (Ok(first), Ok(second)) => Ok(first.max(second)),
            (first, second) => first.or(second),
        }
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        // What the first disk cannot read, the second can, perhaps.
        self.first.read(offset, buffer).or_else(|error| self.second.read(offset, buffer).map_err(|_| error))
    }

    fn read_other(&self, offset: u64, buffer: &mut [u8]) -> Option<io::Result<()>> {
        Some(self.second.read(offset, buffer))
    }

    fn heal(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.first.write(offset, bytes)?;
        self.first.sync()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        both(|| self.first.write(offset, bytes), || self.second.write(offset, bytes)).map(|_| ())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        both(|| self.first.set_length(length), || self.second.set_length(length)).map(|_| ())
    }

    fn sync(&self) -> io::Result<()> {
        at_once(|| self.first.sync(), || self.second.sync())
    }
}

/// The file of a disk that cannot open it, which says at every use why. So the other disk is read, and nothing is written.
struct Gone(io::Error);

impl Gone {
    fn why<T>(&self) -> io::Result<T> {
        Err(self.0.raw_os_error().map_or_else(|| self.0.kind().into(), io::Error::from_raw_os_error))
    }
}

impl DeviceFile for Gone {
    fn length(&self) -> io::Result<u64> {
        self.why()
    }

    fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        self.why()
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        self.why()
    }

    fn set_length(&self, _: u64) -> io::Result<()> {
        self.why()
    }

    fn sync(&self) -> io::Result<()> {
        self.why()
    }
}
