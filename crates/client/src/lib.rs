//! The author's half of a trust store: makes a repository's metadata, signs it, and goes on from what a store serves.
//!
//! | what | where |
//! |---|---|
//! | one repository's author: tags, delegations, rotations, signing | [`Author`] |
//! | the private keys it signs with, saved as Notary's clients save theirs | [`AuthorKeys`] |

mod author;
mod error;
mod folder;
mod keys;

pub use author::{Author, OnlineKeysOfServer, Signed, SnapshotHolder};
pub use error::AuthorError;
pub use folder::KeyFolderError;
pub use keys::AuthorKeys;
