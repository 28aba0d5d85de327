//! Every question, and what its answer is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tufstore::crypto::OnlineRole;
use tufstore::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version};

use super::{Opened, Progress, Refusal};
use crate::access::{ContentTrust, Registry};
use crate::concerns::Concern;
use crate::directory::{Order, Reference};

/// Something to ask of a store.
pub trait Question: Serialize + DeserializeOwned + Into<Ask> {
    /// What the answer says.
    type Answer: Serialize + DeserializeOwned;

    /// Answers it.
    ///
    /// # Errors
    /// [`Refusal`].
    fn answer(
        &self,
        opened: &Opened,
        now: UnixTime,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self::Answer, Refusal>;
}

/// Bytes, in JSON as base64.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "bytes, and how they are written")]
pub struct Blob(pub Arc<[u8]>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&base64::display::Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        STANDARD.decode(text.as_bytes()).map(|bytes| Self(bytes.into())).map_err(D::Error::custom)
    }
}

macro_rules! questions {
    ($($(#[$docs:meta])* $name:ident { $($(#[$field_docs:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$docs])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[expect(clippy::exhaustive_structs, reason = "a question is written as a literal")]
            pub struct $name { $($(#[$field_docs])* pub $field: $type,)* }

            impl From<$name> for Ask {
                fn from(question: $name) -> Self {
                    Self::$name(question)
                }
            }
        )*

        /// Any question, as it goes over the socket.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "ask", rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Ask {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl Ask {
            /// Answers whatever it is, in JSON.
            pub(super) fn answer(
                &self,
                opened: &Opened,
                now: UnixTime,
                progress: &mut dyn FnMut(Progress),
            ) -> Result<Result<serde_json::Value, serde_json::Error>, Refusal> {
                match self {
                    $(Self::$name(question) => question.answer(opened, now, progress).map(serde_json::to_value),)*
                }
            }
        }
    };
}

questions! {
    /// Who did what after a position?
    Audit {
        /// Start after this one.
        after: Position,
        /// Stop after so many.
        limit: u64,
    }
    /// Write everything to a file, or what came after an earlier one.
    Backup {
        /// The file, as the server sees it.
        to: PathBuf,
        /// An earlier backup: only what came after it.
        since: Option<PathBuf>,
        /// Files that go along, by name.
        along: Vec<(String, Blob)>,
    }
    /// Change who may do what.
    Carry {
        /// How.
        order: Order,
    }
    /// What happened after a position?
    Changes {
        /// Start after this one.
        after: Position,
        /// Stop after so many.
        limit: u64,
    }
    /// What has to be acted on, now or within some time?
    Check {
        /// Within so many seconds.
        within: u64,
    }
    /// Drop what is not kept.
    Collect {
        /// So many of the last versions of each role are kept.
        versions: u64,
        /// And what was replaced within so many seconds.
        age: u64,
        /// See [`tufstore::Retention::worth`].
        worth: u8,
    }
    /// What does a repository consist of now?
    Current {
        /// Which.
        repository: RepositoryName,
    }
    /// End a repository's life.
    Delete {
        /// Which.
        repository: RepositoryName,
    }
    /// What has a repository published?
    History {
        /// Which.
        repository: RepositoryName,
    }
    /// Does the store hold what it acknowledged?
    Holds {
        /// Of which repository.
        repository: RepositoryName,
        /// What was acknowledged.
        documents: Vec<Acknowledged>,
    }
    /// Which key does an author list for a role that the store signs?
    Key {
        /// Of which repository.
        repository: RepositoryName,
        /// For the snapshot, or else for the timestamp.
        snapshot: bool,
    }
    /// What does a tag stand for?
    Lookup {
        /// In which repository.
        repository: RepositoryName,
        /// Which tag.
        tag: String,
    }
    /// Take a complete set that another server signed.
    Mirror {
        /// Of which repository.
        repository: RepositoryName,
        /// The root chain in order of version.
        roots: Vec<Blob>,
        /// Every other file.
        files: BTreeMap<RoleName, Blob>,
    }
    /// Take an author's upload.
    Publish {
        /// Of which repository.
        repository: RepositoryName,
        /// Its files.
        files: BTreeMap<RoleName, Blob>,
    }
    /// With which receipt was a timestamp published, if it was?
    Receipt {
        /// Of which repository.
        repository: RepositoryName,
        /// SHA-256 of the timestamp.
        timestamp: Sha256,
    }
    /// Make the index anew.
    Reindex {}
    /// Which repositories are there?
    Repositories {}
    /// Are all bytes those that were written?
    Scrub {}
    /// What are the bytes of a file?
    Show {
        /// Of which repository.
        repository: RepositoryName,
        /// Of which role.
        role: RoleName,
        /// Of this version.
        version: Option<Version>,
        /// Or with this SHA-256; with neither, the current one.
        sha256: Option<Sha256>,
    }
    /// How is the store?
    Status {}
    /// Which tags are there?
    Tags {
        /// Of which repository.
        repository: RepositoryName,
        /// Only what this role signs.
        role: Option<RoleName>,
    }
    /// Is everything sound?
    Verify {}
    /// What holds for registries, and what do they hold?
    Policies {
        /// Of this one; of all that hold trust data or of which something is said.
        registry: Option<Registry>,
    }
    /// A repository begins anew.
    Reset {
        /// Which.
        repository: RepositoryName,
    }
    /// Content trust on or off for a registry.
    SetPolicy {
        /// Which.
        registry: Registry,
        /// On or off. Off deletes all of its trust data.
        content_trust: ContentTrust,
    }
    /// May these images run?
    Signed {
        /// Which.
        images: Vec<Reference>,
        /// Who has to have signed each of them.
        signers: BTreeSet<String>,
    }
    /// Who may do what?
    WhoMay {}
}

/// A document that a store once said was durable.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a part of a question")]
pub struct Acknowledged {
    /// Of the commit.
    pub position: Position,
    /// Whose file.
    pub role: RoleName,
    /// Its version.
    pub version: Version,
    /// Of its bytes.
    pub sha256: Sha256,
}

/// Which of the server's workers a question is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Share {
    Read,
    Write,
    /// May read the whole journal.
    Scan,
}

impl Ask {
    pub(super) fn share(&self) -> Share {
        match self {
            Self::Carry(_) | Self::Delete(_) | Self::Mirror(_) | Self::Publish(_) | Self::Reset(_) => {
                Share::Write
            }
            Self::Audit(_)
            | Self::Backup(_)
            | Self::Changes(_)
            | Self::Check(_)
            | Self::Collect(_)
            | Self::History(_)
            | Self::Holds(_)
            | Self::Reindex(_)
            | Self::Repositories(_)
            | Self::Policies(_)
            | Self::Scrub(_)
            | Self::SetPolicy(_)
            | Self::Verify(_) => Share::Scan,
            Self::Current(_)
            | Self::Key(_)
            | Self::Lookup(_)
            | Self::Receipt(_)
            | Self::Show(_)
            | Self::Signed(_)
            | Self::Status(_)
            | Self::Tags(_)
            | Self::WhoMay(_) => Share::Read,
        }
    }
}

macro_rules! answers {
    ($($(#[$docs:meta])* $name:ident { $($(#[$field_docs:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$docs])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[non_exhaustive]
            pub struct $name { $($(#[$field_docs])* pub $field: $type,)* }
        )*
    };
}

answers! {
    /// A backup.
    BackedUp {
        /// It holds what came after this one.
        after: Position,
        /// And up to this one.
        to: Position,
        /// Records in it.
        records: u64,
        /// Of the file.
        bytes: u64,
    }
    /// What happened.
    Changed {
        /// Oldest first.
        changes: Vec<ChangeEntry>,
        /// Whether there is more after them.
        more: bool,
    }
    /// One commit.
    ChangeEntry {
        /// Its place in the order of all.
        position: Position,
        /// The committer's time.
        time: UnixTime,
        /// Whose.
        repository: RepositoryName,
        /// Which life of it.
        incarnation: Incarnation,
        /// Its count of publications with this one.
        revision: Revision,
        /// What it was.
        kind: ChangeEntryKind,
    }
    /// What has to be acted on.
    Checked {
        /// So many repositories were looked at.
        repositories: u64,
        /// By repository.
        concerns: Vec<Concern>,
    }
    /// What a collection did.
    Collected {
        /// Documents of repositories that live which are not kept, those dropped before included.
        documents: u64,
        /// By how much the journal became smaller.
        freed_bytes: u64,
    }
    /// A file of a repository as it is now.
    CurrentFile {
        /// Whose.
        role: RoleName,
        /// Its version.
        version: Version,
        /// Its bytes.
        bytes: Blob,
    }
    /// A repository's life that ended.
    Deleted {
        /// Of the commit that ended it.
        position: Position,
        /// Which life.
        incarnation: Incarnation,
    }
    /// One file of a repository's history.
    DocumentEntry {
        /// Of the commit that published it.
        position: Position,
        /// The publisher's time.
        time: UnixTime,
        /// Whose file.
        role: RoleName,
        /// Its version.
        version: Version,
        /// Of its bytes.
        sha256: Sha256,
        /// Of the same.
        length: u64,
    }
    /// What a tag stands for.
    FoundTag {
        /// The digest.
        sha256: Sha256,
        /// The length of the same.
        length: u64,
        /// The role that says so.
        role: RoleName,
        /// Until when that can be relied on.
        fresh_until: UnixTime,
    }
    /// What a check found.
    FindingEntry {
        /// Whom it concerns, where that is known.
        repository: Option<RepositoryName>,
        /// Where.
        place: String,
        /// What.
        what: String,
    }
    /// What the store holds of what it acknowledged.
    Held {
        /// So many documents are there, bit for bit.
        whole: u64,
        /// So many were dropped by a collection, which is recorded.
        collected: u64,
        /// So many are of a life that ended since, which is recorded.
        ended: u64,
        /// What is lost.
        lost: Vec<Lost>,
    }
    /// A document that is not there although it was acknowledged.
    Lost {
        /// Which.
        document: Acknowledged,
        /// What is there instead.
        finding: String,
    }
    /// A public key.
    PublicKeyEntry {
        /// As metadata names its kind.
        key_type: String,
        /// As metadata has it.
        public: Blob,
    }
    /// What a publisher gets back.
    ReceiptEntry {
        /// Of the commit.
        position: Position,
        /// Which life.
        incarnation: Incarnation,
        /// How many publications it has seen.
        revision: Revision,
        /// What was new, those files included that the store signed itself.
        documents: Vec<ReceiptFile>,
        /// What was accepted although clients will complain of it.
        warnings: Vec<String>,
    }
    /// A file that a publisher's upload made current.
    ReceiptFile {
        /// Whose.
        role: RoleName,
        /// Its version.
        version: Version,
        /// Of its bytes.
        sha256: Sha256,
    }
    /// An index that was made anew.
    Reindexed {
        /// From so many records.
        records: u64,
    }
    /// One repository.
    RepositoryEntry {
        /// Its name.
        repository: RepositoryName,
        /// How many publications it has seen.
        revision: Revision,
        /// How many tags it has.
        tags: u64,
        /// The earliest expiry.
        expires: UnixTime,
        /// Of which role.
        role: RoleName,
        /// Whether that has passed.
        expired: bool,
    }
    /// How a store is.
    StatusEntry {
        /// Of the newest commit.
        position: Position,
        /// How many repositories live.
        repositories: u64,
        /// Whether it takes writes.
        takes_writes: bool,
        /// On disk.
        journal_bytes: u64,
        /// Which key-value store holds the index.
        index: String,
        /// On disk.
        index_bytes: u64,
        /// How many commits the index has yet to take in.
        index_behind: u64,
        /// Whether the index counts what the journal holds.
        index_relied_on: bool,
    }
    /// One tag.
    TagEntry {
        /// Its name.
        tag: String,
        /// What it stands for; none where the publisher gave another kind of digest only.
        sha256: Option<Sha256>,
        /// Length of the same.
        length: u64,
        /// Which role says so.
        role: RoleName,
    }
    /// What a check of everything has to say.
    Verified {
        /// Records read.
        records: u64,
        /// Documents checked.
        documents: u64,
        /// Repositories that live.
        repositories: u64,
        /// Tags compared.
        tags: u64,
        /// What is wrong.
        findings: Vec<FindingEntry>,
    }
}

/// What a commit was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChangeEntryKind {
    /// New metadata, under a timestamp.
    Published {
        /// Of the timestamp.
        version: Version,
        /// Of the timestamp's bytes.
        #[serde(with = "crate::shown::text")]
        sha256: Sha256,
    },
    /// The end of a life.
    Deleted,
    /// What it was when a backup was made, under a timestamp.
    Restored {
        /// Of the timestamp.
        version: Version,
        /// Of the timestamp's bytes.
        #[serde(with = "crate::shown::text")]
        sha256: Sha256,
    },
    /// What this release does not know.
    Unknown,
}

impl Key {
    /// For this role.
    pub fn of(repository: RepositoryName, role: OnlineRole) -> Self {
        Self { repository, snapshot: role == OnlineRole::Snapshot }
    }

    pub(super) fn role(&self) -> OnlineRole {
        if self.snapshot { OnlineRole::Snapshot } else { OnlineRole::Timestamp }
    }
}
