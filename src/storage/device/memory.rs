use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::{Device, DeviceFile};

/// A folder in memory: nothing survives it, and nothing in it fails. A clone is the same folder.
#[derive(Clone, Debug, Default)]
pub struct MemoryDevice {
    files: Arc<Mutex<BTreeMap<String, MemoryFile>>>,
}

#[derive(Clone, Debug, Default)]
struct MemoryFile(Arc<RwLock<Vec<u8>>>);

impl MemoryDevice {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Device for MemoryDevice {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        let mut files = self.files.lock();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = MemoryFile::default();
        files.insert(name.to_owned(), file.clone());
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DeviceFile>> {
        match self.files.lock().get(name) {
            Some(file) => Ok(Box::new(file.clone())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Where `length` bytes from `offset` on lie, if memory can hold that many at all.
fn range(offset: u64, length: usize) -> io::Result<core::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let end = start.checked_add(length).ok_or(io::ErrorKind::FileTooLarge)?;
    Ok(start..end)
}

impl DeviceFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        u64::try_from(self.0.read().len()).map_err(|_| io::ErrorKind::FileTooLarge.into())
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let content = self.0.read();
        let found = content.get(range(offset, buffer.len())?).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let range = range(offset, bytes.len())?;
        let mut content = self.0.write();
        if content.len() < range.end {
            content.resize(range.end, 0);
        }
        match content.get_mut(range) {
            Some(place) => place.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.write().resize(range(length, 0)?.end, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::FileDevice;
    use super::*;

    fn keeps_its_contract(device: &dyn Device) {
        let file = device.create("a").unwrap();
        assert_eq!(device.create("a").err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        file.write(4, b"data").unwrap();
        file.sync().unwrap();
        assert_eq!(file.length().unwrap(), 8);
        let mut read = [1; 8];
        device.open("a").unwrap().read(0, &mut read).unwrap();
        assert_eq!(&read, b"\0\0\0\0data");
        assert_eq!(file.read(1, &mut read).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        file.set_length(2).unwrap();
        file.set_length(5).unwrap();
        file.read(0, &mut read[..5]).unwrap();
        assert_eq!(&read[..5], &[0; 5]);
        device.create("b").unwrap().write(0, b"b").unwrap();
        device.rename("a", "b").unwrap();
        device.sync_folder().unwrap();
        assert_eq!(device.list().unwrap(), ["b"]);
        assert_eq!(device.open("b").unwrap().length().unwrap(), 5);
        device.remove("b").unwrap();
        assert_eq!(device.open("b").err().unwrap().kind(), io::ErrorKind::NotFound);
        assert_eq!(device.remove("b").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn memory_keeps_the_contract_of_a_device() {
        keeps_its_contract(&MemoryDevice::new());
    }

    #[test]
    fn a_real_folder_keeps_the_contract_of_a_device_and_is_made_with_its_parents() {
        let folder = std::env::temp_dir().join(format!("tufstore-device-{}", std::process::id()));
        let device = FileDevice::open(folder.join("deeper/still")).unwrap();
        keeps_its_contract(&device);
        for name in ["", ".", "..", "../a", "a/b", "a\0"] {
            assert!(device.create(name).is_err(), "{name:?}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
