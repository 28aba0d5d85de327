//! The rules of trust, pure: no file, no clock, no lock, no wire format.
//!
//! Each rule's file is named after what it guards: [`threshold`] who must have signed, [`root`] how trust begins and
//! moves on, [`freshness`] what may not fall or has passed, [`hierarchy`] what belongs together, [`delegation`] who may
//! sign which tags, [`client`] all of them in a client's order. `docs/threats.md` lists the attacks that each one stops.

mod threshold;
mod root;
mod freshness;
mod hierarchy;
mod delegation;
mod client;
mod error;
mod warning;

pub use client::CompleteSet;
pub(crate) use client::{Believed, Disbelief, Reason, believe};
pub(crate) use delegation::{Paths, delegation_keys};
pub use error::TrustError;
pub(crate) use freshness::{fresh, no_rollback};
pub(crate) use hierarchy::{Delegated, Set, check, claimed_by};
pub(crate) use root::{first_root, may_be_first, next_root};
pub(crate) use threshold::{Verified, verify, verify_delegation, verify_or_fault};
pub use warning::Warning;
pub(crate) use warning::{all_warnings, is_new, warnings};
