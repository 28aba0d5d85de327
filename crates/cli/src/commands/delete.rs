//! The end of a repository's life.

use std::io::{self, IsTerminal};

use serde::Serialize;
use tufstore::terms::{Incarnation, Position, RepositoryName};

use crate::failure::Failure;
use crate::output::{self, Output};
use crate::{args, clock, store};

#[derive(Serialize)]
struct Deleted<'a> {
    repository: &'a RepositoryName,
    position: Position,
    incarnation: Incarnation,
}

/// `tufstore delete`
pub(crate) fn delete(args: &args::Delete, output: Output) -> Result<(), Failure> {
    let repository = &args.repository;
    let store = store::open(&args.store.data)?;
    let view = store::view(&store, repository)?;
    if !args.yes {
        let question = format!(
            "delete {repository}, its {} tags and all {} publications for good?",
            view.tags().count(),
            view.revision()
        );
        if !io::stdin().is_terminal() || !output::confirm(&question)? {
            return Err(Failure::NotConfirmed { repository: repository.clone() });
        }
    }
    let receipt = store
        .delete(repository, clock::now())
        .map_err(|source| Failure::Delete { repository: repository.clone(), source })?
        .ok_or_else(|| Failure::NoSuchRepository { repository: repository.clone() })?;
    store::close(&store)?;
    let (position, incarnation) = (receipt.position, receipt.incarnation);
    let deleted = Deleted { repository, position, incarnation };
    output.result(&deleted, format_args!("{repository} is deleted, at position {position}"))
}
