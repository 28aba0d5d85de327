//! What somebody may at a service, of what they ask for.

use tufstore::terms::{RepositoryName, UnixTime};

use super::issuer::Grant;
use super::request::Scope;
use crate::access::{self, Access, Identity, Permission, Permissions, Registry};

/// What clients ask for if they want to look around in all there is.
const CATALOG: (&str, &str) = ("registry", "catalog");

/// Whom a token is shown to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Audience {
    /// The trust server: names are whole.
    Trust,
    /// A registry of images: names lack the registry's.
    Registry(Registry),
}

impl Audience {
    /// Whom a service's name stands for: the trust server is called `trust`, a registry as in the names of its repositories.
    pub(crate) fn named(service: &str, trust: &str) -> Option<Self> {
        if service == trust { Some(Self::Trust) } else { service.parse().ok().map(Self::Registry) }
    }

    fn repository(&self, name: &str) -> Option<RepositoryName> {
        match self {
            Self::Trust => name.parse().ok(),
            Self::Registry(registry) => format!("{registry}/{name}").parse().ok(),
        }
    }

    /// Every action that these permissions allow there.
    fn actions(&self, held: Permissions) -> Vec<&'static str> {
        let signs = held.contains(Permission::Sign) && held.contains(Permission::TrustedCollections);
        let (may_push, rotates) = match self {
            Self::Trust => (signs, signs),
            Self::Registry(_) => (held.contains(Permission::Push), false),
        };
        [
            ("pull", held.contains(Permission::Pull)),
            ("push", may_push),
            ("rotate", rotates),
            ("delete", held.contains(Permission::Delete)),
        ]
        .into_iter()
        .filter_map(|(action, may)| may.then_some(action))
        .collect()
    }

    /// Where somebody has to be allowed to read to look around.
    fn everything(&self) -> access::Scope {
        match self {
            Self::Trust => access::Scope::ALL,
            Self::Registry(registry) => registry.clone().into(),
        }
    }
}

/// Of these scopes, what somebody may. Whoever asks for `*` gets all that they may, and no `*`.
pub(crate) fn grants(
    access: &Access,
    identity: &Identity,
    audience: &Audience,
    scopes: &[Scope],
    now: UnixTime,
) -> Vec<Grant> {
    let granted = |scope: &Scope| {
        let Scope { kind, name, actions } = scope;
        let asked = |action: &str| actions.iter().any(|asked| asked == action || asked == "*");
        let actions = match (kind.as_str(), name.as_str()) {
            CATALOG if actions.iter().any(|action| action == "*") => {
                let held = access.permissions_over(identity, &audience.everything(), now);
                if held.contains(Permission::Pull) { vec!["*"] } else { Vec::new() }
            }
            ("repository", name) => {
                let repository = audience.repository(name)?;
                let held = access.permissions(identity, &repository, now);
                audience.actions(held).into_iter().filter(|action| asked(action)).collect()
            }
            _ => Vec::new(),
        };
        let actions: Vec<String> = actions.into_iter().map(str::to_owned).collect();
        (!actions.is_empty()).then(|| Grant { kind: kind.clone(), name: name.clone(), actions })
    };
    scopes.iter().filter_map(granted).collect()
}

#[cfg(test)]
mod tests;
