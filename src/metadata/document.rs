use std::sync::Arc;

use crate::crypto::sha256;
use crate::terms::{RoleName, Sha256, Version};

/// The bytes of one role at one version, exactly as they were received or signed. Cheap to clone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    role: RoleName,
    version: Version,
    sha256: Sha256,
    bytes: Arc<[u8]>,
}

impl Document {
    /// Takes what the bytes were read to say, and hashes them.
    pub(crate) fn new(role: RoleName, version: Version, bytes: Arc<[u8]>) -> Self {
        Self { role, version, sha256: sha256(&bytes), bytes }
    }

    /// As stored, with its digest checked.
    pub(crate) fn stored(role: RoleName, version: Version, sha256: Sha256, bytes: Arc<[u8]>) -> Self {
        Self { role, version, sha256, bytes }
    }

    /// Whose file it is.
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Of the exact bytes; what other roles and clients name it by.
    pub fn sha256(&self) -> &Sha256 {
        &self.sha256
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}
