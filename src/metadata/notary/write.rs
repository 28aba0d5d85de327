//! Roles to the canonical form that is signed, and that to files. Member names stand in the order of their bytes, so
//! that nothing has to be sorted but what is data.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key::{key_object, method_name};
use crate::metadata::canonical::{LARGEST_EXACT, canonical, write_integer, write_text};
use crate::metadata::write::{
    AuthorKey, Signers, UnsignedDelegation, UnsignedRoot, UnsignedSnapshot, UnsignedTarget, UnsignedTargets,
    UnsignedTimestamp, WriteError,
};
use crate::metadata::{FileMeta, Limits, ParseError, Signature, json};
use crate::terms::{RoleName, Sha256, Sha512, UnixTime, Version};

pub(crate) fn root(root: &UnsignedRoot) -> Result<Vec<u8>, WriteError> {
    let mut out = Canonical::new("{\"_type\":\"Root\",\"consistent_snapshot\":false,\"expires\":");
    out.expires(root.expires)?;
    out.raw(",\"keys\":");
    let roles = [
        (RoleName::Root, &root.root),
        (RoleName::Snapshot, &root.snapshot),
        (RoleName::Targets, &root.targets),
        (RoleName::Timestamp, &root.timestamp),
    ];
    out.keys(roles.iter().flat_map(|(_, signers)| &signers.keys).chain(&root.former));
    out.raw(",\"roles\":{");
    for (at, (role, signers)) in roles.iter().enumerate() {
        out.comma(at);
        out.name(role.as_str());
        out.raw("{\"keyids\":");
        out.key_ids(signers);
        out.raw(",\"threshold\":");
        out.integer(u64::from(signers.threshold.get()))?;
        out.raw("}");
    }
    out.raw("}");
    out.end(root.version)
}

pub(crate) fn targets(role: &RoleName, targets: &UnsignedTargets) -> Result<Vec<u8>, WriteError> {
    if !role.is_targets_or_delegation() {
        return Err(WriteError::NotAChild { role: role.clone() });
    }
    let mut out = Canonical::new("{\"_type\":\"Targets\",\"delegations\":{\"keys\":");
    out.keys(targets.delegations.iter().flat_map(|delegation| &delegation.signers.keys));
    out.raw(",\"roles\":[");
    let mut seen = BTreeSet::new();
    for (at, delegation) in targets.delegations.iter().enumerate() {
        if delegation.role.parent().as_ref() != Some(role) {
            return Err(WriteError::NotAChild { role: delegation.role.clone() });
        }
        if !seen.insert(&delegation.role) {
            return Err(WriteError::DuplicateDelegation { role: delegation.role.clone() });
        }
        out.comma(at);
        out.delegation(delegation)?;
    }
    out.raw("]},\"expires\":");
    out.expires(targets.expires)?;
    out.raw(",\"targets\":{");
    for (at, (tag, target)) in targets.targets.iter().enumerate() {
        out.comma(at);
        out.text(tag.as_str())?;
        out.raw(":");
        out.target(target)?;
    }
    out.raw("}");
    out.end(targets.version)
}

pub(crate) fn snapshot(snapshot: &UnsignedSnapshot) -> Result<Vec<u8>, WriteError> {
    for role in [RoleName::Root, RoleName::Targets] {
        if !snapshot.meta.contains_key(&role) {
            return Err(WriteError::MissingRole { role });
        }
    }
    for role in [RoleName::Snapshot, RoleName::Timestamp] {
        if snapshot.meta.contains_key(&role) {
            return Err(WriteError::NotAChild { role });
        }
    }
    let mut out = Canonical::new("{\"_type\":\"Snapshot\",\"expires\":");
    out.expires(snapshot.expires)?;
    out.raw(",\"meta\":{");
    // Roles are ordered by rank, members by name.
    let by_name: BTreeMap<&str, _> = snapshot.meta.iter().map(|entry| (entry.0.as_str(), entry)).collect();
    for (at, (role, file)) in by_name.into_values().enumerate() {
        out.comma(at);
        out.name(role.as_str());
        out.file_meta(role, file)?;
    }
    out.raw("}");
    out.end(snapshot.version)
}

pub(crate) fn timestamp(timestamp: &UnsignedTimestamp) -> Result<Vec<u8>, WriteError> {
    let mut out = Canonical::new("{\"_type\":\"Timestamp\",\"expires\":");
    out.expires(timestamp.expires)?;
    out.raw(",\"meta\":{\"snapshot\":");
    out.file_meta(&RoleName::Snapshot, &timestamp.snapshot)?;
    out.raw("}");
    out.end(timestamp.version)
}

/// The canonical form of any JSON that a file can carry.
pub(crate) fn custom(text: &str) -> Result<Box<str>, ParseError> {
    // A file nests it deeper still.
    let limits = Limits { depth: 48, ..Limits::default() };
    let form = canonical(&json::parse(text, &limits)?, text.len())?;
    let form = String::from_utf8(form).map_err(|_| ParseError::NotUtf8)?;
    embeddable(form.as_bytes())?;
    Ok(form.into())
}

/// Whether a canonical form is JSON, too: it does not escape control characters, which JSON has to.
pub(super) fn embeddable(form: &[u8]) -> Result<(), ParseError> {
    if form.iter().any(|&byte| byte < b' ') { Err(ParseError::ControlCharacter) } else { Ok(()) }
}

/// The file around a canonical `signed`, escaped as Go's encoder does, for whom HTML is never far.
pub(crate) fn envelope(message: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64 + 256 * signatures.len());
    out.extend(b"{\"signed\":");
    escape_html(message, &mut out);
    out.extend(b",\"signatures\":[");
    for (at, signature) in signatures.iter().enumerate() {
        out.extend(if at > 0 { b",{\"keyid\":\"".as_slice() } else { b"{\"keyid\":\"" });
        out.extend(signature.key.to_string().as_bytes());
        out.extend(b"\",\"method\":\"");
        out.extend(method_name(signature.method).as_bytes());
        out.extend(b"\",\"sig\":\"");
        out.extend(STANDARD.encode(&signature.bytes).as_bytes());
        out.extend(b"\"}");
    }
    out.extend(b"]}");
    out
}

fn escape_html(message: &[u8], out: &mut Vec<u8>) {
    let mut rest = message;
    let first = |rest: &[u8]| rest.iter().position(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2));
    while let Some((plain, special)) = first(rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend(plain);
        let (escape, after): (&[u8], _) = match special {
            [b'<', after @ ..] => (b"\\u003c", after),
            [b'>', after @ ..] => (b"\\u003e", after),
            [b'&', after @ ..] => (b"\\u0026", after),
            [0xe2, 0x80, 0xa8, after @ ..] => (b"\\u2028", after),
            [0xe2, 0x80, 0xa9, after @ ..] => (b"\\u2029", after),
            other => other.split_at(other.len().min(1)),
        };
        out.extend(escape);
        rest = after;
    }
    out.extend(rest);
}

/// Canonical JSON in the making.
struct Canonical(Vec<u8>);

impl Canonical {
    fn new(start: &str) -> Self {
        Self(start.as_bytes().to_vec())
    }

    fn raw(&mut self, text: &str) {
        self.0.extend(text.as_bytes());
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.raw(",");
        }
    }

    /// Of a role or a key: nothing in it can need escaping.
    fn name(&mut self, name: &str) {
        self.raw("\"");
        self.raw(name);
        self.raw("\":");
    }

    fn text(&mut self, text: &str) -> Result<(), WriteError> {
        if text.contains(|c| c < ' ') {
            return Err(WriteError::ControlCharacter { text: text.into() });
        }
        write_text(text, &mut self.0);
        Ok(())
    }

    fn integer(&mut self, number: u64) -> Result<(), WriteError> {
        if number > LARGEST_EXACT {
            return Err(WriteError::TooLarge { number });
        }
        write_integer(number, &mut self.0);
        Ok(())
    }

    fn expires(&mut self, expires: UnixTime) -> Result<(), WriteError> {
        let text = expires.to_string();
        // Go reads four digits of a year, no sign and no more.
        if text.starts_with('-') || text.parse() != Ok(expires) {
            return Err(WriteError::Expires);
        }
        self.text(&text)
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.raw("\"");
        self.raw(&STANDARD.encode(bytes));
        self.raw("\"");
    }

    fn keys<'k>(&mut self, keys: impl Iterator<Item = &'k AuthorKey>) {
        let by_id: BTreeMap<_, _> = keys.map(|key| (key.id, key)).collect();
        self.raw("{");
        for (at, (id, key)) in by_id.into_iter().enumerate() {
            self.comma(at);
            self.name(&id.to_string());
            self.0.extend(key_object(&key.keytype, &key.encoded));
        }
        self.raw("}");
    }

    fn key_ids(&mut self, signers: &Signers) {
        let mut seen = BTreeSet::new();
        self.raw("[");
        for (at, key) in signers.keys.iter().filter(|key| seen.insert(key.id)).enumerate() {
            self.comma(at);
            self.raw("\"");
            self.raw(&key.id.to_string());
            self.raw("\"");
        }
        self.raw("]");
    }

    fn delegation(&mut self, delegation: &UnsignedDelegation) -> Result<(), WriteError> {
        self.raw("{\"keyids\":");
        self.key_ids(&delegation.signers);
        self.raw(",\"name\":\"");
        self.raw(delegation.role.as_str());
        self.raw("\"");
        for (at, path) in delegation.paths.iter().enumerate() {
            self.raw(if at > 0 { "," } else { ",\"paths\":[" });
            self.text(path)?;
        }
        self.raw(if delegation.paths.is_empty() { ",\"threshold\":" } else { "],\"threshold\":" });
        self.integer(u64::from(delegation.signers.threshold.get()))?;
        self.raw("}");
        Ok(())
    }

    fn target(&mut self, target: &UnsignedTarget) -> Result<(), WriteError> {
        self.raw("{");
        if let Some(custom) = &target.custom {
            self.raw("\"custom\":");
            self.raw(custom.as_str());
            self.raw(",");
        }
        self.hashes(&target.sha256, target.sha512.as_ref());
        self.raw(",\"length\":");
        self.integer(target.length)?;
        self.raw("}");
        Ok(())
    }

    fn file_meta(&mut self, role: &RoleName, file: &FileMeta) -> Result<(), WriteError> {
        let Some(sha256) = &file.sha256 else { return Err(WriteError::MissingHash { role: role.clone() }) };
        self.raw("{");
        self.hashes(sha256, file.sha512.as_ref());
        self.raw(",\"length\":");
        self.integer(file.length)?;
        self.raw("}");
        Ok(())
    }

    fn hashes(&mut self, sha256: &Sha256, sha512: Option<&Sha512>) {
        self.raw("\"hashes\":{\"sha256\":");
        self.binary(sha256.as_bytes());
        if let Some(sha512) = sha512 {
            self.raw(",\"sha512\":");
            self.binary(sha512.as_bytes());
        }
        self.raw("}");
    }

    fn end(mut self, version: Version) -> Result<Vec<u8>, WriteError> {
        self.raw(",\"version\":");
        self.integer(version.get())?;
        self.raw("}");
        Ok(self.0)
    }
}
