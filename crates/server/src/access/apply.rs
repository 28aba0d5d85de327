use std::collections::BTreeSet;

use tufstore::terms::UnixTime;

use super::change::{Change, Rules};
use super::ids::{ApplicationId, AssignmentId, ObjectId};
use super::name::Name;
use super::password::PasswordHash;
use super::permission::Permissions;
use super::principal::{Assignee, Assignment, Group, Kind, Policy, Principal};
use super::refused::Refused;
use super::role::{CustomRole, Role};
use super::scope::Scope;
use super::token::{Grant, Limit, Token, TokenId};
use super::whole::Access;

impl Access {
    /// What is written down after a change; `self` stays as it is.
    ///
    /// Whether whoever asks for the change may make it was decided before.
    ///
    /// # Errors
    /// [`Refused`], which says what to do instead.
    ///
    /// # Cost
    /// A copy of the whole.
    pub fn apply(&self, change: Change, rules: &Rules, now: UnixTime) -> Result<Self, Refused> {
        let mut next = self.clone();
        match change {
            Change::AddGroup { group } => next.add_group(group)?,
            Change::AddMember { group, member } => next.add_member(&group, member)?,
            Change::AddName { principal, name } => next.add_name(principal, name, rules)?,
            Change::AddPrincipal { id, kind, names, password } => {
                next.add_principal(id, kind, names, password, rules, now)?;
            }
            Change::AddToken { id, name, secret, expires, grant, by } => {
                next.add_token(id, Token { name, secret, created: now, expires, grant, by }, rules, now)?;
            }
            Change::AssignRole { id, role, scope, assignee } => next.assign(id, role, scope, assignee)?,
            Change::DefineRole { role, permissions } => next.define(role, permissions)?,
            Change::Disable { principal } => next.principal_mut(principal)?.disabled = true,
            Change::Enable { principal } => next.principal_mut(principal)?.disabled = false,
            Change::RemoveAssignment { id } => {
                next.assignments.remove(&id).ok_or(Refused::NoSuchAssignment { id })?;
            }
            Change::RemoveGroup { group } => next.remove_group(group)?,
            Change::RemoveMember { group, member } => {
                let is_out = next.group_mut(&group)?.members.remove(&member);
                is_out.then_some(()).ok_or(Refused::NoSuchMember { group, member })?;
            }
            Change::RemoveName { principal, name } => next.remove_name(principal, name)?,
            Change::RemovePrincipal { principal } => next.remove_principal(principal)?,
            Change::RemoveRole { role } => next.remove_role(role)?,
            Change::Rename { principal, from, to } => next.rename(principal, from, to, rules)?,
            Change::RevokeToken { id } => {
                next.tokens.remove(&id).ok_or(Refused::NoSuchToken { id })?;
            }
            Change::SetContentTrust { registry, content_trust: Some(content_trust) } => {
                next.policies.insert(registry, Policy { content_trust });
            }
            Change::SetContentTrust { registry, content_trust: None } => {
                next.policies.remove(&registry);
            }
            Change::SetPassword { principal, password } => next.principal_mut(principal)?.password = password,
        }
        let (before, after) = (self.entries(), next.entries());
        if after > before && after > rules.most_entries {
            return Err(Refused::TooMuch { most: rules.most_entries });
        }
        // By whichever change it would come about: a role, a member, or what a role is made of.
        match next.signing_administrator() {
            None => Ok(next),
            Some((Assignment { role, assignee, .. }, kind)) => Err(match assignee {
                Assignee::Group(group) => {
                    Refused::AdminCannotSignInGroup { kind, group: group.clone(), role: role.clone() }
                }
                Assignee::Principal(_) => Refused::AdminCannotSign { kind, role: role.clone() },
            }),
        }
    }

    fn principal_mut(&mut self, principal: ObjectId) -> Result<&mut Principal, Refused> {
        self.principals.get_mut(&principal).ok_or(Refused::NoSuchPrincipal { principal })
    }

    fn group_mut(&mut self, group: &Name) -> Result<&mut Group, Refused> {
        self.groups.get_mut(group).ok_or_else(|| Refused::NoSuchGroup { group: group.clone() })
    }

    /// That no principal and no token of nobody has a name. Personal tokens have names of their own for each principal.
    fn name_is_free(&self, name: &Name) -> Result<(), Refused> {
        let is_taken = self.principals.values().any(|principal| principal.names.contains(name))
            || self.tokens_named(name).any(|(_, token)| matches!(token.grant, Grant::Own { .. }));
        if is_taken { Err(Refused::NameTaken { name: name.clone() }) } else { Ok(()) }
    }

    fn add_principal(
        &mut self,
        id: ObjectId,
        kind: Kind,
        names: BTreeSet<Name>,
        password: Option<PasswordHash>,
        rules: &Rules,
        now: UnixTime,
    ) -> Result<(), Refused> {
        let principal = Principal { kind, names, password, disabled: false, created: now };
        let application = principal.application().map(ApplicationId::uuid);
        for uuid in [Some(id.uuid()), application].into_iter().flatten() {
            let is_taken = self.with_uuid(uuid).is_some() || application == Some(id.uuid());
            if is_taken {
                return Err(Refused::IdTaken { id: uuid.to_string() });
            }
        }
        if principal.names.is_empty() {
            return Err(Refused::Nameless);
        }
        if principal.has_too_many_names() {
            return Err(Refused::OneName { kind });
        }
        principal.has_names_within(rules)?;
        for name in &principal.names {
            self.name_is_free(name)?;
            is_no_id(name, id, &principal)?;
        }
        self.principals.insert(id, principal);
        Ok(())
    }

    fn remove_principal(&mut self, principal: ObjectId) -> Result<(), Refused> {
        self.principals.remove(&principal).ok_or(Refused::NoSuchPrincipal { principal })?;
        for group in self.groups.values_mut() {
            group.members.remove(&principal);
        }
        self.assignments.retain(|_, held| held.assignee != Assignee::Principal(principal));
        self.tokens.retain(|_, token| !matches!(token.grant, Grant::Personal { of, .. } if of == principal));
        Ok(())
    }

    fn add_name(&mut self, id: ObjectId, name: Name, rules: &Rules) -> Result<(), Refused> {
        let principal = self.principal(id).ok_or(Refused::NoSuchPrincipal { principal: id })?;
        self.name_is_free(&name)?;
        is_no_id(&name, id, principal)?;
        let principal = self.principal_mut(id)?;
        principal.names.insert(name);
        if principal.has_too_many_names() {
            return Err(Refused::OneName { kind: principal.kind });
        }
        principal.has_names_within(rules)
    }

    fn remove_name(&mut self, id: ObjectId, name: Name) -> Result<(), Refused> {
        let principal = self.principal_mut(id)?;
        if !principal.names.remove(&name) {
            return Err(Refused::NoSuchName { principal: id, name });
        }
        if principal.names.is_empty() { Err(Refused::LastName { name }) } else { Ok(()) }
    }

    fn rename(&mut self, id: ObjectId, from: Name, to: Name, rules: &Rules) -> Result<(), Refused> {
        // Its own name is free for it: to write it in another case.
        if !self.principal_mut(id)?.names.remove(&from) {
            return Err(Refused::NoSuchName { principal: id, name: from });
        }
        self.add_name(id, to, rules)
    }

    fn add_group(&mut self, group: Name) -> Result<(), Refused> {
        if self.groups.contains_key(&group) {
            return Err(Refused::GroupExists { group });
        }
        self.groups.insert(group, Group::default());
        Ok(())
    }

    fn remove_group(&mut self, group: Name) -> Result<(), Refused> {
        if self.groups.remove(&group).is_none() {
            return Err(Refused::NoSuchGroup { group });
        }
        let gone = Assignee::Group(group);
        self.assignments.retain(|_, held| held.assignee != gone);
        Ok(())
    }

    fn add_member(&mut self, group: &Name, member: ObjectId) -> Result<(), Refused> {
        self.principal_mut(member)?;
        self.group_mut(group)?.members.insert(member);
        Ok(())
    }

    fn assign(
        &mut self,
        id: AssignmentId,
        role: Role,
        scope: Scope,
        assignee: Assignee,
    ) -> Result<(), Refused> {
        if self.assignments.contains_key(&id) {
            return Err(Refused::IdTaken { id: id.to_string() });
        }
        if let Role::Custom(role) = &role
            && !self.roles.contains_key(role)
        {
            return Err(Refused::NoSuchRole { role: role.clone() });
        }
        match &assignee {
            Assignee::Group(group) => drop(self.group_mut(group)?),
            Assignee::Principal(id) => drop(self.principal_mut(*id)?),
        }
        let assignment = Assignment { role, scope, assignee };
        if let Some((id, _)) = self.assignments().find(|(_, held)| **held == assignment) {
            return Err(Refused::Assigned { id });
        }
        self.assignments.insert(id, assignment);
        Ok(())
    }

    fn define(&mut self, role: CustomRole, permissions: Permissions) -> Result<(), Refused> {
        if permissions.is_empty() {
            return Err(Refused::NothingAllowed);
        }
        self.roles.insert(role, permissions);
        Ok(())
    }

    fn remove_role(&mut self, role: CustomRole) -> Result<(), Refused> {
        if !self.roles.contains_key(&role) {
            return Err(Refused::NoSuchRole { role });
        }
        let custom = Role::Custom(role.clone());
        if let Some((id, _)) = self.assignments().find(|(_, held)| held.role == custom) {
            return Err(Refused::RoleAssigned { role, id });
        }
        self.roles.remove(&role);
        Ok(())
    }

    fn add_token(&mut self, id: TokenId, token: Token, rules: &Rules, now: UnixTime) -> Result<(), Refused> {
        let Token { name, expires, grant, .. } = &token;
        if let Grant::Personal { of, .. } = grant {
            // Those whose time is over are nobody's loss, and what happened to them is told by the audit trail.
            self.tokens.retain(|_, token| !(token.is_of(*of) && token.has_expired(now)));
        }
        if self.tokens.contains_key(&id) {
            return Err(Refused::IdTaken { id: id.to_string() });
        }
        match grant {
            // Of what others have nothing is told: anybody may make these.
            Grant::Personal { of, .. } if self.tokens_named(name).any(|(_, token)| token.is_of(*of)) => {
                return Err(Refused::NameTaken { name: name.clone() });
            }
            Grant::Personal { .. } => {}
            Grant::Own { .. } => self.name_is_free(name)?,
        }
        if name.as_uuid().is_some() {
            return Err(Refused::NameIsAnId { name: name.clone() });
        }
        let (given, most) = (grant.scopes(), rules.most_scopes_of_a_token);
        if given > most {
            return Err(Refused::TooManyScopes { given, most });
        }
        let (expires, latest) = (*expires, now.after(rules.longest_token));
        if expires <= now {
            return Err(Refused::TokenExpired { expires, now });
        }
        if expires > latest {
            return Err(Refused::TokenLivesTooLong { expires, latest });
        }
        match grant {
            Grant::Personal { of, .. } => {
                let most = rules.most_tokens_of_one;
                let theirs = self.tokens.values().filter(|token| token.is_of(*of)).count();
                let principal = self.principal_mut(*of)?;
                if theirs >= most {
                    let of = principal.names.first().map(ToString::to_string).unwrap_or_default();
                    return Err(Refused::TooManyTokens { of, most });
                }
            }
            Grant::Own { limit } => {
                is_for_a_token_of_its_own(limit)?;
                let by = token.by.and_then(|by| self.principal(by)).map(|principal| principal.kind);
                if let Some(kind) = by.filter(|kind| !kind.may_sign() && grant.signs()) {
                    return Err(Refused::AdminCannotMakeSigner { kind });
                }
            }
        }
        self.tokens.insert(id, token);
        Ok(())
    }
}

impl Principal {
    pub(super) fn has_too_many_names(&self) -> bool {
        self.names.len() > 1 && self.application().is_none()
    }

    fn has_names_within(&self, rules: &Rules) -> Result<(), Refused> {
        let most = rules.most_names_of_one;
        if self.names.len() > most { Err(Refused::TooManyNames { most }) } else { Ok(()) }
    }

    /// Whether that is one of its names that could be taken for somebody else's id.
    pub(super) fn is_foreign_id(&self, own: ObjectId, name: &Name) -> bool {
        let application = self.application().map(ApplicationId::uuid);
        name.as_uuid().is_some_and(|uuid| uuid != own.uuid() && Some(uuid) != application)
    }
}

fn is_no_id(name: &Name, id: ObjectId, principal: &Principal) -> Result<(), Refused> {
    if principal.is_foreign_id(id, name) { Err(Refused::NameIsAnId { name: name.clone() }) } else { Ok(()) }
}

/// What a token may that is nobody's: named actions on repositories somewhere. Everything, or the registry itself, is
/// for those who can be asked.
pub(super) fn is_for_a_token_of_its_own(limit: &Limit) -> Result<(), Refused> {
    let all = limit.values().copied().fold(Permissions::NONE, Permissions::union);
    if limit.is_empty() || limit.values().any(|permissions| permissions.is_empty()) {
        return Err(Refused::NothingAllowed);
    }
    if !all.intersection(Permissions::ADMINISTERING).is_empty() {
        return Err(Refused::TokenCannotAdminister);
    }
    if limit.contains_key(&Scope::ALL) { Err(Refused::TokenTooWide) } else { Ok(()) }
}
