//! The dialect of Notary v1: the only place that knows how its files are spelled.

mod key;
mod members;
mod read;
mod write;
mod revise;

pub(super) use key::{bare_type, certified_type, key_id};
pub(crate) use read::{parse_root, parse_snapshot, parse_targets, parse_timestamp};
pub(super) use revise::{reopen, revise_root, revise_targets};
pub(super) use write::{custom, envelope, root, snapshot, targets, timestamp};

#[cfg(test)]
mod tests;
