//! Who may change who may do what.

use tufstore::terms::UnixTime;

use super::order::OrderRefused;
use crate::access::{Access, Change, Grant, Identity, Permission, Scope};

/// Whether somebody may make a change.
///
/// What is theirs alone they may always, if they gave their password and not a token: their password, and tokens of their own.
/// A role or a token may be given where one may give roles; all else takes that everywhere.
pub(super) fn may(
    access: &Access,
    identity: &Identity,
    change: &Change,
    now: UnixTime,
) -> Result<(), OrderRefused> {
    let own = identity.principal().filter(|_| identity.token().is_none() && access.is_valid(identity, now));
    let needs = |permission: Permission, scopes: &mut dyn Iterator<Item = Scope>| {
        for scope in scopes {
            if !access.permissions_over(identity, &scope, now).contains(permission) {
                return Err(OrderRefused::NotAllowed { permission, scope });
            }
        }
        Ok(())
    };
    let assign = Permission::RoleAssignments;
    let of_grant = |grant: &Grant| match grant {
        Grant::Personal { of, .. } if own == Some(*of) => Ok(()),
        Grant::Personal { .. } => needs(assign, &mut [Scope::ALL].into_iter()),
        Grant::Own { limit } => needs(assign, &mut limit.keys().cloned()),
    };
    match change {
        Change::AssignRole { scope, .. } => needs(assign, &mut [scope.clone()].into_iter()),
        Change::RemoveAssignment { id } => {
            let scope = access.assignments().find(|(one, _)| one == id).map(|(_, held)| held.scope.clone());
            needs(assign, &mut [scope.unwrap_or(Scope::ALL)].into_iter())
        }
        Change::AddToken { grant, .. } => of_grant(grant),
        Change::RevokeToken { id } => match access.token(id) {
            Some(token) => of_grant(&token.grant),
            None => needs(assign, &mut [Scope::ALL].into_iter()),
        },
        Change::SetPassword { principal, .. } if own == Some(*principal) => Ok(()),
        Change::SetContentTrust { registry, .. } => {
            needs(Permission::Policies, &mut [Scope::from(registry.clone())].into_iter())
        }
        Change::AddGroup { .. }
        | Change::AddMember { .. }
        | Change::AddName { .. }
        | Change::AddPrincipal { .. }
        | Change::DefineRole { .. }
        | Change::Disable { .. }
        | Change::Enable { .. }
        | Change::RemoveGroup { .. }
        | Change::RemoveMember { .. }
        | Change::RemoveName { .. }
        | Change::RemovePrincipal { .. }
        | Change::RemoveRole { .. }
        | Change::Rename { .. }
        | Change::SetPassword { .. } => needs(assign, &mut [Scope::ALL].into_iter()),
    }
}
