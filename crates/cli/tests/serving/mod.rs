//! A running `tufstore serve`, as its users have one.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests"
)]
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::allow_attributes, reason = "an expectation would fail in the suite that uses all")]

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tufstore::crypto::PublicKey;
use tufstore::terms::UnixTime;
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_testkit::digest;

/// A server on a free port of 127.0.0.1, with the certificate that it makes itself. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Such as `https://localhost:40001`.
    pub(crate) url: String,
    pub(crate) port: u16,
    pub(crate) data: PathBuf,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts it on the folder `data`, and waits until it listens.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_with(data, more, &[])
    }

    /// The same, with variables of the environment.
    pub(crate) fn start_with(data: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_on("127.0.0.1:0", data, more, variables)
    }

    /// The same, listening somewhere else.
    pub(crate) fn start_on(address: &str, data: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tufstore"))
            .args(["serve", "--listen", address, "--data"])
            .arg(data)
            .args(more)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().unwrap(), Arc::clone(&log));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(port) = line.trim().rsplit(':').next().and_then(|port| port.parse().ok()) else {
            let status = child.wait();
            panic!("the server did not start ({status:?}): {line:?}\n{}", log.lock().unwrap());
        };
        collect(stdout, Arc::clone(&log));
        Self { child, url: format!("https://localhost:{port}"), port, data: data.to_owned(), log }
    }

    /// Asks a server without TLS: the status, the headers as they came, and the body.
    pub(crate) fn http(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Answer {
        let kind = kind.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
        self.http_with(method, path, &kind, body)
    }

    /// The same with headers, each of which ends in a line break.
    pub(crate) fn http_with(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Answer::read(&answer)
    }

    /// As [`Self::http`], for a file.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.http("GET", path, None, b"")
    }

    /// Uploads files of roles to a server without TLS.
    pub(crate) fn upload<'a>(
        &self,
        repository: &str,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Answer {
        self.upload_with(repository, "", files)
    }

    /// The same with headers, each of which ends in a line break.
    pub(crate) fn upload_with<'a>(
        &self,
        repository: &str,
        headers: &str,
        files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Answer {
        let mut body = Vec::new();
        for (role, bytes) in files {
            let head =
                format!("--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{role}\"\r\n\r\n");
            body.extend(head.as_bytes());
            body.extend(bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--B--\r\n");
        let path = format!("/v2/{repository}/_trust/tuf/");
        let headers = format!("{headers}Content-Type: multipart/form-data; boundary=B\r\n");
        self.http_with("POST", &path, &headers, &body)
    }

    /// The certificate to trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.data.join("tls/ca.crt")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged that: what it says arrives a moment later.
    #[track_caller]
    pub(crate) fn says(&self, said: &str) {
        #[expect(clippy::disallowed_methods, reason = "a deadline of the test")]
        let begun = Instant::now();
        while !self.log().contains(said) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{said}: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal by name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Asks it to end, and waits for it.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    /// Ends the process without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, a line each.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let headers = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An author who asks a server without TLS for its keys.
pub(crate) fn author(server: &Server, name: &str, now: UnixTime) -> Author {
    let key = |role: &str| {
        let answer = server.get(&format!("/v2/{name}/_trust/tuf/{role}.key"));
        let key: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let public = key["keyval"]["public"].as_str().unwrap();
        PublicKey::from_spki(&STANDARD.decode(public).unwrap()).unwrap()
    };
    let online = OnlineKeysOfServer { timestamp: key("timestamp"), snapshot: Some(key("snapshot")) };
    Author::begin(name.parse().unwrap(), AuthorKeys::generate().unwrap(), online, now).unwrap()
}

/// Moves a tag and publishes that.
pub(crate) fn publish_tag(server: &Server, mut author: Author, tag: &str, now: UnixTime) -> Author {
    author.set_tag(tag, digest("a manifest"), 10);
    let signed = author.sign(now).unwrap();
    let files: Vec<_> =
        signed.upload.files().map(|(role, bytes)| (role.as_str().to_owned(), bytes.clone())).collect();
    let files = files.iter().map(|(role, bytes)| (role.as_str(), &**bytes));
    let answer = server.upload(author.repository().as_str(), files);
    assert_eq!(answer.status, 200, "{}", answer.text());
    signed.next
}

fn collect(stream: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = into.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}
