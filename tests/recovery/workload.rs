//! What a store goes through: signed once, so that it can be played again and again and leads to the same states.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use tufstore::crypto::OnlineRole;
use tufstore::terms::RepositoryName;
use tufstore::{
    CompleteSet, DeleteError, DocumentEntry, MirrorError, Options, PublishError, Retention, StorageError,
    Store, Upload,
};
use tufstore_testkit::device::CrashDevice;
use tufstore_testkit::{Forge, ForgedFile, NOW, Observed, Publisher, SeededOnlineKeys, digest, observe};

pub(crate) static WORKLOAD: LazyLock<Workload> = LazyLock::new(Workload::sign);

pub(crate) struct Workload {
    pub(crate) steps: Vec<Step>,
    /// What the store says after so many steps.
    pub(crate) states: Vec<Everything>,
}

pub(crate) enum Step {
    Publish(RepositoryName, Upload),
    Mirror(RepositoryName, CompleteSet),
    Delete(RepositoryName),
    /// Drops all that may be dropped once every timestamp has expired.
    Collect,
    Reopen,
}

/// All that a store has to say, every document of the present lives included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Everything {
    pub(crate) observed: Observed,
    /// Each with whether its bytes are there.
    pub(crate) documents: BTreeMap<RepositoryName, Vec<(DocumentEntry, bool)>>,
}

impl Everything {
    /// Whether a collection between these two could have come so far: it goes document by document.
    pub(crate) fn is_between(&self, before: &Self, after: &Self) -> bool {
        let mut all = self.documents.values().zip(before.documents.values().zip(after.documents.values()));
        self.observed == before.observed
            && self.observed == after.observed
            && all.all(|(now, (before, after))| {
                now.len() == before.len()
                    && now.len() == after.len()
                    && now.iter().zip(before.iter().zip(after)).all(|(now, (before, after))| {
                        now.0 == before.0 && now.0 == after.0 && now.1 <= before.1 && now.1 >= after.1
                    })
            })
    }
}

/// How far a store came.
pub(crate) struct Played {
    /// How many steps it acknowledged.
    pub(crate) done: usize,
    /// What ended it.
    pub(crate) end: Result<(), StorageError>,
    /// As it was then; `None` if it could not be opened.
    pub(crate) store: Option<Store>,
}

pub(crate) fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("recovery"))
}

pub(crate) fn open(device: &CrashDevice) -> Result<Store, StorageError> {
    Store::open_on(Arc::new(device.clone()), options())
}

pub(crate) fn everything(store: &Store) -> Everything {
    let observed = observe(store);
    let documents = observed.repositories.keys().map(|name| {
        let entries: Vec<_> = store.documents(name).collect::<Result<_, _>>().unwrap();
        let entries = entries.into_iter().map(|entry| {
            let found = store.history(name, &entry.role, entry.sha256).unwrap();
            if let Some(found) = &found {
                assert_eq!(tufstore::crypto::sha256(found.document.bytes()), entry.sha256);
                assert_eq!(u64::try_from(found.document.bytes().len()).unwrap(), entry.length);
            }
            (entry, found.is_some())
        });
        (name.clone(), entries.collect())
    });
    let documents = documents.collect();
    Everything { observed, documents }
}

impl Step {
    /// Does it to an open store. Not for [`Step::Reopen`], which needs to know where.
    pub(crate) fn apply(&self, store: &Store) -> Result<(), StorageError> {
        match self {
            Self::Publish(name, upload) => match store.publish(name, upload, NOW) {
                Err(PublishError::Storage(error)) => return Err(error),
                published => drop(published.unwrap()),
            },
            Self::Mirror(name, set) => match store.mirror(name, set, NOW) {
                Err(MirrorError::Storage(error)) => return Err(error),
                mirrored => drop(mirrored.unwrap()),
            },
            Self::Delete(name) => match store.delete(name, NOW) {
                Err(DeleteError::Storage(error)) => return Err(error),
                deleted => assert!(deleted.unwrap().is_some()),
            },
            Self::Collect => {
                let retention = Retention::default().with_versions(1).with_age(Duration::ZERO).with_worth(0);
                let later = NOW.after(Duration::from_hours(24 * 15));
                store.collect(&retention, later, &mut |_| true)?;
            }
            Self::Reopen => {}
        }
        Ok(())
    }
}

impl Workload {
    /// From the first step on, or from a later one in the state that is there.
    pub(crate) fn play(&self, device: &CrashDevice, from: usize) -> Played {
        let mut played = Played { done: from, end: Ok(()), store: None };
        match open(device) {
            Ok(store) => played.store = Some(store),
            Err(error) => played.end = Err(error),
        }
        for step in &self.steps[from..] {
            let Some(store) = &played.store else { break };
            played.end = step.apply(store);
            if matches!(step, Step::Reopen) {
                played.end = store.close();
                if played.end.is_ok() {
                    drop(played.store.take());
                    match open(device) {
                        Ok(store) => played.store = Some(store),
                        Err(error) => played.end = Err(error),
                    }
                }
            }
            if played.end.is_err() {
                break;
            }
            played.done += 1;
        }
        played
    }

    pub(crate) fn play_in(&self, folder: &Path) -> Store {
        let mut store = Store::open(folder, options()).unwrap();
        for step in &self.steps {
            step.apply(&store).unwrap();
            if matches!(step, Step::Reopen) {
                drop(store);
                store = Store::open(folder, options()).unwrap();
            }
        }
        store
    }

    /// Whether a store says this after so many steps; while the next one collects, it may have begun to.
    pub(crate) fn is_at(&self, done: usize, found: &Everything) -> bool {
        let Some(state) = self.states.get(done) else { return false };
        let collecting = matches!(self.steps.get(done), Some(Step::Collect));
        found == state
            || (collecting && self.states.get(done + 1).is_some_and(|next| found.is_between(state, next)))
    }

    pub(crate) fn last(&self) -> &Everything {
        self.states.last().unwrap()
    }

    /// First publications of four repositories, one of them mirrored; tags, a delegation, a renewal, a deletion and a new
    /// life, rotations, and a file that fills the journal's first segment.
    fn sign() -> Self {
        let store = Store::in_memory(options()).unwrap();
        let mut workload = Self { steps: Vec::new(), states: vec![everything(&store)] };
        let mut does = |step: Step| {
            step.apply(&store).unwrap();
            workload.steps.push(step);
            workload.states.push(everything(&store));
        };
        let publish = |publisher: &mut Publisher| {
            let upload = publisher.upload();
            Step::Publish(publisher.repository().clone(), upload)
        };

        let mut first = Publisher::for_store("example.com/first", &store);
        first.tag(&[("v1", digest("1")), ("v2", digest("2"))]);
        does(publish(&mut first));
        let mut second = Publisher::holding_snapshot("example.com/second", &store);
        second.tag(&[("v1", digest("second"))]);
        does(publish(&mut second));
        let mirrored = Forge::new("example.com/mirrored");
        let set = mirrored.complete(1, &[("v1", digest("mirrored"))]);
        does(Step::Mirror(mirrored.repository.clone(), set));
        first.tag(&[("v2", digest("another")), ("v3", digest("3"))]);
        does(publish(&mut first));
        first.delegate("targets/releases", &[""], &[("v1", digest("released"))]);
        does(publish(&mut first));
        does(Step::Publish(second.repository().clone(), Upload::new()));
        does(Step::Delete(second.repository().clone()));
        let mut reborn = Publisher::for_store("example.com/second", &store);
        reborn.tag(&[("v1", digest("reborn"))]);
        does(publish(&mut reborn));
        does(Step::Reopen);
        let pending = store.pending_key(first.repository(), OnlineRole::Timestamp).unwrap();
        first.author().rotate_timestamp(&pending);
        first.author().rotate_root(NOW).unwrap();
        does(publish(&mut first));
        let padding: Value = "x".repeat(240 << 10).into();
        let targets = ForgedFile::targets(2, &[("v1", digest("large"))]);
        let targets = targets.edit(|signed| signed["targets"]["v1"]["custom"] = padding);
        let targets = targets.signed_by(&mirrored.targets.keys).bytes();
        let set = mirrored.parts_of(2, targets, &[]).set();
        does(Step::Mirror(mirrored.repository.clone(), set));
        first.author().remove_delegation(&"targets/releases".parse().unwrap());
        does(publish(&mut first));
        let mut short = Publisher::for_store("example.com/short", &store);
        does(publish(&mut short));
        does(Step::Delete(short.repository().clone()));
        does(Step::Collect);
        first.tag(&[("v4", digest("4"))]);
        does(publish(&mut first));
        does(Step::Reopen);
        does(Step::Collect);
        does(Step::Publish(reborn.repository().clone(), Upload::new()));
        workload
    }
}
