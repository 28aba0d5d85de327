//! Who must have signed: a threshold of distinct keys (TUF specification, 4.3 and 5.3.4; protocol of Notary v1, keys).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::TrustError;
use super::hierarchy::{Delegated, Faulty};
use crate::crypto::{CertificateBundle, KeyId, PublicKey};
use crate::metadata::{Document, Key, Parsed, RoleKeys, Signature, Targets};
use crate::terms::{Threshold, UnixTime, Version};

/// A role signed by a threshold of distinct, authorised keys. Made only here. Says nothing about version or expiry.
#[derive(Debug)]
pub(crate) struct Verified<B> {
    body: B,
    document: Document,
    expires: UnixTime,
}

impl<B> Verified<B> {
    pub(crate) fn body(&self) -> &B {
        &self.body
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    pub(crate) fn expires(&self) -> UnixTime {
        self.expires
    }

    pub(crate) fn version(&self) -> Version {
        self.document.version()
    }

    /// The second door: a file that this store verified before it wrote it, read back with its digest checked. Nothing
    /// is verified again. Only `recover` calls this.
    pub(crate) fn recovered(parsed: Parsed<B>) -> Self {
        Self::new(parsed)
    }

    /// After one of this module's checks, or the root's, has passed.
    pub(super) fn new(parsed: Parsed<B>) -> Self {
        let expires = parsed.expires();
        let (body, document) = parsed.into_body_and_document();
        Self { body, document, expires }
    }
}

/// Believes a file if a threshold of the role's keys has signed it.
pub(crate) fn verify<B>(parsed: Parsed<B>, keys: &RoleKeys) -> Result<Verified<B>, TrustError> {
    signed(&parsed, keys)?;
    Ok(Verified::new(parsed))
}

/// Believes a delegation's file, whose keys may be certificates: their time is not asked for, their strength is.
pub(crate) fn verify_delegation(
    parsed: Parsed<Targets>,
    keys: &RoleKeys,
) -> Result<Verified<Targets>, TrustError> {
    strong(keys)?;
    verify(parsed, keys)
}

/// As [`verify_delegation`], but keeps what failed: such a file is carried along until its signers mend it.
pub(crate) fn verify_or_fault(parsed: Parsed<Targets>, keys: &RoleKeys) -> Delegated {
    match strong(keys).and_then(|()| signed(&parsed, keys)) {
        Ok(()) => Delegated::Verified(Arc::new(Verified::new(parsed))),
        Err(why) => Delegated::Faulty(Arc::new(Faulty::new(parsed, why))),
    }
}

/// Clients give a delegation up altogether if any of its certificates is weak.
fn strong(keys: &RoleKeys) -> Result<(), TrustError> {
    let weak = |key: &&Key| {
        let first = key.certificates().and_then(CertificateBundle::first);
        first.is_some_and(|certificate| !certificate.is_sound())
    };
    keys.keys.iter().find(weak).map_or(Ok(()), |key| Err(TrustError::WeakCertificate { key: key.id }))
}

fn signed<B>(parsed: &Parsed<B>, keys: &RoleKeys) -> Result<(), TrustError> {
    if let Some(key) = keys.keys.iter().find(|key| !key.id_matches) {
        return Err(TrustError::KeyIdMismatch { key: key.id });
    }
    let usable = keys.keys.iter().filter_map(|key| Some((key.id, key.public.as_ref()?)));
    meet(parsed, usable, keys.threshold)
}

/// Whether `threshold` of `keys` have signed.
pub(super) fn meet<'k, B>(
    parsed: &Parsed<B>,
    keys: impl Iterator<Item = (KeyId, &'k PublicKey)>,
    threshold: Threshold,
) -> Result<(), TrustError> {
    if parsed.signatures_listed() == 0 {
        return Err(TrustError::NoSignatures);
    }
    let valid = count(parsed.message(), parsed.signatures(), keys);
    if threshold.is_met_by(valid) { Ok(()) } else { Err(TrustError::TooFewKeys { valid, threshold }) }
}

/// Asks each key for its signature, so that a signature which is repeated never counts twice (RUSTSEC-2020-0024), and
/// counts the key's material, so that a key under two ids never counts twice either.
pub(super) fn count<'k>(
    message: &[u8],
    signatures: &[Signature],
    keys: impl Iterator<Item = (KeyId, &'k PublicKey)>,
) -> usize {
    let mut valid = BTreeSet::new();
    for (id, key) in keys {
        let signed = |signature: &&Signature| key.verifies(signature.method, message, &signature.bytes);
        if !valid.contains(key.fingerprint()) && signatures.iter().filter(|s| s.key == id).any(|s| signed(&s))
        {
            valid.insert(*key.fingerprint());
        }
    }
    valid.len()
}
