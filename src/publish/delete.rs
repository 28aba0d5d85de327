//! The end of a repository's life: one durable record that takes effect at once.

use super::stage::stage_deletion;
use super::{DeleteError, Publisher, Receipt, base, commit, install};
use crate::terms::{Note, RepositoryName, UnixTime};

/// Ends the life of `repository`, whatever its newest publication is. `None` if it does not live.
pub(crate) fn delete(
    publisher: &Publisher,
    repository: &RepositoryName,
    note: Option<&Note>,
    now: UnixTime,
) -> Result<Option<Receipt>, DeleteError> {
    loop {
        let (incarnation, revision) = match base::pin(publisher, repository) {
            Ok(base) if base.current().is_none() => return Ok(None),
            Ok(base) => (base.incarnation(), base.revision()),
            // What cannot be read can be deleted all the same. Otherwise it is the catalog that says what lives, as it does to
            // whoever looks: the storage knows of a commit a moment earlier.
            Err(error) if error.is_of_damage() => {
                let head = publisher.loader.storage.head(repository).filter(|head| !head.deleted);
                let Some(head) = head else { return Err(error.into()) };
                (head.incarnation, head.revision)
            }
            Err(error) => return Err(error.into()),
        };
        let staged = stage_deletion(repository, incarnation, revision, note.cloned(), now);
        match publisher.committer.commit(staged)? {
            commit::Answer::Committed(committed) => return Ok(Some(install::receipt(committed))),
            commit::Answer::Moved => {}
        }
    }
}
