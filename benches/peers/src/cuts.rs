//! Power cuts and flipped bits under the engine and under other stores.
//!
//! A process of each commits, durably as its documentation has it, and acknowledges each commit by appending to a file. What it
//! wrote and synced is recorded below the binary; what a disk could hold after a cut at any moment is built from that, and
//! opened by another process. The recorder and the disk are those of the command line's own test.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tufstore::{Lookup, Options, Store};
use tufstore_testkit::device::Survival;
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use crate::disk::Disk;
use crate::recorder::{self, Entry, Recording};
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Commits in each of the two sessions that are recorded.
    #[arg(long, default_value_t = 30)]
    commits: u64,
    /// Flipped bits.
    #[arg(long, default_value_t = 500)]
    flips: usize,
    /// Only this one.
    #[arg(long)]
    only: Option<Peer>,
    /// What the processes under test do; for this program's own use.
    #[arg(long, hide = true, num_args = 4)]
    child: Option<Vec<String>>,
}

#[derive(Clone, Copy, clap::ValueEnum, Debug, PartialEq)]
enum Peer {
    Tufstore,
    Redb,
    Lmdb,
    SqliteWal,
    SqliteDelete,
    Sled,
    SledSynced,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Tufstore => "tufstore",
            Self::Redb => "redb",
            Self::Lmdb => "LMDB",
            Self::SqliteWal => "SQLite, WAL, synchronous=FULL",
            Self::SqliteDelete => "SQLite, DELETE, synchronous=EXTRA",
            Self::Sled => "sled, flush",
            Self::SledSynced => "sled, flush and fdatasync",
        }
    }
}

/// What a process finds that opens what is left. As its exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    Everything,
    /// It says that something is wrong.
    Error,
    Lost,
    /// Half a commit, or another value than was written.
    False,
    /// It says that something is wrong when nothing had been acknowledged.
    Unmade,
    /// It panicked, or was killed by a signal.
    Crash,
    Hang,
}

/// One that is opened, takes pairs, and gives them back.
trait Pairs {
    /// Both, under keys 2n and 2n + 1, in one durable commit.
    fn commit(&mut self, number: u64, values: [&[u8]; 2]) -> Result<(), String>;
    fn get(&mut self, key: u64) -> Result<Option<Vec<u8>>, String>;
}

fn value(key: u64) -> Vec<u8> {
    let mut value = vec![0; 900];
    StdRng::seed_from_u64(key).fill(&mut value[..]);
    value
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("pairs");

struct Redb(redb::Database);

impl Pairs for Redb {
    fn commit(&mut self, number: u64, values: [&[u8]; 2]) -> Result<(), String> {
        let writing = self.0.begin_write().map_err(said)?;
        {
            let mut table = writing.open_table(TABLE).map_err(said)?;
            for (key, value) in (number * 2..).zip(values) {
                table.insert(key, value).map_err(said)?;
            }
        }
        writing.commit().map_err(said)
    }

    fn get(&mut self, key: u64) -> Result<Option<Vec<u8>>, String> {
        use redb::ReadableDatabase as _;
        let reading = self.0.begin_read().map_err(said)?;
        match reading.open_table(TABLE) {
            Ok(table) => Ok(table.get(key).map_err(said)?.map(|value| value.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(said(error)),
        }
    }
}

struct Lmdb(heed::Env, heed::Database<heed::types::Bytes, heed::types::Bytes>);

impl Lmdb {
    fn open(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(said)?;
        // SAFETY: this process alone has the folder, once. What is wrong in it may still end the process, which is counted.
        let env = unsafe { heed::EnvOpenOptions::new().map_size(64 << 20).open(folder) }.map_err(said)?;
        let mut writing = env.write_txn().map_err(said)?;
        let pairs = env.create_database(&mut writing, None).map_err(said)?;
        writing.commit().map_err(said)?;
        Ok(Self(env, pairs))
    }
}

impl Pairs for Lmdb {
    fn commit(&mut self, number: u64, values: [&[u8]; 2]) -> Result<(), String> {
        let mut writing = self.0.write_txn().map_err(said)?;
        for (key, value) in (number * 2..).zip(values) {
            self.1.put(&mut writing, &key.to_be_bytes(), value).map_err(said)?;
        }
        writing.commit().map_err(said)
    }

    fn get(&mut self, key: u64) -> Result<Option<Vec<u8>>, String> {
        let reading = self.0.read_txn().map_err(said)?;
        Ok(self.1.get(&reading, &key.to_be_bytes()).map_err(said)?.map(<[u8]>::to_vec))
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(folder: &Path, settings: &str) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(said)?;
        let database = rusqlite::Connection::open(folder.join("sqlite")).map_err(said)?;
        database.execute_batch(settings).map_err(said)?;
        database
            .execute_batch("CREATE TABLE IF NOT EXISTS pairs (key INTEGER PRIMARY KEY, value BLOB)")
            .map_err(said)?;
        Ok(Self(database))
    }
}

impl Pairs for Sqlite {
    fn commit(&mut self, number: u64, values: [&[u8]; 2]) -> Result<(), String> {
        let writing = self.0.transaction().map_err(said)?;
        for (key, value) in (number * 2..).zip(values) {
            writing.execute("INSERT INTO pairs VALUES (?1, ?2)", (key as i64, value)).map_err(said)?;
        }
        writing.commit().map_err(said)
    }

    fn get(&mut self, key: u64) -> Result<Option<Vec<u8>>, String> {
        let mut reading = self.0.prepare_cached("SELECT value FROM pairs WHERE key = ?1").map_err(said)?;
        let mut rows = reading.query((key as i64,)).map_err(said)?;
        rows.next().map_err(said)?.map(|row| row.get(0)).transpose().map_err(said)
    }
}

struct Sled(sled::Db, Option<File>);

impl Sled {
    fn open(folder: &Path, synced: bool) -> Result<Self, String> {
        let database = sled::Config::new().path(folder).flush_every_ms(None).open().map_err(said)?;
        let file = File::options().read(true).write(true).open(folder.join("db"));
        Ok(Self(database, if synced { Some(file.map_err(said)?) } else { None }))
    }
}

impl Pairs for Sled {
    fn commit(&mut self, number: u64, values: [&[u8]; 2]) -> Result<(), String> {
        let mut batch = sled::Batch::default();
        for (key, value) in (number * 2..).zip(values) {
            batch.insert(&key.to_be_bytes(), value);
        }
        self.0.apply_batch(batch).map_err(said)?;
        self.0.flush().map_err(said)?;
        self.1.as_ref().map_or(Ok(()), |file| file.sync_data().map_err(said))
    }

    fn get(&mut self, key: u64) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(key.to_be_bytes()).map_err(said)?.map(|value| value.to_vec()))
    }
}

/// Its pairs are publications: one of a tag's digest, in a repository of each session.
struct Ours {
    store: Store,
    publisher: Option<Publisher>,
}

fn session(number: u64, commits: u64) -> String {
    format!("example.com/session-{}", number / commits)
}

impl Ours {
    fn open(folder: &Path) -> Result<Self, String> {
        let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
        Ok(Self { store: Store::open(folder, options).map_err(said)?, publisher: None })
    }

    fn commit(&mut self, number: u64, commits: u64) -> Result<(), String> {
        let publisher = self
            .publisher
            .get_or_insert_with(|| Publisher::for_store(&session(number, commits), &self.store));
        publisher.tag(&[("latest", digest(&number.to_string()))]);
        publisher.publish(&self.store).map(drop).map_err(said)
    }

    /// Like [`found`], from the newest publication of each session and all the bytes that are stored.
    fn found(&self, acknowledged: u64, commits: u64) -> Result<Found, String> {
        let mut there = 0;
        for first in [0, commits] {
            let name = session(first, commits).parse().map_err(said)?;
            let Some(view) = self.store.view(&name).map_err(said)? else { continue };
            let revisions = view.revision().get();
            let newest = digest(&(first + revisions - 1).to_string());
            match self.store.lookup(&session(first, commits), "latest", NOW).map_err(said)? {
                Lookup::Found(found) if found.target.sha256 == newest => there += revisions,
                _ => return Ok(Found::False),
            }
        }
        let scrubbed = self.store.scrub(&mut |_| true).map_err(said)?;
        if scrubbed.is_none_or(|report| !report.findings.is_empty()) {
            return Ok(Found::Error);
        }
        Ok(if there < acknowledged {
            Found::Lost
        } else if there > acknowledged + 1 {
            Found::False
        } else {
            Found::Everything
        })
    }
}

fn open(peer: Peer, folder: &Path) -> Result<Box<dyn Pairs>, String> {
    Ok(match peer {
        Peer::Redb => {
            fs::create_dir_all(folder).map_err(said)?;
            Box::new(Redb(redb::Database::create(folder.join("redb")).map_err(said)?))
        }
        Peer::Lmdb => Box::new(Lmdb::open(folder)?),
        Peer::SqliteWal => {
            Box::new(Sqlite::open(folder, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")?)
        }
        Peer::SqliteDelete => {
            Box::new(Sqlite::open(folder, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA")?)
        }
        Peer::Sled | Peer::SledSynced => Box::new(Sled::open(folder, matches!(peer, Peer::SledSynced))?),
        Peer::Tufstore => return Err("has publications, not pairs".to_owned()),
    })
}

/// All that was acknowledged is there, and at most one commit more, which is whole.
fn found(pairs: &mut dyn Pairs, acknowledged: u64) -> Result<Found, String> {
    for number in 0..=acknowledged + 1 {
        let both = [pairs.get(number * 2)?, pairs.get(number * 2 + 1)?];
        match both {
            [Some(one), Some(other)] if one == value(number * 2) && other == value(number * 2 + 1) => {
                if number > acknowledged {
                    return Ok(Found::False);
                }
            }
            [None, None] if number >= acknowledged => {}
            [None, None] => return Ok(Found::Lost),
            [Some(_), Some(_)] | [Some(_), None] | [None, Some(_)] => return Ok(Found::False),
        }
    }
    Ok(Found::Everything)
}

/// Commits as many as there are in a session, from the first that is not there, or looks at what is there.
fn child(peer: Peer, what: &str, folder: &Path, commits: u64, number: u64) -> Result<Found, String> {
    let place = folder.join("store");
    if what == "check" {
        return match peer {
            Peer::Tufstore => Ours::open(&place)?.found(number, commits),
            _ => found(&mut *open(peer, &place)?, number),
        };
    }
    let mut acks = File::options().create(true).append(true).open(folder.join("acks")).map_err(said)?;
    let mut ours = matches!(peer, Peer::Tufstore).then(|| Ours::open(&place)).transpose()?;
    let mut theirs = if ours.is_none() { Some(open(peer, &place)?) } else { None };
    if theirs.is_some() {
        // That the names of its folder and files are durable is left to the user by most.
        for folder in [&place, folder] {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(said)?;
        }
    }
    for number in number..number + commits {
        match (&mut ours, &mut theirs) {
            (Some(ours), _) => ours.commit(number, commits)?,
            (None, Some(theirs)) => {
                theirs.commit(number, [&value(number * 2), &value(number * 2 + 1)])?;
            }
            (None, None) => return Err("nothing was opened".to_owned()),
        }
        acks.write_all(b"a").map_err(said)?;
    }
    Ok(Found::Everything)
}

fn command(peer: Peer, what: &str, folder: &Path, commits: u64, number: u64) -> Command {
    use clap::ValueEnum as _;
    let mut command = Command::new(std::env::current_exe().unwrap());
    let peer = peer.to_possible_value().unwrap();
    command.args(["cuts", "--commits", &commits.to_string(), "--child", peer.get_name(), what]);
    command.arg(folder).arg(number.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn check(peer: Peer, folder: &Path, commits: u64, acknowledged: u64) -> Found {
    const PATIENCE: Duration = Duration::from_secs(30);
    let mut child = command(peer, "check", folder, commits, acknowledged).spawn().unwrap();
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let all = [Found::Everything, Found::Error, Found::Lost, Found::False];
            return status
                .code()
                .and_then(|code| all.get(usize::try_from(code).ok()?).copied())
                .unwrap_or(Found::Crash);
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return Found::Hang;
        }
        thread::sleep(Duration::from_micros(500));
    }
}

fn record(peer: Peer, commits: u64) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let library = recorder::library(folder.path());
    for number in [0, commits] {
        let status = command(peer, "write", &root, commits, number)
            .env("LD_PRELOAD", &library)
            .env("RECORDER_ROOT", &root)
            .env("RECORDER_LOG", folder.path().join("log"))
            .status()
            .unwrap();
        assert!(status.success(), "{peer:?}: {status}");
    }
    Recording::read(&folder.path().join("log"))
}

/// On all cores: what each number leads to.
fn all(count: usize, mut work: Vec<Box<dyn FnMut(usize) -> Vec<Found> + Send + '_>>) -> Vec<Found> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for work in &mut work {
            let (next, results) = (&next, &results);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let found = work(at);
                    results.lock().unwrap().extend(found);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

fn threads() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

fn cuts(peer: Peer, recording: &Recording, commits: u64) -> Vec<Found> {
    let entries = &recording.entries;
    let work = || {
        let (mut disk, mut played, mut acknowledged) = (Disk::new(), 0, 0);
        let work = move |cut: usize| {
            for entry in &entries[played..cut] {
                acknowledged += u64::from(matches!(entry, Entry::Write { path, .. } if path == "acks"));
                disk.play(entry);
            }
            played = cut;
            let seed = cut as u64;
            let survivals = [
                Survival::Dropped,
                Survival::Kept,
                Survival::Torn { piece: 512, seed },
                Survival::Torn { piece: 4_096, seed },
                Survival::Reordered { piece: 512, seed },
                Survival::Reordered { piece: 4_096, seed },
            ];
            let one = |survival| {
                let folder = tempfile::tempdir().unwrap();
                disk.left_in(survival, folder.path());
                match check(peer, folder.path(), commits, acknowledged) {
                    Found::Error if acknowledged == 0 => Found::Unmade,
                    found => found,
                }
            };
            survivals.map(one).to_vec()
        };
        Box::new(work) as Box<dyn FnMut(usize) -> Vec<Found> + Send + '_>
    };
    all(entries.len() + 1, (0..threads()).map(|_| work()).collect())
}

/// One bit in a byte that is not zero, in any file but the one of LMDB's locks.
fn flips(peer: Peer, recording: &Recording, commits: u64, count: usize) -> Vec<Found> {
    let mut disk = Disk::new();
    for entry in &recording.entries {
        disk.play(entry);
    }
    let whole = tempfile::tempdir().unwrap();
    disk.left_in(Survival::Kept, whole.path());
    let mut files = Vec::new();
    let mut folders = vec![whole.path().join("store")];
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.file_name().is_some_and(|name| name != "lock.mdb") {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    let places: Vec<_> = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, bytes))| {
            let used = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
            used.map(move |(at, _)| (file, at))
        })
        .collect();
    let work = || {
        let (files, places, whole) = (&files, &places, &whole);
        let work = move |at: usize| {
            let mut random = StdRng::seed_from_u64(at as u64);
            let (file, place) = places[random.random_range(0..places.len())];
            let folder = tempfile::tempdir().unwrap();
            tufstore_testkit::copy(&whole.path().join("store"), &folder.path().join("store"));
            let (path, bytes) = &files[file];
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << random.random_range(0..8);
            fs::write(folder.path().join(path.strip_prefix(whole.path()).unwrap()), bytes).unwrap();
            vec![check(peer, folder.path(), commits, commits * 2)]
        };
        Box::new(work) as Box<dyn FnMut(usize) -> Vec<Found> + Send + '_>
    };
    all(count, (0..threads()).map(|_| work()).collect())
}

pub(crate) fn run(args: &Args) {
    use clap::ValueEnum as _;
    if let Some(child) = &args.child {
        let [peer, what, folder, number] = &child[..] else { panic!("{child:?}") };
        let peer = Peer::from_str(peer, false).unwrap();
        let found = self::child(peer, what, Path::new(folder), args.commits, number.parse().unwrap());
        std::process::exit(found.unwrap_or_else(|error| {
            eprintln!("{error}");
            Found::Error
        }) as i32);
    }
    let heads = [
        "",
        "tried",
        "everything there",
        "an error before the first commit",
        "an error",
        "lost",
        "false",
        "crash",
        "hang",
    ];
    let (mut cut, mut flipped) = (Vec::new(), Vec::new());
    for peer in Peer::value_variants() {
        if args.only.is_some_and(|only| only != *peer) {
            continue;
        }
        let row = |found: &[Found]| {
            let kinds = [
                Found::Everything,
                Found::Unmade,
                Found::Error,
                Found::Lost,
                Found::False,
                Found::Crash,
                Found::Hang,
            ];
            let counts = kinds.map(|kind| found.iter().filter(|found| **found == kind).count());
            let counts = [found.len()].into_iter().chain(counts).map(|count| count.to_string());
            [peer.name().to_owned()].into_iter().chain(counts).collect::<Vec<_>>()
        };
        let recording = record(*peer, args.commits);
        cut.push(row(&cuts(*peer, &recording, args.commits)));
        flipped.push(row(&flips(*peer, &recording, args.commits, args.flips)));
    }
    table::print("Power cuts, at each write and sync with six kinds of loss", &heads, &cut);
    table::print("One bit flipped", &heads, &flipped);
}
