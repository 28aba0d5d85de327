use std::io;
use std::path::PathBuf;

use tracing_subscriber::filter::ParseError;
use tufstore::terms::{InvalidRepositoryName, Position, RepositoryName};
use tufstore::{Fault, InvalidBackup, RestoreError, StorageError};
use tufstore_server::admin::{AskError, ConnectError, Kind, Refusal};
use tufstore_server::settings::SettingsError;
use tufstore_server::{AuthError, RunError, SecretsError, StartError, TlsError};

use crate::exit::Exit;
use crate::trace::TraceError;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file of acknowledgements has something else in it.
    #[error("line {number} of {} is no acknowledgement of a document", path.display())]
    AcksLine { path: PathBuf, number: u64 },
    /// A backup cannot be used.
    #[error("the backup {} cannot be used", file.display())]
    Backup { file: PathBuf, source: InvalidBackup },
    /// The server that has the store open could not be asked.
    #[error("the server could not be asked")]
    Ask(#[from] AskError),
    /// A server has the store open, and is not understood.
    #[error("the store in {} is open in a server that cannot be asked", folder.display())]
    Connect { folder: PathBuf, source: ConnectError },
    /// Something in the store has to be acted on.
    #[error("{due} things have to be acted on now, and {soon} within the time that was asked for")]
    Concerns { due: usize, soon: usize, expired: bool },
    /// A file of the user's, or a stream.
    #[error("{doing} failed")]
    File { doing: String, source: io::Error },
    /// Nothing in a folder could be taken.
    #[error("{} holds no complete set of metadata", folder.display())]
    NothingToImport { folder: PathBuf },
    /// Some sets of a folder were refused.
    #[error("{repository}: {refused} of the sets were refused")]
    ImportRefused { repository: RepositoryName, refused: usize, source: Box<Refusal> },
    /// The keys folder would lie in the data folder.
    #[error("the keys folder {} lies in the data folder", keys.display())]
    KeysInData { keys: PathBuf },
    /// Private keys cannot be made, read or saved.
    #[error("{doing} failed")]
    Keys { doing: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// No name for the keys folder can be made.
    #[error("{} has no name that a keys folder beside it could be named after", data.display())]
    KeysUnnamed { data: PathBuf },
    /// What `RUST_LOG` says of the log.
    #[error("RUST_LOG={filter:?} does not say what to log")]
    LogFilter { filter: String, source: ParseError },
    /// The store has other tags than the trace says.
    #[error(
        "{wrong} of {all} tags stand for something else than the trace says, {repository} {tag} among them"
    )]
    Mismatch { wrong: u64, all: u64, repository: RepositoryName, tag: String },
    /// A deletion that nobody confirmed.
    #[error("{repository} was not deleted: deleting cannot be undone and was not confirmed")]
    NotConfirmed { repository: RepositoryName },
    /// Not confirmed by the registry's name.
    #[error(
        "nothing is deleted: {registry} holds the trust data of {repositories} repositories with {tags} signed tags, and its name was not typed"
    )]
    NotConfirmedByName { registry: String, repositories: u64, tags: u64 },
    /// An argument that cannot be left out here.
    #[error("{what} is missing")]
    Missing { what: &'static str },
    /// An image that may not run.
    #[error("{unsigned} may not run: not signed as asked for")]
    NotSigned { unsigned: usize, expired: bool },
    /// Not an image's name.
    #[error("{image:?} is no image: REPO:TAG, or REPO:TAG@sha256:DIGEST")]
    NoReference { image: String },
    /// An audit trail that was tampered with.
    #[error("the line at position {position} is not sound: {what}")]
    AuditWrong { position: Position, what: &'static str },
    /// A repair could not save everything.
    #[error("not everything could be saved: {lost} findings")]
    NotAllSaved { lost: usize },
    /// A folder that should be empty.
    #[error("{} exists and is not empty", folder.display())]
    NotEmpty { folder: PathBuf },
    /// No store in that folder.
    #[error("there is no store in {}", folder.display())]
    NoStore { folder: PathBuf },
    /// A store was not restored.
    #[error("nothing was restored")]
    Restore(#[from] RestoreError),
    /// The master key of a store that is to be restored.
    #[error("the master key cannot be used")]
    Secrets(#[from] SecretsError),
    /// Verification found something.
    #[error("the store is not sound: {findings} findings")]
    NotSound { findings: usize },
    /// What the store has of a repository cannot be gone on from.
    #[error("{repository} has no files to go on from")]
    NothingSigned { repository: RepositoryName },
    /// The store cannot be opened.
    #[error("the store in {} cannot be opened", folder.display())]
    Open { folder: PathBuf, source: StorageError },
    /// Standard output is closed or full.
    #[error("the result could not be written")]
    Output(#[source] io::Error),
    /// The answer is no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A server ended otherwise than by being asked to.
    #[error("the server did not end cleanly")]
    Run(#[from] RunError),
    /// The settings of a server.
    #[error("the server's settings cannot be used")]
    Settings(#[from] SettingsError),
    /// A server does not start.
    #[error("the server does not start")]
    Start(#[from] StartError),
    /// The store failed at work.
    #[error("{doing} failed")]
    Storage { doing: &'static str, source: StorageError },
    /// A trace names a repository that no store can have.
    #[error("the trace's repository {name:?} cannot be a repository's name")]
    TraceName { name: String, source: InvalidRepositoryName },
    /// A trace cannot be read.
    #[error("the trace cannot be read")]
    Trace(#[from] TraceError),
}

impl Failure {
    /// For `map_err`: what the store was asked for when it failed.
    pub(crate) fn storage(doing: &'static str) -> impl FnOnce(StorageError) -> Self {
        move |source| Self::Storage { doing, source }
    }

    /// For `map_err`: what was done to a file of the user's.
    pub(crate) fn file(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::File { doing, source }
    }

    /// For `map_err`: what private keys were wanted for.
    pub(crate) fn keys<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        doing: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |source| Self::Keys { doing, source: source.into() }
    }

    /// What the process ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Concerns { expired: true, .. } | Self::NotSigned { expired: true, .. } => Exit::Expired,
            Self::NotSigned { .. }
            | Self::AuditWrong { .. }
            | Self::Concerns { .. }
            | Self::NotAllSaved { .. }
            | Self::NotSound { .. } => Exit::No,
            Self::NotConfirmed { .. }
            | Self::NotConfirmedByName { .. }
            | Self::Missing { .. }
            | Self::NoReference { .. }
            | Self::KeysInData { .. }
            | Self::KeysUnnamed { .. }
            | Self::LogFilter { .. }
            | Self::Settings(SettingsError::Missing { .. }) => Exit::Usage,
            Self::Refused(refusal) => match refusal.kind {
                Kind::NoSuchDocument | Kind::NoSuchRepository | Kind::NoSuchTag => Exit::No,
                Kind::Expired => Exit::Expired,
                Kind::Publisher
                | Kind::Race
                | Kind::Operator
                | Kind::Rule
                | Kind::Damaged
                | Kind::Index
                | Kind::Files
                | Kind::Ended
                | Kind::Newer
                | Kind::Defect => Exit::Failure,
            },
            // Who reads only the beginning has what they wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
            Self::AcksLine { .. }
            | Self::Ask(_)
            | Self::Backup { .. }
            | Self::Restore(_)
            | Self::Secrets(_)
            | Self::Connect { .. }
            | Self::File { .. }
            | Self::ImportRefused { .. }
            | Self::Keys { .. }
            | Self::Mismatch { .. }
            | Self::NotEmpty { .. }
            | Self::NothingSigned { .. }
            | Self::NoStore { .. }
            | Self::NothingToImport { .. }
            | Self::Open { .. }
            | Self::Output(_)
            | Self::Run(_)
            | Self::Settings(_)
            | Self::Start(_)
            | Self::Storage { .. }
            | Self::TraceName { .. }
            | Self::Trace(_) => Exit::Failure,
        }
    }

    /// Who must act, where that is known.
    pub(crate) fn who_acts(&self) -> Option<&'static str> {
        let fault = match self {
            Self::ImportRefused { source, .. } => who(source.kind)?,
            Self::Refused(refusal) => who(refusal.kind)?,
            Self::Connect { .. }
            | Self::LogFilter { .. }
            | Self::Open { .. }
            | Self::Run(_)
            | Self::Settings(_)
            | Self::Start(_)
            | Self::Storage { .. } => Fault::Operator,
            Self::AcksLine { .. }
            | Self::Ask(_)
            | Self::Backup { .. }
            | Self::Restore(_)
            | Self::Secrets(_)
            | Self::Concerns { .. }
            | Self::File { .. }
            | Self::KeysInData { .. }
            | Self::KeysUnnamed { .. }
            | Self::Keys { .. }
            | Self::Mismatch { .. }
            | Self::NotAllSaved { .. }
            | Self::NotConfirmed { .. }
            | Self::NotConfirmedByName { .. }
            | Self::Missing { .. }
            | Self::NotSigned { .. }
            | Self::NoReference { .. }
            | Self::AuditWrong { .. }
            | Self::NotEmpty { .. }
            | Self::NothingSigned { .. }
            | Self::NoStore { .. }
            | Self::NotSound { .. }
            | Self::NothingToImport { .. }
            | Self::Output(_)
            | Self::TraceName { .. }
            | Self::Trace(_) => return None,
        };
        Some(match fault {
            Fault::Publisher => "the repository's publisher",
            Fault::Race => "whoever came second: look at the newer state, then try again",
            Fault::Operator => "whoever runs the store",
        })
    }

    /// The next step that helps.
    pub(crate) fn what_to_do(&self) -> Option<&'static str> {
        match self {
            Self::AcksLine { .. } => Some("give the file that `tufstore stress --acks` wrote"),
            Self::Backup { .. } => Some("give another backup"),
            Self::Restore(error) => Some(restore(error)),
            Self::Secrets(_) => Some(
                "give what the master key was sealed by: TUFSTORE_PASSPHRASE, --passphrase-file or --key-file; and its file with --master",
            ),
            Self::Ask(_) => Some("see that the server still runs, and what it logged; then try again"),
            Self::Concerns { .. } => {
                Some("see the list on standard output; docs/operate.md has the rescue for each, step by step")
            }
            Self::Connect { source: ConnectError::Io(_), .. } => {
                Some("ask as the user that the server runs as, or stop the server")
            }
            Self::Connect { .. } => {
                Some("use the command of the same release as the server, or stop the server")
            }
            Self::LogFilter { .. } => {
                Some("unset it, or give a level such as debug, or tufstore_server=debug")
            }
            Self::ImportRefused { .. } => {
                Some("fetch the files again from the server; the sets before were taken")
            }
            Self::KeysUnnamed { .. } => Some("name the keys folder with --keys"),
            Self::KeysInData { .. } => Some("name a folder outside of the data folder with --keys"),
            Self::Keys { .. } => {
                Some("use the keys folder that the store was made with, or begin with an empty store")
            }
            Self::Mismatch { .. } => {
                Some("if the store holds nothing but this trace, run `tufstore verify` and report this")
            }
            Self::NotAllSaved { .. } => Some(
                "see the findings on standard output; the publishers of those repositories have to publish again",
            ),
            Self::NotSigned { .. } => Some("the list says of each why; do not run it, or have it signed"),
            Self::AuditWrong { .. } => Some("compare it with the store's own, and find out who had the file"),
            Self::NotConfirmedByName { .. } => {
                Some("give --yes-delete-all-trust-data REGISTRY, or type its name at a terminal")
            }
            Self::NotConfirmed { .. } => Some("give --yes, or answer y at a terminal"),
            Self::NotEmpty { .. } => Some("name a folder that does not exist yet"),
            Self::NoStore { .. } => Some(
                "name the store's folder with --data or TUFSTORE_DATA; `tufstore serve`, `tufstore quickstart --keep DIR` and `tufstore import` make one",
            ),
            Self::NotSound { .. } => Some("see the findings on standard output, each with what to do"),
            Self::NothingToImport { .. } => Some(
                "name the folder with root, timestamp, snapshot, targets and every delegation that the snapshot names",
            ),
            Self::Refused(refusal) => refused(refusal.kind),
            Self::Open { source, .. }
            | Self::Storage { source, .. }
            | Self::Run(RunError::Close(source))
            | Self::Start(StartError::Store { source, .. }) => Some(storage(source)),
            Self::Start(error) => start(error),
            Self::Settings(error) => settings(error),
            Self::File { .. }
            | Self::Missing { .. }
            | Self::NoReference { .. }
            | Self::NothingSigned { .. }
            | Self::Output(_)
            | Self::Run(_)
            | Self::TraceName { .. }
            | Self::Trace(_) => None,
        }
    }
}

/// Who must act on a refusal.
fn who(kind: Kind) -> Option<Fault> {
    match kind {
        Kind::Expired | Kind::Publisher => Some(Fault::Publisher),
        Kind::Race => Some(Fault::Race),
        Kind::Operator
        | Kind::Damaged
        | Kind::Index
        | Kind::Files
        | Kind::Ended
        | Kind::Newer
        | Kind::Defect => Some(Fault::Operator),
        Kind::NoSuchDocument | Kind::NoSuchRepository | Kind::NoSuchTag | Kind::Rule => None,
    }
}

/// The next step that helps after a refusal.
fn refused(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Expired => {
            "have the role signed anew; `tufstore show` writes the expired file, `tufstore history` lists all"
        }
        Kind::NoSuchDocument => "`tufstore history` lists what is there",
        Kind::NoSuchRepository => "`tufstore repositories` lists what is there",
        Kind::NoSuchTag => "`tufstore tags` lists what is there",
        Kind::Damaged => DAMAGED,
        Kind::Index => INDEX,
        Kind::Files => FILES,
        Kind::Ended => ENDED,
        Kind::Newer => NEWER,
        Kind::Defect => DEFECT,
        Kind::Publisher | Kind::Race | Kind::Operator | Kind::Rule => return None,
    })
}

const DAMAGED: &str = "restore a backup, or save what can be read with `tufstore repair`; `tufstore verify` says what is damaged";
const DEFECT: &str = "please report it, with this message";
const ENDED: &str = "open the store again";
const FILES: &str = "see that the disk has room and the folder may be written, then try again";
const INDEX: &str = "run `tufstore reindex`";
const NEWER: &str = "use a newer release of tufstore";

/// The next step that helps when a server does not start.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others say it themselves")]
fn start(error: &StartError) -> Option<&'static str> {
    Some(match error {
        StartError::Listen { .. } => "name another address with --listen, or end what listens there",
        StartError::Open { .. } => {
            "start it on 127.0.0.1 and add the first user (`tufstore user add`), or name a token service in the file of settings; \
             --insecure-open is for where everybody may sign"
        }
        StartError::Auth(AuthError::File { .. }) => {
            "auth.root-cert-bundle and auth.jwks name files that the server may read; `deploy/tufstore.toml` shows them"
        }
        StartError::Auth(AuthError::Keys { .. }) => {
            "give the certificates of the token service as PEM in auth.root-cert-bundle, or its JSON Web Key Set in auth.jwks"
        }
        StartError::Auth(AuthError::Setting { .. }) => {
            "auth.realm is where clients ask for a token, such as https://auth.example.com/token"
        }
        StartError::Secrets(SecretsError::NoMaster { .. }) => {
            "restore the file `master` in the data folder from a backup. Only for a store whose online keys never were here, as one that was imported: give --new-master-key"
        }
        StartError::Secrets(SecretsError::KeyFileInData { .. }) => {
            "name a file outside of the data folder with --key-file"
        }
        StartError::Secrets(SecretsError::Master { .. }) => {
            "give what the master key was sealed by: TUFSTORE_PASSPHRASE, --passphrase-file or --key-file"
        }
        StartError::Tls(TlsError::Unusable { .. }) => {
            "see that the key is the certificate's, and that the certificate comes first in its file, before those that signed it"
        }
        StartError::Tls(TlsError::Pem { .. }) => {
            "give unencrypted PEM; `openssl pkey -in FILE` decrypts a key"
        }
        _ => return None,
    })
}

/// The next step that helps when a store was not restored.
fn restore(error: &RestoreError) -> &'static str {
    match error {
        RestoreError::Backup { .. } => "give another backup; nothing of a damaged one is restored",
        RestoreError::Gap { .. } | RestoreError::OtherHistory { .. } => {
            "give a whole backup first, then each that was made --since the one before, in order"
        }
        RestoreError::NoFloor => {
            "name the old store with --old, or give --position-above and --version-above: numbers that nothing was above, rather too large than too small"
        }
        RestoreError::Sign { .. } => {
            "give the master key that its keys are sealed by with --master, and what opens that with --key-file or --passphrase-file"
        }
        RestoreError::Storage(error) => storage(error),
        RestoreError::NoBackup | _ => "see what the message says, and try again",
    }
}

/// The next step that helps when settings cannot be used.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others say it themselves")]
fn settings(error: &SettingsError) -> Option<&'static str> {
    Some(match error {
        SettingsError::Authentication { .. } => {
            "there is the type token. To run without authentication, remove `auth` from the file: the server then listens on loopback only"
        }
        SettingsError::Missing { .. } => {
            "give it as a flag, or in the file that --config names; see `tufstore serve --help`"
        }
        _ => return None,
    })
}

/// The next step that helps when the store itself failed.
fn storage(error: &StorageError) -> &'static str {
    match error {
        StorageError::Bug(_) => DEFECT,
        StorageError::Corrupt { .. } | StorageError::LostRecords { .. } => DAMAGED,
        StorageError::Index { .. } => INDEX,
        StorageError::InUse { .. } => {
            "stop that process, or ask it; a store is open in one process at a time"
        }
        StorageError::Io { .. } => FILES,
        StorageError::NewerFormat { .. } => NEWER,
        StorageError::Closed | StorageError::Halted | _ => ENDED,
    }
}
