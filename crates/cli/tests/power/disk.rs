//! The disk that a recording leads to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tufstore::storage::device::Device as _;
use tufstore_testkit::device::{CrashDevice, Survival};

use super::recorder::Entry;

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
            Entry::Failed => {}
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
    #[expect(clippy::disallowed_methods, reason = "files that another process opens")]
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
                    fs::write(&there, device.content(&name).unwrap()).unwrap();
                }
            }
        }
    }
}
