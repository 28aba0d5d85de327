//! What an attacker may try, and what the store answers: every test stands in `docs/threats.md` with the rule that it proves.
//!
//! Each attack has a faultless twin that differs in one thing alone and is accepted, see [`twins`]; then the faulty one is
//! refused with exactly this error, which changes nothing, and after it the faultless one is accepted all the same.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")]

#[path = "attacks/twins.rs"]
mod twins;
#[path = "attacks/signatures.rs"]
mod signatures;
#[path = "attacks/keys.rs"]
mod keys;
#[path = "attacks/root.rs"]
mod root;
#[path = "attacks/rollback.rs"]
mod rollback;
#[path = "attacks/expiry.rs"]
mod expiry;
#[path = "attacks/hierarchy.rs"]
mod hierarchy;
#[path = "attacks/delegations.rs"]
mod delegations;
#[path = "attacks/input.rs"]
mod input;
#[path = "attacks/names.rs"]
mod names;
#[path = "attacks/incomplete.rs"]
mod incomplete;
