//! Which digest a tag stands for, and which tags there are.

use serde::Serialize;
use tufstore::terms::{RepositoryName, RoleName, Sha256, UnixTime};
use tufstore::{Lookup, View};

use crate::failure::Failure;
use crate::output::{Column, Output, Row, as_text, as_text_or_null};
use crate::{args, clock, store};

#[derive(Serialize)]
struct Answer<'a> {
    repository: &'a RepositoryName,
    tag: &'a str,
    #[serde(serialize_with = "as_text")]
    sha256: Sha256,
    length: u64,
    role: &'static str,
    #[serde(serialize_with = "as_text")]
    fresh_until: UnixTime,
}

/// `tufstore lookup`
pub(crate) fn lookup(args: &args::Lookup, output: Output) -> Result<(), Failure> {
    let store = store::open(&args.store.data)?;
    let (repository, tag) = (&args.repository, args.tag.as_str());
    let answer = store
        .lookup(repository.as_str(), tag, clock::now())
        .map_err(Failure::storage("looking the tag up"))?;
    store::close(&store)?;
    let found = match answer {
        Lookup::Found(found) => found,
        Lookup::NoSuchTag => {
            return Err(Failure::NoSuchTag { repository: repository.clone(), tag: tag.to_owned() });
        }
        Lookup::NoSuchRepository => {
            return Err(Failure::NoSuchRepository { repository: repository.clone() });
        }
        Lookup::Expired { role, since } => {
            return Err(Failure::Expired { repository: repository.clone(), role, since });
        }
    };
    let (target, role) = (found.target, found.target.from.as_str());
    let fresh_until = found.fresh_until;
    let answer = Answer { repository, tag, sha256: target.sha256, length: target.length, role, fresh_until };
    output.result(&answer, format_args!("sha256:{} {} {role}", target.sha256, target.length))
}

#[derive(Serialize)]
struct TagRow {
    tag: String,
    /// None where the publisher gave another kind of digest only.
    #[serde(serialize_with = "as_text_or_null")]
    sha256: Option<Sha256>,
    length: u64,
    role: String,
}

impl Row for TagRow {
    const COLUMNS: &'static [Column] =
        &[Column::Text("TAG"), Column::Text("DIGEST"), Column::Number("LENGTH"), Column::Text("ROLE")];

    fn cells(&self) -> Vec<String> {
        let digest = self.sha256.map_or_else(|| "-".to_owned(), |sha256| format!("sha256:{sha256}"));
        vec![self.tag.clone(), digest, self.length.to_string(), self.role.clone()]
    }
}

/// `tufstore tags`
pub(crate) fn tags(args: &args::Tags, output: Output) -> Result<(), Failure> {
    let store = store::open(&args.store.data)?;
    let view = store::view(&store, &args.repository)?;
    store::close(&store)?;
    let mut rows = match &args.role {
        Some(role) => of_role(&view, &args.repository, role)?,
        None => resolved(&view),
    };
    rows.sort_by(|a, b| a.tag.cmp(&b.tag));
    output.list(&rows)
}

fn of_role(view: &View, repository: &RepositoryName, role: &RoleName) -> Result<Vec<TagRow>, Failure> {
    if !role.is_targets_or_delegation() || view.document(role).is_none() {
        let (repository, role) = (repository.clone(), role.clone());
        return Err(Failure::NoSuchDocument { repository, role, which: "that lists tags".to_owned() });
    }
    let rows = view.targets_of(role).map(|target| TagRow {
        tag: target.tag.to_owned(),
        sha256: target.sha256,
        length: target.length,
        role: role.to_string(),
    });
    Ok(rows.collect())
}

fn resolved(view: &View) -> Vec<TagRow> {
    let rows = view.tags().map(|(tag, target)| TagRow {
        tag: tag.to_owned(),
        sha256: Some(target.sha256),
        length: target.length,
        role: target.from.to_string(),
    });
    rows.collect()
}
