//! The `notary` command line, as one of its users has it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::serving::Server;

/// One user: a folder with keys and caches, and which server to ask.
pub(crate) struct Client {
    folder: TempDir,
    url: String,
    ca: PathBuf,
    /// Name and password, if they have any.
    credentials: Option<String>,
}

/// What one command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// That it failed, saying that.
    #[track_caller]
    pub(crate) fn fails(&self, with: &str) {
        assert!(
            self.code != 0 && (self.stderr.contains(with) || self.stdout.contains(with)),
            "{with}: {self:?}"
        );
    }
}

impl Client {
    pub(crate) fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, url: server.url.clone(), ca: server.ca(), credentials: None }
    }

    /// The same user, with a name and a password.
    pub(crate) fn known_as(self, credentials: impl Into<String>) -> Self {
        Self { credentials: Some(credentials.into()), ..self }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "files that a user has")]
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command to its end; what it asks is answered by `yes`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new("timeout");
        command
            .args(["120", "notary", "-s", &self.url, "--tlscacert"])
            .arg(&self.ca)
            .arg("-d")
            .arg(self.folder.path().join("trust"))
            .args(arguments)
            .env("HOME", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for role in ["ROOT", "TARGETS", "SNAPSHOT", "DELEGATION"] {
            command.env(format!("NOTARY_{role}_PASSPHRASE"), "a passphrase");
        }
        if let Some(credentials) = &self.credentials {
            command.env("NOTARY_AUTH", STANDARD.encode(credentials));
        }
        let mut child = command.spawn().unwrap();
        // It may have ended without asking.
        drop(child.stdin.take().unwrap().write_all(b"yes\nyes\nyes\n"));
        let output = child.wait_with_output().unwrap();
        Said {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Publishes a new repository with one tag.
    pub(crate) fn begin(&self, repository: &str, tag: &str) {
        self.run(&["init", repository]).ok();
        self.tag(repository, tag, tag);
    }

    /// Signs a tag that stands for `content`, and publishes it.
    pub(crate) fn tag(&self, repository: &str, tag: &str, content: &str) {
        let file = self.write("content", content.as_bytes());
        self.run(&["add", "-p", repository, tag, &file]).ok();
    }

    /// Which tags it sees: each with the role that signs it.
    #[track_caller]
    pub(crate) fn list(&self, repository: &str) -> Vec<(String, String)> {
        let said = self.run(&["list", repository]).ok();
        let rows = said.stdout.lines().filter_map(|line| {
            let cells: Vec<_> = line.split_whitespace().collect();
            match cells[..] {
                [tag, digest, _, role] if digest.len() == 64 => Some((tag.to_owned(), role.to_owned())),
                _ => None,
            }
        });
        rows.collect()
    }

    /// A certificate and its private key, made by OpenSSL: for a delegation or a root.
    pub(crate) fn certificate(&self, name: &str, common_name: &str) -> (String, String) {
        let (certificate, key) = (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "3000",
            ])
            .args([
                "-subj",
                &format!("/CN={}", common_name.replace('/', "\\/")),
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        (certificate.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned())
    }

    /// Gives somebody's private key of a role to this user.
    pub(crate) fn import(&self, key: &str, role: &str) {
        self.run(&["key", "import", key, "--role", role]).ok();
    }
}

/// A server with its folder.
pub(crate) struct Served {
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
}

impl Served {
    pub(crate) fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("store"), more);
        Self { folder, server }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.server)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Runs one of our own commands on the store, through the server.
    #[track_caller]
    pub(crate) fn ours(&self, arguments: &[&str]) -> String {
        ours(&self.data(), arguments)
    }
}

#[track_caller]
pub(crate) fn ours(data: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tufstore"));
    let output = command.args(arguments).arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
