//! `tufstore`: a trust store on the command line. No logic of its own: arguments in, the engine's answers out.

mod acks;
mod args;
mod clock;
mod commands;
mod exit;
mod failure;
mod import;
mod output;
mod replay;
mod store;
mod trace;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use exit::Exit;
use failure::Failure;

fn main() -> ExitCode {
    // Not `parse`: it would write by itself, and end the process where a destructor has work left.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            return if error.use_stderr() || printed.is_err() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    match commands::run(&cli) {
        Ok(()) => Exit::Success.into(),
        Err(failure) => {
            if !closed_pipe(&failure) {
                output::failure(&failure);
            }
            failure.exit().into()
        }
    }
}

/// Whoever read our output went away: no reason to complain to anybody.
fn closed_pipe(failure: &Failure) -> bool {
    matches!(failure, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
}
