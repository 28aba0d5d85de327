use proptest::collection::vec;
use proptest::prelude::*;

use super::{Delegate, Reopening};

/// One step. Repositories and tags are small numbers, so that steps meet each other.
///
/// What a repository cannot do yet begins it: a tag in a repository that nothing is published of publishes its first
/// root; a rotation there does nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// The author tags in `targets`, and publishes.
    Publish {
        /// Which repository.
        repository: u8,
        /// What is tagged; nothing asks for a renewal.
        tags: Vec<Tagging>,
    },
    /// A set that another server signed is taken in.
    Mirror {
        /// Which repository; never one of those that are published.
        repository: u8,
        /// What its targets say from then on, on top of before.
        tags: Vec<Tagging>,
    },
    /// What the author sent last is sent again: it must be refused.
    Replay {
        /// Which repository.
        repository: u8,
    },
    /// A tag is looked up, besides those that every step looks up: it may have been cold.
    Lookup {
        /// Which repository.
        repository: u8,
        /// Which tag.
        tag: u8,
    },
    /// A view is taken; it must answer alike for ever.
    Pin {
        /// Which repository.
        repository: u8,
    },
    /// The author gets new root keys.
    RotateRoot {
        /// Which repository.
        repository: u8,
    },
    /// The author gets a new targets key.
    RotateTargets {
        /// Which repository.
        repository: u8,
    },
    /// The server's next timestamp key is listed.
    RotateTimestamp {
        /// Which repository.
        repository: u8,
    },
    /// The server's next snapshot key is listed, or the author's own next one where the author holds it.
    RotateSnapshot {
        /// Which repository.
        repository: u8,
    },
    /// A role is delegated to, or gets more tags.
    AddDelegation {
        /// Which repository.
        repository: u8,
        /// Which role.
        delegate: Delegate,
        /// What is tagged in it; with nothing it has no file.
        tags: Vec<Tagging>,
    },
    /// A delegation ends.
    RemoveDelegation {
        /// Which repository.
        repository: u8,
        /// Which role.
        delegate: Delegate,
    },
    /// A repository's life ends.
    Delete {
        /// Which repository.
        repository: u8,
    },
    /// The subject is closed and opened, with or without all of its files.
    Reopen(Reopening),
}

/// A tag and what it stands for, as small numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests build it")]
pub struct Tagging {
    /// Which tag.
    pub tag: u8,
    /// What it stands for.
    pub content: u8,
}

pub(super) const REPOSITORIES: u8 = 3;
/// Whose author signs the snapshots.
pub(super) const HOLDS_SNAPSHOT: u8 = 2;
pub(super) const TAGS: u8 = 4;

/// Sequences of at most `most` operations.
pub fn operations(most: usize) -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 0..=most)
}

fn operation() -> impl Strategy<Value = Operation> {
    let repository = || 0..REPOSITORIES;
    let delegate = || prop_oneof![3 => Just(Delegate::Releases), 1 => Just(Delegate::Other)];
    prop_oneof![
        8 => (repository(), taggings()).prop_map(|(repository, tags)| Operation::Publish { repository, tags }),
        3 => (repository(), taggings()).prop_map(|(repository, tags)| Operation::Mirror { repository, tags }),
        1 => repository().prop_map(|repository| Operation::Replay { repository }),
        2 => (repository(), 0..TAGS).prop_map(|(repository, tag)| Operation::Lookup { repository, tag }),
        2 => repository().prop_map(|repository| Operation::Pin { repository }),
        1 => repository().prop_map(|repository| Operation::RotateRoot { repository }),
        1 => repository().prop_map(|repository| Operation::RotateTargets { repository }),
        1 => repository().prop_map(|repository| Operation::RotateTimestamp { repository }),
        1 => repository().prop_map(|repository| Operation::RotateSnapshot { repository }),
        3 => (repository(), delegate(), taggings()).prop_map(|(repository, delegate, tags)| {
            Operation::AddDelegation { repository, delegate, tags }
        }),
        1 => (repository(), delegate()).prop_map(|(repository, delegate)| {
            Operation::RemoveDelegation { repository, delegate }
        }),
        1 => repository().prop_map(|repository| Operation::Delete { repository }),
        2 => prop_oneof![
            2 => Just(Reopening::Whole),
            1 => Just(Reopening::WithoutIndex),
            1 => Just(Reopening::WithoutCheckpoint),
            1 => Just(Reopening::WithoutBoth),
        ].prop_map(Operation::Reopen),
    ]
}

fn taggings() -> impl Strategy<Value = Vec<Tagging>> {
    vec((0..TAGS, 0u8..8).prop_map(|(tag, content)| Tagging { tag, content }), 0..4)
}
