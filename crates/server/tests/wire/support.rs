//! A server that runs on sockets, with limits that tests can wait for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time;
use tufstore_server::settings::{Settings, Tls};
use tufstore_server::{Clock, Reloader, RunError, Server};

pub(crate) const NAME: &str = "reg.example.com/app";

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) certificate: Option<Reloader>,
    end: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    /// Without TLS.
    pub(crate) async fn plain(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start(|settings| {
            settings.tls = Tls::Off;
            change(settings);
        })
        .await
    }

    pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path().join("store"));
        settings.listen = ([127, 0, 0, 1], 0).into();
        settings.limits.drain = Duration::from_secs(5);
        change(&mut settings);
        let server = Server::start(settings, Clock::system()).await.unwrap();
        let (address, certificate) = (server.address(), server.certificate());
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(server.run(async { drop(ended.await) }));
        Self { address, folder, certificate, end: Some(end), task }
    }

    pub(crate) fn tls_folder(&self) -> PathBuf {
        self.folder.path().join("store/tls")
    }

    /// Asks it to end, without waiting for it.
    pub(crate) fn end(&mut self) {
        drop(self.end.take());
    }

    /// Asks it to end, and waits for it.
    pub(crate) async fn stop(mut self) {
        self.end();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and takes all that comes until the server closes.
    pub(crate) async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may answer and close before all is sent.
        drop(stream.write_all(bytes).await);
        rest(&mut stream).await
    }

    /// The status of an ordinary request, on a connection of its own.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        statuses(&self.send(request.as_bytes()).await)[0]
    }
}

/// All that comes until the server closes, or nothing more within a time that no test should need.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes));
    assert!(read.await.is_ok(), "the server does not close");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The statuses of the answers in a stream, in order.
pub(crate) fn statuses(text: &str) -> Vec<u16> {
    let heads = text
        .match_indices("HTTP/1.1 ")
        .filter_map(|(at, head)| text.get(at + head.len()..at + head.len() + 3));
    heads.filter_map(|status| status.parse().ok()).collect()
}

/// The head of a publication, up to its body.
pub(crate) fn publication(headers: &str) -> String {
    format!(
        "POST /v2/{NAME}/_trust/tuf/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n{headers}\r\n"
    )
}
