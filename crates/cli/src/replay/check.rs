//! The store against the trace.

use std::hint::black_box;
use std::time::Duration;

use tufstore::Store;
use tufstore_server::admin::{Kind, Lookup};

use super::Plan;
use crate::clock::{self, Stopwatch};
use crate::failure::Failure;
use crate::store::Reached;

/// How long lookups are measured at least.
const LONG_ENOUGH: Duration = Duration::from_millis(250);

/// Every tag was looked up and stands for what the trace says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    /// How many tags there are.
    pub(crate) tags: u64,
    /// How many lookups were measured, all in memory; none through a server, whose lookups another process makes.
    pub(crate) lookups: u64,
    /// How long they took.
    pub(crate) time: Duration,
}

/// Looks up every tag of the plan.
pub(crate) fn check(store: &Reached, plan: &Plan) -> Result<Checked, Failure> {
    let (mut all, mut wrong, mut first) = (0, 0, None);
    for (repository, tag, expected) in plan.tags() {
        let question = Lookup { repository: repository.clone(), tag: tag.to_owned() };
        let right = match store.ask(question) {
            Ok(found) => found.sha256 == expected.sha256 && found.length == expected.length,
            Err(Failure::Refused(refusal))
                if matches!(refusal.kind, Kind::NoSuchTag | Kind::NoSuchRepository | Kind::Expired) =>
            {
                false
            }
            Err(failure) => return Err(failure),
        };
        all += 1;
        if !right {
            wrong += 1;
            first.get_or_insert((repository, tag));
        }
    }
    if let Some((repository, tag)) = first {
        return Err(Failure::Mismatch { wrong, all, repository: repository.clone(), tag: tag.to_owned() });
    }
    match store {
        Reached::Folder(opened) => measure(opened.store(), plan, all),
        Reached::Server(_) => Ok(Checked { tags: all, lookups: 0, time: Duration::ZERO }),
    }
}

fn measure(store: &Store, plan: &Plan, all: u64) -> Result<Checked, Failure> {
    let now = clock::now();
    let tags: Vec<_> = plan.tags().collect();
    let (watch, mut lookups) = (Stopwatch::start(), 0);
    while all > 0 && watch.elapsed() < LONG_ENOUGH {
        for &(repository, tag, _) in &tags {
            let answer = store.lookup(black_box(repository.as_str()), black_box(tag), now);
            black_box(answer).map_err(Failure::storage("looking a tag up"))?;
        }
        lookups += all;
    }
    Ok(Checked { tags: all, lookups, time: watch.elapsed() })
}
