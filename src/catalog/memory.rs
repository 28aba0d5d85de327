//! The memory that repositories stand in while readers and writers share it.
//!
//! It consists of atomic words, in lines of the processor's cache, and grows by chunks, each twice as large as the one before;
//! the system gives pages as they are first written. What is freed is taken again by whoever needs it next, and never given
//! back: so a reader that comes too late reads words of something else, and notices by the shard's count of changes (see
//! `shard`), but never reads what is not memory.

use std::sync::OnceLock;

use super::extents::Extents;
use super::table::index;
use super::text::Word;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// Words of a cache line.
pub(super) const LINE: usize = 8;
/// Lines of the first chunk, as a power of two: 64 KiB, or little for the model checker.
const FIRST: u32 = if cfg!(shuttle) { 5 } else { 10 };
/// A power of two, with more lines in all than there is memory.
const CHUNKS: usize = 32;
/// The bits of a place that say which line of its chunk it is.
const LINES: u32 = 35;

/// A line: the number of its chunk, and which one of it; below 2^40.
pub(super) type Place = u64;

#[derive(Debug)]
pub(super) struct Memory {
    chunks: [OnceLock<Chunk>; CHUNKS],
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    extents: Extents,
    /// How many chunks there are.
    chunks: u32,
    /// How many lines are taken.
    taken: u64,
}

#[derive(Debug)]
struct Chunk {
    words: Box<[AtomicU64]>,
    /// The first word that begins a line.
    first: usize,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], free: Mutex::default() }
    }

    /// What stands from a place on, to the end of its chunk; `None` for a place that does not exist (yet).
    #[inline]
    pub(super) fn at(&self, place: Place) -> Option<&[AtomicU64]> {
        let [chunk, line] =
            [place >> LINES, place & ((1 << LINES) - 1)].map(|half| usize::try_from(half).ok());
        let chunk = self.chunks.get(chunk? % CHUNKS)?.get()?;
        chunk.words.get(chunk.first + line? * LINE..)
    }

    /// So many lines, with whatever somebody left there. Whoever writes them comes after all that was done to them before.
    ///
    /// Where the machine has no such memory the process ends, as with any other.
    pub(super) fn take(&self, lines: usize) -> Place {
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        let mut free = self.free.lock();
        let place = loop {
            if let Some(place) = free.extents.take(lines) {
                break place;
            }
            let number = free.chunks;
            let Some(chunk) = self.chunks.get(index(number)) else { no_memory() };
            let size = 1 << (FIRST + number);
            chunk.get_or_init(|| Chunk::new(size));
            free.chunks += 1;
            // The first line of all stays out: a place of zero is none.
            let begin = u64::from(number) << LINES | u64::from(number == 0);
            free.extents.give(begin, size - u64::from(number == 0));
        };
        free.taken += lines;
        drop(free);
        // Orders what a reader may still see of the former use: it sees the change that ended that use as well.
        fence(Ordering::Release);
        place
    }

    /// Nothing that is readable names these lines any more.
    pub(super) fn give(&self, place: Place, lines: usize) {
        if let Ok(lines) = u64::try_from(lines)
            && lines > 0
        {
            let mut free = self.free.lock();
            free.extents.give(place, lines);
            free.taken -= lines;
        }
    }

    /// How many bytes are taken.
    pub(super) fn taken(&self) -> u64 {
        const BYTES: u64 = 64;
        self.free.lock().taken.saturating_mul(BYTES)
    }

    /// Writes words, from so many after a place on.
    pub(super) fn write(&self, place: Place, after: usize, words: impl IntoIterator<Item = u64>) {
        let there = self.at(place).and_then(|there| there.get(after..)).unwrap_or_default();
        for (there, word) in there.iter().zip(words) {
            there.store(word, Ordering::Relaxed);
        }
    }

    /// Reads the same.
    pub(super) fn read<const WORDS: usize>(&self, place: Place, after: usize) -> Option<[u64; WORDS]> {
        let words = self.at(place)?.get(after..)?.first_chunk::<WORDS>()?;
        Some(words.each_ref().map(Word::get))
    }
}

impl Chunk {
    fn new(lines: u64) -> Self {
        let words =
            usize::try_from(lines).unwrap_or(usize::MAX).saturating_mul(LINE).saturating_add(LINE - 1);
        let words = zeros(words);
        let first = words.as_ptr().align_offset(LINE * size_of::<u64>());
        Self { words, first: if first < LINE { first } else { 0 } }
    }
}

fn no_memory() -> ! {
    std::alloc::handle_alloc_error(std::alloc::Layout::new::<[AtomicU64; LINE]>())
}

/// Pages that nobody wrote take no memory.
#[cfg(not(shuttle))]
fn zeros(words: usize) -> Box<[AtomicU64]> {
    bytemuck::try_zeroed_slice_box(words).unwrap_or_else(|()| no_memory())
}

#[cfg(shuttle)]
fn zeros(words: usize) -> Box<[AtomicU64]> {
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_apart_and_begins_lines() {
        let memory = Memory::new();
        let mut places = Vec::new();
        for lines in [1, 3, 20_000, 1, 70_000, 2] {
            let place = memory.take(lines);
            let words = memory.at(place).unwrap();
            assert!(words.len() >= lines * LINE);
            assert_eq!(words.as_ptr().align_offset(64), 0);
            memory.write(place, 0, (0..lines * LINE).map(|_| place));
            places.push((place, lines));
        }
        for (place, lines) in &places {
            assert!(memory.at(*place).unwrap()[..lines * LINE].iter().all(|word| word.get() == *place));
            memory.give(*place, *lines);
        }
        assert_eq!((memory.taken(), memory.take(1), memory.taken()), (0, places[0].0, 64));
        assert!(memory.at((1 << 40) - 1).is_none() && memory.at(0).is_some());
    }
}
