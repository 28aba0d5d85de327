//! Signing what has changed.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tufstore::Upload;
use tufstore::metadata::write::{FileMeta, Message, Signature, Signers, UnsignedSnapshot, WriteError};
use tufstore::terms::{RoleName, UnixTime, Version};

use super::{Author, File};
use crate::error::AuthorError;

const DAY: Duration = Duration::from_hours(24);
/// As every client has them (protocol of Notary v1, constants).
const ROOT_LIFETIME: Duration = DAY.saturating_mul(365 * 10);
const LIFETIME: Duration = DAY.saturating_mul(365 * 3);
/// A root that has no longer to live than this is signed anew with whatever else is signed.
const ROOT_IS_DUE: Duration = DAY.saturating_mul(182);

/// The new files, and the author that has published them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Signed {
    /// What to publish. Empty where nothing has changed.
    pub upload: Upload,
    /// What the author is from then on.
    pub next: Author,
}

impl Author {
    /// Signs what has changed, each file at its next version, and a snapshot if the author holds its key.
    ///
    /// A root that expires within half a year is signed anew along with it.
    ///
    /// # Errors
    /// [`AuthorError::NotHeld`] if a changed role's keys are not the author's; [`AuthorError::Unwritable`].
    pub fn sign(&self, now: UnixTime) -> Result<Signed, AuthorError> {
        let mut next = self.clone();
        let tree = self.tree();
        let mut changed = std::mem::take(&mut next.changed);
        changed.retain(|role| !matches!(role, RoleName::Delegation(_)) || tree.contains(role));
        if !changed.is_empty() && now.until(self.root.expires) < ROOT_IS_DUE {
            changed.insert(RoleName::Root);
        }
        let mut new: BTreeMap<RoleName, File> = BTreeMap::new();
        for role in &changed {
            let version = self.next_version(role)?;
            let message = match role {
                RoleName::Root => {
                    (next.root.version, next.root.expires) = (version, now.after(ROOT_LIFETIME));
                    next.root.message()
                }
                RoleName::Targets | RoleName::Delegation(_) => {
                    let file = next.content(role.clone());
                    (file.version, file.expires) = (version, now.after(LIFETIME));
                    file.message(role)
                }
                RoleName::Snapshot | RoleName::Timestamp => continue,
            };
            new.insert(role.clone(), self.file(role, version, message, &self.signers_of(role)?)?);
        }
        // Whoever has none of its keys leaves it to the server.
        let holds_snapshot = !self.keys.held_of(&self.root.snapshot.keys).is_empty();
        if !changed.is_empty() && holds_snapshot {
            new.insert(RoleName::Snapshot, self.snapshot(&tree, &new, now)?);
        }
        let upload = new
            .iter()
            .fold(Upload::new(), |upload, (role, file)| upload.with(role.clone(), Arc::clone(&file.bytes)));
        next.changed.clear();
        next.published.root = Some(next.root.root.clone());
        next.published.files.extend(new);
        next.published
            .files
            .retain(|role, _| !matches!(role, RoleName::Delegation(_)) || tree.contains(role));
        next.targets.retain(|role, _| tree.contains(role));
        next.unreadable.retain(|role, _| tree.contains(role));
        Ok(Signed { upload, next })
    }

    fn snapshot(
        &self,
        tree: &BTreeSet<RoleName>,
        new: &BTreeMap<RoleName, File>,
        now: UnixTime,
    ) -> Result<File, AuthorError> {
        let role = RoleName::Snapshot;
        let files = tree.iter().chain([&RoleName::Root]).filter_map(|role| {
            let file = new.get(role).or_else(|| self.published.files.get(role))?;
            Some((role.clone(), FileMeta::of(&file.bytes)))
        });
        let version = self.next_version(&role)?;
        let message = UnsignedSnapshot::new(version, now.after(LIFETIME), files.collect()).message();
        self.file(&role, version, message, &[&self.root.snapshot])
    }

    fn next_version(&self, role: &RoleName) -> Result<Version, AuthorError> {
        match self.version(role) {
            None => Ok(Version::FIRST),
            Some(version) => version.next().ok_or_else(|| AuthorError::LastVersion { role: role.clone() }),
        }
    }

    /// Whose signatures a new file of `role` needs: a root's also those of the root before.
    fn signers_of(&self, role: &RoleName) -> Result<Vec<&Signers>, AuthorError> {
        match role {
            RoleName::Root => {
                Ok([Some(&self.root.root), self.published.root.as_ref()].into_iter().flatten().collect())
            }
            RoleName::Targets => Ok(vec![&self.root.targets]),
            RoleName::Snapshot => Ok(vec![&self.root.snapshot]),
            RoleName::Timestamp => Ok(vec![&self.root.timestamp]),
            RoleName::Delegation(_) => {
                let parent = role.parent().and_then(|parent| self.targets.get(&parent));
                let mut delegations = parent.into_iter().flat_map(|parent| &parent.delegations);
                let delegation = delegations.find(|delegation| delegation.role == *role);
                let unknown = || AuthorError::UnknownDelegation { role: role.clone() };
                Ok(vec![&delegation.ok_or_else(unknown)?.signers])
            }
        }
    }

    /// The file with the signatures of every key that is held, as long as each of `needed` is met.
    fn file(
        &self,
        role: &RoleName,
        version: Version,
        message: Result<Message, WriteError>,
        needed: &[&Signers],
    ) -> Result<File, AuthorError> {
        let message = message.map_err(|source| AuthorError::Unwritable { role: role.clone(), source })?;
        let mut signatures: Vec<Signature> = Vec::new();
        for signers in needed {
            let held = self.keys.held_of(&signers.keys);
            let threshold = signers.threshold;
            if !threshold.is_met_by(held.len()) {
                return Err(AuthorError::NotHeld { role: role.clone(), threshold, held: held.len() });
            }
            for (listed, private) in held {
                if !signatures.iter().any(|other| other.key == listed.id()) {
                    let (method, bytes) = private.sign(message.as_bytes())?;
                    signatures.push(Signature::new(listed.id(), method, bytes));
                }
            }
        }
        Ok(File { version, bytes: message.envelope(&signatures).into() })
    }
}
