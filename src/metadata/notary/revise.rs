//! Files back to what their author may change: everything that was signed, and nothing that a reader would not take.

use std::collections::BTreeMap;

use super::members::{map, members, optional, required};
use super::read::{Keys, parse_root, parse_snapshot, parse_targets, parse_timestamp};
use super::{key, write};
use crate::crypto::KeyId;
use crate::metadata::canonical::canonical;
use crate::metadata::json::{self, Object, Value};
use crate::metadata::write::{
    AuthorKey, Custom, Signers, UnsignedDelegation, UnsignedRoot, UnsignedTarget, UnsignedTargets,
};
use crate::metadata::{Document, Limits, ParseError, RoleKeys, Signature};
use crate::terms::RoleName;

pub(crate) fn revise_root(document: &Document, limits: &Limits) -> Result<UnsignedRoot, ParseError> {
    let parsed = parse_root(document.bytes().clone(), limits)?;
    let file = json::parse(text(document)?, limits)?;
    let mut keys = author_keys(signed(&file)?, limits)?;
    let root = parsed.unverified();
    let mut roles = [&root.root, &root.targets, &root.snapshot, &root.timestamp].into_iter();
    let mut next = || roles.next().map_or(Err(ParseError::KeyId), |role| signers(role, &keys));
    let (version, expires) = (document.version(), parsed.expires());
    let signers = [next()?, next()?, next()?, next()?];
    for listed in signers.iter().flat_map(|signers| &signers.keys) {
        keys.remove(&listed.id);
    }
    let mut revised = UnsignedRoot::new(version.next().unwrap_or(version), expires, signers);
    revised.former = keys.into_values().collect();
    Ok(revised)
}

pub(crate) fn revise_targets(document: &Document, limits: &Limits) -> Result<UnsignedTargets, ParseError> {
    let parsed = parse_targets(document.role().clone(), document.bytes().clone(), limits)?;
    let file = json::parse(text(document)?, limits)?;
    let signed = signed(&file)?;
    let keys = match optional(signed, "delegations") {
        Some(delegations) => author_keys(map(delegations, "delegations")?, limits)?,
        None => BTreeMap::new(),
    };
    let (version, expires) = (document.version(), parsed.expires());
    let mut revised = UnsignedTargets::new(version.next().unwrap_or(version), expires);
    for delegation in &parsed.unverified().delegations {
        let signers = signers(&delegation.keys, &keys)?;
        revised.delegations.push(UnsignedDelegation::new(
            delegation.role.clone(),
            signers,
            delegation.paths.clone(),
        ));
    }
    let listed = optional(signed, "targets").map(|targets| map(targets, "targets")).transpose()?;
    for entry in &parsed.unverified().targets {
        let Some(sha256) = entry.sha256 else {
            return Err(ParseError::MissingTargetHash { tag: entry.tag.clone() });
        };
        let value = listed.and_then(|targets| targets.get(entry.tag.as_str()));
        let target = value.map(|target| map(target, "target")).transpose()?;
        let custom = target.and_then(|target| target.get("custom")).map(written).transpose()?;
        let target =
            UnsignedTarget { sha512: entry.sha512, custom, ..UnsignedTarget::new(sha256, entry.length) };
        revised.targets.insert(entry.tag.clone(), target);
    }
    Ok(revised)
}

/// What the signatures of a file cover, and the signatures.
pub(crate) fn reopen(document: &Document, limits: &Limits) -> Result<(Vec<u8>, Vec<Signature>), ParseError> {
    let bytes = document.bytes().clone();
    let (message, signatures) = match document.role() {
        RoleName::Root => parse_root(bytes, limits)?.into_signed(),
        RoleName::Snapshot => parse_snapshot(bytes, limits)?.into_signed(),
        RoleName::Timestamp => parse_timestamp(bytes, limits)?.into_signed(),
        role @ (RoleName::Targets | RoleName::Delegation(_)) => {
            parse_targets(role.clone(), bytes, limits)?.into_signed()
        }
    };
    write::embeddable(&message)?;
    Ok((message, signatures))
}

fn text(document: &Document) -> Result<&str, ParseError> {
    str::from_utf8(document.bytes()).map_err(|_| ParseError::NotUtf8)
}

fn signed<'v, 'a>(file: &'v Value<'a>) -> Result<&'v Object<'a>, ParseError> {
    let envelope = members(file, "file", &["signatures", "signed"])?;
    map(required(envelope, "signed")?, "signed")
}

/// Every key that is described, whether or not a role lists it.
fn author_keys(parent: &Object<'_>, limits: &Limits) -> Result<BTreeMap<KeyId, AuthorKey>, ParseError> {
    let described = Keys::read(parent, limits)?.described;
    let keys = described.into_iter().map(|(id, (keytype, encoded))| {
        let id: KeyId = id.parse().map_err(|_| ParseError::KeyId)?;
        let key = key::read(id, keytype, &encoded, limits.certificates);
        // Written anew, it would get the id that it should have had.
        if key.id_matches {
            Ok((id, AuthorKey::listed(key, keytype, encoded)))
        } else {
            Err(ParseError::KeyId)
        }
    });
    keys.collect()
}

fn signers(role: &RoleKeys, keys: &BTreeMap<KeyId, AuthorKey>) -> Result<Signers, ParseError> {
    let listed = role.keys.iter().map(|key| keys.get(&key.id).cloned().ok_or(ParseError::KeyId));
    Ok(Signers::new(listed.collect::<Result<_, _>>()?, role.threshold))
}

fn written(custom: &Value<'_>) -> Result<Custom, ParseError> {
    let form = canonical(custom, 0)?;
    write::embeddable(&form)?;
    str::from_utf8(&form).map(Custom::canonical).map_err(|_| ParseError::NotUtf8)
}
