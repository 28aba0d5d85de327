use super::RoleKeys;
use crate::terms::{RoleName, Sha256, Sha512, Tag};

/// What tags stand for, and whose word counts below.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// In the order that gives their priority; each name once, each a child of this role.
    pub delegations: Vec<Delegation>,
    /// Sorted by tag, each tag once.
    pub targets: Vec<TargetEntry>,
}

/// A child role as its parent describes it.
#[derive(Clone, Debug)]
pub(crate) struct Delegation {
    /// Its full name.
    pub role: RoleName,
    /// Who signs for it.
    pub keys: RoleKeys,
    /// How the tags that it may list begin; none may be listed if there is none.
    pub paths: Vec<Box<str>>,
}

/// What one tag stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TargetEntry {
    /// The name.
    pub tag: Tag,
    /// Of the content; what an image is pulled by.
    pub sha256: Option<Sha256>,
    /// Of the content.
    pub sha512: Option<Sha512>,
    /// Of the content in bytes.
    pub length: u64,
}

impl Targets {
    /// The delegation of that name.
    pub(crate) fn delegation(&self, role: &RoleName) -> Option<&Delegation> {
        self.delegations.iter().find(|delegation| delegation.role == *role)
    }

    /// What `tag` stands for here.
    pub(crate) fn target(&self, tag: &str) -> Option<&TargetEntry> {
        let at = self.targets.binary_search_by(|entry| entry.tag.as_str().cmp(tag)).ok()?;
        self.targets.get(at)
    }
}
