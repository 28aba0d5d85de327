//! Who may sign which tags: delegations are a tree by name, and their paths are string prefixes (protocol of Notary v1,
//! walk used for lookups).

use super::TrustError;
use crate::metadata::{Delegation, RoleKeys, Targets};
use crate::terms::RoleName;

/// The prefixes that a role's tags must begin with, cut to what every role above allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Paths(Vec<Box<str>>);

impl Paths {
    /// What the top-level role `targets` has.
    pub(crate) fn all() -> Self {
        Self(vec!["".into()])
    }

    /// What a role has that nobody delegates to.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether `tag` is inside. With no path at all nothing is.
    pub(crate) fn allow(&self, tag: &str) -> bool {
        self.0.iter().any(|prefix| tag.starts_with(&**prefix))
    }

    /// What a role below has: those of its paths that lie inside; the others are dropped in silence, as clients do.
    pub(crate) fn narrowed_by(&self, delegation: &Delegation) -> Self {
        Self(delegation.paths.iter().filter(|path| self.allow(path)).cloned().collect())
    }
}

/// The keys that `parent` gives to `role`.
pub(crate) fn delegation_keys<'p>(parent: &'p Targets, role: &RoleName) -> Result<&'p RoleKeys, TrustError> {
    let delegation = parent.delegation(role);
    delegation
        .map(|delegation| &delegation.keys)
        .ok_or_else(|| TrustError::UnknownDelegation { role: role.clone() })
}
