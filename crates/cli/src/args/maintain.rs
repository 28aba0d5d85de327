//! What the commands take that look after a store.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tufstore::terms::{Position, Version};

use super::{Kept, StoreArg, version};

/// Say how a store is doing.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore status --data store
  tufstore status --data store --output json")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Name what expires, and what clients complain of.
///
/// Every root, certificate of a root key, targets file and delegation that has expired or will soon, delegations that clients
/// skip because their keys do not vouch for them, and tags that clients do not see. Timestamps and snapshots are named only
/// where the store does not sign them itself. Exit code 0 says that there is nothing, 1 that something has to be done in time,
/// 3 that something has expired.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore check --data store
  tufstore check --data store --within 90d --output json      # from cron: whoever reads the mail acts on it")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// How far to look ahead, such as 12h, 30d or 1y
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
    pub(crate) within: Duration,
}

/// Make the index anew from the journal.
///
/// The journal is the truth, the index only finds things in it: it can be lost without loss, and is never believed over the
/// journal. A store that finds its index damaged does this by itself when it is opened.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore reindex --data store
  tufstore reindex --data store --index sled")]
pub(crate) struct Reindex {
    #[command(flatten)]
    pub(crate) store: StoreArg,

    /// Keep the index in another key-value store from now on; no server may have the store open meanwhile
    #[arg(long, value_name = "KIND")]
    pub(crate) index: Option<IndexKind>,
}

/// Which key-value store holds the index.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum IndexKind {
    /// What a new store has
    Redb,
    /// Several times larger on disk, and slow to open once there is much in it
    Sled,
}

impl From<IndexKind> for tufstore::IndexKind {
    fn from(kind: IndexKind) -> Self {
        match kind {
            IndexKind::Sled => Self::Sled,
            IndexKind::Redb => Self::Redb,
        }
    }
}

/// Check a whole store.
///
/// Every record, digest, signature and tag table, and the index against the journal. Exit code 0 says that the store is
/// sound, 1 that it is not: what is wrong stands on standard output, with what to do.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore verify store
  tufstore verify --data store --output json
  tufstore verify store --acks acks            # and everything that `tufstore stress` was told is durable")]
pub(crate) struct Verify {
    /// The store's folder; goes before --data
    #[arg(value_name = "DIR", required_unless_present = "data")]
    pub(crate) folder: Option<PathBuf>,
    /// The store's folder
    #[arg(long, value_name = "DIR", env = "TUFSTORE_DATA")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// And see that all documents which this file says were acknowledged are there
    #[arg(long, value_name = "FILE")]
    pub(crate) acks: Option<PathBuf>,
}

/// Read everything that is stored, and say what is damaged.
///
/// Every checksum, link and digest, and the index against the journal; `tufstore verify` verifies all signatures, too, and
/// takes longer. A server does this by itself every week. Exit codes as of verify.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore scrub --data store
  tufstore scrub --data store --output json")]
pub(crate) struct Scrub {
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Make a store from what can be read of a damaged one.
///
/// For a store that refuses to open because its journal is damaged, where there is no backup, or one that is too old. The damaged
/// store is left as it is. Every publication that is whole goes into the new one, in order, byte for byte, and the report names
/// what could not be saved. Positions in `tufstore changes` begin after all that there were. The master key and the certificate go
/// along, if they lie in the folder. Exit code 0 says that everything was saved and verifies, 1 that something is lost.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore repair store --to repaired
  tufstore verify repaired")]
pub(crate) struct Repair {
    /// The damaged store's folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Where to make the new one; nothing may be there
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Go on above this position, if that is above all that the old store tells of
    #[arg(long, value_name = "N")]
    pub(crate) position_above: Option<Position>,
    /// Leave out who may do what, and what holds for registries: as in a new store, everybody may do everything then, until there
    /// is a user. For where a repair says that nothing of it is left
    #[arg(long)]
    pub(crate) without_users: bool,
}

/// Drop what was replaced long ago, and give its space back.
///
/// Of a repository that lives, these stay: every root; all that its newest publication consists of; the last versions of
/// each role; what was replaced lately; all that a timestamp which has not expired leads to; and what any of these is stored as a
/// difference to. Of a repository that was deleted, nothing does. What was dropped stays on record, in `tufstore changes` and
/// `tufstore history`, and its bytes are gone for good: make a backup before.
///
/// A server drops what deleted repositories leave behind by itself, every day, and more if its settings say so. It can be
/// interrupted at any time.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore collect --data store
  tufstore collect --data store --versions 3 --age 30d
  tufstore collect --data store --deleted-only      # all that living repositories have published stays")]
pub(crate) struct Collect {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// How many of the last versions of each role stay
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) versions: u64,
    /// What was replaced within this time stays, too, such as 12h, 30d or 1y
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = humantime::parse_duration)]
    pub(crate) age: Duration,
    /// Drop only what deleted repositories left behind
    #[arg(long, conflicts_with_all = ["versions", "age"])]
    pub(crate) deleted_only: bool,
    /// Write a file of the journal anew only if about so many hundredths of it go; with 0, nothing that may go is left
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub(crate) worth: u8,
}

/// Write the whole store to one file, or what came after an earlier backup.
///
/// Online and consistent: through the server that has the store open, if one has, which then writes the file; publications go on
/// meanwhile. Compressed, with digests of its own, and under its name only once it is whole. Metadata and sealed online keys are in
/// it. The master key that opens those is not, unless it is asked for: keep that copy apart, or keep the file `master`
/// of the data folder and what opens it in another place.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore backup --data store --to monday.backup
  tufstore backup --data store --to tuesday.backup --since monday.backup
  tufstore restore monday.backup tuesday.backup --to restored --nothing-lost")]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// The file
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Only what came after this earlier backup; to restore, both are needed
    #[arg(long, value_name = "FILE")]
    pub(crate) since: Option<PathBuf>,
    /// And the file of the master key, as it is sealed
    #[arg(long)]
    pub(crate) with_master_key: bool,
}

/// Make a store from backups.
///
/// A whole backup first, then those of what came after, in order. A damaged one is refused, and nothing is left of a
/// store that could not be restored whole.
///
/// If something was published after the last backup, clients have seen it, and refuse what is older: say --rollback, and name the
/// old store, whatever can still be read of it, or the numbers that nothing was above. Then timestamps and snapshots are signed
/// anew above all that was seen, positions in `tufstore changes` go on above all that there were, what was deleted stays
/// deleted, and the report names the repositories whose publishers have to publish again, and above which version.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore restore full.backup --to restored --nothing-lost
  tufstore restore full.backup tuesday.backup --to restored --rollback --old store
  tufstore restore full.backup --to restored --rollback --position-above 120000 --version-above 9000")]
pub(crate) struct Restore {
    /// The backups
    #[arg(value_name = "FILE", required = true)]
    pub(crate) backups: Vec<PathBuf>,
    /// The new store's folder; nothing may be in it
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Nothing was published after the last backup
    #[arg(long, required_unless_present = "rollback", conflicts_with = "rollback")]
    pub(crate) nothing_lost: bool,
    /// Something was, or may have been, and is given up
    #[arg(long)]
    pub(crate) rollback: bool,
    /// The folder of the store that is lost, as far as it can be read
    #[arg(long, value_name = "DIR", requires = "rollback")]
    pub(crate) old: Option<PathBuf>,
    /// No position was above this one
    #[arg(long, value_name = "N", requires = "rollback")]
    pub(crate) position_above: Option<Position>,
    /// No file was of a version above this one, in any repository
    #[arg(long, value_name = "N", value_parser = version, requires = "rollback")]
    pub(crate) version_above: Option<Version>,
    /// The master key's file, if it is neither in one of the backups (the newest that has it counts) nor in the old store
    #[arg(long, value_name = "FILE")]
    pub(crate) master: Option<PathBuf>,
    /// The passphrase that opens the master key is in this file; the variable `TUFSTORE_PASSPHRASE` may hold it instead
    #[arg(long, value_name = "FILE", env = "TUFSTORE_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Without a passphrase, what opens the master key [default: the old store's name, or else the new one's, with `.key`
    /// after it]
    #[arg(long, value_name = "FILE", env = "TUFSTORE_KEY_FILE", conflicts_with = "passphrase_file")]
    pub(crate) key_file: Option<PathBuf>,
}
