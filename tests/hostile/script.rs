//! Damage, written down as bytes: whatever bytes a fuzzer or a generator of random numbers comes up with say what to
//! damage, and how.

/// What JSON readers and readers of lengths stumble over.
const TOKENS: [&[u8]; 14] = [
    b"null",
    b"-1",
    b"0",
    b"1e999",
    b"9007199254740993",
    b"18446744073709551616",
    b"\"\"",
    b"\"\\ud800\"",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"}",
    b"\xff\xfe",
    b"\0\0\0\0\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// A script, read from its front.
#[derive(Clone, Debug)]
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte; `None` at the end.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The next choice among so many; the first where there is none.
    pub(crate) fn below(&mut self, count: usize) -> Option<usize> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()?.checked_rem(count).or(Some(0))
    }

    /// Damages `bytes` once; `None` at the end of the script.
    ///
    /// Places are chosen before the zeros at the end, of which a journal that was not closed has many.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>) -> Option<()> {
        let kind = self.byte()?;
        let content = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let at = self.below((content + 16).min(bytes.len()))?;
        let length = self.below(64)?.min(bytes.len() - at);
        let part: Vec<u8> = bytes.iter().skip(at).take(length).copied().collect();
        match kind % 8 {
            0 => {
                let bit = self.byte()? % 8;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at + length, [])),
            3 => drop(bytes.splice(at..at, part)),
            4 => {
                let to = self.below(bytes.len())?;
                let end = (to + length).min(bytes.len());
                drop(bytes.splice(to..end, part));
            }
            5 => {
                let token = TOKENS.get(self.below(TOKENS.len())?).copied().unwrap_or_default();
                drop(bytes.splice(at..at + length, token.iter().copied()));
            }
            6 => bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = 0),
            _ => {
                let byte = self.byte()?;
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
        }
        Some(())
    }
}
