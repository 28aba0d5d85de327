//! The device that crashes keeps the contract of a device until it meets its fault, and breaks it as it says.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::ErrorKind;

use tufstore::storage::device::{Device, DeviceFile};
use tufstore_testkit::device::{CrashDevice, Fault, Refusal, Survival};

fn made(device: &CrashDevice, name: &str, content: &[u8]) -> Box<dyn DeviceFile> {
    let file = device.create(name).unwrap();
    file.write(0, content).unwrap();
    file.sync().unwrap();
    device.sync_folder().unwrap();
    file
}

fn left(device: &CrashDevice, survival: Survival) -> Vec<(String, Vec<u8>)> {
    let left = device.after_power_cut(survival);
    let names = left.list().unwrap().into_iter();
    names
        .map(|name| {
            let content = left.content(&name).unwrap();
            (name, content)
        })
        .collect()
}

fn files(files: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect()
}

#[test]
fn without_a_fault_it_is_a_device() {
    let device = CrashDevice::new();
    let file = made(&device, "a", b"data");
    assert_eq!(device.create("a").err().unwrap().kind(), ErrorKind::AlreadyExists);
    file.set_length(2).unwrap();
    file.set_length(5).unwrap();
    let mut read = [1; 5];
    device.open("a").unwrap().read(0, &mut read).unwrap();
    assert_eq!(&read, b"da\0\0\0");
    assert_eq!(file.read(1, &mut read).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    made(&device, "b", b"b");
    device.rename("a", "b").unwrap();
    assert_eq!(device.list().unwrap(), ["b"]);
    device.remove("b").unwrap();
    assert_eq!(device.open("b").err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(device.remove("b").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!device.met_fault());
}

#[test]
fn what_is_synced_survives_and_nothing_else_has_to() {
    let device = CrashDevice::new();
    let file = made(&device, "a", b"old");
    file.write(0, b"new").unwrap();
    made(&device, "gone", b"x");
    device.remove("gone").unwrap();
    device.create("made").unwrap().write(0, b"y").unwrap();
    device.rename("a", "b").unwrap();
    assert_eq!(left(&device, Survival::Dropped), files(&[("a", b"old"), ("gone", b"x")]));
    assert_eq!(left(&device, Survival::Kept), files(&[("b", b"new"), ("made", b"y")]));
    device.sync_folder().unwrap();
    assert_eq!(left(&device, Survival::Dropped), files(&[("b", b"old"), ("made", b"")]));
    file.sync().unwrap();
    assert_eq!(left(&device, Survival::Dropped), files(&[("b", b"new"), ("made", b"")]));
}

#[test]
fn after_a_power_cut_nothing_works_and_what_was_under_way_may_be_there() {
    let device = CrashDevice::new();
    let file = made(&device, "a", b"old");
    let (operations, readings) = (device.operations(), device.readings());
    device.set_fault(2, Fault::PowerCut);
    file.write(0, b"n").unwrap();
    assert!(file.write(1, b"ew").is_err());
    assert!(device.met_fault());
    assert!(file.sync().is_err() && file.length().is_err() && device.list().is_err());
    assert!(device.open("a").is_err() && device.create("b").is_err() && device.sync_folder().is_err());
    assert_eq!((device.operations(), device.readings()), (operations + 2, readings));
    assert_eq!(left(&device, Survival::Dropped), files(&[("a", b"old")]));
    assert_eq!(left(&device, Survival::Kept), files(&[("a", b"new")]));
    let next = device.next_process();
    assert_eq!(next.content("a").unwrap(), b"new");
    next.sync_folder().unwrap();
}

#[test]
fn a_sync_that_failed_once_has_lost_what_the_next_one_seems_to_save() {
    let device = CrashDevice::new();
    let file = made(&device, "a", b"old");
    file.write(0, b"new").unwrap();
    device.set_fault(1, Fault::Once(Refusal::Broken));
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
    file.sync().unwrap();
    assert_eq!(device.content("a").unwrap(), b"new");
    assert_eq!(left(&device, Survival::Kept), files(&[("a", b"old")]));
}

#[test]
fn a_full_disk_stays_full_and_a_failed_write_may_have_begun() {
    let device = CrashDevice::new();
    let file = made(&device, "a", b"....");
    device.set_fault(1, Fault::FromThen(Refusal::Full));
    for _ in 0..2 {
        assert_eq!(file.write(0, b"full").unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(device.create("b").err().unwrap().kind(), ErrorKind::StorageFull);
    }
    assert_eq!(device.content("a").unwrap(), b"fu..");
    assert_eq!(device.list().unwrap(), ["a"]);
    assert_eq!(device.next_process().create("b").err().map(|error| error.kind()), None);
}

#[test]
fn a_reading_fails_once() {
    let device = CrashDevice::new();
    let file = made(&device, "a", b"data");
    device.set_reading_fault(2, Refusal::Broken);
    assert_eq!(file.length().unwrap(), 4);
    assert!(file.read(0, &mut [0; 4]).is_err());
    assert!(device.met_fault());
    file.read(0, &mut [0; 4]).unwrap();
}

#[test]
fn an_altered_copy_leaves_the_original_alone() {
    let device = CrashDevice::new();
    made(&device, "a", b"data");
    let altered = device.altered("a", |bytes| bytes.truncate(1)).unwrap();
    assert_eq!((altered.content("a").unwrap(), device.content("a").unwrap()), (b"d".into(), b"data".into()));
    assert_eq!(device.altered("b", |_| {}).err().unwrap().kind(), ErrorKind::NotFound);
}
