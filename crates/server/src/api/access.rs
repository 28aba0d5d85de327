//! The place of authentication: between route and handler. There is none yet: everybody may do everything, which is why a
//! server listens on loopback only unless it is told otherwise.

use http::{HeaderMap, header};
use tufstore::terms::RepositoryName;

use super::WireError;
use super::route::Operation;

/// Whether who sent these headers may do that; without a repository, whether they may know of all.
///
/// Without authentication, a page in a browser on the same machine reaches a server on loopback, and may send an upload
/// without asking first: a form is enough. Browsers say where such a request comes from, and no client of ours is one.
pub(super) fn permit(
    headers: &HeaderMap,
    what: Option<(&RepositoryName, &Operation)>,
) -> Result<(), WireError> {
    let changes = matches!(what, Some((_, Operation::Publish | Operation::Delete | Operation::RotateKey(_))));
    if changes && headers.contains_key(header::ORIGIN) { Err(WireError::from_a_page()) } else { Ok(()) }
}
