use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tufstore::terms::UnixTime;
use uuid::Uuid;

use super::document::unique;
use super::ids::{AssignmentId, ObjectId};
use super::name::Name;
use super::permission::Permissions;
use super::principal::{Assignee, Assignment, ContentTrust, Group, Kind, Policy, Principal};
use super::role::{CustomRole, Role};
use super::scope::{Registry, first};
use super::token::{Token, TokenId};

/// All that is written down about who may do what. Never changed: [`Self::apply`] makes the next one.
///
/// It is consistent: what is named exists, no name or id stands for two but those of personal tokens, and no administrator holds a role that signs.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    #[serde(deserialize_with = "unique")]
    pub(super) principals: BTreeMap<ObjectId, Principal>,
    #[serde(deserialize_with = "unique")]
    pub(super) groups: BTreeMap<Name, Group>,
    #[serde(deserialize_with = "unique")]
    pub(super) roles: BTreeMap<CustomRole, Permissions>,
    #[serde(deserialize_with = "unique")]
    pub(super) assignments: BTreeMap<AssignmentId, Assignment>,
    #[serde(deserialize_with = "unique")]
    pub(super) tokens: BTreeMap<TokenId, Token>,
    #[serde(deserialize_with = "unique")]
    pub(super) policies: BTreeMap<Registry, Policy>,
}

impl Access {
    /// Whether there is nobody: neither a principal nor a token. Then nobody can be asked who they are.
    pub fn is_open(&self) -> bool {
        self.principals.is_empty() && self.tokens.is_empty()
    }

    /// How much is written down.
    pub(super) fn entries(&self) -> usize {
        let named = self.principals.len() + self.groups.len() + self.roles.len();
        let called: usize = self.principals.values().map(|principal| principal.names.len()).sum();
        let members: usize = self.groups.values().map(|group| group.members.len()).sum();
        let scopes: usize = self.tokens.values().map(|token| token.grant.scopes()).sum();
        named + called + members + self.assignments.len() + self.tokens.len() + scopes + self.policies.len()
    }

    /// Every principal.
    pub fn principals(&self) -> impl Iterator<Item = (ObjectId, &Principal)> {
        self.principals.iter().map(|(id, principal)| (*id, principal))
    }

    /// The principal of that id.
    pub fn principal(&self, id: ObjectId) -> Option<&Principal> {
        self.principals.get(&id)
    }

    /// Who answers to that: an object id, an application id, or a name in any case.
    ///
    /// # Cost
    /// A comparison for each name there is.
    pub fn answering_to(&self, text: &str) -> Option<(ObjectId, &Principal)> {
        if let Ok(id) = text.parse::<ObjectId>() {
            return self.with_uuid(id.uuid());
        }
        let name: Name = text.parse().ok()?;
        self.principals().find(|(_, principal)| principal.names.contains(&name))
    }

    pub(super) fn with_uuid(&self, uuid: Uuid) -> Option<(ObjectId, &Principal)> {
        let is_it = |(id, principal): &(ObjectId, &Principal)| {
            id.uuid() == uuid || principal.application().is_some_and(|id| id.uuid() == uuid)
        };
        self.principals().find(is_it)
    }

    /// Every group.
    pub fn groups(&self) -> impl Iterator<Item = (&Name, &Group)> {
        self.groups.iter()
    }

    /// Every custom role, and what it is made of.
    pub fn custom_roles(&self) -> impl Iterator<Item = (&CustomRole, Permissions)> {
        self.roles.iter().map(|(role, permissions)| (role, *permissions))
    }

    /// What a role is made of; `None` of a custom one that is not defined.
    pub fn role(&self, role: &Role) -> Option<Permissions> {
        match role {
            Role::Custom(custom) => self.roles.get(custom).copied(),
            Role::AcrDelete | Role::AcrImageSigner | Role::AcrPull | Role::AcrPush | Role::Owner => {
                role.built_in()
            }
        }
    }

    /// Every assignment.
    pub fn assignments(&self) -> impl Iterator<Item = (AssignmentId, &Assignment)> {
        self.assignments.iter().map(|(id, assignment)| (*id, assignment))
    }

    /// Every token that was not revoked, those as well whose time is over.
    pub fn tokens(&self) -> impl Iterator<Item = (&TokenId, &Token)> {
        self.tokens.iter()
    }

    /// The token of that id.
    pub fn token(&self, id: &TokenId) -> Option<&Token> {
        self.tokens.get(id)
    }

    /// The tokens of nobody that somebody made, and that are worth something still.
    pub fn tokens_left_by(&self, maker: ObjectId, now: UnixTime) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(move |token| token.by == Some(maker) && !token.has_expired(now))
    }

    /// The tokens of that name: each principal may have one, and one may be of nobody.
    pub fn tokens_named(&self, name: &Name) -> impl Iterator<Item = (&TokenId, &Token)> {
        self.tokens.iter().filter(move |(_, token)| token.name == *name)
    }

    /// What is written down for each registry.
    pub fn policies(&self) -> impl Iterator<Item = (&Registry, Policy)> {
        self.policies.iter().map(|(registry, policy)| (registry, *policy))
    }

    /// Whether a registry's repositories can be signed: as is written for it, and otherwise as for new ones.
    ///
    /// Where there is nobody who could be asked, as [`Self::is_open`] says, those of new ones can.
    pub fn content_trust(&self, registry: &Registry, of_new: ContentTrust) -> ContentTrust {
        self.content_trust_of(registry.as_str(), of_new)
    }

    /// The same of the registry that a repository lies in, whatever it is called.
    pub fn content_trust_of(&self, repository: &str, of_new: ContentTrust) -> ContentTrust {
        let unsaid = if self.is_open() { ContentTrust::Enabled } else { of_new };
        self.policies.get(first(repository)).map_or(unsaid, |policy| policy.content_trust)
    }

    /// Those whom an assignment is for.
    pub(super) fn assigned(&self, assignee: &Assignee) -> BTreeSet<ObjectId> {
        match assignee {
            Assignee::Group(group) => {
                self.groups.get(group).map(|group| group.members.clone()).unwrap_or_default()
            }
            Assignee::Principal(id) => BTreeSet::from([*id]),
        }
    }

    /// An assignment of a role that signs to somebody who never does.
    pub(super) fn signing_administrator(&self) -> Option<(&Assignment, Kind)> {
        self.assignments.values().find_map(|assignment| {
            let role = self.role(&assignment.role).unwrap_or(Permissions::NONE);
            if role.intersection(Permissions::SIGNING).is_empty() {
                return None;
            }
            let assigned = self.assigned(&assignment.assignee).into_iter();
            let kinds = assigned.filter_map(|id| self.principal(id)).map(|principal| principal.kind);
            kinds.filter(|kind| !kind.may_sign()).map(|kind| (assignment, kind)).next()
        })
    }
}
