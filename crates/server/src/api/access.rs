//! The place of authentication: between route and handler. There is none yet: everybody may do everything, which is why a
//! server listens on loopback only unless it is told otherwise.

use http::HeaderMap;
use tufstore::terms::RepositoryName;

use super::WireError;
use super::route::Operation;

/// Whether who sent these headers may do that; without a repository, whether they may know of all.
#[expect(clippy::unnecessary_wraps, reason = "authentication refuses here")]
pub(super) fn permit(
    _headers: &HeaderMap,
    _what: Option<(&RepositoryName, &Operation)>,
) -> Result<(), WireError> {
    Ok(())
}
