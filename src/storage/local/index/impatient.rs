//! An index that may hang, with a limit to how long it is waited for. Whoever asks gets an error then, and the journal
//! answers; the thread that hangs is left behind, and nobody asks again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::prebuilt::Rows;
use super::{Entry, Index, IndexError, Life, Reached, Row};
use crate::terms::{Incarnation, Position, RepositoryName, RoleName, Sha256, Version};

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For an answer.
    pub(crate) reading: Duration,
    /// For a write, which may be large.
    pub(crate) writing: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { reading: Duration::from_secs(10), writing: Duration::from_mins(2) }
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Asks another index in threads of its own.
pub(crate) struct Impatient {
    index: Arc<dyn Index>,
    patience: Patience,
    /// Threads that have nothing to do.
    idle: Arc<Mutex<Vec<Sender<Job>>>>,
    hangs: AtomicBool,
}

impl Impatient {
    pub(crate) fn new(index: Arc<dyn Index>, patience: Patience) -> Self {
        Self { index, patience, idle: Arc::default(), hangs: AtomicBool::new(false) }
    }

    /// Begins something in a thread that nobody waits for.
    fn begin(&self, job: Job) -> Result<(), IndexError> {
        if self.hangs.load(Ordering::Acquire) {
            return Err(IndexError::Hangs);
        }
        let idle = self.idle.lock().pop();
        let worker = match idle {
            Some(worker) => worker,
            None => worker()?,
        };
        let own = worker.clone();
        let idle = Arc::clone(&self.idle);
        let then_idle = Box::new(move || {
            job();
            idle.lock().push(own);
        });
        worker.send(then_idle).map_err(|_| IndexError::Panicked)
    }

    fn wait<A>(&self, answer: &Receiver<A>, limit: Duration) -> Result<A, IndexError> {
        answer.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                if !self.hangs.swap(true, Ordering::AcqRel) {
                    tracing::error!(
                        "the index hangs, and is not asked any more: the journal answers, more slowly"
                    );
                }
                IndexError::Hangs
            }
            // It was dropped on the way.
            RecvTimeoutError::Disconnected => IndexError::Panicked,
        })
    }

    fn within<A: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce(&dyn Index) -> Result<A, IndexError> + Send + 'static,
    ) -> Result<A, IndexError> {
        let (sender, answer) = channel();
        let index = Arc::clone(&self.index);
        self.begin(Box::new(move || {
            let answered = super::behind::guarded(|| question(&*index));
            // Before the answer: who has it may close the index, and open it again.
            drop(index);
            // Who asked may be tired of waiting.
            let _gone = sender.send(answered);
        }))?;
        self.wait(&answer, limit)?
    }

    fn ask<A: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Index) -> Result<A, IndexError> + Send + 'static,
    ) -> Result<A, IndexError> {
        self.within(self.patience.reading, question)
    }

    fn have_it<A: Send + 'static>(
        &self,
        done: impl FnOnce(&dyn Index) -> Result<A, IndexError> + Send + 'static,
    ) -> Result<A, IndexError> {
        self.within(self.patience.writing, done)
    }

    /// The same for what comes piece by piece, each in time.
    fn each<P: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Index, &mut dyn FnMut(P)) -> Result<(), IndexError> + Send + 'static,
        mut visit: impl FnMut(P),
    ) -> Result<(), IndexError> {
        let (sender, pieces) = channel();
        let index = Arc::clone(&self.index);
        self.begin(Box::new(move || {
            let answered =
                super::behind::guarded(|| question(&*index, &mut |piece| drop(sender.send(Ok(piece)))));
            drop(index);
            let _gone = sender.send(Err(answered));
        }))?;
        loop {
            match self.wait(&pieces, self.patience.reading)? {
                Ok(piece) => visit(piece),
                Err(answered) => return answered,
            }
        }
    }
}

/// One more thread.
fn worker() -> Result<Sender<Job>, IndexError> {
    let (sender, jobs) = channel::<Job>();
    let run = move || {
        for job in jobs {
            job();
        }
    };
    let spawned = thread::Builder::new().name("tufstore-asking".to_owned()).spawn(run);
    spawned.map(|_| sender).map_err(|error| IndexError::Folder(Arc::new(error)))
}

/// A life that a question can take along.
struct Owned {
    repository: RepositoryName,
    incarnation: Incarnation,
}

impl Owned {
    fn of(life: Life<'_>) -> Self {
        Self { repository: life.repository.clone(), incarnation: life.incarnation }
    }

    fn get(&self) -> Life<'_> {
        Life { repository: &self.repository, incarnation: self.incarnation }
    }
}

impl Index for Impatient {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        self.ask(Index::reached)
    }

    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        let entries = entries.to_vec();
        self.have_it(move |index| index.apply(&entries, reached))
    }

    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        let (life, role) = (Owned::of(life), role.clone());
        self.ask(move |index| index.by_version(life.get(), &role, version))
    }

    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        let (life, role, sha256) = (Owned::of(life), role.clone(), *sha256);
        self.ask(move |index| index.by_digest(life.get(), &role, &sha256))
    }

    fn count(&self, life: Life<'_>) -> Result<u64, IndexError> {
        let life = Owned::of(life);
        self.ask(move |index| index.count(life.get()))
    }

    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError> {
        let life = Owned::of(life);
        self.ask(move |index| index.positions(life.get()))
    }

    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        self.each(|index, piece| index.rows(piece), visit)
    }

    fn keep(&self, rows: Rows) -> Result<(), IndexError> {
        self.have_it(move |index| index.keep(rows))
    }

    fn kept(&self, keys: &[Vec<u8>], visit: &mut dyn FnMut(&[u8])) -> Result<(), IndexError> {
        let keys = keys.to_vec();
        self.each(
            move |index, piece: &mut dyn FnMut(Vec<u8>)| index.kept(&keys, &mut |row| piece(row.to_vec())),
            |row| visit(&row),
        )
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.have_it(Index::flush)
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.have_it(Index::clear)
    }

    fn size(&self) -> Result<u64, IndexError> {
        self.ask(Index::size)
    }
}
