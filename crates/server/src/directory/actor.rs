//! On whose behalf something was done, as the audit trail has it for ever.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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

    /// As it stands in a record. What does not fit is told by its kind and number alone.
    pub fn to_note(&self) -> Option<Note> {
        let write = |noted: &Self| serde_json::to_string(noted).ok()?.parse().ok();
        write(self).or_else(|| {
            let mut kinds: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
            for change in &self.did {
                let kind = change.get("change").and_then(Value::as_str).unwrap_or("change");
                *kinds.entry(kind).or_default() += 1;
            }
            let did = kinds.into_iter().map(|(kind, times)| json!({ "change": kind, "times": times }));
            write(&Self { did: did.collect(), ..self.clone() })
        })
    }

    /// What a note says; `None` if another program wrote it.
    pub fn read(note: &Note) -> Option<Self> {
        serde_json::from_str(note.as_str()).ok()
    }
}
