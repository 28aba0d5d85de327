//! `Staged` to `Committed`: group commit. Whoever comes first leads: takes all that waits, has it written with one sync,
//! makes each visible, and hands the lead on. Nobody else touches storage or catalog meanwhile, so that the order of
//! positions and the order of visibility are one.

use std::collections::HashMap;
use std::sync::Arc;

use super::install::{Committed, install};
use super::stage::{Ready, Staged};
use crate::catalog::Catalog;
use crate::storage::{Outcome, Storage, StorageError};
use crate::sync::{Condvar, Mutex, Stopwatch};

/// The one place through which records become durable and states visible.
pub(crate) struct Committer {
    storage: Arc<dyn Storage>,
    catalog: Arc<Catalog>,
    queue: Mutex<Queue>,
    answered: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(u64, Ready)>,
    answers: HashMap<u64, Result<Answer, StorageError>>,
    leading: bool,
    tickets: u64,
}

/// What became of a staged publication.
pub(crate) enum Answer {
    /// Durable and visible.
    Committed(Committed),
    /// The repository moved on since it was staged; nothing of it was written.
    Moved,
}

impl Committer {
    pub(crate) fn new(storage: Arc<dyn Storage>, catalog: Arc<Catalog>) -> Self {
        Self { storage, catalog, queue: Mutex::new(Queue::default()), answered: Condvar::default() }
    }

    /// Returns when `staged` is on disk and visible, or refused, or its outcome is unknown.
    pub(crate) fn commit(&self, staged: Staged) -> Result<Answer, StorageError> {
        let ready = staged.prepare(&*self.storage)?;
        let mut queue = self.queue.lock();
        let ticket = queue.tickets;
        queue.tickets += 1;
        queue.waiting.push((ticket, ready));
        loop {
            if let Some(answer) = queue.answers.remove(&ticket) {
                return answer;
            }
            if queue.leading {
                queue = self.answered.wait(queue);
                continue;
            }
            queue.leading = true;
            let group = std::mem::take(&mut queue.waiting);
            drop(queue);
            let mut lead =
                Lead { committer: self, tickets: group.iter().map(|(ticket, _)| *ticket).collect() };
            let answers = self.run(group);
            lead.answer(answers);
            drop(lead);
            queue = self.queue.lock();
        }
    }

    fn run(&self, group: Vec<(u64, Ready)>) -> Vec<(u64, Result<Answer, StorageError>)> {
        let commits = group.iter().map(|(_, ready)| ready.prepared.clone()).collect();
        let watch = Stopwatch::start();
        let mut outcomes = self.storage.commit(commits);
        metrics::histogram!("tufstore_commit_seconds").record(watch.elapsed());
        metrics::counter!("tufstore_commits_total").increment(group.len().try_into().unwrap_or(u64::MAX));
        let lost = || Outcome::Unknown(StorageError::Bug("a commit went without an outcome"));
        outcomes.resize_with(group.len(), lost);
        let answer = |((ticket, ready), outcome)| {
            let answer = match outcome {
                Outcome::Committed(position) => {
                    Ok(Answer::Committed(install(ready, position, &self.catalog)))
                }
                Outcome::Conflict => Ok(Answer::Moved),
                Outcome::Unknown(error) => Err(error),
            };
            (ticket, answer)
        };
        group.into_iter().zip(outcomes).map(answer).collect()
    }
}

/// Held by who leads. Gives the lead back even if a panic below ends it, and then leaves nobody waiting.
struct Lead<'a> {
    committer: &'a Committer,
    /// Not answered yet.
    tickets: Vec<u64>,
}

impl Lead<'_> {
    fn answer(&mut self, answers: Vec<(u64, Result<Answer, StorageError>)>) {
        self.tickets.clear();
        self.committer.queue.lock().answers.extend(answers);
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        const PANICKED: StorageError = StorageError::Bug("the thread that committed has panicked");
        let mut queue = self.committer.queue.lock();
        queue.leading = false;
        queue.answers.extend(self.tickets.drain(..).map(|ticket| (ticket, Err(PANICKED))));
        drop(queue);
        self.committer.answered.notify_all();
    }
}
