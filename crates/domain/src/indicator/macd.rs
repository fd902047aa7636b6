//! Moving average convergence and divergence. Reference: TA-Lib `MACD`.
//!
//! TA-Lib starts both averages at the same bar: the fast one is seeded with the mean of the closes from `slow − fast`
//! on, not from the first bar, so its line differs from `ema(fast) − ema(slow)` until the seeds have faded.

use super::{BarF64, Indicator, MacdPeriods, Outputs, ema::Smoothing};

/// The three lines of a MACD, in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacdLines {
    /// Fast average less slow average.
    pub macd: f64,
    /// Average of the MACD line.
    pub signal: f64,
    /// MACD line less its signal.
    pub histogram: f64,
}

impl Outputs for MacdLines {
    #[inline]
    fn write(self, out: &mut [f64]) {
        if let [macd, signal, histogram] = out {
            (*macd, *signal, *histogram) = (self.macd, self.signal, self.histogram);
        }
    }
}

/// MACD of the close; silent until its signal line stands, as in TA-Lib.
#[derive(Debug, Clone)]
pub struct Macd {
    periods: MacdPeriods,
    to_skip: usize,
    fast: Smoothing,
    slow: Smoothing,
    signal: Smoothing,
}

impl Indicator for Macd {
    const NAME: &'static str = "macd";
    const EXAMPLE: &'static str = "macd(12,26,9)";
    const OUTPUTS: &'static [&'static str] = &["macd", "signal", "histogram"];
    type Params = MacdPeriods;
    type Output = MacdLines;

    fn new(periods: MacdPeriods) -> Self {
        Self {
            to_skip: periods.slow().bars() - periods.fast().bars(),
            fast: Smoothing::new(periods.fast()),
            slow: Smoothing::new(periods.slow()),
            signal: Smoothing::new(periods.signal()),
            periods,
        }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<MacdLines> {
        let slow = self.slow.push(bar.close);
        if self.to_skip > 0 {
            self.to_skip -= 1;
            return None;
        }
        let macd = self.fast.push(bar.close)? - slow?;
        let signal = self.signal.push(macd)?;
        Some(MacdLines { macd, signal, histogram: macd - signal })
    }

    fn warmup(&self) -> usize {
        self.periods.slow().bars() + self.periods.signal().bars() - 1
    }
}
