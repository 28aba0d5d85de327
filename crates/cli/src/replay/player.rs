//! Plays a plan: each publication is signed by its author, and taken by the store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use indicatif::ProgressBar;
use parking_lot::Mutex;
use tufstore::crypto::{InvalidPublicKey, OnlineRole, PublicKey};
use tufstore::terms::{RepositoryName, Revision, RoleName};
use tufstore::{CompleteSet, Options, Store, View};
use tufstore_client::{Author, OnlineKeysOfServer};
use tufstore_server::admin::{Blob, Current, CurrentFile, Key, PublicKeyEntry, Publish, ReceiptEntry};

use super::{KeysFolder, Plan, Planned};
use crate::clock;
use crate::failure::Failure;
use crate::store::Reached;

/// Publishes what is planned, with some threads.
#[derive(Debug)]
pub(crate) struct Player<'a> {
    /// Into this store.
    pub(crate) store: &'a Reached,
    /// The authors' keys.
    pub(crate) keys: &'a KeysFolder,
    /// How many threads.
    pub(crate) publishers: u16,
    /// Where a line is added for each publication that the store has acknowledged.
    pub(crate) acks: Option<Mutex<File>>,
}

/// One repository on its way.
struct Course<'p> {
    planned: &'p Planned,
    /// Of its publications, the next to send.
    next: usize,
    /// Made or resumed at the first publication.
    author: Option<Author>,
}

impl Player<'_> {
    /// Publishes all that the store does not have yet, and answers how many publications that were.
    ///
    /// One publication of the plan is one publication of the store, so a repository's revision says how many of them it
    /// has. Publications of one repository are sent in order; among repositories the earliest of the trace goes first.
    pub(crate) fn play(&self, plan: &Plan, bar: &ProgressBar) -> Result<u64, Failure> {
        let (mut waiting, mut there) = (BTreeMap::new(), 0);
        for planned in &plan.repositories {
            let course = Course { planned, next: self.published(&planned.repository)?, author: None };
            there += course.next.min(planned.publications.len());
            waiting.extend(course.order().map(|order| (order, course)));
        }
        bar.set_position(u64::try_from(there).unwrap_or(u64::MAX));
        let (waiting, failure, played) = (Mutex::new(waiting), Mutex::new(None), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..self.publishers {
                scope.spawn(|| {
                    // A repository that is not waiting is with another publisher, who goes on with it.
                    while let Some((_, mut course)) = next(&waiting, &failure) {
                        match self.publish(&mut course) {
                            Ok(()) => {
                                played.fetch_add(1, Ordering::Relaxed);
                                bar.inc(1);
                                waiting.lock().extend(course.order().map(|order| (order, course)));
                            }
                            Err(error) => drop(failure.lock().get_or_insert(error)),
                        }
                    }
                });
            }
        });
        match failure.into_inner() {
            Some(failure) => Err(failure),
            None => Ok(played.into_inner()),
        }
    }

    /// How many publications the store has of a repository in its present life.
    fn published(&self, repository: &RepositoryName) -> Result<usize, Failure> {
        let current = self.store.ask(Current { repository: repository.clone() })?;
        let revision = current.map_or(Revision::NONE, |(revision, _)| revision);
        Ok(usize::try_from(revision.get()).unwrap_or(usize::MAX))
    }

    fn publish(&self, course: &mut Course<'_>) -> Result<(), Failure> {
        let repository = &course.planned.repository;
        let Some((_, tags)) = course.planned.publications.get(course.next) else { return Ok(()) };
        let now = clock::now();
        let mut author = match course.author.take() {
            Some(author) => author,
            None => self.author(repository)?,
        };
        for update in tags {
            author.set_tag(&update.tag, update.digest, update.length);
        }
        let signed = author.sign(now).map_err(Failure::keys(format!("signing for {repository}")))?;
        let files = signed.upload.files().map(|(role, bytes)| (role.clone(), Blob(bytes.clone()))).collect();
        let receipt = self.store.ask(Publish { repository: repository.clone(), files })?;
        self.acknowledge(repository, &receipt)?;
        course.author = Some(signed.next);
        course.next += 1;
        Ok(())
    }

    /// The author of a repository, as the store has it or anew. New keys are saved before anything is signed with them.
    fn author(&self, repository: &RepositoryName) -> Result<Author, Failure> {
        let current = self.store.ask(Current { repository: repository.clone() })?;
        let making = || format!("making the author of {repository}");
        if let Some((_, files)) = current {
            let view = view(repository, files)?;
            let keys = self.keys.of_author(repository)?;
            return Author::resume(repository.clone(), keys, &view).map_err(Failure::keys(making()));
        }
        let key = |role| {
            let entry = self.store.ask(Key::of(repository.clone(), role))?;
            public_key(&entry).map_err(Failure::keys(making()))
        };
        let online = OnlineKeysOfServer {
            timestamp: key(OnlineRole::Timestamp)?,
            snapshot: Some(key(OnlineRole::Snapshot)?),
        };
        let keys = self.keys.of_new_author(repository)?;
        let author =
            Author::begin(repository.clone(), keys, online, clock::now()).map_err(Failure::keys(making()))?;
        self.keys.save(repository, author.keys())?;
        Ok(author)
    }

    fn acknowledge(&self, repository: &RepositoryName, receipt: &ReceiptEntry) -> Result<(), Failure> {
        let Some(acks) = &self.acks else { return Ok(()) };
        let line = format!("{repository} {} {}\n", receipt.position, receipt.revision);
        acks.lock().write_all(line.as_bytes()).map_err(Failure::file("writing the acknowledgements"))
    }
}

impl Course<'_> {
    /// Where its next publication stands in the trace.
    fn order(&self) -> Option<u64> {
        self.planned.publications.get(self.next).map(|(order, _)| *order)
    }
}

/// A repository as its files have it, verified once more: who signs on what a server says has checked it.
fn view(repository: &RepositoryName, files: Vec<CurrentFile>) -> Result<View, Failure> {
    let doing = || format!("reading the files of {repository}");
    let mut files: BTreeMap<RoleName, _> = files.into_iter().map(|file| (file.role, file.bytes.0)).collect();
    let mut take = |role: RoleName| files.remove(&role).unwrap_or_default();
    let [root, timestamp] = [take(RoleName::Root), take(RoleName::Timestamp)];
    let set = CompleteSet::new(vec![root], timestamp, take(RoleName::Snapshot), take(RoleName::Targets));
    let set = files.into_iter().fold(set, |set, (role, bytes)| set.with(role, bytes));
    let store = Store::in_memory(Options::default()).map_err(Failure::keys(doing()))?;
    store.mirror(repository, &set, clock::now()).map_err(Failure::keys(doing()))?;
    let view = store.view(repository).map_err(Failure::keys(doing()))?;
    view.ok_or_else(|| Failure::NothingSigned { repository: repository.clone() })
}

fn public_key(entry: &PublicKeyEntry) -> Result<PublicKey, InvalidPublicKey> {
    match entry.key_type.as_str() {
        "ed25519" => PublicKey::from_ed25519(&entry.public.0),
        _ => PublicKey::from_spki(&entry.public.0),
    }
}

/// The repository whose next publication stands first in the trace; none after a failure.
fn next<'p>(
    waiting: &Mutex<BTreeMap<u64, Course<'p>>>,
    failure: &Mutex<Option<Failure>>,
) -> Option<(u64, Course<'p>)> {
    if failure.lock().is_some() {
        return None;
    }
    waiting.lock().pop_first()
}
