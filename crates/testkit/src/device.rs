//! A device that loses what a power cut may lose, and refuses what a disk may refuse.

mod content;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tufstore::storage::device::{Device, DeviceFile};

use content::{Chance, Change, Content, Naming};

/// A folder in memory that knows what is durable and what is not, and fails when told to. A clone is the same folder.
///
/// Each write, change of length, sync, creation, renaming, removal and sync of the folder counts as one operation; each
/// listing, opening, reading and measuring as one reading.
///
/// ```
/// use std::sync::Arc;
/// use tufstore::{Options, Store};
/// use tufstore_testkit::device::{CrashDevice, Fault, Survival};
/// use tufstore_testkit::{Publisher, SeededOnlineKeys, observe};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
/// let device = CrashDevice::new();
/// let store = Store::open_on(Arc::new(device.clone()), options.clone())?;
/// Publisher::for_store("docker.io/library/alpine", &store).publish(&store)?;
/// let before = observe(&store);
///
/// device.set_fault(1, Fault::PowerCut);
/// assert!(Publisher::for_store("docker.io/library/debian", &store).publish(&store).is_err());
///
/// let left = device.after_power_cut(Survival::Dropped);
/// assert_eq!(observe(&Store::open_on(Arc::new(left), options)?), before);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrashDevice(Arc<Mutex<Disk>>);

/// What becomes of the operation that a fault is set on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "tests choose among them")]
pub enum Fault {
    /// The power goes while it is under way: it may have been done or not, and nothing works after it.
    PowerCut,
    /// It alone fails: the next, a sync of the same file for one, succeeds. What a failed sync was to make durable stays
    /// readable and never will be durable; half of what a failed write was to write may be there.
    Once(Refusal),
    /// It fails in the same way, and so does each after it that needs the disk; reading goes on.
    FromThen(Refusal),
}

/// How a disk refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "tests choose among them")]
pub enum Refusal {
    /// `EIO`: the disk cannot read or write.
    Broken,
    /// `ENOSPC`: no room is left.
    Full,
}

/// What of everything that was not synced is there after a power cut. Chance is the same for the same seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "tests choose among them")]
pub enum Survival {
    /// Nothing.
    Dropped,
    /// Everything.
    Kept,
    /// Of each file and of the names, what came first; the last write is cut at a multiple of `piece` bytes of its file.
    Torn {
        /// 512 and 4,096 are what disks write at once.
        piece: usize,
        /// How much that is.
        seed: u64,
    },
    /// Any pieces of any writes, between multiples of `piece` bytes of their file, whatever came before or after them; any
    /// changes of length and of names.
    Reordered {
        /// 512 and 4,096 are what disks write at once.
        piece: usize,
        /// Which those are.
        seed: u64,
    },
}

#[derive(Debug, Default)]
struct Disk {
    /// All that there ever were; names say which of them can be reached.
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<Naming>,
    operations: u64,
    readings: u64,
    fault: Option<(u64, Fault)>,
    reading_fault: Option<(u64, Refusal)>,
    met: bool,
    cut: bool,
}

/// How the operation goes that just began.
enum Fate {
    Done,
    /// The power goes while it is under way.
    Perhaps,
    Failed(Refusal),
}

impl Refusal {
    /// What a [`Device`] answers with.
    pub fn error(self) -> io::Error {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        io::Error::from_raw_os_error(match self {
            Self::Broken => EIO,
            Self::Full => ENOSPC,
        })
    }
}

fn power_cut() -> io::Error {
    io::Error::other("the power is gone")
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl CrashDevice {
    /// An empty folder without any fault.
    pub fn new() -> Self {
        Self::default()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// How many readings there were.
    pub fn readings(&self) -> u64 {
        self.disk().readings
    }

    /// Lets the `operation`-th operation from now on meet a fault; the next is 1. There is one at a time.
    pub fn set_fault(&self, operation: u64, fault: Fault) {
        let mut disk = self.disk();
        disk.fault = Some((disk.operations.saturating_add(operation), fault));
        disk.met = false;
    }

    /// Lets the `reading`-th reading from now on fail, and no other; the next is 1. There is one at a time.
    pub fn set_reading_fault(&self, reading: u64, refusal: Refusal) {
        let mut disk = self.disk();
        disk.reading_fault = Some((disk.readings.saturating_add(reading), refusal));
        disk.met = false;
    }

    /// Whether the fault that was set last was met.
    pub fn met_fault(&self) -> bool {
        self.disk().met
    }

    /// The folder as the next process finds it while the machine runs on: without faults, and all that was written can be
    /// read, be it durable or not.
    #[must_use]
    pub fn next_process(&self) -> Self {
        let mut disk = self.disk();
        (disk.fault, disk.reading_fault, disk.cut) = (None, None, false);
        drop(disk);
        self.clone()
    }

    /// Another folder: what a power cut leaves of this one.
    #[must_use]
    pub fn after_power_cut(&self, survival: Survival) -> Self {
        let disk = self.disk();
        let mut chance = Chance::of(survival);
        let mut names = disk.durable_names.clone();
        chance.surviving(&disk.pending_names).for_each(|naming| naming.apply(&mut names));
        let files = disk.files.iter().map(|content| content.surviving(&mut chance)).collect();
        drop(disk);
        let left = Disk { files, durable_names: names.clone(), names, ..Disk::default() };
        Self(Arc::new(Mutex::new(left)))
    }

    /// Another folder: this one with everything durable, and one file changed by `change`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such file.
    pub fn altered(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<Self> {
        let copy = self.after_power_cut(Survival::Kept);
        let mut disk = copy.disk();
        let content = disk.content(name)?;
        let mut bytes = content.visible().to_vec();
        change(&mut bytes);
        *content = Content::settled(bytes);
        drop(disk);
        Ok(copy)
    }

    /// What can be read of a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such file.
    pub fn content(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.disk().content(name)?.visible().to_vec())
    }
}

impl Disk {
    fn begin(&mut self) -> io::Result<Fate> {
        if self.cut {
            return Err(power_cut());
        }
        self.operations = self.operations.saturating_add(1);
        let Some((at, fault)) = self.fault else { return Ok(Fate::Done) };
        match (fault, self.operations.cmp(&at)) {
            (Fault::PowerCut, core::cmp::Ordering::Equal) => {
                (self.met, self.cut) = (true, true);
                Ok(Fate::Perhaps)
            }
            (Fault::Once(refusal) | Fault::FromThen(refusal), core::cmp::Ordering::Equal)
            | (Fault::FromThen(refusal), core::cmp::Ordering::Greater) => {
                self.met = true;
                Ok(Fate::Failed(refusal))
            }
            (Fault::PowerCut | Fault::Once(_) | Fault::FromThen(_), _) => Ok(Fate::Done),
        }
    }

    fn begin_reading(&mut self) -> io::Result<()> {
        if self.cut {
            return Err(power_cut());
        }
        self.readings = self.readings.saturating_add(1);
        match self.reading_fault {
            Some((at, refusal)) if at == self.readings => {
                self.met = true;
                Err(refusal.error())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn rename(&mut self, naming: Naming) -> io::Result<()> {
        let fate = self.begin()?;
        if !matches!(fate, Fate::Failed(_)) {
            naming.apply(&mut self.names);
            self.pending_names.push(naming);
        }
        fate.done()
    }

    fn content(&mut self, name: &str) -> io::Result<&mut Content> {
        let file = *self.names.get(name).ok_or_else(gone)?;
        self.file(file)
    }

    fn file(&mut self, file: usize) -> io::Result<&mut Content> {
        self.files.get_mut(file).ok_or_else(gone)
    }
}

impl Fate {
    fn done(self) -> io::Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Perhaps => Err(power_cut()),
            Self::Failed(refusal) => Err(refusal.error()),
        }
    }
}

impl Device for CrashDevice {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut disk = self.disk();
        disk.begin_reading()?;
        Ok(disk.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let mut disk = self.disk();
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = disk.files.len();
        disk.files.push(Content::default());
        disk.rename(Naming::Is(name.to_owned(), file))?;
        Ok(Box::new(CrashFile { device: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let mut disk = self.disk();
        disk.begin_reading()?;
        let file = *disk.names.get(name).ok_or_else(gone)?;
        Ok(Box::new(CrashFile { device: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let file = *disk.names.get(from).ok_or_else(gone)?;
        disk.rename(Naming::Moves(from.to_owned(), to.to_owned(), file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        if !disk.names.contains_key(name) {
            return Err(gone());
        }
        disk.rename(Naming::Goes(name.to_owned()))
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut disk = self.disk();
        let fate = disk.begin()?;
        match fate {
            Fate::Done => {
                let disk = &mut *disk;
                disk.pending_names.drain(..).for_each(|naming| naming.apply(&mut disk.durable_names));
            }
            Fate::Perhaps => {}
            Fate::Failed(_) => disk.pending_names.clear(),
        }
        fate.done()
    }
}

struct CrashFile {
    device: CrashDevice,
    file: usize,
}

impl CrashFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut disk = self.device.disk();
        let fate = disk.begin()?;
        let begun = match fate {
            Fate::Failed(_) => change.half(),
            Fate::Done | Fate::Perhaps => Some(change),
        };
        if let Some(change) = begun {
            disk.file(self.file)?.change(change);
        }
        fate.done()
    }
}

impl DeviceFile for CrashFile {
    fn length(&self) -> io::Result<u64> {
        let mut disk = self.device.disk();
        disk.begin_reading()?;
        u64::try_from(disk.file(self.file)?.visible().len()).map_err(|_| io::ErrorKind::FileTooLarge.into())
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut disk = self.device.disk();
        disk.begin_reading()?;
        let start = place(offset)?;
        let rest = disk.file(self.file)?.visible().get(start..);
        let found = rest.and_then(|rest| rest.get(..buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(place(offset)?, bytes.to_vec()))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(place(length)?))
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.device.disk();
        let fate = disk.begin()?;
        let content = disk.file(self.file)?;
        match fate {
            Fate::Done => content.settle(),
            Fate::Perhaps => {}
            Fate::Failed(_) => content.forget_to_settle(),
        }
        fate.done()
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}
