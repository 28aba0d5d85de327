//! Names and tags as numbers of eight bytes, which is how they are hashed and compared: a text's first bytes and its last, which
//! overlap where it is short. So each size of some range is read alike, straight from the text, without a loop.

use std::fmt;
use std::hash::Hasher as _;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use crate::sync::atomic::{AtomicU64, Ordering};

/// What names and tags are hashed with: a secret, so that nobody can choose some that fall together.
#[derive(Clone)]
pub(crate) struct HashKey {
    own: u64,
    shared: SharedSeed,
    /// Of what is laid out by these hashes and kept: it passes for nothing under another key, or where hashes are other ones.
    check: [u8; 32],
}

impl HashKey {
    /// From random bytes.
    pub(crate) fn new(random: [u8; 16]) -> Self {
        let [own, shared] = halves(u128::from_le_bytes(random));
        let mut key = Self { own, shared: SharedSeed::from_u64(shared), check: [0; 32] };
        let sample = TagText::new("a tag that is longer than its line", &key);
        let sample = [sample.hash, NameText::new("a/name", &key).hash].map(u64::to_le_bytes);
        key.check =
            blake3::derive_key("tufstore 1 prebuilt tag table", &[&random, sample.as_flattened()].concat());
        key
    }

    pub(super) fn check(&self) -> &[u8; 32] {
        &self.check
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it makes shall stay in registers")]
    fn start(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.own, &self.shared)
    }
}

impl PartialEq for HashKey {
    fn eq(&self, other: &Self) -> bool {
        self.check == other.check
    }
}

impl Eq for HashKey {}

/// Tells nothing of the secret.
impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey").finish_non_exhaustive()
    }
}

/// A number in memory, which others may change meanwhile or not.
pub(super) trait Word {
    fn get(&self) -> u64;
}

impl Word for u64 {
    #[inline]
    fn get(&self) -> u64 {
        *self
    }
}

/// At rest.
impl Word for [u8; 8] {
    fn get(&self) -> u64 {
        u64::from_le_bytes(*self)
    }
}

impl Word for AtomicU64 {
    #[inline]
    fn get(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }
}

/// Words of a name's beginning, and as many of its end; what a longer one has between them follows.
const END: usize = 4;
/// Both.
pub(super) const ENDS: usize = 2 * END;
/// Bytes of each.
const END_BYTES: usize = 8 * END;

/// The name of a repository that is asked for, hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameText<'a> {
    bytes: &'a [u8],
    pub(super) hash: u64,
}

/// How many words a name of so many bytes has between its ends.
pub(super) fn middle_words(size: usize) -> usize {
    size.saturating_sub(2 * END_BYTES).div_ceil(8)
}

impl<'a> NameText<'a> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it makes shall stay in registers")]
    pub(super) fn new(name: &'a str, key: &HashKey) -> Self {
        let bytes = name.as_bytes();
        let mut state = key.start();
        // Apart for each range of sizes, here and below: what comes together again goes through memory.
        if let Some(([f0, f1, f2, f3], [l0, l1, l2, l3])) = long_ends(bytes) {
            state.write_u128(pair(f0, l0));
            state.write_u128(pair(f1, l1));
            state.write_u128(pair(f2, l2));
            state.write_u128(pair(f3, l3));
        } else {
            let ([f0, f1], [l0, l1]) = short_ends(bytes);
            state.write_u128(pair(f0, l0));
            state.write_u128(pair(f1, l1));
        }
        if bytes.len() > 2 * END_BYTES {
            state.write(bytes);
        }
        Self { bytes, hash: state.finish() }
    }

    /// In bytes.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether these are its ends, given that they are those of a name of the same size.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub(super) fn has_ends<W: Word>(&self, theirs: &[W; ENDS]) -> bool {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = theirs;
        // Read from the text again, since eight words would not wait in registers.
        if let Some((first, last)) = long_ends(self.bytes) {
            difference(first, [t0, t1, t2, t3]) | difference(last, [t4, t5, t6, t7]) == 0
        } else {
            let ([f0, f1], [l0, l1]) = short_ends(self.bytes);
            difference([f0, f1, 0, 0], [t0, t1, t2, t3]) | difference([l0, l1, 0, 0], [t4, t5, t6, t7]) == 0
        }
    }

    /// Whether all that is not asked of its ends is in these words.
    #[inline]
    pub(super) fn has_middle<W: Word + 'a>(&self, theirs: impl FnOnce() -> Option<&'a [W]>) -> bool {
        self.bytes.len() <= 2 * END_BYTES || is_middle(self.bytes, theirs().unwrap_or_default())
    }

    /// Both ends.
    pub(super) fn ends(&self) -> [u64; ENDS] {
        let ([f0, f1, f2, f3], [l0, l1, l2, l3]) = long_ends(self.bytes).unwrap_or_else(|| {
            let ([f0, f1], [l0, l1]) = short_ends(self.bytes);
            ([f0, f1, 0, 0], [l0, l1, 0, 0])
        });
        [f0, f1, f2, f3, l0, l1, l2, l3]
    }

    /// And what they do not have.
    pub(super) fn middle(&self) -> impl Iterator<Item = u64> {
        padded(middle(self.bytes))
    }
}

/// Zero if they are equal. Written out, since what goes through a loop goes through memory.
#[inline]
fn difference<W: Word>([m0, m1, m2, m3]: [u64; END], [t0, t1, t2, t3]: [&W; END]) -> u64 {
    (m0 ^ t0.get()) | (m1 ^ t1.get()) | (m2 ^ t2.get()) | (m3 ^ t3.get())
}

#[cold]
fn is_middle<W: Word>(name: &[u8], theirs: &[W]) -> bool {
    theirs.len() >= middle_words(name.len())
        && padded(middle(name)).zip(theirs).all(|(mine, theirs)| mine == theirs.get())
}

/// What neither end of a name has.
fn middle(name: &[u8]) -> &[u8] {
    name.get(END_BYTES..name.len().saturating_sub(END_BYTES)).unwrap_or_default()
}

/// Of at least 32 bytes; `None` of fewer.
#[inline]
fn long_ends(bytes: &[u8]) -> Option<([u64; END], [u64; END])> {
    Some((four(bytes.first_chunk()?), four(bytes.last_chunk()?)))
}

/// Of fewer than 32 bytes.
#[inline]
fn short_ends(bytes: &[u8]) -> ([u64; 2], [u64; 2]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        (two(first), two(last))
    } else {
        let [first, last] = ends(bytes);
        ([first, 0], [last, 0])
    }
}

/// Of at most 16 bytes.
#[inline]
fn ends(bytes: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))]
    } else {
        let byte = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte) << (8 * at));
        [byte(0) | byte(1) | byte(2), 0]
    }
}

#[inline]
fn two(bytes: &[u8; 16]) -> [u64; 2] {
    halves(u128::from_le_bytes(*bytes))
}

#[inline]
fn four(bytes: &[u8; END_BYTES]) -> [u64; END] {
    let Ok(words) = <[[u8; 8]; END]>::try_from(bytes.as_chunks::<8>().0) else { return [0; END] };
    words.map(u64::from_le_bytes)
}

/// The lower and the upper one.
#[inline]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "takes the halves apart")]
pub(super) fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

/// The name of so many bytes with these ends, and this between them.
pub(super) fn name(ends: &[impl Word; ENDS], middle: &[impl Word], size: usize) -> Vec<u8> {
    fn bytes(words: &[impl Word]) -> Vec<u8> {
        words.iter().flat_map(|word| word.get().to_le_bytes()).collect()
    }
    let ends = bytes(ends);
    let (first, last) = ends.split_at(ends.len().min(END_BYTES));
    // How long each end is: as long as it could be read.
    let end = [END_BYTES, 16, 8, 4, 3].into_iter().find(|end| *end <= size).unwrap_or(size);
    let mut name = first.get(..end).unwrap_or_default().to_vec();
    let mut middle = bytes(middle);
    middle.truncate(size.saturating_sub(2 * end));
    name.extend(middle);
    let missing = size.saturating_sub(name.len());
    name.extend(last.get(..end).unwrap_or_default().get(end.saturating_sub(missing)..).unwrap_or_default());
    name
}

/// A text as words, of which the last is filled up with zeros.
pub(super) fn padded(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        for (there, byte) in word.iter_mut().zip(chunk) {
            *there = *byte;
        }
        u64::from_le_bytes(word)
    })
}

/// Bytes of a tag that stand in its line.
pub(super) const INLINE: usize = 25;
/// Instead of the size of a tag that does not.
const LONG: u64 = 0xff << 8;
/// Of the fourth word, what is the tag's: one byte and its size.
pub(super) const TAGS_OWN: u64 = 0xffff;

/// A tag that is asked for, laid out as it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct TagText<'a> {
    pub(super) tag: &'a str,
    /// The tag and its size; of a longer one, its beginning and its hash.
    pub(super) words: [u64; 4],
    pub(super) hash: u64,
}

impl<'a> TagText<'a> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub(super) fn new(tag: &'a str, key: &HashKey) -> Self {
        let bytes = tag.as_bytes();
        let own = u64::try_from(bytes.len()).unwrap_or(u64::MAX) << 8;
        let words = match (bytes.first_chunk::<16>(), bytes.last_chunk::<8>()) {
            (Some(first), Some(_)) if bytes.len() > INLINE => {
                let [first, _] = two(first);
                [first, hash_of_long(bytes, key), 0, LONG]
            }
            (Some(first), Some(last)) => {
                let [first, second] = two(first);
                // The one byte that neither end has, if the tag is as long as that.
                let between = bytes.get(16).map_or(0, |byte| u64::from(*byte));
                [first, second, u64::from_le_bytes(*last), own | between]
            }
            (Some(_) | None, _) => {
                let [first, last] = ends(bytes);
                [first, last, 0, own]
            }
        };
        Self { tag, words, hash: Self::hash_of(words, key) }
    }

    /// The words of a tag whose line begins like this.
    pub(super) fn words_in_line([first, second, third, own]: [u64; 4]) -> [u64; 4] {
        let own = own & TAGS_OWN;
        // Of a long one, the third word says where the rest is.
        [first, second, if own == LONG { 0 } else { third }, own]
    }

    #[inline]
    fn hash_of([first, second, third, fourth]: [u64; 4], key: &HashKey) -> u64 {
        let mut state = key.start();
        state.write_u128(pair(first, second));
        state.write_u128(pair(third, fourth));
        state.finish()
    }

    /// Whether it does not fit its line.
    #[inline]
    pub(super) fn is_long(&self) -> bool {
        let [.., own] = self.words;
        own == LONG
    }
}

#[cold]
fn hash_of_long(tag: &[u8], key: &HashKey) -> u64 {
    let mut state = key.start();
    state.write(tag);
    state.finish()
}

#[inline]
fn pair(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

/// A number below `count`, as evenly spread as `hash` is.
#[inline]
pub(super) fn scaled(hash: u32, count: u32) -> u32 {
    super::table::high(u64::from(hash) * u64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> HashKey {
        HashKey::new(*b"of the tests 001")
    }

    #[test]
    fn another_key_hashes_otherwise() {
        for changed in [0, 15] {
            let mut random = *b"of the tests 001";
            random[changed] ^= 1;
            let other = HashKey::new(random);
            assert_ne!(TagText::new("v1", &key()).hash, TagText::new("v1", &other).hash);
            assert_ne!(NameText::new("a/name", &key()).hash, NameText::new("a/name", &other).hash);
        }
    }

    proptest! {
        #[test]
        fn names_are_told_apart_and_read_back(one in "[ab/é]{0,90}|a{0,70}", other in "[ab/é]{0,90}|a{0,70}") {
            let [name_one, name_other] = [&one, &other].map(|name| NameText::new(name, &key()));
            let (ends, middle) = (name_one.ends(), name_one.middle().collect::<Vec<u64>>());
            prop_assert_eq!(middle.len(), middle_words(one.len()));
            prop_assert_eq!(name(&ends, &middle, one.len()), one.as_bytes());
            prop_assert!(name_one.has_ends(&ends) && name_one.has_middle(|| Some(&middle[..])));
            prop_assert!(middle.is_empty() || !name_one.has_middle::<u64>(|| None));
            if one.len() == other.len() {
                let is_it = name_other.has_ends(&ends) && name_other.has_middle(|| Some(&middle[..]));
                prop_assert_eq!(is_it, one == other);
                prop_assert_eq!(name_one.hash == name_other.hash, one == other);
            }
        }

        #[test]
        fn tags_differ_where_their_words_do(one in "[ab\u{0}]{0,28}|a{0,28}", other in "[ab\u{0}]{0,28}|a{0,28}") {
            let [first, second] = [&one, &other].map(|tag| TagText::new(tag, &key()));
            prop_assert_eq!(first.is_long(), one.len() > INLINE);
            prop_assert_eq!(first.words == second.words, one == other);
            prop_assert_eq!(first.hash == second.hash, one == other);
        }

        #[test]
        fn one_byte_makes_a_tag_another(tag in "[ab]{1,30}", at in 0..30_usize) {
            let mut other = tag.clone().into_bytes();
            let at = at % other.len();
            other[at] ^= 1;
            let other = String::from_utf8(other).unwrap();
            prop_assert_ne!(TagText::new(&tag, &key()).words, TagText::new(&other, &key()).words);
            prop_assert_ne!(NameText::new(&tag, &key()).hash, NameText::new(&other, &key()).hash);
        }
    }
}
