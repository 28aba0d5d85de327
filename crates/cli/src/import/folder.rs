//! Which files of a folder make complete sets of metadata: a client's cache, or a copy of a trust server's files.
//!
//! Names of files say nothing here. A file is what its `_type` and version say, and is found by the SHA-256 that the file
//! above it names: a timestamp names its snapshot, a snapshot its targets and delegations, and the root that it was made
//! under. Nothing is verified and nothing refused: that is the engine's work.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tufstore::CompleteSet;
use tufstore::crypto::sha256;
use tufstore::terms::{RoleName, Sha256, Version};

/// No client takes a larger file.
const LARGEST: u64 = 100 << 20;

/// The files of a folder and of those below it that are metadata.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Where to read a file's bytes again: memory for all of them may be lacking.
    places: HashMap<Sha256, PathBuf>,
    roots: BTreeMap<Version, BTreeSet<Sha256>>,
    targets: HashMap<Sha256, BTreeSet<String>>,
    snapshots: HashMap<Sha256, BTreeMap<String, Sha256>>,
    /// By version, then by what stands in it, which a sound server never has two of.
    timestamps: BTreeSet<Timestamp>,
    /// What is in the folder and is no metadata, and why.
    pub(crate) strangers: Vec<(PathBuf, Strange)>,
}

/// A timestamp, from which a set hangs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Timestamp {
    /// Its version.
    pub(crate) version: Version,
    /// Of its bytes.
    pub(crate) sha256: Sha256,
    /// The snapshot that it names.
    snapshot: Sha256,
}

/// Why a file is not taken for metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Strange {
    /// Not the JSON of a signed file.
    #[error("it is no signed metadata")]
    NotMetadata,
    /// Of a kind that this dialect does not have.
    #[error("its _type is none of Root, Targets, Snapshot and Timestamp")]
    OtherType,
    /// Version zero.
    #[error("its version is zero")]
    NoVersion,
    /// It does not name the file below it by SHA-256.
    #[error("it does not name its snapshot by SHA-256")]
    NamesNothing,
    /// Larger than any client takes.
    #[error("it is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
}

/// Why a timestamp's set cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incomplete {
    /// A file is not in the folder.
    #[error("no file has the bytes of {role} that it names (SHA-256 {sha256})")]
    Missing {
        /// Whose.
        role: String,
        /// Of its bytes.
        sha256: Sha256,
    },
    /// The file above does not name one that every set has.
    #[error("its snapshot does not name {role} by SHA-256")]
    NotNamed {
        /// Whose.
        role: &'static str,
    },
    /// A file was there and cannot be read any more, or says something else now.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// Which file.
        path: PathBuf,
        source: io::Error,
    },
}

/// What stands in a file, as far as it matters here.
#[derive(Deserialize)]
struct Envelope {
    signed: Signed,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(rename = "_type")]
    kind: String,
    version: u64,
    #[serde(default)]
    meta: BTreeMap<String, Meta>,
    #[serde(default)]
    delegations: Option<Delegations>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Delegations {
    #[serde(default)]
    roles: Option<Vec<Delegation>>,
}

#[derive(Deserialize)]
struct Delegation {
    name: String,
}

impl Folder {
    /// Reads every file of a folder and of the folders below it. Links to folders are not followed.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let mut entries: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                } else if let Ok(data) = fs::metadata(&path)
                    && data.is_file()
                {
                    if data.len() > LARGEST {
                        found.strangers.push((path, Strange::TooLarge));
                    } else {
                        let bytes = fs::read(&path)?;
                        found.add(path, &bytes);
                    }
                }
            }
        }
        Ok(found)
    }

    fn add(&mut self, path: PathBuf, bytes: &[u8]) {
        match self.sort(bytes) {
            Ok(sha256) => {
                self.places.entry(sha256).or_insert(path);
            }
            Err(strange) => self.strangers.push((path, strange)),
        }
    }

    fn sort(&mut self, bytes: &[u8]) -> Result<Sha256, Strange> {
        let Envelope { signed } = serde_json::from_slice(bytes).map_err(|_| Strange::NotMetadata)?;
        let version = Version::new(signed.version).ok_or(Strange::NoVersion)?;
        let sha256 = sha256(bytes);
        match signed.kind.as_str() {
            "Root" => {
                self.roots.entry(version).or_default().insert(sha256);
            }
            "Targets" => {
                let roles = signed.delegations.and_then(|delegations| delegations.roles).unwrap_or_default();
                self.targets.insert(sha256, roles.into_iter().map(|delegation| delegation.name).collect());
            }
            "Snapshot" => {
                let named = signed.meta.into_iter().filter_map(|(role, meta)| Some((role, meta.sha256()?)));
                self.snapshots.insert(sha256, named.collect());
            }
            "Timestamp" => {
                let snapshot = signed.meta.get("snapshot").and_then(Meta::sha256);
                let snapshot = snapshot.ok_or(Strange::NamesNothing)?;
                self.timestamps.insert(Timestamp { version, sha256, snapshot });
            }
            _ => return Err(Strange::OtherType),
        }
        Ok(sha256)
    }

    /// The timestamps, by version.
    pub(crate) fn timestamps(&self) -> impl Iterator<Item = Timestamp> {
        self.timestamps.iter().copied()
    }

    /// Everything that a client would download after this timestamp, with as much of the root chain as there is without a
    /// gap below the root that the snapshot names.
    pub(crate) fn set(&self, timestamp: &Timestamp) -> Result<CompleteSet, Incomplete> {
        let missing = |role: &str, sha256: Sha256| Incomplete::Missing { role: role.to_owned(), sha256 };
        let snapshot = timestamp.snapshot;
        let named = self.snapshots.get(&snapshot).ok_or_else(|| missing("snapshot", snapshot))?;
        let required = |role| named.get(role).copied().ok_or(Incomplete::NotNamed { role });
        let (root, targets) = (required("root")?, required("targets")?);
        let chain = self.chain(root).ok_or_else(|| missing("root", root))?;
        let roots = chain.into_iter().map(|root| self.bytes(root)).collect::<Result<_, _>>()?;
        let top = self.targets.get(&targets).ok_or_else(|| missing("targets", targets))?;
        let (timestamp, snapshot) = (self.bytes(timestamp.sha256)?, self.bytes(snapshot)?);
        let mut set = CompleteSet::new(roots, timestamp, snapshot, self.bytes(targets)?);
        // What the snapshot names although nobody delegates to it, no client asks for.
        let mut delegated: VecDeque<&str> = top.iter().map(String::as_str).collect();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(name) = delegated.pop_front() {
            let (Some(&sha256), Ok(role)) = (named.get(name), name.parse::<RoleName>()) else { continue };
            if !role.is_targets_or_delegation() || role == RoleName::Targets || !seen.insert(name) {
                continue;
            }
            let below = self.targets.get(&sha256).ok_or_else(|| missing(name, sha256))?;
            delegated.extend(below.iter().map(String::as_str));
            set = set.with(role, self.bytes(sha256)?);
        }
        Ok(set)
    }

    /// The roots up to this one, oldest first, without a gap; `None` if it is not in the folder. Below it a version that
    /// two files claim ends the chain, since only one of them can be right.
    fn chain(&self, root: Sha256) -> Option<Vec<Sha256>> {
        let (newest, _) = self.roots.iter().find(|(_, files)| files.contains(&root))?;
        let mut chain = vec![root];
        let mut next = newest.get();
        for (version, files) in self.roots.range(..newest).rev() {
            next -= 1;
            match files.first() {
                Some(&older) if version.get() == next && files.len() == 1 => chain.push(older),
                _ => break,
            }
        }
        chain.reverse();
        Some(chain)
    }

    fn bytes(&self, wanted: Sha256) -> Result<Arc<[u8]>, Incomplete> {
        let path = self.places.get(&wanted).cloned().unwrap_or_default();
        let read = fs::read(&path).and_then(|bytes| {
            if sha256(&bytes) == wanted { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
        });
        read.map(Into::into).map_err(|source| Incomplete::Changed { path, source })
    }
}

impl Meta {
    fn sha256(&self) -> Option<Sha256> {
        let bytes = STANDARD.decode(self.hashes.get("sha256")?).ok()?;
        <[u8; 32]>::try_from(bytes).ok().map(Sha256::new)
    }
}

#[cfg(test)]
mod tests;
