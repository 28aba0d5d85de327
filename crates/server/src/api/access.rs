//! The place of authentication: between the route and its handler. There is none yet; everybody may do everything, which
//! is why the server listens on loopback only unless told otherwise.

use http::HeaderMap;
use tufstore::terms::RepositoryName;

use super::WireError;
use super::route::Operation;
use crate::service::Service;

/// Whether who sent these headers may do that.
#[expect(clippy::unnecessary_wraps, reason = "what comes refuses")]
pub(super) fn permit(
    _service: &Service,
    _headers: &HeaderMap,
    _what: Option<(&RepositoryName, &Operation)>,
) -> Result<(), WireError> {
    Ok(())
}
