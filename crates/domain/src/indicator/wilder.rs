//! Wilder's smoothing: the mean of the first `n` values, then `v ← (v·(n−1) + x)/n`.
//!
//! Source: J. W. Wilder, "New Concepts in Technical Trading Systems" (1978); seeded as TA-Lib does.

use super::Period;

/// Wilder's average of any series; shared by RSI and ATR.
#[derive(Debug, Clone)]
pub(super) struct Wilder {
    decay: f64,
    weight: f64,
    period: usize,
    seen: usize,
    value: f64,
}

impl Wilder {
    pub(super) fn new(period: Period) -> Self {
        let n = period.as_f64();
        Self { decay: (n - 1.0) / n, weight: 1.0 / n, period: period.bars(), seen: 0, value: 0.0 }
    }

    /// Values of the series that the first average needs.
    pub(super) fn period(&self) -> usize {
        self.period
    }

    /// Takes the next value of the series; gives the average from the `n`-th value on.
    #[inline]
    pub(super) fn push(&mut self, x: f64) -> Option<f64> {
        if self.seen == self.period {
            self.value = self.value * self.decay + x * self.weight;
            return Some(self.value);
        }
        self.seen += 1;
        self.value += x;
        if self.seen < self.period {
            return None;
        }
        self.value /= self.period as f64;
        Some(self.value)
    }
}
