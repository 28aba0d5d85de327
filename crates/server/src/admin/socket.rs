//! The server's side of the socket.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};
use tokio_util::sync::CancellationToken;

use super::line::{Greeting, NAME, PROTOCOL, Said};
use super::question::Share;
use super::{Ask, Opened};
use crate::directory::Actor;
use crate::metrics;
use crate::service::Service;
use crate::text::chain;
use crate::workers::WorkError;

/// At a time; who comes beyond waits.
const MOST_CONNECTIONS: usize = 32;
/// How long one may be without a question.
const IDLE: Duration = Duration::from_mins(10);
/// Bytes of a question beside an upload of the largest size in base64.
const SLACK: usize = 1 << 20;
/// How long a line may take to be heard.
const HEARING: Duration = Duration::from_secs(30);
/// The same once the server is to end, which who does not read must not hold up.
const LAST_HEARING: Duration = Duration::from_secs(2);
/// Between two words of progress.
const WORD: Duration = Duration::from_millis(100);

type Lines = Framed<UnixStream, LinesCodec>;

/// A socket in the store's folder, there as long as this is.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Puts the socket into the store's folder, for its owner alone from its first moment on. One that is there is of a
    /// server that ended without removing it: who has the store open is the only one.
    pub(crate) fn bind(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        let private = folder.join("admin");
        match DirBuilder::new().mode(0o700).create(&private) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let born = private.join("s");
        discard(&born)?;
        let listener = UnixListener::bind(&born)?;
        fs::set_permissions(&born, Permissions::from_mode(0o600))?;
        #[expect(clippy::disallowed_methods, reason = "a socket and not the store's data")]
        fs::rename(&born, &path)?;
        fs::remove_dir(&private)?;
        Ok(Self { listener, path })
    }

    /// Answers until `ended`, and what was asked before.
    pub(crate) async fn run(self, service: Arc<Service>, ended: CancellationToken) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let accepting = async {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let (service, ended) = (Arc::clone(&service), ended.clone());
                        tokio::spawn(async move {
                            if let Err(error) = converse(stream, &service, &ended).await {
                                tracing::debug!(error = %chain(&error), "an admin connection broke");
                            }
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::error!(%error, "cannot accept on the admin socket");
                        time::sleep(WORD).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = ended.cancelled() => {}
        }
        // Those who are being answered have their places until then.
        drop(places.acquire_many(u32::try_from(MOST_CONNECTIONS).unwrap_or(u32::MAX)).await);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = discard(&self.path) {
            tracing::warn!(%error, "the admin socket stays in the folder");
        }
    }
}

fn discard(path: &Path) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "a socket and not the store's data")]
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

async fn converse(
    stream: UnixStream,
    service: &Arc<Service>,
    ended: &CancellationToken,
) -> Result<(), LinesCodecError> {
    let peer = stream.peer_cred()?.uid();
    // The file's permissions say the same; they can be changed.
    if peer != 0 && peer != rustix::process::geteuid().as_raw() {
        tracing::warn!(peer, "another user at the admin socket was turned away");
        return Ok(());
    }
    let by = Actor::Operator { user: peer };
    let opened = Opened::by(by, service.store.clone(), Arc::clone(&service.directory));
    let longest = service.bodies.longest().saturating_mul(2).saturating_add(SLACK);
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(longest));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let greeting = Greeting { tufstore: version, protocol: PROTOCOL, process: std::process::id() };
    say(&mut lines, &greeting, ended).await?;
    loop {
        let line = tokio::select! {
            line = time::timeout(IDLE, lines.next()) => line,
            () = ended.cancelled() => return Ok(()),
        };
        let Ok(Some(line)) = line else { return Ok(()) };
        match line {
            Ok(line) => match serde_json::from_str::<Ask>(&line) {
                Ok(ask) => answer(&mut lines, ask, &opened, service, ended).await?,
                Err(error) => say(&mut lines, &Said::Misunderstood(error.to_string()), ended).await?,
            },
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                let why = format!("a line of more than {longest} bytes");
                say(&mut lines, &Said::Misunderstood(why), ended).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Answers on a worker, with words of progress meanwhile. If who asked goes away, what was begun is done all the same.
async fn answer(
    lines: &mut Lines,
    ask: Ask,
    opened: &Opened,
    service: &Arc<Service>,
    ended: &CancellationToken,
) -> Result<(), LinesCodecError> {
    if let Ask::Lookup(lookup) = &ask {
        metrics::looked_up(1);
        // A lookup waits for a renewal before it says that something has expired.
        if let Err(error) = service.renewals.current(&lookup.repository).await {
            tracing::warn!(error = %chain(&error), "not renewed before a lookup");
        }
    }
    let (share, (tell, mut told)) = (ask.share(), mpsc::channel(1));
    let (opened, now) = (opened.clone(), service.clock.now());
    let work = move || {
        // Who is slow to hear misses some of it.
        ask.answer(&opened, now, &mut |progress| drop(tell.try_send(progress)))
    };
    let mut answered = std::pin::pin!(run(service, share, work));
    let said = loop {
        tokio::select! {
            answered = &mut answered => break match answered {
                Ok(Ok(Ok(answer))) => Said::Answer(answer),
                Ok(Ok(Err(error))) => Said::Misunderstood(error.to_string()),
                Ok(Err(refusal)) => Said::Refused(refusal),
                Err(error) => Said::Misunderstood(error.to_string()),
            },
            Some(progress) = told.recv() => {
                say(lines, &Said::Progress(progress), ended).await?;
                time::sleep(WORD).await;
            }
            // What takes long is not waited for: at any moment, what it has done so far is whole.
            () = given_up(ended) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    };
    say(lines, &said, ended).await
}

/// On a worker of that share.
async fn run<A: Send + 'static>(
    service: &Service,
    share: Share,
    work: impl FnOnce() -> A + Send + 'static,
) -> Result<A, WorkError> {
    match share {
        Share::Read => service.workers.read(work).await,
        Share::Write => service.workers.publish(work).await,
        Share::Scan => service.workers.scan(work).await,
    }
}

/// A little after the server was asked to end.
async fn given_up(ended: &CancellationToken) {
    ended.cancelled().await;
    time::sleep(LAST_HEARING).await;
}

/// Says a line to who reads it in time.
async fn say(
    lines: &mut Lines,
    said: &impl serde::Serialize,
    ended: &CancellationToken,
) -> Result<(), LinesCodecError> {
    let line = serde_json::to_string(said).map_err(io::Error::from)?;
    tokio::select! {
        sent = lines.send(line) => sent,
        () = time::sleep(HEARING) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        () = given_up(ended) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
