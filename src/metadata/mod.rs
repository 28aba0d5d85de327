//! What the bytes say: typed roles, read and written, not yet believed. Each wire dialect has a folder of its own; what
//! stands outside it knows no member name, no base64 and no spelling.

mod limits;
mod error;
mod document;
mod key;
mod parsed;
mod root;
mod targets;
mod snapshot;
mod timestamp;
mod json;
mod canonical;
mod notary;
pub mod write;

pub use document::Document;
pub use error::ParseError;
pub use limits::Limits;
pub use parsed::Signature;
pub use snapshot::FileMeta;

pub(crate) use key::{Key, KeyKind, RoleKeys};
pub(crate) use notary::{parse_root, parse_snapshot, parse_targets, parse_timestamp};
pub(crate) use parsed::Parsed;
pub(crate) use root::Root;
pub(crate) use snapshot::Snapshot;
pub(crate) use targets::{Delegation, TargetEntry, Targets};
pub(crate) use timestamp::Timestamp;
