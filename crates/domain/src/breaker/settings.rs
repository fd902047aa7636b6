//! Limits of the breaker.

use crate::num::Ratio;
use crate::risk::{Limit, LimitViolation};
use crate::time::Span;
use serde::{Deserialize, Serialize};

/// Limits of the breaker; spans run on the protocol clock.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// A symbol counts as lost when its data were stale or incomplete for longer than this.
    pub feed_stale_after: Span,
    /// Share of lost symbols from which on it trips.
    pub feed_stale_share: Ratio,
    /// Calls to the exchange are judged over this window.
    pub error_window: Span,
    /// Not judged with fewer calls in the window.
    pub error_calls_min: u32,
    /// Share of failed calls above which it trips.
    pub error_rate_max: Ratio,
    /// After tripping for errors, calls are not judged for this long; then the trial begins.
    pub error_pause: Span,
    /// Calls of the trial; with at most the allowed share failed it closes, else it pauses again.
    pub trial_calls: u32,
    /// Largest loss from the equity peak.
    pub drawdown_max: Limit<Ratio>,
    /// Largest loss since UTC midnight.
    pub daily_loss_max: Limit<Ratio>,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            feed_stale_after: Span::secs(10),
            feed_stale_share: Ratio::from_raw(50_000_000),
            error_window: Span::secs(60),
            error_calls_min: 20,
            error_rate_max: Ratio::from_raw(50_000_000),
            error_pause: Span::secs(30),
            trial_calls: 5,
            drawdown_max: Limit::At(Ratio::from_raw(15_000_000)),
            daily_loss_max: Limit::At(Ratio::from_raw(5_000_000)),
        }
    }
}

impl BreakerSettings {
    /// Checks every limit.
    ///
    /// # Errors
    /// All violations together.
    pub fn validate(&self) -> Result<(), Vec<LimitViolation>> {
        let mut found = Vec::new();
        let mut need = |holds: bool, key: &str, value: &dyn std::fmt::Debug, rule: &'static str| {
            if !holds {
                found.push(LimitViolation { key: key.to_owned(), value: format!("{value:?}"), rule });
            }
        };
        let spans = [("feed_stale_after", self.feed_stale_after), ("error_window", self.error_window), ("error_pause", self.error_pause)];
        for (key, span) in spans {
            need(span.0 > 0, key, &span, "a span above 0 is needed");
        }
        let share = |ratio: Ratio| ratio.is_positive() && ratio <= Ratio::ONE;
        need(share(self.feed_stale_share), "feed_stale_share", &self.feed_stale_share, "a share above 0 and at most 1 is needed");
        let rate = self.error_rate_max;
        need(!rate.is_negative() && rate < Ratio::ONE, "error_rate_max", &rate, "a share from 0 and below 1 is needed");
        need(self.error_calls_min > 0, "error_calls_min", &self.error_calls_min, "at least 1 is needed");
        need(self.trial_calls > 0, "trial_calls", &self.trial_calls, "at least 1 is needed");
        for (key, limit) in [("drawdown_max", self.drawdown_max), ("daily_loss_max", self.daily_loss_max)] {
            need(limit.get().is_none_or(share), key, &limit, "a share above 0 and at most 1 is needed, or off");
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}
