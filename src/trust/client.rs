//! A complete set, checked as a client checks it and in a client's order: root chain, timestamp, snapshot, targets,
//! delegations (TUF specification, 5.3 to 5.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Delegated, Set, TrustError, Verified, check, claimed_by, delegation_keys, first_root, next_root,
    no_rollback, verify, verify_or_fault,
};
use crate::metadata::{
    Document, Limits, ParseError, Parsed, RoleKeys, Root, Snapshot, Targets, Timestamp, parse_root,
    parse_snapshot, parse_targets, parse_timestamp,
};
use crate::terms::{Note, RepositoryName, RoleName};

/// Everything that a client would download of a repository, as exact bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompleteSet {
    /// The root chain in order of version: from the trusted root on, or at a first import from the oldest known.
    pub roots: Vec<Arc<[u8]>>,
    /// The timestamp.
    pub timestamp: Arc<[u8]>,
    /// The snapshot that the timestamp names.
    pub snapshot: Arc<[u8]>,
    /// The top-level targets that the snapshot names.
    pub targets: Arc<[u8]>,
    /// Each delegation that the snapshot names.
    pub delegations: BTreeMap<RoleName, Arc<[u8]>>,
    /// What stays told of its publication. None by default.
    pub note: Option<Note>,
}

impl CompleteSet {
    /// Without delegations.
    pub fn new(
        roots: Vec<Arc<[u8]>>,
        timestamp: impl Into<Arc<[u8]>>,
        snapshot: impl Into<Arc<[u8]>>,
        targets: impl Into<Arc<[u8]>>,
    ) -> Self {
        let (timestamp, snapshot, targets) = (timestamp.into(), snapshot.into(), targets.into());
        Self { roots, timestamp, snapshot, targets, delegations: BTreeMap::new(), note: None }
    }

    /// With one more delegation's file.
    #[must_use]
    pub fn with(mut self, role: RoleName, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.delegations.insert(role, bytes.into());
        self
    }

    /// With what stays told of it.
    #[must_use]
    pub fn with_note(mut self, note: Note) -> Self {
        self.note = Some(note);
        self
    }
}

/// A set that passed.
#[derive(Debug)]
pub(crate) struct Believed {
    pub(crate) set: Set,
    /// The roots that were not known before, in order; the last is that of the set.
    pub(crate) new_roots: Vec<Document>,
    /// What the snapshot names although no client would ask for it.
    pub(crate) strays: Vec<RoleName>,
}

/// Why a set did not pass: whose file, and which rule.
#[derive(Debug)]
pub(crate) struct Disbelief {
    pub(crate) role: RoleName,
    pub(crate) why: Reason,
}

#[derive(Debug)]
pub(crate) enum Reason {
    Malformed(ParseError),
    /// There is no root at all to begin with.
    NoRoot,
    Untrusted(TrustError),
}

/// Believes `offered` on top of what was believed before. Expiry is for the caller to judge.
pub(crate) fn believe(
    offered: &CompleteSet,
    before: Option<&Set>,
    repository: &RepositoryName,
    limits: &Limits,
) -> Result<Believed, Disbelief> {
    let (root, new_roots) = chain(&offered.roots, before, repository, limits)?;
    let keys = root.body();
    let reader = Reader { before, limits };
    // A key that was replaced may have signed any version before: what it vouched for is forgotten (5.3.11).
    let kept = before.filter(|set| set.root.body().timestamp == keys.timestamp);
    let timestamp = reader.timestamp(&offered.timestamp, &keys.timestamp)?;
    not_older(timestamp.document(), kept.map(|set| set.timestamp.document()))?;
    let kept = kept.filter(|set| set.root.body().snapshot == keys.snapshot);
    let snapshot = reader.snapshot(&offered.snapshot, &keys.snapshot)?;
    not_older(snapshot.document(), kept.map(|set| set.snapshot.document()))?;
    let targets = reader.targets(&offered.targets, &keys.targets)?;
    let mut delegations: BTreeMap<RoleName, Delegated> = BTreeMap::new();
    let mut nearest_first: Vec<_> = offered.delegations.iter().collect();
    nearest_first.sort_by_key(|(role, _)| role.depth());
    for (role, bytes) in nearest_first {
        let parent = role.parent().and_then(|parent| claimed_by(&parent, &targets, &delegations));
        let unknown = || TrustError::UnknownDelegation { role: role.clone() };
        let keys = parent.ok_or_else(unknown).and_then(|parent| delegation_keys(parent, role));
        let file = reader.delegation(role, bytes, trusted(role, keys)?)?;
        delegations.insert(role.clone(), file);
    }
    let set = Set { root, targets, delegations, snapshot, timestamp };
    for document in set.delegations.values().map(Delegated::document).chain([set.targets.document()]) {
        not_older(document, before.and_then(|set| set.document(document.role())))?;
    }
    let strays = trusted(&RoleName::Snapshot, check(&set, before))?;
    trusted(&RoleName::Snapshot, none_vanished(&set, before))?;
    Ok(Believed { set, new_roots, strays })
}

/// The newest root, and every root on the way to it that is not known yet.
fn chain(
    offered: &[Arc<[u8]>],
    before: Option<&Set>,
    repository: &RepositoryName,
    limits: &Limits,
) -> Result<(Arc<Verified<Root>>, Vec<Document>), Disbelief> {
    let mut newest = before.map(|set| Arc::clone(&set.root));
    let mut new = Vec::new();
    for bytes in offered {
        let parsed = read(&RoleName::Root, parse_root(Arc::clone(bytes), limits))?;
        let next = match &newest {
            None => first_root(parsed, repository, None),
            // A chain may begin before the trusted root; at its version it must be that very root.
            Some(root) if new.is_empty() && parsed.version() <= root.version() => {
                let version = root.version();
                let known =
                    parsed.version() < version || parsed.document().sha256() == root.document().sha256();
                trusted(&RoleName::Root, known.then_some(()).ok_or(TrustError::SameVersion { version }))?;
                continue;
            }
            Some(root) => next_root(parsed, root, repository, None),
        };
        let next = Arc::new(trusted(&RoleName::Root, next)?);
        new.push(next.document().clone());
        newest = Some(next);
    }
    let newest = newest.ok_or(Disbelief { role: RoleName::Root, why: Reason::NoRoot })?;
    Ok((newest, new))
}

/// Reads and verifies the files below the root; those that were believed before under the same keys are not read again.
struct Reader<'a> {
    before: Option<&'a Set>,
    limits: &'a Limits,
}

impl<'a> Reader<'a> {
    /// The set before, if its `role` has these very bytes.
    fn known(&self, role: &RoleName, bytes: &[u8]) -> Option<&'a Set> {
        self.before.filter(|set| set.document(role).is_some_and(|document| **document.bytes() == *bytes))
    }

    fn timestamp(&self, bytes: &Arc<[u8]>, keys: &RoleKeys) -> Result<Arc<Verified<Timestamp>>, Disbelief> {
        let role = RoleName::Timestamp;
        let known = self.known(&role, bytes).filter(|set| set.root.body().timestamp == *keys);
        if let Some(set) = known {
            return Ok(Arc::clone(&set.timestamp));
        }
        let parsed = read(&role, parse_timestamp(Arc::clone(bytes), self.limits))?;
        trusted(&role, verify(parsed, keys)).map(Arc::new)
    }

    fn snapshot(&self, bytes: &Arc<[u8]>, keys: &RoleKeys) -> Result<Arc<Verified<Snapshot>>, Disbelief> {
        let role = RoleName::Snapshot;
        let known = self.known(&role, bytes).filter(|set| set.root.body().snapshot == *keys);
        if let Some(set) = known {
            return Ok(Arc::clone(&set.snapshot));
        }
        let parsed = read(&role, parse_snapshot(Arc::clone(bytes), self.limits))?;
        trusted(&role, verify(parsed, keys)).map(Arc::new)
    }

    fn targets(&self, bytes: &Arc<[u8]>, keys: &RoleKeys) -> Result<Arc<Verified<Targets>>, Disbelief> {
        let role = RoleName::Targets;
        let known = self.known(&role, bytes).filter(|set| set.root.body().targets == *keys);
        if let Some(set) = known {
            return Ok(Arc::clone(&set.targets));
        }
        let parsed = read(&role, parse_targets(role.clone(), Arc::clone(bytes), self.limits))?;
        trusted(&role, verify(parsed, keys)).map(Arc::new)
    }

    fn delegation(
        &self,
        role: &RoleName,
        bytes: &Arc<[u8]>,
        keys: &RoleKeys,
    ) -> Result<Delegated, Disbelief> {
        let known = self.known(role, bytes).filter(|set| set.keys_of_delegation(role) == Some(keys));
        if let Some(file) = known.and_then(|set| set.delegations.get(role)) {
            return Ok(file.clone());
        }
        let parsed = read(role, parse_targets(role.clone(), Arc::clone(bytes), self.limits))?;
        Ok(verify_or_fault(parsed, keys))
    }
}

/// A delegation that has had a file keeps one for as long as the same keys are delegated to (TUF specification, 5.5.5):
/// else whoever holds the online keys alone could hide it.
fn none_vanished(set: &Set, before: Option<&Set>) -> Result<(), TrustError> {
    let Some(before) = before else { return Ok(()) };
    let vanished = before.delegations.keys().find(|role| {
        let keys = set.keys_of_delegation(role);
        !set.delegations.contains_key(*role) && keys.is_some() && keys == before.keys_of_delegation(role)
    });
    vanished.map_or(Ok(()), |role| {
        Err(TrustError::NotListed { listed_by: RoleName::Snapshot, role: role.clone() })
    })
}

/// A version that falls is a rollback; the same version must be the same bytes.
fn not_older(offered: &Document, known: Option<&Document>) -> Result<(), Disbelief> {
    let Some(known) = known else { return Ok(()) };
    let (role, version) = (offered.role(), offered.version());
    trusted(role, no_rollback(known.version(), version))?;
    let same = version != known.version() || offered.sha256() == known.sha256();
    trusted(role, same.then_some(()).ok_or(TrustError::SameVersion { version }))
}

fn read<B>(role: &RoleName, parsed: Result<Parsed<B>, ParseError>) -> Result<Parsed<B>, Disbelief> {
    parsed.map_err(|error| Disbelief { role: role.clone(), why: Reason::Malformed(error) })
}

fn trusted<T>(role: &RoleName, result: Result<T, TrustError>) -> Result<T, Disbelief> {
    result.map_err(|error| Disbelief { role: role.clone(), why: Reason::Untrusted(error) })
}
