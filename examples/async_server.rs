//! The engine under an async server: a line protocol over TCP, on tokio.
//!
//! ```text
//! lookup REPOSITORY TAG     sha256:... | unknown | expired
//! next POSITION             waits until something happened after POSITION, and tells what
//! ```
//!
//! ```sh
//! cargo run --example async_server
//! ```
//!
//! Three rules are all there is to it. A warm lookup waits for nothing, so it is called right where the request is
//! handled. What writes (and a first read of a cold repository) waits for the disk, so it goes through `spawn_blocking`.
//! And one thread waits for changes on behalf of every connection that does.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tufstore::crypto::{OnlineRole, sha256};
use tufstore::terms::{Position, RepositoryName, UnixTime};
use tufstore::{Lookup, Options, Store};
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_keys::SealedOnlineKeys;

type Failure = Box<dyn Error + Send + Sync>;

/// A server asks its clock for each request; here it stands still.
const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), &mut io::stdout()).await
}

pub(crate) async fn run(folder: &Path, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let options = Options::default().with_online_keys(SealedOnlineKeys::in_memory()?);
    let path = folder.to_owned();
    let store = spawn_blocking(move || Store::open(path, options)).await??;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let newest = follow(store.clone());
    let server = tokio::spawn(serve(listener, store.clone(), newest));

    // One client waits for whatever comes first, and meanwhile an author publishes.
    let waiting = tokio::spawn(ask(TcpStream::connect(address).await?, "next 0".to_owned()));
    let publishing = tokio::spawn(publish(store.clone(), "docker.io/library/alpine".parse()?));
    writeln!(out, "published at position {}", publishing.await??)?;
    writeln!(out, "next 0: {}", waiting.await??)?;
    for question in ["lookup docker.io/library/alpine 3.22", "lookup docker.io/library/alpine edge", "hello"]
    {
        let answer = ask(TcpStream::connect(address).await?, question.to_owned()).await?;
        writeln!(out, "{question}: {answer}")?;
    }

    // Close it where waiting is allowed; what fails is heard of here, and only logged when the last clone is dropped.
    server.abort();
    spawn_blocking(move || store.close()).await??;
    Ok(())
}

/// One thread that waits for changes, for all; it ends when nobody listens any more.
fn follow(store: Store) -> watch::Receiver<Position> {
    let (sender, receiver) = watch::channel(store.position());
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let seen = *sender.borrow();
            if store.wait_for_change(seen, Duration::from_millis(200)) {
                sender.send_replace(store.position());
            }
        }
    });
    receiver
}

async fn serve(listener: TcpListener, store: Store, newest: watch::Receiver<Position>) -> io::Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        let (store, newest) = (store.clone(), newest.clone());
        tokio::spawn(async move {
            // Who hangs up in the middle of an answer is gone.
            drop(answer(connection, &store, newest).await);
        });
    }
}

async fn answer(
    mut connection: TcpStream,
    store: &Store,
    newest: watch::Receiver<Position>,
) -> Result<(), Failure> {
    let (read, mut write) = connection.split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split(' ').collect::<Vec<_>>()[..] {
            ["lookup", repository, tag] => lookup(store, repository, tag),
            ["next", after] => next(store, Position::new(after.parse()?), newest.clone()).await?,
            _ => "say `lookup REPOSITORY TAG` or `next POSITION`".to_owned(),
        };
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Called on the runtime's own thread: no lock, no disk, once the repository is warm. A server with very many repositories
/// warms them, or sends the first lookup of each through `spawn_blocking`.
fn lookup(store: &Store, repository: &str, tag: &str) -> String {
    match store.lookup(repository, tag, NOW) {
        Ok(Lookup::Found(found)) => format!("sha256:{}", found.target.sha256),
        Ok(Lookup::NoSuchTag | Lookup::NoSuchRepository) => "unknown".to_owned(),
        Ok(Lookup::Expired { role, since }) => format!("expired: {role} since {since}"),
        Err(error) => format!("failed: {error}"),
    }
}

/// Costs no thread while it waits. The feed itself is read from disk.
async fn next(
    store: &Store,
    after: Position,
    mut newest: watch::Receiver<Position>,
) -> Result<String, Failure> {
    newest.wait_for(|newest| *newest > after).await?;
    let mut changes = store.changes(after);
    let change = spawn_blocking(move || changes.next()).await?.ok_or("the feed has what was seen")??;
    Ok(format!("{} {} revision {}", change.position, change.repository, change.revision.get()))
}

/// What a server does with an upload: verifying takes the processor, committing waits for the disk.
async fn publish(store: Store, repository: RepositoryName) -> Result<Position, Failure> {
    spawn_blocking(move || {
        let online = OnlineKeysOfServer {
            timestamp: store.online_key(&repository, OnlineRole::Timestamp)?,
            snapshot: Some(store.online_key(&repository, OnlineRole::Snapshot)?),
        };
        let mut author = Author::begin(repository.clone(), AuthorKeys::generate()?, online, NOW)?;
        author.set_tag("3.22", sha256(b"a manifest"), 528);
        Ok(store.publish(&repository, &author.sign(NOW)?.upload, NOW)?.position)
    })
    .await?
}

/// One question, one answer.
async fn ask(mut connection: TcpStream, question: String) -> io::Result<String> {
    connection.write_all(format!("{question}\n").as_bytes()).await?;
    let mut lines = BufReader::new(connection).lines();
    Ok(lines.next_line().await?.unwrap_or_default())
}
