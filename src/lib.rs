//! An embedded trust store engine: **signed metadata in, verified tags out.**
//!
//! It keeps the versioned TUF metadata of any number of repositories, publishes atomically and durably, answers from
//! pinned consistent views, and looks tags up in memory: (repository, tag) to digest, already verified. It speaks the
//! dialect of Notary v1, which is Docker Content Trust.
//!
//! # Concepts
//!
//! - A [`Store`] is one folder, open in one process. It is cheap to clone, may be used from many threads, has no runtime
//!   and reads no clock: whatever depends on time takes a `now`.
//! - A repository's author sends an [`Upload`] to [`Store::publish`]; the store verifies it as a client would, signs the
//!   roles whose keys it holds through a port ([`crypto::OnlineKeys`]), writes, and answers with a [`Receipt`].
//! - A [`CompleteSet`] that another server signed goes through [`Store::mirror`], by the same rules.
//! - [`Store::lookup`] answers what a tag stands for, typed: found, no such tag, no such repository, or expired.
//! - A [`View`] pins one publication: everything read through it belongs together, whatever is published meanwhile.
//! - [`Store::history`] has every document ever published, bit for bit; [`Store::changes`] tells what happened, in order.
//! - What is refused is explained, and [`PublishError::fault`] says who must act: publisher, racer, or operator.
//!
//! # The flows
//!
//! ```text
//! publish  bytes ─parse─▶ Parsed ─verify─▶ Verified ─complete─▶ Complete ─stage─▶ Staged ─commit─▶ Committed ─install─▶ Receipt
//!          base = one pinned state ─┘ pure rules     roles held here     record and        one write,       swap, wake:
//!                                                    are signed          next state        one sync         cannot fail
//! mirror   a set signed elsewhere ─parse, verify by a client's rules─▶ Complete ─▶ the same from there
//! lookup   (repository, tag) ─catalog─▶ state ─tag table─▶ Target     no lock, no disk, no JSON
//! view     repository ─catalog─▶ state ─pin─▶ View
//! history  (repository, role, version or SHA-256) ─▶ Document         exact bytes as published
//! changes  Position ─▶ what came after it, in order
//! open     checkpoint and the journal after it ─▶ the states that were there before
//! ```
//!
//! Each step takes the step before by value, so that none can be left out; all that can fail happens before the write; and
//! what is durable is visible. [`design`] has the reasons.
//!
//! # Example
//!
//! With `tufstore-keys` for the store's own keys and `tufstore-client` for an author:
//!
//! ```
//! use tufstore::crypto::{OnlineRole, sha256};
//! use tufstore::terms::{Position, RepositoryName, UnixTime};
//! use tufstore::{Lookup, Options, Store};
//! use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
//! use tufstore_keys::SealedOnlineKeys;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! // Keys in memory are gone with the process; `tufstore_keys::MasterKeyFile` keeps them.
//! let store = Store::open(folder.path(), Options::default().with_online_keys(SealedOnlineKeys::in_memory()?))?;
//! let now = UnixTime::from_seconds(1_800_000_000);
//!
//! // An author lists the store's keys in its root, signs, and publishes.
//! let alpine: RepositoryName = "docker.io/library/alpine".parse()?;
//! let online = OnlineKeysOfServer {
//!     timestamp: store.online_key(&alpine, OnlineRole::Timestamp)?,
//!     snapshot: Some(store.online_key(&alpine, OnlineRole::Snapshot)?),
//! };
//! let mut author = Author::begin(alpine.clone(), AuthorKeys::generate()?, online, now)?;
//! author.set_tag("3.22", sha256(b"the manifest"), 528);
//! let signed = author.sign(now)?;
//! let receipt = store.publish(&alpine, &signed.upload, now)?;
//! assert_eq!(receipt.revision.get(), 1);
//!
//! // A view answers from the publication that it pinned, lookups from the newest one.
//! let view = store.view(&alpine)?.expect("it is published");
//! author = signed.next;
//! author.set_tag("3.22", sha256(b"another manifest"), 528);
//! store.publish(&alpine, &author.sign(now)?.upload, now)?;
//! let digest = |lookup| match lookup {
//!     Lookup::Found(found) => Some(found.target.sha256),
//!     Lookup::NoSuchTag | Lookup::NoSuchRepository | Lookup::Expired { .. } => None,
//! };
//! assert_eq!(digest(view.lookup("3.22", now)), Some(sha256(b"the manifest")));
//! assert_eq!(digest(store.lookup("docker.io/library/alpine", "3.22", now)?), Some(sha256(b"another manifest")));
//! assert_eq!(store.lookup("docker.io/library/alpine", "edge", now)?, Lookup::NoSuchTag);
//!
//! assert_eq!(store.changes(Position::START).count(), 2);
//! store.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Metrics
//!
//! Through the `metrics` facade, for whoever installs a recorder: `tufstore_commits_total` (counter),
//! `tufstore_commit_seconds` (histogram; a group of commits, written and synced), `tufstore_sync_seconds` (histogram; one
//! sync of one file), `tufstore_tables_loaded_total` and `tufstore_states_loaded_total` (counters; repositories that were cold).
//! [`Store::status`] and [`Store::memory_use`] say the rest.
//!
//! # Features
//!
//! - `redb` (on by default): the index lies in a redb database. Without it and the next the index is held in memory and made
//!   anew from the journal at each open; nothing else changes.
//! - `sled`: the index may lie in a sled database instead, see [`Options::index`].
#![forbid(unsafe_code)]

pub mod terms;
pub mod crypto;
pub mod metadata;
mod trust;
pub mod storage;
mod catalog;
mod recover;
mod publish;
mod view;
mod feed;
mod maintain;
mod sync;
mod store;

#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[cfg(fuzzing)]
#[doc(hidden)]
#[expect(clippy::expect_used, reason = "only the fuzz targets call it")]
pub mod fuzzing;

#[cfg(feature = "measuring")]
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "only benchmarks use it")]
pub mod measuring;

pub use catalog::{Found, Lookup, MemoryUse, SignedIn, Target};
pub use feed::{Audit, AuditLine, Audited, Change, ChangeKind, Changes, NoHeader};
pub use maintain::{
    BackupError, BackupReport, CollectReport, Finding, InvalidBackup, Lost, Progress, Repair, RepairReport,
    RestoreError, RestoreReport, RestoredRepository, Retention, Since, Stage, VerifyReport,
};
pub use metadata::{Document, Limits, ParseError};
pub use publish::{
    DeleteError, Fault, Lifetimes, MirrorError, OnlineKeyRefused, PublishError, Receipt, Settings,
    SettingsError, Upload,
};
pub use storage::{IndexKind, Status, StorageError};
pub use store::{NotInMemory, Options, Restore, Store};
pub use trust::{CompleteSet, TrustError, Warning};
pub use view::{DocumentEntry, Documents, Published, Repository, RoleTarget, View, Which};
