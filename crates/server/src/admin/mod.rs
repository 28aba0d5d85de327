//! What an operator asks of a store, in one surface: of a closed folder and, through a socket in that folder, of a server
//! that has it open.
//!
//! ```text
//! command line ─Question─▶ answer on the store it opened itself          no server runs
//! command line ─Question─▶ socket ─▶ answer on the server's store        a server has the store open
//! ```
//!
//! A question is asked and answered by the same code either way. Over the socket it is a line of JSON, answered by any
//! number of lines of progress and one of the answer or of a [`Refusal`]. Who may write to the socket may do everything: it
//! is protected by the permissions of its file, and serves its owner and root alone.

mod access;
mod answer;
mod connection;
mod holds;
mod line;
mod opened;
mod question;
mod refusal;
mod socket;
#[cfg(test)]
mod tests;

pub use crate::concerns::{Concern, ConcernKind};
pub use access::{
    AccessEntry, AssignmentEntry, AuditEntries, AuditEntry, AuditedEntry, GroupEntry, PolicyEntry, PolicySet,
    PrincipalEntry, RoleEntry, TokenEntry,
};
pub use connection::{AskError, ConnectError, Connection};
pub use opened::Opened;
pub use question::{
    Acknowledged, Ask, Audit, BackedUp, Backup, Blob, Carry, ChangeEntry, ChangeEntryKind, Changed, Changes,
    Check, Checked, Collect, Collected, Current, CurrentFile, Delete, Deleted, DocumentEntry, FindingEntry,
    FoundTag, Held, History, Holds, Key, Lookup, Lost, Mirror, Policies, PublicKeyEntry, Publish, Question,
    Receipt, ReceiptEntry, ReceiptFile, Reindex, Reindexed, Repositories, RepositoryEntry, Reset, Scrub,
    SetPolicy, Show, Signed, Status, StatusEntry, TagEntry, Tags, Verified, Verify, WhoMay,
};
pub use refusal::{Kind, Refusal};

pub(crate) use socket::Socket;

/// How far something has come.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize, serde::Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "what a progress bar shows")]
pub struct Progress {
    /// What is done.
    pub doing: String,
    /// So much of it.
    pub done: u64,
    /// Of so much.
    pub all: u64,
}
