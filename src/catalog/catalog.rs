use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::State;
use super::arrivals::Arrivals;
use super::block::{Block, Content, Memories};
use super::eviction::Eviction;
use super::memory::Memory;
use super::prebuilt::Prebuilt;
use super::resident::Resident;
use super::shard::{Shard, Slot};
use super::table::{index, low};
use super::text::{HashKey, NameText, Word};
use crate::sync::{Mutex, MutexGuard};
use crate::terms::{Position, RepositoryName};

/// A state that is durable and visible, with its place in the order of commits.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) position: Position,
    /// The record that holds the sealed keys of [`State::online`]; `None` if there are none.
    pub(crate) online_at: Option<Position>,
    pub(crate) state: State,
    /// Whether somebody asked for it since that was looked at.
    used: AtomicBool,
}

impl Current {
    pub(crate) fn new(position: Position, online_at: Option<Position>, state: State) -> Self {
        Self { position, online_at, state, used: AtomicBool::new(false) }
    }

    pub(super) fn mark_used(&self) {
        // Written once, so that those who read at the same time do not take the line from each other.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was marked; it is not any more.
    pub(super) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// Every living repository. Lookups take no lock.
///
/// What a lookup reads stands in [`Memory`], and where in it, in the [`Shard`]s. All else that is known of a repository stands
/// beside, behind its shard's lock.
pub(crate) struct Catalog {
    pub(super) key: HashKey,
    pub(super) memories: Memories,
    pub(super) shards: Box<[Shard; SHARDS]>,
    pub(super) kept: Box<[Mutex<Kept>; SHARDS]>,
    resident: Mutex<Resident>,
    pub(super) eviction: Eviction,
    arrivals: Arrivals,
}

/// A power of two.
const SHARDS: usize = 128;

/// How many repositories are noted at a time at open.
const COLDS: usize = 1024;

/// Of the memory, how much of four parts tables may take that lookups need; documents take what these leave.
const TABLES: u64 = 3;

/// What a shard has beside what lookups read; also who may change that.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Of living repositories.
    count: u32,
    /// Those that are in memory whole.
    pub(super) states: HashMap<RepositoryName, Arc<Current>>,
}

/// How many bytes of memory something takes, about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MemoryUse {
    /// The tables that lookups need.
    pub tables: u64,
    /// The documents that views and publications need, with what was read from them.
    pub documents: u64,
}

/// What the catalog has of a repository.
pub(crate) enum Visible {
    /// It does not live.
    Not,
    /// It lives, and its state is not in memory.
    Cold,
    /// Its state.
    Warm(Arc<Current>),
}

/// A prebuilt table is not what was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DamagedTable;

/// What became of a state that was loaded.
pub(crate) enum Loaded {
    /// It is what is visible, or something newer is, which is this.
    Visible(Arc<Current>),
    /// It is not what is visible: something newer is, or it will be in an instant, when whoever commits it gets on.
    Untimely,
    /// The repository's life ended meanwhile.
    Gone,
}

impl Catalog {
    /// Without any repository; `newest` is the position of the newest record there is, and `memory` how many bytes tables and
    /// states may take.
    pub(crate) fn new(key: HashKey, newest: Position, memory: u64) -> Self {
        Self {
            key,
            memories: Memories { heads: Memory::new(), bodies: Memory::new() },
            shards: Box::new(std::array::from_fn(|_| Shard::default())),
            kept: Box::new(std::array::from_fn(|_| Mutex::default())),
            resident: Mutex::new(Resident::new(memory)),
            eviction: Eviction::new(memory / 4 * TABLES, SHARDS),
            arrivals: Arrivals::new(newest),
        }
    }

    /// What names and tags are hashed with.
    pub(crate) fn key(&self) -> &HashKey {
        &self.key
    }

    /// For those who wait for more.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    #[inline]
    pub(super) fn shard(&self, name: &NameText<'_>) -> &Shard {
        let [first, ..] = &*self.shards;
        self.shards.get(number(name)).unwrap_or(first)
    }

    /// Somebody asks a repository: it shall stay.
    #[inline]
    pub(super) fn mark(&self, name: &NameText<'_>) {
        self.eviction.mark(number(name), name);
    }

    /// Comes back when whoever changes something in the name's shard is done.
    pub(super) fn wait_for(&self, name: &NameText<'_>) {
        drop(self.kept(name));
    }

    fn kept(&self, name: &NameText<'_>) -> MutexGuard<'_, Kept> {
        let [first, ..] = &*self.kept;
        self.kept.get(number(name)).unwrap_or(first).lock()
    }

    pub(super) fn name<'a>(&self, repository: &'a RepositoryName) -> NameText<'a> {
        NameText::new(repository.as_str(), &self.key)
    }

    /// The visible state.
    pub(crate) fn visible(&self, repository: &RepositoryName) -> Visible {
        let name = self.name(repository);
        let kept = self.kept(&name);
        if let Some(current) = kept.states.get(repository) {
            current.mark_used();
            return Visible::Warm(Arc::clone(current));
        }
        let lives = self.shard(&name).find(&self.memories.heads, &name).is_some();
        if lives { Visible::Cold } else { Visible::Not }
    }

    /// Notes at open which repositories live, without loading them.
    pub(crate) fn add_cold(&self, repositories: &[(RepositoryName, Position)]) {
        // By chance, some shards have more than their share.
        let share = u32::try_from(repositories.len() / SHARDS).unwrap_or(u32::MAX);
        for shard in &*self.shards {
            shard.expect(&self.memories.heads, share.saturating_add(share / 16));
        }
        for some in repositories.chunks(COLDS) {
            let some: Vec<_> = some.iter().map(|(name, newest)| (self.name(name), *newest)).collect();
            let blocks = Block::write_cold(&self.memories, &some);
            for ((name, _), block) in some.iter().zip(blocks) {
                let mut kept = self.kept(name);
                let unused = self.put(&mut kept, name, Slot::new(name, block, true));
                drop(kept);
                self.free(unused);
            }
        }
    }

    /// Makes a committed publication visible.
    pub(crate) fn install(&self, repository: &RepositoryName, current: &Arc<Current>) {
        let name = self.name(repository);
        let content = Content::of(current);
        let mut kept = self.kept(&name);
        let mut unused = None;
        if !self.update(&kept, repository, &name, current) {
            drop(kept);
            // While the shard is not locked: it may be large.
            let new = self.written(&name, &content);
            kept = self.kept(&name);
            unused = self.put(&mut kept, &name, new);
        }
        let before = kept.states.insert(repository.clone(), Arc::clone(current));
        drop(kept);
        drop(before);
        self.free(unused);
        self.mark(&name);
        self.admit(repository, current);
    }

    /// Shows what changed beside the tags, if that is all, and the tags are in memory.
    fn update(
        &self,
        kept: &Kept,
        repository: &RepositoryName,
        name: &NameText<'_>,
        current: &Current,
    ) -> bool {
        let origin = |current: &Current| current.state.tags.origin();
        if kept.states.get(repository).is_none_or(|before| origin(before) != origin(current)) {
            return false;
        }
        let shard = self.shard(name);
        match shard.find(&self.memories.heads, name) {
            Some((slot, ..)) if !slot.is_cold() => {
                shard.change(|| slot.block().set(&self.memories, &Content::of(current)));
                true
            }
            Some(_) | None => false,
        }
    }

    /// A block that nobody can find yet.
    fn written<W: Word>(&self, name: &NameText<'_>, content: &Content<'_, W>) -> Slot {
        Slot::new(name, Block::write(&self.memories, name, content), false)
    }

    /// Shows a block; returns the one that it replaces.
    fn put(&self, kept: &mut Kept, name: &NameText<'_>, slot: Slot) -> Option<Block> {
        let shard = self.shard(name);
        if let Some((before, number, _)) = shard.find(&self.memories.heads, name) {
            shard.replace(&self.memories.heads, number, slot);
            return Some(before.block());
        }
        shard.add(&self.memories.heads, kept.count, slot);
        kept.count += 1;
        None
    }

    pub(super) fn free(&self, block: Option<Block>) {
        if let Some(block) = block {
            block.free(&self.memories);
        }
    }

    /// Counts a state that was put in, and lets go of others while all together take more than they may. States first: a table
    /// can go when its state is gone.
    fn admit(&self, repository: &RepositoryName, current: &Arc<Current>) {
        let mut resident = self.resident.lock();
        resident.add(repository, current);
        let tables = self.table_bytes().min(self.eviction.most);
        while let Some((repository, position)) = resident.superfluous(tables) {
            self.let_go(&repository, position);
        }
        drop(resident);
        self.evict_tables(repository);
    }

    /// What lookups need stays.
    fn let_go(&self, repository: &RepositoryName, position: Position) {
        let mut kept = self.kept(&self.name(repository));
        let is_it = kept.states.get(repository).is_some_and(|current| current.position == position);
        let gone = if is_it { kept.states.remove(repository) } else { None };
        drop(kept);
        drop(gone);
    }

    /// Keeps a state that was loaded from its records, unless it is not what is visible.
    pub(crate) fn keep(&self, repository: &RepositoryName, loaded: &Arc<Current>) -> Loaded {
        let name = self.name(repository);
        let find = || self.shard(&name).find(&self.memories.heads, &name);
        let kept = self.kept(&name);
        let is_cold = find().is_some_and(|(slot, ..)| slot.is_cold());
        drop(kept);
        // While the shard is not locked: it may be large.
        let mut new = is_cold.then(|| self.written(&name, &Content::of(loaded)));
        let mut kept = self.kept(&name);
        let answer = self.keep_in(&mut kept, repository, &name, loaded, &mut new);
        drop(kept);
        self.free(new.map(Slot::block));
        if matches!(&answer, Loaded::Visible(current) if Arc::ptr_eq(current, loaded)) {
            self.mark(&name);
            self.admit(repository, loaded);
        }
        answer
    }

    /// `new` is taken if it is put in, and becomes what it replaces.
    fn keep_in(
        &self,
        kept: &mut Kept,
        repository: &RepositoryName,
        name: &NameText<'_>,
        loaded: &Arc<Current>,
        new: &mut Option<Slot>,
    ) -> Loaded {
        let Some((there, ..)) = self.shard(name).find(&self.memories.heads, name) else {
            return Loaded::Gone;
        };
        if let Some(newer) = kept.states.get(repository) {
            return if loaded.position <= newer.position {
                Loaded::Visible(Arc::clone(newer))
            } else {
                Loaded::Untimely
            };
        }
        // Older than what is visible, or newer.
        if loaded.position != there.block().position(&self.memories) {
            return Loaded::Untimely;
        }
        if there.is_cold() {
            // None was written where its table was still in memory a moment ago.
            let Some(slot) = new.take() else { return Loaded::Untimely };
            *new = self.put(kept, name, slot).map(|_| there);
        }
        kept.states.insert(repository.clone(), Arc::clone(loaded));
        Loaded::Visible(Arc::clone(loaded))
    }

    /// Keeps what was prebuilt of a cold repository, if it is of what is visible; `false` if not, or if it was there already.
    ///
    /// # Errors
    /// [`DamagedTable`].
    pub(crate) fn keep_prebuilt(
        &self,
        repository: &RepositoryName,
        standing: &[u8],
        table: &[u8],
    ) -> Result<bool, DamagedTable> {
        let Some(prebuilt) = Prebuilt::read(&self.key, repository, standing, table) else {
            return Err(DamagedTable);
        };
        let name = self.name(repository);
        let is_wanted = || {
            let slot = self.shard(&name).find(&self.memories.heads, &name);
            slot.is_some_and(|(slot, ..)| {
                slot.is_cold() && slot.block().position(&self.memories) == prebuilt.position()
            })
        };
        let kept = self.kept(&name);
        let wanted = is_wanted();
        drop(kept);
        if !wanted {
            return Ok(false);
        }
        // While the shard is not locked: it may be large.
        let new = self.written(&name, &prebuilt.content());
        let mut kept = self.kept(&name);
        let wanted = is_wanted();
        let unused = if wanted { self.put(&mut kept, &name, new) } else { Some(new.block()) };
        drop(kept);
        self.free(unused);
        self.mark(&name);
        self.evict_tables(repository);
        Ok(wanted)
    }

    /// Makes a committed deletion visible. Views that were pinned before keep their state.
    pub(crate) fn remove(&self, repository: &RepositoryName) {
        let name = self.name(repository);
        let shard = self.shard(&name);
        let mut kept = self.kept(&name);
        let gone = kept.states.remove(repository);
        let unused = shard.find(&self.memories.heads, &name).map(|(slot, number, _)| {
            shard.remove(&self.memories.heads, number);
            slot.block()
        });
        kept.count -= u32::from(unused.is_some());
        drop(kept);
        drop(gone);
        self.free(unused);
        self.resident.lock().forget(repository);
    }

    /// How many bytes the tables take that lookups need.
    pub(super) fn table_bytes(&self) -> u64 {
        self.memories.bodies.taken()
    }

    /// How much is in memory.
    pub(crate) fn memory_use(&self) -> MemoryUse {
        MemoryUse { tables: self.table_bytes(), documents: self.resident.lock().bytes() }
    }

    /// How many repositories live.
    pub(crate) fn count(&self) -> usize {
        self.kept.iter().map(|kept| index(kept.lock().count)).sum()
    }

    /// The names of all living repositories, sorted.
    pub(crate) fn names(&self) -> Vec<RepositoryName> {
        let mut texts = Vec::new();
        for (shard, kept) in self.shards.iter().zip(&*self.kept) {
            let kept = kept.lock();
            let each = shard.all(&self.memories.heads).into_iter();
            texts.extend(each.map(|slot| slot.block().name(&self.memories)));
            drop(kept);
        }
        // Each was a name before it was put there.
        let mut names: Vec<RepositoryName> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        names.sort_unstable();
        names
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// Which shard a name belongs to.
#[inline]
fn number(name: &NameText<'_>) -> usize {
    index(low(name.hash)) % SHARDS
}
