//! The end of a repository's life: one durable record that takes effect at once.

use super::stage::stage_deletion;
use super::{DeleteError, Publisher, Receipt, commit, install};
use crate::terms::{RepositoryName, UnixTime};

/// Ends the life of `repository`, whatever its newest publication is. `None` if it does not live.
pub(crate) fn delete(
    publisher: &Publisher,
    repository: &RepositoryName,
    now: UnixTime,
) -> Result<Option<Receipt>, DeleteError> {
    loop {
        // Its metadata is not looked at: what is damaged can be deleted.
        let head = publisher.loader.storage.head(repository).filter(|head| !head.deleted);
        let Some(head) = head else { return Ok(None) };
        match publisher.committer.commit(stage_deletion(repository, &head, now))? {
            commit::Answer::Committed(committed) => return Ok(Some(install::receipt(committed))),
            commit::Answer::Moved => {}
        }
    }
}
