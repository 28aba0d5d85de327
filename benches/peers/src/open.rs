//! Opening a store and the first lookup in it, which is cold, by the number of repositories.

use std::time::Instant;

use tufstore::{Lookup, Options, Store};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest};

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
}

pub(crate) fn run(args: &Args) {
    let mut rows = Vec::new();
    for count in &args.repositories {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let options = Options::default().with_online_keys(SeededOnlineKeys::new("a server"));
            Store::open(folder.path(), options).unwrap()
        };
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
        rows.push(vec![
            count.to_string(),
            format!("{opened:.2}"),
            format!("{asked:.2}"),
            format!("{goal:.2}"),
            format!("{:.2}", asked / goal),
        ]);
    }
    let heads = ["repositories", "open, ms", "and the first lookup", "5 ms + 0.3 µs each", "ratio"];
    table::print("opening", &heads, &rows);
}
