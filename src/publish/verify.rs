//! `Parsed` to `Verified`: each uploaded file is signed by whom the set names, newer than what is there, and not expired
//! (protocol of Notary v1, sequence of an update).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PublishError;
use super::base::Base;
use super::parse::ParsedUpload;
use crate::metadata::{Document, Parsed, Root, Snapshot, Targets};
use crate::terms::{RoleName, UnixTime, Version};
use crate::trust::{
    Set, TrustError, Verified, delegation_keys, first_root, fresh, may_be_first, next_root, verify as signed,
    verify_delegation,
};

/// An upload whose every file is believed, one by one; whether they belong together is not said yet.
#[derive(Debug)]
pub(crate) struct VerifiedUpload {
    /// The uploaded root, or the trusted one.
    pub(super) root: Arc<Verified<Root>>,
    pub(super) targets: Option<Verified<Targets>>,
    pub(super) delegations: BTreeMap<RoleName, Verified<Targets>>,
    pub(super) snapshot: Option<Verified<Snapshot>>,
}

/// Checks each file by itself, against the uploaded file above it or else the trusted one.
pub(crate) fn verify(
    upload: ParsedUpload,
    base: &Base,
    now: UnixTime,
) -> Result<VerifiedUpload, PublishError> {
    let set = base.set();
    let root = match upload.root {
        Some(parsed) => Arc::new(root(parsed, base, now).map_err(|refusal| refusal.of(RoleName::Root))?),
        None => Arc::clone(&set.ok_or(PublishError::Missing { role: RoleName::Root })?.root),
    };
    let targets = match upload.targets {
        Some(parsed) => {
            let file = current_file(set, &RoleName::Targets);
            let checked = newer(&parsed, file).and_then(|()| Ok(signed(parsed, &root.body().targets)?));
            Some(not_expired(checked, now).map_err(|refusal| refusal.of(RoleName::Targets))?)
        }
        None => None,
    };
    let mut delegations = BTreeMap::new();
    for ((_, role), parsed) in upload.delegations {
        let file = delegation(&role, parsed, targets.as_ref(), &delegations, set);
        let file = not_expired(file, now).map_err(|refusal| refusal.of(role.clone()))?;
        delegations.insert(role, file);
    }
    let snapshot = match upload.snapshot {
        Some(parsed) => {
            let file = current_file(set, &RoleName::Snapshot);
            let checked = newer(&parsed, file).and_then(|()| Ok(signed(parsed, &root.body().snapshot)?));
            Some(not_expired(checked, now).map_err(|refusal| refusal.of(RoleName::Snapshot))?)
        }
        None => None,
    };
    Ok(VerifiedUpload { root, targets, delegations, snapshot })
}

/// Why one file is refused; which one, the caller knows.
enum Refusal {
    Superseded { current: Version, offered: Version },
    Untrusted(TrustError),
}

impl From<TrustError> for Refusal {
    fn from(source: TrustError) -> Self {
        Self::Untrusted(source)
    }
}

impl Refusal {
    fn of(self, role: RoleName) -> PublishError {
        match self {
            Self::Superseded { current, offered } => PublishError::Superseded { role, current, offered },
            Self::Untrusted(source) => PublishError::Untrusted { role, source },
        }
    }
}

fn root(parsed: Parsed<Root>, base: &Base, now: UnixTime) -> Result<Verified<Root>, Refusal> {
    let trusted = base.set().map(|set| &set.root);
    newer(&parsed, trusted.map(|root| root.version()))?;
    let root = match trusted {
        Some(trusted) => next_root(parsed, trusted, base.repository(), Some(now)),
        None if !may_be_first(parsed.version()) => {
            Err(TrustError::VersionGap { trusted: None, offered: parsed.version() })
        }
        None => first_root(parsed, base.repository(), Some(now)),
    };
    not_expired(root.map_err(Refusal::from), now)
}

/// A delegation is judged by the file above it: the uploaded one, or else the trusted one.
fn delegation(
    role: &RoleName,
    parsed: Parsed<Targets>,
    targets: Option<&Verified<Targets>>,
    uploaded: &BTreeMap<RoleName, Verified<Targets>>,
    set: Option<&Set>,
) -> Result<Verified<Targets>, Refusal> {
    let unknown = || TrustError::UnknownDelegation { role: role.clone() };
    let parent = role.parent().ok_or_else(unknown)?;
    let above = if parent == RoleName::Targets { targets } else { uploaded.get(&parent) };
    let above = above.or_else(|| set?.tags_of(&parent)).ok_or_else(unknown)?;
    let keys = delegation_keys(above.body(), role)?;
    newer(&parsed, set.and_then(|set| set.delegations.get(role)).map(|file| file.document().version()))?;
    Ok(verify_delegation(parsed, keys)?)
}

fn current_file(set: Option<&Set>, role: &RoleName) -> Option<Version> {
    set?.document(role).map(Document::version)
}

/// A role that is there already at this version or a later one is superseded, whoever put it there.
fn newer<B>(parsed: &Parsed<B>, current: Option<Version>) -> Result<(), Refusal> {
    match current {
        Some(current) if parsed.version() <= current => {
            Err(Refusal::Superseded { current, offered: parsed.version() })
        }
        Some(_) | None => Ok(()),
    }
}

fn not_expired<B>(file: Result<Verified<B>, Refusal>, now: UnixTime) -> Result<Verified<B>, Refusal> {
    let file = file?;
    fresh(file.expires(), now)?;
    Ok(file)
}
