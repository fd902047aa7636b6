//! Average true range with Wilder's smoothing. Reference: TA-Lib `ATR`.

use super::{BarF64, Indicator, Period, wilder::Wilder};

/// Wilder's average of the true range: the largest of high − low, |high − previous close|, |low − previous close|.
#[derive(Debug, Clone)]
pub struct Atr {
    previous_close: Option<f64>,
    range: Wilder,
}

impl Indicator for Atr {
    const NAME: &'static str = "atr";
    const EXAMPLE: &'static str = "atr(14)";
    const OUTPUTS: &'static [&'static str] = &[""];
    type Params = Period;
    type Output = f64;

    fn new(period: Period) -> Self {
        Self { previous_close: None, range: Wilder::new(period) }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<f64> {
        let previous = self.previous_close.replace(bar.close)?;
        let range = (bar.high - bar.low).max((bar.high - previous).abs()).max((bar.low - previous).abs());
        self.range.push(range)
    }

    fn warmup(&self) -> usize {
        // The first bar has no previous close, so it has no true range.
        self.range.period() + 1
    }
}
