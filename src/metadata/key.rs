use crate::crypto::{CertificateBundle, KeyId, PublicKey};
use crate::terms::{Threshold, UnixTime};

/// A key as a file describes it. One that cannot verify is kept: it makes nothing unreadable, it only never counts.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The id that the file lists it under.
    pub id: KeyId,
    /// Whether the listed id is the hash of what is listed.
    pub id_matches: bool,
    /// How it was written.
    pub kind: KeyKind,
    /// What verifies; of certificates, the first one's. `None` if it never can.
    pub public: Option<PublicKey>,
}

/// How a key was written.
#[derive(Clone, Debug)]
pub(crate) enum KeyKind {
    /// A public key alone.
    Bare,
    /// Certificates, the key's own first.
    Certified {
        /// What was written.
        bundle: CertificateBundle,
        /// Whether a client that rebuilds the key from its certificates arrives at the listed id.
        rebuilds: bool,
    },
    /// Of a type nobody here knows, or unreadable.
    Unknown,
}

impl Key {
    /// Whether clients that rebuild a root key from all its certificates arrive at the listed id.
    pub(crate) fn rebuilds(&self) -> bool {
        matches!(self.kind, KeyKind::Certified { rebuilds: true, .. })
    }

    /// The same for clients that leave out intermediates which are unacceptable at `now`: with one left out the id
    /// differs, so none may be.
    pub(crate) fn rebuilds_at(&self, now: UnixTime) -> bool {
        match &self.kind {
            KeyKind::Certified { bundle, rebuilds: true } => {
                bundle.intermediates().all(|certificate| certificate.is_acceptable_at(now))
            }
            KeyKind::Certified { .. } | KeyKind::Bare | KeyKind::Unknown => false,
        }
    }

    /// The certificates that carry it, if any do.
    pub(crate) fn certificates(&self) -> Option<&CertificateBundle> {
        match &self.kind {
            KeyKind::Certified { bundle, .. } => Some(bundle),
            KeyKind::Bare | KeyKind::Unknown => None,
        }
    }
}

/// Who may sign for a role, and how many of them must.
#[derive(Clone, Debug)]
pub(crate) struct RoleKeys {
    /// As listed, each id once; two ids may stand for one key.
    pub keys: Vec<Key>,
    /// How many must sign.
    pub threshold: Threshold,
}

impl Eq for RoleKeys {}

impl PartialEq for RoleKeys {
    /// Whether the same keys have to sign: an id is the hash of its key, or else the key never counts.
    fn eq(&self, other: &Self) -> bool {
        let parts = |keys: &Self| keys.keys.iter().map(|key| (key.id, key.id_matches)).collect::<Vec<_>>();
        self.threshold == other.threshold && parts(self) == parts(other)
    }
}
