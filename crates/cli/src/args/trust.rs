//! What the commands take that are about content trust: where it is on, who did what, what may run.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tufstore::terms::{Position, RepositoryName};
use tufstore_server::access::{ContentTrust, Registry};

use super::{Kept, StoreArg};

/// Turn content trust on or off for a registry.
///
/// Without users it is on everywhere. Once there is a user, it is on for the registries that held trust data then, and off for every
/// other until it is enabled. While it is off, nothing is taken there, and clients are told that there is no trust data. Turning it off
/// deletes what is there, and asks for the registry's name first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore policy show --data store
  tufstore policy set --registry registry.example.com --content-trust enabled --data store
  tufstore policy set --registry registry.example.com --content-trust disabled --data store")]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

/// What to do with policies.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show what holds for registries, and what they hold
    Show {
        /// Only this one
        #[arg(long, value_name = "REGISTRY")]
        registry: Option<Registry>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Turn content trust on or off; off deletes all trust data of the registry, keys included, for good
    Set {
        /// Which registry: the first part of repositories' names
        #[arg(long, value_name = "REGISTRY")]
        registry: Registry,
        /// On or off
        #[arg(long, value_enum)]
        content_trust: OnOff,
        /// Do not ask: the registry's name once more
        #[arg(long, value_name = "REGISTRY")]
        yes_delete_all_trust_data: Option<Registry>,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// On or off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum OnOff {
    /// What is signed is taken and shown
    Enabled,
    /// Nothing is, and all that was there is deleted
    Disabled,
}

impl From<OnOff> for ContentTrust {
    fn from(on: OnOff) -> Self {
        match on {
            OnOff::Enabled => Self::Enabled,
            OnOff::Disabled => Self::Disabled,
        }
    }
}

/// Tell who did what.
///
/// Every publication, deletion, grant and change of policy, with who did it: one line a commit, in the part of the journal that stays for
/// ever. Each holds a hash of the one before. `--output json` writes what `--verify` reads, on any machine.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore audit --data store
  tufstore audit --refused --data store
  tufstore audit --data store --output json > audit.json && tufstore audit --verify audit.json")]
pub(crate) struct Audit {
    /// Start after this position
    #[arg(long, value_name = "POSITION", default_value = "0", conflicts_with = "verify")]
    pub(crate) after: Position,
    /// Stop after so many
    #[arg(long, value_name = "N", conflicts_with = "verify")]
    pub(crate) limit: Option<u64>,
    /// What was refused to whom instead, of late: kept in two files of bounded size, not in the journal
    #[arg(long, conflicts_with_all = ["after", "verify"])]
    pub(crate) refused: bool,
    /// Check what was exported instead: that no line was changed, left out or put in between
    #[arg(long, value_name = "FILE")]
    pub(crate) verify: Option<PathBuf>,
    /// The store's folder
    #[arg(long, value_name = "DIR", env = "TUFSTORE_DATA", required_unless_present = "verify")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// Have a repository begin anew.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  tufstore repository reset registry.example.com/team/app --data store")]
pub(crate) struct RepositoryArgs {
    #[command(subcommand)]
    pub(crate) command: RepositoryCommand,
}

/// What to do with a repository.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RepositoryCommand {
    /// Begin anew after the root key was lost
    ///
    /// Writes all that is there to a folder of the store (archive), and ends it. Whoever signs next begins with a root key of their own.
    /// Clients that have seen the old root refuse the new one, as they must: on each, remove ~/.docker/trust/tuf/REPO.
    #[command(after_help = "\
Example:
  tufstore repository reset registry.example.com/team/app --data store")]
    Reset {
        /// The repository's full name
        #[arg(value_name = "REPO")]
        repository: RepositoryName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// Say whether images may run: signed, by whom, and why not.
///
/// An image is REPO:TAG, or REPO:TAG@sha256:DIGEST, which is signed only if the tag stands for just that. Exit code 0 says that
/// all of them may run, 1 that one may not, 3 that what signs one has expired.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore signed registry.example.com/team/app:v1 --data store
  tufstore signed registry.example.com/team/app:v1 --signer alice --signer bob --data store")]
pub(crate) struct Signed {
    /// The images
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<String>,
    /// Who has to have signed each of them; may be repeated: then all of these
    #[arg(long = "signer", value_name = "NAME")]
    pub(crate) signers: Vec<String>,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}
