//! Lookups: *chain* (the next question depends on the answer: latency), *loop* (independent calls: throughput), and
//! *batch* (of 32, where there is such a call).

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::chart;
use crate::contenders::{Ask, Contender, Dash, Lmdb, Ours, Papaya, Redb, Sled, Sqlite, Std};
use crate::memory::{self, Memory};
use crate::questions::{self, Kind, Questions, Spread};
use crate::table;

const BATCH: usize = 32;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Tags in all.
    #[arg(long, default_value_t = 5_000_000)]
    tags: usize,
    /// Repositories in all.
    #[arg(long, default_value_t = 50_000)]
    repositories: usize,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Questions in a round.
    #[arg(long, default_value_t = 1_000_000)]
    questions: usize,
    /// Only the maps in memory.
    #[arg(long)]
    no_disk: bool,
    /// Only this engine, and papaya to compare with.
    #[arg(long)]
    alone: bool,
    /// Only this engine, quiet and while another thread publishes that often a second.
    #[arg(long)]
    publishing: Option<u32>,
    /// Only the maps in memory, on one thread and on that many at once.
    #[arg(long)]
    threads: Option<usize>,
    /// Also plot into this folder.
    #[arg(long)]
    svg: Option<PathBuf>,
}

struct Held {
    contender: Box<dyn Contender>,
    bytes_per_tag: f64,
}

pub(crate) fn run(args: &Args) {
    let sizes = questions::sizes(args.repositories, args.tags);
    let all: usize = sizes.iter().sum();
    println!("{all} tags over {} repositories, the largest of {}", sizes.len(), sizes.iter().max().unwrap());
    let folder = tempfile::tempdir().unwrap();
    if let Some(rate) = args.publishing {
        return beside_publications(args, &Ours::new(folder.path(), &sizes), &sizes, rate);
    }
    let mut held: Vec<Held> = Vec::new();
    let mut hold = |make: &dyn Fn() -> Box<dyn Contender>| {
        let before = memory::resident();
        let began = Instant::now();
        let contender = make();
        let grown = memory::resident().saturating_sub(before);
        eprintln!("{}: made in {:.1} s", contender.name(), began.elapsed().as_secs_f64());
        held.push(Held { contender, bytes_per_tag: grown as f64 / all as f64 });
    };
    hold(&|| Box::new(Ours::new(folder.path(), &sizes)));
    hold(&|| Box::new(Papaya::new(&sizes)));
    if !args.alone {
        hold(&|| Box::new(Std::new(&sizes)));
        hold(&|| Box::new(Dash::new(&sizes)));
    }
    if !args.no_disk && !args.alone && args.threads.is_none() {
        hold(&|| Box::new(Lmdb::new(folder.path(), &sizes)));
        hold(&|| Box::new(Redb::new(folder.path(), &sizes)));
        hold(&|| Box::new(Sqlite::new(folder.path(), &sizes)));
        hold(&|| Box::new(Sled::new(folder.path(), &sizes)));
    }
    if let Some(threads) = args.threads {
        return on_threads(args, &held, &sizes, threads);
    }
    let memory = Memory::new(all);
    for (spread, kind, title) in [
        (Spread::Uniform, Kind::Hit, "uniform, hits"),
        (Spread::Zipf, Kind::Hit, "Zipf, hits"),
        (Spread::Uniform, Kind::NoSuchTag, "uniform, no such tag"),
        (Spread::Uniform, Kind::NoSuchRepository, "uniform, no such repository"),
    ] {
        let questions = Questions::new(&sizes, args.questions * 2, spread, kind);
        compare(args, &held, &memory, &questions, kind == Kind::Hit, title);
    }
}

/// Lookups in turns: while nothing is published, and while another thread publishes.
fn beside_publications(args: &Args, ours: &Ours, sizes: &[usize], rate: u32) {
    let questions = Questions::new(sizes, args.questions * 2, Spread::Uniform, Kind::Hit);
    let nanoseconds = |work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        began.elapsed().as_nanos() as f64 / args.questions as f64
    };
    let mut measured: [[Vec<f64>; 3]; 2] = Default::default();
    let mut published = Vec::new();
    for round in 0..args.rounds {
        let start = round * 7919;
        for (busy, measured) in [false, true].into_iter().zip(&mut measured) {
            let ended = AtomicBool::new(false);
            thread::scope(|scope| {
                let publisher = busy.then(|| scope.spawn(|| ours.publish_on(rate, &ended)));
                ours.stretch(&mut |ask| {
                    measured[0]
                        .push(nanoseconds(&mut || chain(ask, &questions, start, args.questions, true)));
                });
                ours.stretch(&mut |ask| {
                    measured[1]
                        .push(nanoseconds(&mut || independently(ask, &questions, start, args.questions)));
                });
                measured[2].push(nanoseconds(&mut || batches(ours, &questions, start, args.questions)));
                ended.store(true, Ordering::Relaxed);
                published.extend(publisher.map(|publisher| publisher.join().unwrap()));
            });
        }
    }
    let [quiet, busy] = measured.map(|each| each.map(table::median));
    let row = |name: &str, values: [f64; 3]| {
        [vec![name.to_owned()], values.map(|value| format!("{value:.2}")).to_vec()].concat()
    };
    let rows = [
        row("quiet, ns", quiet),
        row(&format!("with {:.0} publications a second, ns", table::median(published)), busy),
        row("ratio", [busy[0] / quiet[0], busy[1] / quiet[1], busy[2] / quiet[2]]),
    ];
    table::print("lookups beside publications, uniform hits", &["", "chain", "loop", "batch"], &rows);
}

/// Lookups in turns: on one thread, and on several at once, each with questions of its own.
fn on_threads(args: &Args, held: &[Held], sizes: &[usize], threads: usize) {
    let questions = Questions::new(sizes, args.questions * 2, Spread::Uniform, Kind::Hit);
    let nanoseconds = |threads: usize, work: &(dyn Fn(usize) + Sync)| {
        let began = Instant::now();
        thread::scope(|scope| {
            for number in 0..threads {
                scope.spawn(move || work(number * args.questions / threads));
            }
        });
        began.elapsed().as_nanos() as f64 / args.questions as f64
    };
    let mut measured = vec![<[Vec<f64>; 4]>::default(); held.len()];
    for _ in 0..args.rounds {
        for (held, figures) in held.iter().zip(&mut measured) {
            let contender = &*held.contender;
            let each = |start: usize| {
                let ask: &Ask<'_> = &|repository, tag, key| contender.lookup(repository, tag, key);
                independently(ask, &questions, start, args.questions);
            };
            let batch = |start: usize| batches(contender, &questions, start, args.questions);
            figures[0].push(nanoseconds(1, &each));
            figures[1].push(nanoseconds(threads, &each));
            if contender.lookup_many(&[]).is_some() {
                figures[2].push(nanoseconds(1, &batch));
                figures[3].push(nanoseconds(threads, &batch));
            }
        }
    }
    let rows: Vec<_> = held
        .iter()
        .zip(measured)
        .map(|(held, figures)| {
            let [one, several, batch, batches] =
                figures.map(|values| (!values.is_empty()).then(|| table::median(values)));
            let ns = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.0}"));
            let times = |one: Option<f64>, several: Option<f64>| {
                let times = one.zip(several).map(|(one, several)| threads as f64 * one / several);
                times.map_or(String::new(), |times| format!("{times:.2}"))
            };
            let name = held.contender.name().to_owned();
            let throughput = [times(one, several), times(batch, batches)];
            [vec![name, ns(one), ns(several)], vec![ns(batch), ns(batches)], throughput.to_vec()].concat()
        })
        .collect();
    let title = format!("uniform, hits, on one thread and on {threads}: nanoseconds a lookup of each");
    let heads = ["", "loop, one", "loop, all", "batch, one", "batch, all", "loops, times", "batches, times"];
    table::print(&title, &heads, &rows);
}

/// What is measured of each: medians of several rounds, in nanoseconds a lookup.
#[derive(Default)]
struct Figures {
    chain: Vec<f64>,
    each: Vec<f64>,
    batch: Vec<f64>,
    /// Where every call stands for itself.
    chain_alone: Vec<f64>,
    each_alone: Vec<f64>,
}

fn compare(args: &Args, held: &[Held], memory: &Memory, questions: &Questions, hits: bool, title: &str) {
    let nanoseconds = |count: usize, work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        began.elapsed().as_nanos() as f64 / count as f64
    };
    let mut measured: Vec<Figures> = held.iter().map(|_| Figures::default()).collect();
    let mut dependent = Vec::new();
    let mut independent = Vec::new();
    for round in 0..args.rounds {
        dependent.push(nanoseconds(args.questions, &mut || memory.dependent(args.questions)));
        independent.push(nanoseconds(args.questions, &mut || memory.independent(args.questions)));
        for (held, figures) in held.iter().zip(&mut measured) {
            let contender = &*held.contender;
            let count = if contender.is_disk() { args.questions / 10 } else { args.questions };
            let start = round * 7919;
            contender.stretch(&mut |ask| {
                figures.chain.push(nanoseconds(count, &mut || chain(ask, questions, start, count, hits)));
                figures.each.push(nanoseconds(count, &mut || independently(ask, questions, start, count)));
            });
            let ask: &Ask<'_> = &|repository, tag, key| contender.lookup(repository, tag, key);
            figures.chain_alone.push(nanoseconds(count, &mut || chain(ask, questions, start, count, hits)));
            figures.each_alone.push(nanoseconds(count, &mut || independently(ask, questions, start, count)));
            if contender.lookup_many(&[]).is_some() {
                figures.batch.push(nanoseconds(count, &mut || batches(contender, questions, start, count)));
            }
        }
    }
    let (dependent, independent) = (table::median(dependent), table::median(independent));
    let papaya = held.iter().position(|held| held.contender.name() == "papaya").unwrap();
    let papaya_chain = table::median(measured[papaya].chain.clone());
    let papaya_each = table::median(measured[papaya].each.clone());
    let mut rows = vec![
        vec!["the memory, dependent".into(), format!("{dependent:.0}"), String::new()],
        vec!["the memory, independent".into(), String::new(), format!("{independent:.1}")],
    ];
    for row in &mut rows {
        row.resize(12, String::new());
    }
    let mut bars: Vec<chart::Bar> = vec![
        ("the memory, dependent".into(), vec![Some(dependent)]),
        ("the memory, independent".into(), vec![None, Some(independent)]),
    ];
    for (held, figures) in held.iter().zip(measured) {
        let [chain, each, batch, chain_alone, each_alone] =
            [figures.chain, figures.each, figures.batch, figures.chain_alone, figures.each_alone]
                .map(|values| (!values.is_empty()).then(|| table::median(values)));
        let ns = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.0}"));
        let ratio =
            |value: Option<f64>, to: f64| value.map_or(String::new(), |value| format!("{:.2}", value / to));
        let mut name = held.contender.name().to_owned();
        if held.bytes_per_tag >= 1.0 {
            name += &format!(" ({:.0} B/tag)", held.bytes_per_tag);
        }
        bars.push((name.clone(), vec![chain, each, batch]));
        rows.push(vec![
            name,
            ns(chain),
            ns(each),
            ns(batch),
            ns(chain_alone),
            ns(each_alone),
            ratio(chain, dependent),
            ratio(each, dependent),
            ratio(batch, independent),
            ratio(chain, papaya_chain),
            ratio(each, papaya_each),
            ratio(batch, papaya_each),
        ]);
    }
    if let Some(folder) = &args.svg {
        let file = format!("lookup-{}", title.replace(", ", "-").replace(' ', "-").to_lowercase());
        let title =
            format!("Lookups, {title}: nanoseconds, {} tags, one thread (shorter is better)", args.tags);
        chart::write(folder, &file, &title, &["chain", "loop", "batch of 32"], &bars);
    }
    table::print(
        title,
        &[
            "ns a lookup",
            "chain",
            "loop",
            "batch",
            "chain, alone",
            "loop, alone",
            "chain/dep.",
            "loop/dep.",
            "batch/indep.",
            "chain/papaya",
            "loop/papaya",
            "batch/papaya loop",
        ],
        &rows,
    );
}

fn chain(ask: &Ask<'_>, questions: &Questions, start: usize, count: usize, hits: bool) {
    let mut at = start;
    let mut found = 0;
    for _ in 0..count {
        let (repository, tag, key) = questions.get(at);
        let answer = ask(repository, tag, key);
        found += usize::from(answer.is_some());
        // The next question, or the one after it, as the answer says.
        at += 1 + (answer.unwrap_or(at as u64) & 1) as usize;
    }
    assert_eq!(found == count, hits, "a question was answered wrongly");
}

fn independently(ask: &Ask<'_>, questions: &Questions, start: usize, count: usize) {
    let mut all = 0;
    for at in start..start + count {
        let (repository, tag, key) = questions.get(at);
        all ^= ask(repository, tag, key).unwrap_or(1);
    }
    black_box(all);
}

fn batches(contender: &dyn Contender, questions: &Questions, start: usize, count: usize) {
    let mut batch = Vec::with_capacity(BATCH);
    for first in (start..start + count).step_by(BATCH) {
        batch.clear();
        batch.extend((first..first + BATCH).map(|at| {
            let (repository, tag, _) = questions.get(at);
            (repository, tag)
        }));
        black_box(contender.lookup_many(&batch));
    }
}
