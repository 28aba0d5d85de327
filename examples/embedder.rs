//! An embedder's first program: open a store, publish, look up, pin a view, read the feed, open it again.
//!
//! ```sh
//! cargo run --example embedder
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use tufstore::crypto::{KeyAlgorithm, OnlineRole, sha256};
use tufstore::terms::{Position, RepositoryName, UnixTime};
use tufstore::{ChangeKind, Lookup, Options, Store};
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_keys::{MasterKeyFile, Opener, create_key_file};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    run(folder.path(), now()?, &mut io::stdout().lock())
}

/// The engine never reads a clock: whoever embeds it says what time it is.
#[expect(clippy::disallowed_methods, reason = "an application has a clock")]
fn now() -> Result<UnixTime, Box<dyn Error>> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(UnixTime::new(since.as_secs().try_into()?, since.subsec_nanos()))
}

pub(crate) fn run(folder: &Path, now: UnixTime, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    // The store signs timestamps and snapshots itself. Its keys rest in its journal, sealed by a master key, and the file
    // of that is opened by a key file here; in earnest that one lies on another disk, or a passphrase takes its place.
    let key_file = folder.join("key-file");
    create_key_file(&key_file)?;
    let master = MasterKeyFile::create(&folder.join("master-key"), Opener::KeyFile(&key_file))?;
    let options = Options::default().with_online_keys(master.online_keys(KeyAlgorithm::Ed25519)?);
    let store = Store::open(folder.join("store"), options.clone())?;

    // Somebody who wants to publish asks for the store's public keys, and lists them in a root of their own.
    let alpine: RepositoryName = "docker.io/library/alpine".parse()?;
    let online = OnlineKeysOfServer {
        timestamp: store.online_key(&alpine, OnlineRole::Timestamp)?,
        snapshot: Some(store.online_key(&alpine, OnlineRole::Snapshot)?),
    };
    let mut author = Author::begin(alpine.clone(), AuthorKeys::generate()?, online, now)?;
    author.set_tag("3.21", sha256(b"the manifest of 3.21"), 528);
    author.set_tag("3.22", sha256(b"the manifest of 3.22"), 528);
    let first = author.sign(now)?;
    let receipt = store.publish(&alpine, &first.upload, now)?;
    writeln!(out, "published {alpine}, revision {}:", receipt.revision.get())?;
    for (role, version, sha256) in &receipt.documents {
        writeln!(out, "  {role} version {version}, sha256 {sha256}")?;
    }

    // From here on a lookup answers from memory. It says until when the answer may be relied on.
    for tag in ["3.22", "edge"] {
        match store.lookup("docker.io/library/alpine", tag, now)? {
            Lookup::Found(found) => writeln!(
                out,
                "{tag} is sha256:{}, {} bytes, by {}, until {}",
                found.target.sha256, found.target.length, found.target.from, found.fresh_until
            )?,
            Lookup::NoSuchTag => writeln!(out, "{tag} is no tag of it")?,
            Lookup::NoSuchRepository => writeln!(out, "nothing is published under this name")?,
            Lookup::Expired { role, since } => writeln!(out, "{role} expired at {since}: do not rely on it")?,
        }
    }

    // A view pins one publication: what is published meanwhile does not change what it answers.
    let view = store.view(&alpine)?.ok_or("it was just published")?;
    let mut author = first.next;
    author.set_tag("3.22", sha256(b"a rebuilt manifest of 3.22"), 529);
    let second = author.sign(now)?;
    store.publish(&alpine, &second.upload, now)?;
    let newer = store.view(&alpine)?.ok_or("it was just published")?;
    for view in [&view, &newer] {
        if let Lookup::Found(found) = view.lookup("3.22", now) {
            writeln!(out, "revision {} has 3.22 at {}", view.revision().get(), found.target.sha256)?;
        }
    }

    // What is refused is explained, and changes nothing.
    if let Err(refused) = store.publish(&alpine, &second.upload, now) {
        writeln!(out, "sent again: {refused} ({:?} has to act)", refused.fault())?;
    }

    // The feed tells what happened, in order and complete, from any position on.
    store.close()?;
    drop(store);
    let store = Store::open(folder.join("store"), options)?;
    for change in store.changes(Position::START) {
        let change = change?;
        match change.kind {
            ChangeKind::Published { version, .. } => {
                writeln!(out, "{}: {}, timestamp {version}", change.position, change.repository)?;
            }
            ChangeKind::Deleted => writeln!(out, "{}: {} deleted", change.position, change.repository)?,
            ChangeKind::Restored { .. } | _ => {
                writeln!(out, "{}: {} restored", change.position, change.repository)?;
            }
        }
    }
    Ok(())
}
