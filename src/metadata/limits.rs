/// What a reader refuses to take in, whoever signed it. Clients stop at the same sizes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a root, a snapshot, a targets file or a delegation. 100 MiB.
    pub role_bytes: usize,
    /// Bytes of a timestamp. 1 MiB.
    pub timestamp_bytes: usize,
    /// How deep arrays and objects nest. 64; never more than 100, whatever stands here.
    pub depth: usize,
    /// JSON values in one file, nested ones included. 16,000,000.
    pub values: usize,
    /// Keys that one file describes. 4,096.
    pub keys: usize,
    /// Bytes of one key, certificates included. 64 KiB.
    pub key_bytes: usize,
    /// Certificates in one key. 16.
    pub certificates: usize,
    /// Signatures on one file. 1,024.
    pub signatures: usize,
    /// Delegations in one file. 4,096.
    pub delegations: usize,
    /// Target entries in one file. 2,000,000.
    pub targets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            role_bytes: 100 << 20,
            timestamp_bytes: 1 << 20,
            depth: 64,
            values: 16_000_000,
            keys: 4_096,
            key_bytes: 64 << 10,
            certificates: 16,
            signatures: 1_024,
            delegations: 4_096,
            targets: 2_000_000,
        }
    }
}
