//! A complete set that another server signed: checked as a client checks it, and taken as it is.

use super::base::Base;
use super::complete::Complete;
use super::{MirrorError, Publisher, Receipt, base, commit, install, stage};
use crate::storage::RecordKind;
use crate::terms::{RepositoryName, RoleName, UnixTime};
use crate::trust::{Believed, CompleteSet, Disbelief, Reason, believe, is_new, warnings};

/// Takes a set that was signed elsewhere. Expiry is a warning.
pub(crate) fn mirror(
    publisher: &Publisher,
    repository: &RepositoryName,
    offered: &CompleteSet,
    now: UnixTime,
) -> Result<Receipt, MirrorError> {
    let mut base = base::pin(publisher, repository)?;
    loop {
        let believed = believe(offered, base.set(), repository, &publisher.loader.limits)?;
        let complete = complete(believed, &base, now);
        if let (Some(current), true) = (base.current(), complete.new.is_empty()) {
            return Ok(Receipt {
                position: current.position,
                incarnation: current.state.incarnation,
                revision: current.state.revision,
                documents: Vec::new(),
                warnings: complete.warnings,
            });
        }
        match publisher.committer.commit(stage::stage(
            complete,
            &base,
            publisher.loader.catalog.key(),
            RecordKind::Publication,
            offered.note.clone(),
            now,
        )?)? {
            commit::Answer::Committed(committed) => return Ok(install::receipt(committed)),
            commit::Answer::Moved => {
                let newer = base::pin(publisher, repository)?;
                if newer.incarnation() != base.incarnation() {
                    return Err(MirrorError::LifeEnded);
                }
                base = newer;
            }
        }
    }
}

fn complete(believed: Believed, base: &Base, now: UnixTime) -> Complete {
    let Believed { set, new_roots: mut new, strays } = believed;
    let before = base.set();
    let others = set.documents().filter(|document| *document.role() != RoleName::Root);
    new.extend(others.filter(|document| is_new(document, before)).cloned());
    let warnings = warnings(&set, before, strays, now);
    Complete { set, new, first_used: Vec::new(), warnings }
}

impl From<Disbelief> for MirrorError {
    fn from(Disbelief { role, why }: Disbelief) -> Self {
        match why {
            Reason::Malformed(source) => Self::Malformed { role, source },
            Reason::NoRoot => Self::NoRoot,
            Reason::Untrusted(source) => Self::Untrusted { role, source },
        }
    }
}
