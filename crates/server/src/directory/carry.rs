//! Orders, resolved against what is in force.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tufstore::terms::UnixTime;

use super::may::may;
use super::order::{Done, Order, OrderRefused, Password, To, UserKind};
use super::{Actor, Directory};
use crate::access::{
    Access, ApplicationId, Assignee, Assignment, AssignmentId, Change, Grant, Identity, Kind, Limit, Name,
    ObjectId, PasswordHash, Permissions, Role, Scope, Secret, TokenId, hash,
};

impl Directory {
    /// Carries an order out, as whoever runs the server.
    ///
    /// # Errors
    /// [`OrderRefused`]: nothing was changed.
    ///
    /// # Cost
    /// With a password, tens of milliseconds and 19 MiB to hash it.
    pub fn carry_out(&self, order: Order, by: &Actor, now: UnixTime) -> Result<Done, OrderRefused> {
        self.carry_out_if(order, by, None, now, |_, _| Ok(()))
    }

    /// Whether somebody may have an order carried out at this moment: for whoever wants to know before it waits for its turn.
    pub(crate) fn may_order(
        &self,
        order: &Order,
        identity: &Identity,
        now: UnixTime,
    ) -> Result<(), OrderRefused> {
        may(&self.access(), identity, order, now)
    }

    /// Carries an order out for somebody, if they may.
    ///
    /// # Errors
    /// [`OrderRefused`].
    ///
    /// # Cost
    /// As [`Directory::carry_out`].
    pub fn carry_out_for(
        &self,
        order: Order,
        identity: &Identity,
        now: UnixTime,
    ) -> Result<Done, OrderRefused> {
        let by = Actor::of(identity, &self.access());
        // Before a password is hashed for whoever may not have it set, and again when nothing changes any more meanwhile.
        may(&self.access(), identity, &order, now)?;
        let may = |access: &Access, order: &Order| may(access, identity, order, now);
        self.carry_out_if(order, &by, identity.principal(), now, may)
    }

    fn carry_out_if(
        &self,
        order: Order,
        by: &Actor,
        maker: Option<ObjectId>,
        now: UnixTime,
        may: impl Fn(&Access, &Order) -> Result<(), OrderRefused>,
    ) -> Result<Done, OrderRefused> {
        let hashed = Hashed::of(order)?;
        let _changing = self.changing.lock();
        let access = self.access();
        may(&access, &hashed.order)?;
        let (changes, mut done) = hashed.resolve(&access, maker, now)?;
        if !changes.is_empty() {
            done.changed = !Arc::ptr_eq(&access, &self.change_alone(changes, by, now)?);
        }
        Ok(done)
    }
}

/// An order of which what takes long is done: nobody else has to wait for it.
struct Hashed {
    order: Order,
    password: Option<PasswordHash>,
}

impl Hashed {
    fn of(order: Order) -> Result<Self, OrderRefused> {
        let password = order.password();
        let password = password.map(|password| hash(password.0.as_bytes())).transpose()?;
        Ok(Self { order, password })
    }

    fn resolve(
        self,
        access: &Access,
        maker: Option<ObjectId>,
        now: UnixTime,
    ) -> Result<(Vec<Change>, Done), OrderRefused> {
        let one = |text: &str| {
            let found = access.answering_to(text).map(|(id, _)| id);
            found.ok_or_else(|| OrderRefused::Nobody { text: text.to_owned() })
        };
        let assignee = |to: To| {
            Ok::<_, OrderRefused>(match to {
                To::Group(group) => Assignee::Group(group),
                To::Principal(text) => Assignee::Principal(one(&text)?),
            })
        };
        let left = |maker| access.tokens_left_by(maker, now).map(|token| token.name.clone()).collect();
        let mut done = Done::default();
        let change = match self.order {
            Order::AddUser { name, kind, .. } => {
                let id = ObjectId::random();
                done.object_id = Some(id);
                let kind = match kind {
                    UserKind::Admin => Kind::Admin,
                    UserKind::ClassicAdministrator => Kind::ClassicAdministrator,
                    UserKind::User => Kind::User,
                };
                Change::AddPrincipal { id, kind, names: BTreeSet::from([name]), password: self.password }
            }
            Order::AddService { names, lifetime } => {
                let (id, application) = (ObjectId::random(), ApplicationId::random());
                (done.object_id, done.application_id) = (Some(id), Some(application));
                let name = token_name(access, names.first())?;
                let kind = Kind::Service { application };
                let added = Change::AddPrincipal { id, kind, names, password: None };
                let token =
                    new_token(&mut done, name, Grant::Personal { of: id, limit: None }, lifetime, None, now);
                return Ok((vec![added, token], done));
            }
            Order::RemovePrincipal { principal } => {
                let principal = one(&principal)?;
                done.tokens_left = left(principal);
                Change::RemovePrincipal { principal }
            }
            Order::Rename { from, to } => Change::Rename { principal: one(from.as_str())?, from, to },
            Order::AddName { principal, name } => Change::AddName { principal: one(&principal)?, name },
            Order::RemoveName { name } => Change::RemoveName { principal: one(name.as_str())?, name },
            Order::SetPassword { principal, .. } => {
                Change::SetPassword { principal: one(&principal)?, password: self.password }
            }
            Order::Disable { principal } => {
                let principal = one(&principal)?;
                done.tokens_left = left(principal);
                Change::Disable { principal }
            }
            Order::Enable { principal } => Change::Enable { principal: one(&principal)? },
            Order::AddGroup { group } => Change::AddGroup { group },
            Order::RemoveGroup { group } => Change::RemoveGroup { group },
            Order::AddMember { group, principal } => Change::AddMember { group, member: one(&principal)? },
            Order::RemoveMember { group, principal } => {
                Change::RemoveMember { group, member: one(&principal)? }
            }
            Order::DefineRole { role, permissions } => {
                Change::DefineRole { role, permissions: permissions.into_iter().collect() }
            }
            Order::RemoveRole { role } => Change::RemoveRole { role },
            Order::AssignRole { role, scope, to } => {
                let assignee = assignee(to)?;
                if held(access, &role, &scope, &assignee).is_some() {
                    return Ok((Vec::new(), Done::default()));
                }
                Change::AssignRole { id: AssignmentId::random(), role, scope, assignee }
            }
            Order::UnassignRole { role, scope, from } => {
                let assignee = assignee(from)?;
                let id = held(access, &role, &scope, &assignee).ok_or(OrderRefused::NotAssigned)?;
                Change::RemoveAssignment { id }
            }
            Order::CreateToken { name, of, limit, lifetime } => {
                let limit: Limit = limit
                    .into_iter()
                    .map(|(scope, permissions)| (scope, permissions.into_iter().collect::<Permissions>()))
                    .collect();
                let grant = match of {
                    None if limit.is_empty() => return Err(OrderRefused::NoLimit),
                    None => Grant::Own { limit },
                    Some(of) => {
                        Grant::Personal { of: one(&of)?, limit: (!limit.is_empty()).then_some(limit) }
                    }
                };
                let by = maker.filter(|_| matches!(grant, Grant::Own { .. }));
                new_token(&mut done, name, grant, lifetime, by, now)
            }
            Order::RevokeToken { token } => Change::RevokeToken { id: token_of(access, maker, &token)? },
        };
        Ok((vec![change], done))
    }
}

/// The token of that name or id, as whoever asks means it: of several that are called so, their own.
pub(super) fn token_of(access: &Access, asks: Option<ObjectId>, text: &str) -> Result<TokenId, OrderRefused> {
    if let Some(id) = text.parse().ok().filter(|id| access.token(id).is_some()) {
        return Ok(id);
    }
    let name: Option<Name> = text.parse().ok();
    let named: Vec<_> = name.iter().flat_map(|name| access.tokens_named(name)).collect();
    let own = named.iter().find(|(_, token)| asks.is_some_and(|asks| token.is_of(asks)));
    match (own, named.as_slice()) {
        (Some((id, _)), _) | (None, [(id, _)]) => Ok((*id).clone()),
        (None, []) => Err(OrderRefused::NoToken { text: text.to_owned() }),
        (None, _) => Err(OrderRefused::SeveralTokens { text: text.to_owned() }),
    }
}

/// What a service principal's first token is called.
fn token_name(access: &Access, of: Option<&Name>) -> Result<Name, OrderRefused> {
    let base: String = of.map_or("service", Name::as_str).chars().take(48).collect();
    let free = |name: &Name| {
        access.tokens_named(name).next().is_none() && access.answering_to(name.as_str()).is_none()
    };
    let names = (1_u32..).map(|number| format!("{base}.token-{number}").parse::<Name>());
    let found = names.map_while(Result::ok).find(free);
    found.ok_or(OrderRefused::Nobody { text: base })
}

fn new_token(
    done: &mut Done,
    name: Name,
    grant: Grant,
    lifetime: u64,
    by: Option<ObjectId>,
    now: UnixTime,
) -> Change {
    let secret = Secret::random();
    let expires = now.after(Duration::from_secs(lifetime));
    let (id, hash) = (secret.id().clone(), secret.hash());
    (done.token, done.expires) = (Some(id.clone()), Some(expires));
    done.secret = Some(Password(secret.shown()));
    Change::AddToken { id, name, secret: hash, expires, grant, by }
}

fn held(access: &Access, role: &Role, scope: &Scope, assignee: &Assignee) -> Option<AssignmentId> {
    let mut assignments = access.assignments();
    let is_it = |held: &Assignment| held.role == *role && held.scope == *scope && held.assignee == *assignee;
    assignments.find(|(_, held)| is_it(held)).map(|(id, _)| id)
}
