use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};
use tufstore::terms::{RepositoryName, RoleName};
use tufstore::{Fault, StorageError};

use crate::text::chain;

/// Why a question has no answer, with all its causes; travels over the socket.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// What it is, for programs.
    pub kind: Kind,
    /// What happened, then its causes.
    told: Told,
}

/// A message and what caused it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Told {
    message: String,
    cause: Option<Box<Told>>,
}

/// What a refusal is. Complete by definition, so that whoever maps it to something misses none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "a new kind must break every match")]
pub enum Kind {
    /// Nothing is published under that name.
    NoSuchRepository,
    /// The repository has no such tag.
    NoSuchTag,
    /// No such file was published.
    NoSuchDocument,
    /// Metadata on the way to the tag has expired.
    Expired,
    /// What was sent can never be taken.
    Publisher,
    /// Somebody else came first.
    Race,
    /// A rule of who may do what, or where: what is refused says what to do instead.
    Rule,
    /// The keys, the clock or the settings of who runs the store.
    Operator,
    /// The store is damaged.
    Damaged,
    /// Its index is damaged.
    Index,
    /// Its files cannot be read or written.
    Files,
    /// It takes no more writes.
    Ended,
    /// It was written by a newer release.
    Newer,
    /// A defect of the program.
    Defect,
}

impl Refusal {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, told: Told { message: message.into(), cause: None } }
    }

    /// With an error and its causes below the message.
    pub(super) fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        self.told.cause = Some(Box::new(Told::of(error)));
        self
    }

    pub(super) fn no_such_repository(repository: &RepositoryName) -> Self {
        Self::new(Kind::NoSuchRepository, format!("nothing is published under the name {repository}"))
    }

    pub(super) fn no_such_document(repository: &RepositoryName, role: &RoleName, which: &str) -> Self {
        Self::new(Kind::NoSuchDocument, format!("{repository} has published no {role} {which}"))
    }

    /// The store failed at something.
    pub(super) fn storage(doing: &str, error: &StorageError) -> Self {
        let kind = match error {
            StorageError::Bug(_) => Kind::Defect,
            StorageError::Corrupt { .. } | StorageError::LostRecords { .. } => Kind::Damaged,
            StorageError::Index { .. } => Kind::Index,
            StorageError::Io { .. } => Kind::Files,
            StorageError::NewerFormat { .. } => Kind::Newer,
            StorageError::Closed | StorageError::Halted | _ => Kind::Ended,
        };
        Self::new(kind, format!("{doing} failed")).because(error)
    }
}

impl Refusal {
    /// What happened and its causes.
    pub(super) fn in_one_line(&self) -> String {
        chain(self)
    }
}

impl From<Fault> for Kind {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Publisher => Self::Publisher,
            Fault::Race => Self::Race,
            Fault::Operator => Self::Operator,
        }
    }
}

impl Told {
    fn of(error: &(dyn Error + 'static)) -> Self {
        Self { message: error.to_string(), cause: error.source().map(|cause| Box::new(Self::of(cause))) }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| -> &(dyn Error + 'static) { cause })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told.fmt(f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.told.source()
    }
}
