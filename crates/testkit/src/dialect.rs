//! Writing the Notary v1 dialect by hand: canonical form, signed files, keys as files list them. Nothing here judges what
//! it writes, and nothing of the engine's own writer is in it, so that the two check each other.

mod canonical;
mod file;
mod key;

pub use canonical::{Unwritable, canonical};
pub use file::{FileSignature, file};
pub use key::{bare_key, certified_key, key_id};
