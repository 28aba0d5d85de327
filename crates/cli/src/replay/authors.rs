//! Authors whose keys lie in a keys folder, and who publish into a store.

use std::collections::BTreeMap;

use tufstore::crypto::{InvalidPublicKey, OnlineRole, PublicKey};
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{CompleteSet, Options, Store, View};
use tufstore_client::{Author, OnlineKeysOfServer};
use tufstore_server::admin::{Blob, Current, CurrentFile, Key, PublicKeyEntry, Publish, ReceiptEntry};

use super::KeysFolder;
use crate::clock;
use crate::failure::Failure;
use crate::store::Reached;

/// Who signs for the repositories of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authors<'a> {
    /// Where they publish.
    pub(crate) store: &'a Reached,
    /// Their keys.
    pub(crate) keys: &'a KeysFolder,
}

impl Authors<'_> {
    /// The author of a repository, as the store has it or anew. New keys are saved before anything is signed with them.
    pub(crate) fn of(&self, repository: &RepositoryName) -> Result<Author, Failure> {
        let current = self.store.ask(Current { repository: repository.clone() })?;
        let making = || format!("making the author of {repository}");
        if let Some((_, files)) = current {
            let view = view(repository, files)?;
            let keys = self.keys.of_author(repository)?;
            return Author::resume(repository.clone(), keys, &view).map_err(Failure::keys(making()));
        }
        let key = |role| {
            let entry = self.store.ask(Key::of(repository.clone(), role))?;
            public_key(&entry).map_err(Failure::keys(making()))
        };
        let online = OnlineKeysOfServer {
            timestamp: key(OnlineRole::Timestamp)?,
            snapshot: Some(key(OnlineRole::Snapshot)?),
        };
        let keys = self.keys.of_new_author(repository)?;
        let author =
            Author::begin(repository.clone(), keys, online, clock::now()).map_err(Failure::keys(making()))?;
        self.keys.save(repository, author.keys())?;
        Ok(author)
    }

    /// Signs what was staged on an author, and publishes it: the receipt, and the author of the next publication.
    pub(crate) fn publish(&self, author: &Author, now: UnixTime) -> Result<(ReceiptEntry, Author), Failure> {
        let repository = author.repository();
        let signed = author.sign(now).map_err(Failure::keys(format!("signing for {repository}")))?;
        let files = signed.upload.files().map(|(role, bytes)| (role.clone(), Blob(bytes.clone()))).collect();
        let receipt = self.store.ask(Publish { repository: repository.clone(), files })?;
        Ok((receipt, signed.next))
    }
}

/// A repository as its files have it, verified once more: who signs on what a server says has checked it.
fn view(repository: &RepositoryName, files: Vec<CurrentFile>) -> Result<View, Failure> {
    let doing = || format!("reading the files of {repository}");
    let mut files: BTreeMap<RoleName, _> = files.into_iter().map(|file| (file.role, file.bytes.0)).collect();
    let mut take = |role: RoleName| files.remove(&role).unwrap_or_default();
    let [root, timestamp] = [take(RoleName::Root), take(RoleName::Timestamp)];
    let set = CompleteSet::new(vec![root], timestamp, take(RoleName::Snapshot), take(RoleName::Targets));
    let set = files.into_iter().fold(set, |set, (role, bytes)| set.with(role, bytes));
    let store = Store::in_memory(Options::default()).map_err(Failure::keys(doing()))?;
    store.mirror(repository, &set, clock::now()).map_err(Failure::keys(doing()))?;
    let view = store.view(repository).map_err(Failure::keys(doing()))?;
    view.ok_or_else(|| Failure::NothingSigned { repository: repository.clone() })
}

fn public_key(entry: &PublicKeyEntry) -> Result<PublicKey, InvalidPublicKey> {
    match entry.key_type.as_str() {
        "ed25519" => PublicKey::from_ed25519(&entry.public.0),
        _ => PublicKey::from_spki(&entry.public.0),
    }
}
