//! The end of a repository's life: one durable record that takes effect at once.

use super::stage::stage_deletion;
use super::{DeleteError, Publisher, Receipt, base, commit, install};
use crate::terms::{RepositoryName, UnixTime};

/// Ends the life of `repository`, whatever its newest publication is. `None` if it does not live.
pub(crate) fn delete(
    publisher: &Publisher,
    repository: &RepositoryName,
    now: UnixTime,
) -> Result<Option<Receipt>, DeleteError> {
    loop {
        let base = base::pin(publisher, repository)?;
        if base.current().is_none() {
            return Ok(None);
        }
        match publisher.committer.commit(stage_deletion(repository, &base, now))? {
            commit::Answer::Committed(committed) => return Ok(Some(install::receipt(committed))),
            commit::Answer::Moved => {}
        }
    }
}
