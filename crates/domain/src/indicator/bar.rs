//! The bar as indicators see it: floating point, because indicators are statistics and never money.

use crate::market::Bar;

/// One closed bar in floating point.
///
/// Prices are in quote units, `volume` in base units, `open_time_ms` in milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarF64 {
    /// Start of the bar, milliseconds since the epoch, UTC.
    pub open_time_ms: i64,
    /// First price of the bar.
    pub open: f64,
    /// Highest price of the bar.
    pub high: f64,
    /// Lowest price of the bar.
    pub low: f64,
    /// Last price of the bar.
    pub close: f64,
    /// Base quantity traded within the bar.
    pub volume: f64,
}

impl BarF64 {
    /// Largest magnitude that the indicators accept. Every fixed-point number of the engine (i64 with 8 decimals, at
    /// most 9.3e10) lies below; squares and sums over the longest window stay far from overflow.
    pub const LIMIT: f64 = 1e12;

    /// Whether every number is finite and within [`BarF64::LIMIT`], and the volume is not negative.
    #[inline]
    #[must_use]
    pub fn is_computable(&self) -> bool {
        // A comparison with NaN is false, so NaN and infinity fail here without a test of their own.
        (self.open.abs() <= Self::LIMIT)
            & (self.high.abs() <= Self::LIMIT)
            & (self.low.abs() <= Self::LIMIT)
            & (self.close.abs() <= Self::LIMIT)
            & (self.volume >= 0.0)
            & (self.volume <= Self::LIMIT)
    }
}

impl From<&Bar> for BarF64 {
    /// The nearest floating-point numbers; always computable, since every fixed-point number lies within the limit.
    fn from(bar: &Bar) -> Self {
        Self {
            open_time_ms: bar.open_time.millis(),
            open: bar.open.to_f64(),
            high: bar.high.to_f64(),
            low: bar.low.to_f64(),
            close: bar.close.to_f64(),
            volume: bar.volume.to_f64(),
        }
    }
}
