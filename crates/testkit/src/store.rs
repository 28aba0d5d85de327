//! Everything that a store says, to compare.

use std::collections::BTreeMap;
use std::path::Path;

use tufstore::crypto::sha256;
use tufstore::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version};
use tufstore::{Change, Lookup, Store, Target};

use crate::{NOW, must};

/// All that can be read from a store.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Observed {
    /// Of the newest commit.
    pub position: Position,
    /// Every repository that lives.
    pub repositories: BTreeMap<RepositoryName, ObservedRepository>,
    /// The whole feed.
    pub feed: Vec<Change>,
}

/// All that can be read from a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ObservedRepository {
    /// Of its newest publication.
    pub position: Position,
    /// Which life.
    pub incarnation: Incarnation,
    /// How many publications.
    pub revision: Revision,
    /// The current documents, each also found in history, by version and by digest.
    pub documents: BTreeMap<RoleName, (Version, Sha256)>,
    /// What its view resolves.
    pub tags: BTreeMap<String, Target>,
    /// What [`Store::lookup`] answers at [`NOW`] for each of those tags, and for one that nobody would use.
    pub lookups: BTreeMap<String, Lookup>,
    /// The tags of each role alone.
    pub roles: BTreeMap<RoleName, BTreeMap<String, (Option<Sha256>, u64)>>,
    /// The earliest expiry, and whose.
    pub expires: (UnixTime, RoleName),
}

/// Reads everything there is.
///
/// # Panics
/// If something cannot be read, or the store contradicts itself: a current document that its history does not have.
#[track_caller]
pub fn observe(store: &Store) -> Observed {
    let repositories = store.repositories().into_iter().map(|name| {
        let observed = observe_repository(store, &name);
        (name, observed)
    });
    let repositories = repositories.collect();
    let feed = must("reading the feed", store.changes(Position::START).collect());
    Observed { position: store.position(), repositories, feed }
}

#[track_caller]
#[expect(clippy::panic, reason = "a store that contradicts itself fails the test")]
fn observe_repository(store: &Store, name: &RepositoryName) -> ObservedRepository {
    let Some(view) = must("pinning a repository", store.view(name)) else {
        panic!("{name} is listed and has no view")
    };
    let mut documents = BTreeMap::new();
    let mut roles = BTreeMap::new();
    for document in view.documents() {
        let role = document.role();
        let by_version = must("reading history", store.history(name, role, document.version()));
        let by_digest = must("reading history", store.history(name, role, *document.sha256()));
        assert_eq!(
            by_version.as_ref().map(|found| &found.document),
            Some(document),
            "{name}: {role} by version"
        );
        assert_eq!(
            by_digest.as_ref().map(|found| &found.document),
            Some(document),
            "{name}: {role} by digest"
        );
        documents.insert(role.clone(), (document.version(), *document.sha256()));
        let tags: BTreeMap<_, _> = view
            .targets_of(role)
            .map(|target| (target.tag.to_owned(), (target.sha256, target.length)))
            .collect();
        if role.is_targets_or_delegation() {
            roles.insert(role.clone(), tags);
        }
    }
    let tags: BTreeMap<_, _> = view.tags().map(|(tag, target)| (tag.to_owned(), target)).collect();
    let asked = tags.keys().cloned().chain(["\u{1}nobody's tag".to_owned()]);
    let lookups = asked.map(|tag| {
        let answer = must("looking up", store.lookup(name.as_str(), &tag, NOW));
        (tag, answer)
    });
    let lookups = lookups.collect();
    let (expires, role) = view.expires();
    ObservedRepository {
        position: view.position(),
        incarnation: view.incarnation(),
        revision: view.revision(),
        documents,
        tags,
        lookups,
        roles,
        expires: (expires, role),
    }
}

/// The digest of every file below `folder`, by its path from there. Nothing is left out: an index that is written behind
/// the journal may change a file at any time while the store is open, so compare a closed store's, or its `journal`
/// alone.
///
/// # Panics
/// If something cannot be read.
#[track_caller]
pub fn files(folder: &Path) -> BTreeMap<String, Sha256> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in must("listing a folder", std::fs::read_dir(&next)) {
            let path = must("listing a folder", entry).path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                found.insert(name, sha256(&must("reading a file", std::fs::read(&path))));
            }
        }
    }
    found
}

/// Copies a folder whole, whoever has it open: as a process that is killed at this moment would leave it.
///
/// # Panics
/// If something cannot be read or written.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    must("making a folder", std::fs::create_dir_all(to));
    for entry in must("listing a folder", std::fs::read_dir(from)) {
        let entry = must("listing a folder", entry);
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &there);
        } else {
            must("copying a file", std::fs::copy(entry.path(), there));
        }
    }
}
