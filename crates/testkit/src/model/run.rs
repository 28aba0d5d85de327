use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Debug;

use tufstore::Upload;
use tufstore::crypto::{OnlineRole, sha256};
use tufstore::terms::{RepositoryName, RoleName, Sha256};
use tufstore_client::{AuthorError, OnlineKeysOfServer, SnapshotHolder};

use super::history::History;
use super::operation::{HOLDS_SNAPSHOT, REPOSITORIES, TAGS};
use super::{Delegate, Event, Failure, File, Operation, Pin, Subject, Tagging};
use crate::seed::{NOW, digest};
use crate::{Forge, Publisher};

/// Where a subject and the model part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The subject says something else than the model.
    #[error("step {step}, {operation:?}: {what} should be {expected}, and is {found}")]
    Differs {
        /// From 0.
        step: usize,
        /// What was done.
        operation: Operation,
        /// What was asked.
        what: String,
        /// What the model says.
        expected: String,
        /// What the subject says.
        found: String,
    },
    /// The subject refused, or failed.
    #[error("step {step}, {operation:?}: {}", whole(&**why))]
    Failed {
        /// From 0.
        step: usize,
        /// What was done.
        operation: Operation,
        /// Why.
        why: Failure,
    },
}

/// An error and all that led to it: what runs a model shows one line alone.
fn whole(error: &(dyn Error + Send + Sync)) -> String {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    why
}

/// Carries out every operation on a subject that is empty, and compares all that it says after each of them.
///
/// # Errors
/// [`Mismatch`] at the first step after which they differ.
pub fn run(operations: &[Operation], subject: &mut dyn Subject) -> Result<(), Mismatch> {
    let mut model = Model::default();
    for (step, operation) in operations.iter().enumerate() {
        let failed = |why| Mismatch::Failed { step, operation: operation.clone(), why };
        model.apply(operation, subject).map_err(failed)?;
        if let Some((what, expected, found)) = model.difference(subject).map_err(failed)? {
            return Err(Mismatch::Differs { step, operation: operation.clone(), what, expected, found });
        }
        let ends = step.saturating_add(1) == operations.len();
        if (ends || matches!(operation, Operation::Reopen(_)))
            && let Some((what, expected, found)) = model.history.difference(subject).map_err(failed)?
        {
            return Err(Mismatch::Differs { step, operation: operation.clone(), what, expected, found });
        }
        if ends {
            subject.check().map_err(failed)?;
        }
    }
    Ok(())
}

/// What a tag stands for, by role.
type Tags = BTreeMap<String, Sha256>;

#[derive(Default)]
struct Model {
    published: BTreeMap<u8, Published>,
    mirrored: BTreeMap<u8, Mirrored>,
    feed: Vec<Event>,
    pins: Vec<Pinned>,
    history: History,
}

struct Pinned {
    pin: Box<dyn Pin>,
    tags: Tags,
    files: Vec<File>,
}

struct Published {
    publisher: Publisher,
    targets: Tags,
    delegations: BTreeMap<Delegate, Tags>,
    last: Upload,
}

struct Mirrored {
    forge: Forge,
    version: u64,
    targets: Tags,
}

impl Published {
    /// By Docker's rule.
    fn tags(&self) -> Tags {
        let mut tags = self.targets.clone();
        tags.extend(self.delegations.get(&Delegate::Releases).cloned().unwrap_or_default());
        tags
    }
}

fn published(number: u8) -> String {
    format!("example.com/published/{number}")
}

fn mirrored(number: u8) -> String {
    format!("example.com/mirrored/{number}")
}

fn tag(number: u8) -> String {
    format!("v{number}")
}

fn tagged(taggings: &[Tagging]) -> Vec<(String, Sha256)> {
    taggings.iter().map(|tagging| (tag(tagging.tag), digest(&tagging.content.to_string()))).collect()
}

fn borrowed(tags: &[(String, Sha256)]) -> Vec<(&str, Sha256)> {
    tags.iter().map(|(tag, sha256)| (tag.as_str(), *sha256)).collect()
}

impl Model {
    fn apply(&mut self, operation: &Operation, subject: &mut dyn Subject) -> Result<(), Failure> {
        match operation {
            Operation::Publish { repository, tags } => {
                let state = self.begun(*repository, subject)?;
                for (tag, sha256) in tagged(tags) {
                    state.publisher.author().set_tag(&tag, sha256, crate::publisher::LENGTH);
                    state.targets.insert(tag, sha256);
                }
                self.publish(*repository, subject)
            }
            Operation::Mirror { repository, tags } => self.mirror(*repository, tags, subject),
            Operation::Replay { repository } => {
                let Some(state) = self.published.get(repository) else { return Ok(()) };
                // Nothing is no replay, but a renewal.
                if state.last.roles().next().is_none() {
                    return Ok(());
                }
                match subject.publish(state.publisher.repository(), &state.last) {
                    Ok(()) => Err("what had been taken was taken again".into()),
                    Err(_) => Ok(()),
                }
            }
            Operation::Lookup { repository, tag: number } => {
                subject.lookup(&published(*repository).parse()?, &tag(*number))?;
                Ok(())
            }
            Operation::Pin { repository } => {
                if let Some(pin) = subject.pin(&published(*repository).parse()?)? {
                    let tags = self.published.get(repository).map(Published::tags).unwrap_or_default();
                    self.pins.push(Pinned { files: pin.files(), pin, tags });
                }
                Ok(())
            }
            Operation::RotateRoot { repository } => {
                self.staged(*repository, subject, |state| state.publisher.author().rotate_root(NOW))
            }
            Operation::RotateTargets { repository } => {
                self.staged(*repository, subject, |state| state.publisher.author().rotate_targets())
            }
            Operation::RotateTimestamp { repository } => {
                let key = subject.pending_key(&published(*repository).parse()?, OnlineRole::Timestamp)?;
                self.staged(*repository, subject, |state| {
                    state.publisher.author().rotate_timestamp(&key);
                    Ok(())
                })
            }
            Operation::RotateSnapshot { repository } => {
                let holder = if *repository == HOLDS_SNAPSHOT {
                    SnapshotHolder::Author
                } else {
                    let name = published(*repository).parse()?;
                    SnapshotHolder::Server(subject.pending_key(&name, OnlineRole::Snapshot)?)
                };
                self.staged(*repository, subject, |state| state.publisher.author().rotate_snapshot(holder))
            }
            Operation::AddDelegation { repository, delegate, tags } => {
                let state = self.begun(*repository, subject)?;
                let tags = tagged(tags);
                state.publisher.delegate(delegate.as_str(), &[""], &borrowed(&tags));
                state.delegations.entry(*delegate).or_default().extend(tags);
                self.publish(*repository, subject)
            }
            Operation::RemoveDelegation { repository, delegate } => {
                let role: RoleName = delegate.as_str().parse()?;
                self.staged(*repository, subject, |state| {
                    state.publisher.author().remove_delegation(&role);
                    state.delegations.remove(delegate);
                    Ok(())
                })
            }
            Operation::Delete { repository } => {
                subject.delete(&published(*repository).parse()?)?;
                if self.published.remove(repository).is_some() {
                    self.history.deleted(&published(*repository).parse()?);
                    self.happened(&published(*repository), true)?;
                }
                Ok(())
            }
            Operation::Reopen(reopening) => subject.reopen(*reopening),
        }
    }
}

impl Model {
    /// The repository, begun if nothing is published of it.
    fn begun(&mut self, number: u8, subject: &mut dyn Subject) -> Result<&mut Published, Failure> {
        match self.published.entry(number) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let name: RepositoryName = published(number).parse()?;
                let snapshot = match number {
                    HOLDS_SNAPSHOT => None,
                    _ => Some(subject.online_key(&name, OnlineRole::Snapshot)?),
                };
                let timestamp = subject.online_key(&name, OnlineRole::Timestamp)?;
                let online = OnlineKeysOfServer { timestamp, snapshot };
                let publisher = Publisher::new(name.as_str(), online);
                Ok(entry.insert(Published {
                    publisher,
                    targets: Tags::new(),
                    delegations: BTreeMap::new(),
                    last: Upload::new(),
                }))
            }
        }
    }

    /// Stages something in a repository that lives, and publishes it.
    fn staged(
        &mut self,
        number: u8,
        subject: &mut dyn Subject,
        change: impl FnOnce(&mut Published) -> Result<(), AuthorError>,
    ) -> Result<(), Failure> {
        match self.published.get_mut(&number) {
            Some(state) => change(state)?,
            None => return Ok(()),
        }
        self.publish(number, subject)
    }

    fn publish(&mut self, number: u8, subject: &mut dyn Subject) -> Result<(), Failure> {
        let Some(state) = self.published.get_mut(&number) else { return Ok(()) };
        let upload = state.publisher.upload();
        let repository = state.publisher.repository();
        subject.publish(repository, &upload)?;
        let sent: Vec<_> = upload.files().map(|(role, bytes)| (role.clone(), sha256(bytes))).collect();
        self.history.published(repository, &sent, subject)?;
        state.last = upload;
        self.happened(&published(number), false)
    }

    fn mirror(&mut self, number: u8, tags: &[Tagging], subject: &mut dyn Subject) -> Result<(), Failure> {
        let begun = || Mirrored { forge: Forge::new(&mirrored(number)), version: 0, targets: Tags::new() };
        let state = self.mirrored.entry(number).or_insert_with(begun);
        state.version = state.version.saturating_add(1);
        state.targets.extend(tagged(tags));
        let targets: Vec<_> = state.targets.iter().map(|(tag, sha256)| (tag.as_str(), *sha256)).collect();
        let set = state.forge.complete(state.version, &targets);
        let repository = &state.forge.repository;
        subject.mirror(repository, &set)?;
        let files = [&set.timestamp, &set.snapshot, &set.targets].into_iter().chain(set.roots.last());
        let roles = [RoleName::Timestamp, RoleName::Snapshot, RoleName::Targets, RoleName::Root];
        let named: Vec<_> = roles.into_iter().zip(files.map(|bytes| sha256(bytes))).collect();
        self.history.published(repository, &named, subject)?;
        self.happened(&mirrored(number), false)
    }

    fn happened(&mut self, repository: &str, deleted: bool) -> Result<(), Failure> {
        self.feed.push(Event { repository: repository.parse()?, deleted });
        Ok(())
    }

    /// What the subject says otherwise than the model: the question and both answers.
    fn difference(&self, subject: &mut dyn Subject) -> Result<Option<(String, String, String)>, Failure> {
        let tags_of = |number: u8| {
            let published = (published(number), self.published.get(&number).map(Published::tags));
            let mirrored = (mirrored(number), self.mirrored.get(&number).map(|state| state.targets.clone()));
            [published, mirrored]
        };
        let mut names = BTreeSet::new();
        for (name, tags) in (0..REPOSITORIES).flat_map(tags_of) {
            let name: RepositoryName = name.parse()?;
            for tag in (0..=TAGS).map(tag) {
                let expected = tags.as_ref().and_then(|tags| tags.get(&tag)).copied();
                let found = subject.lookup(&name, &tag)?;
                if expected != found {
                    return Ok(Some(parted(&format!("{tag} of {name}"), &expected, &found)));
                }
            }
            if tags.is_some() {
                names.insert(name);
            }
        }
        let (expected, found) = (names.into_iter().collect::<Vec<_>>(), subject.repositories()?);
        if expected != found {
            return Ok(Some(parted("the list of repositories", &expected, &found)));
        }
        let found = subject.feed()?;
        if self.feed != found {
            return Ok(Some(parted("the feed", &self.feed, &found)));
        }
        for (at, Pinned { pin, tags, files }) in self.pins.iter().enumerate() {
            let found = pin.files();
            if *files != found {
                return Ok(Some(parted(&format!("the files under pin {at}"), files, &found)));
            }
            for tag in (0..=TAGS).map(tag) {
                let (expected, found) = (tags.get(&tag).copied(), pin.lookup(&tag));
                if expected != found {
                    return Ok(Some(parted(&format!("{tag} under pin {at}"), &expected, &found)));
                }
            }
        }
        Ok(None)
    }
}

pub(super) fn parted(what: &str, expected: &impl Debug, found: &impl Debug) -> (String, String, String) {
    (what.to_owned(), format!("{expected:?}"), format!("{found:?}"))
}
