//! A store over a damaged journal: it opens or is refused, and whatever it serves is what was published.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tufstore::storage::device::{Device, MemoryDevice};
use tufstore::terms::{Position, RepositoryName};
use tufstore::{Lookup, Options, StorageError, Store, Upload};
use tufstore_testkit::{NOW, Observed, ObservedRepository, Publisher, SeededOnlineKeys, digest, observe};

use crate::script::Script;

/// The files of a device.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// How the store came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Closed,
    Killed,
}

/// Two stores' worth of files with the same history, and what it said after each commit.
pub(crate) struct Sample {
    closed: Files,
    killed: Files,
    /// By position, from nothing on.
    said: Vec<Observed>,
}

impl Sample {
    /// Two repositories over three runs of a store; one of them is deleted and begun anew.
    pub(crate) fn new() -> Self {
        let device = MemoryDevice::new();
        let mut said = Vec::new();
        let store = open(&device).unwrap();
        said.push(observe(&store));
        let mut one = Publisher::for_store("example.com/one", &store);
        for tags in [["1", "latest"], ["2", "latest"]] {
            one.tag(&tags.map(|tag| (tag, digest(tags[0]))));
            one.publish(&store).unwrap();
            said.push(observe(&store));
        }
        one.delegate("targets/releases", &[""], &[("3", digest("3"))]);
        one.publish(&store).unwrap();
        said.push(observe(&store));
        drop(store);
        let store = open(&device).unwrap();
        let mut two = Publisher::holding_snapshot("example.com/two", &store);
        two.tag(&[("1", digest("two"))]);
        two.publish(&store).unwrap();
        said.push(observe(&store));
        store.delete(two.repository(), NOW).unwrap();
        said.push(observe(&store));
        drop(store);
        let store = open(&device).unwrap();
        let mut two = Publisher::for_store("example.com/two", &store);
        two.tag(&[("1", digest("two, anew"))]);
        two.publish(&store).unwrap();
        said.push(observe(&store));
        store.publish(one.repository(), &Upload::new(), NOW).unwrap();
        said.push(observe(&store));
        let killed = files(&device).unwrap();
        store.close().unwrap();
        Self { closed: files(&device).unwrap(), killed, said }
    }

    /// The files of a store that ended so.
    pub(crate) fn files(&self, end: End) -> &Files {
        match end {
            End::Closed => &self.closed,
            End::Killed => &self.killed,
        }
    }

    /// Damages the files as the script says, opens a store over them, and checks everything that it serves.
    ///
    /// # Panics
    /// If the store serves what was never published, or denies what it acknowledged.
    pub(crate) fn survives(&self, script: &[u8]) {
        let mut script = Script::new(script);
        let end = if script.byte().is_some_and(|byte| byte % 2 == 1) { End::Killed } else { End::Closed };
        let mut files = self.files(end).clone();
        let mut damages = 0;
        while damages < 6 && damage(&mut script, &mut files).is_some() {
            damages += 1;
        }
        let device = device_of(&files).unwrap();
        let Ok(store) = open(&device) else { return };
        let kept = usize::try_from(store.position().get()).unwrap();
        let whole = self.said.len() - 1;
        // One damage to a store that was closed takes back nothing. Of one that was killed, damage to the last group cannot
        // be told from a torn write; it takes more than one byte to reach two groups.
        let least = match (end, damages) {
            (_, 0) | (End::Closed, 1) => whole,
            (End::Killed, 1) if bytes_changed(self.files(end), &files) == Some(1) => whole - 1,
            (End::Closed | End::Killed, _) => 0,
        };
        assert!(
            kept >= least,
            "{kept} of {whole} commits after {damages} damages to a store that was {end:?}"
        );
        let said = &self.said[kept];
        serves_only(&store, said);
        // It can be checked, and written to; what others said stays.
        drop(store.verify(&mut |_| {}));
        if let Some(name) = said.repositories.keys().next() {
            drop(store.publish(name, &Upload::new(), NOW));
            for (other, said) in said.repositories.iter().skip(1) {
                serves(&store, other, said);
            }
        }
    }
}

/// Damages one file, or mixes files up.
fn damage(script: &mut Script<'_>, files: &mut Files) -> Option<()> {
    let kind = script.byte()?;
    let names: Vec<_> = files.keys().cloned().collect();
    let name = names.get(script.below(names.len())?)?.clone();
    match kind {
        0..200 => script.damage(files.get_mut(&name)?),
        200..216 => files.remove(&name).map(drop),
        216..232 => {
            let other = names.get(script.below(names.len())?)?.clone();
            let content = files.get(&name)?.clone();
            files.insert(other, content);
            Some(())
        }
        232.. => {
            let number = script.below(12)?;
            let content = files.get(&name)?.clone();
            files.insert(format!("{number:020}.segment"), content);
            Some(())
        }
    }
}

/// How many bytes differ between files of the same names and lengths.
fn bytes_changed(before: &Files, after: &Files) -> Option<usize> {
    let alike = before.len() == after.len()
        && before.iter().zip(after).all(|(one, other)| one.0 == other.0 && one.1.len() == other.1.len());
    let pairs = before.values().flatten().zip(after.values().flatten());
    alike.then(|| pairs.filter(|(one, other)| one != other).count())
}

/// Everything the store says is `said`, or an error.
fn serves_only(store: &Store, said: &Observed) {
    assert!(store.repositories().iter().eq(said.repositories.keys()));
    for (name, said) in &said.repositories {
        serves(store, name, said);
    }
    let mut feed = said.feed.iter();
    for change in store.changes(Position::START) {
        match change {
            Ok(change) => assert_eq!(Some(&change), feed.next()),
            Err(_) => return,
        }
    }
    assert_eq!(feed.next(), None, "the feed ends early without an error");
}

fn serves(store: &Store, name: &RepositoryName, said: &ObservedRepository) {
    for (role, (version, sha256)) in &said.documents {
        for found in [store.history(name, role, *version), store.history(name, role, *sha256)] {
            match found {
                Ok(found) => {
                    let found = found.unwrap_or_else(|| panic!("{name}: {role} {version} is denied"));
                    assert_eq!((found.document.version(), *found.document.sha256()), (*version, *sha256));
                    assert_eq!(tufstore::crypto::sha256(found.document.bytes()), *sha256);
                }
                Err(error) => is_about_storage(&error),
            }
        }
    }
    for (tag, said) in &said.lookups {
        match store.lookup(name.as_str(), tag, NOW) {
            Ok(answer) => assert_eq!(answer, *said, "{name}: {tag}"),
            Err(error) => is_about_storage(&error),
        }
    }
    match store.view(name) {
        Ok(view) => {
            let view = view.unwrap_or_else(|| panic!("{name} is denied"));
            assert_eq!((view.position(), view.revision()), (said.position, said.revision));
            let tags: BTreeMap<_, _> = view.tags().map(|(tag, target)| (tag.to_owned(), target)).collect();
            assert_eq!(tags, said.tags);
        }
        Err(error) => is_about_storage(&error),
    }
    assert_eq!(store.lookup("example.com/nobody", "1", NOW).ok(), Some(Lookup::NoSuchRepository));
}

/// Damage is called damage, not a mistake of ours.
fn is_about_storage(error: &StorageError) {
    assert!(!matches!(error, StorageError::Bug(_)), "{error:?}");
}

fn open(device: &MemoryDevice) -> Result<Store, StorageError> {
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
    Store::open_on(Arc::new(device.clone()), options)
}

fn files(device: &MemoryDevice) -> io::Result<Files> {
    let read = |name: String| {
        let file = device.open(&name)?;
        let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
        file.read(0, &mut bytes)?;
        Ok((name, bytes))
    };
    device.list()?.into_iter().map(read).collect()
}

/// A device with these files.
pub(crate) fn device_of(files: &Files) -> io::Result<MemoryDevice> {
    let device = MemoryDevice::new();
    for (name, bytes) in files {
        device.create(name)?.write(0, bytes)?;
    }
    Ok(device)
}
