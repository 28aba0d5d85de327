//! One file for each command, or for what belongs together. Each opens the store, asks it, and shows the answer.

mod audit;
mod backup;
mod changes;
mod check;
mod delete;
mod documents;
mod import;
mod lookup;
mod maintain;
mod pages;
mod people;
mod policy;
mod quickstart;
mod repair;
mod replay;
mod repositories;
mod serve;
mod signed;
mod stress;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::output::Output;

/// Does what the command line asks for.
pub(crate) fn run(cli: &Cli) -> Result<(), Failure> {
    let output = Output::new(cli.output);
    match &cli.command {
        Command::Quickstart(args) => quickstart::quickstart(args, output),
        Command::Serve(args) => serve::serve(args, output),
        Command::Replay(args) => replay::replay(args, output),
        Command::Stress(args) => stress::stress(args, output),
        Command::Import(args) => import::import(args, output),
        Command::Lookup(args) => lookup::lookup(args, output),
        Command::Tags(args) => lookup::tags(args, output),
        Command::Repositories(args) => repositories::repositories(args, output),
        Command::Show(args) => documents::show(args),
        Command::History(args) => documents::history(args, output),
        Command::Changes(args) => changes::changes(args, output),
        Command::Delete(args) => delete::delete(args, output),
        Command::Reindex(args) => maintain::reindex(args, output),
        Command::Status(args) => maintain::status(args, output),
        Command::Check(args) => check::check(args, output),
        Command::Verify(args) => maintain::verify(args, output),
        Command::Scrub(args) => maintain::scrub(args, output),
        Command::Repair(args) => repair::repair(args, output),
        Command::Collect(args) => maintain::collect(args, output),
        Command::Backup(args) => backup::backup(args, output),
        Command::Restore(args) => backup::restore(args, output),
        Command::User(args) => people::user(args, output),
        Command::Principal(args) => people::principal(args, output),
        Command::Group(args) => people::group(args, output),
        Command::Role(args) => people::role(args, output),
        Command::Token(args) => people::token(args, output),
        Command::Policy(args) => policy::policy(args, output),
        Command::Audit(args) => audit::audit(args, output),
        Command::Repository(args) => signed::repository(args, output),
        Command::Signed(args) => signed::signed(args, output),
        Command::Completions(args) => pages::completions(args),
        Command::Man(args) => pages::man(args),
    }
}
