//! What a tag stands for, by Docker's rule: `targets/releases` is asked first, then `targets`, and no other role.
//!
//! Docker walks down from `targets/releases` before it asks `targets`, and refuses a tag that it finds in a role below:
//! such a tag stands for nothing, even if `targets` has it as well (protocol of Notary v1, which roles docker uses).

use std::collections::HashSet;

use super::freshness::{Freshness, Whose};
use super::table::{Parts, Table};
use super::text::{HashKey, TagText};
use super::{Lookup, SignedIn, Target};
use crate::metadata::{TargetEntry, Targets};
use crate::terms::{RoleName, UnixTime};
use crate::trust::{Set, Verified};

/// Every tag of a repository that Docker would resolve, and until when. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TagTable {
    table: Table,
    freshness: Freshness,
    origin: Origin,
    key: HashKey,
}

/// Names the files that a table is made from: BLAKE3 of what they are. Of one origin, and under one key, all tables are equal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Origin([u8; Self::LENGTH]);

impl Origin {
    pub(crate) const LENGTH: usize = 32;

    /// The files of targets and delegations, and which of them are believed.
    fn of(set: &Set) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(set.targets.document().sha256().as_bytes());
        for (role, file) in &set.delegations {
            let name = role.as_str().as_bytes();
            hash.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes()).update(name);
            hash.update(file.document().sha256().as_bytes()).update(&[file.verified().is_some().into()]);
        }
        Self(*hash.finalize().as_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// A tag that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct AskedTag<'a>(TagText<'a>);

impl TagTable {
    /// From verified roles only. Linear in the number of tags, unless `before` was made from the same files.
    pub(crate) fn new(set: &Set, key: &HashKey, before: Option<&Self>) -> Self {
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
        let origin = Origin::of(set);
        let table = match before {
            Some(before) if before.origin == origin => before.table.clone(),
            Some(_) | None => Table::new(&resolve(set, releases), key),
        };
        Self { table, freshness, origin, key: key.clone() }
    }

    /// The earliest expiry of root, timestamp, snapshot and targets, and whose it is.
    pub(crate) fn lapses(&self) -> (UnixTime, RoleName) {
        let (lapses, whose) = self.freshness.targets;
        (lapses, whose.role())
    }

    /// What the table was made from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn key(&self) -> &HashKey {
        &self.key
    }

    pub(super) fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// What it takes of the memory.
    pub(crate) fn bytes(&self) -> usize {
        let Parts { pilots, words, .. } = self.table.parts();
        size_of_val(pilots) + size_of_val(words)
    }

    /// What `tag` stands for at `now`. No lock, no disk, no allocation.
    pub(crate) fn lookup(&self, tag: &str, now: UnixTime) -> Lookup {
        self.answer(&self.ask(tag), now)
    }

    /// The first part of a lookup, which touches no table.
    pub(crate) fn ask<'a>(&self, tag: &'a str) -> AskedTag<'a> {
        AskedTag(TagText::new(tag, &self.key))
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

#[cfg(test)]
impl TagTable {
    /// Of tags that nobody signed, fresh until the second time.
    pub(super) fn of(entries: &[(&str, Target)], origin: u8, until: UnixTime, key: &HashKey) -> Self {
        let freshness = Freshness { targets: (until, Whose::Snapshot), releases: (until, Whose::Releases) };
        let origin = Origin([origin; Origin::LENGTH]);
        Self { table: Table::new(entries, key), freshness, origin, key: key.clone() }
    }
}
