//! On whose behalf something was done, as the audit trail has it for ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tufstore::crypto::sha256;
use tufstore::terms::Note;

use crate::access::{Access, Identity};

/// Who did something.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Actor {
    /// Whoever may use the store's folder or the admin socket.
    Operator {
        /// The user of the operating system.
        user: u32,
    },
    /// A principal or a token of this server.
    Principal {
        /// As [`Identity`] is written.
        id: String,
        /// What it was called at the time.
        name: String,
    },
    /// The holder of another service's token.
    External {
        /// What that service calls them.
        subject: String,
    },
}

/// Of one change in bytes, where not all fit.
const LONGEST_CHANGE: usize = 1024;
/// More than that many never fit.
const MOST_CHANGES: usize = 128;
/// Of what another service calls somebody, in characters: each may take six bytes of JSON.
const LONGEST_SUBJECT: usize = 400;

/// What is noted of a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Noted {
    /// Who it was.
    pub by: Actor,
    /// What changed about who may do what. Empty where the commit itself says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did: Vec<Value>,
    /// What else is to be known: why a repository was deleted, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Did>,
}

/// What a deletion was for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Did {
    /// Content trust was disabled for its registry.
    Disabled,
    /// Its root key is lost, and it begins anew.
    Reset,
}

impl std::fmt::Display for Did {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disabled => "content trust was disabled",
            Self::Reset => "begins anew",
        })
    }
}

impl Actor {
    /// Whoever runs this process.
    pub fn operator() -> Self {
        Self::Operator { user: rustix::process::getuid().as_raw() }
    }

    /// Somebody who was authenticated.
    pub fn of(identity: &Identity, access: &Access) -> Self {
        let token = identity.token().and_then(|id| access.token(id)).map(|token| token.name.to_string());
        let principal = identity.principal().and_then(|id| access.principal(id));
        let name = principal.and_then(|principal| principal.names.first()).map(ToString::to_string);
        let name = match (name, token) {
            (Some(name), Some(token)) => format!("{name}, {token}"),
            (Some(name), None) | (None, Some(name)) => name,
            (None, None) => String::new(),
        };
        Self::Principal { id: identity.to_string(), name }
    }
}

impl Actor {
    /// With no more of what another service calls them than fits.
    fn brief(&self) -> Self {
        match self {
            Self::External { subject } => {
                Self::External { subject: subject.chars().take(LONGEST_SUBJECT).collect() }
            }
            Self::Operator { .. } | Self::Principal { .. } => self.clone(),
        }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator { user } => write!(f, "operator (user {user})"),
            Self::Principal { name, .. } => f.write_str(name),
            Self::External { subject } => write!(f, "{subject} (external)"),
        }
    }
}

impl Noted {
    /// That somebody made these changes.
    pub fn new(by: Actor, did: Vec<Value>) -> Self {
        Self { by, did, why: None }
    }

    /// That somebody did what the commit says.
    pub fn by(by: Actor) -> Self {
        Self::new(by, Vec::new())
    }

    /// And what for.
    #[must_use]
    pub fn because(self, why: Did) -> Self {
        Self { why: Some(why), ..self }
    }

    /// As it stands in a record: as many of the changes as fit, each whole if it can be and else as in brief, and of the rest
    /// how many there were of each kind.
    pub fn to_note(&self) -> Option<Note> {
        let write = |noted: &Self| serde_json::to_string(noted).ok()?.parse().ok();
        if let Some(note) = write(self) {
            return Some(note);
        }
        let cut = |change: &Value| {
            if change.to_string().len() > LONGEST_CHANGE { brief(change) } else { change.clone() }
        };
        let changes: Vec<_> = self.did.iter().map(cut).collect();
        let with = |did: Vec<Value>| Self { by: self.by.brief(), did, why: self.why };
        let whole = |count: usize| {
            let (told, counted) = changes.split_at_checked(count)?;
            write(&with(told.iter().cloned().chain(kinds(counted)).collect()))
        };
        // Few of them fit, whatever there is.
        (0..=changes.len().min(MOST_CHANGES)).rev().find_map(whole)
    }

    /// What a note says; `None` if another program wrote it.
    pub fn read(note: &Note) -> Option<Self> {
        serde_json::from_str(note.as_str()).ok()
    }
}

/// How many changes of each kind.
fn kinds(changes: &[Value]) -> impl Iterator<Item = Value> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        let kind = change.get("change").and_then(Value::as_str).unwrap_or("change");
        *kinds.entry(kind).or_default() += 1;
    }
    kinds.into_iter().map(|(kind, times)| json!({ "change": kind, "times": times }))
}

/// A change without its lists, and that it is. Whoever has the whole of it, as what is in force tells it, knows by the digest that it
/// is this one: nothing can be hidden by what it is packed with.
fn brief(change: &Value) -> Value {
    let is_short = |value: &Value| !(value.is_array() || value.is_object());
    let members = change.as_object().into_iter().flatten();
    let members = members.filter(|(name, value)| *name == "expires" || is_short(value));
    let members = members.map(|(name, value)| (name.clone(), value.clone()));
    let whole = sha256(change.to_string().as_bytes()).to_string();
    let cut = [("cut".to_owned(), Value::Bool(true)), ("sha256".to_owned(), Value::String(whole))];
    Value::Object(members.chain(cut).collect())
}

#[cfg(test)]
mod tests;
