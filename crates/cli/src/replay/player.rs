//! Plays a plan: each publication is signed by its author, and taken by the store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use indicatif::ProgressBar;
use parking_lot::Mutex;
use tufstore::terms::{RepositoryName, Revision};
use tufstore_client::Author;
use tufstore_server::admin::{Current, ReceiptEntry};

use super::{Authors, KeysFolder, Plan, Planned};
use crate::failure::Failure;
use crate::store::Reached;
use crate::{acks, clock};

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
            None => self.authors().of(repository)?,
        };
        for update in tags {
            author.set_tag(&update.tag, update.digest, update.length);
        }
        let (receipt, next) = self.authors().publish(&author, now)?;
        self.acknowledge(repository, &receipt)?;
        course.author = Some(next);
        course.next += 1;
        Ok(())
    }

    fn authors(&self) -> Authors<'_> {
        Authors { store: self.store, keys: self.keys }
    }

    fn acknowledge(&self, repository: &RepositoryName, receipt: &ReceiptEntry) -> Result<(), Failure> {
        let Some(acks) = &self.acks else { return Ok(()) };
        let lines = acks::lines(repository, receipt);
        acks.lock().write_all(lines.as_bytes()).map_err(Failure::file("writing the acknowledgements"))
    }
}

impl Course<'_> {
    /// Where its next publication stands in the trace.
    fn order(&self) -> Option<u64> {
        self.planned.publications.get(self.next).map(|(order, _)| *order)
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
