//! An honest publisher.

use tufstore::crypto::{KeyAlgorithm, OnlineRole};
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RepositoryName, RoleName, Sha256, Threshold, UnixTime};
use tufstore::{PublishError, Receipt, Store, Upload};
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_keys::PrivateKey;

use crate::must;
use crate::seed::{NOW, seeded_key};

/// Somebody who publishes one repository. The private keys follow from the repository's name, so that runs are alike but
/// for ECDSA's random part in the root's certificate and signature.
///
/// What goes beyond tags is staged on [`Publisher::author`] and sent with [`Publisher::upload`] or
/// [`Publisher::publish`].
#[derive(Clone, Debug)]
pub struct Publisher {
    author: Author,
    now: UnixTime,
}

impl Publisher {
    /// Of a repository that nothing is published of, for a server with these keys.
    ///
    /// # Panics
    /// If `repository` is no repository's name.
    #[track_caller]
    pub fn new(repository: &str, online: OnlineKeysOfServer) -> Self {
        Self::with_keys(repository, online, KeyAlgorithm::Ed25519)
    }

    #[track_caller]
    fn with_keys(repository: &str, online: OnlineKeysOfServer, algorithm: KeyAlgorithm) -> Self {
        let name: RepositoryName = must("reading a name", repository.parse());
        let mut keys = AuthorKeys::new();
        keys.add(&RoleName::Root, seeded_key(KeyAlgorithm::EcdsaP256, &format!("{name} root")));
        keys.add(&RoleName::Targets, seeded_key(algorithm, &format!("{name} targets")));
        keys.add(&RoleName::Snapshot, seeded_key(algorithm, &format!("{name} snapshot")));
        Self { author: must("beginning a repository", Author::begin(name, keys, online, NOW)), now: NOW }
    }

    /// Whose snapshots and timestamps are `store`'s to sign.
    ///
    /// # Panics
    /// As [`Publisher::new`], and if the store holds no keys.
    #[track_caller]
    pub fn for_store(repository: &str, store: &Store) -> Self {
        Self::new(repository, online_keys(store, repository))
    }

    /// The same with ECDSA keys, as Docker's clients make them: what Ed25519 verifies has to be hashed by it as well.
    ///
    /// # Panics
    /// As [`Publisher::for_store`].
    #[track_caller]
    pub fn with_dockers_keys(repository: &str, store: &Store) -> Self {
        Self::with_keys(repository, online_keys(store, repository), KeyAlgorithm::EcdsaP256)
    }

    /// Who signs snapshots alone; timestamps are `store`'s.
    ///
    /// # Panics
    /// As [`Publisher::for_store`].
    #[track_caller]
    pub fn holding_snapshot(repository: &str, store: &Store) -> Self {
        let timestamp = online_key(store, repository, OnlineRole::Timestamp);
        Self::new(repository, OnlineKeysOfServer { timestamp, snapshot: None })
    }

    /// The collection.
    pub fn repository(&self) -> &RepositoryName {
        self.author.repository()
    }

    /// What to stage changes on.
    pub fn author(&mut self) -> &mut Author {
        &mut self.author
    }

    /// Signs from now on as if it were `now`.
    pub fn set_now(&mut self, now: UnixTime) {
        self.now = now;
    }

    /// Delegates to a role whose key this publisher holds as well, and tags in it.
    ///
    /// # Panics
    /// If `role` is no delegation of this repository's.
    #[track_caller]
    pub fn delegate(&mut self, role: &str, paths: &[&str], tags: &[(&str, Sha256)]) {
        let role: RoleName = must("reading a role", role.parse());
        let key = self.delegation_key(&role);
        self.author.hold(&role, key.clone());
        let added =
            self.author.add_delegation(&role, [AuthorKey::bare(key.public().clone())], paths, Threshold::ONE);
        must("adding a delegation", added);
        for (tag, sha256) in tags {
            must("tagging", self.author.set_tag_in(&role, tag, *sha256, LENGTH));
        }
    }

    /// The key that [`Publisher::delegate`] gives to a role.
    pub fn delegation_key(&self, role: &RoleName) -> PrivateKey {
        seeded_key(KeyAlgorithm::Ed25519, &format!("{} {role}", self.repository()))
    }

    /// Stages these tags in `targets`; every target is 1,024 bytes long.
    pub fn tag(&mut self, tags: &[(&str, Sha256)]) {
        for (tag, sha256) in tags {
            self.author.set_tag(tag, *sha256, LENGTH);
        }
    }

    /// Root and targets without any tag, if nothing is staged.
    ///
    /// # Panics
    /// As [`Publisher::upload`].
    #[track_caller]
    pub fn first_upload(&mut self) -> Upload {
        self.upload()
    }

    /// These tags on top of those of before: [`Publisher::tag`] and [`Publisher::upload`].
    ///
    /// # Panics
    /// As [`Publisher::upload`].
    #[track_caller]
    pub fn tag_upload(&mut self, tags: &[(&str, Sha256)]) -> Upload {
        self.tag(tags);
        self.upload()
    }

    /// Signs what is staged, and takes for granted that it is accepted.
    ///
    /// # Panics
    /// If it cannot be signed.
    #[track_caller]
    pub fn upload(&mut self) -> Upload {
        let signed = must("signing", self.author.sign(self.now));
        self.author = signed.next;
        signed.upload
    }

    /// Publishes what is staged, and moves on if it is taken.
    ///
    /// # Errors
    /// As [`Store::publish`].
    ///
    /// # Panics
    /// If it cannot be signed.
    #[track_caller]
    pub fn publish(&mut self, store: &Store) -> Result<Receipt, PublishError> {
        let signed = must("signing", self.author.sign(self.now));
        let receipt = store.publish(self.author.repository(), &signed.upload, self.now)?;
        self.author = signed.next;
        Ok(receipt)
    }
}

/// Of every target that the test kit makes.
pub(crate) const LENGTH: u64 = 1_024;

#[track_caller]
fn online_keys(store: &Store, repository: &str) -> OnlineKeysOfServer {
    OnlineKeysOfServer {
        timestamp: online_key(store, repository, OnlineRole::Timestamp),
        snapshot: Some(online_key(store, repository, OnlineRole::Snapshot)),
    }
}

fn online_key(store: &Store, repository: &str, role: OnlineRole) -> tufstore::crypto::PublicKey {
    let name = must("reading a name", repository.parse());
    must("asking for a key", store.online_key(&name, role))
}
