//! A device that loses what a power cut may lose.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::storage::device::{Device, DeviceFile};

/// A folder in memory that knows what is durable and what is not, and fails when told to.
///
/// Each write, change of length, sync, creation, renaming, removal and sync of the folder counts as one operation. A clone
/// is the same folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrashDevice(Arc<Mutex<Disk>>);

/// What becomes of the operation that a fault is set on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The power goes: it may have been done or not, and nothing works after it.
    PowerCut,
    /// It alone fails. What a failed sync was to make durable stays readable and never will be durable.
    Error,
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss {
    /// Nothing.
    All,
    /// Everything.
    None,
    /// Of each write, the pieces between multiples of `piece` that chance keeps; of lengths and names, what chance keeps.
    Some { piece: usize, seed: u64 },
}

#[derive(Debug, Default)]
struct Disk {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<Naming>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    met: bool,
    cut: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug)]
enum Naming {
    Is(String, usize),
    Moves(String, String, usize),
    Goes(String),
}

/// How the operation goes that just began.
enum Fate {
    Done,
    /// The power goes while it is under way.
    Perhaps,
    Failed,
}

fn power_cut() -> io::Error {
    io::Error::other("the power is gone")
}

impl CrashDevice {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Lets the `operation`-th operation from now on meet a fault; the next is 1.
    pub(crate) fn set_fault(&self, operation: u64, fault: Fault) {
        let mut disk = self.0.lock();
        disk.fault = Some((disk.operations + operation, fault));
    }

    /// Whether the power is gone.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.lock().cut
    }

    /// Whether a fault was met.
    pub(crate) fn met_fault(&self) -> bool {
        self.0.lock().met
    }

    /// As a new process finds the folder while the machine runs on: all that was written can be read.
    pub(crate) fn next_process(&self) -> Self {
        let mut disk = self.0.lock();
        disk.cut = false;
        disk.fault = None;
        drop(disk);
        self.clone()
    }

    /// The folder after a power cut.
    pub(crate) fn after_power_cut(&self, loss: Loss) -> Self {
        let disk = self.0.lock();
        let mut chance = Chance::of(loss);
        let mut names = disk.durable_names.clone();
        disk.pending_names.iter().filter(|_| chance.keeps()).for_each(|naming| naming.apply(&mut names));
        let survivors = disk.files.iter().map(|content| Content::settled(content.survive(&mut chance)));
        let left =
            Disk { files: survivors.collect(), durable_names: names.clone(), names, ..Disk::default() };
        Self(Arc::new(Mutex::new(left)))
    }

    /// A copy whose content is all durable, with a file changed by `change`.
    pub(crate) fn altered(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let copy = self.after_power_cut(Loss::None);
        let mut disk = copy.0.lock();
        let file = disk.names[name];
        let mut bytes = disk.files[file].visible.clone();
        change(&mut bytes);
        disk.files[file] = Content::settled(bytes);
        drop(disk);
        copy
    }

    /// A file's content.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let disk = self.0.lock();
        disk.files[disk.names[name]].visible.clone()
    }
}

impl Disk {
    fn begin(&mut self) -> io::Result<Fate> {
        if self.cut {
            return Err(power_cut());
        }
        self.operations += 1;
        match self.fault {
            Some((at, fault)) if at == self.operations => {
                self.met = true;
                self.cut = fault == Fault::PowerCut;
                Ok(if self.cut { Fate::Perhaps } else { Fate::Failed })
            }
            Some(_) | None => Ok(Fate::Done),
        }
    }

    fn rename(&mut self, naming: Naming) -> io::Result<()> {
        let fate = self.begin()?;
        if matches!(fate, Fate::Failed) {
            return Err(io::Error::other("an injected error"));
        }
        naming.apply(&mut self.names);
        self.pending_names.push(naming);
        fate.done()
    }
}

impl Fate {
    fn done(self) -> io::Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Perhaps => Err(power_cut()),
            Self::Failed => Err(io::Error::other("an injected error")),
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Is(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Moves(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Goes(name) => {
                names.remove(name);
            }
        }
    }
}

impl Content {
    fn settled(bytes: Vec<u8>) -> Self {
        Self { visible: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    fn survive(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            match change {
                Change::Length(_) if chance.keeps() => change.apply(&mut bytes),
                Change::Length(_) => {}
                Change::Write(offset, written) => {
                    let mut done = 0;
                    while done < written.len() {
                        let at = offset + done;
                        let end = written.len().min(done + chance.piece() - at % chance.piece());
                        if chance.keeps() {
                            Change::Write(at, written[done..end].to_vec()).apply(&mut bytes);
                        }
                        done = end;
                    }
                }
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, written) => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }
}

/// Which unsynced pieces survive.
struct Chance {
    loss: Loss,
    state: u64,
}

impl Chance {
    fn of(loss: Loss) -> Self {
        let state = match loss {
            Loss::All | Loss::None => 0,
            Loss::Some { seed, .. } => seed,
        };
        Self { loss, state }
    }

    fn piece(&self) -> usize {
        match self.loss {
            Loss::All | Loss::None => usize::MAX,
            Loss::Some { piece, .. } => piece,
        }
    }

    fn keeps(&mut self) -> bool {
        match self.loss {
            Loss::All => false,
            Loss::None => true,
            Loss::Some { .. } => {
                // SplitMix64: any fixed sequence would do.
                self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = self.state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (mixed ^ (mixed >> 31)) & 1 == 1
            }
        }
    }
}

impl Device for CrashDevice {
    fn list(&self) -> io::Result<Vec<String>> {
        let disk = self.0.lock();
        if disk.cut { Err(power_cut()) } else { Ok(disk.names.keys().cloned().collect()) }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let mut disk = self.0.lock();
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = disk.files.len();
        disk.files.push(Content::default());
        disk.rename(Naming::Is(name.to_owned(), file))?;
        Ok(Box::new(CrashFile { device: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let disk = self.0.lock();
        if disk.cut {
            return Err(power_cut());
        }
        let file = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(CrashFile { device: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.lock();
        let file = *disk.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        disk.rename(Naming::Moves(from.to_owned(), to.to_owned(), file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock();
        if !disk.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.rename(Naming::Goes(name.to_owned()))
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut disk = self.0.lock();
        let fate = disk.begin()?;
        match fate {
            Fate::Done => {
                let disk = &mut *disk;
                disk.pending_names.drain(..).for_each(|naming| naming.apply(&mut disk.durable_names));
            }
            Fate::Perhaps => {}
            Fate::Failed => disk.pending_names.clear(),
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
        let mut disk = self.device.0.lock();
        let fate = disk.begin()?;
        let half = match (&fate, change) {
            // A write that fails may have begun.
            (Fate::Failed, Change::Write(offset, mut bytes)) => {
                bytes.truncate(bytes.len() / 2);
                Some(Change::Write(offset, bytes))
            }
            (Fate::Failed, Change::Length(_)) => None,
            (Fate::Done | Fate::Perhaps, change) => Some(change),
        };
        if let Some(change) = half {
            disk.files[self.file].change(change);
        }
        fate.done()
    }
}

impl DeviceFile for CrashFile {
    fn length(&self) -> io::Result<u64> {
        let disk = self.device.0.lock();
        if disk.cut {
            Err(power_cut())
        } else {
            Ok(u64::try_from(disk.files[self.file].visible.len()).unwrap())
        }
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let disk = self.device.0.lock();
        if disk.cut {
            return Err(power_cut());
        }
        let start = usize::try_from(offset).unwrap();
        let found = disk.files[self.file].visible.get(start..start + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(usize::try_from(offset).unwrap(), bytes.to_vec()))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(length).unwrap()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.device.0.lock();
        let fate = disk.begin()?;
        let content = &mut disk.files[self.file];
        match fate {
            Fate::Done => {
                let Content { durable, pending, .. } = content;
                pending.drain(..).for_each(|change| change.apply(durable));
            }
            Fate::Perhaps => {}
            Fate::Failed => content.pending.clear(),
        }
        fate.done()
    }
}
