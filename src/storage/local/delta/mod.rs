//! A document at the size of its change.
//!
//! A document whose role had one before is stored as its difference to an earlier one, its *base*, where that is smaller.
//! Which one keeps both the differences small and the way back short: documents of a role are counted in *steps*, and the
//! base of a step is the step that is one less in its last digit that is not zero, in base sixteen. So 1 stands on 0, 2 on
//! 1, and 16, not on 15, but on 0; 17 stands on 16, and 32 on 16. A document that thousands came before is reached over
//! some ten or twenty others, and each change is stored as often as a step has digits. The base of the next step is always
//! this document or one on its way.
//!
//! - `pack`: bytes to a difference, and back.
//! - [`Lineage`]: a document and what it stands on. [`Recent`]: those that the next publications will ask for.
//! - `prepare`: a record to its [`Payload`]. [`Reader`]: what is stored to documents.

mod lineage;
mod pack;
mod prepare;
mod read;
mod recent;

pub(super) use lineage::{Ancestor, Lineage};
pub(super) use pack::unpack;
pub(crate) use prepare::Payload;
pub(super) use prepare::alone;
pub(super) use read::Reader;
pub(super) use read::numbers;
pub(super) use recent::Recent;

/// How many documents of its role stand between a document and the last one that stands alone; 0 for that one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Step(pub(super) u64);

impl Step {
    /// Of what stands alone.
    pub(super) const ALONE: Self = Self(0);
    /// Bits of a digit in base sixteen.
    const DIGIT: u32 = 4;

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The step that this one stands on: one less in its last digit that is not zero. Itself for [`Self::ALONE`].
    pub(super) fn base(self) -> Self {
        let digit = self.0.trailing_zeros() / Self::DIGIT * Self::DIGIT;
        Self(1_u64.checked_shl(digit).map_or(self.0, |one| self.0 - one))
    }

    /// The last one before it, or itself, whose last digit is zero: what the next one of those stands on, too.
    pub(super) fn round(self) -> Self {
        Self(self.0 >> Self::DIGIT << Self::DIGIT)
    }
}

#[cfg(test)]
mod tests;
