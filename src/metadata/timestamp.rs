use super::FileMeta;

/// Which snapshot is the newest.
#[derive(Clone, Debug)]
pub(crate) struct Timestamp {
    /// What names it.
    pub snapshot: FileMeta,
}
