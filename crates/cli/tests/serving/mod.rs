//! A running `tufstore serve`, as its users have one.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

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
        let mut child = Command::new(env!("CARGO_BIN_EXE_tufstore"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
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

    /// Sends a signal by name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Asks it to end, and waits for it.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    /// Ends it as a power cut would end the process.
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

fn collect(stream: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = into.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}
