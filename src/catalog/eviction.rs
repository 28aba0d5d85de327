//! Which tables have to go when all together take more than they may: the next that nobody asked since its last turn, round and
//! round over all slots. Who asks a repository leaves a mark, but only while memory is about to be short.

use super::shard::Slot;
use super::table::{index, low};
use super::text::{NameText, scaled};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Eviction {
    /// How many bytes tables may take.
    pub(super) most: u64,
    /// Whether marks are made: not 0.
    marking: AtomicU64,
    /// A bit for a few repositories each. They stand apart, since readers write them: what readers find things in, they never do.
    marks: Box<[AtomicU64]>,
    pub(super) hand: Mutex<Hand>,
}

/// Which slot has the next turn.
#[derive(Debug, Default)]
pub(super) struct Hand {
    pub(super) shard: usize,
    pub(super) slot: u32,
}

/// Bits of each shard.
const BITS: u32 = if cfg!(shuttle) { 64 } else { 8192 };

impl Eviction {
    pub(super) fn new(most: u64, shards: usize) -> Self {
        let words = index(BITS / u64::BITS) * shards;
        let marks = (0..words).map(|_| AtomicU64::new(0)).collect();
        Self { most, marking: AtomicU64::new(0), marks, hand: Mutex::default() }
    }

    /// Hears how much tables take; says whether that is too much.
    pub(super) fn is_too_much(&self, bytes: u64) -> bool {
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
    pub(super) fn take_mark(&self, shard: usize, slot: Slot) -> bool {
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
