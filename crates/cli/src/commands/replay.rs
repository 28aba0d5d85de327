//! A trace, published into a store.

use parking_lot::Mutex;
use serde::Serialize;
use tufstore_server::admin::Status;

use crate::clock::Stopwatch;
use crate::failure::Failure;
use crate::output::{self, Output, number, per_second, rate};
use crate::replay::{KeysFolder, Plan, Player, check};
use crate::trace::TraceReader;
use crate::{acks, args, store};

/// What was done, and how fast.
#[derive(Serialize)]
struct Replayed {
    repositories: usize,
    tags: u64,
    publications: u64,
    /// Of those, how many the store had before.
    published_before: u64,
    publishers: u16,
    seconds: f64,
    publications_per_second: u64,
    bytes_on_disk: u64,
    lookups_per_second: u64,
}

/// `tufstore replay`
pub(crate) fn replay(args: &args::Replay, output: Output) -> Result<(), Failure> {
    let data = &args.store.data;
    let plan = Plan::read(TraceReader::open(&args.trace)?)?;
    let keys = KeysFolder::named_or_beside(args.keys.as_deref(), data)?;
    let acks = args.acks.as_deref().map(acks::append_to).transpose()?.map(Mutex::new);
    let store = store::reach_or_make(data, args.store.kept.options().with_online_keys(keys.online()?))?;

    let publications = plan.publications();
    let (watch, bar) = (Stopwatch::start(), output::bar("publishing", publications));
    let player = Player { store: &store, keys: &keys, publishers: args.publishers, acks };
    let published = player.play(&plan, &bar)?;
    let time = watch.elapsed();
    bar.finish_and_clear();

    let checked = check(&store, &plan)?;
    store.close()?;
    let status = store.ask(Status {})?;
    let replayed = Replayed {
        repositories: plan.repositories.len(),
        tags: checked.tags,
        publications,
        published_before: publications.saturating_sub(published),
        publishers: args.publishers,
        seconds: time.as_secs_f64(),
        publications_per_second: per_second(published, time),
        bytes_on_disk: status.journal_bytes.saturating_add(status.index_bytes),
        lookups_per_second: per_second(checked.lookups, checked.time),
    };
    let facts = [
        ("publications", format!("{} of {} repositories", number(publications), replayed.repositories)),
        ("of these, published before", number(replayed.published_before)),
        ("signed, verified and durable now", number(published)),
        ("seconds, publishers", format!("{:.1}, {}", replayed.seconds, args.publishers)),
        ("publications per second", rate(published, time)),
        ("tags that stand for what the trace says", format!("{}, all", number(checked.tags))),
        ("lookups per second, one thread", rate(checked.lookups, checked.time)),
        ("on disk", output::size(replayed.bytes_on_disk)),
    ];
    output.result(&replayed, output::facts(&facts))
}
