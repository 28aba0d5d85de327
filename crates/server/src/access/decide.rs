use tufstore::terms::{RepositoryName, UnixTime};

use super::identify::{Identity, Who};
use super::ids::ObjectId;
use super::permission::Permissions;
use super::principal::Assignee;
use super::scope::Scope;
use super::token::{Grant, Limit, Token, TokenId};
use super::whole::Access;

impl Access {
    /// Whether that identity still is one: the principal is there and enabled, the token not revoked and in its time.
    pub fn is_valid(&self, identity: &Identity, now: UnixTime) -> bool {
        match &identity.0 {
            Who::Principal(id) => self.is_enabled(*id),
            Who::Personal(of, token) => {
                let is_of = |grant: &Grant| matches!(grant, Grant::Personal { of: one, .. } if one == of);
                self.is_enabled(*of) && self.live(token, now).is_some_and(|token| is_of(&token.grant))
            }
            Who::Token(token) => {
                self.live(token, now).is_some_and(|token| matches!(token.grant, Grant::Own { .. }))
            }
        }
    }

    /// What an identity may in a repository; nothing, if it is not valid any more.
    ///
    /// # Cost
    /// A look at each assignment.
    pub fn permissions(
        &self,
        identity: &Identity,
        repository: &RepositoryName,
        now: UnixTime,
    ) -> Permissions {
        self.held(identity, &|scope| scope.covers(repository), now)
    }

    /// What an identity may in the whole of a scope: whoever assigns a role there needs it for all of it.
    pub fn permissions_over(&self, identity: &Identity, scope: &Scope, now: UnixTime) -> Permissions {
        self.held(identity, &|held| held.covers_scope(scope), now)
    }

    fn held(&self, identity: &Identity, covers: &dyn Fn(&Scope) -> bool, now: UnixTime) -> Permissions {
        if !self.is_valid(identity, now) {
            return Permissions::NONE;
        }
        match &identity.0 {
            Who::Principal(id) => self.of_principal(*id, covers),
            Who::Personal(of, token) => {
                let held = self.of_principal(*of, covers);
                match self.live(token, now).map(|token| &token.grant) {
                    Some(Grant::Personal { limit: Some(limit), .. }) => {
                        held.intersection(within(limit, covers))
                    }
                    Some(Grant::Personal { limit: None, .. }) => held,
                    Some(Grant::Own { .. }) | None => Permissions::NONE,
                }
            }
            Who::Token(token) => match self.live(token, now).map(|token| &token.grant) {
                Some(Grant::Own { limit }) => within(limit, covers),
                Some(Grant::Personal { .. }) | None => Permissions::NONE,
            },
        }
    }

    fn of_principal(&self, id: ObjectId, covers: &dyn Fn(&Scope) -> bool) -> Permissions {
        let Some(principal) = self.principal(id) else { return Permissions::NONE };
        let is_for = |assignee: &Assignee| match assignee {
            Assignee::Group(group) => self.groups.get(group).is_some_and(|group| group.members.contains(&id)),
            Assignee::Principal(one) => *one == id,
        };
        let here = self.assignments.values().filter(|held| covers(&held.scope) && is_for(&held.assignee));
        let held = here.filter_map(|held| self.role(&held.role)).fold(Permissions::NONE, Permissions::union);
        let held = held.union(principal.kind.without_role());
        // Nothing assigns them such a role. Should it be written down all the same, it counts for nothing.
        if principal.kind.may_sign() { held } else { held.without(Permissions::SIGNING) }
    }

    pub(super) fn is_enabled(&self, id: ObjectId) -> bool {
        self.principal(id).is_some_and(|principal| !principal.disabled)
    }

    /// A token in its time.
    pub(super) fn live(&self, id: &TokenId, now: UnixTime) -> Option<&Token> {
        self.token(id).filter(|token| !token.has_expired(now))
    }
}

/// What a limit allows where that is covered.
fn within(limit: &Limit, covers: &dyn Fn(&Scope) -> bool) -> Permissions {
    let here = limit.iter().filter(|(scope, _)| covers(scope));
    here.map(|(_, permissions)| *permissions).fold(Permissions::NONE, Permissions::union)
}
