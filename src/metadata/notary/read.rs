//! Files to roles: well formed, complete in themselves, and nothing beyond that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::key;
use super::members::{binary, elements, length, map, members, optional, required, text};
use crate::crypto::KeyId;
use crate::metadata::canonical::{LARGEST_EXACT, canonical};
use crate::metadata::json::{self, Number, Object, Value};
use crate::metadata::{
    Delegation, Document, FileMeta, Key, Limits, ParseError, Parsed, RoleKeys, Root, Signature, Snapshot,
    TargetEntry, Targets, Timestamp,
};
use crate::terms::{RoleName, Sha256, Sha512, Tag, Threshold, Version};

/// Reads a root.
pub(crate) fn parse_root(bytes: Arc<[u8]>, limits: &Limits) -> Result<Parsed<Root>, ParseError> {
    let known = ["_type", "consistent_snapshot", "expires", "keys", "roles", "version"];
    parse(RoleName::Root, "Root", &known, bytes, limits, |signed| {
        if !matches!(optional(signed, "consistent_snapshot"), None | Some(Value::Bool(_))) {
            return Err(ParseError::WrongType { member: "consistent_snapshot", expected: "true or false" });
        }
        let mut keys = Keys::read(signed, limits)?;
        let roles = map(required(signed, "roles")?, "roles")?;
        let mut role = |role: RoleName| {
            let value = optional(roles, role.as_str())
                .ok_or_else(|| ParseError::MissingRole { role: role.clone() })?;
            keys.of(role, members(value, "role", &["keyids", "threshold"])?)
        };
        Ok(Root {
            root: role(RoleName::Root)?,
            targets: role(RoleName::Targets)?,
            snapshot: role(RoleName::Snapshot)?,
            timestamp: role(RoleName::Timestamp)?,
        })
    })
}

/// Reads the targets file of `role`, which is `targets` or a delegation.
pub(crate) fn parse_targets(
    role: RoleName,
    bytes: Arc<[u8]>,
    limits: &Limits,
) -> Result<Parsed<Targets>, ParseError> {
    let known = ["_type", "delegations", "expires", "targets", "version"];
    let parent = role.clone();
    parse(role, "Targets", &known, bytes, limits, |signed| {
        Ok(Targets { delegations: delegations(&parent, signed, limits)?, targets: targets(signed, limits)? })
    })
}

/// Reads a snapshot.
pub(crate) fn parse_snapshot(bytes: Arc<[u8]>, limits: &Limits) -> Result<Parsed<Snapshot>, ParseError> {
    let known = ["_type", "expires", "meta", "version"];
    parse(RoleName::Snapshot, "Snapshot", &known, bytes, limits, |signed| {
        let mut meta = BTreeMap::new();
        for (name, value) in map(required(signed, "meta")?, "meta")?.iter() {
            let entry = members(value, "meta entry", &ENTRY)?;
            // What is no role is nobody's business; the online roles are not a snapshot's to name.
            if let Ok(role @ (RoleName::Root | RoleName::Targets | RoleName::Delegation(_))) = name.parse() {
                let file = file_meta(&role, entry)?;
                meta.insert(role, file);
            }
        }
        for role in [RoleName::Root, RoleName::Targets] {
            if !meta.contains_key(&role) {
                return Err(ParseError::MissingRole { role });
            }
        }
        Ok(Snapshot { meta })
    })
}

/// Reads a timestamp.
pub(crate) fn parse_timestamp(bytes: Arc<[u8]>, limits: &Limits) -> Result<Parsed<Timestamp>, ParseError> {
    let known = ["_type", "expires", "meta", "version"];
    parse(RoleName::Timestamp, "Timestamp", &known, bytes, limits, |signed| {
        let role = RoleName::Snapshot;
        let meta = map(required(signed, "meta")?, "meta")?;
        let Some(value) = optional(meta, role.as_str()) else {
            return Err(ParseError::MissingRole { role });
        };
        Ok(Timestamp { snapshot: file_meta(&role, members(value, "meta entry", &ENTRY)?)? })
    })
}

const ENTRY: [&str; 3] = ["custom", "hashes", "length"];

fn parse<B>(
    role: RoleName,
    kind: &'static str,
    known: &[&'static str],
    bytes: Arc<[u8]>,
    limits: &Limits,
    body: impl FnOnce(&Object<'_>) -> Result<B, ParseError>,
) -> Result<Parsed<B>, ParseError> {
    let limit = if role == RoleName::Timestamp { limits.timestamp_bytes } else { limits.role_bytes };
    if bytes.len() > limit {
        return Err(ParseError::TooLarge { limit, actual: bytes.len() });
    }
    let file = json::parse(str::from_utf8(&bytes).map_err(|_| ParseError::NotUtf8)?, limits)?;
    let envelope = members(&file, "file", &["signatures", "signed"])?;
    let value = required(envelope, "signed")?;
    let signed = members(value, "signed", known)?;
    if !matches!(signed.get("_type"), Some(Value::String(text)) if text == kind) {
        return Err(ParseError::WrongRole { expected: kind });
    }
    let version = version(required(signed, "version")?)?;
    let expires = text(required(signed, "expires")?, "expires")?.parse().map_err(ParseError::Expires)?;
    let body = body(signed)?;
    let listed = elements(envelope, "signatures")?;
    if listed.len() > limits.signatures {
        return Err(ParseError::TooMany { what: "signatures", limit: limits.signatures });
    }
    let mut signatures = Vec::with_capacity(listed.len());
    for value in listed {
        signatures.extend(signature(value)?);
    }
    let listed = listed.len();
    let message = canonical(value, bytes.len())?;
    let document = Document::new(role, version, bytes);
    Ok(Parsed { body, document, expires, message, signatures, listed })
}

fn version(value: &Value<'_>) -> Result<Version, ParseError> {
    let Value::Number(number) = value else { return Err(ParseError::VersionNotAnInteger) };
    match *number {
        Number::Negative(_) => Err(ParseError::VersionNegative),
        Number::Float(double) if double.abs() < 18_446_744_073_709_551_615.0 => {
            Err(ParseError::VersionNotAnInteger)
        }
        Number::Float(_) => Err(ParseError::VersionTooLarge),
        Number::Unsigned(large) if large > LARGEST_EXACT => Err(ParseError::VersionTooLarge),
        Number::Unsigned(number) => Version::new(number).ok_or(ParseError::VersionZero),
    }
}

/// `None` for one that can never count: by a key without an id, by a method nobody knows, empty.
fn signature(value: &Value<'_>) -> Result<Option<Signature>, ParseError> {
    if matches!(value, Value::Null) {
        return Ok(None);
    }
    let signature = members(value, "signature", &["keyid", "method", "sig"])?;
    let part = |name| optional(signature, name).map_or(Ok(""), |value| text(value, name));
    let (id, method, encoded) = (part("keyid")?, part("method")?, optional(signature, "sig"));
    let (Ok(key), Some(method)) = (id.parse(), key::method(method)) else { return Ok(None) };
    let bytes = encoded.and_then(|value| binary(value, "sig").ok()).filter(|bytes| !bytes.is_empty());
    Ok(bytes.map(|bytes| Signature { key, method, bytes }))
}

/// The keys that a file describes, each read when it is first listed.
pub(super) struct Keys<'v> {
    pub(super) described: BTreeMap<&'v str, (&'v str, Vec<u8>)>,
    read: BTreeMap<KeyId, Key>,
    certificates: usize,
}

impl<'v> Keys<'v> {
    pub(super) fn read(parent: &'v Object<'_>, limits: &Limits) -> Result<Self, ParseError> {
        let mut described = BTreeMap::new();
        if let Some(value) = optional(parent, "keys") {
            let keys = map(value, "keys")?;
            if keys.len() > limits.keys {
                return Err(ParseError::TooMany { what: "keys", limit: limits.keys });
            }
            for (id, value) in keys.iter() {
                let object = members(value, "key", &["keytype", "keyval"])?;
                let keytype = text(required(object, "keytype")?, "keytype")?;
                let pair = members(required(object, "keyval")?, "keyval", &["private", "public"])?;
                let public = binary(required(pair, "public")?, "public")?;
                if public.len() > limits.key_bytes {
                    return Err(ParseError::TooLarge { limit: limits.key_bytes, actual: public.len() });
                }
                described.insert(id, (keytype, public));
            }
        }
        Ok(Self { described, read: BTreeMap::new(), certificates: limits.certificates })
    }

    fn of(&mut self, role: RoleName, object: &Object<'_>) -> Result<RoleKeys, ParseError> {
        let threshold = match optional(object, "threshold") {
            Some(Value::Number(Number::Unsigned(number))) => {
                u32::try_from(*number).ok().and_then(Threshold::new)
            }
            _ => None,
        };
        let Some(threshold) = threshold else { return Err(ParseError::Threshold { role }) };
        let mut seen = BTreeSet::new();
        let mut keys = Vec::new();
        for value in elements(object, "keyids")? {
            let id: KeyId = text(value, "keyid")?.parse().map_err(|_| ParseError::KeyId)?;
            if seen.insert(id) {
                let key =
                    self.key(id).ok_or_else(|| ParseError::UnknownKey { role: role.clone(), key: id })?;
                keys.push(key);
            }
        }
        Ok(RoleKeys { keys, threshold })
    }

    fn key(&mut self, id: KeyId) -> Option<Key> {
        if let Some(key) = self.read.get(&id) {
            return Some(key.clone());
        }
        let (keytype, public) = self.described.get(id.to_string().as_str())?;
        let key = key::read(id, keytype, public, self.certificates);
        self.read.insert(id, key.clone());
        Some(key)
    }
}

fn delegations(
    parent: &RoleName,
    signed: &Object<'_>,
    limits: &Limits,
) -> Result<Vec<Delegation>, ParseError> {
    let Some(value) = optional(signed, "delegations") else { return Ok(Vec::new()) };
    let object = members(value, "delegations", &["keys", "roles"])?;
    let mut keys = Keys::read(object, limits)?;
    let listed = elements(object, "roles")?;
    if listed.len() > limits.delegations {
        return Err(ParseError::TooMany { what: "delegations", limit: limits.delegations });
    }
    let mut seen = BTreeSet::new();
    let mut delegations = Vec::with_capacity(listed.len());
    for value in listed {
        let entry = members(value, "delegation", &["keyids", "name", "paths", "threshold"])?;
        let role: RoleName =
            text(required(entry, "name")?, "name")?.parse().map_err(ParseError::DelegationName)?;
        if role.parent().as_ref() != Some(parent) {
            return Err(ParseError::NotAChild { role });
        }
        if !seen.insert(role.clone()) {
            return Err(ParseError::DuplicateDelegation { role });
        }
        let paths = elements(entry, "paths")?.iter().map(|path| text(path, "path").map(Into::into));
        let paths = paths.collect::<Result<_, _>>()?;
        delegations.push(Delegation { keys: keys.of(role.clone(), entry)?, role, paths });
    }
    Ok(delegations)
}

fn targets(signed: &Object<'_>, limits: &Limits) -> Result<Vec<TargetEntry>, ParseError> {
    let Some(value) = optional(signed, "targets") else { return Ok(Vec::new()) };
    let listed = map(value, "targets")?;
    if listed.len() > limits.targets {
        return Err(ParseError::TooMany { what: "targets", limit: limits.targets });
    }
    let entries = listed.iter().map(|(tag, value)| {
        let entry = members(value, "target", &ENTRY)?;
        let hashes = Hashes::read(entry)?;
        // Clients pass over a digest that is none, and take a length that is not there for zero.
        Ok(TargetEntry {
            tag: Tag::from(tag),
            sha256: hashes.sha256().unwrap_or_default(),
            sha512: hashes.sha512().unwrap_or_default(),
            length: optional(entry, "length").map_or(Ok(0), length)?,
        })
    });
    entries.collect()
}

fn file_meta(role: &RoleName, entry: &Object<'_>) -> Result<FileMeta, ParseError> {
    let hashes = Hashes::read(entry)?;
    let (sha256, sha512) = (hashes.sha256()?, hashes.sha512()?);
    let enough = match role {
        // The roles that clients cannot do without are named by the digest that every client knows.
        RoleName::Root | RoleName::Targets | RoleName::Snapshot | RoleName::Timestamp => sha256.is_some(),
        RoleName::Delegation(_) => sha256.is_some() || sha512.is_some(),
    };
    if !enough {
        return Err(ParseError::MissingHash { role: role.clone() });
    }
    Ok(FileMeta { length: length(required(entry, "length")?)?, sha256, sha512 })
}

/// The digests of an entry; those of unknown algorithms are passed over.
#[derive(Default)]
struct Hashes {
    sha256: Option<Vec<u8>>,
    sha512: Option<Vec<u8>>,
}

impl Hashes {
    fn read(entry: &Object<'_>) -> Result<Self, ParseError> {
        let Some(value) = optional(entry, "hashes") else { return Ok(Self::default()) };
        let hashes = map(value, "hashes")?;
        let hash = |name| optional(hashes, name).map(|value| binary(value, name)).transpose();
        Ok(Self { sha256: hash("sha256")?, sha512: hash("sha512")? })
    }

    fn sha256(&self) -> Result<Option<Sha256>, ParseError> {
        fixed(self.sha256.as_ref(), "SHA-256").map(|bytes| bytes.map(Sha256::new))
    }

    fn sha512(&self) -> Result<Option<Sha512>, ParseError> {
        fixed(self.sha512.as_ref(), "SHA-512").map(|bytes| bytes.map(Sha512::new))
    }
}

fn fixed<const N: usize>(
    bytes: Option<&Vec<u8>>,
    algorithm: &'static str,
) -> Result<Option<[u8; N]>, ParseError> {
    let bytes =
        bytes.map(|bytes| bytes.as_slice().try_into().map_err(|_| ParseError::HashLength { algorithm }));
    bytes.transpose()
}
