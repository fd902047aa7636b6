//! Simple moving average of the close. Reference: TA-Lib `SMA`.

use super::{BarF64, Indicator, Period, window::RollingSum};

/// Mean of the last `n` closes.
#[derive(Debug, Clone)]
pub struct Sma {
    window: RollingSum,
    inverse: f64,
}

impl Indicator for Sma {
    const NAME: &'static str = "sma";
    const EXAMPLE: &'static str = "sma(20)";
    const OUTPUTS: &'static [&'static str] = &[""];
    type Params = Period;
    type Output = f64;

    fn new(period: Period) -> Self {
        Self { window: RollingSum::new(period.bars()), inverse: 1.0 / period.as_f64() }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<f64> {
        self.window.push(bar.close);
        self.window.sum().map(|sum| sum * self.inverse)
    }

    fn warmup(&self) -> usize {
        self.window.len()
    }
}
