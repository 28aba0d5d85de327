//! What belongs together: every file is the very bytes that the file above names (TUF specification, 5.5.2, 5.5.4,
//! 5.6.2; protocol of Notary v1, client-supplied snapshot).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Paths, TrustError, Verified, delegation_keys};
use crate::metadata::{Document, FileMeta, Parsed, RoleKeys, Root, Snapshot, Targets, Timestamp};
use crate::terms::{RoleName, UnixTime};

/// Everything that a client of a repository would download, verified.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) root: Arc<Verified<Root>>,
    pub(crate) targets: Arc<Verified<Targets>>,
    /// By name; what lies in the tree and has a file.
    pub(crate) delegations: BTreeMap<RoleName, Delegated>,
    pub(crate) snapshot: Arc<Verified<Snapshot>>,
    pub(crate) timestamp: Arc<Verified<Timestamp>>,
}

/// A delegation's file.
#[derive(Clone, Debug)]
pub(crate) enum Delegated {
    Verified(Arc<Verified<Targets>>),
    /// Its keys changed and nobody has signed anew: clients skip it with a warning, and so do we.
    Faulty(Arc<Faulty>),
}

/// A delegation's file that its present keys do not vouch for. Carried along, so that its signers can mend it.
#[derive(Debug)]
pub(crate) struct Faulty {
    body: Targets,
    document: Document,
    expires: UnixTime,
    why: TrustError,
}

impl Faulty {
    pub(super) fn new(parsed: Parsed<Targets>, why: TrustError) -> Self {
        let expires = parsed.expires();
        let (body, document) = parsed.into_body_and_document();
        Self { body, document, expires, why }
    }

    pub(crate) fn why(&self) -> &TrustError {
        &self.why
    }
}

impl Delegated {
    pub(crate) fn document(&self) -> &Document {
        match self {
            Self::Verified(file) => file.document(),
            Self::Faulty(file) => &file.document,
        }
    }

    pub(crate) fn expires(&self) -> UnixTime {
        match self {
            Self::Verified(file) => file.expires(),
            Self::Faulty(file) => file.expires,
        }
    }

    /// What clients would believe.
    pub(crate) fn verified(&self) -> Option<&Verified<Targets>> {
        match self {
            Self::Verified(file) => Some(file),
            Self::Faulty(_) => None,
        }
    }

    /// What the file says, believed or not: who is below it decides only what is carried along.
    pub(crate) fn claimed(&self) -> &Targets {
        match self {
            Self::Verified(file) => file.body(),
            Self::Faulty(file) => &file.body,
        }
    }
}

impl Set {
    /// The file of `role`, if it has one.
    pub(crate) fn document(&self, role: &RoleName) -> Option<&Document> {
        match role {
            RoleName::Root => Some(self.root.document()),
            RoleName::Targets => Some(self.targets.document()),
            RoleName::Snapshot => Some(self.snapshot.document()),
            RoleName::Timestamp => Some(self.timestamp.document()),
            RoleName::Delegation(_) => self.delegations.get(role).map(Delegated::document),
        }
    }

    /// When the file of `role` expires, if it has one.
    pub(crate) fn expires_of(&self, role: &RoleName) -> Option<UnixTime> {
        match role {
            RoleName::Root => Some(self.root.expires()),
            RoleName::Targets => Some(self.targets.expires()),
            RoleName::Snapshot => Some(self.snapshot.expires()),
            RoleName::Timestamp => Some(self.timestamp.expires()),
            RoleName::Delegation(_) => self.delegations.get(role).map(Delegated::expires),
        }
    }

    /// The keys that the file above gives to a delegation, whether that file is believed or not.
    pub(crate) fn keys_of_delegation(&self, role: &RoleName) -> Option<&RoleKeys> {
        let parent = claimed_by(&role.parent()?, &self.targets, &self.delegations)?;
        delegation_keys(parent, role).ok()
    }

    /// Every file, from the root down.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Document> {
        let top = [self.root.document(), self.targets.document()];
        let online = [self.snapshot.document(), self.timestamp.document()];
        top.into_iter().chain(self.delegations.values().map(Delegated::document)).chain(online)
    }

    /// The verified file of `targets` or of a delegation.
    pub(crate) fn tags_of(&self, role: &RoleName) -> Option<&Verified<Targets>> {
        match role {
            RoleName::Targets => Some(&self.targets),
            RoleName::Delegation(_) => self.delegations.get(role)?.verified(),
            RoleName::Root | RoleName::Snapshot | RoleName::Timestamp => None,
        }
    }

    /// Every role below `start`, nearest first and in the order of its parent's list, with its paths: how clients walk.
    /// What is below a file that is missing or not believed is not reached.
    pub(crate) fn delegations_below(&self, start: &RoleName) -> Vec<(RoleName, Paths)> {
        let mut waiting = VecDeque::from([(start.clone(), self.paths_of(start))]);
        let mut found = Vec::new();
        while let Some((role, paths)) = waiting.pop_front() {
            let Some(file) = self.tags_of(&role) else { continue };
            for delegation in &file.body().delegations {
                let below = (delegation.role.clone(), paths.narrowed_by(delegation));
                waiting.push_back(below.clone());
                found.push(below);
            }
        }
        found
    }

    /// Which tags `role` may sign, by every role above it.
    pub(crate) fn paths_of(&self, role: &RoleName) -> Paths {
        let mut chain = vec![role.clone()];
        while let Some(parent) = chain.last().and_then(RoleName::parent) {
            chain.push(parent);
        }
        let mut paths = Paths::all();
        let mut above = chain.pop();
        while let (Some(parent), Some(child)) = (above, chain.pop()) {
            let delegation = self
                .tags_of(&parent)
                .and_then(|file| file.body().delegations.iter().find(|d| d.role == child));
            match delegation {
                Some(delegation) => paths = paths.narrowed_by(delegation),
                None => return Paths::none(),
            }
            above = Some(child);
        }
        paths
    }
}

/// What the file of `targets` or of a delegation says, believed or not.
pub(crate) fn claimed_by<'s>(
    role: &RoleName,
    targets: &'s Verified<Targets>,
    delegations: &'s BTreeMap<RoleName, Delegated>,
) -> Option<&'s Targets> {
    if *role == RoleName::Targets {
        Some(targets.body())
    } else {
        delegations.get(role).map(Delegated::claimed)
    }
}

/// Checks the whole set as a client does, and returns what the snapshot names that no client would ask for.
///
/// `before`: a set that passed; what the same bytes are named as in both is not hashed again.
pub(crate) fn check(set: &Set, before: Option<&Set>) -> Result<Vec<RoleName>, TrustError> {
    let snapshot = set.snapshot.document();
    named(&set.timestamp.body().snapshot, RoleName::Timestamp, snapshot, None)?;
    let names = &set.snapshot.body().meta;
    let listed = [set.root.document(), set.targets.document()]
        .into_iter()
        .chain(set.delegations.values().map(Delegated::document));
    for document in listed {
        let role = document.role();
        let meta = names
            .get(role)
            .ok_or_else(|| TrustError::NotListed { listed_by: RoleName::Snapshot, role: role.clone() })?;
        let passed = before.and_then(|set| {
            let same = set.document(role)?.sha256() == document.sha256();
            if same { set.snapshot.body().meta.get(role) } else { None }
        });
        named(meta, RoleName::Snapshot, document, passed)?;
    }
    let delegated: BTreeSet<_> = std::iter::once(set.targets.body())
        .chain(set.delegations.values().map(Delegated::claimed))
        .flat_map(|file| file.delegations.iter().map(|delegation| &delegation.role))
        .collect();
    let unknown = names.keys().filter(|role| set.document(role).is_none());
    let (missing, strays): (Vec<_>, Vec<_>) = unknown.cloned().partition(|role| delegated.contains(role));
    match missing.into_iter().next() {
        Some(role) => Err(TrustError::Missing { role }),
        None => Ok(strays),
    }
}

fn named(
    meta: &FileMeta,
    listed_by: RoleName,
    document: &Document,
    passed: Option<&FileMeta>,
) -> Result<(), TrustError> {
    if passed == Some(meta) || meta.names(document) {
        return Ok(());
    }
    Err(TrustError::WrongContent {
        listed_by,
        role: document.role().clone(),
        listed: Box::new(meta.clone()),
        length: document.bytes().len(),
        sha256: *document.sha256(),
    })
}
