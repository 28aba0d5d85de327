//! The end of a repository's life.

use std::io::{self, IsTerminal};

use serde::Serialize;
use tufstore::terms::{Incarnation, Position, RepositoryName};
use tufstore_server::admin::{Current, Delete, Tags};

use crate::failure::Failure;
use crate::output::{self, Output};
use crate::{args, store};

#[derive(Serialize)]
struct Deleted<'a> {
    repository: &'a RepositoryName,
    position: Position,
    incarnation: Incarnation,
}

/// `tufstore delete`
pub(crate) fn delete(args: &args::Delete, output: Output) -> Result<(), Failure> {
    let repository = &args.repository;
    let store = store::reach(&args.store)?;
    let tags = store.ask(Tags { repository: repository.clone(), role: None })?.len();
    if !args.yes {
        let current = store.ask(Current { repository: repository.clone() })?;
        let publications = current.map_or(0, |(revision, _)| revision.get());
        let question =
            format!("delete {repository}, its {tags} tags and all {publications} publications for good?");
        if !io::stdin().is_terminal() || !output::confirm(&question)? {
            return Err(Failure::NotConfirmed { repository: repository.clone() });
        }
    }
    let deleted = store.ask_once(Delete { repository: repository.clone() })?;
    let (position, incarnation) = (deleted.position, deleted.incarnation);
    let deleted = Deleted { repository, position, incarnation };
    output.result(&deleted, format_args!("{repository} is deleted, at position {position}"))
}
