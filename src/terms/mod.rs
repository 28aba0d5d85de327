//! The words everything else is written in: names, counts, digests, times. Nothing here knows a wire format.

mod counts;
mod digest;
mod name;
mod note;
mod role;
mod text;
mod time;

pub use counts::{Incarnation, Position, Revision, Threshold, Version};
pub use digest::{InvalidDigest, Sha256, Sha512};
pub(crate) use name::RecordName;
pub use name::{InvalidRepositoryName, RepositoryName, Tag};
pub use note::{InvalidNote, Note};
pub use role::{DelegationPath, InvalidRoleName, RoleName};
pub use time::{InvalidTime, UnixTime};
