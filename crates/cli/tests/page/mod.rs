//! The commands of `docs/azure.md`, run as a reader types them: in order, by whom the page says, each with the exit code that it says.
//!
//! A block of `sh` begins with a comment that says who types it; `# exit code N` behind a command is what it ends with, and 0 where
//! nothing is said. What the page calls otherwise than a test can stands in [`Played::named`].

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::allow_attributes, reason = "an expectation would fail in the suite that uses all")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::serving::Server;

/// Who types what. Each has a home of their own; the folder they work in is the same.
pub(crate) const PEOPLE: [&str; 4] = ["alice", "bob", "the build server", "the operator"];

/// One command of the page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    pub(crate) who: &'static str,
    pub(crate) command: String,
    pub(crate) code: i32,
}

/// Every command of a page.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut who = None;
    let mut inside = false;
    for line in page.lines() {
        match line.trim_end() {
            "```sh" => (inside, who) = (true, None),
            "```" => inside = false,
            line if inside && who.is_none() => {
                let named = PEOPLE.into_iter().find(|&named| line.strip_prefix("# ") == Some(named));
                who = Some(named.unwrap_or_else(|| panic!("nobody of {PEOPLE:?} types a block: {line:?}")));
            }
            line if inside => steps.push(step(who.unwrap(), line)),
            _ => {}
        }
    }
    steps
}

fn step(who: &'static str, line: &str) -> Step {
    let (command, code) = match line.rsplit_once("# exit code ") {
        Some((command, code)) => (command.trim_end(), code.parse().unwrap()),
        None => (line, 0),
    };
    Step { who, command: command.to_owned(), code }
}

/// The lines of a page's block of `yaml`.
pub(crate) fn yaml(page: &str) -> String {
    let (_, block) = page.split_once("```yaml\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// The page while it is played.
pub(crate) struct Played {
    pub(crate) folder: TempDir,
    pub(crate) registry: String,
    /// What `tufstore serve` is given beside what the page says.
    serve: &'static [&'static str],
    server: Option<Server>,
    /// Where further programs are found first.
    pub(crate) programs: PathBuf,
    /// Of the environment of all.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Played {
    /// With the passwords that people chose, and nothing else.
    pub(crate) fn new(registry: &str, serve: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("programs");
        for home in PEOPLE {
            fs::create_dir(folder.path().join(home)).unwrap();
        }
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tufstore"), programs.join("tufstore")).unwrap();
        for who in ["alice", "bob"] {
            write(
                &folder.path().join(format!("{who}.password")),
                format!("the password of {who}\n").as_bytes(),
            );
        }
        Self { folder, registry: registry.to_owned(), serve, server: None, programs, variables: Vec::new() }
    }

    /// The server that runs.
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn home(&self, who: &str) -> PathBuf {
        self.folder.path().join(who)
    }

    /// A command with the names that things have in this test.
    pub(crate) fn named(&self, command: &str) -> String {
        let command = command.replace("registry.example.com", &self.registry);
        match &self.server {
            Some(server) => command.replace("trust.example.com:4443", &format!("localhost:{}", server.port)),
            None => command,
        }
    }

    /// Runs a step in a shell; `tufstore serve` runs on in the background, in place of the one before.
    pub(crate) fn run(&mut self, step: &Step) -> Said {
        let command = self.named(&step.command);
        if let Some(arguments) = command.strip_prefix("tufstore serve --data store") {
            return self.start(arguments);
        }
        self.shell(step.who, &command)
    }

    /// On a port that is free, whatever the page says, and under a name that this machine has.
    fn start(&mut self, arguments: &str) -> Said {
        if let Some(server) = self.server.take() {
            assert!(server.stop().success());
        }
        let words: Vec<_> = arguments.split_whitespace().collect();
        match words.as_slice() {
            [] | ["--listen", "0.0.0.0:4443", "--tls-name", "trust.example.com"] => {}
            other => panic!("not a way to start it that this test knows: {other:?}"),
        }
        self.server = Some(Server::start(&self.folder.path().join("store"), self.serve));
        Said { code: 0, text: String::new() }
    }

    /// What somebody exported stays exported for them.
    pub(crate) fn shell(&self, who: &str, command: &str) -> Said {
        let home = self.home(who);
        let exported = home.join("exported");
        let before = fs::read_to_string(&exported).unwrap_or_default();
        let mut paths = vec![self.programs.clone()];
        paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let output = Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", &format!("{before}{command}")])
            .current_dir(self.folder.path())
            .env("HOME", &home)
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env_remove("TUFSTORE_DATA")
            .env_remove("DOCKER_CONFIG")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if command.starts_with("export ") {
            write(&exported, format!("{before}{command}\n").as_bytes());
        }
        let text = [output.stdout, output.stderr].concat();
        Said { code: output.status.code().unwrap(), text: String::from_utf8_lossy(&text).into_owned() }
    }
}

/// The page itself.
pub(crate) fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/azure.md")).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "files that a user has")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
