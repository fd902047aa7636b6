//! Instants and spans as data. Only the edges of the program read a clock; here time comes in with every input.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z, as the exchange counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A span in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// From whole seconds.
    #[must_use]
    pub const fn secs(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }
    /// From whole minutes.
    #[must_use]
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60_000)
    }
    /// From whole hours.
    #[must_use]
    pub const fn hours(hours: i64) -> Self {
        Self(hours * 3_600_000)
    }
}

/// One UTC day.
pub const DAY: Span = Span::hours(24);

impl Timestamp {
    /// The start of 1970.
    pub const ZERO: Self = Self(0);
    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }
    /// This instant moved by `span`; saturates.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
    /// This instant moved back by `span`; saturates.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
    /// Time passed since `earlier`; negative when this instant is the earlier one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
    /// The last instant at or before this one that is a whole multiple of `span` since 1970.
    #[must_use]
    pub const fn floor_to(self, span: Span) -> Self {
        Self(self.0 - self.0.rem_euclid(span.0))
    }
    /// Number of the UTC day since 1970.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(DAY.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds. Civil date by Howard Hinnant's `civil_from_days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.0.div_euclid(DAY.0), self.0.rem_euclid(DAY.0));
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let (s, ms) = (in_day / 1_000, in_day % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3_600, s / 60 % 60, s % 60)
    }
}
impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// The two clocks, read once at the edge for each input.
///
/// They differ only when the simulated exchange runs faster than time. In a backtest and in lock-step both are market time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// Market clock: event times, bars, funding, GTD, cool-downs, daily limits.
    pub market: Timestamp,
    /// Protocol clock (wall): staleness, fences, stop deadline, rate limits.
    pub protocol: Timestamp,
}

impl Now {
    /// Both clocks at the same instant.
    #[must_use]
    pub const fn both(at: Timestamp) -> Self {
        Self { market: at, protocol: at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_709_210_096_789).to_string(), "2024-02-29T12:34:56.789Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn flooring_goes_down_on_both_sides_of_1970() {
        assert_eq!(Timestamp(61_000).floor_to(Span::minutes(1)), Timestamp(60_000));
        assert_eq!(Timestamp(-1).floor_to(Span::minutes(1)), Timestamp(-60_000));
    }
}
