use super::{Found, Lookup, SignedIn, Target};
use crate::terms::{RoleName, UnixTime};

/// Until when what a repository says may be relied on, and whose expiry that is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Freshness {
    /// The earliest expiry of root, timestamp, snapshot and targets.
    pub(super) targets: (UnixTime, Whose),
    /// The same with `targets/releases` counted in.
    pub(super) releases: (UnixTime, Whose),
}

/// Whose expiry may be the earliest, in the order of [`RoleName`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Whose {
    Root,
    Targets,
    Snapshot,
    Timestamp,
    Releases,
}

impl Whose {
    const ALL: [Self; 5] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp, Self::Releases];

    pub(super) fn role(self) -> RoleName {
        match self {
            Self::Root => RoleName::Root,
            Self::Targets => RoleName::Targets,
            Self::Snapshot => RoleName::Snapshot,
            Self::Timestamp => RoleName::Timestamp,
            // A role's name, always.
            Self::Releases => SignedIn::Releases.as_str().parse().unwrap_or(RoleName::Targets),
        }
    }
}

/// A time as one number that is ordered alike, from 1970 to 2514; what lies outside is the first or the last of them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Instant(u64);

/// For the nanoseconds.
const FRACTION: u32 = 30;

impl Instant {
    #[inline]
    pub(super) fn new(time: UnixTime) -> Self {
        match u64::try_from(time.seconds()) {
            Err(_) => Self(0),
            Ok(seconds) if seconds >= u64::MAX >> FRACTION => Self(u64::MAX),
            Ok(seconds) => Self(seconds << FRACTION | u64::from(time.nanoseconds())),
        }
    }

    #[inline]
    fn time(self) -> UnixTime {
        let nanoseconds = self.0 & ((1 << FRACTION) - 1);
        let seconds = i64::try_from(self.0 >> FRACTION).unwrap_or(i64::MAX);
        UnixTime::new(seconds, u32::try_from(nanoseconds).unwrap_or(0))
    }
}

/// How many words a [`Freshness`] takes in short, and how many exactly.
pub(super) const SHORT: usize = 2;
pub(super) const EXACT: usize = 4;

impl Freshness {
    /// For what is asked often.
    pub(super) fn short(&self) -> [u64; SHORT] {
        [self.targets, self.releases].map(|(time, _)| Instant::new(time).0)
    }

    /// To the nanosecond, whenever it is, and whose.
    pub(super) fn exact(&self) -> [u64; EXACT] {
        let [(one, its), (other, others)] = [self.targets, self.releases].map(|(time, whose)| (time, whose));
        let rest = |time: UnixTime, whose: Whose| {
            let whose = Whose::ALL.iter().position(|one| *one == whose).and_then(|at| u64::try_from(at).ok());
            u64::from(time.nanoseconds()) << 32 | whose.unwrap_or(0)
        };
        [one.seconds().cast_unsigned(), rest(one, its), other.seconds().cast_unsigned(), rest(other, others)]
    }

    pub(super) fn from_exact(words: [u64; EXACT]) -> Self {
        let [one, its, other, others] = words;
        let read = |seconds: u64, rest: u64| {
            let whose = usize::try_from(rest & u64::from(u32::MAX)).ok();
            let whose = whose.and_then(|at| Whose::ALL.get(at)).copied().unwrap_or(Whose::Root);
            (UnixTime::new(seconds.cast_signed(), super::table::high(rest)), whose)
        };
        Self { targets: read(one, its), releases: read(other, others) }
    }

    /// What to answer at `now`, when the table said `found`.
    pub(super) fn answer(&self, found: Option<Target>, now: UnixTime) -> Lookup {
        let (lapses, whose) = match found {
            Some(Target { from: SignedIn::Releases, .. }) => self.releases,
            Some(_) | None => self.targets,
        };
        match found {
            _ if lapses < now => Lookup::Expired { role: whose.role(), since: lapses },
            Some(target) => Lookup::Found(Found { target, fresh_until: lapses }),
            None => Lookup::NoSuchTag,
        }
    }
}

/// What the short words say of `now`: until when what was found is fresh, or `None` if only the exact ones can tell.
#[inline]
pub(super) fn fresh_until(short: [u64; SHORT], from_releases: bool, now: Instant) -> Option<UnixTime> {
    let [targets, releases] = short;
    let lapses = Instant(if from_releases { releases } else { targets });
    (now < lapses && lapses.0 != u64::MAX).then(|| lapses.time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Sha256;
    use proptest::prelude::*;

    fn times() -> impl Strategy<Value = UnixTime> {
        let far =
            prop_oneof![any::<i64>(), 0..5_000_000_000_i64, 17_179_869_180..17_179_869_186_i64, -3..3_i64];
        (far, prop_oneof![0..3_u32, 0..1_000_000_000_u32])
            .prop_map(|(seconds, rest)| UnixTime::new(seconds, rest))
    }

    proptest! {
        #[test]
        fn short_words_answer_as_the_times_themselves(
            mut known in proptest::collection::vec(times(), 1..3),
            now in times(),
            at in 0..3_usize,
            from in prop_oneof![Just(None), Just(Some(SignedIn::Targets)), Just(Some(SignedIn::Releases))],
        ) {
            known.push(now);
            let (one, other) = (known[at % known.len()], known[0]);
            let freshness = Freshness { targets: (one, Whose::Snapshot), releases: (other, Whose::Releases) };
            let found = from.map(|from| Target { sha256: Sha256::new([1; 32]), length: 3, from });
            let releases = from == Some(SignedIn::Releases);
            if let Some(fresh_until) = fresh_until(freshness.short(), releases, Instant::new(now)) {
                let answer = found.map_or(Lookup::NoSuchTag, |target| Lookup::Found(Found { target, fresh_until }));
                prop_assert_eq!(answer, freshness.answer(found, now));
            }
            prop_assert_eq!(Freshness::from_exact(freshness.exact()), freshness);
        }
    }

    #[test]
    fn roles_are_ordered_as_their_names() {
        assert!(Whose::ALL.is_sorted());
        assert!(Whose::ALL.map(Whose::role).is_sorted());
        assert_eq!(Whose::Releases.role().as_str(), "targets/releases");
    }
}
