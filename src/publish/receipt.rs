use crate::terms::{Incarnation, Position, Revision, RoleName, Sha256, Version};
use crate::trust::Warning;

/// What a publisher gets back: durable, and visible to every later reader.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Receipt {
    /// Of the commit, in the order of all commits of the store.
    pub position: Position,
    /// Which life of the repository.
    pub incarnation: Incarnation,
    /// How many publications that life has seen, this one included.
    pub revision: Revision,
    /// What is new, those files included that the store signed itself; empty where a mirrored set was known already.
    pub documents: Vec<(RoleName, Version, Sha256)>,
    /// What was accepted although clients will complain of it.
    pub warnings: Vec<Warning>,
}
