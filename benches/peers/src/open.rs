//! Opening a store and the first lookup in it, which is cold, by the number of repositories.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tufstore::{Lookup, Options, Store};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use crate::memory;
use crate::questions::{repository, tag};
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many repositories, of three tags each.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 10_000, 100_000])]
    repositories: Vec<usize>,
    /// Openings, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Opens this one, asks each repository, and prints bytes of memory: after opening, and after asking.
    #[arg(long, hide = true)]
    resident: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) {
    if let Some(folder) = &args.resident {
        resident(folder, args.repositories[0]);
        return;
    }
    let mut rows = Vec::new();
    for count in &args.repositories {
        let folder = tempfile::tempdir().unwrap();
        let open = || open(folder.path());
        let store = open();
        for number in 0..*count {
            let mut publisher = Publisher::for_store(&repository(number), &store);
            let tags: Vec<_> = (0..3).map(|at| (tag(at), digest(&format!("{number}/{at}")))).collect();
            let tags: Vec<_> = tags.iter().map(|(tag, content)| (tag.as_str(), *content)).collect();
            publisher.tag(&tags);
            publisher.publish(&store).unwrap();
        }
        drop(store);
        let (mut opened, mut asked) = (Vec::new(), Vec::new());
        for round in 0..args.rounds {
            let began = Instant::now();
            let store = open();
            opened.push(began.elapsed().as_secs_f64() * 1e3);
            let name = repository(round * 7919 % count);
            let answer = store.lookup(&name, &tag(1), NOW).unwrap();
            asked.push(began.elapsed().as_secs_f64() * 1e3);
            assert!(matches!(answer, Lookup::Found(_)));
        }
        let goal = 5.0 + 0.0003 * *count as f64;
        let (opened, asked) = (table::median(opened), table::median(asked));
        let row = [
            count.to_string(),
            format!("{opened:.2}"),
            format!("{asked:.2}"),
            format!("{goal:.2}"),
            format!("{:.2}", asked / goal),
        ];
        rows.push(row.into_iter().chain(resident_each(folder.path(), *count)).collect());
    }
    let heads = [
        "repositories",
        "open, ms",
        "and the first lookup",
        "5 ms + 0.3 µs each",
        "ratio",
        "resident, B each",
        "all asked, B each",
    ];
    table::print("opening", &heads, &rows);
}

fn open(folder: &Path) -> Store {
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
    Store::open(folder, options.with_memory(4 << 30)).unwrap()
}

/// In a process of its own: this one has had a store before.
fn resident_each(folder: &Path, count: usize) -> impl Iterator<Item = String> {
    let mut this = Command::new(std::env::current_exe().unwrap());
    let this = this.args(["open", "--repositories", &count.to_string(), "--resident"]).arg(folder);
    let told = String::from_utf8(this.output().unwrap().stdout).unwrap();
    let each: Vec<_> = told.lines().map(|line| line.parse::<u64>().unwrap() / count as u64).collect();
    each.into_iter().map(|bytes| bytes.to_string())
}

fn resident(folder: &Path, count: usize) {
    let store = open(folder);
    println!("{}", memory::resident());
    for number in 0..count {
        assert!(matches!(store.lookup(&repository(number), &tag(1), NOW).unwrap(), Lookup::Found(_)));
    }
    println!("{}", memory::resident());
}
