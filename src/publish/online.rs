//! The public keys that a publisher lists in its root for the roles that the store signs (protocol of Notary v1, key
//! endpoints). Asking writes nothing.

use super::{OnlineKeyRefused, Publisher, base};
use crate::crypto::{OnlineRole, OnlineScope, PublicKey};
use crate::terms::RepositoryName;

/// The key that signs for `role` now, if the store holds one that the root lists; else the one that would.
pub(crate) fn online_key(
    publisher: &Publisher,
    repository: &RepositoryName,
    role: OnlineRole,
) -> Result<PublicKey, OnlineKeyRefused> {
    let base = base::pin(publisher, repository)?;
    let listed = base.set().map(|set| match role {
        OnlineRole::Snapshot => &set.root.body().snapshot,
        OnlineRole::Timestamp => &set.root.body().timestamp,
    });
    let held = listed.and_then(|listed| {
        let held = |id| base.online().iter().any(|sealed| sealed.role == role && sealed.id == id);
        listed.keys.iter().find(|key| held(key.id)).and_then(|key| key.public.as_ref())
    });
    match held {
        Some(key) => Ok(key.clone()),
        None => pending(publisher, &base, role),
    }
}

/// The key to list next for `role`: one that has never signed, the same at each call until it has.
pub(crate) fn pending_key(
    publisher: &Publisher,
    repository: &RepositoryName,
    role: OnlineRole,
) -> Result<PublicKey, OnlineKeyRefused> {
    pending(publisher, &base::pin(publisher, repository)?, role)
}

fn pending(
    publisher: &Publisher,
    base: &base::Base,
    role: OnlineRole,
) -> Result<PublicKey, OnlineKeyRefused> {
    let scope = OnlineScope::new(base.repository(), base.incarnation(), role, base.online());
    Ok(publisher.online.pending(scope)?)
}
