use super::RoleKeys;
#[cfg(test)]
use crate::terms::RoleName;

/// Says which keys the roles at the top have.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "a root speaks of the role root, too")]
pub(crate) struct Root {
    /// Of root itself.
    pub root: RoleKeys,
    /// Of the top-level targets.
    pub targets: RoleKeys,
    /// Of the snapshot.
    pub snapshot: RoleKeys,
    /// Of the timestamp.
    pub timestamp: RoleKeys,
}

#[cfg(test)]
impl Root {
    /// The keys of one role; `None` for a delegation, which its parent speaks for.
    pub(crate) fn keys(&self, role: &RoleName) -> Option<&RoleKeys> {
        match role {
            RoleName::Root => Some(&self.root),
            RoleName::Targets => Some(&self.targets),
            RoleName::Snapshot => Some(&self.snapshot),
            RoleName::Timestamp => Some(&self.timestamp),
            RoleName::Delegation(_) => None,
        }
    }
}
