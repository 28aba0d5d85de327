//! Answers about who may do what, where what is signed is taken, and who did what.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tufstore::terms::{Incarnation, Position, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version};
use tufstore::{AuditLine, Audited, ChangeKind, Progress as Made, StorageError};

use super::question::{Audit, Carry, Policies, Question, Reset, SetPolicy, Signed, WhoMay};
use super::{ChangeEntryKind, Kind, Opened, Progress, Refusal};
use crate::access::{
    self, Access, ApplicationId, Assignee, ContentTrust, Grant, Limit, Name, ObjectId, Permissions, Registry,
    Role, Scope, TokenId,
};
use crate::directory::{
    ChangeError, DisableError, Disabled, Done, Noted, OrderRefused, ResetDone, ResetError, To, Verdict,
    Weight,
};
use crate::shown;

type Tell<'a> = &'a mut dyn FnMut(Progress);

/// More images in one question are refused.
const MOST_IMAGES: usize = 1000;

/// Who may do what. Without hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccessEntry {
    /// Users, service principals, the admin account.
    pub principals: Vec<PrincipalEntry>,
    /// Who is in which group.
    pub groups: Vec<GroupEntry>,
    /// What roles are made of, the built in ones first.
    pub roles: Vec<RoleEntry>,
    /// Who has which role where.
    pub assignments: Vec<AssignmentEntry>,
    /// Tokens, without what only their holders have.
    pub tokens: Vec<TokenEntry>,
}

/// Somebody who can be known by a password or a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrincipalEntry {
    /// What it is called.
    pub names: BTreeSet<Name>,
    /// What it is: `admin`, `classic-administrator`, `service` or `user`.
    pub kind: String,
    /// What stands for it.
    pub object_id: ObjectId,
    /// The same to who configures an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<ApplicationId>,
    /// Whether it has a password.
    pub password: bool,
    /// Whether it may nothing for now.
    pub disabled: bool,
    /// When it was added.
    #[serde(with = "shown::text")]
    pub created: UnixTime,
}

/// Principals that are given roles together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupEntry {
    /// What it is called.
    pub group: Name,
    /// Who is in it, by a name.
    pub members: Vec<String>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoleEntry {
    /// What it is called.
    pub role: Role,
    /// What it is made of.
    pub permissions: Permissions,
    /// Whether it always is.
    pub built_in: bool,
}

/// Who has which role where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AssignmentEntry {
    /// Which role.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// Who, by a name.
    pub to: To,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenEntry {
    /// What it is called.
    pub name: Name,
    /// What stands for it.
    pub id: TokenId,
    /// Whose it is, by a name; nobody's, if it is somebody by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Who made one of nobody's, by a name, or by the object id if they are gone; whoever runs the server, without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it allows where; all that its holder may, without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// When it was made.
    #[serde(with = "shown::text")]
    pub created: UnixTime,
    /// From when on it is worth nothing.
    #[serde(with = "shown::text")]
    pub expires: UnixTime,
}

/// What holds for a registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PolicyEntry {
    /// Which.
    pub registry: Registry,
    /// Whether what is signed is taken and shown.
    pub content_trust: ContentTrust,
    /// What it holds.
    pub holds: Weight,
}

/// A policy that was set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PolicySet {
    /// For which registry.
    pub registry: Registry,
    /// What holds now.
    pub content_trust: ContentTrust,
    /// What was deleted, if it was disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Disabled>,
}

/// Who did what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntries {
    /// Oldest first.
    pub lines: Vec<AuditEntry>,
    /// Whether there is more after them.
    pub more: bool,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its place in the order of all.
    pub position: Position,
    /// The committer's time.
    #[serde(with = "shown::text")]
    pub time: UnixTime,
    /// What it was.
    pub what: AuditedEntry,
    /// Who it was, and what they did; nothing, where nobody had to be anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Noted>,
    /// The header of its record as it stands in the journal, base64: the next one's holds BLAKE3 of it.
    pub header: String,
}

/// What a line is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditedEntry {
    /// A repository.
    Repository {
        /// Which.
        repository: RepositoryName,
        /// Which life of it.
        incarnation: Incarnation,
        /// The count of its commits with this one.
        revision: Revision,
        /// What it was.
        kind: ChangeEntryKind,
        /// The files that it brought.
        #[serde(with = "shown::files")]
        files: Vec<(RoleName, Version, Sha256)>,
    },
    /// Who may do what, and what holds for registries.
    Settings {
        /// How often that was changed.
        revision: Revision,
    },
    /// Of a kind that this release does not know.
    Unknown,
}

impl Question for Audit {
    type Answer = AuditEntries;

    fn answer(&self, opened: &Opened, _: UnixTime, _: Tell<'_>) -> Result<AuditEntries, Refusal> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let lines = opened.store.audit(self.after).take(limit).map(|line| line.map(AuditEntry::from));
        let lines: Result<Vec<_>, StorageError> = lines.collect();
        let lines = lines.map_err(|error| Refusal::storage("reading the audit trail", &error))?;
        let last = lines.last().map_or(self.after, |line| line.position);
        Ok(AuditEntries { lines, more: opened.store.position() > last })
    }
}

impl From<AuditLine> for AuditEntry {
    fn from(line: AuditLine) -> Self {
        let what = match line.what {
            Audited::Repository { repository, incarnation, revision, kind, documents, .. } => {
                let kind = match kind {
                    ChangeKind::Published { version, sha256 } => {
                        ChangeEntryKind::Published { version, sha256 }
                    }
                    ChangeKind::Restored { version, sha256 } => ChangeEntryKind::Restored { version, sha256 },
                    ChangeKind::Deleted => ChangeEntryKind::Deleted,
                    _ => ChangeEntryKind::Unknown,
                };
                AuditedEntry::Repository { repository, incarnation, revision, kind, files: documents }
            }
            Audited::Settings { revision, .. } => AuditedEntry::Settings { revision },
            _ => AuditedEntry::Unknown,
        };
        let note = line.note.as_ref().and_then(Noted::read);
        let header = STANDARD.encode(&line.header);
        Self { position: line.position, time: line.time, what, note, header }
    }
}

impl Question for Carry {
    type Answer = Done;

    fn answer(&self, opened: &Opened, now: UnixTime, _: Tell<'_>) -> Result<Done, Refusal> {
        opened.directory()?.carry_out(self.order.clone(), &opened.by, now).map_err(|error| {
            let is_the_stores = matches!(&error, OrderRefused::Change(ChangeError::Settings(_)));
            let kind = if is_the_stores { Kind::Files } else { Kind::Rule };
            Refusal::new(kind, "nothing was changed").because(&error)
        })
    }
}

impl Question for Policies {
    type Answer = Vec<PolicyEntry>;

    fn answer(&self, opened: &Opened, _: UnixTime, _: Tell<'_>) -> Result<Self::Answer, Refusal> {
        let directory = opened.directory()?;
        let access = directory.access();
        let registries: BTreeSet<Registry> = if let Some(registry) = &self.registry {
            BTreeSet::from([registry.clone()])
        } else {
            let holding = opened.store.repositories();
            let said = access.policies().map(|(registry, _)| registry.clone());
            holding.iter().map(Registry::of).chain(said).collect()
        };
        let entry = |registry: Registry| {
            let holds = directory.weigh(&registry)?;
            let content_trust = if directory.shows(registry.as_str()) {
                ContentTrust::Enabled
            } else {
                ContentTrust::Disabled
            };
            Ok::<_, StorageError>(PolicyEntry { registry, content_trust, holds })
        };
        let entries: Result<_, _> = registries.into_iter().map(entry).collect();
        entries.map_err(|error| Refusal::storage("reading a repository", &error))
    }
}

impl Question for SetPolicy {
    type Answer = PolicySet;

    fn answer(&self, opened: &Opened, now: UnixTime, tell: Tell<'_>) -> Result<PolicySet, Refusal> {
        let Self { registry, content_trust } = self.clone();
        let deleted = match content_trust {
            ContentTrust::Enabled => {
                opened.directory()?.enable(registry.clone(), &opened.by, now).map_err(|error| {
                    Refusal::new(Kind::Files, "content trust stays as it is").because(&error)
                })?;
                None
            }
            ContentTrust::Disabled => {
                let progress = &mut |made: Made| {
                    tell(Progress { doing: "deleting".to_owned(), done: made.done, all: made.all });
                };
                let deleted = opened.directory()?.disable(&registry, &opened.by, now, progress);
                Some(deleted.map_err(|error| {
                    let what = match &error {
                        DisableError::Change(_) => "content trust stays as it is",
                        DisableError::Delete { .. } | DisableError::Collect(_) => "not all of it is done",
                    };
                    Refusal::new(Kind::Files, what).because(&error)
                })?)
            }
        };
        Ok(PolicySet { registry, content_trust, deleted })
    }
}

impl Question for Reset {
    type Answer = ResetDone;

    fn answer(&self, opened: &Opened, now: UnixTime, _: Tell<'_>) -> Result<ResetDone, Refusal> {
        opened.directory()?.reset(&self.repository, &opened.by, now).map_err(|error| {
            let kind = match &error {
                ResetError::NoSuchRepository { .. } => return Refusal::no_such_repository(&self.repository),
                ResetError::Moved => Kind::Race,
                ResetError::Read(error) => Refusal::storage("reading", error).kind,
                ResetError::Archive { .. } | ResetError::Delete(_) => Kind::Files,
            };
            Refusal::new(kind, format!("{} was not reset", self.repository)).because(&error)
        })
    }
}

impl Question for Signed {
    type Answer = Vec<Verdict>;

    fn answer(&self, opened: &Opened, now: UnixTime, _: Tell<'_>) -> Result<Self::Answer, Refusal> {
        if self.images.len() > MOST_IMAGES {
            return Err(Refusal::new(Kind::Publisher, format!("more than {MOST_IMAGES} images at once")));
        }
        let directory = opened.directory()?;
        let judge = |image| directory.judge(image, &self.signers, now);
        let verdicts: Result<_, _> = self.images.iter().map(judge).collect();
        verdicts.map_err(|error| Refusal::storage("reading a repository", &error))
    }
}

impl Question for WhoMay {
    type Answer = AccessEntry;

    fn answer(&self, opened: &Opened, _: UnixTime, _: Tell<'_>) -> Result<AccessEntry, Refusal> {
        Ok(AccessEntry::from(&*opened.directory()?.access()))
    }
}

/// As programs are told.
fn kind(kind: access::Kind) -> &'static str {
    match kind {
        access::Kind::Admin => "admin",
        access::Kind::ClassicAdministrator => "classic-administrator",
        access::Kind::Service { .. } => "service",
        access::Kind::User => "user",
    }
}

impl From<&Access> for AccessEntry {
    fn from(access: &Access) -> Self {
        let called = |id: ObjectId| {
            let name = access.principal(id).and_then(|principal| principal.names.first());
            name.map_or_else(|| id.to_string(), ToString::to_string)
        };
        let principal = |(object_id, principal): (ObjectId, &access::Principal)| PrincipalEntry {
            names: principal.names.clone(),
            kind: kind(principal.kind).to_owned(),
            object_id,
            application_id: principal.application(),
            password: principal.password.is_some(),
            disabled: principal.disabled,
            created: principal.created,
        };
        let group = |(group, members): (&Name, &access::Group)| GroupEntry {
            group: group.clone(),
            members: members.members.iter().map(|id| called(*id)).collect(),
        };
        let built_in = [Role::AcrPull, Role::AcrPush, Role::AcrImageSigner, Role::AcrDelete, Role::Owner];
        let built_in = built_in.into_iter().filter_map(|role| {
            let permissions = role.built_in()?;
            Some(RoleEntry { role, permissions, built_in: true })
        });
        let custom = access.custom_roles().map(|(role, permissions)| RoleEntry {
            role: Role::Custom(role.clone()),
            permissions,
            built_in: false,
        });
        let assignment = |held: &access::Assignment| AssignmentEntry {
            role: held.role.clone(),
            scope: held.scope.clone(),
            to: match &held.assignee {
                Assignee::Group(group) => To::Group(group.clone()),
                Assignee::Principal(id) => To::Principal(called(*id)),
            },
        };
        let token = |(id, token): (&TokenId, &access::Token)| {
            let (of, limit) = match &token.grant {
                Grant::Personal { of, limit } => (Some(called(*of)), limit.clone()),
                Grant::Own { limit } => (None, Some(limit.clone())),
            };
            let (name, created, expires) = (token.name.clone(), token.created, token.expires);
            let by = token.by.map(&called);
            TokenEntry { name, id: id.clone(), of, by, limit, created, expires }
        };
        let mut entry = Self {
            principals: access.principals().map(principal).collect(),
            groups: access.groups().map(group).collect(),
            roles: built_in.chain(custom).collect(),
            assignments: access.assignments().map(|(_, held)| assignment(held)).collect(),
            tokens: access.tokens().map(token).collect(),
        };
        // For people: by what they are called, and not by ids that mean nothing.
        entry.principals.sort_by(|one, other| one.names.cmp(&other.names));
        entry.tokens.sort_by(|one, other| one.name.cmp(&other.name));
        entry
            .assignments
            .sort_by_key(|held| (held.scope.to_string(), held.role.to_string(), format!("{:?}", held.to)));
        entry
    }
}
