//! How trust begins and moves on (TUF specification, 5.3.3 to 5.3.9; protocol of Notary v1, root rules).
//!
//! Root keys are certificates whose common name is the repository's. A new root must be signed by a threshold of the
//! root before it and by its own; only the root directly before counts.

use super::TrustError;
use super::threshold::{Verified, count, meet};
use crate::crypto::{KeyId, PublicKey};
use crate::metadata::{Key, Parsed, Root};
use crate::terms::{RepositoryName, UnixTime, Version};

/// Believes a repository's first root, which nothing vouches for but itself.
///
/// `at`: certificates must be valid then; `None` to ignore their time, as an import of old metadata does.
pub(crate) fn first_root(
    parsed: Parsed<Root>,
    repository: &RepositoryName,
    at: Option<UnixTime>,
) -> Result<Verified<Root>, TrustError> {
    signed_by_itself(&parsed, repository, at)?;
    Ok(Verified::new(parsed))
}

/// Believes a root that follows `trusted`.
pub(crate) fn next_root(
    parsed: Parsed<Root>,
    trusted: &Verified<Root>,
    repository: &RepositoryName,
    at: Option<UnixTime>,
) -> Result<Verified<Root>, TrustError> {
    let offered = parsed.version();
    if trusted.version().next() != Some(offered) {
        return Err(TrustError::VersionGap { trusted: Some(trusted.version()), offered });
    }
    signed_by_trusted(&parsed, trusted, repository)?;
    signed_by_itself(&parsed, repository, at)?;
    Ok(Verified::new(parsed))
}

/// Whether a repository may begin with this root: with version 1, or 2 as a key that was rotated before the first
/// publication leaves it.
pub(crate) fn may_be_first(version: Version) -> bool {
    version.get() <= 2
}

fn signed_by_trusted(
    parsed: &Parsed<Root>,
    trusted: &Verified<Root>,
    repository: &RepositoryName,
) -> Result<(), TrustError> {
    let role = &trusted.body().root;
    let keys = certificates(trusted.body(), repository, None);
    let valid = count(parsed.message(), parsed.signatures(), keys.iter().map(|(id, key)| (*id, key)));
    if role.threshold.is_met_by(valid) {
        return Ok(());
    }
    Err(TrustError::NotSignedByTrustedRoot { valid, threshold: role.threshold, trusted: trusted.version() })
}

fn signed_by_itself(
    parsed: &Parsed<Root>,
    repository: &RepositoryName,
    at: Option<UnixTime>,
) -> Result<(), TrustError> {
    let root = parsed.unverified();
    for role in [&root.root, &root.targets, &root.snapshot, &root.timestamp] {
        if let Some(key) = role.keys.iter().find(|key| !key.id_matches) {
            return Err(TrustError::KeyIdMismatch { key: key.id });
        }
    }
    let keys = certificates(root, repository, at);
    if keys.is_empty() {
        return Err(TrustError::NoRootCertificate);
    }
    meet(parsed, keys.iter().map(|(id, key)| (*id, key)), root.root.threshold)
}

/// The root keys that count: certificates that name the repository, are strong enough, and are valid `at` that time.
fn certificates(root: &Root, repository: &RepositoryName, at: Option<UnixTime>) -> Vec<(KeyId, PublicKey)> {
    let usable = |key: &Key| {
        let leaf = key.certificates()?.leaf()?;
        let counts = leaf.names(repository)
            && match at {
                Some(now) => leaf.is_acceptable_at(now) && key.rebuilds_at(now),
                None => leaf.is_sound() && key.rebuilds(),
            };
        counts.then(|| Some((key.id, leaf.public()?.clone()))).flatten()
    };
    root.root.keys.iter().filter_map(usable).collect()
}
