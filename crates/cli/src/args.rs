//! The command line as it is typed. Doc comments here are what `--help` and the man pages say.

mod maintain;
mod people;
mod serve;
mod trust;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tufstore::Options;
use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, Version};

pub(crate) use maintain::{Backup, Check, Collect, Reindex, Repair, Restore, Scrub, Status, Verify};
pub(crate) use people::{
    At, GivenPassword, Group, GroupCommand, Principal, PrincipalCommand, RoleArgs, RoleCommand, TokenArgs,
    TokenCommand, User, UserCommand,
};
pub(crate) use serve::{LogFormat, LogLevel, Serve};
pub(crate) use trust::{Audit, Policy, PolicyCommand, RepositoryArgs, RepositoryCommand, Signed};

use crate::exit::Exit;

/// A trust store for container images: signed metadata in, verified tags out.
///
/// A store is a folder. It holds the metadata that publishers signed (The Update Framework, in the dialect of Notary v1 and
/// Docker Content Trust), every version of it, byte for byte, and answers which digest a tag stands for. Nothing gets in
/// that a client would not believe. One process at a time has a store open; while that is `tufstore serve`, the other commands
/// work through it, and say so.
///
/// `tufstore quickstart` shows all of it in some seconds.
#[derive(Debug, Parser)]
#[command(name = "tufstore", version, after_help = Exit::TABLE, disable_help_subcommand = true)]
#[command(arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// How results are written to standard output
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Columns of text, for people
    Table,
    /// One JSON value, for programs
    Json,
}

/// What to do. Each is described where its arguments are.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Quickstart(Quickstart),
    Serve(Serve),
    Replay(Replay),
    Stress(Stress),
    Import(Import),
    Lookup(Lookup),
    Tags(Tags),
    Repositories(Repositories),
    Show(Show),
    History(History),
    Changes(Changes),
    Delete(Delete),
    Reindex(Reindex),
    Status(Status),
    Check(Check),
    Verify(Verify),
    Scrub(Scrub),
    Repair(Repair),
    Collect(Collect),
    Backup(Backup),
    Restore(Restore),
    User(User),
    Principal(Principal),
    Group(Group),
    Role(RoleArgs),
    Token(TokenArgs),
    Policy(Policy),
    Audit(Audit),
    Repository(RepositoryArgs),
    Signed(Signed),
    Completions(Completions),
    Man(Man),
}

/// Which store.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArg {
    /// The store's folder
    #[arg(long, value_name = "DIR", env = "TUFSTORE_DATA")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// How a store is kept. A server that has it open goes by its own.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How the store is kept")]
pub(crate) struct Kept {
    /// A folder on another disk with a second copy of the journal: what is published is in both before it is acknowledged, and
    /// either heals the other
    #[arg(long, value_name = "DIR", env = "TUFSTORE_SECOND_JOURNAL")]
    pub(crate) second_journal: Option<PathBuf>,
    /// A small file on other storage that knows how far the store has come: an old copy of the folder is refused by it
    #[arg(long, value_name = "FILE", env = "TUFSTORE_ANCHOR")]
    pub(crate) anchor: Option<PathBuf>,
}

impl Kept {
    /// With these.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.second_journal.clone_from(&self.second_journal);
        options.anchor.clone_from(&self.anchor);
        options
    }
}

/// Show what a store does, in some seconds.
///
/// Opens a store in a temporary folder and plays 1,348 real publications of twelve of Docker's official images into it:
/// each is signed by its author, verified by the rules of clients, and durable before the next. Then it looks every tag up,
/// pins a view across a publication, closes the store, opens it again, and looks every tag up once more.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore quickstart
  tufstore quickstart --keep demo      # and then try the other commands with --data demo/data")]
pub(crate) struct Quickstart {
    /// Keep the store in DIR/data, and the keys in DIR/keys, so that other commands can be tried on it
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// How many threads publish
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) publishers: u16,
}

/// Play a trace of publications into a store and check every tag afterwards.
///
/// A trace is text, plain or compressed by zstd, one line `<unix seconds> TAB <repository> TAB <16 hex digits> TAB
/// <tag>[,<tag>...]`; lines that follow each other with the same time and repository are one publication. Repository NAME becomes
/// docker.io/library/NAME, signed with today's dates.
///
/// One publication of the trace is one publication of the store, no more and no less. Started again on a store that holds a
/// part of the trace, it goes on where that ends: as many publications of a repository are left out as the
/// repository's revision counts. So a repository must not have been published to by other means.
///
/// The keys folder holds the authors' keys, not encrypted, and what the store signs with: it is for trying out and for
/// tests, and it lies beside the data folder, never in it. An author's keys are saved before the first publication is sent,
/// so that a replay that was killed can be continued.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore replay official-images-2013-2019.tsv.zst --data store
  tufstore replay trace.tsv --data store --publishers 8 --acks acknowledged.txt")]
pub(crate) struct Replay {
    /// The trace
    #[arg(value_name = "FILE")]
    pub(crate) trace: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// Where the keys are kept [default: the data folder's name with `.keys` after it]
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// How many threads publish; publications of one repository stay in order
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) publishers: u16,
    /// Append a line `<repository> <position> <role> <version> <sha256>` to FILE for each file that is acknowledged as durable
    #[arg(long, value_name = "FILE")]
    pub(crate) acks: Option<PathBuf>,
}

/// Publish for some time, and write down what was acknowledged: for tests.
///
/// Signs real publications of many repositories with keys of its own, and publishes them as fast as they are taken.
/// After each acknowledgement, and never before, it appends a line `<repository> <position> <role> <version> <sha256>` to
/// the file of acknowledgements for each file that is durable now. Kill it, cut the power, fill the disk: `tufstore verify
/// --acks` then says whether the store has all of it. Started again on the same store, it goes on.
///
/// The keys folder holds keys that are not encrypted, as that of a replay does.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore stress --data store --publishers 8 --repositories 100 --seconds 60 --acks acks
  tufstore verify store --acks acks")]
pub(crate) struct Stress {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// Where the keys are kept [default: the data folder's name with `.keys` after it]
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// How many threads publish, each to repositories of its own
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) publishers: u16,
    /// How many repositories are published to
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) repositories: u32,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Stop after so many publications, if that is sooner
    #[arg(long, value_name = "N")]
    pub(crate) publications: Option<u64>,
    /// Append to FILE what was acknowledged
    #[arg(long, value_name = "FILE")]
    pub(crate) acks: Option<PathBuf>,
}

/// Take metadata that another server signed, from a folder of files.
///
/// FOLDER is a client's cache of the repository (Docker keeps it in ~/.docker/trust/tuf/REPO/metadata) or a copy of a trust
/// server's files, with as many versions of them as there are. The names of the files do not count, only what is in them. For each
/// timestamp whose whole set is there, in order of version, the set is checked as a client checks it and taken as it is.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore import docker.io/library/alpine ~/.docker/trust/tuf/docker.io/library/alpine/metadata --data store
  tufstore import reg.example.com/team/app ./copied-from-server --data store")]
pub(crate) struct Import {
    /// The repository's full name
    #[arg(value_name = "REPO")]
    pub(crate) repository: RepositoryName,
    /// Where the files are
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Say which digest a tag stands for.
///
/// Prints `sha256:HEX LENGTH ROLE`, verified when it was published: by Docker's rule the role targets/releases is asked first,
/// and then targets. No such tag or repository is exit code 1; expired metadata on the way is exit code 3.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore lookup docker.io/library/alpine latest --data store
  tufstore lookup docker.io/library/alpine latest --data store --output json")]
pub(crate) struct Lookup {
    /// The repository's full name
    #[arg(value_name = "REPO")]
    pub(crate) repository: RepositoryName,
    /// The tag
    #[arg(value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tag: String,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// List the tags of a repository.
///
/// Without --role, every tag that lookup finds, with the role that it is found in.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore tags docker.io/library/alpine --data store
  tufstore tags docker.io/library/alpine --role targets/releases --data store")]
pub(crate) struct Tags {
    /// The repository's full name
    #[arg(value_name = "REPO")]
    pub(crate) repository: RepositoryName,
    /// Only what this role signs: targets or a delegation
    #[arg(long)]
    pub(crate) role: Option<RoleName>,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// List the repositories.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  tufstore repositories --data store")]
pub(crate) struct Repositories {
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Write the exact bytes of a role's file to standard output.
///
/// The current file, or one of the past, by version or by SHA-256 (`tufstore history` lists them). The bytes are those that
/// were published, whatever --output says.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore show docker.io/library/alpine targets --data store | jq .signed
  tufstore show docker.io/library/alpine root --version 1 --data store")]
pub(crate) struct Show {
    /// The repository's full name
    #[arg(value_name = "REPO")]
    pub(crate) repository: RepositoryName,
    /// root, targets, snapshot, timestamp, or a delegation such as targets/releases
    #[arg(value_name = "ROLE")]
    pub(crate) role: RoleName,
    /// The file of this version
    #[arg(long, value_name = "N", value_parser = version, conflicts_with = "sha256")]
    pub(crate) version: Option<Version>,
    /// The file with this SHA-256
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<Sha256>,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// List every file that a repository has published, oldest first.
///
/// Since its first publication or its last deletion.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore history docker.io/library/alpine --data store
  tufstore history docker.io/library/alpine root --data store")]
pub(crate) struct History {
    /// The repository's full name
    #[arg(value_name = "REPO")]
    pub(crate) repository: RepositoryName,
    /// Only the files of this role
    #[arg(value_name = "ROLE")]
    pub(crate) role: Option<RoleName>,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// List what happened in the store, oldest first.
///
/// Every publication and deletion has a position. Give the last one that you know to --after to hear what came later.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore changes --data store
  tufstore changes --after 1200 --limit 10 --data store --output json")]
pub(crate) struct Changes {
    /// Start after this position
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) after: Position,
    /// Stop after so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Delete a repository and its history.
///
/// It takes effect at once and cannot be undone. Published anew, the repository begins a new life with other keys.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  tufstore delete docker.io/library/alpine --yes --data store")]
pub(crate) struct Delete {
    /// The repository's full name
    #[arg(value_name = "REPO")]
    pub(crate) repository: RepositoryName,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) store: StoreArg,
}

/// Write a completion script for a shell to standard output.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  tufstore completions bash > ~/.local/share/bash-completion/completions/tufstore")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Write the manual pages.
///
/// Without --out, the page of tufstore itself to standard output; with it, one page for each command.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore man | man -l -
  tufstore man --out ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write a page for every command into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

fn version(text: &str) -> Result<Version, &'static str> {
    text.parse().ok().and_then(Version::new).ok_or("a version is a whole number from 1 on")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_an_example() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let call = format!("tufstore {}", command.get_name());
            assert!(examples.contains(&call), "{}", command.get_name());
        }
    }

    #[test]
    fn a_version_counts_from_one() {
        assert_eq!(version("1"), Ok(Version::FIRST));
        for text in ["0", "-1", "1.5", "x", ""] {
            assert!(version(text).is_err(), "{text:?}");
        }
    }
}
