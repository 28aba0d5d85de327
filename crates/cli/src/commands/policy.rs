//! Content trust on or off for a registry.

use std::io::{self, IsTerminal as _};

use serde::Serialize;
use tufstore_server::access::{ContentTrust, Registry};
use tufstore_server::admin::{Policies, PolicyEntry, SetPolicy};

use crate::args::{self, PolicyCommand};
use crate::failure::Failure;
use crate::output::{self, Column, Output, Row, number, size};
use crate::store;

#[derive(Serialize)]
struct PolicyRow {
    registry: Registry,
    content_trust: &'static str,
    repositories: u64,
    tags: u64,
}

impl Row for PolicyRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("REGISTRY"),
        Column::Text("CONTENT TRUST"),
        Column::Number("REPOSITORIES"),
        Column::Number("TAGS"),
    ];

    fn cells(&self) -> Vec<String> {
        let (repositories, tags) = (number(self.repositories), number(self.tags));
        vec![self.registry.to_string(), self.content_trust.to_owned(), repositories, tags]
    }
}

impl From<&PolicyEntry> for PolicyRow {
    fn from(entry: &PolicyEntry) -> Self {
        Self {
            registry: entry.registry.clone(),
            content_trust: match entry.content_trust {
                ContentTrust::Disabled => "disabled",
                ContentTrust::Enabled => "enabled",
            },
            repositories: entry.holds.repositories,
            tags: entry.holds.tags,
        }
    }
}

/// `tufstore policy`
pub(crate) fn policy(args: &args::Policy, output: Output) -> Result<(), Failure> {
    match args.command.clone() {
        PolicyCommand::Show { registry, store } => {
            let entries = store::reach(&store)?.ask_once(Policies { registry })?;
            let rows: Vec<_> = entries.iter().map(PolicyRow::from).collect();
            output.either(&entries, &rows)
        }
        PolicyCommand::Set { registry, content_trust, yes_delete_all_trust_data, store } => {
            let content_trust = ContentTrust::from(content_trust);
            let store = store::reach(&store)?;
            if content_trust == ContentTrust::Disabled
                && yes_delete_all_trust_data.as_ref() != Some(&registry)
            {
                let entries = store.ask(Policies { registry: Some(registry.clone()) })?;
                confirm(&registry, &entries, yes_delete_all_trust_data.is_some())?;
            }
            let bar = output::bar("deleting", 0);
            let question = SetPolicy { registry: registry.clone(), content_trust };
            let set = store.ask_for_long(question, &mut |made| {
                bar.set_length(made.all);
                bar.set_position(made.done);
            });
            bar.finish_and_clear();
            let set = set?;
            store.close()?;
            let text = match &set.deleted {
                None => format!("content trust is enabled for {registry}"),
                Some(deleted) => format!(
                    "content trust is disabled for {registry}: the trust data of {} repositories is deleted, {} are given back",
                    number(deleted.repositories),
                    size(deleted.freed_bytes)
                ),
            };
            output.result(&set, text)
        }
    }
}

/// By the registry's name, typed. Another name that was given stands for a mistake.
fn confirm(registry: &Registry, entries: &[PolicyEntry], given: bool) -> Result<(), Failure> {
    let (repositories, tags) =
        entries.first().map_or((0, 0), |entry| (entry.holds.repositories, entry.holds.tags));
    let unconfirmed =
        || Failure::NotConfirmedByName { registry: registry.as_str().to_owned(), repositories, tags };
    if given || !io::stdin().is_terminal() {
        return Err(unconfirmed());
    }
    let question = format!(
        "this deletes the trust data of {} repositories with {} signed tags in {registry}, keys included, and cannot be undone.\n\
         Type the registry's name to go on:",
        number(repositories),
        number(tags)
    );
    if output::ask(&question)? == registry.as_str() { Ok(()) } else { Err(unconfirmed()) }
}
