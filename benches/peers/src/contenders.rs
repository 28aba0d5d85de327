//! What answers: each holds the same tags, in the way its users would hold them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tufstore::terms::{RoleName, Sha256, UnixTime};
use tufstore::{Lookup, Options, Store};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use crate::questions::{repository, tag};

/// Digest and length, as a user would store them beside a tag.
pub(crate) type Value = [u8; 48];

/// What [`Contender::lookup`] is.
pub(crate) type Ask<'a> = dyn Fn(&str, &str, &str) -> Option<u64> + 'a;

/// One that is asked.
pub(crate) trait Contender: Sync {
    fn name(&self) -> &'static str;

    /// Eight bytes of the digest, or nothing.
    fn lookup(&self, repository: &str, tag: &str, key: &str) -> Option<u64>;

    /// One after the other, in the way that is made for a stretch of them.
    fn stretch(&self, work: &mut dyn FnMut(&Ask<'_>)) {
        work(&|repository, tag, key| self.lookup(repository, tag, key));
    }

    /// Many at once: `None` if it knows no better than one after the other.
    fn lookup_many(&self, _: &[(&str, &str)]) -> Option<u64> {
        None
    }

    /// Keeps its data on disk.
    fn is_disk(&self) -> bool {
        false
    }
}

/// Every tag and what it stands for.
pub(crate) fn each(sizes: &[usize], mut put: impl FnMut(&str, &str, Value)) {
    for (number, size) in sizes.iter().enumerate() {
        let name = repository(number);
        for at in 0..*size {
            put(&name, &tag(at), value(number, at));
        }
    }
}

fn content(number: usize, at: usize) -> Sha256 {
    digest(&format!("{number}/{at}"))
}

fn value(number: usize, at: usize) -> Value {
    let mut value = [0; 48];
    value[..32].copy_from_slice(content(number, at).as_bytes());
    value[32] = 10;
    value
}

fn eight(value: &[u8]) -> u64 {
    u64::from_le_bytes(value[..8].try_into().unwrap())
}

pub(crate) struct Ours {
    pub(crate) store: Store,
    pub(crate) now: UnixTime,
    /// Authors of some repositories, which are not the largest.
    authors: Mutex<Vec<Publisher>>,
}

impl Ours {
    pub(crate) fn new(folder: &Path, sizes: &[usize]) -> Self {
        let open = |memory: u64| {
            let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
            Store::open(folder.join("tufstore"), options.with_memory(memory)).unwrap()
        };
        let store = open(64 << 20);
        let mut authors = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let author = Self::publish(&store, number, *size);
            if number % 250 == 125 {
                authors.push(author);
            }
        }
        // As a server is after a restart: each table comes with the first lookup, and documents with none.
        drop(store);
        let store = open(u64::MAX);
        for number in 0..sizes.len() {
            assert!(matches!(store.lookup(&repository(number), &tag(0), NOW).unwrap(), Lookup::Found(_)));
        }
        Self { store, now: NOW, authors: Mutex::new(authors) }
    }

    fn publish(store: &Store, number: usize, size: usize) -> Publisher {
        let mut publisher = Publisher::for_store(&repository(number), store);
        let tags: Vec<_> = (0..size).map(|at| (tag(at), content(number, at))).collect();
        let tags: Vec<_> = tags.iter().map(|(tag, content)| (tag.as_str(), *content)).collect();
        publisher.tag(&tags);
        publisher.publish(store).unwrap();
        publisher
    }
}

impl Ours {
    /// Moves a tag of one repository after the other, until `ended`: how often a second.
    pub(crate) fn publish_on(&self, rate: u32, ended: &AtomicBool) -> f64 {
        let mut authors = self.authors.lock().unwrap();
        let began = Instant::now();
        let mut count = 0;
        for at in (0..authors.len()).cycle() {
            if ended.load(Ordering::Relaxed) {
                break;
            }
            // What the tag stood for before, so that the answers stay.
            authors[at].set_now(self.now.after(Duration::from_secs(count.into())));
            authors[at].tag(&[(&tag(0), content(125 + 250 * at, 0))]);
            let receipt = authors[at].publish(&self.store).unwrap();
            assert!(receipt.documents.iter().any(|(role, ..)| *role == RoleName::Targets));
            count += 1;
            let due = began + Duration::from_secs(1) / rate * count;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    }
}

fn ours(answer: Lookup) -> Option<u64> {
    match answer {
        Lookup::Found(found) => Some(eight(found.target.sha256.as_bytes())),
        Lookup::NoSuchTag | Lookup::NoSuchRepository => None,
        Lookup::Expired { .. } => panic!("nothing expires here"),
    }
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        "tufstore"
    }

    #[inline]
    fn lookup(&self, repository: &str, tag: &str, _: &str) -> Option<u64> {
        ours(self.store.lookup(repository, tag, self.now).unwrap())
    }

    fn lookup_many(&self, questions: &[(&str, &str)]) -> Option<u64> {
        let answers = self.store.lookup_many(questions, self.now).unwrap();
        Some(answers.into_iter().filter_map(ours).fold(0, |all, one| all ^ one))
    }
}

pub(crate) struct Std(HashMap<Box<str>, Value>);

impl Std {
    pub(crate) fn new(sizes: &[usize]) -> Self {
        let mut map = HashMap::with_capacity(sizes.iter().sum());
        each(sizes, |repository, tag, value| {
            map.insert(format!("{repository}\0{tag}").into(), value);
        });
        Self(map)
    }
}

impl Contender for Std {
    fn name(&self) -> &'static str {
        "std HashMap"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        self.0.get(key).map(|value| eight(value))
    }
}

pub(crate) struct Papaya(papaya::HashMap<Box<str>, Value, foldhash::fast::RandomState>);

impl Papaya {
    pub(crate) fn new(sizes: &[usize]) -> Self {
        let map = papaya::HashMap::builder()
            .capacity(sizes.iter().sum())
            .hasher(foldhash::fast::RandomState::default())
            .build();
        each(sizes, |repository, tag, value| {
            map.pin().insert(format!("{repository}\0{tag}").into(), value);
        });
        Self(map)
    }
}

impl Contender for Papaya {
    fn name(&self) -> &'static str {
        "papaya"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        self.0.pin().get(key).map(|value| eight(value))
    }

    fn stretch(&self, work: &mut dyn FnMut(&Ask<'_>)) {
        let pinned = self.0.pin();
        work(&|_, _, key| pinned.get(key).map(|value| eight(value)));
    }
}

pub(crate) struct Dash(dashmap::DashMap<Box<str>, Value, foldhash::fast::RandomState>);

impl Dash {
    pub(crate) fn new(sizes: &[usize]) -> Self {
        let map = dashmap::DashMap::with_capacity_and_hasher(
            sizes.iter().sum(),
            foldhash::fast::RandomState::default(),
        );
        each(sizes, |repository, tag, value| {
            map.insert(format!("{repository}\0{tag}").into(), value);
        });
        Self(map)
    }
}

impl Contender for Dash {
    fn name(&self) -> &'static str {
        "DashMap"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        self.0.get(key).map(|value| eight(&*value))
    }
}

pub(crate) struct Sled(sled::Tree, sled::Db);

impl Sled {
    pub(crate) fn new(folder: &Path, sizes: &[usize]) -> Self {
        let db = sled::Config::new().path(folder.join("sled")).cache_capacity(8 << 30).open().unwrap();
        let tree = db.open_tree("tags").unwrap();
        each(sizes, |repository, tag, value| {
            drop(tree.insert(format!("{repository}\0{tag}"), &value[..]).unwrap());
        });
        db.flush().unwrap();
        Self(tree, db)
    }
}

impl Contender for Sled {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        self.0.get(key).unwrap().map(|value| eight(&value))
    }

    fn is_disk(&self) -> bool {
        let _ = &self.1;
        true
    }
}

const TAGS: redb::TableDefinition<'_, &str, Value> = redb::TableDefinition::new("tags");

pub(crate) struct Redb(redb::ReadOnlyTable<&'static str, Value>, #[allow(dead_code)] redb::Database);

impl Redb {
    pub(crate) fn new(folder: &Path, sizes: &[usize]) -> Self {
        use redb::ReadableDatabase as _;
        let db = redb::Builder::new().set_cache_size(8 << 30).create(folder.join("redb")).unwrap();
        let write = db.begin_write().unwrap();
        {
            let mut table = write.open_table(TAGS).unwrap();
            each(sizes, |repository, tag, value| {
                drop(table.insert(format!("{repository}\0{tag}").as_str(), value).unwrap());
            });
        }
        write.commit().unwrap();
        let table = db.begin_read().unwrap().open_table(TAGS).unwrap();
        Self(table, db)
    }
}

impl Contender for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        self.0.get(key).unwrap().map(|value| eight(&value.value()))
    }

    fn is_disk(&self) -> bool {
        true
    }
}

pub(crate) struct Lmdb {
    env: heed::Env<heed::WithoutTls>,
    tags: heed::Database<heed::types::Bytes, heed::types::Bytes>,
}

impl Lmdb {
    pub(crate) fn new(folder: &Path, sizes: &[usize]) -> Self {
        let folder = folder.join("lmdb");
        std::fs::create_dir(&folder).unwrap();
        // Sound: nothing else opens this folder while it is mapped.
        let env =
            unsafe { heed::EnvOpenOptions::new().read_txn_without_tls().map_size(16 << 30).open(&folder) }
                .unwrap();
        let mut write = env.write_txn().unwrap();
        let tags = env.create_database(&mut write, None).unwrap();
        each(sizes, |repository, tag, value| {
            tags.put(&mut write, format!("{repository}\0{tag}").as_bytes(), &value[..]).unwrap();
        });
        write.commit().unwrap();
        Self { env, tags }
    }
}

impl Contender for Lmdb {
    fn name(&self) -> &'static str {
        "LMDB"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        let read = self.env.read_txn().unwrap();
        self.tags.get(&read, key.as_bytes()).unwrap().map(eight)
    }

    fn is_disk(&self) -> bool {
        true
    }
}

pub(crate) struct Sqlite(std::sync::Mutex<rusqlite::Connection>);

impl Sqlite {
    pub(crate) fn new(folder: &Path, sizes: &[usize]) -> Self {
        let mut db = rusqlite::Connection::open(folder.join("sqlite")).unwrap();
        db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA cache_size=-8000000; PRAGMA mmap_size=8000000000;")
            .unwrap();
        db.execute_batch("CREATE TABLE tags (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID").unwrap();
        let write = db.transaction().unwrap();
        {
            let mut insert = write.prepare("INSERT INTO tags VALUES (?1, ?2)").unwrap();
            each(sizes, |repository, tag, value| {
                insert.execute((format!("{repository}\0{tag}"), &value[..])).unwrap();
            });
        }
        write.commit().unwrap();
        Self(db.into())
    }
}

impl Contender for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn lookup(&self, _: &str, _: &str, key: &str) -> Option<u64> {
        let db = self.0.lock().unwrap();
        let mut select = db.prepare_cached("SELECT value FROM tags WHERE name = ?1").unwrap();
        let mut rows = select.query((key,)).unwrap();
        let row = rows.next().unwrap()?;
        Some(eight(row.get_ref(0).unwrap().as_blob().unwrap()))
    }

    fn is_disk(&self) -> bool {
        true
    }
}
