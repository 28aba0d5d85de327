//! Each repository is linearizable: whatever many threads publish, look up, view and delete at once, all of it could have
//! happened one after another, each between its call and its answer. Recorded histories are searched for such an order.
//!
//! The usual run records some hundred histories; with `TUFSTORE_LONG=1`, many thousand.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::Action::{Call, Response};
use todc_utils::linearizability::history::History;
use todc_utils::specifications::Specification;
use tufstore::terms::{RepositoryName, RoleName, Sha256};
use tufstore::{Fault, Lookup, Options, PublishError, Retention, Store};
use tufstore_client::Author;
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

const NAME: &str = "example.com/app";
const TAG: &str = "latest";
const THREADS: usize = 4;
const CALLS: usize = 7;

/// What a thread did, and what came of it.
#[derive(Clone, Debug)]
enum Operation {
    /// The first publication of a life, of targets version 1.
    Create {
        value: Sha256,
        taken: bool,
    },
    /// A later version of the targets.
    Publish {
        version: u64,
        value: Sha256,
        taken: bool,
    },
    Delete {
        found: bool,
    },
    /// What the tag stands for; none if the repository does not live.
    Lookup {
        answer: Option<Sha256>,
    },
    /// Incarnation, version of the targets, and what the tag stands for.
    View {
        answer: Option<(u64, u64, Sha256)>,
    },
}

/// One repository: the count of its lives, and what the present one has published.
struct Repository;

impl Specification for Repository {
    type State = (u64, Option<(u64, Sha256)>);
    type Operation = Operation;

    fn init() -> Self::State {
        (0, None)
    }

    fn apply(operation: &Operation, (lives, living): &Self::State) -> (bool, Self::State) {
        let same = (*lives, *living);
        match operation {
            Operation::Create { value, taken: true } => (living.is_none(), (lives + 1, Some((1, *value)))),
            // It was made for one life; of which, it does not say.
            Operation::Create { .. } => (true, same),
            Operation::Publish { version, value, taken } => {
                let follows = living.is_some_and(|(newest, _)| *version > newest);
                let next = if follows { (*lives, Some((*version, *value))) } else { same };
                (*taken == follows, next)
            }
            Operation::Delete { found } => (*found == living.is_some(), (*lives, None)),
            Operation::Lookup { answer } => (*answer == living.map(|(_, value)| value), same),
            Operation::View { answer } => {
                (*answer == living.map(|(version, value)| (*lives, version, value)), same)
            }
        }
    }
}

fn name() -> RepositoryName {
    NAME.parse().unwrap()
}

/// Whether it was taken; a refusal has to be one of somebody who came second.
fn taken(answer: Result<tufstore::Receipt, PublishError>, any: bool) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) if any || error.fault() == Fault::Race => false,
        Err(PublishError::Missing { .. } | PublishError::Untrusted { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// The value that a number stands for.
fn value(number: u64) -> Sha256 {
    digest(&number.to_string())
}

/// A thread's calls, each with when it began and when it ended.
type Calls = Vec<(u64, u64, Operation)>;

fn work(store: &Store, seed: u64, clock: &AtomicU64, values: &AtomicU64) -> Calls {
    let mut calls = Vec::new();
    let mut random = seed;
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    for _ in 0..CALLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = values.fetch_add(1, Ordering::Relaxed);
        let view = store.view(&name()).unwrap();
        let call = match (random >> 33) % 10 {
            0..4 => match view {
                None => {
                    let mut publisher = Publisher::for_store(NAME, store);
                    publisher.tag(&[(TAG, value(number))]);
                    let upload = publisher.first_upload();
                    let begun = tick();
                    let taken = taken(store.publish(&name(), &upload, NOW), true);
                    (begun, tick(), Operation::Create { value: value(number), taken })
                }
                Some(view) => {
                    let keys = Publisher::for_store(NAME, store).author().keys().clone();
                    let mut author = Author::resume(name(), keys, &view).unwrap();
                    author.set_tag(TAG, value(number), 1_024);
                    let signed = author.sign(NOW).unwrap();
                    let version = signed.next.version(&RoleName::Targets).unwrap().get();
                    let begun = tick();
                    let taken = taken(store.publish(&name(), &signed.upload, NOW), false);
                    (begun, tick(), Operation::Publish { version, value: value(number), taken })
                }
            },
            4 => {
                let begun = tick();
                let found = store.delete(&name(), NOW).unwrap().is_some();
                (begun, tick(), Operation::Delete { found })
            }
            5..8 => {
                let begun = tick();
                let answer = match store.lookup(NAME, TAG, NOW).unwrap() {
                    Lookup::Found(found) => Some(found.target.sha256),
                    Lookup::NoSuchRepository => None,
                    other @ (Lookup::NoSuchTag | Lookup::Expired { .. }) => panic!("{other:?}"),
                };
                (begun, tick(), Operation::Lookup { answer })
            }
            8 => {
                let begun = tick();
                let view = store.view(&name()).unwrap();
                let ended = tick();
                let answer = view.map(|view| {
                    let Lookup::Found(found) = view.lookup(TAG, NOW) else { panic!("{view:?}") };
                    let version = view.document(&RoleName::Targets).unwrap().version();
                    (view.incarnation().get(), version.get(), found.target.sha256)
                });
                (begun, ended, Operation::View { answer })
            }
            _ => {
                // Nobody may notice.
                let retention = Retention::of_everything().with_worth(0);
                store.collect(&retention, NOW, &mut |_| true).unwrap();
                continue;
            }
        };
        calls.push(call);
    }
    calls
}

/// Lets threads work on one repository, and records it.
fn record(store: &Store, seed: u64) -> Vec<Calls> {
    let (clock, values, ready) = (AtomicU64::new(0), AtomicU64::new(seed << 20), Barrier::new(THREADS));
    thread::scope(|scope| {
        let thread = |number: usize| {
            let (clock, values, ready) = (&clock, &values, &ready);
            scope.spawn(move || {
                ready.wait();
                work(store, seed.wrapping_mul(31).wrapping_add(u64::try_from(number).unwrap()), clock, values)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(thread).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn is_linearizable(calls: &[Calls]) -> bool {
    let mut events = Vec::new();
    for (process, calls) in calls.iter().enumerate() {
        for (begun, ended, operation) in calls {
            events.push((*begun, (process, Call(operation.clone()))));
            events.push((*ended, (process, Response(operation.clone()))));
        }
    }
    events.sort_by_key(|(when, _)| *when);
    let actions: Vec<_> = events.into_iter().map(|(_, action)| action).collect();
    actions.is_empty() || WGLChecker::<Repository>::is_linearizable(History::from_actions(actions))
}

fn long() -> bool {
    std::env::var_os("TUFSTORE_LONG").is_some_and(|value| value == "1")
}

#[test]
fn every_recorded_history_has_an_order() {
    let (mut done, mut lives): (HashMap<&str, u64>, u64) = (HashMap::new(), 0);
    for seed in 1..=if long() { 20_000 } else { 300 } {
        // With little memory, so that tables and documents come and go.
        let options =
            Options::default().with_online_keys(SeededOnlineKeys::new("linearizable")).with_memory(1);
        let store = Store::in_memory(options).unwrap();
        let calls = record(&store, seed);
        assert!(is_linearizable(&calls), "seed {seed}: {calls:#?}");
        for (_, _, operation) in calls.iter().flatten() {
            let kind = match operation {
                Operation::Create { taken: true, .. } => "created",
                Operation::Publish { taken: true, .. } => "published",
                Operation::Publish { .. } => "came second",
                Operation::Delete { found: true } => "deleted",
                Operation::Create { .. } | Operation::Delete { .. } => "in vain",
                Operation::Lookup { .. } | Operation::View { .. } => "read",
            };
            *done.entry(kind).or_default() += 1;
            lives += u64::from(kind == "deleted");
        }
    }
    // Each kind of thing did happen.
    assert_eq!(done.len(), 6, "{done:?}");
    assert!(lives > 100, "{done:?}");
}

#[test]
fn a_history_without_an_order_is_found_out() {
    let [one, two] = [value(1), value(2)];
    let create = (0, 1, Operation::Create { value: one, taken: true });
    let publish = (2, 3, Operation::Publish { version: 2, value: two, taken: true });
    let lookup = |begun, value| (begun, begun + 1, Operation::Lookup { answer: value });
    let first = vec![create.clone(), publish.clone()];
    assert!(is_linearizable(&[first.clone(), vec![lookup(4, Some(two))]]));
    // Older than what was acknowledged before.
    assert!(!is_linearizable(&[first.clone(), vec![lookup(4, Some(one))]]));
    assert!(!is_linearizable(&[first.clone(), vec![lookup(4, None)]]));
    // Two take the same version.
    let also = (2, 3, Operation::Publish { version: 2, value: one, taken: true });
    assert!(!is_linearizable(&[first.clone(), vec![also]]));
    // One is refused that came first.
    let refused = (2, 3, Operation::Publish { version: 3, value: one, taken: false });
    assert!(!is_linearizable(&[vec![create], vec![refused]]));
    let deleted = (4, 5, Operation::Delete { found: true });
    assert!(!is_linearizable(&[[first, vec![deleted]].concat(), vec![lookup(6, Some(two))]]));
}
