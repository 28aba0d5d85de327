//! Durable publications, one publisher and many, beside what the disk, the processor and other stores allow.
//!
//! The disk: the bytes that a publication takes in the journal, written over a file that is there already, and an
//! fdatasync; for many publishers, as many at once. The processor: what a publication cannot do without, one signature
//! verified and two made, on all cores. Other stores: the bytes of the uploaded and signed files, in one durable commit.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use tufstore::measuring::Seam;
use tufstore::terms::RepositoryName;
use tufstore::{Options, Store, Upload};
use tufstore_keys::SealedOnlineKeys;
use tufstore_testkit::{NOW, Publisher, digest};

use crate::chart;
use crate::questions::{repository, tag};
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many publish at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32])]
    publishers: Vec<usize>,
    /// How many tags each repository has; one of them moves at each publication.
    #[arg(long, default_value_t = 20)]
    tags: usize,
    /// How many publications each round has, over all publishers.
    #[arg(long, default_value_t = 3_200)]
    publications: usize,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Also plot into this folder.
    #[arg(long)]
    svg: Option<PathBuf>,
}

/// How often a second, and how long one took.
struct Run {
    rate: f64,
    each: Vec<f64>,
}

pub(crate) fn run(args: &Args) {
    for count in &args.publishers {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default().with_online_keys(SealedOnlineKeys::in_memory().unwrap());
        let store = Store::open(folder.path().join("store"), options).unwrap();
        let mut publishers: Vec<_> = (0..*count).map(|number| prepare(&store, number, args.tags)).collect();
        let each = args.publications / count;
        let mut results: Vec<(&str, Vec<Run>)> = Vec::new();
        let mut keep = |name, run| match results.iter_mut().find(|(known, _)| *known == name) {
            Some((_, runs)) => runs.push(run),
            None => results.push((name, vec![run])),
        };
        let journal = journal_bytes(args.tags);
        let mut bytes = 0;
        for round in 0..args.rounds {
            let uploads: Vec<Vec<Upload>> = publishers
                .iter_mut()
                .map(|publisher| (0..each).map(|at| moved(publisher, args.tags, round * each + at)).collect())
                .collect();
            let names: Vec<_> = publishers.iter().map(|publisher| publisher.repository().clone()).collect();
            let run = together(*count, each, |who, at| {
                store.publish(&names[who], &uploads[who][at], NOW).unwrap();
            });
            keep("tufstore, whole publications", run);
            let view = store.view(&names[0]).unwrap().unwrap();
            bytes = view
                .documents()
                .filter(|file| file.role().as_str() != "root")
                .map(|file| file.bytes().len())
                .sum();
            keep("tufstore's storage alone", storage(folder.path(), &names, journal, each));
            keep("the disk, as many bytes at once", disk(folder.path(), journal, *count, each));
            keep("the processor, one verified and two signed", crypto(*count, each));
            for name in ["redb", "LMDB", "sled and fdatasync"] {
                keep(name, commits(name, folder.path(), bytes, *count, each));
            }
        }
        let median = |runs: &[Run]| table::median(runs.iter().map(|run| run.rate).collect());
        let own = median(&results[0].1);
        let rows: Vec<Vec<String>> = results
            .iter()
            .map(|(name, runs)| {
                let mut each: Vec<f64> = runs.iter().flat_map(|run| run.each.iter().copied()).collect();
                each.sort_by(f64::total_cmp);
                let at = |part: f64| {
                    each.get((each.len() as f64 * part) as usize)
                        .map_or(String::new(), |ms| format!("{ms:.2}"))
                };
                let rate = median(runs);
                vec![
                    (*name).to_owned(),
                    format!("{rate:.0}"),
                    format!("{:.2}", own / rate),
                    at(0.5),
                    at(0.99),
                ]
            })
            .collect();
        if let Some(folder) = &args.svg {
            let bars: Vec<_> =
                results.iter().map(|(name, runs)| ((*name).to_owned(), vec![Some(median(runs))])).collect();
            let title = format!("Durable publications a second, {count} at once (longer is better)");
            chart::write(folder, &format!("commits-{count}"), &title, &["a second"], &bars);
        }
        let title =
            format!("{count} publishers; {journal} bytes of journal, {bytes} of documents a publication");
        table::print(&title, &["", "a second", "tufstore / it", "median, ms", "99 %, ms"], &rows);
    }
}

fn prepare(store: &Store, number: usize, tags: usize) -> Publisher {
    let mut publisher = Publisher::with_dockers_keys(&repository(number), store);
    for at in 0..tags {
        publisher.tag(&[(tag(at).as_str(), digest(&format!("{number}/{at}")))]);
    }
    publisher.publish(store).unwrap();
    publisher
}

fn moved(publisher: &mut Publisher, tags: usize, count: usize) -> Upload {
    publisher.tag_upload(&[(tag(count % tags).as_str(), digest(&format!("moved {count}")))])
}

/// What a publication takes in the journal: of a closed store, whose files have no room behind what is in them.
fn journal_bytes(tags: usize) -> usize {
    const PUBLICATIONS: usize = 64;
    let folder = tempfile::tempdir().unwrap();
    let keys = Arc::new(SealedOnlineKeys::in_memory().unwrap());
    let mut options = Options::default();
    options.online_keys = keys;
    let mut publisher = None;
    let mut sizes = [0, PUBLICATIONS].map(|publications| {
        let store = Store::open(folder.path(), options.clone()).unwrap();
        let publisher = publisher.get_or_insert_with(|| prepare(&store, 0, tags));
        for at in 0..publications {
            let upload = moved(publisher, tags, at);
            store.publish(publisher.repository(), &upload, NOW).unwrap();
        }
        store.close().unwrap();
        store.status().unwrap().journal_bytes as usize
    });
    sizes.sort_unstable();
    (sizes[1] - sizes[0]) / PUBLICATIONS
}

/// Each of `count` threads does its work so many times.
fn together(count: usize, times: usize, work: impl Fn(usize, usize) + Sync) -> Run {
    let each = Mutex::new(Vec::new());
    let began = Instant::now();
    thread::scope(|scope| {
        for who in 0..count {
            let (work, each) = (&work, &each);
            scope.spawn(move || {
                let mut own = Vec::with_capacity(times);
                for at in 0..times {
                    let began = Instant::now();
                    work(who, at);
                    own.push(milliseconds(began.elapsed()));
                }
                each.lock().unwrap().extend(own);
            });
        }
    });
    Run { rate: (count * times) as f64 / began.elapsed().as_secs_f64(), each: each.into_inner().unwrap() }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Records of random bytes, as large as a publication in the journal: prepared, written, and synced, one for each repository at once.
fn storage(folder: &Path, names: &[RepositoryName], bytes: usize, times: usize) -> Run {
    /// Around a document stand a group's header, and a frame's and a record's.
    const GROUP: usize = 128;
    const RECORD: usize = 305;
    let place = folder.join("storage");
    let seam = Seam::open(&place).unwrap();
    let contents: Vec<Arc<[u8]>> = (0..64)
        .map(|_| (0..bytes.saturating_sub(RECORD + GROUP / names.len())).map(|_| rand::random()).collect())
        .collect();
    let mut run = together(1, times, |_, at| {
        let ready = |name| seam.prepare(name, at as u64 + 1, Arc::clone(&contents[at % 64])).unwrap();
        assert!(seam.commit(names.iter().map(ready).collect()));
    });
    seam.close().unwrap();
    let written: u64 = fs::read_dir(place.join("journal"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let each = written as f64 / (names.len() * times) as f64;
    assert!((each / bytes as f64 - 1.0).abs() < 0.1, "{each} bytes a record instead of {bytes}");
    fs::remove_dir_all(&place).unwrap();
    run.rate *= names.len() as f64;
    run
}

fn disk(folder: &Path, bytes: usize, count: usize, times: usize) -> Run {
    let file = File::create(folder.join("disk")).unwrap();
    let group = bytes.next_multiple_of(8) * count;
    file.write_all_at(&vec![0; 16 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let mut run = together(1, times, |_, at| {
        let places = (16 << 20) / group;
        file.write_all_at(&vec![at as u8; group], ((at % places) * group) as u64).unwrap();
        file.sync_data().unwrap();
    });
    run.rate *= count as f64;
    run
}

fn crypto(count: usize, times: usize) -> Run {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    let message = [7; 1_000];
    let signature = pair.sign(&random, &message).unwrap();
    together(count, times, |_, _| {
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
        public.verify(&message, signature.as_ref()).unwrap();
        black_box((pair.sign(&random, &message).unwrap(), pair.sign(&random, &message).unwrap()));
    })
}

/// So many bytes under a key of their own, durable.
fn commits(name: &str, folder: &Path, bytes: usize, count: usize, times: usize) -> Run {
    const TABLE: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("documents");
    let place = folder.join("peer");
    let value = vec![7_u8; bytes];
    let key = |who: usize, at: usize| (who * times + at) as u64;
    let run = match name {
        "redb" => {
            let database = redb::Database::create(&place).unwrap();
            together(count, times, |who, at| {
                let writing = database.begin_write().unwrap();
                writing.open_table(TABLE).unwrap().insert(key(who, at), value.as_slice()).unwrap();
                writing.commit().unwrap();
            })
        }
        "LMDB" => {
            fs::create_dir_all(&place).unwrap();
            // SAFETY: this process alone has the folder, once.
            let env = unsafe { heed::EnvOpenOptions::new().map_size(4 << 30).open(&place).unwrap() };
            let mut writing = env.write_txn().unwrap();
            let database: heed::Database<heed::types::Bytes, heed::types::Bytes> =
                env.create_database(&mut writing, None).unwrap();
            writing.commit().unwrap();
            together(count, times, |who, at| {
                let mut writing = env.write_txn().unwrap();
                database.put(&mut writing, &key(who, at).to_be_bytes(), &value).unwrap();
                writing.commit().unwrap();
            })
        }
        _ => {
            let database = sled::Config::new().path(&place).flush_every_ms(None).open().unwrap();
            let file = File::options().read(true).write(true).open(place.join("db")).unwrap();
            together(count, times, |who, at| {
                database.insert(key(who, at).to_be_bytes(), value.as_slice()).unwrap();
                database.flush().unwrap();
                file.sync_data().unwrap();
            })
        }
    };
    if place.is_dir() {
        fs::remove_dir_all(&place).unwrap()
    } else {
        fs::remove_file(&place).unwrap()
    }
    run
}
