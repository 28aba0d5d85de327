//! What may not fall, and what has passed (TUF specification, 5.3.10, 5.4.3, 5.4.4, 5.5.5, 5.5.6, 5.6.5).

use super::TrustError;
use crate::terms::{UnixTime, Version};

/// Refuses what has expired. At the very second it is still valid, as Notary's clients have it.
pub(crate) fn fresh(expires: UnixTime, now: UnixTime) -> Result<(), TrustError> {
    if expires < now { Err(TrustError::Expired { expires, now }) } else { Ok(()) }
}

/// Refuses a version below the trusted one. The same version is for the caller to judge.
pub(crate) fn no_rollback(trusted: Version, offered: Version) -> Result<(), TrustError> {
    if offered < trusted { Err(TrustError::Rollback { trusted, offered }) } else { Ok(()) }
}
