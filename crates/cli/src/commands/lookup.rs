//! Which digest a tag stands for, and which tags there are.

use serde::Serialize;
use tufstore::terms::{RepositoryName, RoleName, Sha256, UnixTime};
use tufstore_server::admin::{FoundTag, Lookup, TagEntry, Tags};

use crate::failure::Failure;
use crate::output::{Column, Output, Row, as_text, as_text_or_null};
use crate::{args, store};

#[derive(Serialize)]
struct Answer<'a> {
    repository: &'a RepositoryName,
    tag: &'a str,
    #[serde(serialize_with = "as_text")]
    sha256: Sha256,
    length: u64,
    role: RoleName,
    #[serde(serialize_with = "as_text")]
    fresh_until: UnixTime,
}

/// `tufstore lookup`
pub(crate) fn lookup(args: &args::Lookup, output: Output) -> Result<(), Failure> {
    let (repository, tag) = (&args.repository, args.tag.as_str());
    let question = Lookup { repository: repository.clone(), tag: tag.to_owned() };
    let FoundTag { sha256, length, role, fresh_until, .. } = store::reach(&args.store)?.ask_once(question)?;
    let text = format!("sha256:{sha256} {length} {role}");
    output.result(&Answer { repository, tag, sha256, length, role, fresh_until }, text)
}

#[derive(Serialize)]
struct TagRow {
    tag: String,
    /// None where the publisher gave another kind of digest only.
    #[serde(serialize_with = "as_text_or_null")]
    sha256: Option<Sha256>,
    length: u64,
    role: RoleName,
}

impl Row for TagRow {
    const COLUMNS: &'static [Column] =
        &[Column::Text("TAG"), Column::Text("DIGEST"), Column::Number("LENGTH"), Column::Text("ROLE")];

    fn cells(&self) -> Vec<String> {
        let digest = self.sha256.map_or_else(|| "-".to_owned(), |sha256| format!("sha256:{sha256}"));
        vec![self.tag.clone(), digest, self.length.to_string(), self.role.to_string()]
    }
}

impl From<TagEntry> for TagRow {
    fn from(entry: TagEntry) -> Self {
        let TagEntry { tag, sha256, length, role, .. } = entry;
        Self { tag, sha256, length, role }
    }
}

/// `tufstore tags`
pub(crate) fn tags(args: &args::Tags, output: Output) -> Result<(), Failure> {
    let question = Tags { repository: args.repository.clone(), role: args.role.clone() };
    let tags = store::reach(&args.store)?.ask_once(question)?;
    output.list(&tags.into_iter().map(TagRow::from).collect::<Vec<_>>())
}
