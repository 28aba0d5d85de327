//! Publications into large repositories, beside what anybody would have to do with the same file: parse it into plain structs
//! and hash it with SHA-256 and SHA-512.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, SHA512, digest as hash};
use serde::Deserialize;
use tufstore::terms::{RepositoryName, RoleName};
use tufstore::{Options, Store, Upload};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use crate::questions::tag;
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How many tags the repositories have.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 18_000, 100_000])]
    tags: Vec<usize>,
    /// Only publish into one repository, without measuring: for a profiler.
    #[arg(long)]
    only: bool,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what parsing costs is asked, not what is in the file")]
struct File {
    signed: Signed,
    signatures: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what parsing costs is asked, not what is in the file")]
struct Signed {
    version: u64,
    expires: String,
    targets: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what parsing costs is asked, not what is in the file")]
struct Target {
    length: u64,
    hashes: BTreeMap<String, String>,
}

pub(crate) fn run(args: &Args) {
    let mut rows = Vec::new();
    for count in &args.tags {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
        let stores =
            [Store::in_memory(options.clone()).unwrap(), Store::open(folder.path(), options).unwrap()];
        let names: Vec<_> = (0..*count).map(tag).collect();
        let contents: Vec<_> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), digest(&format!("{at}")))).collect();
        let mut publishers = stores.each_ref().map(|store| {
            let mut publisher = Publisher::with_dockers_keys("reg.example.com/app", store);
            publisher.tag(&contents);
            publisher.publish(store).unwrap();
            publisher
        });
        let repository: RepositoryName = "reg.example.com/app".parse().unwrap();
        let (mut plain, mut published, mut renewed) = (Vec::new(), [Vec::new(), Vec::new()], Vec::new());
        let mut bytes = 0;
        for round in 0..args.rounds {
            for ((store, publisher), published) in stores.iter().zip(&mut publishers).zip(&mut published) {
                let upload = publisher.tag_upload(&[(names[0].as_str(), digest(&format!("round {round}")))]);
                let file = upload.files().find(|(role, _)| **role == RoleName::Targets).unwrap().1.to_vec();
                bytes = file.len();
                if !args.only {
                    plain.push(milliseconds(|| parse_and_hash(&file)));
                }
                published.push(milliseconds(|| drop(store.publish(&repository, &upload, NOW).unwrap())));
            }
            renewed.push(milliseconds(|| drop(stores[0].publish(&repository, &Upload::new(), NOW).unwrap())));
        }
        if args.only {
            continue;
        }
        let [memory, disk] = published.map(table::median);
        let (plain, renewed) = (table::median(plain), table::median(renewed));
        rows.push(vec![
            count.to_string(),
            format!("{:.2}", bytes as f64 / 1e6),
            format!("{plain:.3}"),
            format!("{memory:.3}"),
            format!("{disk:.3}"),
            format!("{renewed:.3}"),
            format!("{:.2}", memory / plain),
            format!("{:.2}", disk / plain),
        ]);
    }
    table::print(
        "publications, milliseconds",
        &[
            "tags",
            "file, MB",
            "parse and hash",
            "publish, in memory",
            "publish, on disk",
            "renewal, in memory",
            "in memory / parse and hash",
            "on disk / parse and hash",
        ],
        &rows,
    );
}

/// What anybody would have to do with a targets file.
pub(crate) fn parse_and_hash(file: &[u8]) {
    black_box(serde_json::from_slice::<File>(file).unwrap());
    black_box((hash(&SHA256, file), hash(&SHA512, file)));
}

pub(crate) fn milliseconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e3
}
