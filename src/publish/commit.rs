//! `Staged` to `Committed`: group commit. Whoever comes first leads: takes all that waits, has it written with one sync,
//! makes each visible, and hands the lead on to one of those that came meanwhile. Nobody else touches storage or catalog
//! meanwhile, so that the order of positions and the order of visibility are one.

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
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Arc<Waiter>, Ready)>,
    leading: bool,
}

/// Where one publisher waits: nobody is woken but for a word of their own.
#[derive(Default)]
struct Waiter {
    word: Mutex<Option<Word>>,
    told: Condvar,
}

enum Word {
    /// It is your turn to lead.
    Lead,
    Answer(Result<Answer, StorageError>),
}

impl Waiter {
    fn tell(&self, word: Word) {
        *self.word.lock() = Some(word);
        self.told.notify_all();
    }

    fn listen(&self) -> Word {
        let mut word = self.word.lock();
        loop {
            match word.take() {
                Some(word) => return word,
                None => word = self.told.wait(word),
            }
        }
    }
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
        Self { storage, catalog, queue: Mutex::new(Queue::default()) }
    }

    /// Returns when `staged` is on disk and visible, or refused, or its outcome is unknown.
    pub(crate) fn commit(&self, staged: Staged) -> Result<Answer, StorageError> {
        let ready = staged.prepare(&*self.storage)?;
        let waiter = Arc::new(Waiter::default());
        let mut queue = self.queue.lock();
        queue.waiting.push((Arc::clone(&waiter), ready));
        let lead = !queue.leading;
        queue.leading = true;
        drop(queue);
        if lead {
            self.lead();
        }
        loop {
            match waiter.listen() {
                Word::Answer(answer) => return answer,
                Word::Lead => self.lead(),
            }
        }
    }

    /// Commits all that waits, the caller's own among it.
    fn lead(&self) {
        let group = std::mem::take(&mut self.queue.lock().waiting);
        let waiters = group.iter().map(|(waiter, _)| Arc::clone(waiter)).collect();
        let lead = Lead { committer: self, unanswered: waiters };
        let answers = self.run(group.into_iter().map(|(_, ready)| ready).collect());
        lead.end(answers);
    }

    fn run(&self, group: Vec<Ready>) -> Vec<Result<Answer, StorageError>> {
        let commits = group.iter().map(|ready| ready.prepared.clone()).collect();
        let watch = Stopwatch::start();
        let mut outcomes = self.storage.commit(commits);
        metrics::histogram!("tufstore_commit_seconds").record(watch.elapsed());
        metrics::counter!("tufstore_commits_total").increment(group.len().try_into().unwrap_or(u64::MAX));
        let lost = || Outcome::Unknown(StorageError::Bug("a commit went without an outcome"));
        outcomes.resize_with(group.len(), lost);
        let answer = |(ready, outcome)| match outcome {
            Outcome::Committed(position) => {
                Ok(Answer::Committed(install(ready, position, &self.catalog, &*self.storage)))
            }
            Outcome::Conflict => Ok(Answer::Moved),
            Outcome::Refused(error) | Outcome::Unknown(error) => Err(error),
        };
        group.into_iter().zip(outcomes).map(answer).collect()
    }

    /// To whoever came first meanwhile, if anybody did.
    fn hand_on(&self) {
        let mut queue = self.queue.lock();
        let next = queue.waiting.first().map(|(waiter, _)| Arc::clone(waiter));
        queue.leading = next.is_some();
        drop(queue);
        if let Some(next) = next {
            next.tell(Word::Lead);
        }
    }
}

/// Held by who leads. Hands the lead on even if a panic below ends it, and then leaves nobody waiting.
struct Lead<'a> {
    committer: &'a Committer,
    unanswered: Vec<Arc<Waiter>>,
}

impl Lead<'_> {
    fn end(mut self, answers: Vec<Result<Answer, StorageError>>) {
        let waiters = std::mem::take(&mut self.unanswered);
        // First the lead: the next group shall be on its way while these are told.
        drop(self);
        for (waiter, answer) in waiters.iter().zip(answers) {
            waiter.tell(Word::Answer(answer));
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        const PANICKED: StorageError = StorageError::Bug("the thread that committed has panicked");
        self.committer.hand_on();
        for waiter in self.unanswered.drain(..) {
            waiter.tell(Word::Answer(Err(PANICKED)));
        }
    }
}
