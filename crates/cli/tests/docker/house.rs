//! A trust server with users of its own, and a registry of images that asks for its tokens.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::ENGINE;
use crate::engine::{CLIENTS, Client, ELSEWHERE, User, said, until_the_end, wait, write};
use crate::serving::Server;

/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse";

/// Both, running. What is done to users is done by commands, through the server.
pub(crate) struct House {
    folder: TempDir,
    pub(crate) server: Server,
    /// Of images: as the names of its repositories begin.
    pub(crate) registry: String,
    _running: Child,
}

impl House {
    /// With content trust enabled for the registry.
    pub(crate) fn new() -> Self {
        Self::at("localhost", "127.0.0.1")
    }

    /// The same, with a registry that is not on loopback.
    pub(crate) fn elsewhere() -> Self {
        // The engine has that address brought up.
        LazyLock::force(&ENGINE);
        Self::at(ELSEWHERE, ELSEWHERE)
    }

    fn at(host: &str, address: &str) -> Self {
        let house = Self::begun(host, address);
        house.content_trust("enabled");
        house
    }

    /// As a server is where nothing was said of that registry, once it has a user.
    pub(crate) fn without_content_trust() -> Self {
        Self::begun("localhost", "127.0.0.1")
    }

    fn begun(host: &str, address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let server = Server::start(&at("store"), &[]);
        let port = free_port();
        let registry = format!("{host}:{port}");
        // With the first one it ends that everybody may do everything.
        let data = at("store");
        told(&data, &["user", "add", "first", "--classic-administrator", "--password-stdin"], PASSWORD);

        let authority = at("authority.pem");
        let mut fetch = Command::new("curl");
        fetch.args(["--silent", "--show-error", "--fail", "--cacert"]).arg(server.ca());
        fetch.arg("--output").arg(&authority).arg(format!("{}/oauth2/authority.pem", server.url));
        assert!(fetch.status().unwrap().success());
        let config = format!(
            "version: 0.1\n\
             storage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: {address}:{port}\n\
             auth:\n  token:\n    realm: {}/oauth2/token\n    service: {registry}\n    issuer: tufstore\n    \
             rootcertbundle: {}\n",
            at("registry").display(),
            server.url,
            authority.display()
        );
        write(&at("registry.yml"), config.as_bytes());
        let mut serving = Command::new("docker-registry");
        serving.arg("serve").arg(at("registry.yml"));
        let log = at("registry.log");
        let running = until_the_end(serving, &log, &at("registry"), "");
        wait(&log, || TcpStream::connect((address, port)).is_ok());
        Self { folder, server, registry, _running: running }
    }

    /// The same, after the trust server was started anew. The registry goes on with what verified tokens before.
    pub(crate) fn started_anew(self) -> Self {
        let Self { folder, server, registry, _running } = self;
        let address = format!("127.0.0.1:{}", server.port);
        assert!(server.stop().success());
        let server = Server::start_on(&address, &folder.path().join("store"), &[], &[]);
        Self { folder, server, registry, _running }
    }

    /// Another password for a user.
    #[track_caller]
    pub(crate) fn password(&self, name: &str, password: &str) {
        told(&self.data(), &["user", "password", name, "--password-stdin"], password);
    }

    /// The image that the engine has under one name, under another as well.
    #[track_caller]
    pub(crate) fn tag(&self, image: &str, other: &str) {
        said(ENGINE.command(&CLIENTS[0].path).args(["tag", image, other])).ok();
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Runs one of our own commands.
    #[track_caller]
    pub(crate) fn ours(&self, arguments: &[&str]) -> String {
        told(&self.data(), arguments, "")
    }

    /// The same, for one that is refused: what it says.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = tell(&self.data(), arguments, "");
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// What a command says to programs.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ours(&[arguments, &["--output", "json"]].concat())).unwrap()
    }

    /// Adds a user with that [`PASSWORD`], and gives it these roles in the registry.
    #[track_caller]
    pub(crate) fn add(&self, name: &str, roles: &[&str]) {
        told(&self.data(), &["user", "add", name, "--password-stdin"], PASSWORD);
        for role in roles {
            self.assign(role, &self.registry, name);
        }
    }

    /// Adds the registry's admin account.
    #[track_caller]
    pub(crate) fn add_admin(&self, name: &str) {
        told(&self.data(), &["user", "add", name, "--admin", "--password-stdin"], PASSWORD);
    }

    #[track_caller]
    pub(crate) fn assign(&self, role: &str, scope: &str, to: &str) {
        self.ours(&["role", "assign", role, "--scope", scope, "--to", to]);
    }

    #[track_caller]
    pub(crate) fn unassign(&self, role: &str, scope: &str, from: &str) {
        self.ours(&["role", "unassign", role, "--scope", scope, "--to", from]);
    }

    /// Turns content trust on or off.
    #[track_caller]
    pub(crate) fn content_trust(&self, on_or_off: &str) {
        let registry = &self.registry;
        let sure = ["--yes-delete-all-trust-data", registry];
        self.ours(
            &[&["policy", "set", "--registry", registry, "--content-trust", on_or_off], &sure[..]].concat(),
        );
    }

    /// How many repositories hold trust data.
    #[track_caller]
    pub(crate) fn signed(&self) -> usize {
        self.json(&["repositories"]).as_array().unwrap().len()
    }

    /// Somebody who has not logged in.
    pub(crate) fn stranger(&self, client: &Client) -> User<'static> {
        User::new(&ENGINE, client, &self.server)
    }

    /// Somebody who has, at the registry.
    #[track_caller]
    pub(crate) fn login(&self, client: &Client, name: &str, secret: &str) -> User<'static> {
        let user = self.stranger(client);
        user.login(&self.registry, name, secret).ok();
        user
    }

    /// A user that is added here, with roles in the registry, and has logged in.
    #[track_caller]
    pub(crate) fn user(&self, client: &Client, name: &str, roles: &[&str]) -> User<'static> {
        self.add(name, roles);
        self.login(client, name, PASSWORD)
    }

    /// An image that the engine has, to be pushed to the registry.
    #[track_caller]
    pub(crate) fn image(&self, name: &str, content: &str) -> String {
        let image = format!("{}/{name}", self.registry);
        ENGINE.image(&image, content);
        image
    }
}

/// Every test, with every client.
pub(crate) fn each(test: impl Fn(&House, &Client)) {
    for client in CLIENTS.iter() {
        test(&House::new(), client);
    }
}

#[track_caller]
fn told(data: &Path, arguments: &[&str], input: &str) -> String {
    let output = tell(data, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn tell(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tufstore"));
    command.args(arguments).arg("--data").arg(data);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // Most read nothing, and may have ended.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// None that the system hands out to whoever asks for any: between here and the registry's start another test may.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_process = u16::try_from(process::id() % 100).unwrap() * 100;
    loop {
        let port = 20_000 + of_process + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
