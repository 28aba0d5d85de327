//! Files that no honest author would sign, and whole sets around them.

mod key;
mod file;

use std::collections::BTreeMap;
use std::sync::Arc;

use tufstore::crypto::OnlineRole;
use tufstore::terms::{RepositoryName, RoleName, Sha256};
use tufstore::{CompleteSet, Store, Upload};

pub use file::ForgedFile;
pub use key::{ForgedKey, ForgedSigners};

use crate::must;

/// A repository of which every key is ours, unless said otherwise: starts each role's file with its usual content,
/// signed by its usual keys, for tests to change one thing.
///
/// ```
/// use tufstore::{Options, Store};
/// use tufstore_testkit::{Forge, NOW, digest};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let forge = Forge::new("docker.io/library/alpine");
/// let store = Store::in_memory(Options::default())?;
/// store.mirror(&forge.repository, &forge.complete(1, &[("3.22", digest("a manifest"))]), NOW)?;
///
/// let mut parts = forge.parts(2, &[]);
/// parts.timestamp = forge.timestamp(1, b"another snapshot").bytes();
/// assert!(store.mirror(&forge.repository, &parts.set(), NOW).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests change its parts")]
pub struct Forge {
    /// The collection.
    pub repository: RepositoryName,
    /// Who signs roots.
    pub root: ForgedSigners,
    /// Who signs the top-level targets.
    pub targets: ForgedSigners,
    /// Who signs snapshots.
    pub snapshot: ForgedSigners,
    /// Who signs timestamps.
    pub timestamp: ForgedSigners,
    /// The roots so far, which every set has: ECDSA signs differently each time, so a root is signed but once.
    pub roots: Vec<Arc<[u8]>>,
}

/// The parts of a complete set, to change one by one before they become a [`CompleteSet`].
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests change its parts")]
pub struct CompleteParts {
    /// In order of version.
    pub roots: Vec<Arc<[u8]>>,
    /// The timestamp.
    pub timestamp: Arc<[u8]>,
    /// The snapshot.
    pub snapshot: Arc<[u8]>,
    /// The top-level targets.
    pub targets: Arc<[u8]>,
    /// By the delegation's name.
    pub delegations: BTreeMap<RoleName, Arc<[u8]>>,
}

impl CompleteParts {
    /// The set that they are.
    pub fn set(self) -> CompleteSet {
        let set = CompleteSet::new(self.roots, self.timestamp, self.snapshot, self.targets);
        self.delegations.into_iter().fold(set, |set, (role, bytes)| set.with(role, bytes))
    }
}

impl Forge {
    /// Each role has one key, which belongs to its name.
    ///
    /// # Panics
    /// If `repository` is no repository's name.
    #[track_caller]
    pub fn new(repository: &str) -> Self {
        let repository: RepositoryName = must("reading a name", repository.parse());
        let one = |role| ForgedSigners::one(ForgedKey::seeded(&format!("{repository} {role}")));
        let forge = Self {
            root: ForgedSigners::one(ForgedKey::root(&format!("{repository} root"), &repository)),
            targets: one("targets"),
            snapshot: one("snapshot"),
            timestamp: one("timestamp"),
            repository,
            roots: Vec::new(),
        };
        forge.begun()
    }

    /// With root 1 made from the keys as they are: for a forge whose keys were changed before anything was published.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[must_use]
    #[track_caller]
    pub fn begun(mut self) -> Self {
        self.roots = vec![self.root(1).bytes()];
        self
    }

    /// Changes keys and adds the root that says so, signed by the root keys of before and of now.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[track_caller]
    pub fn rotate(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.root.keys.clone();
        change(self);
        let version = u64::try_from(self.roots.len()).unwrap_or(u64::MAX).saturating_add(1);
        let new = |key: &&ForgedKey| !self.root.keys.iter().any(|other| other.id() == key.id());
        let root = self.root(version).signed_by(before.iter().filter(new)).bytes();
        self.roots.push(root);
    }

    /// The same, but snapshots and timestamps are `store`'s to sign: for [`Store::publish`].
    ///
    /// # Panics
    /// As [`Forge::new`], and if the store holds no keys.
    #[track_caller]
    pub fn for_store(repository: &str, store: &Store) -> Self {
        let mut forge = Self::new(repository);
        let key = |role| must("asking for a key", store.online_key(&forge.repository, role));
        let (snapshot, timestamp) = (key(OnlineRole::Snapshot), key(OnlineRole::Timestamp));
        forge.snapshot = ForgedSigners::one(ForgedKey::of_another(&snapshot));
        forge.timestamp = ForgedSigners::one(ForgedKey::of_another(&timestamp));
        forge.begun()
    }

    /// A root with the keys of this forge, signed by its root keys.
    pub fn root(&self, version: u64) -> ForgedFile {
        let roles = [&self.root, &self.targets, &self.snapshot, &self.timestamp];
        ForgedFile::root(version, roles).signed_by(&self.root.keys)
    }

    /// The top-level targets.
    pub fn targets(&self, version: u64, tags: &[(&str, Sha256)]) -> ForgedFile {
        ForgedFile::targets(version, tags).signed_by(&self.targets.keys)
    }

    /// A snapshot that names these files.
    pub fn snapshot(&self, version: u64, files: &[(&str, &[u8])]) -> ForgedFile {
        ForgedFile::snapshot(version, files).signed_by(&self.snapshot.keys)
    }

    /// A timestamp that names this snapshot.
    pub fn timestamp(&self, version: u64, snapshot: &[u8]) -> ForgedFile {
        ForgedFile::timestamp(version, snapshot).signed_by(&self.timestamp.keys)
    }

    /// The newest root, targets 1 and nothing else: what an author publishes first to a store that signs the rest.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[track_caller]
    pub fn first_upload(&self, tags: &[(&str, Sha256)]) -> Upload {
        let targets = self.targets(1, tags).bytes();
        let root = self.roots.last().map(Arc::clone);
        let upload = Upload::new().with(RoleName::Targets, targets);
        root.into_iter().fold(upload, |upload, root| upload.with(RoleName::Root, root))
    }

    /// A set that is whole and right: the roots so far, and the others at `version`.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[track_caller]
    pub fn parts(&self, version: u64, tags: &[(&str, Sha256)]) -> CompleteParts {
        self.parts_of(version, self.targets(version, tags).bytes(), &[])
    }

    /// A set of these targets and delegations, under a snapshot and a timestamp at `version` that are right.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`], and if a name is none of a role.
    #[track_caller]
    pub fn parts_of(
        &self,
        version: u64,
        targets: Arc<[u8]>,
        delegations: &[(&str, Arc<[u8]>)],
    ) -> CompleteParts {
        let named: Vec<(&str, &[u8])> = self
            .roots
            .last()
            .map(|root| ("root", &**root))
            .into_iter()
            .chain([("targets", &*targets)])
            .chain(delegations.iter().map(|(role, bytes)| (*role, &**bytes)))
            .collect();
        let snapshot = self.snapshot(version, &named).bytes();
        let timestamp = self.timestamp(version, &snapshot).bytes();
        let delegations =
            delegations.iter().map(|(role, bytes)| (must("reading a role", role.parse()), Arc::clone(bytes)));
        let delegations = delegations.collect();
        CompleteParts { roots: self.roots.clone(), timestamp, snapshot, targets, delegations }
    }

    /// [`Forge::parts`] as a set.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[track_caller]
    pub fn complete(&self, version: u64, tags: &[(&str, Sha256)]) -> CompleteSet {
        self.parts(version, tags).set()
    }
}
