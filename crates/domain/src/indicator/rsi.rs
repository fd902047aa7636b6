//! Relative strength index with Wilder's smoothing. Reference: TA-Lib `RSI`.

use super::{BarF64, Indicator, Period, wilder::Wilder};

/// Below this sum of average gain and loss the market counts as unmoved; TA-Lib's own epsilon.
const UNMOVED: f64 = 1e-14;

/// 100 · average gain / (average gain + average loss), between 0 and 100; 0 for an unmoved market, as TA-Lib has it.
#[derive(Debug, Clone)]
pub struct Rsi {
    previous_close: Option<f64>,
    gain: Wilder,
    loss: Wilder,
}

impl Indicator for Rsi {
    const NAME: &'static str = "rsi";
    const EXAMPLE: &'static str = "rsi(14)";
    const OUTPUTS: &'static [&'static str] = &[""];
    type Params = Period;
    type Output = f64;

    fn new(period: Period) -> Self {
        Self { previous_close: None, gain: Wilder::new(period), loss: Wilder::new(period) }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<f64> {
        let change = bar.close - self.previous_close.replace(bar.close)?;
        let gain = self.gain.push(change.max(0.0));
        let loss = self.loss.push((-change).max(0.0));
        let (gain, loss) = gain.zip(loss)?;
        let moved = gain + loss;
        Some(if moved < UNMOVED { 0.0 } else { 100.0 * (gain / moved) })
    }

    fn warmup(&self) -> usize {
        // One bar more than the smoothing needs: the first change takes two closes.
        self.gain.period() + 1
    }
}
