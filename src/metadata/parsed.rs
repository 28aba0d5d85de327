use super::Document;
use crate::crypto::{KeyId, SignatureMethod};
use crate::terms::{UnixTime, Version};

/// One signature as listed: it says which key made it, and is believed no further.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Signature {
    /// Which key is said to have signed.
    pub key: KeyId,
    /// How.
    pub method: SignatureMethod,
    /// Raw, never empty.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// All three parts.
    pub fn new(key: KeyId, method: SignatureMethod, bytes: Vec<u8>) -> Self {
        Self { key, method, bytes }
    }
}

/// One role's file, read and well formed. No signature was checked.
#[derive(Clone, Debug)]
pub(crate) struct Parsed<B> {
    pub(super) body: B,
    pub(super) document: Document,
    pub(super) expires: UnixTime,
    pub(super) message: Vec<u8>,
    pub(super) signatures: Vec<Signature>,
    pub(super) listed: usize,
}

impl<B> Parsed<B> {
    /// What the file says before any signature was checked. Search for callers when reviewing.
    pub(crate) fn unverified(&self) -> &B {
        &self.body
    }

    /// The exact bytes.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// Its version.
    pub(crate) fn version(&self) -> Version {
        self.document.version()
    }

    /// Until when its signers vouch for it.
    pub(crate) fn expires(&self) -> UnixTime {
        self.expires
    }

    /// What its signatures cover.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The signatures that can be checked at all.
    pub(crate) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// How many signatures the file lists, those included that can never be checked.
    pub(crate) fn signatures_listed(&self) -> usize {
        self.listed
    }

    /// Body and exact bytes.
    pub(crate) fn into_body_and_document(self) -> (B, Document) {
        (self.body, self.document)
    }

    /// Message and signatures.
    pub(super) fn into_signed(self) -> (Vec<u8>, Vec<Signature>) {
        (self.message, self.signatures)
    }
}
