//! Exponential moving average of the close, seeded with the mean of the first `n`. Reference: TA-Lib `EMA`.

use super::{BarF64, Indicator, Period};

/// The recursion `v ← v + k·(x − v)`, `k = 2/(n+1)`, over any series; shared with MACD's three averages.
#[derive(Debug, Clone)]
pub(super) struct Smoothing {
    k: f64,
    period: usize,
    seen: usize,
    value: f64,
}

impl Smoothing {
    pub(super) fn new(period: Period) -> Self {
        Self { k: 2.0 / (period.as_f64() + 1.0), period: period.bars(), seen: 0, value: 0.0 }
    }

    /// Takes the next value of the series; gives the average from the `n`-th value on.
    #[inline]
    pub(super) fn push(&mut self, x: f64) -> Option<f64> {
        if self.seen == self.period {
            self.value += (x - self.value) * self.k;
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

/// Exponential moving average of the close.
#[derive(Debug, Clone)]
pub struct Ema(Smoothing);

impl Indicator for Ema {
    const NAME: &'static str = "ema";
    const EXAMPLE: &'static str = "ema(20)";
    const OUTPUTS: &'static [&'static str] = &[""];
    type Params = Period;
    type Output = f64;

    fn new(period: Period) -> Self {
        Self(Smoothing::new(period))
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<f64> {
        self.0.push(bar.close)
    }

    fn warmup(&self) -> usize {
        self.0.period
    }
}
