//! What finds documents in the journal: the engine's keys, written in batches as the engine writes them, in each store that
//! could hold them.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use redb::{ReadableDatabase as _, ReadableTable as _};

use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many documents, of two keys each.
    #[arg(long, default_value_t = 1_000_000)]
    documents: usize,
    /// Over how many repositories.
    #[arg(long, default_value_t = 20_000)]
    repositories: usize,
    /// How many documents are written in one batch.
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// How many are asked for at random.
    #[arg(long, default_value_t = 20_000)]
    asked: usize,
}

trait Store {
    fn apply(&self, pairs: &[(Vec<u8>, Vec<u8>)]);
    fn flush(&self);
    /// The last key that begins so.
    fn newest(&self, prefix: &[u8]) -> Option<Vec<u8>>;
    fn count(&self) -> usize;
}

const CACHE: usize = 32 << 20;
const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("index");

struct Sled(sled::Db);

impl Store for Sled {
    fn apply(&self, pairs: &[(Vec<u8>, Vec<u8>)]) {
        let mut batch = sled::Batch::default();
        pairs.iter().for_each(|(key, value)| batch.insert(key.as_slice(), value.as_slice()));
        self.0.apply_batch(batch).unwrap();
    }

    fn flush(&self) {
        self.0.flush().unwrap();
    }

    fn newest(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        self.0.scan_prefix(prefix).next_back().map(|pair| pair.unwrap().0.to_vec())
    }

    fn count(&self) -> usize {
        self.0.iter().map(Result::unwrap).count()
    }
}

struct Redb(redb::Database, std::cell::Cell<u32>);

impl Store for Redb {
    fn apply(&self, pairs: &[(Vec<u8>, Vec<u8>)]) {
        let mut writing = self.0.begin_write().unwrap();
        self.1.set((self.1.get() + 1) % 64);
        let synced = if self.1.get() == 0 { redb::Durability::Immediate } else { redb::Durability::None };
        writing.set_durability(synced).unwrap();
        let mut table = writing.open_table(TABLE).unwrap();
        for (key, value) in pairs {
            table.insert(key.as_slice(), value.as_slice()).unwrap();
        }
        drop(table);
        writing.commit().unwrap();
    }

    fn flush(&self) {
        self.0.begin_write().unwrap().commit().unwrap();
    }

    fn newest(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        let table = self.0.begin_read().unwrap().open_table(TABLE).unwrap();
        let end = after(prefix);
        let mut found = table.range(prefix..end.as_slice()).unwrap();
        found.next_back().map(|pair| pair.unwrap().0.value().to_vec())
    }

    fn count(&self) -> usize {
        let table = self.0.begin_read().unwrap().open_table(TABLE).unwrap();
        table.iter().unwrap().map(Result::unwrap).count()
    }
}

struct Lmdb(heed::Env<heed::WithTls>, heed::Database<heed::types::Bytes, heed::types::Bytes>);

impl Store for Lmdb {
    fn apply(&self, pairs: &[(Vec<u8>, Vec<u8>)]) {
        let mut writing = self.0.write_txn().unwrap();
        pairs.iter().for_each(|(key, value)| self.1.put(&mut writing, key, value).unwrap());
        writing.commit().unwrap();
    }

    fn flush(&self) {
        self.0.force_sync().unwrap();
    }

    fn newest(&self, prefix: &[u8]) -> Option<Vec<u8>> {
        let reading = self.0.read_txn().unwrap();
        let found = self.1.rev_prefix_iter(&reading, prefix).unwrap().next();
        found.map(|pair| pair.unwrap().0.to_vec())
    }

    fn count(&self) -> usize {
        let reading = self.0.read_txn().unwrap();
        self.1.iter(&reading).unwrap().map(Result::unwrap).count()
    }
}

fn open(name: &str, folder: &Path) -> Box<dyn Store> {
    match name {
        "sled" => {
            let config = sled::Config::new().path(folder.join("sled")).cache_capacity(CACHE as u64);
            Box::new(Sled(config.flush_every_ms(None).open().unwrap()))
        }
        "redb" => {
            let file = folder.join("redb");
            let database = redb::Database::builder().set_cache_size(CACHE).create(file).unwrap();
            Box::new(Redb(database, std::cell::Cell::new(0)))
        }
        _ => {
            let folder = folder.join("lmdb");
            fs::create_dir_all(&folder).unwrap();
            let mut options = heed::EnvOpenOptions::new();
            options.map_size(64 << 30);
            // SAFETY: this process alone has the folder, once; what a power cut leaves is not asked here.
            let env = unsafe { options.flags(heed::EnvFlags::NO_SYNC).open(&folder).unwrap() };
            let mut writing = env.write_txn().unwrap();
            let database = env.create_database(&mut writing, None).unwrap();
            writing.commit().unwrap();
            Box::new(Lmdb(env, database))
        }
    }
}

fn after(prefix: &[u8]) -> Vec<u8> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX).unwrap();
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    after
}

/// Life, `v` or `d`, role; then version or half a digest; the position comes behind.
fn prefix(repository: usize, kind: u8, detail: &[u8]) -> Vec<u8> {
    let mut key = hash(&format!("repository {repository}"))[..24].to_vec();
    key.push(kind);
    key.extend(&hash("targets")[..16]);
    key.extend(detail);
    key
}

fn hash(of: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, of.as_bytes());
    digest.as_ref().try_into().unwrap()
}

fn bytes(place: &Path) -> u64 {
    let about = fs::metadata(place).unwrap();
    if about.is_dir() {
        fs::read_dir(place).unwrap().map(|entry| bytes(&entry.unwrap().path())).sum()
    } else {
        about.len()
    }
}

pub(crate) fn run(args: &Args) {
    let mut random = StdRng::seed_from_u64(1);
    let documents: Vec<usize> =
        (0..args.documents).map(|_| random.random_range(0..args.repositories)).collect();
    let asked: Vec<usize> = (0..args.asked).map(|_| random.random_range(0..args.documents)).collect();
    let content = |number: usize| hash(&format!("document {number}"));
    let mut rows = Vec::new();
    for name in ["sled", "redb", "LMDB"] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(name, folder.path());
        let (mut live, mut filled) = (0, 0.0);
        for (at, batch) in documents.chunks(args.batch).enumerate() {
            let mut pairs = Vec::new();
            for (within, repository) in batch.iter().enumerate() {
                let number = at * args.batch + within;
                let (position, content) = ((number as u64).to_be_bytes(), content(number));
                let version = prefix(*repository, b'v', &(number as u64).to_be_bytes());
                pairs.push(([version.as_slice(), &position].concat(), content.to_vec()));
                pairs.push((
                    [prefix(*repository, b'd', &content[..16]).as_slice(), &position].concat(),
                    vec![],
                ));
            }
            pairs.push((b"reached".to_vec(), vec![0; 42]));
            live += pairs.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
            let began = Instant::now();
            store.apply(&pairs);
            filled += began.elapsed().as_secs_f64();
        }
        let began = Instant::now();
        store.flush();
        filled += began.elapsed().as_secs_f64();
        drop(store);
        let size = bytes(folder.path());
        let began = Instant::now();
        let store = open(name, folder.path());
        let opened = began.elapsed().as_secs_f64() * 1e3;
        let began = Instant::now();
        for number in &asked {
            let key = prefix(documents[*number], b'd', &content(*number)[..16]);
            assert_eq!(store.newest(&key).unwrap()[key.len()..], (*number as u64).to_be_bytes());
        }
        let found = began.elapsed().as_secs_f64() * 1e6 / args.asked as f64;
        let began = Instant::now();
        assert_eq!(store.count(), 2 * args.documents + 1);
        let counted = began.elapsed().as_secs_f64();
        rows.push(vec![
            name.to_owned(),
            format!("{:.0}", args.documents as f64 / filled / 1e3),
            format!("{:.0}", size as f64 / 1e6),
            format!("{:.1}", size as f64 / live as f64),
            format!("{opened:.1}"),
            format!("{found:.1}"),
            format!("{counted:.1}"),
        ]);
    }
    let heads = [
        "",
        "documents a second, 1,000",
        "on disk, MB",
        "on disk / content",
        "open, ms",
        "find, µs",
        "read all, s",
    ];
    table::print(&format!("{} documents in an index", args.documents), &heads, &rows);
}
