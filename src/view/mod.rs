//! Reading: one tag from memory ([`lookup`]), everything of one publication through a pinned [`View`], and what was
//! published before (`history`). Nothing here writes.

mod lookup;
mod history;

use std::fmt;
use std::sync::Arc;

pub(crate) use history::history;
pub use history::{DocumentEntry, Documents, Published, Which};
pub use lookup::Repository;
pub(crate) use lookup::{lookup, lookup_many};

use crate::catalog::{Current, Lookup, Target, tags};
use crate::crypto::OnlineRole;
use crate::metadata::Document;
use crate::terms::{Incarnation, Position, Revision, RoleName, UnixTime};
use crate::trust::{Paths, Warning, all_warnings};

/// One repository as one publication left it.
///
/// Everything read through a view comes from that publication, whatever is published or deleted meanwhile. A view costs
/// no more than a pointer, and dropping it changes nothing in the store; what it pins is freed when no view of it is left and
/// something newer was published. It outlives its store.
#[derive(Clone)]
pub struct View(Arc<Current>);

/// A tag as one role has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RoleTarget<'v> {
    /// The tag.
    pub tag: &'v str,
    /// SHA-256 of what it stands for, where the publisher gave one.
    pub sha256: Option<crate::terms::Sha256>,
    /// Length of the same, in bytes.
    pub length: u64,
}

impl View {
    pub(crate) fn new(current: Arc<Current>) -> Self {
        Self(current)
    }

    /// Position of the publication in the order of all commits.
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// How many publications this life of the repository had seen.
    pub fn revision(&self) -> Revision {
        self.0.state.revision
    }

    /// Which life of the repository.
    pub fn incarnation(&self) -> Incarnation {
        self.0.state.incarnation
    }

    /// When it was published: the publisher's `now`.
    pub fn published(&self) -> UnixTime {
        self.0.state.published
    }

    /// What `tag` stands for at `now`; never [`Lookup::NoSuchRepository`].
    pub fn lookup(&self, tag: &str, now: UnixTime) -> Lookup {
        self.0.state.tags.lookup(tag, now)
    }

    /// The same for many tags: as many answers, in their order.
    pub fn lookup_many(&self, tags: &[&str], now: UnixTime) -> Vec<Lookup> {
        let table = &self.0.state.tags;
        let asked: Vec<_> = tags.iter().map(|tag| table.ask(tag)).collect();
        // Independent of each other, so that the processor waits for many of them at once.
        std::hint::black_box(asked.iter().fold(0, |all, asked| all ^ table.touch_pilot(asked)));
        std::hint::black_box(asked.iter().fold(0, |all, asked| all ^ table.touch_line(asked)));
        asked.iter().map(|asked| table.answer(asked, now)).collect()
    }

    /// Every tag that [`View::lookup`] would find if nothing were expired, in no order.
    pub fn tags(&self) -> impl Iterator<Item = (&str, Target)> {
        tags(&self.0.state.set).into_iter()
    }

    /// The exact bytes of a role's file; `None` if the role has none.
    pub fn document(&self, role: &RoleName) -> Option<&Document> {
        self.0.state.set.document(role)
    }

    /// Every file of the publication's set, from the root down.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.0.state.set.documents()
    }

    /// The tags of one role alone, `targets` or a delegation, inside its paths; empty for a role whose file is missing or
    /// not believed by clients.
    pub fn targets_of(&self, role: &RoleName) -> impl Iterator<Item = RoleTarget<'_>> {
        let set = &self.0.state.set;
        let paths: Paths = set.paths_of(role);
        let entries = set.tags_of(role).into_iter().flat_map(|file| &file.body().targets);
        entries.filter(move |entry| paths.allow(entry.tag.as_str())).map(|entry| RoleTarget {
            tag: entry.tag.as_str(),
            sha256: entry.sha256,
            length: entry.length,
        })
    }

    /// One tag of one role alone, as [`View::targets_of`] has it.
    ///
    /// # Cost
    /// A search in the role's tags, which are sorted.
    pub fn target_of(&self, role: &RoleName, tag: &str) -> Option<RoleTarget<'_>> {
        let set = &self.0.state.set;
        let entry = set.tags_of(role)?.body().target(tag).filter(|_| set.paths_of(role).allow(tag))?;
        Some(RoleTarget { tag: entry.tag.as_str(), sha256: entry.sha256, length: entry.length })
    }

    /// Whether the store has signed for `role` with a key that the root lists now: an empty upload renews its file.
    pub fn holds(&self, role: OnlineRole) -> bool {
        let root = self.0.state.set.root.body();
        let listed = match role {
            OnlineRole::Snapshot => &root.snapshot,
            OnlineRole::Timestamp => &root.timestamp,
        };
        let held = |id| self.0.state.online.iter().any(|key| key.role == role && key.id == id);
        listed.keys.iter().any(|key| held(key.id))
    }

    /// When a role's file expires; `None` if the role has none.
    pub fn expires_of(&self, role: &RoleName) -> Option<UnixTime> {
        self.0.state.set.expires_of(role)
    }

    /// What clients complain of at `at`, or will by then: every file and certificate that has expired, delegations that they
    /// skip, tags that they do not see. What the store renews by itself when it is read is not among it.
    ///
    /// # Cost
    /// A look at every delegation and its tags.
    pub fn warnings(&self, at: UnixTime) -> Vec<Warning> {
        let mut warnings = all_warnings(&self.0.state.set, at);
        let renewed = |role: &RoleName| match role {
            RoleName::Timestamp => self.holds(OnlineRole::Timestamp),
            RoleName::Snapshot => self.holds(OnlineRole::Snapshot),
            RoleName::Root | RoleName::Targets | RoleName::Delegation(_) => false,
        };
        warnings.retain(|warning| warning.expires().is_none() || !renewed(warning.role()));
        warnings
    }

    /// The earliest expiry of root, targets, snapshot and timestamp, and whose it is: a server serves on after it, a
    /// client refuses.
    pub fn expires(&self) -> (UnixTime, RoleName) {
        self.0.state.tags.lapses()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("position", &self.position())
            .field("revision", &self.revision())
            .finish()
    }
}
