//! The first lookup in a repository after opening the store: its table is not in memory yet.

use std::time::Instant;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use tufstore::terms::RepositoryName;
use tufstore::{Lookup, Options, Store};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

use crate::contenders::{Contender as _, Redb};
use crate::questions::{repository, tag};
use crate::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many tags each repository has; one measurement for each.
    #[arg(long, value_delimiter = ',', default_values_t = [3, 20, 200, 18_000])]
    tags: Vec<usize>,
    /// How many tags all repositories have together, at most.
    #[arg(long, default_value_t = 200_000)]
    all: usize,
    /// How often the store is opened; the median of all lookups counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

pub(crate) fn run(args: &Args) {
    let mut rows = Vec::new();
    for tags in &args.tags {
        let repositories = (args.all / tags).clamp(10, 5_000);
        let folder = tempfile::tempdir().unwrap();
        let open_with = |memory: u64| {
            let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
            Store::open(folder.path().join("store"), options.with_memory(memory)).unwrap()
        };
        let open = || open_with(4 << 30);
        fill(&open(), repositories, *tags);
        let redb = Redb::new(folder.path(), &vec![*tags; repositories]);
        let (mut gets, mut firsts, mut seconds, mut documents) = (vec![], vec![], vec![], vec![]);
        let (mut tables, mut crowded) = (0, vec![]);
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..args.rounds {
            let mut order: Vec<_> = (0..repositories).collect();
            order.shuffle(&mut random);
            let questions: Vec<_> =
                order.iter().map(|number| (repository(*number), tag(number * 7 % tags))).collect();
            let keys = questions.iter().map(|(repository, tag)| format!("{repository}\0{tag}"));
            gets.extend(keys.map(|key| microseconds(|| assert!(redb.lookup("", "", &key).is_some()))));
            let store = open();
            for times in [&mut firsts, &mut seconds] {
                let ask = |(repository, tag): &(String, String)| {
                    microseconds(|| {
                        let answer = store.lookup(repository, tag, NOW).unwrap();
                        assert!(matches!(answer, Lookup::Found(_)));
                    })
                };
                times.extend(questions.iter().map(ask));
            }
            tables = tables.max(store.memory_use().tables);
            drop(store);
            // With room for half of them, what is asked next may have been let go.
            let store = open_with(tables / 2 / 3 * 4);
            for pass in 0..3 {
                let mut again = questions.clone();
                again.shuffle(&mut random);
                let each = again.iter().map(|(repository, tag)| {
                    microseconds(|| {
                        assert!(matches!(store.lookup(repository, tag, NOW).unwrap(), Lookup::Found(_)))
                    })
                });
                let each: Vec<_> = each.collect();
                if pass > 0 {
                    crowded.push(each.iter().sum::<f64>() / each.len() as f64);
                }
            }
            assert!(store.memory_use().documents == 0, "no lookup needs documents");
            drop(store);
            let store = open();
            // As before tables were kept: a view needs them.
            documents.extend(questions.iter().take(1_000).map(|(repository, _)| {
                let name: RepositoryName = repository.parse().unwrap();
                microseconds(|| assert!(store.view(&name).unwrap().is_some()))
            }));
        }
        let slowest = firsts.iter().copied().fold(0.0, f64::max);
        let [get, first, second, documents] = [gets, firsts, seconds, documents].map(table::median);
        rows.push(vec![
            tags.to_string(),
            repositories.to_string(),
            format!("{get:.2}"),
            format!("{first:.2}"),
            format!("{:.1}", first / get),
            format!("{slowest:.0}"),
            format!("{second:.2}"),
            format!("{:.2}", table::median(crowded)),
            format!("{documents:.0}"),
        ]);
    }
    let heads = [
        "tags",
        "repositories",
        "a get of redb, µs",
        "first lookup, µs",
        "ratio",
        "the slowest, µs",
        "second lookup, µs",
        "with half the room, µs",
        "from documents, µs",
    ];
    table::print("cold lookups", &heads, &rows);
}

fn fill(store: &Store, repositories: usize, tags: usize) {
    for number in 0..repositories {
        let mut publisher = Publisher::for_store(&repository(number), store);
        let tags: Vec<_> = (0..tags).map(|at| (tag(at), digest(&format!("{number}/{at}")))).collect();
        let tags: Vec<_> = tags.iter().map(|(tag, content)| (tag.as_str(), *content)).collect();
        publisher.tag(&tags);
        publisher.publish(store).unwrap();
    }
}

fn microseconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e6
}
