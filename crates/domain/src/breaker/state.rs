//! What the breaker remembers over a restart.

use crate::num::Usdt;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which rule tripped it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TripRule {
    /// No stored state was there.
    NoState,
    /// Most symbols' data were stale for longer than the limit.
    FeedStale,
    /// Too many calls to the exchange failed.
    ErrorRate,
    /// Equity fell too far from its peak.
    Drawdown,
    /// Loss since UTC midnight.
    DailyLoss,
}

impl TripRule {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoState => "NO_STATE",
            Self::FeedStale => "FEED_STALE",
            Self::ErrorRate => "ERROR_RATE",
            Self::Drawdown => "DRAWDOWN",
            Self::DailyLoss => "DAILY_LOSS",
        }
    }
}

/// Why it tripped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TripCause {
    /// Which rule.
    pub rule: TripRule,
    /// What was measured, as text.
    pub value: String,
    /// The limit, as text.
    pub limit: String,
    /// When (market clock).
    pub at: Timestamp,
}

impl fmt::Display for TripCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, limit {}, at {}", self.rule.as_str(), self.value, self.limit, self.at)
    }
}

/// Equity from which a day's loss is counted after a reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DayBase {
    /// UTC day since 1970.
    pub day: i64,
    /// Equity at the reset.
    pub equity: Usdt,
}

/// The breaker's state as stored. The default is that of a new installation: closed. A state that should be there and is
/// missing is not the default: restore `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerState {
    /// Causes that hold it tripped, one for each rule; empty when trading is allowed.
    pub causes: Vec<TripCause>,
    /// After a reset, drawdown counts from the highest equity since, this one.
    pub peak: Option<Usdt>,
    /// After a reset, the day's loss counts from here.
    pub day: Option<DayBase>,
}

impl BreakerState {
    /// Tripped for want of a state.
    pub(super) fn missing(at: Timestamp) -> Self {
        let cause = TripCause { rule: TripRule::NoState, value: "no stored state".to_owned(), limit: "a stored state".to_owned(), at };
        Self { causes: vec![cause], ..Self::default() }
    }
    /// Is this rule holding it?
    #[must_use]
    pub fn holds(&self, rule: TripRule) -> bool {
        self.causes.iter().any(|c| c.rule == rule)
    }
    pub(super) fn trip(&mut self, cause: TripCause) {
        if !self.holds(cause.rule) {
            self.causes.push(cause);
        }
    }
    pub(super) fn heal(&mut self, rule: TripRule) {
        self.causes.retain(|c| c.rule != rule);
    }
}
