//! Who may order what.

use tufstore::terms::UnixTime;

use super::carry::token_of;
use super::order::{Order, OrderRefused};
use crate::access::{Access, Grant, Identity, Permission, Scope, TokenId};

/// Whether somebody may have an order carried out. Asked before anything that it names is looked for: whoever may not is told
/// the same of names that are there and of names that are not.
///
/// What is theirs alone they may always, if they gave their password and not a token: their password, and tokens of their own.
/// A role or a token may be given where one may give roles; all else takes that everywhere.
pub(super) fn may(
    access: &Access,
    identity: &Identity,
    order: &Order,
    now: UnixTime,
) -> Result<(), OrderRefused> {
    let permission = Permission::RoleAssignments;
    let assigns = |scope: &Scope| access.permissions_over(identity, scope, now).contains(permission);
    let needs = |scope: &Scope| {
        let refused = || OrderRefused::NotAllowed { permission, scope: scope.clone() };
        assigns(scope).then_some(()).ok_or_else(refused)
    };
    let own = identity.principal().filter(|_| identity.token().is_none() && access.is_valid(identity, now));
    let is_own = |text: &str| own.is_some() && access.answering_to(text).map(|(id, _)| id) == own;
    let is_theirs = |id: TokenId| match access.token(&id).map(|token| &token.grant) {
        Some(Grant::Personal { of, .. }) => own == Some(*of),
        Some(Grant::Own { limit }) => limit.keys().all(assigns),
        None => false,
    };
    match order {
        Order::AssignRole { scope, .. } | Order::UnassignRole { scope, .. } => needs(scope),
        // Of nothing, it is refused for that.
        Order::CreateToken { of: None, limit, .. } => limit.keys().try_for_each(needs),
        Order::CreateToken { of: Some(of), .. } | Order::SetPassword { principal: of, .. } if is_own(of) => {
            Ok(())
        }
        Order::RevokeToken { token }
            if token_of(access, identity.principal(), token).is_ok_and(is_theirs) =>
        {
            Ok(())
        }
        Order::AddGroup { .. }
        | Order::AddMember { .. }
        | Order::AddName { .. }
        | Order::AddService { .. }
        | Order::AddUser { .. }
        | Order::CreateToken { .. }
        | Order::DefineRole { .. }
        | Order::Disable { .. }
        | Order::Enable { .. }
        | Order::RemoveGroup { .. }
        | Order::RemoveMember { .. }
        | Order::RemoveName { .. }
        | Order::RemovePrincipal { .. }
        | Order::RemoveRole { .. }
        | Order::Rename { .. }
        | Order::RevokeToken { .. }
        | Order::SetPassword { .. } => needs(&Scope::ALL),
    }
}
