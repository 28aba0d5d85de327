//! Doors for the fuzz targets in `fuzz/`: what is reached by hostile bytes. Not part of the API.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use crate::crypto::sha256;
use crate::metadata::{Limits, parse_root, parse_snapshot, parse_targets, parse_timestamp};
use crate::recover::Attachment;
use crate::storage::device::{Device, MemoryDevice};
use crate::storage::local::{Behind, LocalOptions, LocalStorage, hostile};
use crate::storage::{Commit, Record, Storage, StorageError, StoredDocument};
use crate::store::{Options, Store};
use crate::terms::{Position, RepositoryName, RoleName, Sha256, UnixTime};

/// Reads `bytes` as a file of each role.
pub fn metadata(bytes: &[u8]) {
    let (limits, bytes): (_, Arc<[u8]>) = (Limits::default(), bytes.into());
    let delegation: RoleName = "targets/a".parse().expect("a delegation's name");
    drop(parse_root(bytes.clone(), &limits));
    drop(parse_targets(RoleName::Targets, bytes.clone(), &limits));
    drop(parse_targets(delegation, bytes.clone(), &limits));
    drop(parse_snapshot(bytes.clone(), &limits));
    drop(parse_timestamp(bytes, &limits));
}

/// Decodes `bytes` as everything that is stored.
pub fn records(bytes: &[u8]) {
    hostile::decode_everything(bytes);
    if let Ok(attachment) = Attachment::decode(bytes) {
        assert_eq!(attachment.encode().ok().as_deref(), Some(bytes));
    }
}

/// Reads `text` as every kind of name; what is read must be written as it was.
pub fn names(text: &str) {
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(role) = text.parse::<RoleName>() {
        assert_eq!(role.as_str(), text);
    }
    if let Ok(digest) = text.parse::<Sha256>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(time) = text.parse::<UnixTime>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
}

/// The records of a store, to be altered: each checksum agrees, and nobody verified what they hold.
#[derive(Debug)]
pub struct Records(Vec<Record>);

impl Records {
    /// Those of the store on this device.
    pub fn of(device: Arc<dyn Device>) -> Self {
        let storage = local(device).expect("a store that opens");
        let headers = storage.headers(Position::START, usize::MAX).expect("headers that can be read");
        let record = |position| storage.record(position).expect("a record that can be read");
        Self(headers.into_iter().map(|header| record(header.position)).collect())
    }

    /// Writes them anew, attachments and documents altered, and reads everything from a store over what came of it.
    pub fn recover(&self, alter: &mut dyn FnMut(&mut Vec<u8>)) {
        let device = MemoryDevice::new();
        let storage = local(Arc::new(device.clone())).expect("an empty store");
        let mut newest: HashMap<(RepositoryName, RoleName), StoredDocument> = HashMap::new();
        for record in &self.0 {
            let mut record = record.clone();
            record.attachment = altered(&record.attachment, alter);
            for document in &mut record.documents {
                document.bytes = altered(&document.bytes, alter);
                document.sha256 = sha256(&document.bytes);
            }
            let base = storage.head(&record.repository).map(|head| (head.incarnation, head.revision));
            let of = |document: &StoredDocument| (record.repository.clone(), document.role.clone());
            let replaced = record.documents.iter().filter_map(|document| newest.get(&of(document)).cloned());
            let replaced = replaced.collect();
            newest.extend(record.documents.iter().map(|document| (of(document), document.clone())));
            let prepared = storage.prepare(Commit { base, replaced, record }).expect("what can be packed");
            drop(storage.commit(vec![prepared]));
        }
        drop(storage);
        let store = Store::open_on(Arc::new(device), Options::default()).expect("a journal that checks");
        for name in store.repositories() {
            if let Ok(Some(view)) = store.view(&name) {
                for document in view.documents() {
                    drop(store.history(&name, document.role(), document.version()));
                    black_box(view.targets_of(document.role()).count());
                }
                black_box(view.tags().count());
            }
        }
        black_box(store.changes(Position::START).count());
        drop(store.verify(&mut |_| {}));
    }
}

fn local(device: Arc<dyn Device>) -> Result<LocalStorage, StorageError> {
    LocalStorage::on_device(device, Behind::in_memory(), &LocalOptions::default())
}

fn altered(bytes: &[u8], alter: &mut dyn FnMut(&mut Vec<u8>)) -> Arc<[u8]> {
    let mut bytes = bytes.to_vec();
    alter(&mut bytes);
    bytes.into()
}
