//! What a file holds for readers, what of it is durable, and what a power cut makes of the difference.

use std::collections::BTreeMap;

use super::Survival;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// From durable to visible, unless a sync failed.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Naming {
    Is(String, usize),
    Moves(String, String, usize),
    Goes(String),
}

impl Naming {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Is(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Moves(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Goes(name) => {
                names.remove(name);
            }
        }
    }
}

impl Content {
    pub(super) fn settled(bytes: Vec<u8>) -> Self {
        Self { visible: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    pub(super) fn visible(&self) -> &[u8] {
        &self.visible
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    pub(super) fn settle(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A sync failed: the pages count as clean, and nobody writes them again.
    pub(super) fn forget_to_settle(&mut self) {
        self.pending.clear();
    }

    pub(super) fn surviving(&self, chance: &mut Chance) -> Self {
        let mut bytes = self.durable.clone();
        let pieces: Vec<_> = self.pending.iter().flat_map(|change| change.pieces(chance.piece)).collect();
        chance.surviving(&pieces).for_each(|piece| piece.apply(&mut bytes));
        Self::settled(bytes)
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, written) => {
                let end = offset.saturating_add(written.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(place) = bytes.get_mut(*offset..end) {
                    place.copy_from_slice(written);
                }
            }
        }
    }

    /// What there may be of it after it failed.
    pub(super) fn half(self) -> Option<Self> {
        match self {
            Self::Write(offset, mut bytes) => {
                bytes.truncate(bytes.len() / 2);
                Some(Self::Write(offset, bytes))
            }
            Self::Length(_) => None,
        }
    }

    /// The parts that a disk writes at once.
    fn pieces(&self, piece: usize) -> Vec<Self> {
        let Self::Write(offset, written) = self else { return vec![self.clone()] };
        let (mut at, mut rest) = (*offset, written.as_slice());
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let room = piece.saturating_sub(at.checked_rem(piece).unwrap_or(0)).max(1);
            let (now, later) = rest.split_at(room.min(rest.len()));
            pieces.push(Self::Write(at, now.to_vec()));
            at = at.saturating_add(now.len());
            rest = later;
        }
        pieces
    }
}

/// Which of what is not durable survives.
pub(super) struct Chance {
    survival: Survival,
    piece: usize,
    state: u64,
}

impl Chance {
    pub(super) fn of(survival: Survival) -> Self {
        let (piece, state) = match survival {
            Survival::Dropped | Survival::Kept => (usize::MAX, 0),
            Survival::Torn { piece, seed } | Survival::Reordered { piece, seed } => (piece, seed),
        };
        Self { survival, piece, state }
    }

    pub(super) fn surviving<'a, T>(&mut self, all: &'a [T]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let keeps: Vec<bool> = match self.survival {
            Survival::Dropped => vec![false; all.len()],
            Survival::Kept => vec![true; all.len()],
            Survival::Torn { .. } => {
                let choices = u64::try_from(all.len()).unwrap_or(u64::MAX).saturating_add(1);
                let first = self.next().checked_rem(choices).and_then(|first| usize::try_from(first).ok());
                (0..all.len()).map(|at| first.is_some_and(|first| at < first)).collect()
            }
            Survival::Reordered { .. } => all.iter().map(|_| self.next() & 1 == 1).collect(),
        };
        all.iter().zip(keeps).filter(|(_, keeps)| *keeps).map(|(one, _)| one)
    }

    /// `SplitMix64`: any fixed sequence would do.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survives(survival: Survival) -> Vec<u8> {
        let mut content = Content::settled(b"0123456789".to_vec());
        content.change(Change::Write(3, b"abcdef".to_vec()));
        content.change(Change::Write(0, b"x".to_vec()));
        content.surviving(&mut Chance::of(survival)).visible().to_vec()
    }

    #[test]
    fn nothing_or_all_of_what_was_not_synced_survives() {
        assert_eq!(survives(Survival::Dropped), b"0123456789");
        assert_eq!(survives(Survival::Kept), b"x12abcdef9");
    }

    #[test]
    fn a_torn_file_has_what_came_first_and_a_reordered_one_any_piece() {
        // Pieces of four bytes of the file: a, bcde, f, x.
        let torn = [&b"0123456789"[..], b"012a456789", b"012abcde89", b"012abcdef9", b"x12abcdef9"];
        let of = |survival: fn(u64) -> Survival| {
            (0..1_000).map(|seed| survives(survival(seed))).collect::<std::collections::BTreeSet<_>>()
        };
        let found = of(|seed| Survival::Torn { piece: 4, seed });
        assert_eq!(found, torn.iter().map(|bytes| bytes.to_vec()).collect());
        let found = of(|seed| Survival::Reordered { piece: 4, seed });
        assert_eq!(found.len(), 16);
        assert!(found.contains(&b"x123bcde89"[..]));
    }
}
