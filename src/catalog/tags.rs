//! What a tag stands for, by Docker's rule: `targets/releases` is asked first, then `targets`, and no other role.
//!
//! Docker walks down from `targets/releases` before it asks `targets`, and refuses a tag that it finds in a role below:
//! such a tag stands for nothing, even if `targets` has it as well (protocol of Notary v1, which roles docker uses).

use std::collections::HashSet;
use std::sync::Arc;

use super::lines::{Aside, Lines, Wanted};
use super::{Found, Lookup, SignedIn, Target};
use crate::metadata::{TargetEntry, Targets};
use crate::terms::{RoleName, UnixTime};
use crate::trust::{Delegated, Set, Verified};

/// Every tag of a repository that Docker would resolve, with something that goes along. Cheap to clone; as large as a cache
/// line.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct TagTable<With = ()> {
    lines: Lines,
    /// The earliest expiry of root, timestamp, snapshot and targets.
    lapses: UnixTime,
    /// The same with `targets/releases` counted in.
    releases_lapse: UnixTime,
    /// What is seldom looked at, so that the rest stays small.
    more: Arc<More<With>>,
}

#[derive(Debug)]
struct More<With> {
    aside: Arc<Aside>,
    /// Whose expiry each of the earliest is.
    lapses: (UnixTime, RoleName),
    releases_lapse: (UnixTime, RoleName),
    with: With,
}

/// A tag that is asked for, and where its line would be in one table.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'a> {
    wanted: Wanted<'a>,
    place: usize,
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
        let releases =
            SignedIn::Releases.as_str().parse().ok().and_then(|role| Some((set.tags_of(&role)?, role)));
        let releases_lapse = match &releases {
            Some((file, role)) => lapses.clone().min((file.expires(), role.clone())),
            None => lapses.clone(),
        };
        let (lines, aside) = match before {
            Some((former, table)) if same_tags(set, former) => {
                (table.lines.clone(), Arc::clone(&table.more.aside))
            }
            Some(_) | None => {
                let (lines, aside) = Lines::new(&resolve(set, releases));
                (lines, Arc::new(aside))
            }
        };
        let (inline, releases_inline) = (lapses.0, releases_lapse.0);
        let more = Arc::new(More { aside, lapses, releases_lapse, with: () });
        Self { lines, lapses: inline, releases_lapse: releases_inline, more }
    }

    /// Whether two tables answer every question alike.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let get = |tag: &str| {
            let Placed { wanted, place } = other.place(tag);
            other.lines.get(place, &wanted, || other.more.aside.get(&other.lines, place, &wanted))
        };
        self.more.lapses == other.more.lapses
            && self.more.releases_lapse == other.more.releases_lapse
            && self.iter().count() == other.iter().count()
            && self.iter().all(|(tag, target)| get(tag) == Some(target))
    }

    /// All tags, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Target)> {
        self.lines.iter(&self.more.aside)
    }

    /// The earliest expiry of root, timestamp, snapshot and targets, and whose it is.
    pub(crate) fn lapses(&self) -> &(UnixTime, RoleName) {
        &self.more.lapses
    }
}

impl<With> TagTable<With> {
    /// The same table, with something else that goes along.
    pub(crate) fn with<Other>(&self, with: Other) -> TagTable<Other> {
        let More { aside, lapses, releases_lapse, .. } = &*self.more;
        let more = More {
            aside: aside.clone(),
            lapses: lapses.clone(),
            releases_lapse: releases_lapse.clone(),
            with,
        };
        let Self { lines, lapses, releases_lapse, .. } = self;
        TagTable {
            lines: lines.clone(),
            lapses: *lapses,
            releases_lapse: *releases_lapse,
            more: Arc::new(more),
        }
    }

    /// What goes along.
    pub(crate) fn beside(&self) -> &With {
        &self.more.with
    }

    /// What `tag` stands for at `now`. No lock, no disk, no allocation.
    #[inline]
    pub(crate) fn lookup(&self, tag: &str, now: UnixTime) -> Lookup {
        self.answer(&self.place(tag), now)
    }

    /// The first half of a lookup, which touches little memory.
    #[inline]
    pub(crate) fn place<'a>(&self, tag: &'a str) -> Placed<'a> {
        let wanted = Wanted::new(tag);
        Placed { wanted, place: self.lines.place(&wanted) }
    }

    /// Begins to read what the second half needs.
    #[inline]
    pub(crate) fn touch(&self, placed: &Placed<'_>) -> u8 {
        self.lines.touch(placed.place)
    }

    /// The second half of a lookup.
    #[inline]
    pub(crate) fn answer(&self, placed: &Placed<'_>, now: UnixTime) -> Lookup {
        let Placed { wanted, place } = placed;
        let found = self.lines.get(*place, wanted, || self.more.aside.get(&self.lines, *place, wanted));
        let Some(target) = found else {
            return if self.lapses < now { expired(&self.more.lapses) } else { Lookup::NoSuchTag };
        };
        let (lapses, whose) = match target.from {
            SignedIn::Releases => (self.releases_lapse, &self.more.releases_lapse),
            SignedIn::Targets => (self.lapses, &self.more.lapses),
        };
        if lapses < now { expired(whose) } else { Lookup::Found(Found { target, fresh_until: lapses }) }
    }
}

#[cold]
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
