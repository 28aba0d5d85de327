//! What goes over the socket, a line of JSON each.

use serde::{Deserialize, Serialize};

use super::{Progress, Refusal};

/// Of the socket in the store's folder.
pub(super) const NAME: &str = "admin.sock";
/// What both sides speak; another number is another language.
pub(super) const PROTOCOL: u32 = 3;

/// What the server says first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// Its version.
    pub(super) tufstore: String,
    pub(super) protocol: u32,
    /// Its process.
    pub(super) process: u32,
}

/// What it says to a question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    /// It goes on.
    Progress(Progress),
    /// The end of it.
    Answer(serde_json::Value),
    /// The other end.
    Refused(Refusal),
    /// The question itself is not understood, or not taken.
    Misunderstood(String),
}
