use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tufstore::crypto::{sha256, sha512};
use tufstore::terms::{Sha256, UnixTime};

use super::{ForgedKey, ForgedSigners};
use crate::dialect::{FileSignature, canonical, file};
use crate::must;
use crate::publisher::LENGTH;
use crate::seed::NOW;

/// One file: what it says may be edited at will before it is signed, and its bytes afterwards.
#[derive(Clone, Debug)]
pub struct ForgedFile {
    signed: Value,
    signatures: Vec<ForgedSignature>,
}

#[derive(Clone, Debug)]
enum ForgedSignature {
    /// Over whatever the file says in the end.
    By(ForgedKey),
    AsIs(FileSignature),
}

impl ForgedFile {
    /// Says just this, and is signed by nobody.
    pub fn new(signed: Value) -> Self {
        Self { signed, signatures: Vec::new() }
    }

    /// A root that expires in a year; the keys in the order root, targets, snapshot, timestamp.
    pub fn root(version: u64, [root, targets, snapshot, timestamp]: [&ForgedSigners; 4]) -> Self {
        let roles = [("root", root), ("targets", targets), ("snapshot", snapshot), ("timestamp", timestamp)];
        Self::new(json!({
            "_type": "Root",
            "consistent_snapshot": false,
            "expires": NOW.after(YEAR).to_string(),
            "keys": roles.iter().flat_map(|(_, role)| role.objects()).collect::<Map<_, _>>(),
            "roles": roles.iter().map(|(name, role)| ((*name).to_owned(), role.listed())).collect::<Map<_, _>>(),
            "version": version,
        }))
    }

    /// The file of `targets` or a delegation, without delegations, for a year; every target is 1,024 bytes long.
    pub fn targets(version: u64, tags: &[(&str, Sha256)]) -> Self {
        let target = |(tag, sha256): &(&str, Sha256)| {
            let hashes = json!({"sha256": STANDARD.encode(sha256.as_bytes())});
            ((*tag).to_owned(), json!({"hashes": hashes, "length": LENGTH}))
        };
        Self::new(json!({
            "_type": "Targets",
            "delegations": {"keys": {}, "roles": []},
            "expires": NOW.after(YEAR).to_string(),
            "targets": tags.iter().map(target).collect::<Map<_, _>>(),
            "version": version,
        }))
    }

    /// A snapshot that names these files, for a year.
    pub fn snapshot(version: u64, files: &[(&str, &[u8])]) -> Self {
        let meta: Map<_, _> = files.iter().map(|(role, bytes)| ((*role).to_owned(), named(bytes))).collect();
        let expires = NOW.after(YEAR).to_string();
        Self::new(json!({"_type": "Snapshot", "expires": expires, "meta": meta, "version": version}))
    }

    /// A timestamp that names this snapshot, for a year.
    pub fn timestamp(version: u64, snapshot: &[u8]) -> Self {
        let (expires, meta) = (NOW.after(YEAR).to_string(), json!({"snapshot": named(snapshot)}));
        Self::new(json!({"_type": "Timestamp", "expires": expires, "meta": meta, "version": version}))
    }

    /// With one more delegation, of any name; its keys stand beside those of the others.
    #[must_use]
    pub fn delegating(self, role: &str, signers: &ForgedSigners, paths: &[&str]) -> Self {
        self.edit(|signed| {
            let mut delegation = signers.listed();
            if let Some(members) = delegation.as_object_mut() {
                members.insert("name".to_owned(), role.into());
                members.insert("paths".to_owned(), paths.iter().copied().collect());
            }
            if let Some(roles) = signed.pointer_mut("/delegations/roles").and_then(Value::as_array_mut) {
                roles.push(delegation);
            }
            if let Some(keys) = signed.pointer_mut("/delegations/keys").and_then(Value::as_object_mut) {
                keys.extend(signers.objects());
            }
        })
    }

    /// Until another time.
    #[must_use]
    pub fn expiring(self, expires: UnixTime) -> Self {
        self.with("expires", expires.to_string().into())
    }

    /// With another value of a member of `signed`, or with one more.
    #[must_use]
    pub fn with(self, member: &str, value: Value) -> Self {
        self.edit(|signed| {
            if let Some(members) = signed.as_object_mut() {
                members.insert(member.to_owned(), value);
            }
        })
    }

    /// With any change to `signed`, before it is signed.
    #[must_use]
    pub fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.signed);
        self
    }

    /// With the signatures of these keys, in this order; one may stand twice.
    #[must_use]
    pub fn signed_by<'k>(mut self, keys: impl IntoIterator<Item = &'k ForgedKey>) -> Self {
        self.signatures.extend(keys.into_iter().cloned().map(ForgedSignature::By));
        self
    }

    /// With a signature just as it is: empty, of another message, of another method.
    #[must_use]
    pub fn with_signature(mut self, signature: FileSignature) -> Self {
        self.signatures.push(ForgedSignature::AsIs(signature));
        self
    }

    /// Without any signature.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.signatures.clear();
        self
    }

    /// What its signatures have to cover.
    ///
    /// # Panics
    /// If it holds a number that cannot be signed.
    #[track_caller]
    pub fn message(&self) -> Vec<u8> {
        must("writing a file", canonical(&self.signed))
    }

    /// The file, signed.
    ///
    /// # Panics
    /// If it holds a number that cannot be signed, or is signed by another's key.
    #[track_caller]
    pub fn bytes(&self) -> Arc<[u8]> {
        let message = self.message();
        let signatures: Vec<_> = self
            .signatures
            .iter()
            .map(|signature| match signature {
                ForgedSignature::By(key) => key.sign(&message),
                ForgedSignature::AsIs(signature) => signature.clone(),
            })
            .collect();
        must("writing a file", file(&self.signed, &signatures)).into()
    }

    /// The file, with its bytes changed after it was signed.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[track_caller]
    pub fn altered(&self, change: impl FnOnce(&mut Vec<u8>)) -> Arc<[u8]> {
        let mut bytes = self.bytes().to_vec();
        change(&mut bytes);
        bytes.into()
    }

    /// The file, with the first occurrence of some text replaced after it was signed.
    ///
    /// # Panics
    /// As [`ForgedFile::bytes`].
    #[track_caller]
    pub fn replaced(&self, text: &str, by: &str) -> Arc<[u8]> {
        self.altered(|bytes| *bytes = String::from_utf8_lossy(bytes).replacen(text, by, 1).into_bytes())
    }
}

const YEAR: core::time::Duration = core::time::Duration::from_hours(24 * 365);

fn named(bytes: &[u8]) -> Value {
    let (short, long) =
        (STANDARD.encode(sha256(bytes).as_bytes()), STANDARD.encode(sha512(bytes).as_bytes()));
    json!({"hashes": {"sha256": short, "sha512": long}, "length": bytes.len()})
}
