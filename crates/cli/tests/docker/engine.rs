//! A Docker engine and a registry of the test's own, and the clients that are there.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::serving::Server;

/// What ends a program when the process that holds this ends, however it ends: nothing of a static is dropped.
const UNTIL_CLOSED: &str =
    r#""$@" & program=$!; read -r _; kill $program; wait $program; rm -rf -- "$AFTERWARDS_GONE"; $AT_LAST"#;

/// An address of this machine alone that is not one of loopback, by which Docker decides whom it verifies (RFC 5737).
pub(crate) const ELSEWHERE: &str = "192.0.2.77";

/// Runs a program until what is returned is dropped; `folder` goes after it.
pub(crate) fn until_the_end(mut program: Command, log: &Path, folder: &Path, at_last: &str) -> Child {
    let arguments: Vec<_> = program.get_args().map(ToOwned::to_owned).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", UNTIL_CLOSED, "sh"]).arg(program.get_program()).args(arguments);
    program = shell;
    let log = fs::File::create_new(log).unwrap();
    program
        .env("AFTERWARDS_GONE", folder)
        .env("AT_LAST", at_last)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "deadlines of the test")]
fn now() -> Instant {
    Instant::now()
}

/// Engine, registry and trust server, all of them running.
pub(crate) struct Engine {
    folder: TempDir,
    /// Of the registry.
    pub(crate) registry: u16,
    _running: [Child; 3],
}

impl Engine {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let registry = free_port();
        let mut engine = Command::new("dockerd");
        engine
            // No network of containers: nothing here needs one, and the machine's rules stay as they are.
            .args(["--iptables=false", "--bridge=none", "--storage-driver=vfs"])
            .arg(format!("--insecure-registry={ELSEWHERE}/32"))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("-H")
            .arg(format!("unix://{}", at("engine.sock").display()));
        let serve = |address: &str| {
            let (config, root) = (at(&format!("{address}.yml")), at("registry"));
            let text = format!(
                "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}:{registry}\n",
                root.display()
            );
            write(&config, text.as_bytes());
            let mut serving = Command::new("docker-registry");
            serving.arg("serve").arg(config);
            serving
        };
        // It may be there still, of a test that was killed.
        drop(
            Command::new("ip")
                .args(["address", "add", &format!("{ELSEWHERE}/32"), "dev", "lo"])
                .output()
                .unwrap(),
        );
        let take_back = format!("ip address del {ELSEWHERE}/32 dev lo");
        let running = [
            until_the_end(engine, &at("engine.log"), folder.path(), ""),
            until_the_end(serve("127.0.0.1"), &at("registry.log"), &at("registry"), ""),
            until_the_end(serve(ELSEWHERE), &at("elsewhere.log"), &at("registry"), &take_back),
        ];
        let log = at("engine.log");
        wait(&log, || UnixStream::connect(at("engine.sock")).is_ok());
        for address in ["127.0.0.1", ELSEWHERE] {
            wait(&log, || TcpStream::connect((address, registry)).is_ok());
        }
        Self { folder, registry, _running: running }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An image of one file, under a name, with no trust asked for.
    pub(crate) fn image(&self, name: &str, content: &str) {
        let layer = tempfile::tempdir().unwrap();
        write(&layer.path().join("content"), content.as_bytes());
        let archive = layer.path().join("image.tar");
        let made =
            Command::new("tar").arg("-C").arg(layer.path()).arg("-cf").arg(&archive).arg("content").status();
        assert!(made.unwrap().success());
        let mut import = self.command(&CLIENTS[0].path);
        assert!(import.arg("import").arg(&archive).arg(name).output().unwrap().status.success());
    }

    /// A client's command on this engine. None takes minutes.
    pub(crate) fn command(&self, client: &Path) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg("120")
            .arg(client)
            .env("DOCKER_HOST", format!("unix://{}", self.path("engine.sock").display()))
            .env_remove("DOCKER_CONTENT_TRUST")
            .stdin(Stdio::null());
        command
    }
}

pub(crate) fn wait(log: &Path, ready: impl Fn() -> bool) {
    let begun = now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", fs::read_to_string(log).unwrap());
        thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[expect(clippy::disallowed_methods, reason = "files that a user has")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// A Docker command line.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) path: PathBuf,
    /// Its major version.
    pub(crate) version: u32,
}

/// Every Docker command line that can be found, one for each major version; before 29, which have content trust.
pub(crate) static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| {
    let mut found: Vec<Client> = Vec::new();
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        let path = folder.join("docker");
        let Ok(output) = Command::new(&path).arg("--version").output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split("version ").nth(1).and_then(|rest| rest.split('.').next()?.parse().ok());
        if let Some(version) = version
            && version < 29
            && found.iter().all(|client| client.version != version)
        {
            found.push(Client { path, version });
        }
    }
    assert!(!found.is_empty(), "no Docker command line with content trust is in the PATH");
    found
});

/// One user of a client: a configuration folder, with keys and caches, that trusts the server's certificate.
pub(crate) struct User<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) client: Client,
    pub(crate) config: TempDir,
    server: String,
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

    /// That it failed, saying that; versions differ in case.
    #[track_caller]
    pub(crate) fn fails(&self, with: &str) {
        let said = format!("{}{}", self.stdout, self.stderr).to_lowercase();
        assert!(self.code != 0 && said.contains(&with.to_lowercase()), "{with}: {self:?}");
    }
}

impl<'a> User<'a> {
    pub(crate) fn new(engine: &'a Engine, client: &Client, server: &Server) -> Self {
        let config = tempfile::tempdir().unwrap();
        let user = Self { engine, client: client.clone(), config, server: String::new() };
        user.on(server)
    }

    /// On a server that has been started, perhaps once more.
    pub(crate) fn on(mut self, server: &Server) -> Self {
        self.server.clone_from(&server.url);
        let trusted = self.config.path().join(format!("tls/localhost:{}", server.port));
        fs::create_dir_all(&trusted).unwrap();
        fs::copy(server.ca(), trusted.join("ca.crt")).unwrap();
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.engine.command(&self.client.path);
        command
            .env("DOCKER_CONFIG", self.config.path())
            .env("DOCKER_CONTENT_TRUST_SERVER", &self.server)
            .env("DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE", "a passphrase")
            .env("DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE", "a passphrase");
        command
    }

    /// With content trust on.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(self.command().env("DOCKER_CONTENT_TRUST", "1").args(arguments))
    }

    /// With content trust off, or on by a flag only.
    pub(crate) fn without(&self, arguments: &[&str]) -> Said {
        said(self.command().args(arguments))
    }

    /// Logs in, as scripts do it.
    pub(crate) fn login(&self, registry: &str, name: &str, secret: &str) -> Said {
        let mut command = self.command();
        command.args(["login", registry, "--username", name, "--password-stdin"]);
        said_to(&mut command, secret)
    }

    /// A build by the legacy builder, which is the one that knows content trust.
    pub(crate) fn build(&self, dockerfile: &str) -> Said {
        let context = tempfile::tempdir().unwrap();
        write(&context.path().join("Dockerfile"), dockerfile.as_bytes());
        let mut command = self.command();
        said(
            command
                .env("DOCKER_CONTENT_TRUST", "1")
                .env("DOCKER_BUILDKIT", "0")
                .arg("build")
                .arg(context.path()),
        )
    }

    /// Removes what was seen of a repository, and no key.
    pub(crate) fn forget(&self, repository: &str) {
        fs::remove_dir_all(self.config.path().join("trust/tuf").join(repository)).unwrap();
    }

    /// The digest that an image's tag was pushed or pulled under.
    pub(crate) fn digest(said: &Said) -> String {
        let text = format!("{}{}", said.stdout, said.stderr);
        let at = text.find("sha256:").unwrap_or_else(|| panic!("{said:?}"));
        text[at..].chars().take("sha256:".len() + 64).collect()
    }

    /// A pushed image under a fresh name: one repository for one test.
    pub(crate) fn image(&self, name: &str, tag: &str, content: &str) -> String {
        self.image_at("localhost", name, tag, content)
    }

    /// The same in a registry under another name.
    pub(crate) fn image_at(&self, host: &str, name: &str, tag: &str, content: &str) -> String {
        let image = format!("{host}:{}/{name}-{}:{tag}", self.engine.registry, self.client.version);
        self.engine.image(&image, content);
        image
    }
}

pub(crate) fn said(command: &mut Command) -> Said {
    ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn said_to(command: &mut Command, input: &str) -> Said {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ended(child)
}

fn ended(mut child: Child) -> Said {
    let mut stderr = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    Said { code, stdout, stderr: errors.join().unwrap() }
}
