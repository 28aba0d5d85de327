//! What a tag stands for, by Docker's rule: `targets/releases` is asked first, then `targets`, and no other role.
//!
//! Docker walks down from `targets/releases` before it asks `targets`, and refuses a tag that it finds in a role below:
//! such a tag stands for nothing, even if `targets` has it as well (protocol of Notary v1, which roles docker uses).

use std::collections::HashSet;

use super::freshness::{Freshness, Whose};
use super::table::{Parts, Table};
use super::text::{HASHER, TagText};
use super::{Lookup, SignedIn, Target};
use crate::metadata::{TargetEntry, Targets};
use crate::terms::{RoleName, UnixTime};
use crate::trust::{Delegated, Set, Verified};

/// Every tag of a repository that Docker would resolve, and until when. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TagTable {
    table: Table,
    freshness: Freshness,
}

/// A tag that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct AskedTag<'a>(TagText<'a>);

impl TagTable {
    /// From verified roles only. Linear in the number of tags, unless `before` was made from the same files.
    pub(crate) fn new(set: &Set, before: Option<(&Set, &Self)>) -> Self {
        let targets = [
            (set.root.expires(), Whose::Root),
            (set.timestamp.expires(), Whose::Timestamp),
            (set.snapshot.expires(), Whose::Snapshot),
        ]
        .into_iter()
        .fold((set.targets.expires(), Whose::Targets), Ord::min);
        let releases = releases(set);
        let freshness = Freshness {
            targets,
            releases: releases
                .as_ref()
                .map_or(targets, |(file, _)| targets.min((file.expires(), Whose::Releases))),
        };
        let table = match before {
            Some((former, tags)) if same_tags(set, former) => tags.table.clone(),
            Some(_) | None => Table::new(&resolve(set, releases)),
        };
        Self { table, freshness }
    }

    /// The earliest expiry of root, timestamp, snapshot and targets, and whose it is.
    pub(crate) fn lapses(&self) -> (UnixTime, RoleName) {
        let (lapses, whose) = self.freshness.targets;
        (lapses, whose.role())
    }

    /// Whether another was made from the same files, or is a clone.
    pub(super) fn has_table_of(&self, other: &Self) -> bool {
        self.table.is_same(&other.table)
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// What it takes of the memory.
    pub(super) fn bytes(&self) -> usize {
        let Parts { pilots, words, .. } = self.table.parts();
        size_of_val(pilots) + size_of_val(words)
    }

    /// What `tag` stands for at `now`. No lock, no disk, no allocation.
    pub(crate) fn lookup(&self, tag: &str, now: UnixTime) -> Lookup {
        self.answer(&Self::ask(tag), now)
    }

    /// The first part of a lookup, which touches no table.
    pub(crate) fn ask(tag: &str) -> AskedTag<'_> {
        AskedTag(TagText::new(tag, &HASHER))
    }

    /// Begins to read what the next part needs.
    pub(crate) fn touch_pilot(&self, asked: &AskedTag<'_>) -> u64 {
        let Parts { layout, pilots, .. } = self.table.parts();
        pilots.get(layout.pilot_word(&asked.0)).copied().unwrap_or(0)
    }

    /// Begins to read what the last part needs.
    pub(crate) fn touch_line(&self, asked: &AskedTag<'_>) -> u64 {
        let parts = self.table.parts();
        parts.words.get(parts.line_at(&asked.0)).copied().unwrap_or(0)
    }

    /// The last part of a lookup.
    pub(crate) fn answer(&self, asked: &AskedTag<'_>, now: UnixTime) -> Lookup {
        self.freshness.answer(self.table.parts().find(&asked.0).map(|entry| entry.target()), now)
    }
}

/// Every tag that Docker would resolve, with what it stands for, in no order. Linear in their number.
pub(crate) fn tags(set: &Set) -> Vec<(&str, Target)> {
    resolve(set, releases(set))
}

fn releases(set: &Set) -> Option<(&Verified<Targets>, RoleName)> {
    let role = Whose::Releases.role();
    Some((set.tags_of(&role)?, role))
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

fn resolve<'a>(set: &'a Set, releases: Option<(&'a Verified<Targets>, RoleName)>) -> Vec<(&'a str, Target)> {
    let targets = &set.targets.body().targets;
    let signed_in = |from| move |entry: &'a TargetEntry| resolved(entry, from);
    let Some((file, role)) = releases else {
        return targets.iter().filter_map(signed_in(SignedIn::Targets)).collect();
    };
    let paths = set.paths_of(&role);
    let allowed = || file.body().targets.iter().filter(|entry| paths.allow(entry.tag.as_str()));
    let mut taken: HashSet<&str> = allowed().map(|entry| entry.tag.as_str()).collect();
    for (delegation, paths) in set.delegations_below(&role) {
        let below = set.tags_of(&delegation).into_iter().flat_map(|file| &file.body().targets);
        taken.extend(below.map(|entry| entry.tag.as_str()).filter(|tag| paths.allow(tag)));
    }
    let left = targets.iter().filter(|entry| !taken.contains(entry.tag.as_str()));
    let left = left.filter_map(signed_in(SignedIn::Targets));
    left.chain(allowed().filter_map(signed_in(SignedIn::Releases))).collect()
}

/// A target without SHA-256 stands for nothing that a registry could be asked for.
fn resolved(entry: &TargetEntry, from: SignedIn) -> Option<(&str, Target)> {
    Some((entry.tag.as_str(), Target { sha256: entry.sha256?, length: entry.length, from }))
}
