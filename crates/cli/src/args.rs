//! The command line as it is typed. Doc comments here are what `--help` and the man pages say.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tufstore::Options;
use tufstore::terms::{Position, RepositoryName, RoleName, Sha256, Version};

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
    Completions(Completions),
    Man(Man),
}

/// Which store.
#[derive(Args, Debug)]
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

/// Serve a store to Docker and notary clients.
///
/// The Notary v1 API, as notary-server has it: publishers sign with `docker push`, `docker trust` or `notary`, consumers verify
/// with `docker pull`, and all that they write lies in the store. The server signs timestamps, and snapshots where it is
/// asked to, with keys that rest in the store, sealed by a master key; a passphrase or a key file opens that.
///
/// There is no authentication yet: whoever reaches the server can publish and delete. So it listens on loopback only, unless
/// it is told --insecure-open.
///
/// The first line on standard output says where it listens. Interrupt it or send SIGTERM, and it finishes what it has begun;
/// SIGHUP makes it read its certificate again. While it runs, the other commands work through it.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
#[command(after_help = "\
Examples:
  tufstore serve --data store
  tufstore serve --data store --listen 127.0.0.1:8443 --tls-cert server.pem --tls-key server.key
  tufstore serve --config /etc/tufstore.toml --check-config

Then, with Docker:
  mkdir -p ~/.docker/tls/localhost:4443 && cp store/tls/ca.crt ~/.docker/tls/localhost:4443/
  DOCKER_CONTENT_TRUST=1 DOCKER_CONTENT_TRUST_SERVER=https://localhost:4443 docker push REPO:TAG")]
pub(crate) struct Serve {
    /// The store's folder; made if there is none
    #[arg(long, value_name = "DIR", env = "TUFSTORE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// A file of settings: TOML of tufstore's, or the JSON of a notary-server. Flags and variables stand above it
    #[arg(long, value_name = "FILE", env = "TUFSTORE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Where to listen [default: 127.0.0.1:4443]
    #[arg(long, value_name = "ADDR", env = "TUFSTORE_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Listen on an address that other machines reach, although whoever reaches it can publish and delete
    #[arg(long)]
    pub(crate) insecure_open: bool,
    /// The certificate, then those that signed it, as PEM [default: one that is made in DIR/tls for localhost]
    #[arg(long, value_name = "FILE", env = "TUFSTORE_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM
    #[arg(long, value_name = "FILE", env = "TUFSTORE_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Only serve clients whose certificate one of these signed, as PEM
    #[arg(long, value_name = "FILE", env = "TUFSTORE_CLIENT_CA", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// One more name for the certificate that is made in DIR/tls; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "tls_cert")]
    pub(crate) tls_name: Vec<String>,
    /// No TLS: a proxy in front of the server does it
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_name"])]
    pub(crate) no_tls: bool,
    /// The passphrase that opens the master key is in this file; the variable `TUFSTORE_PASSPHRASE` may hold it instead
    #[arg(long, value_name = "FILE", env = "TUFSTORE_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Without a passphrase, what opens the master key [default: the data folder's name with `.key` after it; made if
    /// there is none]
    #[arg(long, value_name = "FILE", env = "TUFSTORE_KEY_FILE", conflicts_with = "passphrase_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// Make a master key for a store that has records and none, such as one that was imported
    #[arg(long)]
    pub(crate) new_master_key: bool,
    /// Serve repositories whose names begin so, and no others; may be repeated
    #[arg(long, value_name = "PREFIX/")]
    pub(crate) gun_prefix: Vec<String>,
    /// From which level on to log [default: info]
    #[arg(long, value_enum, value_name = "LEVEL", env = "TUFSTORE_LOG_LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// How to log [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", env = "TUFSTORE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Say whether the server would start, and change nothing
    #[arg(long)]
    pub(crate) check_config: bool,
}

/// From which level on is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What somebody has to mend
    Error,
    /// And what may become that
    Warn,
    /// And every request and publication
    Info,
    /// And every connection
    Debug,
    /// And what libraries tell
    Trace,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text, for people
    Text,
    /// A line of JSON, for programs
    Json,
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
    /// Append a line `<repository> <position> <revision>` to FILE after each publication that is acknowledged as durable
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
    /// The master key's file, if it is neither in the first backup nor in the old store
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
