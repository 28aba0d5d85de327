use std::hash::{Hash, Hasher};

use papaya::Equivalent;

/// Bytes of a name that stand beside what it names.
const INLINE: usize = 55;

/// A repository's name as the key of the catalog: laid out so that comparing most names follows no pointer.
///
/// As large as a cache line.
#[derive(Clone, Debug, Eq, PartialEq)]
#[repr(align(64))]
pub(super) struct Name {
    /// The name's beginning, then zeros.
    inline: [u8; INLINE],
    /// Of the whole name.
    size: u8,
    /// Thin, since hardly any name is that long.
    rest: Option<Box<Box<[u8]>>>,
}

/// The same of somebody who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    inline: [u8; INLINE],
    size: u8,
    name: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Asked<'a> {
    /// `None` for what is longer than any repository's name.
    #[inline]
    pub(super) fn new(name: &'a str) -> Option<Self> {
        let size = u8::try_from(name.len()).ok()?;
        let name = name.as_bytes();
        let (beginning, rest) = name.split_at(name.len().min(INLINE));
        let mut inline = [0; INLINE];
        inline.get_mut(..beginning.len())?.copy_from_slice(beginning);
        Some(Self { inline, size, name, rest })
    }

    pub(super) fn to_key(self) -> Name {
        let rest = (!self.rest.is_empty()).then(|| Box::new(self.rest.into()));
        Name { inline: self.inline, size: self.size, rest }
    }
}

impl Name {
    /// As text.
    pub(super) fn text(&self) -> String {
        let inline = self.inline.get(..usize::from(self.size).min(INLINE)).unwrap_or_default();
        String::from_utf8_lossy(&[inline, self.rest()].concat()).into_owned()
    }

    fn rest(&self) -> &[u8] {
        self.rest.as_ref().map_or(&[], |rest| rest)
    }
}

impl Equivalent<Name> for Asked<'_> {
    #[inline]
    fn equivalent(&self, key: &Name) -> bool {
        self.inline == key.inline
            && self.size == key.size
            && (self.rest.is_empty() || self.rest == key.rest())
    }
}

impl Hash for Asked<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.name);
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.inline.get(..usize::from(self.size)) {
            Some(name) => state.write(name),
            None => state.write(&[&self.inline, self.rest()].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::BuildHasher as _;

    #[test]
    fn what_is_longer_than_any_name_is_none() {
        assert!(Asked::new(&"x".repeat(255)).is_some());
        assert!(Asked::new(&"x".repeat(256)).is_none());
    }

    proptest! {
        #[test]
        fn a_key_is_what_it_was_made_from(one in "[ab/é]{0,60}|a{54,58}", other in "[ab/é]{0,60}|a{54,58}") {
            let hasher = super::super::lines::HASHER.clone();
            let (asked, theirs) = (Asked::new(&one).unwrap(), Asked::new(&other).unwrap());
            let key = asked.to_key();
            prop_assert_eq!(key.text(), one.clone());
            prop_assert!(asked.equivalent(&key));
            prop_assert_eq!(hasher.hash_one(asked), hasher.hash_one(&key));
            prop_assert_eq!(theirs.equivalent(&key), one == other);
        }
    }
}
