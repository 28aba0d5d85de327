use std::sync::{Arc, OnceLock};

use crate::crypto::{sha256, sha512};
use crate::terms::{RoleName, Sha256, Sha512, Version};

/// The bytes of one role at one version, exactly as they were received or signed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Document {
    role: RoleName,
    version: Version,
    sha256: Sha256,
    /// Once somebody asked for it.
    sha512: Arc<OnceLock<Sha512>>,
    bytes: Arc<[u8]>,
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        (&self.role, self.version, &self.bytes) == (&other.role, other.version, &other.bytes)
    }
}

impl Eq for Document {}

impl Document {
    /// Takes what the bytes were read to say, and hashes them.
    pub(crate) fn new(role: RoleName, version: Version, bytes: Arc<[u8]>) -> Self {
        Self::stored(role, version, sha256(&bytes), bytes)
    }

    /// As stored, with its digest checked.
    pub(crate) fn stored(role: RoleName, version: Version, sha256: Sha256, bytes: Arc<[u8]>) -> Self {
        Self { role, version, sha256, sha512: Arc::default(), bytes }
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

    /// Of the exact bytes, hashed when it is first asked for.
    pub(crate) fn sha512(&self) -> &Sha512 {
        self.sha512.get_or_init(|| sha512(&self.bytes))
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}
