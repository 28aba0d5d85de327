//! Two stores that hold the same, so that only the one fault differs between what the one takes and the other refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;
use tufstore::crypto::sha256;
use tufstore::storage::device::{Device, MemoryDevice};
use tufstore::terms::{RepositoryName, RoleName, Sha256, Threshold, UnixTime, Version};
use tufstore::{
    CompleteSet, Fault, Limits, Lookup, MirrorError, Options, ParseError, PublishError, Receipt, Store,
    TrustError, Upload,
};
use tufstore_testkit::{
    CompleteParts, Forge, ForgedKey, ForgedSigners, NOW, SeededOnlineKeys, files, observe,
};

pub(crate) const REPOSITORY: &str = "docker.io/library/alpine";

/// Two stores with the same online keys and the same past.
pub(crate) struct Twins {
    right: Place,
    wrong: Place,
    repository: RepositoryName,
    pub(crate) now: UnixTime,
}

impl Twins {
    /// In memory.
    pub(crate) fn new() -> Self {
        Self::limited(|_| {})
    }

    /// In memory, with other limits.
    pub(crate) fn limited(change: impl Fn(&mut Limits)) -> Self {
        let place = || {
            let (device, mut options) = (MemoryDevice::new(), options());
            change(&mut options.limits);
            let store = Store::open_on(Arc::new(device.clone()), options).unwrap();
            Place { store, files: Files::Memory(device) }
        };
        Self::of(place(), place())
    }

    /// In temporary folders.
    pub(crate) fn in_folders() -> Self {
        let place = || {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path(), options()).unwrap();
            Place { store, files: Files::Folder(folder) }
        };
        Self::of(place(), place())
    }

    fn of(right: Place, wrong: Place) -> Self {
        Self { right, wrong, repository: REPOSITORY.parse().unwrap(), now: NOW }
    }

    /// Somebody whose snapshots and timestamps these stores sign.
    pub(crate) fn forge(&self) -> Forge {
        Forge::for_store(REPOSITORY, &self.right.store)
    }

    /// Somebody whose timestamps alone these stores sign.
    pub(crate) fn forge_with_snapshot_key(&self) -> Forge {
        let mut forge = self.forge();
        forge.snapshot = ForgedSigners::one(ForgedKey::seeded("the author's snapshots"));
        forge.begun()
    }

    /// The one that has taken what is right.
    pub(crate) fn store(&self) -> &Store {
        &self.right.store
    }

    pub(crate) fn lookup(&self, tag: &str) -> Lookup {
        self.right.store.lookup(REPOSITORY, tag, self.now).unwrap()
    }

    /// The names of the files that the one store has.
    pub(crate) fn file_names(&self) -> Vec<String> {
        self.right.files().into_keys().collect()
    }

    /// Gives both a past.
    #[track_caller]
    pub(crate) fn both_publish(&self, upload: &Upload) {
        for place in [&self.right, &self.wrong] {
            assert_eq!(self.published(place, upload).warnings, []);
        }
    }

    /// As [`Twins::both_publish`].
    #[track_caller]
    pub(crate) fn both_mirror(&self, set: &CompleteSet) {
        for place in [&self.right, &self.wrong] {
            assert_eq!(self.mirrored(place, set).warnings, []);
        }
    }

    /// The one store takes `right`. The other refuses `wrong`, is as it was before, and then takes `right` as well.
    #[track_caller]
    pub(crate) fn publish(&self, right: &Upload, wrong: &Upload) -> Refusal {
        let [refusal] = self.publish_each(right, [wrong.clone()]);
        refusal
    }

    /// The same for several that are wrong.
    #[track_caller]
    pub(crate) fn publish_each<const N: usize>(&self, right: &Upload, wrong: [Upload; N]) -> [Refusal; N] {
        let receipt = self.published(&self.right, right);
        assert_eq!(receipt.warnings, []);
        let refusals = wrong.map(|wrong| {
            self.wrong.unchanged(|store| {
                Refusal::from(store.publish(&self.repository, &wrong, self.now).unwrap_err())
            })
        });
        self.published(&self.wrong, right);
        self.assert_same();
        refusals
    }

    /// The one store takes `right`. The other refuses `wrong`, is as it was before, and then takes `right` as well.
    #[track_caller]
    pub(crate) fn mirror(&self, right: &CompleteSet, wrong: &CompleteSet) -> Refusal {
        let [refusal] = self.mirror_each(right, [wrong.clone()]);
        refusal
    }

    /// The same for several that are wrong.
    #[track_caller]
    pub(crate) fn mirror_each<const N: usize>(
        &self,
        right: &CompleteSet,
        wrong: [CompleteSet; N],
    ) -> [Refusal; N] {
        let receipt = self.mirrored(&self.right, right);
        assert_eq!(receipt.warnings, []);
        let refusals = wrong.map(|wrong| {
            self.wrong.unchanged(|store| {
                Refusal::from(store.mirror(&self.repository, &wrong, self.now).unwrap_err())
            })
        });
        self.mirrored(&self.wrong, right);
        self.assert_same();
        refusals
    }

    /// What is accepted although it is not quite as it should be: the one store takes it, with its warnings.
    #[track_caller]
    pub(crate) fn accepted(&self, upload: &Upload) -> Receipt {
        self.published(&self.right, upload)
    }

    /// As [`Twins::accepted`].
    #[track_caller]
    pub(crate) fn accepted_mirror(&self, set: &CompleteSet) -> Receipt {
        self.mirrored(&self.right, set)
    }

    /// Does something that must change nothing in the one store.
    #[track_caller]
    pub(crate) fn unchanged<T>(&self, attempt: impl FnOnce(&Store) -> T) -> T {
        self.right.unchanged(attempt)
    }

    #[track_caller]
    fn published(&self, place: &Place, upload: &Upload) -> Receipt {
        place.store.publish(&self.repository, upload, self.now).unwrap()
    }

    #[track_caller]
    fn mirrored(&self, place: &Place, set: &CompleteSet) -> Receipt {
        place.store.mirror(&self.repository, set, self.now).unwrap()
    }

    /// Every key that signs here is Ed25519 or has signed only once, so what is the same is the same in every byte.
    #[track_caller]
    fn assert_same(&self) {
        assert_eq!(observe(&self.right.store), observe(&self.wrong.store));
    }
}

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("server"))
}

struct Place {
    // Closed before its folder goes.
    store: Store,
    files: Files,
}

enum Files {
    Memory(MemoryDevice),
    Folder(TempDir),
}

impl Place {
    #[track_caller]
    fn unchanged<T>(&self, attempt: impl FnOnce(&Store) -> T) -> T {
        let before = (observe(&self.store), self.files());
        let result = attempt(&self.store);
        assert_eq!((observe(&self.store), self.files()), before, "it changed something");
        result
    }

    /// The truth on disk; the index follows it at its own pace.
    fn files(&self) -> BTreeMap<String, Sha256> {
        let device = match &self.files {
            Files::Folder(folder) => return files(&folder.path().join("journal")),
            Files::Memory(device) => device,
        };
        let content = |name: &String| {
            let file = device.open(name).unwrap();
            let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
            file.read(0, &mut bytes).unwrap();
            sha256(&bytes)
        };
        device.list().unwrap().into_iter().map(|name| (name.clone(), content(&name))).collect()
    }
}

/// Why something was refused, in whole.
#[derive(Debug)]
#[must_use]
pub(crate) struct Refusal {
    why: Why,
    pub(crate) fault: Fault,
    message: String,
}

#[derive(Debug, Eq, PartialEq)]
enum Why {
    Malformed(RoleName, ParseError),
    Superseded { role: RoleName, current: Version, offered: Version },
    Untrusted(RoleName, TrustError),
    Other(String),
}

impl Refusal {
    /// The file of `role` broke this rule, and the message says so.
    #[track_caller]
    pub(crate) fn is_untrusted(&self, name: &str, rule: TrustError, message: &str) {
        let (expected, said) =
            (Why::Untrusted(role(name), rule), format!("{name} is not trusted: {message}"));
        self.is(&expected, Fault::Publisher, &said);
    }

    /// The file of `role` cannot be read for this reason, and the message says so.
    #[track_caller]
    pub(crate) fn is_malformed(&self, name: &str, reason: ParseError, message: &str) {
        let (expected, said) =
            (Why::Malformed(role(name), reason), format!("{name} cannot be read: {message}"));
        self.is(&expected, Fault::Publisher, &said);
    }

    /// The store has `role` at `current` already, and whoever came late has to look.
    #[track_caller]
    pub(crate) fn is_superseded(&self, name: &str, current: u64, offered: u64) {
        let why = Why::Superseded { role: role(name), current: version(current), offered: version(offered) };
        let said = format!("{name} version {offered} comes too late: version {current} is published");
        self.is(&why, Fault::Race, &said);
    }

    /// None of the above: one of the errors without a source.
    #[track_caller]
    pub(crate) fn says(&self, debug: &str, message: &str) {
        let why = Why::Other(debug.to_owned());
        self.is(&why, Fault::Publisher, message);
    }

    #[track_caller]
    fn is(&self, why: &Why, fault: Fault, message: &str) {
        assert_eq!((&self.why, self.fault, self.message.as_str()), (why, fault, message));
    }
}

impl From<PublishError> for Refusal {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are compared as text")]
    fn from(error: PublishError) -> Self {
        let (fault, message) = (error.fault(), chain(&error));
        let why = match error {
            PublishError::Malformed { role, source } => Why::Malformed(role, source),
            PublishError::Untrusted { role, source } => Why::Untrusted(role, source),
            PublishError::Superseded { role, current, offered } => Why::Superseded { role, current, offered },
            other => Why::Other(format!("{other:?}")),
        };
        Self { why, fault, message }
    }
}

impl From<MirrorError> for Refusal {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are compared as text")]
    fn from(error: MirrorError) -> Self {
        let (fault, message) = (error.fault(), chain(&error));
        let why = match error {
            MirrorError::Malformed { role, source } => Why::Malformed(role, source),
            MirrorError::Untrusted { role, source } => Why::Untrusted(role, source),
            other => Why::Other(format!("{other:?}")),
        };
        Self { why, fault, message }
    }
}

/// An error and all its sources, as a log shows them.
fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}

pub(crate) fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

pub(crate) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

pub(crate) fn threshold(number: u32) -> Threshold {
    Threshold::new(number).unwrap()
}

/// An upload of these files.
pub(crate) fn upload<const N: usize>(files: [(&str, Arc<[u8]>); N]) -> Upload {
    files.into_iter().fold(Upload::new(), |upload, (name, bytes)| upload.with(role(name), bytes))
}

/// The refusal of a file that too few keys have signed.
pub(crate) fn too_few(valid: usize, needed: u32) -> (TrustError, String) {
    let rule = TrustError::TooFewKeys { valid, threshold: threshold(needed) };
    (rule, format!("{valid} of the {needed} keys needed have signed"))
}

/// A set of targets, snapshot and timestamp at versions of their own.
pub(crate) fn parts_at(forge: &Forge, [targets, snapshot, timestamp]: [u64; 3]) -> CompleteParts {
    let targets = forge.targets(targets, &[]).bytes();
    let root = forge.roots.last().unwrap();
    let snapshot = forge.snapshot(snapshot, &[("root", root), ("targets", &targets)]).bytes();
    let timestamp = forge.timestamp(timestamp, &snapshot).bytes();
    CompleteParts { roots: forge.roots.clone(), timestamp, snapshot, targets, delegations: BTreeMap::new() }
}

/// Keys that nobody lists.
pub(crate) fn stranger() -> ForgedSigners {
    ForgedSigners::one(ForgedKey::seeded("a stranger"))
}
