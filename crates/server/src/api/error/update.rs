//! Why an upload was refused, in the words that clients of Notary know, with what was found after them.

use tufstore::crypto::OnlineRole;
use tufstore::terms::{RoleName, Version};
use tufstore::{ParseError, PublishError, TrustError};

use super::{WireError, internal};
use crate::text::chain;

impl From<PublishError> for WireError {
    fn from(error: PublishError) -> Self {
        match &error {
            PublishError::LifeEnded | PublishError::Superseded { .. } => Self::version(),
            PublishError::Malformed { source: ParseError::Syntax { .. } | ParseError::NotUtf8, .. } => {
                Self::malformed_json()
            }
            PublishError::Malformed { role, source } => Self::invalid_update(name(role), chain(source)),
            PublishError::Missing { role: RoleName::Root } => {
                Self::invalid_update("ErrValidation", "no pre-existing root and no root provided in update.")
            }
            PublishError::Missing { role } => {
                Self::bad_hierarchy(top(role), format!("a first publication has to have a {role} file"))
            }
            PublishError::NotHeld { role: OnlineRole::Snapshot } => Self::bad_hierarchy(
                "snapshot",
                "no snapshot was included in update and server does not hold current snapshot key for repository",
            ),
            PublishError::NotHeld { role: OnlineRole::Timestamp } => {
                Self::invalid_update("ErrBadRoot", "no timestamp keys exist on the server")
            }
            PublishError::Repeated { .. } => Self::malformed_upload(),
            PublishError::Storage(source) => Self::updating().with(internal("publishing", source)),
            PublishError::Untrusted { role, source } => {
                Self::invalid_update(name(role), untrusted(role, source))
            }
            // The online keys, the clock, and whatever else comes: none of it is the publisher's.
            PublishError::OnlineKeys(_) | PublishError::Unwritable { .. } | _ => {
                Self::unknown().with(internal("publishing", &error))
            }
        }
    }
}

/// What clients begin their message with.
fn name(role: &RoleName) -> &'static str {
    match role {
        RoleName::Root => "ErrBadRoot",
        RoleName::Targets | RoleName::Delegation(_) => "ErrBadTargets",
        RoleName::Snapshot => "ErrBadSnapshot",
        RoleName::Timestamp => "ErrValidation",
    }
}

fn top(role: &RoleName) -> &'static str {
    match role {
        RoleName::Root => "root",
        RoleName::Targets | RoleName::Delegation(_) => "targets",
        RoleName::Snapshot => "snapshot",
        RoleName::Timestamp => "timestamp",
    }
}

fn untrusted(role: &RoleName, error: &TrustError) -> String {
    let known = match (role, error) {
        (_, TrustError::NoSignatures) => "tuf: data has no signatures".to_owned(),
        (RoleName::Root, TrustError::VersionGap { trusted, offered }) => {
            let current = trusted.map_or(1, Version::get);
            format!("Root modifications must increment the version. Current {current}, new {offered}")
        }
        (_, TrustError::NotSignedByTrustedRoot { .. }) => {
            "could not rotate trust to a new trusted root: failed to validate data with current trusted certificates"
                .to_owned()
        }
        (_, TrustError::NoRootCertificate) => {
            "could not validate the path to a trusted root: unable to retrieve valid leaf certificates".to_owned()
        }
        (RoleName::Root, TrustError::TooFewKeys { .. }) => {
            "could not validate the path to a trusted root: failed to validate integrity of roots".to_owned()
        }
        (_, TrustError::TooFewKeys { .. }) => format!("valid signatures did not meet threshold for {role}"),
        (_, TrustError::UnknownDelegation { role }) => {
            format!("tuf: invalid role {role}. delegation does not exist")
        }
        (_, other) => return format!("{role}: {other}"),
    };
    format!("{known} ({error})")
}
