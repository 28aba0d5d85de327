//! An author: what a repository should say, what it said last, and the keys to sign the difference.

mod sign;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tufstore::crypto::{KeyAlgorithm, PublicKey};
use tufstore::metadata::write::{
    AuthorKey, Signers, UnsignedDelegation, UnsignedRoot, UnsignedTarget, UnsignedTargets,
};
use tufstore::terms::{RepositoryName, RoleName, Sha256, Threshold, UnixTime, Version};
use tufstore::{Limits, ParseError, View};
use tufstore_keys::PrivateKey;

use crate::error::AuthorError;
use crate::keys::AuthorKeys;

pub use sign::Signed;

/// The public keys of the roles that a server signs for.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the protocol lets a server hold these two and no other")]
pub struct OnlineKeysOfServer {
    /// Always the server's.
    pub timestamp: PublicKey,
    /// `None`: the author holds the snapshot key.
    pub snapshot: Option<PublicKey>,
}

/// Who signs the snapshot.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is nobody else")]
pub enum SnapshotHolder {
    /// The author, with a new key.
    Author,
    /// The server, with this key.
    Server(PublicKey),
}

/// The author of one repository: makes its metadata and signs it.
///
/// Changes are staged one by one; [`Author::sign`] then signs the files that changed, each at its next version. The
/// author moves on by becoming [`Signed::next`], once the upload was taken; until then, signing again makes the same
/// versions anew.
///
/// ```
/// use tufstore::crypto::{KeyAlgorithm, sha256};
/// use tufstore::terms::UnixTime;
/// use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
/// use tufstore_keys::PrivateKey;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = UnixTime::from_seconds(1_800_000_000);
/// // What a server would answer when it is asked for its key.
/// let timestamp = PrivateKey::generate(KeyAlgorithm::Ed25519)?.public().clone();
/// let online = OnlineKeysOfServer { timestamp, snapshot: None };
/// let mut author = Author::begin("docker.io/library/alpine".parse()?, AuthorKeys::generate()?, online, now)?;
/// author.set_tag("3.22", sha256(b"a manifest"), 528);
/// let signed = author.sign(now)?;
/// assert_eq!(signed.upload.roles().count(), 3);
/// // Once a store has taken it:
/// author = signed.next;
/// assert_eq!(author.sign(now)?.upload.roles().count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Author {
    repository: RepositoryName,
    keys: AuthorKeys,
    /// Its version, like that of every file here, is set when it is signed; its expiry is that of the last one.
    root: UnsignedRoot,
    /// `targets` and the delegations that have a file, those included that nobody delegates to any more.
    targets: BTreeMap<RoleName, UnsignedTargets>,
    /// Delegations with a file that others wrote so that it cannot be gone on from.
    unreadable: BTreeMap<RoleName, ParseError>,
    changed: BTreeSet<RoleName>,
    published: Published,
}

/// What was taken last.
#[derive(Clone, Debug, Default)]
struct Published {
    /// Who has to sign the next root.
    root: Option<Signers>,
    files: BTreeMap<RoleName, File>,
}

#[derive(Clone, Debug)]
struct File {
    version: Version,
    bytes: Arc<[u8]>,
}

impl Author {
    /// Begins a repository that nothing is published of. Of `keys` it uses the first for each role; root certificates
    /// that are missing are made.
    ///
    /// # Errors
    /// [`AuthorError::NoKey`] without a key for root, for targets, or for a snapshot that the author holds.
    pub fn begin(
        repository: RepositoryName,
        mut keys: AuthorKeys,
        online: OnlineKeysOfServer,
        now: UnixTime,
    ) -> Result<Self, AuthorError> {
        let key = keys.take(&RoleName::Root, &repository)?;
        let root = one(keys.certified(&key, &repository, now)?);
        let targets = bare(keys.take(&RoleName::Targets, &repository)?.public());
        let snapshot = match online.snapshot {
            Some(key) => bare(&key),
            None => bare(keys.take(&RoleName::Snapshot, &repository)?.public()),
        };
        let signers = [root, targets, snapshot, bare(&online.timestamp)];
        Ok(Self {
            repository,
            keys,
            root: UnsignedRoot::new(Version::FIRST, now, signers),
            targets: BTreeMap::from([(RoleName::Targets, UnsignedTargets::new(Version::FIRST, now))]),
            unreadable: BTreeMap::new(),
            changed: BTreeSet::from([RoleName::Root, RoleName::Targets]),
            published: Published::default(),
        })
    }

    /// Goes on from what a store serves.
    ///
    /// # Errors
    /// [`AuthorError::Unreadable`]; for a delegation that cannot be read only when something in it is to be changed.
    pub fn resume(repository: RepositoryName, keys: AuthorKeys, view: &View) -> Result<Self, AuthorError> {
        let limits = Limits::default();
        let unreadable = |role: &RoleName| {
            let role = role.clone();
            |source| AuthorError::Unreadable { role, source }
        };
        let missing = |role: RoleName| AuthorError::Unreadable {
            source: ParseError::MissingRole { role: role.clone() },
            role,
        };
        let root = view.document(&RoleName::Root).ok_or_else(|| missing(RoleName::Root))?;
        let root = UnsignedRoot::revise(root, &limits).map_err(unreadable(&RoleName::Root))?;
        let mut author = Self {
            repository,
            keys,
            published: Published { root: Some(root.root.clone()), files: BTreeMap::new() },
            root,
            targets: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            changed: BTreeSet::new(),
        };
        for document in view.documents() {
            let role = document.role();
            match (role, UnsignedTargets::revise(document, &limits)) {
                (RoleName::Timestamp, _) => continue,
                (RoleName::Root | RoleName::Snapshot, _) => {}
                (RoleName::Targets, Err(source)) => return Err(unreadable(role)(source)),
                (_, Err(source)) => drop(author.unreadable.insert(role.clone(), source)),
                (_, Ok(file)) => drop(author.targets.insert(role.clone(), file)),
            }
            let file = File { version: document.version(), bytes: Arc::clone(document.bytes()) };
            author.published.files.insert(role.clone(), file);
        }
        Ok(author)
    }

    /// Whose metadata this is.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The private keys and certificates, those included that were made on the way: save them before publishing.
    pub fn keys(&self) -> &AuthorKeys {
        &self.keys
    }

    /// The version of a role that was taken last; `None` if none was, or if a server made it.
    pub fn version(&self, role: &RoleName) -> Option<Version> {
        self.published.files.get(role).map(|file| file.version)
    }

    /// Holds one more private key: it signs wherever it is listed.
    pub fn hold(&mut self, role: &RoleName, key: PrivateKey) {
        self.keys.add(role, key);
    }

    /// Lets `tag` in `targets` stand for this content.
    pub fn set_tag(&mut self, tag: &str, sha256: Sha256, length: u64) {
        self.content(RoleName::Targets).targets.insert(tag.into(), UnsignedTarget::new(sha256, length));
    }

    /// Lets `tag` in a delegation, or in `targets`, stand for this content.
    ///
    /// # Errors
    /// [`AuthorError::UnknownDelegation`]; [`AuthorError::Unreadable`].
    pub fn set_tag_in(
        &mut self,
        role: &RoleName,
        tag: &str,
        sha256: Sha256,
        length: u64,
    ) -> Result<(), AuthorError> {
        self.known(role)?;
        self.content(role.clone()).targets.insert(tag.into(), UnsignedTarget::new(sha256, length));
        Ok(())
    }

    /// Removes `tag` from `targets`; answers whether it was there.
    pub fn remove_tag(&mut self, tag: &str) -> bool {
        self.remove_tag_in(&RoleName::Targets, tag)
    }

    /// Removes `tag` from a delegation, or from `targets`; answers whether it was there.
    pub fn remove_tag_in(&mut self, role: &RoleName, tag: &str) -> bool {
        let there = self.targets.get_mut(role).is_some_and(|file| file.targets.remove(tag).is_some());
        if there {
            self.changed.insert(role.clone());
        }
        there
    }

    /// Lets others, or other keys, sign the tags that begin with one of `paths`; replaces what was said of `role` before.
    /// The empty path stands for every tag. A file that it has already is signed anew by those keys that are held here.
    ///
    /// # Errors
    /// [`AuthorError::UnknownDelegation`] for a role at the top, or one whose parent nobody delegates to;
    /// [`AuthorError::NeverMet`].
    pub fn add_delegation(
        &mut self,
        role: &RoleName,
        keys: impl IntoIterator<Item = AuthorKey>,
        paths: &[&str],
        threshold: Threshold,
    ) -> Result<(), AuthorError> {
        let parent = role.parent().ok_or_else(|| AuthorError::UnknownDelegation { role: role.clone() })?;
        self.known(&parent)?;
        let signers = signers(role, keys.into_iter().collect(), threshold)?;
        let held = self.keys.held_of(&signers.keys).len();
        let delegation =
            UnsignedDelegation::new(role.clone(), signers, paths.iter().map(|&path| path.into()).collect());
        let delegations = &mut self.content(parent).delegations;
        match delegations.iter_mut().find(|other| other.role == *role) {
            Some(other) => *other = delegation,
            None => delegations.push(delegation),
        }
        if self.targets.contains_key(role) && threshold.is_met_by(held) {
            self.changed.insert(role.clone());
        }
        Ok(())
    }

    /// Ends a delegation and all below it; answers whether there was one.
    pub fn remove_delegation(&mut self, role: &RoleName) -> bool {
        let Some(parent) = role.parent() else { return false };
        let Some(file) = self.targets.get_mut(&parent) else { return false };
        let before = file.delegations.len();
        file.delegations.retain(|delegation| delegation.role != *role);
        let there = file.delegations.len() < before;
        if there {
            self.changed.insert(parent);
        }
        there
    }

    /// Signs `role` anew although nothing in it changes, so that it expires later.
    ///
    /// # Errors
    /// [`AuthorError::UnknownDelegation`].
    pub fn renew(&mut self, role: &RoleName) -> Result<(), AuthorError> {
        self.known(role)?;
        self.changed.insert(role.clone());
        Ok(())
    }

    /// Replaces every root key by a new one. The root is signed by the old ones and the new ones.
    ///
    /// # Errors
    /// [`AuthorError::Key`].
    pub fn rotate_root(&mut self, now: UnixTime) -> Result<(), AuthorError> {
        let threshold = self.root.root.threshold;
        let keys = self.root.root.keys.iter().map(|_| new_key()).collect::<Result<_, _>>()?;
        self.set_root_keys(keys, threshold, now)
    }

    /// Lets these keys sign the root, so many of them each time. Those of before sign this once more.
    ///
    /// # Errors
    /// [`AuthorError::NeverMet`].
    pub fn set_root_keys(
        &mut self,
        keys: Vec<PrivateKey>,
        threshold: Threshold,
        now: UnixTime,
    ) -> Result<(), AuthorError> {
        let listed = keys.iter().map(|key| self.keys.certified(key, &self.repository, now));
        let listed = signers(&RoleName::Root, listed.collect::<Result<_, _>>()?, threshold)?;
        for key in keys {
            self.keys.add(&RoleName::Root, key);
        }
        let former = std::mem::replace(&mut self.root.root, listed).keys;
        self.root.former.extend(former);
        let present = &self.root.root.keys;
        self.root.former.retain(|key| !present.iter().any(|other| other.id() == key.id()));
        self.changed.insert(RoleName::Root);
        Ok(())
    }

    /// Replaces every targets key by a new one.
    ///
    /// # Errors
    /// [`AuthorError::Key`].
    pub fn rotate_targets(&mut self) -> Result<(), AuthorError> {
        let threshold = self.root.targets.threshold;
        let keys = self.root.targets.keys.iter().map(|_| new_key()).collect::<Result<_, _>>()?;
        self.set_targets_keys(keys, threshold)
    }

    /// Lets these keys sign the targets, so many of them each time.
    ///
    /// # Errors
    /// [`AuthorError::NeverMet`].
    pub fn set_targets_keys(
        &mut self,
        keys: Vec<PrivateKey>,
        threshold: Threshold,
    ) -> Result<(), AuthorError> {
        let listed = keys.iter().map(|key| AuthorKey::bare(key.public().clone())).collect();
        self.root.targets = signers(&RoleName::Targets, listed, threshold)?;
        for key in keys {
            self.keys.add(&RoleName::Targets, key);
        }
        self.changed.extend([RoleName::Root, RoleName::Targets]);
        Ok(())
    }

    /// Gives the snapshot to another key.
    ///
    /// # Errors
    /// [`AuthorError::UnseenSnapshot`] where the server made snapshots that this author has not seen;
    /// [`AuthorError::Key`].
    pub fn rotate_snapshot(&mut self, to: SnapshotHolder) -> Result<(), AuthorError> {
        let key = match to {
            SnapshotHolder::Server(key) => key,
            SnapshotHolder::Author
                if self.published.root.is_some() && self.version(&RoleName::Snapshot).is_none() =>
            {
                return Err(AuthorError::UnseenSnapshot);
            }
            SnapshotHolder::Author => {
                let key = new_key()?;
                let public = key.public().clone();
                self.keys.add(&RoleName::Snapshot, key);
                public
            }
        };
        self.root.snapshot = bare(&key);
        self.changed.insert(RoleName::Root);
        Ok(())
    }

    /// Gives the timestamp to another key of the server.
    pub fn rotate_timestamp(&mut self, to: &PublicKey) {
        self.root.timestamp = bare(to);
        self.changed.insert(RoleName::Root);
    }

    /// The content of `role`, about to change.
    fn content(&mut self, role: RoleName) -> &mut UnsignedTargets {
        self.changed.insert(role.clone());
        let expires = self.root.expires;
        self.targets.entry(role).or_insert_with(|| UnsignedTargets::new(Version::FIRST, expires))
    }

    /// Whether this author can write the role's file: at the top always, below if there is a delegation to it.
    fn known(&self, role: &RoleName) -> Result<(), AuthorError> {
        if let Some(source) = self.unreadable.get(role) {
            return Err(AuthorError::Unreadable { role: role.clone(), source: source.clone() });
        }
        match role {
            RoleName::Root | RoleName::Targets | RoleName::Snapshot => Ok(()),
            RoleName::Delegation(_) if self.tree().contains(role) => Ok(()),
            RoleName::Delegation(_) | RoleName::Timestamp => {
                Err(AuthorError::UnknownDelegation { role: role.clone() })
            }
        }
    }

    /// `targets` and all that it delegates to, directly or below.
    fn tree(&self) -> BTreeSet<RoleName> {
        let mut tree = BTreeSet::new();
        let mut waiting = vec![RoleName::Targets];
        while let Some(role) = waiting.pop() {
            let below = self.targets.get(&role).into_iter().flat_map(|file| &file.delegations);
            waiting.extend(below.map(|delegation| delegation.role.clone()));
            tree.insert(role);
        }
        tree
    }
}

fn new_key() -> Result<PrivateKey, AuthorError> {
    Ok(PrivateKey::generate(KeyAlgorithm::EcdsaP256)?)
}

fn one(key: AuthorKey) -> Signers {
    Signers::new(vec![key], Threshold::ONE)
}

fn bare(key: &PublicKey) -> Signers {
    one(AuthorKey::bare(key.clone()))
}

/// Keys that can meet their threshold, each once.
fn signers(role: &RoleName, listed: Vec<AuthorKey>, threshold: Threshold) -> Result<Signers, AuthorError> {
    let mut keys: Vec<AuthorKey> = Vec::new();
    for key in listed {
        if !keys.iter().any(|other| other.id() == key.id()) {
            keys.push(key);
        }
    }
    if threshold.is_met_by(keys.len()) {
        Ok(Signers::new(keys, threshold))
    } else {
        Err(AuthorError::NeverMet { role: role.clone(), threshold, keys: keys.len() })
    }
}
