//! The whole as one document, in JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::apply::is_for_a_token_of_its_own;
use super::ids::{ApplicationId, AssignmentId, ObjectId};
use super::name::Name;
use super::principal::{Assignee, Kind};
use super::refused::Refused;
use super::role::Role;
use super::token::{Grant, TokenId};
use super::whole::Access;

/// What is written. Readers refuse a later one.
const FORMAT: u32 = 1;

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It contradicts itself.
    #[error("who may do what is written down, and contradicts itself")]
    Inconsistent(#[from] Inconsistent),
    /// Not a document of that kind.
    #[error("who may do what cannot be read or written")]
    Json(#[from] serde_json::Error),
    /// A newer release wrote it.
    #[error(
        "who may do what is written in format {found}, by a newer release: this one knows formats up to {FORMAT}"
    )]
    NewerFormat {
        /// Of the document.
        found: u32,
    },
    /// No release wrote that.
    #[error("who may do what is written in format {found}, which there never was")]
    UnknownFormat {
        /// Of the document.
        found: u32,
    },
}

/// What in a document contradicts the rest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistent {
    /// An administrator would sign.
    #[error("{kind} has the role {role}, which signs")]
    AdminSigns {
        /// Who.
        kind: Kind,
        /// The role.
        role: Role,
    },
    /// An assignment names what is not there.
    #[error("the assignment {id} is of a role, to a principal or to a group that is not there")]
    Assignment {
        /// Its id.
        id: AssignmentId,
    },
    /// One id stands for two.
    #[error("the id {id} stands for two")]
    Id {
        /// The id.
        id: Uuid,
    },
    /// A group has somebody in it who is not there.
    #[error("{member} is in the group {group}, and not there")]
    Member {
        /// The group.
        group: Name,
        /// An object id.
        member: ObjectId,
    },
    /// One name stands for two, or could be taken for an id.
    #[error("the name {name} stands for two, or for an id of another")]
    Name {
        /// The name.
        name: Name,
    },
    /// A principal without a name, or with more than its kind has.
    #[error("the principal {principal} has no name or too many")]
    Names {
        /// Its object id.
        principal: ObjectId,
    },
    /// A token that allows what none can.
    #[error("the token {id} allows what no token does")]
    TokenAllows {
        /// Its id.
        id: TokenId,
        /// Why.
        source: Refused,
    },
    /// A token of a principal that is not there.
    #[error("the token {id} is of {of}, who is not there")]
    TokenOf {
        /// Its id.
        id: TokenId,
        /// An object id.
        of: ObjectId,
    },
}

/// Read first, whatever else there is.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    access: &'a Access,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "format")]
    _format: u32,
    access: Access,
}

impl Access {
    /// The document: the same bytes for the same content. Secrets are in it as hashes alone.
    ///
    /// # Errors
    /// [`DocumentError::Json`], which would be a defect.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DocumentError> {
        Ok(serde_json::to_vec(&Written { format: FORMAT, access: self })?)
    }

    /// Reads a document, and whether it is consistent.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DocumentError> {
        let Format { format: found } = serde_json::from_slice(bytes)?;
        match found {
            0 => return Err(DocumentError::UnknownFormat { found }),
            FORMAT => {}
            _ => return Err(DocumentError::NewerFormat { found }),
        }
        let Read { access, .. } = serde_json::from_slice(bytes)?;
        access.check()?;
        Ok(access)
    }

    /// That it is consistent, whoever wrote it.
    pub(super) fn check(&self) -> Result<(), Inconsistent> {
        self.check_principals()?;
        for (group, members) in &self.groups {
            if let Some(member) = members.members.iter().find(|id| self.principal(**id).is_none()) {
                return Err(Inconsistent::Member { group: group.clone(), member: *member });
            }
        }
        for (id, assignment) in self.assignments() {
            let is_there = match &assignment.assignee {
                Assignee::Group(group) => self.groups.contains_key(group),
                Assignee::Principal(id) => self.principal(*id).is_some(),
            };
            if !is_there || self.role(&assignment.role).is_none() {
                return Err(Inconsistent::Assignment { id });
            }
        }
        for (id, token) in &self.tokens {
            match &token.grant {
                Grant::Personal { of, .. } if self.principal(*of).is_none() => {
                    return Err(Inconsistent::TokenOf { id: id.clone(), of: *of });
                }
                Grant::Personal { .. } => {}
                Grant::Own { limit } => is_for_a_token_of_its_own(limit)
                    .map_err(|source| Inconsistent::TokenAllows { id: id.clone(), source })?,
            }
        }
        match self.signing_administrator() {
            Some((assignment, kind)) => Err(Inconsistent::AdminSigns { kind, role: assignment.role.clone() }),
            None => Ok(()),
        }
    }

    fn check_principals(&self) -> Result<(), Inconsistent> {
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (principal, of) in self.principals() {
            for id in
                [Some(principal.uuid()), of.application().map(ApplicationId::uuid)].into_iter().flatten()
            {
                if !ids.insert(id) {
                    return Err(Inconsistent::Id { id });
                }
            }
            if of.names.is_empty() || of.has_too_many_names() {
                return Err(Inconsistent::Names { principal });
            }
            for name in &of.names {
                if of.is_foreign_id(principal, name) || !names.insert(name) {
                    return Err(Inconsistent::Name { name: name.clone() });
                }
            }
        }
        let mut personal = BTreeSet::new();
        for token in self.tokens.values() {
            let is_one = match token.grant {
                Grant::Personal { of, .. } => personal.insert((of, &token.name)),
                Grant::Own { .. } => names.insert(&token.name),
            };
            if token.name.as_uuid().is_some() || !is_one {
                return Err(Inconsistent::Name { name: token.name.clone() });
            }
        }
        Ok(())
    }
}

/// A map whose keys stand there once: of two, nobody knows which counts.
pub(super) fn unique<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    from.deserialize_map(Unique(PhantomData))
}

struct Unique<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Unique<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map whose keys stand there once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands there twice"));
            }
        }
        Ok(map)
    }
}
