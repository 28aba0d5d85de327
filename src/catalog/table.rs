//! A table that never changes, in which a tag costs one cache line: a perfect hash to lines of 64 bytes.
//!
//! Tags are hashed into small buckets; each bucket has one byte, its pilot, chosen when the table is made so that all its tags
//! fall on free lines. A lookup reads the pilot, and then the one line, which holds the tag and all that it stands for. The
//! pilots stay in the processor's cache, since they take a third of a byte a tag.

use std::sync::Arc;

use super::memory::LINE;
use super::text::{HashKey, TAGS_OWN, TagText, Word, padded, scaled};
use super::{SignedIn, Target};
use crate::terms::Sha256;

/// Of a line, four words are for the tag and the content's length, four for its digest. Of the fourth, above the tag's own: set if `targets/releases` says so.
const RELEASES: u64 = 1 << 16;
/// And if the length does not fit, so that its place in the text stands there.
const HUGE: u64 = 1 << 17;
const LENGTH: u32 = 18;

/// Of a table that is not large, so many layouts are tried until every tag has its line.
const LAYOUTS: u32 = 8;
const LARGE: usize = 1024;

/// How a table is laid out: what a lookup has to know of it beside its words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Layout {
    pub(super) lines: u32,
    /// Which of [`LAYOUTS`].
    pub(super) number: u32,
    /// Whether some tags have no line of their own.
    pub(super) has_odd: bool,
}

impl Layout {
    pub(super) const NONE: Self = Self { lines: 0, number: 0, has_odd: false };

    /// How many words the pilots take.
    #[inline]
    pub(super) fn pilot_words(self) -> usize {
        index(self.buckets().div_ceil(8))
    }

    /// For three tags on average, or a few more: five for sixteen lines, which is quickly counted.
    #[inline]
    fn buckets(self) -> u32 {
        self.lines / 4 + self.lines / 16 + 1
    }

    #[inline]
    fn bucket(self, hash: u64) -> u32 {
        scaled(high(hash), self.buckets())
    }

    /// The word with the pilot of a tag.
    #[inline]
    pub(super) fn pilot_word(self, tag: &TagText<'_>) -> usize {
        index(self.bucket(tag.hash) / 8)
    }

    /// The line that a pilot chooses.
    #[inline]
    fn line(self, hash: u64, pilot: u64) -> u32 {
        let choice = (u64::from(self.number) << 8 | pilot) + 1;
        let product = u128::from(hash ^ choice.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 0xd6e8_feb8_6659_fd93;
        let [lower, upper] = super::text::halves(product);
        scaled(high(lower ^ upper), self.lines)
    }

    /// Where the line of a tag is among the words, if it has one.
    #[inline]
    fn at<W: Word>(self, pilots: &[W], tag: &TagText<'_>) -> usize {
        let bucket = self.bucket(tag.hash);
        let word = pilots.get(index(bucket / 8)).map_or(0, Word::get);
        LINE * index(self.line(tag.hash, word >> (8 * (bucket % 8)) & 0xff))
    }
}

/// The table. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Table {
    layout: Layout,
    pilots: Arc<[u64]>,
    /// The lines, those of odd tags, and the text of what fits none.
    words: Arc<[u64]>,
    /// Where that begins.
    text_at: u64,
}

/// The words of a table, wherever they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a, W> {
    pub(super) layout: Layout,
    /// From the first pilot on.
    pub(super) pilots: &'a [W],
    /// From the first line on.
    pub(super) words: &'a [W],
    /// Where among those the text begins.
    pub(super) text_at: &'a W,
}

impl<W: Word> Parts<'_, W> {
    /// Where the tag's line is among the words.
    #[inline]
    pub(super) fn line_at(&self, tag: &TagText<'_>) -> usize {
        self.layout.at(self.pilots, tag)
    }

    /// What stands for the tag.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it makes shall stay in registers")]
    pub(super) fn find(&self, tag: &TagText<'_>) -> Option<Entry> {
        self.at(self.line_at(tag), tag)
    }

    /// The same, given where the tag's line is.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub(super) fn at(&self, line: usize, tag: &TagText<'_>) -> Option<Entry> {
        let line = self.words.get(line..)?.first_chunk::<LINE>()?;
        if is(line, tag) && (!tag.is_long() || has_text(self.words, self.text_at, line, tag.tag)) {
            Some(Entry::new(line, self.words, self.text_at))
        } else if self.layout.has_odd {
            odd(self.layout, self.words, self.text_at, *tag)
        } else {
            None
        }
    }
}

/// A tag that has no line of its own: those are few, one after the other behind all lines, as their words are ordered.
#[cold]
fn odd<W: Word>(layout: Layout, words: &[W], text_at: &W, tag: TagText<'_>) -> Option<Entry> {
    let lines = words.get(..usize::try_from(text_at.get()).ok()?)?.get(LINE * index(layout.lines)..)?;
    let (lines, _) = lines.as_chunks::<LINE>();
    let begins = |line: &[W; LINE]| {
        let [first, second, third, own, ..] = line;
        TagText::words_in_line([first.get(), second.get(), third.get(), own.get()])
    };
    let begin = lines.partition_point(|line| begins(line) < tag.words);
    let alike = lines.get(begin..)?.iter().take_while(|line| begins(line) == tag.words);
    let mut alike =
        alike.filter(|line| is(line, &tag) && (!tag.is_long() || has_text(words, text_at, line, tag.tag)));
    alike.next().map(|line| Entry::new(line, words, text_at))
}

/// The text of what fits no line.
fn text<'w, W: Word>(words: &'w [W], text_at: &W) -> &'w [W] {
    usize::try_from(text_at.get()).ok().and_then(|at| words.get(at..)).unwrap_or_default()
}

/// A length that does not fit its line.
#[cold]
fn huge<W: Word>(words: &[W], text_at: &W, at: u64) -> u64 {
    usize::try_from(at).ok().and_then(|at| text(words, text_at).get(at)).map_or(0, Word::get)
}

/// Whether the rest of a tag that is longer than its line is there.
#[cold]
fn has_text<W: Word>(words: &[W], text_at: &W, line: &[W; LINE], tag: &str) -> bool {
    let [_, _, place, ..] = line;
    let (at, size) = (index(high(place.get())), index(low(place.get())));
    let text = text(words, text_at).get(at..).unwrap_or_default();
    let tag = tag.as_bytes();
    tag.len() == size
        && text.len() >= size.div_ceil(8)
        && padded(tag).zip(text).all(|(mine, theirs)| mine == theirs.get())
}

/// What a line says, as numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) digest: [u64; 4],
    pub(super) length: u64,
    pub(super) from_releases: bool,
}

impl Entry {
    #[inline]
    fn new<W: Word>(line: &[W; LINE], words: &[W], text_at: &W) -> Self {
        let [_, _, _, own, a, b, c, d] = line;
        let own = own.get();
        let mut length = own >> LENGTH;
        if own & HUGE != 0 {
            length = huge(words, text_at, length);
        }
        let digest = [a.get(), b.get(), c.get(), d.get()];
        Self { digest, length, from_releases: own & RELEASES != 0 }
    }

    #[inline]
    pub(super) fn target(&self) -> Target {
        let mut sha256 = [0; 32];
        for (bytes, word) in sha256.as_chunks_mut::<8>().0.iter_mut().zip(self.digest) {
            *bytes = word.to_le_bytes();
        }
        let from = if self.from_releases { SignedIn::Releases } else { SignedIn::Targets };
        Target { sha256: Sha256::new(sha256), length: self.length, from }
    }
}

/// Whether a line is a tag's: of a long one, as far as the line tells.
#[inline]
fn is<W: Word>(line: &[W; LINE], tag: &TagText<'_>) -> bool {
    let [first, second, third, own, ..] = line;
    let [tags_first, tags_second, tags_third, tags_own] = tag.words;
    let third = if tag.is_long() { 0 } else { third.get() ^ tags_third };
    (first.get() ^ tags_first) | (second.get() ^ tags_second) | third | ((own.get() ^ tags_own) & TAGS_OWN)
        == 0
}

impl Table {
    /// Of tags that differ. Linear in their number.
    ///
    /// What no file can hold is left out: more than four thousand million tags, or 32 GiB of long ones.
    pub(super) fn new(entries: &[(&str, Target)], key: &HashKey) -> Self {
        let tags: Vec<TagText<'_>> = entries.iter().map(|(tag, _)| TagText::new(tag, key)).collect();
        let each_hash: Vec<u64> = tags.iter().map(|tag| tag.hash).collect();
        let Assignment { layout, pilots, places, mut odd } = Assignment::new(&each_hash);
        odd.sort_unstable_by_key(|at| tags.get(*at).map(|tag| tag.words));
        let mut words = vec![0; LINE * index(layout.lines)];
        // Nothing is of that size, so that no tag is found in a line that is free.
        words.iter_mut().skip(3).step_by(LINE).for_each(|own| *own = FREE);
        let mut text = Vec::new();
        let written = |at: usize, text: &mut Vec<u64>| {
            tags.get(at).zip(entries.get(at)).and_then(|(tag, (_, target))| written(tag, target, text))
        };
        for (at, place) in places {
            let place = LINE * index(place);
            if let Some(line) = written(at, &mut text)
                && let Some(free) = words.get_mut(place..place + LINE)
            {
                free.copy_from_slice(&line);
            }
        }
        for at in odd {
            words.extend(written(at, &mut text).into_iter().flatten());
        }
        let text_at = u64::try_from(words.len()).unwrap_or(u64::MAX);
        words.append(&mut text);
        let pilots =
            pilots.chunks(8).map(|eight| eight.iter().rev().fold(0, |all, one| all << 8 | u64::from(*one)));
        Self { layout, pilots: pilots.collect(), words: words.into(), text_at }
    }

    #[inline]
    pub(super) fn parts(&self) -> Parts<'_, u64> {
        let Self { layout, pilots, words, text_at } = self;
        Parts { layout: *layout, pilots, words, text_at }
    }
}

/// Which line each tag gets.
struct Assignment {
    layout: Layout,
    /// One for each bucket.
    pilots: Vec<u8>,
    /// Tag and line.
    places: Vec<(usize, u32)>,
    /// Tags that no pilot found a free line for.
    odd: Vec<usize>,
}

impl Assignment {
    fn new(hashes: &[u64]) -> Self {
        // A line in 16 stays free: the last pilots need a choice. Without any tag there is still one line, since who looks one up
        // reads a line, and what stands behind a table's is not its own.
        let lines = (hashes.len() + hashes.len().div_ceil(16)).max(1);
        let lines = u32::try_from(lines).unwrap_or(u32::MAX);
        let layout = Layout { lines, ..Layout::NONE };
        let mut order: Vec<(u32, u64, usize)> =
            (0..).zip(hashes).map(|(at, hash)| (layout.bucket(*hash), *hash, at)).collect();
        order.sort_unstable();
        // Large buckets first: they need the most room.
        let mut buckets: Vec<&[(u32, u64, usize)]> = order.chunk_by(|one, other| one.0 == other.0).collect();
        buckets.sort_by_key(|bucket| std::cmp::Reverse(bucket.len()));
        let last = if hashes.len() < LARGE { LAYOUTS } else { 1 };
        let mut best = Self::with(layout, &buckets);
        for number in 1..last {
            if best.odd.is_empty() {
                break;
            }
            let other = Self::with(Layout { number, ..layout }, &buckets);
            if other.odd.len() < best.odd.len() {
                best = other;
            }
        }
        best.layout.has_odd = !best.odd.is_empty();
        best
    }

    fn with(layout: Layout, buckets: &[&[(u32, u64, usize)]]) -> Self {
        let pilots = vec![0; index(layout.buckets())];
        let mut assignment = Self { layout, pilots, places: Vec::new(), odd: Vec::new() };
        let mut taken = vec![false; index(layout.lines)];
        let mut places = Vec::new();
        for bucket in buckets {
            let found = (0..=u8::MAX).find(|pilot| {
                places.clear();
                bucket.iter().all(|(_, hash, _)| {
                    let place = layout.line(*hash, u64::from(*pilot));
                    let free = taken.get(index(place)) == Some(&false) && !places.contains(&place);
                    places.push(place);
                    free
                })
            });
            let tags = bucket.iter().map(|(_, _, at)| *at);
            let Some(pilot) = found else {
                assignment.odd.extend(tags);
                continue;
            };
            if let Some((number, _, _)) = bucket.first()
                && let Some(kept) = assignment.pilots.get_mut(index(*number))
            {
                *kept = pilot;
            }
            for place in &places {
                if let Some(taken) = taken.get_mut(index(*place)) {
                    *taken = true;
                }
            }
            assignment.places.extend(tags.zip(places.iter().copied()));
        }
        assignment
    }
}

/// In a line that no tag has.
const FREE: u64 = 0xfe << 8;

/// A tag's line. What does not fit goes to the text.
fn written(tag: &TagText<'_>, target: &Target, text: &mut Vec<u64>) -> Option<[u64; LINE]> {
    let [first, second, mut third, own] = tag.words;
    if tag.is_long() {
        let (at, size) = (u32::try_from(text.len()).ok()?, u32::try_from(tag.tag.len()).ok()?);
        third = u64::from(at) << 32 | u64::from(size);
        text.extend(padded(tag.tag.as_bytes()));
    }
    let length = if target.length <= u64::MAX >> LENGTH {
        target.length << LENGTH
    } else {
        let at = u64::try_from(text.len()).ok()?;
        text.push(target.length);
        at << LENGTH | HUGE
    };
    let from = if target.from == SignedIn::Releases { RELEASES } else { 0 };
    let mut line = [first, second, third, own | from | length, 0, 0, 0, 0];
    let (_, digest) = line.split_at_mut(LINE / 2);
    for (word, bytes) in digest.iter_mut().zip(target.sha256.as_bytes().as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Some(line)
}

#[inline]
#[expect(clippy::as_conversions, reason = "from 32 bits")]
pub(super) fn index(number: u32) -> usize {
    number as usize
}

#[inline]
#[expect(clippy::as_conversions, reason = "the upper half")]
pub(super) fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[inline]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the lower half")]
pub(super) fn low(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> HashKey {
        HashKey::new(*b"of the tests 001")
    }

    fn target(number: u64) -> Target {
        let mut sha256 = [0; 32];
        *sha256.first_chunk_mut().unwrap() = number.to_le_bytes();
        let from = if number.is_multiple_of(3) { SignedIn::Releases } else { SignedIn::Targets };
        Target { sha256: Sha256::new(sha256), length: number * 7, from }
    }

    fn get(table: &Table, tag: &str) -> Option<Target> {
        table.parts().find(&TagText::new(tag, &key())).map(|entry| entry.target())
    }

    fn holds(tags: &[String]) {
        let entries: Vec<_> =
            tags.iter().zip(0..).map(|(tag, number)| (tag.as_str(), target(number))).collect();
        let table = Table::new(&entries, &key());
        for (tag, target) in &entries {
            assert_eq!(get(&table, tag), Some(*target), "{tag:?}");
            let longer = format!("{tag}\u{0}");
            assert_eq!(get(&table, &longer).is_some(), tags.contains(&longer), "{longer:?}");
            if let Some((last, _)) = tag.char_indices().last() {
                let shorter = &tag[..last];
                assert_eq!(get(&table, shorter).is_some(), tags.contains(&shorter.to_owned()), "{shorter:?}");
            }
        }
    }

    #[test]
    fn every_size_of_a_table_holds_what_was_put_in() {
        for count in (0..70).chain([1_000, 20_000]) {
            holds(&(0..count).map(|number| format!("{number}.{}", number % 7)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_stands_behind_a_table_is_not_read_as_its_own() {
        let other = Table::new(&[("v1", target(1))], &key());
        let layout = Table::new(&[], &key()).layout;
        let words = [Table::new(&[], &key()).parts().words, other.parts().words].concat();
        let parts = Parts { layout, pilots: &words, words: &words, text_at: &8 };
        assert!(parts.find(&TagText::new("v1", &key())).is_none());
    }

    #[test]
    fn what_fits_no_line_is_found_all_the_same() {
        let long = "x".repeat(70_000);
        let other = format!("{}y", "x".repeat(69_999));
        let huge = |number| Target { length: u64::MAX - number, ..target(number) };
        let most = Target { length: u64::MAX >> LENGTH, ..target(3) };
        let entries = [("huge", huge(1)), (&*long, target(2)), ("most", most), (&*other, huge(4))];
        let table = Table::new(&entries, &key());
        for (tag, target) in entries {
            assert_eq!(get(&table, tag), Some(target));
        }
        assert_eq!(get(&table, &long[1..]), None);
    }

    #[test]
    fn nearly_every_tag_has_its_own_line() {
        let tags: Vec<_> = (0..100_000).map(|number| format!("v{number}")).collect();
        let entries: Vec<_> = tags.iter().map(|tag| (tag.as_str(), target(1))).collect();
        let table = Table::new(&entries, &key());
        let parts = table.parts();
        assert!(size_of_val(parts.words) + size_of_val(parts.pilots) < 70 * entries.len());
        // Hardly any are odd, and in a table that is not large none is.
        let first = |tag: &str| TagText::new(tag, &key()).words[0];
        let at_once = tags
            .iter()
            .filter(|tag| parts.words[parts.line_at(&TagText::new(tag, &key()))] == first(tag))
            .count();
        assert!(at_once > tags.len() * 299 / 300 && at_once < tags.len(), "{at_once}");
        assert!(parts.layout.has_odd);
        assert!(!Table::new(&entries[..300], &key()).parts().layout.has_odd);
    }

    proptest! {
        #[test]
        fn any_tags_are_found_and_no_others(
            tags in proptest::collection::hash_set(".{0,40}|a{15,30}", 0..60),
            other in ".{0,40}",
        ) {
            let tags: Vec<_> = tags.into_iter().collect();
            holds(&tags);
            let entries: Vec<_> = tags.iter().map(|tag| (tag.as_str(), target(0))).collect();
            prop_assert_eq!(get(&Table::new(&entries, &key()), &other).is_some(), tags.contains(&other));
        }

        #[test]
        fn nothing_read_from_any_words_panics(words in proptest::collection::vec(prop_oneof![any::<u64>(), 0..40_u64], 1..40), lines in 0_u32..400, tag in ".{0,40}") {
            // A reader may see them while they are written.
            let layout = Layout { lines, number: 3, has_odd: true };
            let parts = Parts { layout, pilots: &words, words: &words, text_at: &words[0] };
            let tag = TagText::new(&tag, &key());
            parts.find(&tag);
            parts.line_at(&tag);
        }
    }
}
