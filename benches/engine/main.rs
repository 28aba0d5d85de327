//! The engine beside sled used alone, as a user of sled would write it by hand: same work, same process.
//!
//! `docs/benchmarks.md` says what is measured, what is not comparable, and what came out.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on is none")]

mod fixture;
mod by_hand;
mod lookup;
mod view;
mod publish;
mod open;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    lookup::bench(&mut criterion);
    view::bench(&mut criterion);
    publish::bench(&mut criterion);
    open::bench(&mut criterion);
    criterion.final_summary();
}
