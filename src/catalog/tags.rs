//! What a tag stands for, by Docker's rule: `targets/releases` is asked first, then `targets`, and no other role.
//!
//! Docker walks down from `targets/releases` before it asks `targets`, and refuses a tag that it finds in a role below:
//! such a tag stands for nothing, even if `targets` has it as well (protocol of Notary v1, which roles docker uses).

use std::collections::HashMap;
use std::sync::Arc;

use crate::metadata::{TargetEntry, Targets};
use crate::terms::{RoleName, Sha256, Tag, UnixTime};
use crate::trust::{Delegated, Set, Verified};

/// What a tag stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// Of the image's manifest, or of whatever the publisher signed.
    pub sha256: Sha256,
    /// Of the same, in bytes.
    pub length: u64,
    /// Which role says so.
    pub from: SignedIn,
}

/// The two roles that a tag is looked up in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "Docker asks these two and no other")]
pub enum SignedIn {
    /// The delegation `targets/releases`.
    Releases,
    /// The top-level role `targets`.
    Targets,
}

impl SignedIn {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Releases => RELEASES,
            Self::Targets => "targets",
        }
    }
}

impl core::fmt::Display for SignedIn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

const RELEASES: &str = "targets/releases";

/// The answer to "what does this tag stand for?".
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller that decides what to run must see every case")]
pub enum Lookup {
    /// This target.
    Found(Found),
    /// The repository has published, but not this tag.
    NoSuchTag,
    /// Nothing is published under this name.
    NoSuchRepository,
    /// Something on the way from the root to the tag has expired: whether newer metadata is being withheld cannot be told.
    Expired {
        /// What expired first.
        role: RoleName,
        /// Since when.
        since: UnixTime,
    },
}

/// A target whose whole chain is fresh.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// What the tag stands for.
    pub target: Target,
    /// Until when the answer may be relied on: the earliest expiry on the way from the root.
    pub fresh_until: UnixTime,
}

/// Every tag of a repository that Docker would resolve.
#[derive(Debug)]
pub(crate) struct TagTable {
    tags: Arc<HashMap<Tag, Target>>,
    /// The earliest expiry of root, timestamp, snapshot and targets, and whose it is.
    lapses: (UnixTime, RoleName),
    /// The same with `targets/releases` counted in.
    releases_lapses: (UnixTime, RoleName),
}

impl TagTable {
    /// From verified roles only. Linear in the number of tags, unless `before` was made from the same files.
    pub(crate) fn new(set: &Set, before: Option<(&Set, &Self)>) -> Self {
        let lapses = [
            (set.root.expires(), RoleName::Root),
            (set.timestamp.expires(), RoleName::Timestamp),
            (set.snapshot.expires(), RoleName::Snapshot),
        ]
        .into_iter()
        .fold((set.targets.expires(), RoleName::Targets), Ord::min);
        let releases = RELEASES.parse().ok().and_then(|role| Some((set.tags_of(&role)?, role)));
        let releases_lapses = match &releases {
            Some((file, role)) => lapses.clone().min((file.expires(), role.clone())),
            None => lapses.clone(),
        };
        let tags = match before {
            Some((former, table)) if same_tags(set, former) => Arc::clone(&table.tags),
            Some(_) | None => Arc::new(resolve(set, releases)),
        };
        Self { tags, lapses, releases_lapses }
    }

    /// What `tag` stands for at `now`. No lock, no disk, no allocation.
    pub(crate) fn lookup(&self, tag: &str, now: UnixTime) -> Lookup {
        let Some(&target) = self.tags.get(tag) else {
            return if self.lapses.0 < now { expired(&self.lapses) } else { Lookup::NoSuchTag };
        };
        let lapses = match target.from {
            SignedIn::Releases => &self.releases_lapses,
            SignedIn::Targets => &self.lapses,
        };
        if lapses.0 < now { expired(lapses) } else { Lookup::Found(Found { target, fresh_until: lapses.0 }) }
    }

    /// Whether two tables answer every question alike.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.lapses == other.lapses
            && self.releases_lapses == other.releases_lapses
            && self.tags == other.tags
    }

    /// All tags, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Target)> {
        self.tags.iter().map(|(tag, target)| (tag.as_str(), *target))
    }

    /// The earliest expiry of root, timestamp, snapshot and targets, and whose it is.
    pub(crate) fn lapses(&self) -> &(UnixTime, RoleName) {
        &self.lapses
    }
}

fn expired((since, role): &(UnixTime, RoleName)) -> Lookup {
    Lookup::Expired { role: role.clone(), since: *since }
}

/// Whether two sets have the very same files of targets and delegations, believed alike.
fn same_tags(one: &Set, other: &Set) -> bool {
    let alike = |(a, b): (&Delegated, &Delegated)| {
        a.document().sha256() == b.document().sha256() && a.verified().is_some() == b.verified().is_some()
    };
    one.targets.document().sha256() == other.targets.document().sha256()
        && one.delegations.len() == other.delegations.len()
        && one.delegations.keys().eq(other.delegations.keys())
        && one.delegations.values().zip(other.delegations.values()).all(alike)
}

fn resolve(set: &Set, releases: Option<(&Verified<Targets>, RoleName)>) -> HashMap<Tag, Target> {
    let mut tags = HashMap::with_capacity(set.targets.body().targets.len());
    for entry in &set.targets.body().targets {
        insert(&mut tags, entry, SignedIn::Targets);
    }
    let Some((file, role)) = releases else { return tags };
    for (delegation, paths) in set.delegations_below(&role) {
        let below = set.tags_of(&delegation).into_iter().flat_map(|file| &file.body().targets);
        for entry in below.filter(|entry| paths.allow(entry.tag.as_str())) {
            tags.remove(entry.tag.as_str());
        }
    }
    let paths = set.paths_of(&role);
    for entry in file.body().targets.iter().filter(|entry| paths.allow(entry.tag.as_str())) {
        tags.remove(entry.tag.as_str());
        insert(&mut tags, entry, SignedIn::Releases);
    }
    tags
}

/// A target without SHA-256 stands for nothing that a registry could be asked for.
fn insert(tags: &mut HashMap<Tag, Target>, entry: &TargetEntry, from: SignedIn) {
    if let Some(sha256) = entry.sha256 {
        tags.insert(entry.tag.clone(), Target { sha256, length: entry.length, from });
    }
}
