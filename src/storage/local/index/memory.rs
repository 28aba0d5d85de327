use std::collections::{BTreeMap, BTreeSet};

use parking_lot::RwLock;

use super::{Entry, Index, IndexError, Life, Reached, Row};
use crate::terms::{Incarnation, Position, RepositoryName, RoleName, Sha256, Version};

/// An index that is made anew at each open.
#[derive(Debug, Default)]
pub(crate) struct MemoryIndex(RwLock<Content>);

#[derive(Debug, Default)]
struct Content {
    lives: BTreeMap<(RepositoryName, Incarnation), Documents>,
    reached: Option<Reached>,
}

#[derive(Debug, Default)]
struct Documents {
    versions: BTreeSet<(RoleName, Version, Position, Sha256)>,
    digests: BTreeMap<(RoleName, Sha256), Position>,
}

impl MemoryIndex {
    fn of<A>(&self, life: Life<'_>, answer: impl FnOnce(&Documents) -> A) -> Option<A> {
        let key = (life.repository.clone(), life.incarnation);
        self.0.read().lives.get(&key).map(answer)
    }
}

impl Index for MemoryIndex {
    fn reached(&self) -> Result<Option<Reached>, IndexError> {
        Ok(self.0.read().reached)
    }

    fn apply(&self, entries: &[Entry], reached: Reached) -> Result<(), IndexError> {
        let mut content = self.0.write();
        for Entry { repository, incarnation, role, version, sha256, position } in entries {
            let documents = content.lives.entry((repository.clone(), *incarnation)).or_default();
            documents.versions.insert((role.clone(), *version, *position, *sha256));
            let newest = documents.digests.entry((role.clone(), *sha256)).or_insert(*position);
            *newest = (*newest).max(*position);
        }
        content.reached = Some(reached);
        Ok(())
    }

    fn by_version(
        &self,
        life: Life<'_>,
        role: &RoleName,
        version: Version,
    ) -> Result<Option<Position>, IndexError> {
        let first = (role.clone(), version, Position::START, Sha256::new([0; 32]));
        let newest = self.of(life, |documents| {
            let from = documents.versions.range(first..);
            let same = from.take_while(|(found, other, ..)| found == role && *other == version);
            same.last().map(|(_, _, position, _)| *position)
        });
        Ok(newest.flatten())
    }

    fn by_digest(
        &self,
        life: Life<'_>,
        role: &RoleName,
        sha256: &Sha256,
    ) -> Result<Option<Position>, IndexError> {
        Ok(self.of(life, |documents| documents.digests.get(&(role.clone(), *sha256)).copied()).flatten())
    }

    fn count(&self, life: Life<'_>) -> Result<u64, IndexError> {
        let count = self.of(life, |documents| documents.versions.len()).unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn positions(&self, life: Life<'_>) -> Result<Vec<Position>, IndexError> {
        let positions =
            |documents: &Documents| documents.versions.iter().map(|(_, _, position, _)| *position).collect();
        Ok(self.of(life, positions).unwrap_or_default())
    }

    fn rows(&self, visit: &mut dyn FnMut(Row)) -> Result<(), IndexError> {
        for ((repository, incarnation), documents) in &self.0.read().lives {
            for (role, version, position, sha256) in &documents.versions {
                visit(Row::of(&Entry {
                    repository: repository.clone(),
                    incarnation: *incarnation,
                    role: role.clone(),
                    version: *version,
                    sha256: *sha256,
                    position: *position,
                }));
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        Ok(())
    }

    fn clear(&self) -> Result<(), IndexError> {
        *self.0.write() = Content::default();
        Ok(())
    }

    fn size(&self) -> Result<u64, IndexError> {
        Ok(0)
    }

    fn may_hang(&self) -> bool {
        false
    }
}
