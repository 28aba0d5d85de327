//! What stands in memory of one repository, in two blocks. The head is small, and those of all repositories lie close together:
//! its name, until when it is fresh, where its lines are, the pilots of its table. The body is a line that is seldom read, the
//! lines of the table, and their text.

use super::Current;
use super::freshness::{EXACT, Freshness, SHORT};
use super::memory::{LINE, Memory, Place};
use super::table::{Layout, Parts};
use super::text::{self, ENDS, NameText, TagText, Word, middle_words};
use crate::sync::atomic::AtomicU64;
use crate::terms::Position;

/// Where heads are, and where bodies.
#[derive(Debug)]
pub(super) struct Memories {
    pub(super) heads: Memory,
    pub(super) bodies: Memory,
}

/// Where a head has what. The ends of the name fill its first line; what is between them follows the pilots.
const NAME_AT: usize = 0;
const FRESH_AT: usize = NAME_AT + ENDS;
const BODY_AT: usize = FRESH_AT + SHORT;
const PILOTS_AT: usize = BODY_AT + 1;
/// And a body: the exact freshness, the position of the newest publication, how many lines the body takes, where among the
/// lines of the table their text begins.
const EXACT_AT: usize = 0;
const POSITION_AT: usize = EXACT_AT + EXACT;
const SIZE_AT: usize = POSITION_AT + 1;
const TEXT_AT: usize = LINE - 1;

/// Where no body is: the first line of all stays out of use.
const NO_BODY: Place = 0;

/// A head, and how much it has of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) place: Place,
    pub(super) name_size: usize,
    pub(super) layout: Layout,
}

/// What there is to write of a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a, W> {
    pub(super) parts: Parts<'a, W>,
    pub(super) freshness: &'a Freshness,
    pub(super) position: Position,
}

impl<'a> Content<'a, u64> {
    pub(super) fn of(current: &'a Current) -> Self {
        let tags = &current.state.tags;
        Self { parts: tags.table().parts(), freshness: tags.freshness(), position: current.position }
    }
}

impl Block {
    /// Where what is between the ends of the name begins.
    fn middle_at(self) -> usize {
        PILOTS_AT + self.layout.pilot_words()
    }

    fn head_lines(self) -> usize {
        (self.middle_at() + middle_words(self.name_size)).div_ceil(LINE)
    }

    /// Writes a new one, which nobody can find yet.
    pub(super) fn write<W: Word>(memories: &Memories, name: &NameText<'_>, content: &Content<'_, W>) -> Self {
        let Parts { layout, pilots, words, text_at } = content.parts;
        let mut block = Self { place: 0, name_size: name.size(), layout };
        let Memories { heads, bodies } = memories;
        block.place = heads.take(block.head_lines());
        let size = 1 + words.len().div_ceil(LINE);
        let body = bodies.take(size);
        block.write_name(memories, name);
        heads.write(block.place, BODY_AT, [body]);
        heads.write(block.place, PILOTS_AT, pilots.iter().map(Word::get));
        bodies.write(body, SIZE_AT, [u64::try_from(size).unwrap_or(0)]);
        bodies.write(body, TEXT_AT, [text_at.get()]);
        bodies.write(body, LINE, words.iter().map(Word::get));
        block.set(memories, content);
        block
    }

    /// Writes a head for each of many repositories that are not in memory, with its position where others have their
    /// freshness, and without a body.
    pub(super) fn write_cold(memories: &Memories, repositories: &[(NameText<'_>, Position)]) -> Vec<Self> {
        let cold = |name: &NameText<'_>| Self { place: 0, name_size: name.size(), layout: Layout::NONE };
        let mut place =
            memories.heads.take(repositories.iter().map(|(name, _)| cold(name).head_lines()).sum());
        let written = repositories.iter().map(|(name, position)| {
            let block = Self { place, ..cold(name) };
            block.write_name(memories, name);
            memories.heads.write(block.place, FRESH_AT, [position.get(), 0, NO_BODY]);
            place += u64::try_from(block.head_lines()).unwrap_or(0);
            block
        });
        written.collect()
    }

    fn write_name(self, memories: &Memories, name: &NameText<'_>) {
        memories.heads.write(self.place, NAME_AT, name.ends());
        memories.heads.write(self.place, self.middle_at(), name.middle());
    }

    /// Writes what a publication changes that leaves all tags as they are.
    pub(super) fn set<W>(self, memories: &Memories, content: &Content<'_, W>) {
        let Content { parts: _, freshness, position } = content;
        let body = self.body(memories);
        memories.heads.write(self.place, FRESH_AT, freshness.short());
        memories.bodies.write(body, EXACT_AT, freshness.exact());
        memories.bodies.write(body, POSITION_AT, [position.get()]);
    }

    fn body(self, memories: &Memories) -> Place {
        let [body] = memories.heads.read(self.place, BODY_AT).unwrap_or_default();
        body
    }

    /// Nobody can find it any more, and its memory may be written.
    pub(super) fn free(self, memories: &Memories) {
        let body = self.body(memories);
        if body != NO_BODY {
            let [size] = memories.bodies.read(body, SIZE_AT).unwrap_or_default();
            memories.bodies.give(body, usize::try_from(size).unwrap_or(0));
        }
        memories.heads.give(self.place, self.head_lines());
    }

    /// The short freshness. `head`: what stands from the head on.
    #[inline]
    pub(super) fn short(head: &[AtomicU64]) -> [u64; SHORT] {
        let short = head.get(FRESH_AT..).and_then(|short| short.first_chunk());
        short.map_or([0; SHORT], |[targets, releases]: &[AtomicU64; SHORT]| [targets.get(), releases.get()])
    }

    /// The exact freshness.
    pub(super) fn exact(self, memories: &Memories) -> Option<[u64; EXACT]> {
        memories.bodies.read(self.body(memories), EXACT_AT)
    }

    /// The table. `head`: what stands from the head on.
    #[inline]
    pub(super) fn table<'m>(
        self,
        memories: &'m Memories,
        head: &'m [AtomicU64],
    ) -> Option<Parts<'m, AtomicU64>> {
        let (rest, words) = memories.bodies.at(head.get(BODY_AT)?.get())?.split_first_chunk::<LINE>()?;
        let [.., text_at] = rest;
        Some(Parts { layout: self.layout, pilots: head.get(PILOTS_AT..)?, words, text_at })
    }

    /// Whether it has that name. `head`: what stands from the head on.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the name shall stay in registers")]
    pub(super) fn is_named(self, head: &[AtomicU64], name: &NameText<'_>) -> bool {
        self.name_size == name.size()
            && head.first_chunk().is_some_and(|ends| name.has_ends(ends))
            && name.has_middle(|| self.middle(head))
    }

    /// What is between the ends of the name.
    fn middle(self, head: &[AtomicU64]) -> Option<&[AtomicU64]> {
        head.get(self.middle_at()..)?.get(..middle_words(self.name_size))
    }

    /// A word of each of its parts that a lookup reads.
    #[inline]
    pub(super) fn parts<'m>(self, head: &'m [AtomicU64], tag: &TagText<'_>) -> [Option<&'m AtomicU64>; 3] {
        [NAME_AT, FRESH_AT, PILOTS_AT + self.layout.pilot_word(tag)].map(|at| head.get(at))
    }

    /// The position of the newest visible publication.
    pub(super) fn position(self, memories: &Memories) -> Position {
        let [position] = match self.body(memories) {
            NO_BODY => memories.heads.read(self.place, FRESH_AT),
            body => memories.bodies.read(body, POSITION_AT),
        }
        .unwrap_or_default();
        Position::new(position)
    }

    /// The repository's name.
    pub(super) fn name(self, memories: &Memories) -> String {
        let head = memories.heads.at(self.place).unwrap_or_default();
        let Some(ends) = head.first_chunk() else { return String::new() };
        let bytes = text::name(ends, self.middle(head).unwrap_or_default(), self.name_size);
        String::from_utf8(bytes).unwrap_or_default()
    }
}
