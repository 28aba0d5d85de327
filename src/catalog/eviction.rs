//! Which tables have to go when all together take more than they may: the next that nobody asked since its last turn, round and
//! round over all slots. Who asks a repository leaves a mark, but only while memory is about to be short.

use super::Catalog;
use super::block::Block;
use super::shard::Slot;
use super::table::{index, low};
use super::text::{NameText, scaled};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::terms::RepositoryName;

pub(super) struct Eviction {
    /// How many bytes tables may take.
    pub(super) most: u64,
    /// Whether marks are made: not 0.
    marking: AtomicU64,
    /// A bit for a few repositories each. They stand apart, since readers write them: what readers find things in, they never do.
    marks: Box<[AtomicU64]>,
    hand: Mutex<Hand>,
}

/// Which slot has the next turn.
#[derive(Debug, Default)]
struct Hand {
    shard: usize,
    slot: u32,
}

/// After how many slots whoever looks for a table that can go gives others their turn.
const LOOKED_AT: u32 = 64;

/// Bits of each shard.
const BITS: u32 = if cfg!(shuttle) { 64 } else { 8192 };

impl Eviction {
    pub(super) fn new(most: u64, shards: usize) -> Self {
        let words = index(BITS / u64::BITS) * shards;
        let marks = (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { most, marking: AtomicU64::new(0), marks, hand: Mutex::default() }
    }

    /// Hears how much tables take; says whether that is too much.
    fn is_too_much(&self, bytes: u64) -> bool {
        // Early enough that something is known of each by the time that the first has to go.
        let marking = u64::from(bytes > self.most / 2);
        if self.marking.load(Ordering::Relaxed) != marking {
            self.marking.store(marking, Ordering::Relaxed);
        }
        bytes > self.most
    }

    /// Somebody asks this repository.
    #[inline]
    pub(super) fn mark(&self, shard: usize, name: &NameText<'_>) {
        if self.marking.load(Ordering::Relaxed) != 0 {
            self.set(shard, low(name.hash >> u32::BITS));
        }
    }

    #[cold]
    fn set(&self, shard: usize, hash: u32) {
        if let Some((word, bit)) = self.bit(shard, hash)
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether somebody asked a slot's repository; it is forgotten.
    fn take_mark(&self, shard: usize, slot: Slot) -> bool {
        let Some((word, bit)) = self.bit(shard, slot.upper_hash()) else { return false };
        word.fetch_and(!bit, Ordering::Relaxed) & bit != 0
    }

    /// By the upper part of a name's hash, of which a slot has the first bits.
    fn bit(&self, shard: usize, hash: u32) -> Option<(&AtomicU64, u64)> {
        let bit = scaled(hash, BITS);
        let word = self.marks.get(index(BITS / u64::BITS) * shard + index(bit / u64::BITS))?;
        Some((word, 1 << (bit % u64::BITS)))
    }
}

impl Catalog {
    /// Lets go of tables while all together take more than they may; never of the one that came in last.
    pub(super) fn evict_tables(&self, last: &RepositoryName) {
        if !self.eviction.is_too_much(self.table_bytes()) {
            return;
        }
        let mut hand = self.eviction.hand.lock();
        // At its first turn every one may stay because somebody asked it, at its second hardly.
        let mut shards = 2 * self.shards.len();
        while shards > 0 && self.table_bytes() > self.eviction.most {
            if !self.evict_next(&mut hand, last) {
                *hand = Hand { shard: (hand.shard + 1) % self.shards.len(), slot: 0 };
                shards -= 1;
            }
        }
    }

    /// Lets go of a table at most; `false` at the shard's end.
    fn evict_next(&self, hand: &mut Hand, last: &RepositoryName) -> bool {
        let Some((shard, kept)) = self.shards.get(hand.shard).zip(self.kept.get(hand.shard)) else {
            return false;
        };
        let kept = kept.lock();
        let end = shard.capacity().min(hand.slot.saturating_add(LOOKED_AT));
        let is_end = hand.slot >= shard.capacity();
        while hand.slot < end {
            let number = hand.slot;
            hand.slot += 1;
            let Some(slot) = shard.taken(&self.memories.heads, number).filter(|slot| !slot.is_cold()) else {
                continue;
            };
            if self.eviction.take_mark(hand.shard, slot) {
                continue;
            }
            let Ok(repository) = slot.block().name(&self.memories).parse::<RepositoryName>() else {
                continue;
            };
            // Views and publications use it; when they do not any more, its state is let go.
            if repository == *last || kept.states.contains_key(&repository) {
                continue;
            }
            let name = self.name(&repository);
            let position = slot.block().position(&self.memories);
            let cold = Block::write_cold(&self.memories, &[(name, position)]).into_iter().next();
            if let Some(cold) = cold {
                shard.replace(&self.memories.heads, number, Slot::new(&name, cold, true));
                drop(kept);
                self.free(Some(slot.block()));
            }
            return true;
        }
        !is_end
    }
}
