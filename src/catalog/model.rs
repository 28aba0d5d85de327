//! The shipped catalog under many schedules of the model checker: `./test models`.
//!
//! It runs one step after the other, so that what is shown here is the protocol of counts, slots and memory, not the order in
//! which processors make stores visible: of that the fences in `shard` and `memory` tell. Mutations that were tried against
//! these tests, and each was caught: believing what was read without looking at the count again, giving memory back before the
//! slot that names it is replaced, writing freshness or moving slots without counting, keeping states behind another lock than
//! the slots, and showing a prebuilt table without another look whether it is still wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use super::{Catalog, Current, HashKey, Lookup, State, Visible};
use crate::metadata::{Limits, parse_root, parse_snapshot, parse_targets, parse_timestamp};
use crate::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, UnixTime};
use crate::trust::{Set, Verified};

/// A whole set that nobody signed: nobody here asks. `tags`: from each to the length of what it stands for.
pub(crate) fn set(tags: &[(&str, u64)], expires: i64) -> Set {
    const DIGEST: &str = r#"{"hashes":{"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},"length":0}"#;
    let limits = Limits::default();
    let file = |signed: String| format!(r#"{{"signed":{signed},"signatures":[]}}"#).into_bytes().into();
    let key = r#""9d41a130c2da007df365b1304a5ff7d96641c50919e36bb5e067ddb2a94af2b9""#;
    let role = format!(r#"{{"keyids":[{key}],"threshold":1}}"#);
    let common = format!(r#""expires":"20{expires:02}-01-01T00:00:00Z","version":1"#);
    let tags: Vec<_> = tags
        .iter()
        .map(|(tag, length)| format!(r#""{tag}":{}"#, DIGEST.replace(":0}", &format!(":{length}}}"))))
        .collect();
    let root = file(format!(
        r#"{{"_type":"Root","consistent_snapshot":false,{common},"keys":{{{key}:{{"keytype":"ed25519","keyval":{{"private":null,"public":"2PZw84AnRXHu7/aRMwvw0BryHzQh+4XFHfb3TzQHoSE="}}}}}},"roles":{{"root":{role},"snapshot":{role},"targets":{role},"timestamp":{role}}}}}"#
    ));
    let targets = file(format!(
        r#"{{"_type":"Targets","delegations":{{"keys":{{}},"roles":[]}},{common},"targets":{{{}}}}}"#,
        tags.join(",")
    ));
    let snapshot =
        file(format!(r#"{{"_type":"Snapshot",{common},"meta":{{"root":{DIGEST},"targets":{DIGEST}}}}}"#));
    let timestamp = file(format!(r#"{{"_type":"Timestamp",{common},"meta":{{"snapshot":{DIGEST}}}}}"#));
    Set {
        root: Arc::new(Verified::recovered(parse_root(root, &limits).unwrap())),
        targets: Arc::new(Verified::recovered(parse_targets(RoleName::Targets, targets, &limits).unwrap())),
        delegations: BTreeMap::new(),
        snapshot: Arc::new(Verified::recovered(parse_snapshot(snapshot, &limits).unwrap())),
        timestamp: Arc::new(Verified::recovered(parse_timestamp(timestamp, &limits).unwrap())),
    }
}

/// Under many schedules, as many as `SHUTTLE_SCHEDULES` says.
pub(crate) fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("SHUTTLE_SCHEDULES").map_or(2_000, |text| text.parse().unwrap());
    let scenario = Arc::new(scenario);
    let mut config = Config::new();
    // A debug build's batch of lookups takes more than the usual one.
    config.stack_size = 1 << 20;
    let (first, second) = (Arc::clone(&scenario), scenario);
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(move || first());
    Runner::new(PctScheduler::new(3, schedules), config).run(move || second());
}

fn key() -> HashKey {
    HashKey::new([0; 16])
}

fn name(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// What is published as the `number`th: "tag" stands for content of that length, in a table that is as large.
fn publication(number: u64, before: Option<&Current>) -> Arc<Current> {
    let others: Vec<_> = (1..number).map(|other| format!("other{other}")).collect();
    let mut tags: Vec<_> = others.iter().map(|tag| (tag.as_str(), 1)).collect();
    tags.push(("tag", number));
    let expires = i64::try_from(number).unwrap() + 40;
    let set = match before {
        // The same tags, for less long.
        Some(before) => Set { timestamp: set(&[], expires - 20).timestamp, ..before.state.set.clone() },
        None => set(&tags, expires),
    };
    let before = before.map(|before| &before.state);
    let time = UnixTime::from_seconds(0);
    let state = State::new(Incarnation::FIRST, Revision::new(number), time, set, [].into(), &key(), before);
    Arc::new(Current::new(Position::new(number), None, state))
}

/// The number of the publication that a lookup sees, if any.
fn seen(catalog: &Catalog, repository: &str) -> Option<u64> {
    number(&catalog.lookup(repository, "tag", UnixTime::from_seconds(0), never_cold).unwrap())
}

/// The same in a batch.
fn seen_by_batch(catalog: &Catalog, repository: &str) -> Option<u64> {
    let questions = [("other/name", "tag"), (repository, "tag")];
    let answers = catalog.lookup_many(&questions, UnixTime::from_seconds(0), |_, _| never_cold()).unwrap();
    assert_eq!((answers.len(), number(&answers[0])), (2, None));
    number(&answers[1])
}

fn never_cold() -> Result<Lookup, ()> {
    panic!("nothing is cold here")
}

fn number(answer: &Lookup) -> Option<u64> {
    match answer {
        Lookup::Found(found) => Some(found.target.length),
        Lookup::NoSuchRepository => None,
        Lookup::NoSuchTag | Lookup::Expired { .. } => panic!("a lookup saw what never was"),
    }
}

fn visible(catalog: &Catalog, repository: &str) -> Option<u64> {
    match catalog.visible(&name(repository)) {
        Visible::Warm(current) => Some(current.position.get()),
        Visible::Not => None,
        Visible::Cold => panic!("nothing is cold here"),
    }
}

#[test]
fn what_is_looked_up_and_what_is_viewed_only_go_forward_together() {
    let [first, second, third] = [1, 2, 3].map(|number| publication(number, None));
    let others = [11, 12].map(|number| publication(number, None));
    explore(move || {
        let catalog = Arc::new(Catalog::new(key(), Position::START, u64::MAX));
        catalog.install(&name("a"), &first);
        let (writer, other) = (Arc::clone(&catalog), Arc::clone(&catalog));
        let (next, others) = ([second.clone(), third.clone()], others.clone());
        let threads = [
            thread::spawn(move || next.iter().for_each(|current| writer.install(&name("a"), current))),
            // Takes the memory that the first gives back.
            thread::spawn(move || {
                let [eleventh, twelfth] = &others;
                other.install(&name("b"), eleventh);
                other.remove(&name("b"));
                other.install(&name("b"), twelfth);
            }),
        ];
        let found = catalog.resolve("a");
        let mut newest = 1;
        for _ in 0..2 {
            let by_handle = number(&found.lookup("tag", UnixTime::from_seconds(0), never_cold).unwrap());
            let batch = seen_by_batch(&catalog, "a");
            for now in [by_handle, batch, seen(&catalog, "a"), visible(&catalog, "a")] {
                assert!(now >= Some(newest) && now <= Some(3), "{now:?} after {newest}");
                newest = now.unwrap();
            }
            assert!([None, Some(11), Some(12)].contains(&seen(&catalog, "b")));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((seen(&catalog, "a"), seen(&catalog, "b")), (Some(3), Some(12)));
        assert_eq!((catalog.count(), catalog.names()), (2, vec![name("a"), name("b")]));
    });
}

#[test]
fn a_renewal_is_seen_whole() {
    let first = publication(1, None);
    let second = publication(2, Some(&first));
    // Long before anything of it expires, and afterwards: the exact times are read apart from the short ones.
    let times = [UnixTime::from_seconds(0), UnixTime::from_seconds(1 << 34)];
    let expected = [&first, &second].map(|current| times.map(|now| current.state.tags.lookup("tag", now)));
    explore(move || {
        let catalog = Arc::new(Catalog::new(key(), Position::START, u64::MAX));
        catalog.install(&name("a"), &first);
        let (writer, second) = (Arc::clone(&catalog), second.clone());
        let thread = thread::spawn(move || writer.install(&name("a"), &second));
        let now = times.map(|now| catalog.lookup("a", "tag", now, never_cold).unwrap());
        for (at, now) in now.iter().enumerate() {
            assert!(expected.iter().any(|expected| expected[at] == *now), "{now:?}");
        }
        thread.join().unwrap();
    });
}

#[test]
fn many_names_come_and_go_without_hiding_each_other() {
    let current = publication(1, None);
    explore(move || {
        let catalog = Arc::new(Catalog::new(key(), Position::START, u64::MAX));
        // Enough that slots are moved: into larger room, and back where one ends.
        let names: Vec<_> = (0..3).map(|number| format!("name{number}")).collect();
        catalog.install(&name("stays"), &current);
        let (writer, current) = (Arc::clone(&catalog), current.clone());
        let thread = thread::spawn(move || {
            for repository in &names {
                writer.install(&name(repository), &current);
            }
            for repository in &names {
                writer.remove(&name(repository));
            }
        });
        for _ in 0..2 {
            assert_eq!(seen(&catalog, "stays"), Some(1));
            assert_eq!(seen_by_batch(&catalog, "stays"), Some(1));
        }
        thread.join().unwrap();
        assert_eq!(catalog.count(), 1);
    });
}

#[test]
fn what_is_let_go_and_comes_back_is_never_another() {
    let first = publication(1, None);
    let second = publication(2, None);
    let others = [11, 12].map(|number| publication(number, None));
    let prebuilt = [&first, &second].map(|current| {
        let tags = &current.state.tags;
        (tags.standing(&name("a"), current.position), tags.encoded())
    });
    explore(move || {
        // For one table, more or less.
        let catalog = Arc::new(Catalog::new(key(), Position::START, 1024));
        let [eleventh, twelfth] = others.clone();
        catalog.install(&name("a"), &first);
        catalog.install(&name("b"), &eleventh);
        assert_eq!(catalog.lookup("a", "tag", UnixTime::from_seconds(0), || Err(())), Err(()), "others came");
        let (writer, loader) = (Arc::clone(&catalog), Arc::clone(&catalog));
        let (second, prebuilt) = (second.clone(), prebuilt.clone());
        let afterwards = prebuilt.clone();
        let threads = [
            thread::spawn(move || {
                writer.install(&name("a"), &second);
                writer.install(&name("c"), &twelfth);
            }),
            // What is of an earlier publication comes too late.
            thread::spawn(move || {
                for (standing, table) in &prebuilt {
                    loader.keep_prebuilt(&name("a"), standing, table).unwrap();
                }
            }),
        ];
        let now = UnixTime::from_seconds(0);
        let found = catalog.resolve("a");
        let mut newest = 1;
        for _ in 0..2 {
            let by_handle = found.lookup("tag", now, || Err(()));
            let alone = catalog.lookup("a", "tag", now, || Err(()));
            let cold = |_: &str, _: &str| Ok::<_, ()>(Lookup::NoSuchTag);
            let [batch] = &catalog.lookup_many(&[("a", "tag")], now, cold).unwrap()[..] else { panic!() };
            let batch = if *batch == Lookup::NoSuchTag { Err(()) } else { Ok(batch.clone()) };
            for answer in [by_handle, alone, batch].into_iter().flatten() {
                let now = number(&answer);
                assert!(now >= Some(newest) && now <= Some(2), "{now:?} after {newest}");
                newest = now.unwrap();
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        let [_, (standing, table)] = &afterwards;
        catalog.keep_prebuilt(&name("a"), standing, table).unwrap();
        assert_eq!((seen(&catalog, "a"), catalog.count()), (Some(2), 3));
    });
}
