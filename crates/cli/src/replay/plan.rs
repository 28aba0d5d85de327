//! A trace by repository, in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use tufstore::terms::{RepositoryName, Sha256};

use crate::failure::Failure;
use crate::trace::{Publication, TagUpdate, TraceReader};

/// What stands before a repository's name in the trace.
const REGISTRY: &str = "docker.io/library/";

/// A whole trace.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// In order of their first publication.
    pub(crate) repositories: Vec<Planned>,
}

/// What one repository publishes.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Its full name.
    pub(crate) repository: RepositoryName,
    /// Its publications in order: place in the trace, and tags.
    pub(crate) publications: Vec<(u64, Vec<TagUpdate>)>,
}

/// A publication that is not to be played yet.
#[derive(Debug)]
pub(crate) struct HeldBack {
    /// Whose.
    pub(crate) repository: RepositoryName,
    /// A tag that it moves.
    pub(crate) moves: String,
    publication: (u64, Vec<TagUpdate>),
}

/// What a tag stands for in the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Content {
    /// SHA-256.
    pub(crate) sha256: Sha256,
    /// In bytes.
    pub(crate) length: u64,
}

impl Plan {
    /// Reads a trace to its end, so that nothing is played of a damaged one.
    pub(crate) fn read<R: BufRead>(trace: TraceReader<R>) -> Result<Self, Failure> {
        let mut plan = Self::default();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (order, publication) in (0..).zip(trace) {
            let Publication { repository: name, tags, .. } = publication?;
            let known = places.get(&name).and_then(|place| plan.repositories.get_mut(*place));
            if let Some(planned) = known {
                planned.publications.push((order, tags));
                continue;
            }
            let repository = format!("{REGISTRY}{name}")
                .parse()
                .map_err(|source| Failure::TraceName { name: name.clone(), source })?;
            places.insert(name, plan.repositories.len());
            plan.repositories.push(Planned { repository, publications: vec![(order, tags)] });
        }
        Ok(plan)
    }

    /// How many publications it has.
    pub(crate) fn publications(&self) -> u64 {
        self.repositories.iter().map(|planned| count(&planned.publications)).sum()
    }

    /// How many tags they set or move.
    pub(crate) fn tag_updates(&self) -> u64 {
        let publications = self.repositories.iter().flat_map(|planned| &planned.publications);
        publications.map(|(_, tags)| count(tags)).sum()
    }

    /// Takes the last publication of a repository out, the newest that moves a tag; `None` if none does.
    pub(crate) fn hold_back(&mut self) -> Option<HeldBack> {
        let moving = self.repositories.iter_mut().filter_map(|planned| {
            let publication = planned.publications.pop()?;
            let before = planned.tags();
            let differs =
                |(tag, content): &(&str, Content)| before.get(tag).is_some_and(|before| before != content);
            let after = standing(&publication.1).into_iter().rev();
            let moves = after.filter(differs).map(|(tag, _)| tag.to_owned()).next();
            planned.publications.push(publication);
            Some((planned, moves?))
        });
        let newest = moving.max_by_key(|(planned, _)| planned.publications.last().map(|(order, _)| *order));
        let (planned, moves) = newest?;
        let publication = planned.publications.pop()?;
        Some(HeldBack { repository: planned.repository.clone(), moves, publication })
    }

    /// Puts it back.
    pub(crate) fn give_back(&mut self, held_back: HeldBack) {
        let HeldBack { repository, publication, .. } = held_back;
        if let Some(planned) = self.repositories.iter_mut().find(|planned| planned.repository == repository) {
            planned.publications.push(publication);
        }
    }

    /// What every tag stands for in the end.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&RepositoryName, &str, Content)> {
        self.repositories.iter().flat_map(|planned| {
            planned.tags().into_iter().map(move |(tag, content)| (&planned.repository, tag, content))
        })
    }
}

impl Planned {
    /// What its tags stand for in the end. Where a publication has a tag twice, the later one holds.
    pub(crate) fn tags(&self) -> BTreeMap<&str, Content> {
        standing(self.publications.iter().flat_map(|(_, tags)| tags))
    }
}

/// What tags stand for after these updates.
fn standing<'a>(updates: impl IntoIterator<Item = &'a TagUpdate>) -> BTreeMap<&'a str, Content> {
    let content = |update: &TagUpdate| Content { sha256: update.digest, length: update.length };
    updates.into_iter().map(|update| (update.tag.as_str(), content(update))).collect()
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "1\ta\t0000000000000001\tx,y\n2\tb\t0000000000000001\tx\n3\ta\t0000000000000002\ty\n";

    #[test]
    fn a_plan_keeps_order_and_ends_with_the_newest_tags() {
        let plan = Plan::read(TraceReader::new(TRACE.as_bytes())).unwrap();
        assert_eq!((plan.publications(), plan.tag_updates(), plan.tags().count()), (3, 4, 3));
        let [a, b] = plan.repositories.as_slice() else { panic!("two repositories") };
        assert_eq!(a.repository.as_str(), "docker.io/library/a");
        let order =
            |planned: &Planned| planned.publications.iter().map(|(order, _)| *order).collect::<Vec<_>>();
        assert_eq!((order(a), order(b)), (vec![0, 2], vec![1]));
        let tags = a.tags();
        assert_ne!(tags["x"], tags["y"]);
        assert_eq!(tags["y"].sha256, a.publications[1].1[0].digest);
    }

    #[test]
    fn what_is_held_back_moves_a_tag_and_comes_back() {
        let mut plan = Plan::read(TraceReader::new(TRACE.as_bytes())).unwrap();
        let held_back = plan.hold_back().unwrap();
        assert_eq!((held_back.repository.as_str(), held_back.moves.as_str()), ("docker.io/library/a", "y"));
        assert_eq!(plan.publications(), 2);
        plan.give_back(held_back);
        assert_eq!(plan.publications(), 3);
        // Moved and moved back within one publication, y stands for what it stood for.
        let back = "1\ta\t0000000000000001\ty\n2\ta\t0000000000000002\ty\n2\ta\t0000000000000001\ty\n";
        assert!(Plan::read(TraceReader::new(back.as_bytes())).unwrap().hold_back().is_none());
        let mut still = Plan::read(TraceReader::new(&b"1\ta\t0000000000000001\tx\n"[..])).unwrap();
        assert!(still.hold_back().is_none());
        assert_eq!(still.publications(), 1);
    }

    #[test]
    fn a_name_that_no_store_can_have_is_refused() {
        let plan = Plan::read(TraceReader::new(&b"1\ta//b\t0000000000000001\tx\n"[..]));
        assert!(matches!(plan, Err(Failure::TraceName { name, .. }) if name == "a//b"));
    }
}
