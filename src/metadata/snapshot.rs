use std::collections::BTreeMap;

use super::Document;
use crate::crypto::{sha256, sha512};
use crate::terms::{RoleName, Sha256, Sha512};

/// Which documents belong together.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Root, targets and delegations by name; root and targets are always there. Names of no such role are left out.
    pub meta: BTreeMap<RoleName, FileMeta>,
}

/// What names a document: its length and digests, of which at least one is there.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileMeta {
    /// In bytes.
    pub length: u64,
    /// Of the exact bytes.
    pub sha256: Option<Sha256>,
    /// Of the exact bytes.
    pub sha512: Option<Sha512>,
}

impl FileMeta {
    /// Names exactly these bytes, by both digests.
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: length_of(bytes), sha256: Some(sha256(bytes)), sha512: Some(sha512(bytes)) }
    }

    /// Names exactly this document, by both digests.
    pub(crate) fn of_document(document: &Document) -> Self {
        let (sha256, sha512) = (Some(*document.sha256()), Some(*document.sha512()));
        Self { length: length_of(document.bytes()), sha256, sha512 }
    }

    /// Whether this document is meant, as [`Self::matches`] says it of bytes. What was hashed before is not hashed again.
    pub(crate) fn names(&self, document: &Document) -> bool {
        self.agrees(document.bytes(), || *document.sha256(), || *document.sha512())
    }

    /// Whether these are the bytes that are meant: the length and every digest that is listed agree.
    ///
    /// # Cost
    /// One hash of `bytes` for each digest listed, none if the length differs.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.agrees(bytes, || sha256(bytes), || sha512(bytes))
    }

    /// Whether length and listed digests are those of `bytes`, which are hashed only if they have to be.
    fn agrees(&self, bytes: &[u8], sha256: impl FnOnce() -> Sha256, sha512: impl FnOnce() -> Sha512) -> bool {
        (self.sha256.is_some() || self.sha512.is_some())
            && self.length == length_of(bytes)
            && self.sha256.is_none_or(|listed| listed == sha256())
            && self.sha512.is_none_or(|listed| listed == sha512())
    }
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
