//! A table that never changes, in which a name costs one cache line: a perfect hash to lines of 64 bytes.
//!
//! Names are hashed into small buckets; each bucket has one byte, its pilot, chosen when the table is made so that all its
//! names fall on free lines. A lookup reads the pilot, and then the one line, which holds the name and all that it stands for.
//! The pilots of a small table stand in the table itself, so that they come with it; those of a large one stay in the
//! processor's cache, since they take a third of a byte a name.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Arc, LazyLock};

use foldhash::quality::RandomState;

use super::{SignedIn, Target};
use crate::terms::{Sha256, Tag};

/// Keyed anew in each process, so that nobody can choose names that fall together.
pub(super) static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Bytes of a name that stand in its line.
const INLINE: usize = 25;
/// Of a longer name, what stands there; then where the whole of it is.
const PREFIX: usize = 19;
/// Instead of a name's length: none, and a longer one.
const EMPTY: u8 = 0xff;
const LONG: u8 = 0xfe;
/// Longer contents than any registry has do not fit a line.
const LONGEST_CONTENT: u64 = (1 << 47) - 1;
/// Names to a bucket, on average.
const BUCKET: usize = 3;
/// So many pilots stand in the table itself.
const FEW: usize = 22;
/// Of a table that is not large, so many layouts are tried until every name has its line.
const LAYOUTS: u8 = 8;
const LARGE: usize = 1024;

/// One name and what it stands for. As large as a cache line, and never across two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line {
    /// The name, then zeros; of a longer one its beginning, place and length.
    name: [u8; INLINE],
    /// Of the name.
    size: u8,
    /// Twice the content's, and one for `targets/releases`.
    length: [u8; 6],
    sha256: [u8; 32],
}

/// The table. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    each: Arc<[Line]>,
    pilots: Pilots,
}

/// One for each bucket.
#[derive(Clone, Debug)]
enum Pilots {
    Few { layout: u8, pilots: [u8; FEW] },
    Many { layout: u8, pilots: Arc<[u8]> },
}

/// Beside a layout's number: something of the table has no place in its lines.
const ASIDE: u8 = 0x80;

/// What has no place in the lines.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Names that are longer than a line, one after the other.
    text: Box<str>,
    /// Names that no pilot found a free line for, or that fit no line: a handful in a million.
    odd: HashMap<Tag, Target>,
}

/// One name, hashed and laid out as it is compared.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    name: &'a str,
    hash: u64,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name, hash: HASHER.hash_one(name.as_bytes()) }
    }
}

impl Lines {
    /// Of names that differ. Linear in their number.
    pub(super) fn new(entries: &[(&str, Target)]) -> (Self, Aside) {
        // A line in 16 stays free: the last pilots need a choice.
        let lines = entries.len() + entries.len().div_ceil(16);
        let buckets = buckets(lines);
        let mut order: Vec<(usize, u64, usize)> = entries
            .iter()
            .enumerate()
            .map(|(at, (name, _))| {
                let hash = HASHER.hash_one(name.as_bytes());
                (scaled(hash, buckets), hash, at)
            })
            .collect();
        order.sort_unstable();
        // Large buckets first: they need the most room.
        let mut groups: Vec<&[(usize, u64, usize)]> = order.chunk_by(|one, other| one.0 == other.0).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let last = if entries.len() < LARGE { LAYOUTS } else { 1 };
        let mut layout = Layout::new(0, &groups, lines, buckets);
        for number in 1..last {
            if layout.odd.is_empty() {
                break;
            }
            let other = Layout::new(number, &groups, lines, buckets);
            if other.odd.len() < layout.odd.len() {
                layout = other;
            }
        }
        layout.fill(entries, lines)
    }

    /// Where the line of a name is, if it has one; reads its pilot.
    #[inline]
    pub(super) fn place(&self, wanted: &Wanted<'_>) -> usize {
        let bucket = scaled(wanted.hash, buckets(self.each.len()));
        let (layout, pilot) = match &self.pilots {
            Pilots::Few { layout, pilots } => (layout, pilots.get(bucket)),
            Pilots::Many { layout, pilots } => (layout, pilots.get(bucket)),
        };
        slot(wanted.hash, *layout, pilot.copied().unwrap_or(0), self.each.len())
    }

    fn has_aside(&self) -> bool {
        let (Pilots::Few { layout, .. } | Pilots::Many { layout, .. }) = &self.pilots;
        layout & ASIDE != 0
    }

    /// Begins to read a line, so that others can be read meanwhile.
    #[inline]
    pub(super) fn touch(&self, place: usize) -> u8 {
        self.each.get(place).map_or(0, |line| line.size)
    }

    /// What the name stands for, which has its line at `place`.
    #[inline]
    pub(super) fn get(
        &self,
        place: usize,
        wanted: &Wanted<'_>,
        aside: impl FnOnce() -> Option<Target>,
    ) -> Option<Target> {
        let line = self.each.get(place)?;
        if line.is_short(wanted.name) {
            Some(line.target())
        } else if self.has_aside() {
            aside()
        } else {
            None
        }
    }

    /// Every name, in no order.
    pub(super) fn iter<'a>(&'a self, aside: &'a Aside) -> impl Iterator<Item = (&'a str, Target)> {
        let lines = self.each.iter().filter_map(|line| Some((line.name(aside)?, line.target())));
        lines.chain(aside.odd.iter().map(|(tag, target)| (tag.as_str(), *target)))
    }

    /// What they take of the memory.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let pilots = match &self.pilots {
            Pilots::Few { .. } => 0,
            Pilots::Many { pilots, .. } => pilots.len(),
        };
        size_of_val(&*self.each) + pilots
    }
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.odd.is_empty()
    }

    /// What a name stands for that is not the one in its line.
    #[cold]
    pub(super) fn get(&self, lines: &Lines, place: usize, wanted: &Wanted<'_>) -> Option<Target> {
        let line = lines.each.get(place)?;
        if line.size == LONG && line.name(self) == Some(wanted.name) {
            return Some(line.target());
        }
        if self.odd.is_empty() { None } else { self.odd.get(wanted.name).copied() }
    }
}

/// Of a table of so many lines.
#[inline]
fn buckets(lines: usize) -> usize {
    lines.div_ceil(BUCKET)
}

#[inline]
fn slot(hash: u64, layout: u8, pilot: u8, lines: usize) -> usize {
    let choice = u64::from(layout & !ASIDE) << 8 | u64::from(pilot);
    let chosen = hash ^ (choice + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (high, low) = halves(u128::from(chosen) * 0xd6e8_feb8_6659_fd93);
    scaled(high ^ low, lines)
}

/// A number below `count`, as evenly spread as `hash` is.
#[inline]
fn scaled(hash: u64, count: usize) -> usize {
    let (high, _) = halves(u128::from(hash) * u128::try_from(count).unwrap_or(0));
    // Below `count`, which is one.
    usize::try_from(high).unwrap_or(0)
}

#[inline]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "takes the halves apart")]
fn halves(product: u128) -> (u64, u64) {
    ((product >> 64) as u64, product as u64)
}

/// Which line each name gets.
struct Layout {
    number: u8,
    pilots: Vec<u8>,
    /// Entry and line.
    placed: Vec<(usize, usize)>,
    /// Entries that no pilot found a free line for.
    odd: Vec<usize>,
}

impl Layout {
    fn new(number: u8, groups: &[&[(usize, u64, usize)]], lines: usize, buckets: usize) -> Self {
        let mut layout = Self { number, pilots: vec![0; buckets], placed: Vec::new(), odd: Vec::new() };
        let mut taken = vec![false; lines];
        let mut places = Vec::new();
        for group in groups {
            let found = (0..=u8::MAX).find(|pilot| {
                places.clear();
                group.iter().all(|(_, hash, _)| {
                    let place = slot(*hash, number, *pilot, lines);
                    let free = taken.get(place) == Some(&false) && !places.contains(&place);
                    places.push(place);
                    free
                })
            });
            let entries = group.iter().map(|(_, _, at)| *at);
            let Some(pilot) = found else {
                layout.odd.extend(entries);
                continue;
            };
            if let Some((bucket, _, _)) = group.first()
                && let Some(kept) = layout.pilots.get_mut(*bucket)
            {
                *kept = pilot;
            }
            for place in &places {
                if let Some(taken) = taken.get_mut(*place) {
                    *taken = true;
                }
            }
            layout.placed.extend(entries.zip(places.iter().copied()));
        }
        layout
    }

    fn fill(self, entries: &[(&str, Target)], lines: usize) -> (Lines, Aside) {
        let (mut filled, mut text) = (vec![Line::EMPTY; lines], String::new());
        let mut odd = self.odd;
        for (at, place) in self.placed {
            let line = entries.get(at).and_then(|(name, target)| Line::new(name, target, &mut text));
            match (line, filled.get_mut(place)) {
                (Some(line), Some(free)) => *free = line,
                (None, _) | (_, None) => odd.push(at),
            }
        }
        let odd = odd.into_iter().filter_map(|at| entries.get(at));
        let odd = odd.map(|(name, target)| (Tag::from(*name), *target)).collect();
        let aside = Aside { text: text.into(), odd };
        let layout = self.number | if aside.is_empty() { 0 } else { ASIDE };
        let mut few = [0; FEW];
        let pilots = if let Some(beginning) = few.get_mut(..self.pilots.len()) {
            beginning.copy_from_slice(&self.pilots);
            Pilots::Few { layout, pilots: few }
        } else {
            Pilots::Many { layout, pilots: self.pilots.into() }
        };
        (Lines { each: filled.into(), pilots }, aside)
    }
}

impl Line {
    const EMPTY: Self = Self { name: [0; INLINE], size: EMPTY, length: [0; 6], sha256: [0; 32] };

    /// `None` if it does not fit.
    fn new(name: &str, target: &Target, text: &mut String) -> Option<Self> {
        if target.length > LONGEST_CONTENT {
            return None;
        }
        let length = target.length << 1 | u64::from(target.from == SignedIn::Releases);
        let length = *length.to_le_bytes().first_chunk()?;
        let sha256 = *target.sha256.as_bytes();
        let (name, size) = if let Some(name) = padded(name) {
            name
        } else {
            let place = u32::try_from(text.len()).ok()?;
            let size = u16::try_from(name.len()).ok()?;
            let mut short = [0; INLINE];
            let (prefix, rest) = short.split_first_chunk_mut::<PREFIX>()?;
            *prefix = *name.as_bytes().first_chunk()?;
            let (at, rest) = rest.split_first_chunk_mut::<4>()?;
            *at = place.to_le_bytes();
            *rest.first_chunk_mut()? = size.to_le_bytes();
            text.push_str(name);
            (short, LONG)
        };
        Some(Self { name, size, length, sha256 })
    }

    /// Whether this is the line of a name that fits.
    #[inline]
    fn is_short(&self, name: &str) -> bool {
        // Whole arrays, without a branch for each byte.
        padded(name).is_some_and(|(padded, size)| self.size == size && self.name == padded)
    }

    #[inline]
    fn target(&self) -> Target {
        let mut length = [0; 8];
        for (byte, kept) in length.iter_mut().zip(self.length) {
            *byte = kept;
        }
        let length = u64::from_le_bytes(length);
        let from = if length & 1 == 1 { SignedIn::Releases } else { SignedIn::Targets };
        Target { sha256: Sha256::new(self.sha256), length: length >> 1, from }
    }

    fn name<'a>(&'a self, aside: &'a Aside) -> Option<&'a str> {
        match self.size {
            EMPTY => None,
            LONG => {
                let rest = self.name.get(PREFIX..)?;
                let (place, size) = rest.split_first_chunk::<4>()?;
                let place = usize::try_from(u32::from_le_bytes(*place)).ok()?;
                let size = usize::from(u16::from_le_bytes(*size.first_chunk()?));
                aside.text.get(place..place.checked_add(size)?)
            }
            size => std::str::from_utf8(self.name.get(..usize::from(size))?).ok(),
        }
    }
}

/// A name that fits a line, with zeros after it, and its length.
#[inline]
fn padded(name: &str) -> Option<([u8; INLINE], u8)> {
    let mut padded = [0; INLINE];
    padded.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    Some((padded, u8::try_from(name.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(number: u64) -> Target {
        let mut sha256 = [0; 32];
        *sha256.first_chunk_mut().unwrap() = number.to_le_bytes();
        let from = if number.is_multiple_of(3) { SignedIn::Releases } else { SignedIn::Targets };
        Target { sha256: Sha256::new(sha256), length: number * 7, from }
    }

    fn get(table: &(Lines, Aside), name: &str) -> Option<Target> {
        let wanted = Wanted::new(name);
        let place = table.0.place(&wanted);
        table.0.get(place, &wanted, || table.1.get(&table.0, place, &wanted))
    }

    fn holds(names: &[String]) {
        let entries: Vec<_> =
            names.iter().zip(0..).map(|(name, number)| (name.as_str(), target(number))).collect();
        let table = Lines::new(&entries);
        for (name, target) in &entries {
            assert_eq!(get(&table, name), Some(*target), "{name:?}");
            let longer = format!("{name}\u{0}");
            assert_eq!(get(&table, &longer).is_some(), names.contains(&longer), "{longer:?}");
            if let Some((last, _)) = name.char_indices().last() {
                let shorter = &name[..last];
                assert_eq!(
                    get(&table, shorter).is_some(),
                    names.contains(&shorter.to_owned()),
                    "{shorter:?}"
                );
            }
        }
        let mut all: Vec<_> = table.0.iter(&table.1).collect();
        let mut expected = entries.clone();
        all.sort_by_key(|(name, _)| *name);
        expected.sort_by_key(|(name, _)| *name);
        assert_eq!(all, expected);
    }

    #[test]
    fn every_size_of_a_table_holds_what_was_put_in() {
        assert_eq!((size_of::<Line>(), size_of::<Lines>()), (64, 40));
        for count in (0..70).chain([1_000, 20_000]) {
            holds(&(0..count).map(|number| format!("{number}.{}", number % 7)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn few_names_find_no_line() {
        let names: Vec<_> = (0..100_000).map(|number| format!("v{number}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), target(1))).collect();
        let (lines, aside) = Lines::new(&entries);
        assert!(aside.odd.len() < entries.len() / 300, "{}", aside.odd.len());
        assert!(lines.bytes() < 69 * entries.len());
        let (_, aside) = Lines::new(&entries[..300]);
        assert_eq!(aside.odd.len(), 0);
    }

    #[test]
    fn what_fits_no_line_is_found_all_the_same() {
        let long = "x".repeat(70_000);
        let huge = Target { length: u64::MAX, ..target(1) };
        let most = Target { length: LONGEST_CONTENT, ..target(3) };
        let entries = [("huge", huge), (&*long, target(2)), ("most", most)];
        let table = Lines::new(&entries);
        for (name, target) in entries {
            assert_eq!(get(&table, name), Some(target));
        }
        assert_eq!(table.1.odd.len(), 2);
    }

    proptest! {
        #[test]
        fn any_names_are_found_and_no_others(
            names in proptest::collection::hash_set(".{0,40}|a{15,30}", 0..60),
            other in ".{0,40}",
        ) {
            let names: Vec<_> = names.into_iter().collect();
            holds(&names);
            let entries: Vec<_> = names.iter().map(|name| (name.as_str(), target(0))).collect();
            prop_assert_eq!(get(&Lines::new(&entries), &other).is_some(), names.contains(&other));
        }
    }
}
