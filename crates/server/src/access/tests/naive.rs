//! What may be done, decided again in the plainest way: lists of texts, and nothing of what is tested.

use super::*;

/// What happened, as lists.
#[derive(Default)]
pub(super) struct Naive {
    /// Object id, kind, enabled.
    people: Vec<(String, String, bool)>,
    /// Group, object id.
    members: Vec<(String, String)>,
    /// Custom role, what it is made of.
    roles: Vec<(String, Vec<String>)>,
    /// Assignment id, role, scope, and the group or object id.
    held: Vec<(String, String, String, String)>,
    tokens: Vec<NaiveToken>,
}

struct NaiveToken {
    id: String,
    of: Option<String>,
    limit: Option<Vec<(String, Vec<String>)>>,
    expires: UnixTime,
}

/// In lower case: names are the same in any.
fn low(text: &impl ToString) -> String {
    text.to_string().to_lowercase()
}

fn texts(permissions: Permissions) -> Vec<String> {
    permissions.iter().map(|permission| permission.to_string()).collect()
}

fn limit_of(limit: &Limit) -> Vec<(String, Vec<String>)> {
    limit.iter().map(|(scope, all)| (scope.to_string(), texts(*all))).collect()
}

fn assignee_of(assignee: &Assignee) -> String {
    match assignee {
        Assignee::Group(group) => format!("group {}", low(group)),
        Assignee::Principal(id) => id.to_string(),
    }
}

impl Naive {
    /// Takes notice of a change that was made.
    pub(super) fn take(&mut self, change: &Change) {
        match change {
            Change::AddPrincipal { id, kind, .. } => {
                self.people.push((id.to_string(), kind.to_string(), true));
            }
            Change::RemovePrincipal { principal } => {
                let gone = principal.to_string();
                self.people.retain(|(id, ..)| *id != gone);
                self.members.retain(|(_, id)| *id != gone);
                self.held.retain(|(.., to)| *to != gone);
                self.tokens.retain(|token| token.of.as_ref() != Some(&gone));
            }
            Change::Disable { principal } => self.enable(&principal.to_string(), false),
            Change::Enable { principal } => self.enable(&principal.to_string(), true),
            Change::RemoveGroup { group } => {
                self.members.retain(|(one, _)| *one != low(group));
                self.held.retain(|(.., to)| *to != format!("group {}", low(group)));
            }
            Change::AddMember { group, member } => self.members.push((low(group), member.to_string())),
            Change::RemoveMember { group, member } => {
                self.members.retain(|one| *one != (low(group), member.to_string()));
            }
            Change::AssignRole { id, role, scope, assignee } => {
                self.held.push((id.to_string(), low(role), scope.to_string(), assignee_of(assignee)));
            }
            Change::RemoveAssignment { id } => self.held.retain(|(one, ..)| *one != id.to_string()),
            Change::DefineRole { role, permissions } => {
                self.roles.retain(|(one, _)| *one != low(role));
                self.roles.push((low(role), texts(*permissions)));
            }
            Change::RemoveRole { role } => self.roles.retain(|(one, _)| *one != low(role)),
            Change::AddToken { id, expires, grant, .. } => {
                let (of, limit) = match grant {
                    Grant::Personal { of, limit } => (Some(of.to_string()), limit.as_ref().map(limit_of)),
                    Grant::Own { limit } => (None, Some(limit_of(limit))),
                };
                self.tokens.push(NaiveToken { id: id.to_string(), of, limit, expires: *expires });
            }
            Change::RevokeToken { id } => self.tokens.retain(|token| token.id != id.to_string()),
            Change::AddGroup { .. }
            | Change::AddName { .. }
            | Change::RemoveName { .. }
            | Change::Rename { .. }
            | Change::SetContentTrust { .. }
            | Change::SetPassword { .. } => {}
        }
    }

    fn enable(&mut self, who: &str, enabled: bool) {
        for one in self.people.iter_mut().filter(|(id, ..)| id == who) {
            one.2 = enabled;
        }
    }

    /// Whether an identity, as it is shown, may do one thing.
    pub(super) fn may(&self, identity: &str, at: &str, what: &str, now: UnixTime) -> bool {
        let (who, token) =
            identity.split_once('/').map_or((identity, None), |(who, token)| (who, Some(token)));
        let by_token = match token {
            None => true,
            Some(id) => {
                let found = self.tokens.iter().find(|one| one.id == id && now < one.expires);
                let Some(found) = found else { return false };
                if found.of.as_deref().unwrap_or("token") != who {
                    return false;
                }
                found.limit.as_ref().is_none_or(|limit| {
                    limit.iter().any(|(scope, all)| covers(scope, at) && all.iter().any(|one| one == what))
                })
            }
        };
        by_token && (who == "token" || self.principal_may(who, at, what))
    }

    fn principal_may(&self, who: &str, at: &str, what: &str) -> bool {
        let Some((_, kind, true)) = self.people.iter().find(|(id, ..)| id == who) else { return false };
        let is_signing = ["registries/sign/write", "registries/trustedCollections/write"].contains(&what);
        let by_kind = match kind.as_str() {
            "the admin account" => ["registries/pull/read", "registries/push/write"].contains(&what),
            "a classic administrator" => !is_signing,
            _ => false,
        };
        let may_sign = !kind.contains("admin");
        let by_role = self.held.iter().any(|(_, role, scope, to)| {
            let is_member = |group: &str| self.members.contains(&(group.to_owned(), who.to_owned()));
            let is_to = to == who || to.strip_prefix("group ").is_some_and(is_member);
            is_to && covers(scope, at) && self.role_allows(role, what)
        });
        by_kind || (by_role && (may_sign || !is_signing))
    }

    fn role_allows(&self, role: &str, what: &str) -> bool {
        match role {
            "acrpull" => what == "registries/pull/read",
            "acrpush" => what == "registries/pull/read" || what == "registries/push/write",
            "acrdelete" => what == "registries/artifacts/delete",
            "acrimagesigner" => {
                what.contains("/pull/") || what.contains("/sign/") || what.contains("/trustedCollections/")
            }
            "owner" => !what.contains("/sign/") && !what.contains("/trustedCollections/"),
            custom => self.roles.iter().any(|(one, all)| one == custom && all.iter().any(|one| one == what)),
        }
    }
}

fn covers(scope: &str, repository: &str) -> bool {
    let (scope_parts, parts): (Vec<_>, Vec<_>) =
        (scope.split('/').collect(), repository.split('/').collect());
    match scope_parts.as_slice() {
        ["*"] => true,
        [registry] => parts[0] == *registry,
        [above @ .., ""] => parts.len() > above.len() && parts[..above.len()] == *above,
        whole => parts == whole,
    }
}
