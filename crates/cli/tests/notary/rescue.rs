//! What `docs/operate.md` says of each file that expires, and of keys that are lost: which way out works, and which does not.
//!
//! A client loads what is published before it signs. So it renews in time, and nothing at the top once it has expired.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use tufstore::crypto::{KeyAlgorithm, OnlineRole};
use tufstore::metadata::write::AuthorKey;
use tufstore::terms::{RepositoryName, RoleName, Threshold, UnixTime};
use tufstore::{Options, Store, Upload, View};
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_keys::{MasterKeyFile, Opener, PrivateKey};
use tufstore_testkit::{copy, digest};

use crate::NAME;
use crate::client::{Client, Said, Served};
use crate::serving::{Server, publish_tag};

const RELEASES: &str = "targets/releases";
/// How long files of tags last, and roots and their certificates, in days.
const TAGS_LAST: u64 = 3 * 365;
const ROOTS_LAST: u64 = 10 * 365;
/// By how much a root was signed later than its certificate, where the certificate alone has expired.
const YEAR: u64 = 365;
/// From then on `check --within 30d` names it, and clients take it still.
const SOON: u64 = 20;
const KEYS_OPEN_BY: &[u8] = b"a passphrase";

fn days_ago(days: u64) -> UnixTime {
    #[expect(clippy::disallowed_methods, reason = "the clock that the server and the clients go by")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = since.checked_sub(Duration::from_hours(24 * days)).unwrap();
    UnixTime::from_seconds(i64::try_from(then.as_secs()).unwrap())
}

/// A server's store while no server runs: nobody's clock can be set back, so the past is written into it.
struct Past {
    folder: TempDir,
    store: Store,
    author: Author,
}

impl Past {
    /// With a root key whose certificate is so old.
    fn begin(days: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("store");
        // The keys that it makes have to sign the past as well.
        assert!(Server::start(&data, &[]).stop().success());
        let opener = folder.path().join("store.key");
        let master = MasterKeyFile::open(&data.join("master"), Opener::KeyFile(&opener)).unwrap();
        let keys = master.online_keys(KeyAlgorithm::EcdsaP256).unwrap();
        let store = Store::open(&data, Options::default().with_online_keys(keys)).unwrap();
        let name: RepositoryName = NAME.parse().unwrap();
        let key = |role| store.online_key(&name, role).unwrap();
        let (timestamp, snapshot) = (key(OnlineRole::Timestamp), Some(key(OnlineRole::Snapshot)));
        let online = OnlineKeysOfServer { timestamp, snapshot };
        let author = Author::begin(name, AuthorKeys::generate().unwrap(), online, days_ago(days)).unwrap();
        Self { folder, store, author }
    }

    /// A tag, published so long ago; `without` the file of a role, as by somebody who lacks its key.
    fn publish(&mut self, tag: &str, days: u64, without: Option<&RoleName>) {
        self.author.set_tag(tag, digest(tag), 2);
        let signed = self.author.sign(days_ago(days)).unwrap();
        let files = signed.upload.files().filter(|(role, _)| Some(*role) != without);
        let upload = files.fold(Upload::new(), |all, (role, bytes)| all.with(role.clone(), bytes.clone()));
        self.store.publish(self.author.repository(), &upload, days_ago(days)).unwrap();
        self.author = signed.next;
    }

    fn targets(days: u64) -> Self {
        let mut past = Self::begin(days);
        past.publish("v1", days, None);
        past
    }

    /// The certificate is as old as the root, as it is of whoever never rotated.
    fn root(days: u64) -> Self {
        let mut past = Self::targets(days);
        past.publish("v2", SOON + 5, Some(&RoleName::Root));
        past
    }

    /// The root was signed anew since.
    fn certificate(days: u64) -> Self {
        let mut past = Self::begin(days);
        past.publish("v1", days - YEAR, None);
        past.publish("v2", SOON + 5, None);
        past
    }

    fn delegation(days: u64) -> Self {
        let mut past = Self::begin(days);
        let (role, key): (RoleName, _) =
            (RELEASES.parse().unwrap(), PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
        past.author.hold(&role, key.clone());
        let listed = [AuthorKey::bare(key.public().clone())];
        past.author.add_delegation(&role, listed, &[""], Threshold::ONE).unwrap();
        past.author.set_tag_in(&role, "d1", digest("d1"), 2).unwrap();
        past.publish("v1", days, None);
        past.publish("v2", SOON + 5, None);
        past
    }

    fn end(self) -> Today {
        let Self { folder, store, author } = self;
        let view = store.view(author.repository()).unwrap().unwrap();
        store.close().unwrap();
        drop(store);
        let data = folder.path().join("store");
        let mut served = Served { folder, server: Server::start(&data, &["--no-tls"]) };
        served.server.url = served.server.url.replace("https:", "http:");
        let (owner, known) = (served.client(), served.client());
        author.keys().save(owner.path("trust"), Some(KEYS_OPEN_BY)).unwrap();
        let cache = format!("trust/tuf/{NAME}/metadata");
        for document in view.documents() {
            let file = format!("{cache}/{}.json", document.role());
            std::fs::create_dir_all(known.path(&file).parent().unwrap()).unwrap();
            known.write(&file, document.bytes());
        }
        copy(&known.path("trust"), &owner.path("trust"));
        Today { served, owner, known, view }
    }
}

/// The server runs again.
struct Today {
    served: Served,
    /// Has every key, and what was published in its cache.
    owner: Client,
    /// Has the cache.
    known: Client,
    view: View,
}

impl Today {
    fn fresh(&self) -> usize {
        self.served.client().list(NAME).len()
    }

    /// What no client of Notary's does: goes on from files that have expired.
    fn sign_anew(&self, change: impl FnOnce(&mut Author)) {
        let keys = AuthorKeys::load(self.owner.path("trust"), Some(KEYS_OPEN_BY)).unwrap();
        let mut author = Author::resume(NAME.parse().unwrap(), keys, &self.view).unwrap();
        change(&mut author);
        let author = publish_tag(&self.served.server, author, "anew", days_ago(0));
        author.keys().save(self.owner.path("trust"), Some(KEYS_OPEN_BY)).unwrap();
    }
}

/// The exit code of `tufstore check`, and whether it says each of these.
#[track_caller]
fn check(served: &Served, code: i32, says: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tufstore"));
    let output = command.args(["check", "--within", "30d", "--data"]).arg(served.data()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(says.iter().all(|word| said.contains(word)), "{says:?}: {said}");
}

fn add(by: &Client, tag: &str, role: &str) -> Said {
    let file = by.write("content", tag.as_bytes());
    by.run(&["add", "-p", NAME, tag, &file, "--roles", role])
}

#[test]
fn targets_are_published_over_in_time_and_expired_ones_by_the_library() {
    let today = Past::targets(TAGS_LAST - SOON).end();
    check(&today.served, 1, &["targets expires"]);
    today.owner.tag(NAME, "v2", "x");
    check(&today.served, 0, &[]);

    let today = Past::targets(TAGS_LAST + 1).end();
    check(&today.served, 3, &["targets expired"]);
    add(&today.owner, "v2", "targets").fails("targets expired at");
    today.sign_anew(|author| author.renew(&RoleName::Targets).unwrap());
    check(&today.served, 0, &[]);
    assert_eq!((today.fresh(), today.known.list(NAME).len()), (2, 2));
    today.owner.run(&["publish", NAME]).ok();
    assert_eq!(today.fresh(), 3, "the tag that could not be published before");
}

#[test]
fn a_root_key_is_rotated_in_time_and_an_expired_root_by_the_library() {
    let today = Past::root(ROOTS_LAST - SOON).end();
    check(&today.served, 1, &["root expires", "the certificate of root key"]);
    rotated_in_time(&today);

    let today = Past::root(ROOTS_LAST + 1).end();
    check(&today.served, 3, &["root expired", "the certificate of root key"]);
    rotated_too_late(&today);
}

#[test]
fn a_root_key_is_rotated_in_time_and_one_with_an_expired_certificate_by_the_library() {
    let today = Past::certificate(ROOTS_LAST - SOON).end();
    check(&today.served, 1, &["the certificate of root key"]);
    rotated_in_time(&today);

    let today = Past::certificate(ROOTS_LAST + 1).end();
    check(&today.served, 3, &["the certificate of root key"]);
    rotated_too_late(&today);
}

fn rotated_in_time(today: &Today) {
    today.owner.run(&["key", "rotate", NAME, "root"]).ok();
    check(&today.served, 0, &[]);
    assert_eq!((today.fresh(), today.known.list(NAME).len()), (2, 2));
}

fn rotated_too_late(today: &Today) {
    const NO_CERTIFICATE: &str = "unable to retrieve valid leaf certificates";
    today.known.run(&["list", NAME]).fails(NO_CERTIFICATE);
    today.owner.run(&["key", "rotate", NAME, "root"]).fails(NO_CERTIFICATE);
    today.sign_anew(|author| author.rotate_root(days_ago(0)).unwrap());
    check(&today.served, 0, &[]);
    assert_eq!(today.fresh(), 3);
    // The root in the cache has the certificate that expired.
    for client in [&today.known, &today.owner] {
        client.run(&["list", NAME]).fails(NO_CERTIFICATE);
        client.run(&["delete", NAME]).ok();
        assert_eq!(client.list(NAME).len(), 3);
    }
    today.owner.tag(NAME, "v3", "x");
    assert_eq!(today.fresh(), 4);
}

#[test]
fn whatever_has_expired_can_be_begun_anew() {
    for past in [Past::targets(TAGS_LAST + 1), Past::certificate(ROOTS_LAST + 1)] {
        let today = past.end();
        today.owner.run(&["delete", "--remote", NAME]).ok();
        today.owner.begin(NAME, "v1");
        check(&today.served, 0, &[]);
        assert_eq!(today.fresh(), 1);
        today.known.run(&["list", NAME]).fails("could not");
        today.known.run(&["delete", NAME]).ok();
        assert_eq!(today.known.list(NAME).len(), 1);
    }
}

#[test]
fn a_delegation_is_published_over_in_time_and_an_expired_one_witnessed() {
    let today = Past::delegation(TAGS_LAST - SOON).end();
    check(&today.served, 1, &["targets/releases expires"]);
    add(&today.owner, "d2", RELEASES).ok();
    check(&today.served, 0, &[]);
    assert_eq!(today.fresh(), 4);

    let today = Past::delegation(TAGS_LAST + 1).end();
    check(&today.served, 3, &["targets/releases expired"]);
    assert_eq!(today.fresh(), 2, "clients skip it");
    add(&today.owner, "d2", RELEASES).fails("trust server rejected operation");
    today.owner.run(&["reset", NAME, "--all"]).ok();
    today.owner.run(&["witness", "-p", NAME, RELEASES]).ok();
    check(&today.served, 0, &[]);
    assert_eq!(today.fresh(), 3);
    add(&today.owner, "d2", RELEASES).ok();
    assert_eq!(today.fresh(), 4);
}

#[test]
fn a_delegation_whose_keys_are_lost_is_removed_and_added_with_another() {
    let served = Served::new(&[]);
    let (owner, alice, bob) = (served.client(), served.client(), served.client());
    owner.begin(NAME, "v1");
    owner.run(&["key", "rotate", NAME, "snapshot", "-r"]).ok();
    let (certificate, key) = alice.certificate("alice", "alice");
    owner.run(&["delegation", "add", "-p", NAME, RELEASES, &certificate, "--all-paths"]).ok();
    alice.import(&key, RELEASES);
    add(&alice, "v2", RELEASES).ok();
    // Hers is taken off the list, and the key that follows it is lost before it signs.
    let listed = owner.run(&["delegation", "list", NAME]).ok().stdout;
    let hers = listed.split_whitespace().find(|word| word.len() == 64).unwrap();
    let (certificate, _) = alice.certificate("lost", "lost");
    owner.run(&["delegation", "add", NAME, RELEASES, &certificate]).ok();
    owner.run(&["delegation", "remove", "-y", NAME, RELEASES, hers]).ok();
    owner.run(&["publish", NAME]).ok();
    check(&served, 1, &[RELEASES]);

    owner.run(&["delegation", "remove", "-p", "-y", NAME, RELEASES]).ok();
    let (certificate, key) = bob.certificate("bob", "bob");
    owner.run(&["delegation", "add", "-p", NAME, RELEASES, &certificate, "--all-paths"]).ok();
    check(&served, 0, &[]);
    bob.import(&key, RELEASES);
    add(&bob, "v3", RELEASES).ok();
    let mut seen = served.client().list(NAME);
    seen.sort();
    let expected = [("v1", "targets"), ("v3", RELEASES)].map(|(tag, role)| (tag.to_owned(), role.to_owned()));
    assert_eq!(seen, expected, "what alice signed is gone");
    served.client().run(&["lookup", NAME, "v3"]).ok();
}
