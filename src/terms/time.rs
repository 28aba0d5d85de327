use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A clock's value: seconds and nanoseconds since 1970-01-01T00:00:00Z. The engine is told it and never asks a clock.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Encoded")]
pub struct UnixTime {
    seconds: i64,
    nanoseconds: u32,
}

/// As it is encoded, before it is known that its fraction is one.
#[derive(Deserialize)]
struct Encoded {
    seconds: i64,
    nanoseconds: u32,
}

impl TryFrom<Encoded> for UnixTime {
    type Error = InvalidTime;

    fn try_from(Encoded { seconds, nanoseconds }: Encoded) -> Result<Self, Self::Error> {
        if nanoseconds < NANOSECONDS { Ok(Self { seconds, nanoseconds }) } else { Err(InvalidTime) }
    }
}

/// In a second.
const NANOSECONDS: u32 = 1_000_000_000;

/// Not a date and time as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a date and time of RFC 3339")]
#[non_exhaustive]
pub struct InvalidTime;

impl UnixTime {
    /// A whole second.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// A second and what passed since; nanoseconds beyond a second count as seconds.
    pub fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds: seconds.saturating_add(i64::from(nanoseconds / NANOSECONDS)),
            nanoseconds: nanoseconds % NANOSECONDS,
        }
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// What passed since the whole second, below 1,000,000,000.
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Later by so much, or the last time there is.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Self::new(self.seconds.saturating_add(seconds), self.nanoseconds + duration.subsec_nanos())
    }

    /// How long until `later`; zero when that has passed.
    pub fn until(self, later: Self) -> Duration {
        if later <= self {
            return Duration::ZERO;
        }
        let borrow = later.nanoseconds < self.nanoseconds;
        let seconds = later.seconds.saturating_sub(self.seconds).saturating_sub(i64::from(borrow));
        let nanoseconds = if borrow {
            later.nanoseconds + 1_000_000_000 - self.nanoseconds
        } else {
            later.nanoseconds - self.nanoseconds
        };
        Duration::new(u64::try_from(seconds).unwrap_or(0), nanoseconds)
    }
}

impl FromStr for UnixTime {
    type Err = InvalidTime;

    /// Reads RFC 3339 with any offset and up to nine digits of fraction, as Go's clients write it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // RFC 3339 is stricter than the library: a `T`, seconds, and an offset have to stand there.
        let bytes = text.as_bytes();
        let shape = bytes.get(10) == Some(&b'T')
            && bytes.get(13) == Some(&b':')
            && bytes.get(16) == Some(&b':')
            && bytes.iter().all(u8::is_ascii)
            && !text.contains(['[', ' ', ',']);
        let time: jiff::Timestamp = shape.then(|| text.parse().ok()).flatten().ok_or(InvalidTime)?;
        let whole = time.as_second();
        match u32::try_from(time.subsec_nanosecond()) {
            Ok(nanoseconds) => Ok(Self { seconds: whole, nanoseconds }),
            // Before 1970 the library counts the fraction down from zero.
            Err(_) => Ok(Self {
                seconds: whole - 1,
                nanoseconds: 1_000_000_000 - time.subsec_nanosecond().unsigned_abs(),
            }),
        }
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i32::try_from(self.nanoseconds).unwrap_or(0);
        match jiff::Timestamp::new(self.seconds, nanoseconds) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} seconds since 1970", self.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_beyond_a_second_is_not_decoded() {
        let decode = |nanoseconds: u32| {
            let encoded = format!(r#"{{"seconds":1,"nanoseconds":{nanoseconds}}}"#);
            serde_json::from_str::<UnixTime>(&encoded).ok()
        };
        assert_eq!(decode(999_999_999), Some(UnixTime::new(1, 999_999_999)));
        assert_eq!(decode(1_000_000_000), None);
    }

    #[test]
    fn times_as_clients_write_them_are_read() {
        let cases = [
            ("2036-11-21T04:05:55.244050996Z", 2_110_853_155, 244_050_996),
            ("2116-07-03T18:08:08.41836542-05:00", 4_623_260_888, 418_365_420),
            ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
            ("1970-01-01T00:00:00Z", 0, 0),
        ];
        for (text, seconds, nanoseconds) in cases {
            assert_eq!(text.parse(), Ok(UnixTime::new(seconds, nanoseconds)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in
            ["", "2036-11-21", "2036-11-21 04:05:55Z", "2036-11-21T04:05:55", "2036-13-21T04:05:55Z", "now"]
        {
            assert_eq!(text.parse::<UnixTime>(), Err(InvalidTime), "{text}");
        }
    }

    #[test]
    fn durations_cross_the_second() {
        let (early, late) = (UnixTime::new(1, 900_000_000), UnixTime::new(3, 100_000_000));
        assert_eq!(early.until(late), Duration::from_millis(1_200));
        assert_eq!(early.after(Duration::from_millis(1_200)), late);
        assert_eq!(late.until(early), Duration::ZERO);
    }
}
