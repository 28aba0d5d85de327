//! The store against the trace.

use std::hint::black_box;
use std::time::Duration;

use tufstore::{Lookup, Store};

use super::Plan;
use crate::clock::{self, Stopwatch};
use crate::failure::Failure;

/// How long lookups are measured at least.
const LONG_ENOUGH: Duration = Duration::from_millis(250);

/// Every tag was looked up and stands for what the trace says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    /// How many tags there are.
    pub(crate) tags: u64,
    /// How many lookups were measured, all in memory.
    pub(crate) lookups: u64,
    /// How long they took.
    pub(crate) time: Duration,
}

/// Looks up every tag of the plan.
pub(crate) fn check(store: &Store, plan: &Plan) -> Result<Checked, Failure> {
    let now = clock::now();
    let tags: Vec<_> = plan.tags().collect();
    let (all, mut wrong, mut first) = (u64::try_from(tags.len()).unwrap_or(u64::MAX), 0, None);
    for &(repository, tag, expected) in &tags {
        let answer =
            store.lookup(repository.as_str(), tag, now).map_err(Failure::storage("looking a tag up"))?;
        let right = matches!(answer, Lookup::Found(found)
            if found.target.sha256 == expected.sha256 && found.target.length == expected.length);
        if !right {
            wrong += 1;
            first.get_or_insert((repository, tag));
        }
    }
    if let Some((repository, tag)) = first {
        return Err(Failure::Mismatch { wrong, all, repository: repository.clone(), tag: tag.to_owned() });
    }
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
