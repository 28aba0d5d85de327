//! What is accepted although clients complain of it, since refusing would lock out whoever comes to mend it.

use super::{Delegated, Set, TrustError, check};
use crate::crypto::{Certificate, CertificateBundle, KeyId};
use crate::metadata::Document;
use crate::terms::{RoleName, Tag, UnixTime};

/// What clients complain of, or would at some time.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A file that was there before has expired. Its signers must sign anew.
    #[error("{role} expired at {expires}: its signers must sign it anew")]
    Expired {
        /// Whose file.
        role: RoleName,
        /// Since when.
        expires: UnixTime,
    },
    /// The certificate of a root key has expired, or one that it stands on: who does not know the root yet refuses it. Its
    /// owner must rotate the key.
    #[error(
        "the certificate of root key {key} expired at {expires}: rotate the key, or sign with a new certificate of it"
    )]
    Certificate {
        /// The key's id in the root.
        key: KeyId,
        /// Since when.
        expires: UnixTime,
    },
    /// The snapshot names a file of a role that nobody delegates to; no client asks for it.
    #[error("the snapshot names {role}, which nobody delegates to")]
    Stray {
        /// The role.
        role: RoleName,
    },
    /// A delegation's file is not signed by its present keys. Clients skip it until its signers sign anew.
    #[error("{role} is skipped by clients until its signers sign it anew")]
    Untrusted {
        /// Whose file.
        role: RoleName,
        /// Which rule it breaks.
        source: TrustError,
    },
    /// A delegation names tags outside its paths. Clients do not see them.
    #[error("{role} names {count} tags outside its paths, {first} among them, which clients do not see")]
    OutsidePaths {
        /// Whose file.
        role: RoleName,
        /// How many.
        count: usize,
        /// One of them.
        first: Tag,
    },
}

impl Warning {
    /// Since when, of what time brings about.
    pub fn expires(&self) -> Option<UnixTime> {
        match self {
            Self::Expired { expires, .. } | Self::Certificate { expires, .. } => Some(*expires),
            Self::Stray { .. } | Self::Untrusted { .. } | Self::OutsidePaths { .. } => None,
        }
    }

    /// The role whose signers have to act; for what the snapshot names too much, whoever signs that.
    pub fn role(&self) -> &RoleName {
        match self {
            Self::Certificate { .. } => &RoleName::Root,
            Self::Stray { .. } => &RoleName::Snapshot,
            Self::Expired { role, .. } | Self::Untrusted { role, .. } | Self::OutsidePaths { role, .. } => {
                role
            }
        }
    }
}

/// Whether a set before did not have these bytes.
pub(crate) fn is_new(document: &Document, before: Option<&Set>) -> bool {
    let there = before.and_then(|set| set.document(document.role()));
    there.is_none_or(|there| there.sha256() != document.sha256())
}

/// What clients complain of at `now` in a set that passed its checks.
pub(crate) fn all_warnings(set: &Set, now: UnixTime) -> Vec<Warning> {
    // It passed before.
    let strays = check(set, Some(set)).unwrap_or_default();
    warnings(set, None, strays, now)
}

/// The same; what concerns tags alone only of files that were not in the set before.
pub(crate) fn warnings(
    set: &Set,
    before: Option<&Set>,
    strays: Vec<RoleName>,
    now: UnixTime,
) -> Vec<Warning> {
    let mut warnings: Vec<_> = strays.into_iter().map(|role| Warning::Stray { role }).collect();
    let mut times = vec![
        (RoleName::Root, set.root.expires()),
        (RoleName::Targets, set.targets.expires()),
        (RoleName::Snapshot, set.snapshot.expires()),
        (RoleName::Timestamp, set.timestamp.expires()),
    ];
    times.extend(set.delegations.iter().map(|(role, file)| (role.clone(), file.expires())));
    let expired = times.into_iter().filter(|(_, expires)| *expires < now);
    warnings.extend(expired.map(|(role, expires)| Warning::Expired { role, expires }));
    for key in &set.root.body().root.keys {
        let ends = key.certificates().into_iter().flat_map(CertificateBundle::certificates);
        if let Some(expires) = ends.map(Certificate::not_after).min().filter(|expires| *expires < now) {
            warnings.push(Warning::Certificate { key: key.id, expires });
        }
    }
    for (role, file) in &set.delegations {
        match file {
            Delegated::Faulty(file) => {
                warnings.push(Warning::Untrusted { role: role.clone(), source: file.why().clone() });
            }
            // Said once, when the file comes.
            Delegated::Verified(file) if is_new(file.document(), before) => {
                let paths = set.paths_of(role);
                let mut outside = file.body().targets.iter().filter(|entry| !paths.allow(entry.tag.as_str()));
                if let Some(first) = outside.next() {
                    let (role, first) = (role.clone(), first.tag.clone());
                    warnings.push(Warning::OutsidePaths { role, count: outside.count() + 1, first });
                }
            }
            Delegated::Verified(_) => {}
        }
    }
    warnings
}
