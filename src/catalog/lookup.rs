//! The hot path: what a lookup does with what stands in memory.

use std::cell::Cell;

use super::block::{Block, Memories};
use super::freshness::{self, Freshness, Instant, SHORT};
use super::shard::{Shard, Slot};
use super::table::{Entry, Parts};
use super::text::{NameText, TagText, Word as _};
use super::{Catalog, Found, Lookup};
use crate::sync::atomic::AtomicU64;
use crate::terms::UnixTime;

/// A question, hashed and laid out as it is compared.
#[derive(Clone, Copy)]
struct Asked<'a> {
    repository: NameText<'a>,
    tag: TagText<'a>,
}

/// The caller's time: in short, and exactly.
type Now = (Instant, UnixTime);

/// How many are looked up side by side.
const BATCH: usize = 32;

/// What is found of one of them on the way.
struct Near<'m> {
    /// Of changes, before anything was read.
    count: u64,
    slot: Slot,
    head: &'m [AtomicU64],
    table: Parts<'m, AtomicU64>,
    /// Where the tag's line is.
    line: usize,
}

/// One repository, found once for many questions.
pub(crate) struct Resolved<'a> {
    catalog: &'a Catalog,
    repository: &'a str,
    name: NameText<'a>,
    /// Where it was, and at which count of changes.
    at: Cell<Option<(u64, Option<Slot>)>>,
}

impl Catalog {
    /// What `tag` stands for in a repository; `cold` is asked if its tags are not in memory. No lock, no disk, no allocation.
    #[inline]
    pub(crate) fn lookup<E>(
        &self,
        repository: &str,
        tag: &str,
        now: UnixTime,
        cold: impl FnOnce() -> Result<Lookup, E>,
    ) -> Result<Lookup, E> {
        self.answer(&self.ask(repository, tag), (repository, tag), (Instant::new(now), now), cold)
    }

    /// The same of many, in their order. Memory is read for several at a time.
    pub(crate) fn lookup_many<E>(
        &self,
        questions: &[(&str, &str)],
        now: UnixTime,
        mut cold: impl FnMut(&str, &str) -> Result<Lookup, E>,
    ) -> Result<Vec<Lookup>, E> {
        let now = (Instant::new(now), now);
        let mut answers = Vec::with_capacity(questions.len());
        for batch in questions.chunks(BATCH) {
            let mut asked = [None; BATCH];
            for (asked, (repository, tag)) in asked.iter_mut().zip(batch) {
                *asked = Some(self.ask(repository, tag));
            }
            let near = self.come_nearer(&asked);
            for ((asked, near), question) in asked.iter().flatten().zip(&near).zip(batch) {
                // What went wrong on the way is asked for alone.
                let near = near.as_ref().and_then(|near| self.answer_near(asked, near, now.0));
                answers.push(match near {
                    Some(lookup) => lookup,
                    None => self.answer(asked, *question, now, || cold(question.0, question.1))?,
                });
            }
        }
        Ok(answers)
    }

    /// One repository for many questions.
    pub(crate) fn resolve<'a>(&'a self, repository: &'a str) -> Resolved<'a> {
        let name = NameText::new(repository, &self.key);
        Resolved { catalog: self, repository, name, at: Cell::new(None) }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it makes shall stay in registers")]
    fn ask<'a>(&self, repository: &'a str, tag: &'a str) -> Asked<'a> {
        Asked { repository: NameText::new(repository, &self.key), tag: TagText::new(tag, &self.key) }
    }

    /// `repository` and `tag`: what was asked, for the seldom case.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn answer<E>(
        &self,
        asked: &Asked<'_>,
        (repository, tag): (&str, &str),
        now: Now,
        cold: impl FnOnce() -> Result<Lookup, E>,
    ) -> Result<Lookup, E> {
        self.mark(&asked.repository);
        let shard = self.shard(&asked.repository);
        let count = shard.begin();
        let found = shard.find(&self.memories.heads, &asked.repository).map(|(slot, _, head)| (slot, head));
        self.answer_from(found, &asked.tag, (shard, count), (repository, tag), now, cold)
    }

    /// Given where the repository was `found`, if at all, at a shard's count of changes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn answer_from<E>(
        &self,
        found: Option<(Slot, &[AtomicU64])>,
        asked: &TagText<'_>,
        (shard, count): (&Shard, u64),
        (repository, tag): (&str, &str),
        now: Now,
        cold: impl FnOnce() -> Result<Lookup, E>,
    ) -> Result<Lookup, E> {
        if let Some((slot, head)) = found {
            if let Some((short, entry)) = self.see(slot, head, asked)
                && shard.is_unchanged(count)
                && let Some(lookup) = known(short, entry, now.0)
            {
                return Ok(lookup);
            }
        } else if shard.is_unchanged(count) {
            return Ok(Lookup::NoSuchRepository);
        }
        self.answer_patiently(repository, tag, now.1).map_or_else(cold, Ok)
    }

    /// Where something is being changed, has expired, or will beyond all that is usual; `None` if it is cold.
    #[cold]
    fn answer_patiently(&self, repository: &str, tag: &str, now: UnixTime) -> Option<Lookup> {
        let asked = self.ask(repository, tag);
        let shard = self.shard(&asked.repository);
        loop {
            let count = shard.begin();
            let answer = match shard.find(&self.memories.heads, &asked.repository) {
                None => Some(Lookup::NoSuchRepository),
                Some((slot, _, head)) => self.see(slot, head, &asked.tag).map(|(_, entry)| {
                    let exact = slot.block().exact(&self.memories).unwrap_or_default();
                    Freshness::from_exact(exact).answer(entry.map(|entry| entry.target()), now)
                }),
            };
            if shard.is_unchanged(count) {
                return answer;
            }
            self.wait_for(&asked.repository);
        }
    }

    /// What the slot of the right name leads to: until when its tags are fresh, and the one that was asked for, if it is there;
    /// `None` if they are not in memory. To be believed if nothing changed meanwhile.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn see(
        &self,
        slot: Slot,
        head: &[AtomicU64],
        tag: &TagText<'_>,
    ) -> Option<([u64; SHORT], Option<Entry>)> {
        if slot.is_cold() {
            return None;
        }
        let table = slot.block().table(&self.memories, head)?;
        Some((Block::short(head), table.find(tag)))
    }

    /// Reads what the answers need into the processor's cache: at each step for all that are asked, so that it waits for all of
    /// them at once.
    fn come_nearer(&self, asked: &[Option<Asked<'_>>; BATCH]) -> [Option<Near<'_>>; BATCH] {
        let Memories { heads, bodies: _ } = &self.memories;
        let mut homes = [None; BATCH];
        let mut counts = [0; BATCH];
        for ((Asked { repository, .. }, home), count) in
            asked.iter().flatten().zip(&mut homes).zip(&mut counts)
        {
            let shard = self.shard(repository);
            *count = shard.begin();
            *home = shard.home(heads, repository);
        }
        read_all(homes);
        let mut found = [None; BATCH];
        let mut parts = [[None; 3]; BATCH];
        for ((Asked { repository, tag }, found), parts) in
            asked.iter().flatten().zip(&mut found).zip(&mut parts)
        {
            let Some(slot) = self.shard(repository).likely(heads, repository) else { continue };
            let block = slot.block();
            let Some(head) = heads.at(block.place) else { continue };
            *parts = block.parts(head, tag);
            *found = Some((slot, head));
        }
        read_all(parts.into_iter().flatten());
        let mut near = [const { None }; BATCH];
        let each = asked.iter().flatten().zip(found).zip(counts);
        for (((Asked { tag, .. }, found), count), near) in each.zip(&mut near) {
            let Some((slot, head)) = found else { continue };
            let Some(table) = slot.block().table(&self.memories, head) else { continue };
            let line = table.line_at(tag);
            *near = Some(Near { count, slot, head, table, line });
        }
        read_all(
            near.iter().map(|near: &Option<Near<'_>>| {
                near.as_ref().and_then(|near| near.table.words.get(near.line))
            }),
        );
        near
    }

    /// The answer from what was found on the way; `None` if that is not the repository's, or does not tell.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn answer_near(&self, asked: &Asked<'_>, near: &Near<'_>, now: Instant) -> Option<Lookup> {
        let Near { count, slot, head, table, line } = near;
        if slot.is_cold() || !slot.block().is_named(head, &asked.repository) {
            return None;
        }
        self.mark(&asked.repository);
        let (short, entry) = (Block::short(head), table.at(*line, &asked.tag));
        let shard = self.shard(&asked.repository);
        if shard.is_unchanged(*count) { known(short, entry, now) } else { None }
    }
}

impl<'a> Resolved<'a> {
    /// The repository's name.
    pub(crate) fn name(&self) -> &'a str {
        self.repository
    }

    /// As [`Catalog::lookup`].
    #[inline]
    pub(crate) fn lookup<E>(
        &self,
        tag: &str,
        now: UnixTime,
        cold: impl FnOnce() -> Result<Lookup, E>,
    ) -> Result<Lookup, E> {
        let Self { catalog, repository, name, at } = self;
        catalog.mark(name);
        let shard = catalog.shard(name);
        let count = shard.begin();
        let slot = match at.get() {
            Some((before, slot)) if before == count => slot,
            Some(_) | None => self.find(shard, count),
        };
        let found = slot.and_then(|slot| Some((slot, catalog.memories.heads.at(slot.block().place)?)));
        let asked = TagText::new(tag, &catalog.key);
        let now = (Instant::new(now), now);
        catalog.answer_from(found, &asked, (shard, count), (repository, tag), now, cold)
    }

    #[cold]
    fn find(&self, shard: &Shard, count: u64) -> Option<Slot> {
        let slot = shard.find(&self.catalog.memories.heads, &self.name).map(|(slot, ..)| slot);
        // What is seen while something changes is not worth keeping.
        self.at.set(shard.is_unchanged(count).then_some((count, slot)));
        slot
    }
}

/// The answer, unless only the exact times can tell.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn known(short: [u64; SHORT], entry: Option<Entry>, now: Instant) -> Option<Lookup> {
    match entry {
        Some(entry) => {
            let fresh_until = freshness::fresh_until(short, entry.from_releases, now)?;
            Some(Lookup::Found(Found { target: entry.target(), fresh_until }))
        }
        None => freshness::fresh_until(short, false, now).map(|_| Lookup::NoSuchTag),
    }
}

/// Reads words that do not depend on each other, and nothing between them.
#[inline]
fn read_all<'w>(words: impl IntoIterator<Item = Option<&'w AtomicU64>>) {
    std::hint::black_box(words.into_iter().flatten().fold(0, |all, word| all ^ word.get()));
}
