use std::sync::Arc;

use super::{HashKey, TagTable};
use crate::crypto::SealedKey;
use crate::terms::{Incarnation, Revision, UnixTime};
use crate::trust::Set;

/// A repository as one publication left it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) incarnation: Incarnation,
    pub(crate) revision: Revision,
    /// The publication's `now`.
    pub(crate) published: UnixTime,
    pub(crate) set: Set,
    /// The sealed keys that have signed in this life, in that order.
    pub(crate) online: Arc<[SealedKey]>,
    pub(crate) tags: TagTable,
}

impl State {
    /// The one fold, for a publication as for a record read back.
    ///
    /// `key`: the catalog's. `before`: the state that this one follows; a tag table over the same files is shared with it.
    pub(crate) fn new(
        incarnation: Incarnation,
        revision: Revision,
        published: UnixTime,
        set: Set,
        online: Arc<[SealedKey]>,
        key: &HashKey,
        before: Option<&Self>,
    ) -> Self {
        let tags = TagTable::new(&set, key, before.map(|state| &state.tags));
        Self { incarnation, revision, published, set, online, tags }
    }
}
