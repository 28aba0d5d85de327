//! `Verified` to `Complete`: what was not uploaded is carried along, what the store has to sign is signed, and the whole
//! set is checked in a client's order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::base::Base;
use super::restore::Floor;
use super::verify::VerifiedUpload;
use super::{PublishError, Publisher};
use crate::crypto::{OnlineRole, OnlineScope, OnlineSignature, SealedKey};
use crate::metadata::{
    Document, FileMeta, Parsed, RoleKeys, Signature, Snapshot, Targets, Timestamp, parse_snapshot,
    parse_targets, parse_timestamp, write,
};
use crate::storage::StorageError;
use crate::terms::{RoleName, UnixTime, Version};
use crate::trust::{
    Delegated, Set, Verified, Warning, check, is_new, verify as signed, verify_or_fault, warnings,
};

/// A set that a client would accept whole, and what of it is new.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(super) set: Set,
    /// In the order in which they are stored: roots, targets, delegations, snapshot, timestamp.
    pub(super) new: Vec<Document>,
    /// The sealed keys that signed here for the first time.
    pub(super) first_used: Vec<SealedKey>,
    pub(super) warnings: Vec<Warning>,
}

/// Completes an upload to a whole set.
pub(crate) fn complete(
    upload: VerifiedUpload,
    base: &Base,
    publisher: &Publisher,
    floor: Floor,
    now: UnixTime,
) -> Result<Complete, PublishError> {
    let VerifiedUpload { root, targets, delegations, snapshot } = upload;
    let before = base.set();
    let targets = match targets {
        Some(targets) => Arc::new(targets),
        None => carry_targets(before, &root.body().targets, publisher)?,
    };
    let delegations = carry_delegations(&targets, delegations, before, publisher)?;
    let mut signer = OnlineSigner { publisher, base, floor, first_used: Vec::new() };
    let content = Content { root: &root, targets: &targets, delegations: &delegations };
    let snapshot = match snapshot {
        Some(snapshot) => Arc::new(snapshot),
        None => signer.snapshot(&content, now)?,
    };
    let timestamp = Arc::new(signer.timestamp(&content, snapshot.document(), now)?);
    let first_used = signer.first_used;
    let set = Set { root, targets, delegations, snapshot, timestamp };
    let strays =
        check(&set, before).map_err(|source| PublishError::Untrusted { role: RoleName::Snapshot, source })?;
    let new = set.documents().filter(|document| is_new(document, before)).cloned().collect();
    let warnings = warnings(&set, before, strays, now);
    Ok(Complete { set, new, first_used, warnings })
}

/// The targets file that stays, under the root of the new set.
fn carry_targets(
    before: Option<&Set>,
    keys: &RoleKeys,
    publisher: &Publisher,
) -> Result<Arc<Verified<Targets>>, PublishError> {
    let before = before.ok_or(PublishError::Missing { role: RoleName::Targets })?;
    if before.root.body().targets == *keys {
        return Ok(Arc::clone(&before.targets));
    }
    let parsed = again(before.targets.document(), publisher)?;
    let targets =
        signed(parsed, keys).map_err(|source| PublishError::Untrusted { role: RoleName::Targets, source })?;
    Ok(Arc::new(targets))
}

/// The files of the delegation tree as the new set has it: the uploaded ones, and those that stay. What no longer lies
/// in the tree is left out, so that a delegation which is removed and made anew begins anew.
fn carry_delegations(
    targets: &Verified<Targets>,
    mut uploaded: BTreeMap<RoleName, Verified<Targets>>,
    before: Option<&Set>,
    publisher: &Publisher,
) -> Result<BTreeMap<RoleName, Delegated>, PublishError> {
    let mut tree: BTreeMap<RoleName, Delegated> = BTreeMap::new();
    let mut waiting: VecDeque<_> = targets.body().delegations.iter().cloned().collect();
    while let Some(delegation) = waiting.pop_front() {
        let role = delegation.role;
        let file = match (uploaded.remove(&role), before) {
            (Some(file), _) => Delegated::Verified(Arc::new(file)),
            (None, Some(before)) => match carry_delegation(&role, &delegation.keys, before, publisher)? {
                Some(file) => file,
                None => continue,
            },
            (None, None) => continue,
        };
        waiting.extend(file.claimed().delegations.iter().cloned());
        tree.insert(role, file);
    }
    match uploaded.into_keys().next() {
        None => Ok(tree),
        Some(role) => {
            let source = crate::trust::TrustError::UnknownDelegation { role: role.clone() };
            Err(PublishError::Untrusted { role, source })
        }
    }
}

fn carry_delegation(
    role: &RoleName,
    keys: &RoleKeys,
    before: &Set,
    publisher: &Publisher,
) -> Result<Option<Delegated>, PublishError> {
    let Some(held) = before.delegations.get(role) else { return Ok(None) };
    if before.keys_of_delegation(role) == Some(keys) {
        return Ok(Some(held.clone()));
    }
    Ok(Some(verify_or_fault(again(held.document(), publisher)?, keys)))
}

/// Reads a file that was read before, to verify it under other keys.
fn again(document: &Document, publisher: &Publisher) -> Result<Parsed<Targets>, StorageError> {
    parse_targets(document.role().clone(), Arc::clone(document.bytes()), &publisher.loader.limits)
        .map_err(|_| StorageError::Bug("a file that was published cannot be read again"))
}

/// What a snapshot has to name.
struct Content<'a> {
    root: &'a Arc<Verified<crate::metadata::Root>>,
    targets: &'a Arc<Verified<Targets>>,
    delegations: &'a BTreeMap<RoleName, Delegated>,
}

impl Content<'_> {
    fn documents(&self) -> impl Iterator<Item = &Document> {
        [self.root.document(), self.targets.document()]
            .into_iter()
            .chain(self.delegations.values().map(Delegated::document))
    }

    fn is_that_of(&self, before: &Set) -> bool {
        self.documents().all(|document| !is_new(document, Some(before)))
            && self.delegations.len() == before.delegations.len()
    }
}

/// Makes the files of the roles that the store holds, through the port, and believes them by the same rules as others'.
struct OnlineSigner<'a> {
    publisher: &'a Publisher,
    base: &'a Base,
    floor: Floor,
    first_used: Vec<SealedKey>,
}

impl OnlineSigner<'_> {
    /// The snapshot that stays, if it names just this content, is not soon due and above the floor; else a new one.
    fn snapshot(
        &mut self,
        content: &Content<'_>,
        now: UnixTime,
    ) -> Result<Arc<Verified<Snapshot>>, PublishError> {
        let lifetime = self.publisher.lifetimes.snapshot;
        let unchanged = self.base.set().filter(|before| content.is_that_of(before));
        if let Some(before) = unchanged
            && now.until(before.snapshot.expires()) > lifetime / 3
            && Some(before.snapshot.version()) > self.floor.snapshot
        {
            return Ok(Arc::clone(&before.snapshot));
        }
        let before = self.base.set().map(|set| set.snapshot.version());
        let version = next_version(before.max(self.floor.snapshot))?;
        let meta =
            content.documents().map(|document| (document.role().clone(), self.meta(document))).collect();
        let message = write::UnsignedSnapshot::new(version, now.after(lifetime), meta).message();
        let message =
            message.map_err(|source| PublishError::Unwritable { role: RoleName::Snapshot, source })?;
        let keys = &content.root.body().snapshot;
        let signed = self.sign(OnlineRole::Snapshot, keys, &message).and_then(|bytes| {
            believe(OnlineRole::Snapshot, parse_snapshot(bytes, &self.publisher.loader.limits), keys)
        });
        match (signed, unchanged) {
            (Ok(snapshot), _) => Ok(Arc::new(snapshot)),
            // Held by its publisher: what is stored is served until they sign anew, expired or not.
            (Err(PublishError::NotHeld { .. }), Some(before)) => Ok(Arc::clone(&before.snapshot)),
            (Err(error), _) => Err(error),
        }
    }

    fn timestamp(
        &mut self,
        content: &Content<'_>,
        snapshot: &Document,
        now: UnixTime,
    ) -> Result<Verified<Timestamp>, PublishError> {
        let before = self.base.set().map(|set| set.timestamp.version());
        let version = next_version(before.max(self.floor.timestamp))?;
        let meta = match self.base.set() {
            Some(set) if set.snapshot.document().sha256() == snapshot.sha256() => {
                set.timestamp.body().snapshot.clone()
            }
            Some(_) | None => FileMeta::of_document(snapshot),
        };
        let expires = now.after(self.publisher.lifetimes.timestamp);
        let message = write::UnsignedTimestamp::new(version, expires, meta).message();
        let message =
            message.map_err(|source| PublishError::Unwritable { role: RoleName::Timestamp, source })?;
        let keys = &content.root.body().timestamp;
        let bytes = self.sign(OnlineRole::Timestamp, keys, &message)?;
        believe(OnlineRole::Timestamp, parse_timestamp(bytes, &self.publisher.loader.limits), keys)
    }

    /// How a snapshot names `document`; what the one before names alike is not hashed again.
    fn meta(&self, document: &Document) -> FileMeta {
        let before = self.base.set().and_then(|set| {
            let same = set.document(document.role())?.sha256() == document.sha256();
            let meta = set.snapshot.body().meta.get(document.role())?;
            (same && meta.sha256.is_some() && meta.sha512.is_some()).then_some(meta)
        });
        before.cloned().unwrap_or_else(|| FileMeta::of_document(document))
    }

    fn sign(
        &mut self,
        role: OnlineRole,
        keys: &RoleKeys,
        message: &write::Message,
    ) -> Result<Arc<[u8]>, PublishError> {
        let held: Vec<_> = self.base.online().iter().chain(&self.first_used).cloned().collect();
        let scope = OnlineScope::new(self.base.repository(), self.base.incarnation(), role, &held);
        let wanted: Vec<_> = keys.keys.iter().map(|key| key.id).collect();
        let signatures = self.publisher.online.sign(scope, &wanted, message.as_bytes())?;
        if signatures.is_empty() {
            return Err(PublishError::NotHeld { role });
        }
        let mut listed = Vec::with_capacity(signatures.len());
        for OnlineSignature { key, method, bytes, first_use } in signatures {
            listed.push(Signature::new(key, method, bytes));
            self.first_used.extend(first_use);
        }
        Ok(message.envelope(&listed).into())
    }
}

/// Our own signature is believed by the same rule as anybody's: too few keys held is too few signatures.
fn believe<B>(
    role: OnlineRole,
    parsed: Result<Parsed<B>, crate::metadata::ParseError>,
    keys: &RoleKeys,
) -> Result<Verified<B>, PublishError> {
    let parsed = parsed.map_err(|source| PublishError::Malformed { role: role.into(), source })?;
    signed(parsed, keys).map_err(|_| PublishError::NotHeld { role })
}

fn next_version(before: Option<Version>) -> Result<Version, StorageError> {
    match before {
        None => Ok(Version::FIRST),
        Some(before) => before.next().ok_or(StorageError::Bug("no version is left")),
    }
}
