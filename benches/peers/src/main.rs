//! The engine beside the maps and stores that one would pick instead: same questions, same process, in turns.
//!
//! `docs/benchmarks.md` says what is measured, what is not comparable, and what came out.

mod chart;
mod cold;
mod commits;
mod contenders;
mod cuts;
#[path = "../../../crates/cli/tests/power/disk.rs"]
mod disk;
mod history;
mod index;
mod hold;
mod lookup;
mod memory;
mod open;
mod publish;
mod questions;
#[path = "../../../crates/cli/tests/power/recorder.rs"]
mod recorder;
mod table;
mod upload;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Lookups of tags: one after the other, independent, and in batches.
    Lookup(lookup::Args),
    /// Publications into large repositories, beside parsing and hashing the same file.
    Publish(publish::Args),
    /// Durable publications, one publisher and many, beside what the machine and other stores allow.
    Commits(commits::Args),
    /// What a history takes on disk, and reading it back.
    History(history::Args),
    /// What could hold the index: filled, opened, asked.
    Index(index::Args),
    /// Opening a store, and the first lookup in it.
    Open(open::Args),
    /// The first lookup in each repository after opening.
    Cold(cold::Args),
    /// Power cuts and flipped bits, and what is found afterwards.
    Cuts(cuts::Args),
    /// Calls to a server over many connections, at a rate that is held.
    Hold(hold::Args),
    /// Publications over HTTPS, and what each costs a server's processor.
    Upload(upload::Args),
}

fn main() {
    match Cli::parse().what {
        What::Lookup(args) => lookup::run(&args),
        What::Publish(args) => publish::run(&args),
        What::Commits(args) => commits::run(&args),
        What::History(args) => history::run(&args),
        What::Index(args) => index::run(&args),
        What::Open(args) => open::run(&args),
        What::Cold(args) => cold::run(&args),
        What::Cuts(args) => cuts::run(&args),
        What::Hold(args) => hold::run(&args),
        What::Upload(args) => upload::run(&args),
    }
}
