//! Records to state: the second and last door to trust.
//!
//! What a record holds was verified before it was written, and its digests are checked when it is read; signatures are
//! not verified again. The state that comes out equals the one that `stage` made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Current, DamagedTable, HashKey, Loaded, State, Visible};
use crate::crypto::SealedKey;
use crate::metadata::{Limits, ParseError, parse_root, parse_snapshot, parse_targets, parse_timestamp};
use crate::storage::{
    Head, Prebuilt, Storage, StorageError, StoredDocument, Wanted, decode_attachment, encode_attachment,
};
use crate::terms::{Position, RepositoryName, RoleName, Sha256};
use crate::trust::{Delegated, Set, Verified, claimed_by, delegation_keys, verify_or_fault};

/// What a publication's record holds beside its documents, so that the state can be built from it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) online: Online,
    /// The files of the set that stand in earlier records.
    pub(crate) carried: Vec<(RoleName, Sha256)>,
    /// The delegations that their present keys do not vouch for.
    pub(crate) faulty: Vec<RoleName>,
}

/// Where the sealed keys of the repository's life stand.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) enum Online {
    /// In no record: there are none.
    None,
    /// In an earlier record.
    At(Position),
    /// In this one, all of them.
    Here(Vec<SealedKey>),
}

impl Attachment {
    pub(crate) fn encode(&self) -> Result<Arc<[u8]>, StorageError> {
        encode_attachment(self).map(Into::into)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        decode_attachment(bytes)
    }
}

/// Where states come from: memory, or else the records.
pub(crate) struct Loader {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) limits: Limits,
}

/// What the next record of a repository has to follow.
#[derive(Clone, Debug)]
pub(crate) enum Newest {
    /// It lives.
    Living(Arc<Current>),
    /// It never lived, or its life ended like this.
    Ended(Option<Head>),
}

impl Loader {
    /// The state of a repository that every reader sees; `None` if it does not live.
    pub(crate) fn current(&self, repository: &RepositoryName) -> Result<Option<Arc<Current>>, StorageError> {
        loop {
            // Without an entry it does not live for anybody yet, even if its first publication is already durable.
            match self.catalog.visible(repository) {
                Visible::Not => return Ok(None),
                Visible::Warm(current) => return Ok(Some(current)),
                Visible::Cold => {}
            }
            if let Newest::Living(loaded) = self.load(repository)?
                && let Loaded::Visible(current) = self.catalog.keep(repository, &loaded)
            {
                keep_prebuilt(&*self.storage, repository, &current);
                return Ok(Some(current));
            }
            // Its records run ahead of what is visible, for an instant.
            thread::yield_now();
        }
    }

    /// The same without bringing a cold one into memory: for who looks at all of them.
    pub(crate) fn glance(&self, repository: &RepositoryName) -> Result<Option<Arc<Current>>, StorageError> {
        match self.catalog.visible(repository) {
            Visible::Not => Ok(None),
            Visible::Warm(current) => Ok(Some(current)),
            Visible::Cold => match self.load(repository)? {
                Newest::Living(current) => Ok(Some(current)),
                Newest::Ended(_) => Ok(None),
            },
        }
    }

    /// Brings the table of a cold repository into memory as it was prebuilt, without its documents, if that is possible.
    pub(crate) fn load_table(&self, repository: &RepositoryName) {
        let mut kept = Ok(false);
        self.storage.prebuilt(repository, &mut |standing, table| {
            kept = self.catalog.keep_prebuilt(repository, standing, table);
        });
        match kept {
            Ok(true) => metrics::counter!("tufstore_tables_loaded_total").increment(1),
            Ok(false) => {}
            Err(DamagedTable) => {
                tracing::warn!(%repository, "its prebuilt table is damaged, and will be made anew from its documents");
                self.storage.forget_prebuilt(repository);
            }
        }
    }

    /// What a publication has to follow: what is visible or, for an instant, what is durable and about to be.
    pub(crate) fn newest(&self, repository: &RepositoryName) -> Result<Newest, StorageError> {
        match self.current(repository)? {
            Some(current) => Ok(Newest::Living(current)),
            None => self.load(repository),
        }
    }

    /// From the records, by one look at the head: between two of them a life may end or begin.
    fn load(&self, repository: &RepositoryName) -> Result<Newest, StorageError> {
        loop {
            let head = match self.storage.head(repository) {
                Some(head) if !head.deleted => head,
                ended => return Ok(Newest::Ended(ended)),
            };
            match load(&*self.storage, &self.limits, self.catalog.key(), repository, &head) {
                Ok(current) => {
                    metrics::counter!("tufstore_states_loaded_total").increment(1);
                    return Ok(Newest::Living(Arc::new(current)));
                }
                // What was read for one head may be gone with the next; only a head that stands still tells of damage.
                Err(error) if self.storage.head(repository).as_ref() == Some(&head) => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// Has the storage keep what lookups need of a state, so that it need not be loaded for them.
pub(crate) fn keep_prebuilt(storage: &dyn Storage, repository: &RepositoryName, current: &Current) {
    let tags = current.state.tags.clone();
    storage.keep_prebuilt(
        repository,
        Prebuilt {
            position: current.position,
            origin: *tags.origin().as_bytes(),
            standing: tags.standing(repository, current.position),
            bytes: tags.bytes(),
            table: Arc::new(move || tags.encoded()),
        },
    );
}

/// Builds the state that `head` names, from its records.
pub(crate) fn load(
    storage: &dyn Storage,
    limits: &Limits,
    key: &HashKey,
    repository: &RepositoryName,
    head: &Head,
) -> Result<Current, StorageError> {
    let record = storage.record(head.position)?;
    let attachment = Attachment::decode(&record.attachment)?;
    let mut files: BTreeMap<_, _> =
        record.documents.iter().map(|document| (document.role.clone(), document.clone())).collect();
    for (role, sha256) in &attachment.carried {
        let wanted = Wanted::Digest(role.clone(), *sha256);
        let file = storage
            .find(repository, &wanted)?
            .ok_or_else(|| corrupt(repository, "a file that the newest record needs is nowhere"))?;
        files.insert(role.clone(), file.document);
    }
    let (online, online_at) = match attachment.online {
        Online::None => (Vec::new(), None),
        Online::Here(keys) => (keys, Some(head.position)),
        Online::At(position) => (online_keys(storage, repository, position)?, Some(position)),
    };
    let set = set(repository, files, &attachment.faulty, limits)?;
    let state = State::new(head.incarnation, head.revision, record.time, set, online.into(), key, None);
    Ok(Current::new(head.position, online_at, state))
}

fn online_keys(
    storage: &dyn Storage,
    repository: &RepositoryName,
    position: Position,
) -> Result<Vec<SealedKey>, StorageError> {
    match Attachment::decode(&storage.attachment(position)?)?.online {
        Online::Here(keys) => Ok(keys),
        Online::None | Online::At(_) => {
            Err(corrupt(repository, "the record that should hold its keys does not"))
        }
    }
}

/// A set from files that were verified before they were written.
fn set(
    repository: &RepositoryName,
    mut files: BTreeMap<RoleName, StoredDocument>,
    faulty: &[RoleName],
    limits: &Limits,
) -> Result<Set, StorageError> {
    let mut file = |role: &RoleName| {
        files
            .remove(role)
            .map(|file| file.bytes)
            .ok_or_else(|| corrupt(repository, "a top-level file is missing"))
    };
    let unreadable = |_: ParseError| corrupt(repository, "a stored file cannot be read");
    let root = parse_root(file(&RoleName::Root)?, limits).map_err(unreadable)?;
    let targets = parse_targets(RoleName::Targets, file(&RoleName::Targets)?, limits).map_err(unreadable)?;
    let snapshot = parse_snapshot(file(&RoleName::Snapshot)?, limits).map_err(unreadable)?;
    let timestamp = parse_timestamp(file(&RoleName::Timestamp)?, limits).map_err(unreadable)?;
    let targets = Arc::new(Verified::recovered(targets));
    let mut delegations: BTreeMap<RoleName, Delegated> = BTreeMap::new();
    let mut nearest_first: Vec<_> = files.into_values().collect();
    nearest_first.sort_by_key(|file| (file.role.depth(), file.role.clone()));
    for file in nearest_first {
        let parsed = parse_targets(file.role.clone(), file.bytes, limits).map_err(unreadable)?;
        let delegated = if faulty.contains(&file.role) {
            let parent = file.role.parent().and_then(|parent| claimed_by(&parent, &targets, &delegations));
            let keys = parent.and_then(|parent| delegation_keys(parent, &file.role).ok());
            let keys = keys.ok_or_else(|| corrupt(repository, "a delegation lies outside the tree"))?;
            verify_or_fault(parsed, keys)
        } else {
            Delegated::Verified(Arc::new(Verified::recovered(parsed)))
        };
        delegations.insert(file.role, delegated);
    }
    Ok(Set {
        root: Arc::new(Verified::recovered(root)),
        targets,
        delegations,
        snapshot: Arc::new(Verified::recovered(snapshot)),
        timestamp: Arc::new(Verified::recovered(timestamp)),
    })
}

fn corrupt(repository: &RepositoryName, finding: &'static str) -> StorageError {
    StorageError::Corrupt { place: "journal".to_owned(), repository: Some(repository.clone()), finding }
}

#[cfg(test)]
mod tests;
