//! Every prefix of a journal opens as a prefix of the publications, or is refused (the format's description, opening).

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;
use tufstore::storage::device::{Device, MemoryDevice};
use tufstore::{Options, StorageError, Store};
use tufstore_testkit::{Forge, NOW, Observed, digest, observe};

use crate::config;

const REPOSITORIES: usize = 3;
/// Of a segment's header.
const HEADER: usize = 160;

/// One record.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A set whose targets are about so many bytes long.
    Mirror { repository: usize, length: usize },
    /// Deletes; a repository that does not live begins instead.
    Delete { repository: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // The first segments hold 256 KiB.
    let length = prop_oneof![6 => Just(0), 2 => 0usize..40_000, 1 => 60_000usize..200_000];
    let step = prop_oneof![
        5 => (0..REPOSITORIES, length).prop_map(|(repository, length)| Step::Mirror { repository, length }),
        1 => (0..REPOSITORIES).prop_map(|repository| Step::Delete { repository }),
    ];
    vec(step, 1..9)
}

/// A folder that was read as it stood.
type Files = Vec<(String, Vec<u8>)>;

fn read(device: &MemoryDevice) -> Files {
    let names = device.list().unwrap().into_iter();
    let content = |name: &str| {
        let file = device.open(name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
        file.read(0, &mut bytes).unwrap();
        bytes
    };
    names.map(|name| (name.clone(), content(&name))).collect()
}

fn write(files: &Files) -> MemoryDevice {
    let device = MemoryDevice::new();
    for (name, bytes) in files {
        device.create(name).unwrap().write(0, bytes).unwrap();
    }
    device
}

/// The newest segment: its name sorts last, after `checkpoint` is left out.
fn last_segment(files: &mut Files) -> Option<&mut (String, Vec<u8>)> {
    files.iter_mut().filter(|(name, _)| name.ends_with(".segment")).max_by(|(a, _), (b, _)| a.cmp(b))
}

/// Behind the last byte that is not zero.
fn content_end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
}

/// A store, what it said after each record, and where each record ended.
struct Told {
    said: Vec<Observed>,
    /// Segment and offset.
    ends: Vec<(String, usize)>,
    /// The folder after each record, as a kill would leave it.
    killed: Vec<Files>,
    closed: Files,
}

fn tell(steps: &[Step]) -> Told {
    let device = MemoryDevice::new();
    let store = open(&device).unwrap();
    let mut forges: Vec<_> =
        (0..REPOSITORIES).map(|number| (Forge::new(&format!("example.com/{number}")), 0, false)).collect();
    let (mut said, mut ends, mut killed) = (vec![observe(&store)], Vec::new(), Vec::new());
    for (step, number) in steps.iter().zip(0..) {
        let (Step::Mirror { repository, .. } | Step::Delete { repository }) = *step;
        let (forge, version, lives) = &mut forges[repository];
        match *step {
            Step::Delete { .. } if *lives => {
                store.delete(&forge.repository, NOW).unwrap().unwrap();
                *lives = false;
            }
            Step::Delete { .. } | Step::Mirror { .. } => {
                let length = if let Step::Mirror { length, .. } = *step { length } else { 0 };
                *version += 1;
                let targets =
                    forge.targets(*version, &[("v1", digest(&i32::to_string(&number)))]).edit(|signed| {
                        signed["targets"]["v1"]["custom"] = json!("x".repeat(length));
                    });
                let set = forge.parts_of(*version, targets.bytes(), &[]).set();
                store.mirror(&forge.repository, &set, NOW).unwrap();
                *lives = true;
            }
        }
        said.push(observe(&store));
        let mut files = read(&device);
        let (name, bytes) = last_segment(&mut files).unwrap();
        ends.push((name.clone(), content_end(bytes)));
        killed.push(files);
    }
    store.close().unwrap();
    Told { said, ends, killed, closed: read(&device) }
}

fn open(device: &MemoryDevice) -> Result<Store, StorageError> {
    Store::open_on(Arc::new(device.clone()), Options::default())
}

/// What a store opens as: a number of records, all of which it tells of as before, or `None` for a refusal.
fn opens_as(files: &Files, said: &[Observed]) -> Result<Option<usize>, TestCaseError> {
    let device = write(files);
    let store = match open(&device) {
        Ok(store) => store,
        Err(StorageError::Corrupt { .. } | StorageError::LostRecords { .. }) => {
            prop_assert!(read(&device) == *files, "a refused store was written to");
            return Ok(None);
        }
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    };
    let records = usize::try_from(store.position().get()).unwrap();
    prop_assert!(records < said.len(), "{} records of {}", records, said.len() - 1);
    prop_assert_eq!(&observe(&store), &said[records]);
    let report = store.verify(&mut |_| ()).unwrap();
    prop_assert!(report.findings.is_empty(), "{:?}", report.findings);
    store.close().unwrap();
    // What was written anew at that opening is the same once more.
    prop_assert_eq!(&observe(&open(&device).unwrap()), &said[records]);
    Ok(Some(records))
}

proptest! {
    #![proptest_config(config(4))]

    #[test]
    fn a_journal_torn_at_any_byte_opens_as_all_records_before_it(steps in steps(), cut in any::<Index>()) {
        let Told { said, ends, mut killed, .. } = tell(&steps);
        let mut files = killed.pop().unwrap();
        let (name, bytes) = last_segment(&mut files).unwrap();
        let cut = cut.index(content_end(bytes) + 1);
        bytes[cut..].fill(0);
        let whole = ends.iter().filter(|(segment, end)| segment < name || *end <= cut).count();
        match opens_as(&files, &said)? {
            Some(records) => prop_assert_eq!(records, whole),
            None => prop_assert!(cut < HEADER, "refused, although only its end is torn"),
        }
    }

    #[test]
    fn a_shortened_journal_is_refused(steps in steps(), cut in any::<Index>()) {
        let Told { said, mut killed, .. } = tell(&steps);
        let mut files = killed.pop().unwrap();
        let (_, bytes) = last_segment(&mut files).unwrap();
        bytes.truncate(cut.index(bytes.len()));
        prop_assert_eq!(opens_as(&files, &said)?, None);
    }

    #[test]
    fn an_older_journal_under_a_newer_checkpoint_is_refused(steps in steps(), older in any::<Index>()) {
        let Told { said, killed, closed, .. } = tell(&steps);
        let records = older.index(steps.len()) + 1;
        let mut files = killed[records - 1].clone();
        files.extend(closed.into_iter().filter(|(name, _)| name == "checkpoint"));
        files.sort();
        prop_assert_eq!(opens_as(&files, &said)?, (records == steps.len()).then_some(records));
    }

    #[test]
    fn a_closed_journal_opens_whole_or_not_at_all(
        steps in steps(),
        cut in any::<Index>(),
        (shortened, checkpoint) in any::<(bool, bool)>(),
    ) {
        let Told { said, mut closed, .. } = tell(&steps);
        closed.retain(|(name, _)| checkpoint || name != "checkpoint");
        prop_assert_eq!(opens_as(&closed, &said)?, Some(steps.len()));
        let (_, bytes) = last_segment(&mut closed).unwrap();
        let cut = cut.index(content_end(bytes));
        if shortened { bytes.truncate(cut) } else { bytes[cut..].fill(0) }
        prop_assert_eq!(opens_as(&closed, &said)?, None);
    }
}
