//! A whole system in one thread: authors, a server's store on a disk that fails and loses power, warm clients, a clock that
//! runs ahead, collections and backups. All of it follows from one seed, so that a run that fails can be played again:
//! `TUFSTORE_SEED=n cargo test --test simulation`.
//!
//! The usual run plays some seeds; with `TUFSTORE_LONG=1`, many.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tufstore::terms::{RepositoryName, RoleName, Sha256, UnixTime};
use tufstore::{
    CompleteSet, DeleteError, Lookup, Options, PublishError, Restore, Retention, Since, StorageError, Store,
    Upload, View,
};
use tufstore_client::{Author, AuthorKeys};
use tufstore_testkit::device::{CrashDevice, Fault, Refusal, Survival};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest, observe};

const REPOSITORIES: u64 = 4;
const TAGS: u64 = 5;

/// What a seed decides.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What a repository's tags stand for; none if it does not live.
type Tags = Option<BTreeMap<String, Sha256>>;

struct World {
    chance: Chance,
    now: UnixTime,
    device: CrashDevice,
    /// None while the server is down.
    store: Option<Store>,
    expected: BTreeMap<RepositoryName, Tags>,
    /// What one repository's may be as well: the outcome of its last publication is not known.
    perhaps: Option<(RepositoryName, Tags)>,
    /// Each repository's keys.
    keys: BTreeMap<RepositoryName, AuthorKeys>,
    /// A client that comes again and again, and forgets nothing.
    client: Store,
    /// What was pinned, and what it said.
    pinned: Vec<(View, Vec<Sha256>)>,
    told: Told,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Told {
    publications: u64,
    renewals: u64,
    deletions: u64,
    refusals: u64,
    crashes: u64,
    restarts: u64,
    collections: u64,
    downloads: u64,
    backups: u64,
    seconds: u64,
    position: u64,
    operations: u64,
}

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("simulation")).with_memory(1 << 20)
}

fn open(device: &CrashDevice) -> Result<Store, StorageError> {
    Store::open_on(Arc::new(device.clone()), options())
}

fn name(number: u64) -> RepositoryName {
    format!("example.com/{number}").parse().unwrap()
}

fn digests(view: &View) -> Vec<Sha256> {
    view.documents().map(|document| tufstore::crypto::sha256(document.bytes())).collect()
}

impl World {
    fn new(seed: u64) -> Self {
        let device = CrashDevice::new();
        Self {
            chance: Chance(seed),
            now: NOW,
            store: Some(open(&device).unwrap()),
            device,
            expected: (0..REPOSITORIES).map(|number| (name(number), None)).collect(),
            perhaps: None,
            keys: BTreeMap::new(),
            client: Store::in_memory(Options::default()).unwrap(),
            pinned: Vec::new(),
            told: Told::default(),
        }
    }

    fn some_name(&mut self) -> RepositoryName {
        name(self.chance.below(REPOSITORIES))
    }

    fn step(&mut self) {
        let seconds = self.chance.below(4 * 3_600);
        self.now = self.now.after(Duration::from_secs(seconds));
        self.told.seconds += seconds;
        if self.chance.once_in(12) {
            self.set_fault();
        }
        let name = self.some_name();
        match self.chance.below(40) {
            0..16 => self.publish(&name),
            16..20 => self.renew(&name),
            20 => self.delete(&name),
            21..32 => self.download(&name),
            32 => self.pin(&name),
            33 | 34 => self.collect(),
            35 => self.crash(),
            36 => self.restart(),
            37 => self.scrub(),
            38 => self.back_up(),
            _ => {}
        }
        self.look();
    }

    /// Something will go wrong soon.
    fn set_fault(&mut self) {
        let operation = 1 + self.chance.below(12);
        let fault = match self.chance.below(4) {
            0 => Fault::PowerCut,
            1 => Fault::Once(Refusal::Broken),
            2 => Fault::Once(Refusal::Full),
            _ => Fault::FromThen(Refusal::Full),
        };
        self.device.set_fault(operation, fault);
    }

    fn publish(&mut self, name: &RepositoryName) {
        let store = self.store.clone().unwrap();
        let Ok(view) = store.view(name) else { return self.stumbled() };
        let mut author = match &view {
            None => {
                let mut publisher = Publisher::for_store(name.as_str(), &store);
                publisher.set_now(self.now);
                self.keys.insert(name.clone(), publisher.author().keys().clone());
                publisher.author().clone()
            }
            Some(view) => Author::resume(name.clone(), self.keys[name].clone(), view).unwrap(),
        };
        let mut after = self.expected[name].clone().unwrap_or_default();
        for _ in 0..=self.chance.below(3) {
            let (tag, value) =
                (format!("v{}", self.chance.below(TAGS)), digest(&self.chance.below(1 << 40).to_string()));
            author.set_tag(&tag, value, 1_024);
            after.insert(tag, value);
        }
        if view.is_some() && self.chance.once_in(10) {
            author.rotate_root(self.now).unwrap();
            self.keys.insert(name.clone(), author.keys().clone());
        }
        let upload = author.sign(self.now).unwrap().upload;
        match store.publish(name, &upload, self.now) {
            Ok(_) => {
                self.told.publications += 1;
                self.expected.insert(name.clone(), Some(after));
            }
            Err(PublishError::Storage(error)) => self.failed(name, Some(after), &error),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn renew(&mut self, name: &RepositoryName) {
        let store = self.store.clone().unwrap();
        let Ok(view) = store.view(name) else { return self.stumbled() };
        if view.is_none() {
            return;
        }
        match store.publish(name, &Upload::new(), self.now) {
            Ok(_) => self.told.renewals += 1,
            Err(PublishError::Storage(error)) => {
                let same = self.expected[name].clone();
                self.failed(name, same, &error);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    fn delete(&mut self, name: &RepositoryName) {
        match self.store.clone().unwrap().delete(name, self.now) {
            Ok(ended) => {
                assert_eq!(ended.is_some(), self.expected[name].is_some(), "{name}");
                self.told.deletions += u64::from(ended.is_some());
                self.expected.insert(name.clone(), None);
                self.forget(name);
            }
            Err(DeleteError::Storage(error)) => self.failed(name, None, &error),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// A client cannot follow a new life of a repository, and begins anew.
    fn forget(&mut self, name: &RepositoryName) {
        self.client.delete(name, self.now).unwrap();
    }

    /// A write was refused, or failed.
    fn failed(&mut self, name: &RepositoryName, after: Tags, error: &StorageError) {
        assert!(matches!(error, StorageError::Io { .. } | StorageError::Halted), "{error:?}");
        self.told.refusals += 1;
        if !matches!(error, StorageError::Halted) {
            self.perhaps = Some((name.clone(), after));
        }
        self.stumbled();
    }

    /// If the store takes no more, somebody restarts it.
    fn stumbled(&mut self) {
        let goes_on = self.store.as_ref().unwrap().status().is_ok_and(|status| status.takes_writes);
        if goes_on {
            // Nothing was written.
            self.perhaps = None;
        } else if self.chance.once_in(2) {
            self.crash();
        } else {
            self.store = None;
            self.device = self.device.next_process();
            self.told.restarts += 1;
            self.reopen();
        }
    }

    /// The power goes.
    fn crash(&mut self) {
        self.told.operations += self.device.operations();
        self.store = None;
        let seed = self.chance.below(u64::MAX);
        let survival = match self.chance.below(6) {
            0 => Survival::Dropped,
            1 => Survival::Kept,
            2 => Survival::Torn { piece: 512, seed },
            3 => Survival::Reordered { piece: 512, seed },
            4 => Survival::Torn { piece: 4_096, seed },
            _ => Survival::Reordered { piece: 4_096, seed },
        };
        self.device = self.device.after_power_cut(survival);
        self.told.crashes += 1;
        if self.chance.once_in(3) {
            // And again, while it recovers.
            let operation = 1 + self.chance.below(8);
            self.device.set_fault(operation, Fault::PowerCut);
            if open(&self.device).is_err() || self.device.met_fault() {
                self.device = self.device.after_power_cut(Survival::Reordered { piece: 512, seed });
                self.told.crashes += 1;
            }
            self.device = self.device.next_process();
        }
        self.reopen();
    }

    fn restart(&mut self) {
        let store = self.store.take().unwrap();
        // Whether it was closed well or not.
        drop(store);
        self.device = self.device.next_process();
        self.told.restarts += 1;
        self.reopen();
    }

    /// Opens, and learns what became of what was not known.
    fn reopen(&mut self) {
        let store = open(&self.device).unwrap();
        if let Some((name, tags)) = self.perhaps.take() {
            let found = tags_of(&store, &name);
            assert!(
                found == self.expected[&name] || found == tags,
                "{name}: neither of before nor of after: {found:?}"
            );
            if self.expected[&name].is_some() && found.is_none() {
                self.forget(&name);
            }
            self.expected.insert(name, found);
        }
        self.store = Some(store);
    }

    /// What a client does: it takes what is served, by its own rules, on top of all that it has seen.
    fn download(&mut self, name: &RepositoryName) {
        let store = self.store.clone().unwrap();
        let Ok(Some(view)) = store.view(name) else { return };
        let role = |role: RoleName| view.document(&role).unwrap().bytes().clone();
        let mut roots = Vec::new();
        for entry in store.documents(name) {
            let entry = entry.unwrap();
            if entry.role == RoleName::Root {
                let root = store.history(name, &entry.role, entry.sha256).unwrap();
                // Roots are never dropped.
                roots.push(root.unwrap().document.bytes().clone());
            }
        }
        let set = CompleteSet::new(
            roots,
            role(RoleName::Timestamp),
            role(RoleName::Snapshot),
            role(RoleName::Targets),
        );
        let taken = self.client.mirror(name, &set, self.now);
        taken.unwrap_or_else(|error| {
            panic!("{name}: what is served is refused by who was here before: {error:?}")
        });
        self.told.downloads += 1;
    }

    fn pin(&mut self, name: &RepositoryName) {
        if let Ok(Some(view)) = self.store.clone().unwrap().view(name) {
            let said = digests(&view);
            self.pinned.push((view, said));
        }
    }

    fn collect(&mut self) {
        let retention = Retention::default()
            .with_versions(1 + self.chance.below(4))
            .with_age(Duration::from_secs(self.chance.below(20 * 86_400)))
            .with_worth(if self.chance.once_in(2) { 0 } else { 25 });
        let mut steps = if self.chance.once_in(4) { self.chance.below(6) } else { u64::MAX };
        let collected = self.store.clone().unwrap().collect(&retention, self.now, &mut |_| {
            steps = steps.saturating_sub(1);
            steps > 0
        });
        match collected {
            Ok(_) => self.told.collections += 1,
            Err(error) => {
                assert!(matches!(error, StorageError::Io { .. } | StorageError::Halted), "{error:?}");
                self.stumbled();
            }
        }
    }

    fn scrub(&mut self) {
        let report = self.store.clone().unwrap().verify(&mut |_| {});
        match report {
            Ok(report) => assert_eq!(report.findings, []),
            Err(error) => {
                assert!(matches!(error, StorageError::Io { .. }), "{error:?}");
                self.stumbled();
            }
        }
    }

    fn back_up(&mut self) {
        let (store, folder) = (self.store.clone().unwrap(), tempfile::tempdir().unwrap());
        let (file, to) = (folder.path().join("backup"), folder.path().join("restored"));
        if store.backup(&file, None, &[], &mut |_| {}).is_err() {
            return self.stumbled();
        }
        let restore =
            Restore { backups: vec![file], to: to.clone(), since: Since::Nothing, files: Vec::new() };
        Store::restore(&restore, options(), self.now, &mut |_| {}).unwrap();
        let restored = Store::open(&to, options()).unwrap();
        assert_eq!(observe(&restored), observe(&store));
        self.told.backups += 1;
    }

    /// Everything that is said is what was published.
    fn look(&mut self) {
        let store = self.store.clone().unwrap();
        for (name, expected) in &self.expected {
            let Ok(view) = store.view(name) else { continue };
            assert_eq!(view.is_some(), expected.is_some(), "{name}");
            let expired = view.is_some_and(|view| view.expires().0 < self.now);
            for tag in (0..TAGS).map(|number| format!("v{number}")) {
                let wanted = expected.as_ref().map(|tags| tags.get(&tag).copied());
                match store.lookup(name.as_str(), &tag, self.now) {
                    Ok(Lookup::Found(found)) => {
                        assert_eq!(wanted, Some(Some(found.target.sha256)), "{tag} of {name}");
                    }
                    Ok(Lookup::NoSuchTag) => assert_eq!(wanted, Some(None), "{tag} of {name}"),
                    Ok(Lookup::NoSuchRepository) => assert_eq!(wanted, None, "{tag} of {name}"),
                    Ok(Lookup::Expired { .. }) => assert!(expired, "{tag} of {name}"),
                    Err(error) => assert!(matches!(error, StorageError::Io { .. }), "{error:?}"),
                }
            }
        }
        for (view, said) in &self.pinned {
            assert_eq!(digests(view), *said, "a view changed");
        }
        self.told.position = store.position().get();
    }
}

/// What the tags stand for, expired or not.
fn tags_of(store: &Store, name: &RepositoryName) -> Tags {
    let view = store.view(name).unwrap()?;
    Some(view.tags().map(|(tag, target)| (tag.to_owned(), target.sha256)).collect())
}

fn play(seed: u64, steps: u64) -> Told {
    let mut world = World::new(seed);
    for step in 0..steps {
        let told = world.told.clone();
        let stepped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.step()));
        if let Err(panic) = stepped {
            // So that it is not lost among what the panic says.
            std::panic::panic_any(format!(
                "seed {seed}, step {step}, after {told:?}: {}",
                panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "see above".to_owned())
            ));
        }
    }
    world.restart();
    world.scrub();
    world.told.operations += world.device.operations();
    world.told
}

fn long() -> bool {
    std::env::var_os("TUFSTORE_LONG").is_some_and(|value| value == "1")
}

#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_nothing_false_is_served() {
    let given = std::env::var("TUFSTORE_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds: Vec<u64> = match given {
        Some(seed) => vec![seed],
        None => (1..=if long() { 600 } else { 12 }).collect(),
    };
    let mut all = Told::default();
    for seed in seeds {
        let told = play(seed, 250);
        all.publications += told.publications;
        all.renewals += told.renewals;
        all.deletions += told.deletions;
        all.refusals += told.refusals;
        all.crashes += told.crashes;
        all.restarts += told.restarts;
        all.collections += told.collections;
        all.downloads += told.downloads;
        all.backups += told.backups;
        all.seconds += told.seconds;
        all.operations += told.operations;
    }
    eprintln!("{} hours: {all:?}", all.seconds / 3_600);
    if given.is_none() {
        let counts = [all.publications, all.renewals, all.deletions, all.refusals, all.crashes, all.restarts];
        assert!(
            counts.iter().chain([&all.collections, &all.downloads, &all.backups]).all(|count| *count > 10),
            "{all:?}"
        );
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in [3, 4] {
        assert_eq!(play(seed, 120), play(seed, 120));
    }
}
