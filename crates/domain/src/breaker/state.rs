//! What the breaker remembers over a restart.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

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

/// The breaker's state as stored.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BreakerState {
    /// Causes that hold it tripped; empty when closed (trading allowed).
    pub causes: Vec<TripCause>,
}
