//! What was recorded, and the disk that it leads to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tufstore::storage::device::Device as _;
use tufstore_testkit::device::{CrashDevice, Survival};

/// One thing that a process did to its files. Paths are relative to the folder that was recorded.
#[derive(Debug)]
pub(crate) enum Entry {
    Create {
        path: String,
    },
    Write {
        path: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Length {
        path: String,
        length: u64,
    },
    /// Of a file, or of a folder's names.
    Sync {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    Folder {
        path: String,
    },
    NoFolder {
        path: String,
    },
}

pub(crate) struct Recording {
    pub(crate) entries: Vec<Entry>,
}

impl Recording {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
        // What a kill cut short did not happen.
        while let Some((entry, after)) = entry(rest) {
            entries.push(entry);
            rest = after;
        }
        Self { entries }
    }
}

fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let ([kind], rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (path, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).unwrap())?;
    let (data, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*count)).unwrap())?;
    let (path, offset) = (String::from_utf8(path.to_vec()).unwrap(), u64::from_le_bytes(*offset));
    let entry = match kind {
        b'c' => Entry::Create { path },
        b'w' => Entry::Write { path, offset, bytes: data.to_vec() },
        b'l' => Entry::Length { path, length: offset },
        b's' => Entry::Sync { path },
        b'r' => Entry::Rename { from: path, to: String::from_utf8(data.to_vec()).unwrap() },
        b'u' => Entry::Remove { path },
        b'd' => Entry::Folder { path },
        b'D' => Entry::NoFolder { path },
        other => panic!("{other}"),
    };
    Some((entry, rest))
}

/// A tree of folders, each with what is durable of it and what is not. A folder stands in the one above as a file that says
/// which it is.
pub(crate) struct Disk {
    folders: Vec<CrashDevice>,
}

const MARK: &[u8] = b"\0folder ";

/// The folder that a name stands for, if it stands for one.
fn marked(device: &CrashDevice, name: &str) -> Option<usize> {
    let content = device.content(name).ok()?;
    std::str::from_utf8(content.strip_prefix(MARK)?).unwrap().parse().ok()
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { folders: vec![CrashDevice::new()] }
    }

    /// The folder that a path lies in, and the path's last name; none if it is gone.
    fn resolve<'p>(&self, path: &'p str) -> Option<(&CrashDevice, &'p str)> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut device = &self.folders[0];
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            device = &self.folders[marked(device, folder)?];
        }
        Some((device, name))
    }

    pub(crate) fn play(&mut self, entry: &Entry) {
        match entry {
            Entry::Create { path } => {
                if let Some((device, name)) = self.resolve(path) {
                    device.create(name).unwrap();
                }
            }
            // One that has lost its name meanwhile is written to in vain.
            Entry::Write { path, offset, bytes } => {
                if let Some(file) = self.resolve(path).and_then(|(device, name)| device.open(name).ok()) {
                    file.write(*offset, bytes).unwrap();
                }
            }
            Entry::Length { path, length } => {
                if let Some(file) = self.resolve(path).and_then(|(device, name)| device.open(name).ok()) {
                    file.set_length(*length).unwrap();
                }
            }
            Entry::Sync { path } if path.is_empty() => self.folders[0].sync_folder().unwrap(),
            Entry::Sync { path } => {
                if let Some((device, name)) = self.resolve(path) {
                    match marked(device, name) {
                        Some(folder) => self.folders[folder].sync_folder().unwrap(),
                        None => drop(device.open(name).map(|file| file.sync().unwrap())),
                    }
                }
            }
            Entry::Rename { from, to } => {
                if let (Some((device, from)), Some((_, to))) = (self.resolve(from), self.resolve(to)) {
                    device.rename(from, to).unwrap();
                }
            }
            Entry::Remove { path } | Entry::NoFolder { path } => {
                if let Some((device, name)) = self.resolve(path) {
                    device.remove(name).unwrap();
                }
            }
            Entry::Folder { path } => {
                let number = self.folders.len();
                if let Some((device, name)) = self.resolve(path) {
                    let mark = device.create(name).unwrap();
                    mark.write(0, &[MARK, number.to_string().as_bytes()].concat()).unwrap();
                    mark.sync().unwrap();
                }
                self.folders.push(CrashDevice::new());
            }
        }
    }

    /// Writes what a power cut would leave into a real folder.
    pub(crate) fn left_in(&self, survival: Survival, folder: &Path) {
        let left: BTreeMap<_, _> =
            self.folders.iter().map(|device| device.after_power_cut(survival)).enumerate().collect();
        let mut waiting = vec![(0, folder.to_owned())];
        while let Some((number, path)) = waiting.pop() {
            let device = &left[&number];
            for name in device.list().unwrap() {
                let there = path.join(&name);
                if let Some(below) = marked(device, &name) {
                    fs::create_dir(&there).unwrap();
                    waiting.push((below, there));
                } else {
                    crate::write(&there, &device.content(&name).unwrap());
                }
            }
        }
    }
}
