//! Tables at rest: what a lookup needs of a repository, as bytes that are copied into memory as they are.
//!
//! | standing | table |
//! |---|---|
//! | check (32) | check (32) |
//! | origin (32) | origin (32) |
//! | position (8) | lines, number of the layout, 1 if it has odd tags, where the text begins, words of pilots (8 each) |
//! | exact freshness (32) | the pilots' words, the lines' and the text's (8 each) |
//!
//! Integers are little-endian. A check is BLAKE3 of all that follows it, under a key that stands for how names are hashed; a
//! standing's also of the repository's name. So neither a damaged one passes, nor another's, nor what an earlier release or
//! another store laid out.

use super::block::Content;
use super::freshness::{EXACT, Freshness};
use super::memory::LINE;
use super::table::{Layout, Parts, index, low};
use super::text::{HashKey, Word};
use super::{Origin, TagTable};
use crate::terms::{Position, RepositoryName};

const CHECK: usize = 32;
/// Numbers of a standing, and of a table before its words.
const STANDING: usize = 1 + EXACT;
const HEAD: usize = 5;

/// What was read back, still where it was read.
pub(super) struct Prebuilt<'a> {
    parts: Parts<'a, [u8; 8]>,
    position: Position,
    freshness: Freshness,
}

impl<'a> Prebuilt<'a> {
    /// `None` if any of it is not what was written for this repository, with this key.
    pub(super) fn read(
        key: &HashKey,
        repository: &RepositoryName,
        standing: &[u8],
        table: &'a [u8],
    ) -> Option<Self> {
        let (check, standing) = standing.split_first_chunk::<CHECK>()?;
        if checked(key, &[repository.as_str().as_bytes(), standing]) != *check {
            return None;
        }
        let (check, table) = table.split_first_chunk::<CHECK>()?;
        if checked(key, &[table]) != *check {
            return None;
        }
        let (standings, standing) = standing.split_first_chunk::<{ Origin::LENGTH }>()?;
        let (tables, table) = table.split_first_chunk::<{ Origin::LENGTH }>()?;
        if standings != tables {
            return None;
        }
        let (standing, []) = standing.as_chunks::<8>() else { return None };
        let [position, exact @ ..] =
            <&[[u8; 8]; STANDING]>::try_from(standing).ok()?.each_ref().map(Word::get);
        let (words, []) = table.as_chunks::<8>() else { return None };
        let (head, words) = words.split_first_chunk::<HEAD>()?;
        let [lines, number, has_odd, text_at, pilots] = head;
        let layout =
            Layout { lines: low(lines.get()), number: low(number.get()), has_odd: has_odd.get() != 0 };
        let (pilots, words) = words.split_at_checked(usize::try_from(pilots.get()).ok()?)?;
        if pilots.len() != layout.pilot_words() || words.len() < LINE * index(layout.lines) {
            return None;
        }
        let parts = Parts { layout, pilots, words, text_at };
        Some(Self { parts, position: Position::new(position), freshness: Freshness::from_exact(exact) })
    }

    /// Of the publication.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn content(&self) -> Content<'_, [u8; 8]> {
        Content { parts: self.parts, freshness: &self.freshness, position: self.position }
    }
}

impl TagTable {
    /// What changes of it with each publication, as bytes.
    pub(crate) fn standing(&self, repository: &RepositoryName, position: Position) -> Vec<u8> {
        let mut bytes = vec![0; CHECK];
        bytes.extend(self.origin().as_bytes());
        bytes.extend(position.get().to_le_bytes());
        bytes.extend(self.freshness().exact().iter().flat_map(|word| word.to_le_bytes()));
        sealed(self.key(), &[repository.as_str().as_bytes()], bytes)
    }

    /// The rest, as bytes.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let Parts { layout, pilots, words, text_at } = self.table().parts();
        let head: [u64; HEAD] = [
            layout.lines.into(),
            layout.number.into(),
            layout.has_odd.into(),
            *text_at,
            u64::try_from(pilots.len()).unwrap_or(u64::MAX),
        ];
        let mut bytes = Vec::with_capacity(CHECK + Origin::LENGTH + 8 * (HEAD + pilots.len() + words.len()));
        bytes.extend([0; CHECK]);
        bytes.extend(self.origin().as_bytes());
        for word in head.iter().chain(pilots).chain(words) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        sealed(self.key(), &[], bytes)
    }

    /// Compares what was kept of a repository with this, its table as it should be. What is not of `position` would not be
    /// used, and is not looked at.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_prebuilt(
        &self,
        repository: &RepositoryName,
        position: Position,
        standing: &[u8],
        table: &[u8],
    ) -> Result<(), String> {
        let Some(prebuilt) = Prebuilt::read(self.key(), repository, standing, table) else {
            return Err("its prebuilt table is damaged; tags are read from its documents instead".to_owned());
        };
        let is_same = || standing == self.standing(repository, position) && table == self.encoded();
        if prebuilt.position == position && !is_same() {
            return Err("its prebuilt table is not what the signatures say".to_owned());
        }
        Ok(())
    }
}

/// With the check where room was left for it.
fn sealed(key: &HashKey, before: &[&[u8]], mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some((check, rest)) = bytes.split_first_chunk_mut::<CHECK>() {
        let parts: Vec<&[u8]> = before.iter().copied().chain([&*rest]).collect();
        *check = checked(key, &parts);
    }
    bytes
}

fn checked(key: &HashKey, parts: &[&[u8]]) -> [u8; CHECK] {
    let mut hash = blake3::Hasher::new_keyed(key.check());
    for part in parts {
        // Each with its length, so that none runs into the next.
        hash.update(part).update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    }
    *hash.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Lookup, SignedIn, Target};
    use crate::terms::{Sha256, UnixTime};
    use proptest::prelude::*;

    fn key() -> HashKey {
        HashKey::new(*b"of the tests 001")
    }

    fn name(name: &str) -> RepositoryName {
        name.parse().unwrap()
    }

    fn target(length: u64) -> Target {
        Target { sha256: Sha256::new([7; 32]), length, from: SignedIn::Targets }
    }

    fn table(tags: &[String], origin: u8) -> TagTable {
        let entries: Vec<_> = tags.iter().map(|tag| (tag.as_str(), target(u64::MAX))).collect();
        TagTable::of(&entries, origin, UnixTime::new(40, 7), &key())
    }

    fn position() -> Position {
        Position::new(9)
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_written(
            tags in proptest::collection::hash_set(".{0,40}", 0..60),
            damage in any::<proptest::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let tags: Vec<_> = tags.into_iter().collect();
            let written = table(&tags, 1);
            let (standing, bytes) = (written.standing(&name("a/b"), position()), written.encoded());
            let read = Prebuilt::read(&key(), &name("a/b"), &standing, &bytes).unwrap();
            prop_assert_eq!(read.position, position());
            prop_assert_eq!(read.freshness, *written.freshness());
            for tag in &tags {
                let asked = super::super::text::TagText::new(tag, &key());
                let found = read.parts.find(&asked).map(|entry| entry.target());
                prop_assert_eq!(found, Some(target(u64::MAX)));
            }
            prop_assert_eq!(written.check_prebuilt(&name("a/b"), position(), &standing, &bytes), Ok(()));
            // Whatever bit is another one, and wherever either ends, it is noticed.
            let at = damage.index(standing.len() + bytes.len());
            let (mut standings, mut tables) = (standing.clone(), bytes.clone());
            let byte = if at < standing.len() { &mut standings[at] } else { &mut tables[at - standing.len()] };
            *byte ^= 1 << bit;
            prop_assert!(Prebuilt::read(&key(), &name("a/b"), &standings, &tables).is_none());
            let (standings, tables) = (&standing[..at.min(standing.len())], &bytes[..at.saturating_sub(standing.len())]);
            prop_assert!(Prebuilt::read(&key(), &name("a/b"), standings, tables).is_none());
            prop_assert!(written.check_prebuilt(&name("a/b"), position(), standings, tables).is_err());
        }
    }

    #[test]
    fn only_its_own_is_read_for_a_repository() {
        let one = table(&["v1".to_owned()], 1);
        let (standing, bytes) = (one.standing(&name("a/b"), position()), one.encoded());
        let read = |key: &HashKey, repository: &str, standing: &[u8], bytes: &[u8]| {
            Prebuilt::read(key, &name(repository), standing, bytes).is_some()
        };
        assert!(read(&key(), "a/b", &standing, &bytes));
        assert!(!read(&key(), "a/c", &standing, &bytes), "a standing is of one repository");
        assert!(!read(&HashKey::new(*b"of the tests 002"), "a/b", &standing, &bytes), "under one key");
        let other = table(&["v2".to_owned()], 2);
        assert!(!read(&key(), "a/b", &standing, &other.encoded()), "and goes with one table");
        assert!(!read(&key(), "a/b", &bytes, &standing));
    }

    #[test]
    fn a_check_tells_what_would_be_served_wrongly() {
        let (one, other) = (table(&["v1".to_owned()], 1), table(&["v2".to_owned()], 2));
        let name = name("a/b");
        let check = |of: u64| {
            let standing = one.standing(&name, Position::new(of));
            other.check_prebuilt(&name, position(), &standing, &one.encoded())
        };
        assert!(check(9).is_err());
        assert_eq!(check(8), Ok(()), "nobody would use what is of another publication");
    }

    #[test]
    fn a_bound_holds_tables_and_those_that_are_asked_stay() {
        const EACH: u64 = 64 * 23;
        let tags: Vec<_> = (0..20).map(|number| format!("v{number}")).collect();
        let table = table(&tags, 1);
        let names: Vec<_> = (0..400).map(|number| name(&format!("team/app{number}"))).collect();
        let catalog = Catalog::new(key(), position(), 100 * EACH / 3 * 4);
        let cold: Vec<_> = names.iter().map(|name| (name.clone(), position())).collect();
        catalog.add_cold(&cold);
        let now = UnixTime::from_seconds(0);
        let ask = |name: &RepositoryName| {
            let answer = catalog.lookup(name.as_str(), "v7", now, || Err(()));
            assert!(matches!(answer, Err(()) | Ok(Lookup::Found(_))), "{answer:?}");
            answer.is_ok()
        };
        let mut again = 0;
        for (number, name) in names.iter().enumerate() {
            assert!(!ask(name));
            catalog.keep_prebuilt(name, &table.standing(name, position()), &table.encoded()).unwrap();
            assert!(ask(name), "what was just loaded stays");
            assert!(catalog.table_bytes() <= 100 * EACH);
            // These are asked all the time.
            for often in &names[..number.min(20)] {
                if !ask(often) {
                    again += 1;
                    let standing = table.standing(often, position());
                    catalog.keep_prebuilt(often, &standing, &table.encoded()).unwrap();
                }
            }
        }
        let there = names.iter().filter(|name| ask(name)).count();
        assert!((80..=100).contains(&there), "{there}");
        assert!(again < 40, "{again}");
        assert_eq!(catalog.count(), 400);
        let before = catalog.table_bytes();
        catalog
            .keep_prebuilt(&names[0], &table.standing(&names[0], Position::new(8)), &table.encoded())
            .unwrap();
        assert_eq!(catalog.table_bytes(), before, "what is of another publication is not kept");
        for name in &names {
            catalog.remove(name);
        }
        assert_eq!((catalog.count(), catalog.table_bytes()), (0, 0));
    }
}
