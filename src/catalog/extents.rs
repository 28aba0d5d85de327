use std::collections::{BTreeMap, BTreeSet};

/// Free stretches of something that is numbered. Neighbours are joined.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// From where a stretch begins to its length.
    by_place: BTreeMap<u64, u64>,
    /// Length and beginning of the same.
    by_length: BTreeSet<(u64, u64)>,
}

impl Extents {
    /// A stretch of `length`, off the shortest that has it; `None` if none has.
    pub(super) fn take(&mut self, length: u64) -> Option<u64> {
        let (had, place) = *self.by_length.range((length, 0)..).next()?;
        self.remove(place, had);
        if had > length {
            self.insert(place + length, had - length);
        }
        Some(place)
    }

    /// What was taken is free again, or something is for the first time.
    pub(super) fn give(&mut self, mut place: u64, mut length: u64) {
        let before = self.by_place.range(..place).next_back().map(|(before, long)| (*before, *long));
        if let Some((before, long)) = before
            && before + long == place
        {
            self.remove(before, long);
            (place, length) = (before, long + length);
        }
        if let Some(long) = self.by_place.get(&(place + length)).copied() {
            self.remove(place + length, long);
            length += long;
        }
        self.insert(place, length);
    }

    fn insert(&mut self, place: u64, length: u64) {
        self.by_place.insert(place, length);
        self.by_length.insert((length, place));
    }

    fn remove(&mut self, place: u64, length: u64) {
        self.by_place.remove(&place);
        self.by_length.remove(&(length, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_shortest_that_is_long_enough_is_taken_from() {
        let mut free = Extents::default();
        free.give(100, 10);
        free.give(200, 5);
        assert_eq!((free.take(5), free.take(5), free.take(6)), (Some(200), Some(100), None));
        free.give(100, 5);
        assert_eq!(free.take(10), Some(100));
    }

    proptest! {
        #[test]
        fn nothing_is_taken_twice_and_all_comes_back(steps in proptest::collection::vec((any::<bool>(), 1..20_u64), 1..200)) {
            let mut free = Extents::default();
            free.give(1, 500);
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (take, length) in steps {
                if take {
                    if let Some(place) = free.take(length) {
                        prop_assert!(place >= 1 && place + length <= 501);
                        prop_assert!(taken.iter().all(|(other, long)| place + length <= *other || other + long <= place));
                        taken.push((place, length));
                    }
                } else if !taken.is_empty() {
                    let at = usize::try_from(length).unwrap() % taken.len();
                    let (place, length) = taken.swap_remove(at);
                    free.give(place, length);
                }
            }
            for (place, length) in taken {
                free.give(place, length);
            }
            prop_assert_eq!(free.take(500), Some(1));
        }
    }
}
