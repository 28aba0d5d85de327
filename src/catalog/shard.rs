//! Where a repository's block is: slots, by the hash of its name.
//!
//! A shard is a part of all repositories. Its writers take turns; its readers take no lock, but count: whoever changes what they
//! may see makes the count of changes odd before and even after, and a reader that finds it odd, or another than before it
//! read, reads again. So nothing that was read is believed before the count is seen to be the same. What is freed by a change is
//! written by others only after it, which is why a reader of something old sees the change as well (`Memory::take`).

use super::block::Block;
use super::memory::{Memory, Place};
use super::table::{Layout, high, index, low};
use super::text::{NameText, Word, scaled};
use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// What readers need of a shard.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Odd while something is being changed.
    changes: AtomicU64,
    /// Where its slots are, and how many.
    slots: AtomicU64,
}

/// Bits of a slot's first word: a part of the hash, then the place. Zero if the slot is free: no block has place 0.
const PLACE: u32 = 40;
/// How many those of the hash are.
const MARK: u32 = u64::BITS - PLACE;
/// Of the second word: bytes of the name; set if only the name is in memory; of the table's layout, whether it has odd tags, its
/// number, its lines.
const SIZE: u64 = 0xff;
const COLD: u64 = 1 << 8;
const HAS_ODD: u64 = 1 << 9;
const NUMBER: u32 = 16;
const LINES: u32 = 32;
/// Words of a slot.
const WORDS: usize = 2;
/// Slots of a line.
const A_LINE: u32 = 4;

/// Where a repository is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    first: u64,
    second: u64,
}

impl Slot {
    pub(super) fn new(name: &NameText<'_>, block: Block, is_cold: bool) -> Self {
        let size = u64::try_from(block.name_size).unwrap_or(SIZE);
        let Layout { lines, number, has_odd } = block.layout;
        let flags = if is_cold { COLD } else { 0 } | if has_odd { HAS_ODD } else { 0 };
        let second = size | flags | u64::from(number) << NUMBER | u64::from(lines) << LINES;
        Self { first: mark(name) << PLACE | block.place, second }
    }

    #[inline]
    pub(super) fn is_cold(self) -> bool {
        self.second & COLD != 0
    }

    #[inline]
    pub(super) fn block(self) -> Block {
        let place = self.first & ((1 << PLACE) - 1);
        let number = low(self.second) >> NUMBER;
        let layout = Layout { lines: high(self.second), number, has_odd: self.second & HAS_ODD != 0 };
        Block { place, name_size: index(low(self.second & SIZE)), layout }
    }

    /// The upper 32 bits of the name's hash, the last of them zeros.
    pub(super) fn upper_hash(self) -> u32 {
        low(self.first >> PLACE) << (u32::BITS - MARK)
    }

    fn words(self) -> [u64; WORDS] {
        [self.first, self.second]
    }

    /// Where to begin among so many.
    fn home(self, capacity: u32) -> u32 {
        scaled(self.upper_hash(), capacity)
    }
}

/// The part of a name's hash that is in its slot: 24 bits.
#[inline]
fn mark(name: &NameText<'_>) -> u64 {
    name.hash >> PLACE
}

#[inline]
fn home(mark: u64, capacity: u32) -> u32 {
    scaled(low(mark) << (u32::BITS - MARK), capacity)
}

/// The slots of a shard as they are at a moment.
#[derive(Clone, Copy)]
struct Slots {
    place: Place,
    capacity: u32,
}

impl Slots {
    /// Where one is, in words after the place.
    #[inline]
    fn at(number: u32) -> usize {
        WORDS * index(number)
    }

    fn lines(self) -> usize {
        index(self.capacity / A_LINE)
    }

    fn word(self) -> u64 {
        self.place << MARK | u64::from(self.capacity)
    }
}

impl Shard {
    /// Begins to read: the count of changes.
    #[inline]
    pub(super) fn begin(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether nothing was changed since then, so that what was read meanwhile may be believed.
    #[inline]
    pub(super) fn is_unchanged(&self, since: u64) -> bool {
        fence(Ordering::Acquire);
        since.is_multiple_of(2) && self.changes.load(Ordering::Relaxed) == since
    }

    /// Changes what readers may see. One at a time.
    pub(super) fn change(&self, work: impl FnOnce()) {
        let before = self.changes.load(Ordering::Relaxed);
        self.changes.store(before.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        work();
        self.changes.store(before.wrapping_add(2), Ordering::Release);
    }

    #[inline]
    fn slots(&self) -> Slots {
        let word = self.slots.load(Ordering::Relaxed);
        Slots { place: word >> MARK, capacity: low(word & ((1 << MARK) - 1)) }
    }

    /// The slot that is most likely the name's: for those who want its memory to come nearer.
    #[inline]
    pub(super) fn likely(&self, memory: &Memory, name: &NameText<'_>) -> Option<Slot> {
        let slots = self.slots();
        let mark = mark(name);
        let from_home = memory.at(slots.place)?.get(Slots::at(home(mark, slots.capacity))..)?;
        let [first, second, next @ ..] = from_home.first_chunk::<{ 2 * WORDS }>()?.each_ref().map(Word::get);
        let [next_first, next_second] = next;
        // Both are read, so that nothing depends on which it is.
        let is_first = first >> PLACE == mark;
        Some(Slot {
            first: if is_first { first } else { next_first },
            second: if is_first { second } else { next_second },
        })
    }

    /// The word that [`Self::likely`] begins with.
    #[inline]
    pub(super) fn home<'m>(&self, memory: &'m Memory, name: &NameText<'_>) -> Option<&'m AtomicU64> {
        let slots = self.slots();
        memory.at(slots.place)?.get(Slots::at(home(mark(name), slots.capacity)))
    }

    /// The slot of a name, which one it is, and what stands in memory from its head on.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it makes shall stay in registers")]
    pub(super) fn find<'m>(
        &self,
        memory: &'m Memory,
        name: &NameText<'_>,
    ) -> Option<(Slot, u32, &'m [AtomicU64])> {
        let slots = self.slots();
        let words = memory.at(slots.place)?;
        let mark = mark(name);
        let mut number = home(mark, slots.capacity);
        for _ in 0..slots.capacity {
            let [first, second] = words.get(Slots::at(number)..)?.first_chunk()?;
            let first = first.get();
            if first == 0 {
                return None;
            }
            if first >> PLACE == mark {
                let slot = Slot { first, second: second.get() };
                let block = slot.block();
                let head = memory.at(block.place)?;
                if block.is_named(head, name) {
                    return Some((slot, number, head));
                }
            }
            number = if number + 1 == slots.capacity { 0 } else { number + 1 };
        }
        None
    }

    /// A slot, if it is taken. For writers.
    pub(super) fn taken(&self, memory: &Memory, number: u32) -> Option<Slot> {
        slot(memory, self.slots(), number).filter(|slot| slot.first != 0)
    }

    /// How many slots there are, free ones too.
    pub(super) fn capacity(&self) -> u32 {
        self.slots().capacity
    }

    /// Every slot that is taken. For writers.
    pub(super) fn all(&self, memory: &Memory) -> Vec<Slot> {
        (0..self.capacity()).filter_map(|number| self.taken(memory, number)).collect()
    }

    /// Puts a slot in the place of another.
    pub(super) fn replace(&self, memory: &Memory, number: u32, slot: Slot) {
        let slots = self.slots();
        self.change(|| put(memory, slots, number, slot));
    }

    /// Adds a slot for a name that has none, beside `count` others.
    pub(super) fn add(&self, memory: &Memory, count: u32, slot: Slot) {
        self.expect(memory, count.saturating_add(1));
        let slots = self.slots();
        if let Some(number) = free(memory, slots, slot) {
            self.change(|| put(memory, slots, number, slot));
        }
    }

    /// Makes room for so many slots, with two fifths free: then few are further from home than [`Self::likely`] looks.
    pub(super) fn expect(&self, memory: &Memory, count: u32) {
        let slots = self.slots();
        let wanted = count.saturating_add(count / 3 * 2).saturating_add(1);
        if wanted <= slots.capacity {
            return;
        }
        // Half as many again, so that all moves together cost no more than a few a slot.
        let capacity = wanted.max(slots.capacity.saturating_add(slots.capacity / 2)).next_multiple_of(A_LINE);
        let place = memory.take(index(capacity / A_LINE));
        let larger = Slots { place, capacity };
        memory.write(place, 0, std::iter::repeat_n(0, Slots::at(capacity)));
        for slot in self.all(memory) {
            if let Some(number) = free(memory, larger, slot) {
                put(memory, larger, number, slot);
            }
        }
        self.change(|| self.slots.store(larger.word(), Ordering::Relaxed));
        memory.give(slots.place, slots.lines());
    }

    /// Frees a slot, and moves those behind it that began before it.
    pub(super) fn remove(&self, memory: &Memory, number: u32) {
        let slots = self.slots();
        let after = |number: u32| if number + 1 == slots.capacity { 0 } else { number + 1 };
        let distance = |from: u32, to: u32| if to >= from { to - from } else { to + slots.capacity - from };
        self.change(|| {
            let (mut hole, mut next) = (number, after(number));
            while let Some(slot) = slot(memory, slots, next)
                && slot.first != 0
                && next != number
            {
                if distance(slot.home(slots.capacity), next) >= distance(hole, next) {
                    put(memory, slots, hole, slot);
                    hole = next;
                }
                next = after(next);
            }
            put(memory, slots, hole, Slot { first: 0, second: 0 });
        });
    }
}

fn slot(memory: &Memory, slots: Slots, number: u32) -> Option<Slot> {
    let [first, second] = memory.read(slots.place, Slots::at(number))?;
    Some(Slot { first, second })
}

fn put(memory: &Memory, slots: Slots, number: u32, slot: Slot) {
    memory.write(slots.place, Slots::at(number), slot.words());
}

/// Which slot is free for one, if any.
fn free(memory: &Memory, slots: Slots, wanted: Slot) -> Option<u32> {
    let home = wanted.home(slots.capacity);
    (home..slots.capacity)
        .chain(0..home)
        .find(|number| slot(memory, slots, *number).is_some_and(|slot| slot.first == 0))
}
