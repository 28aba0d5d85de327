//! What the suites share: running the binary, and stores and folders to run it on.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::allow_attributes, reason = "an expectation would fail in the suite that uses all")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;
use tufstore::crypto::OnlineRole;
use tufstore::terms::{RepositoryName, RoleName, UnixTime};
use tufstore::{Options, Store};
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_testkit::SeededOnlineKeys;

/// Three publications of two repositories; `app` moves its tag `latest` once.
pub(crate) const TRACE: &str = "\
1\tapp\t0000000000000001\tlatest,1.0\n\
2\tother\t00000000000000aa\tonly\n\
3\tapp\t0000000000000002\tlatest,1.1\n";

/// What one run of the binary said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Its result as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Itself, if it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// The binary, with nobody at its terminal.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tufstore"));
    command.args(arguments).env_remove("TUFSTORE_DATA").stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    let output = command(arguments).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with a store in it that played [`TRACE`].
pub(crate) struct Played {
    pub(crate) folder: TempDir,
}

impl Played {
    pub(crate) fn new() -> Self {
        let played = Self { folder: tempfile::tempdir().unwrap() };
        let trace = played.write("trace.tsv", TRACE.as_bytes());
        run(&["replay", text(&trace), "--data", &played.data(), "--publishers", "1"]).ok();
        played
    }

    /// The store's folder.
    pub(crate) fn data(&self) -> String {
        text(&self.folder.path().join("data")).to_owned()
    }

    /// A file beside the store.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        write(&self.folder.path().join(name), bytes)
    }

    /// A command on the store.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&[arguments, &["--data", &self.data()]].concat())
    }
}

#[expect(clippy::disallowed_methods, reason = "files that a user would have")]
pub(crate) fn write(path: &Path, bytes: &[u8]) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    path.to_owned()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The real time, which the binary goes by.
#[expect(clippy::disallowed_methods, reason = "what the binary reads as well")]
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap())
}

/// Another server, whose files are imported.
pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) author: Author,
    pub(crate) now: UnixTime,
}

impl Server {
    pub(crate) fn new(repository: &str, now: UnixTime) -> Self {
        let options = Options::default().with_online_keys(SeededOnlineKeys::new("another server"));
        let store = Store::in_memory(options).unwrap();
        let repository: RepositoryName = repository.parse().unwrap();
        let key = |role| store.online_key(&repository, role).unwrap();
        let online = OnlineKeysOfServer {
            timestamp: key(OnlineRole::Timestamp),
            snapshot: Some(key(OnlineRole::Snapshot)),
        };
        let author = Author::begin(repository, AuthorKeys::generate().unwrap(), online, now).unwrap();
        Self { store, author, now }
    }

    /// Publishes what was staged on the author.
    pub(crate) fn publish(&mut self) {
        let signed = self.author.sign(self.now).unwrap();
        self.store.publish(self.author.repository(), &signed.upload, self.now).unwrap();
        self.author = signed.next;
    }

    /// As a client caches it: the newest file of each role, under its name.
    pub(crate) fn write_cache(&self, folder: &Path) {
        let view = self.store.view(self.author.repository()).unwrap().unwrap();
        for document in view.documents() {
            write(&folder.join(format!("{}.json", document.role())), document.bytes());
        }
    }

    /// As a server has it: every version of every file, under names of all the usual kinds.
    pub(crate) fn write_server(&self, folder: &Path) {
        let repository = self.author.repository();
        for entry in self.store.documents(repository) {
            let entry = entry.unwrap();
            let document = self
                .store
                .history(repository, &entry.role, entry.sha256)
                .unwrap()
                .map(|found| found.document)
                .unwrap();
            let (role, version) = (&entry.role, entry.version);
            let name = match role {
                RoleName::Root => format!("{version}.root.json"),
                RoleName::Timestamp => format!("{version}.timestamp.json"),
                RoleName::Snapshot | RoleName::Targets | RoleName::Delegation(_) => {
                    format!("{role}.{}.json", entry.sha256)
                }
            };
            write(&folder.join(name), document.bytes());
        }
        self.write_cache(folder);
    }
}
