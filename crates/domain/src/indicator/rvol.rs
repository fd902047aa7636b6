//! Relative volume: how busy this bar is against the ones before it. Reference: the definition, computed naively.

use super::{BarF64, Indicator, Period, window::RollingSum};

/// Volume of the bar / mean volume of the `n` bars before it (itself not counted).
///
/// Undefined, hence `None`, where nothing was traded in those `n` bars.
#[derive(Debug, Clone)]
pub struct RelativeVolume {
    before: RollingSum,
    traded_bars: usize,
    period: f64,
}

/// Volumes below this are no trades: the smallest lot of any market is far above.
const NOTHING: f64 = 1e-9;

impl Indicator for RelativeVolume {
    const NAME: &'static str = "rvol";
    const EXAMPLE: &'static str = "rvol(20)";
    const OUTPUTS: &'static [&'static str] = &[""];
    type Params = Period;
    type Output = f64;

    fn new(period: Period) -> Self {
        Self { before: RollingSum::new(period.bars()), traded_bars: 0, period: period.as_f64() }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<f64> {
        let volume = if bar.volume < NOTHING { 0.0 } else { bar.volume };
        // Counting the traded bars keeps a rounding rest of the sum from passing as a volume.
        let sum = self.before.sum().filter(|sum| self.traded_bars > 0 && *sum >= NOTHING);
        let oldest = self.before.push(volume);
        self.traded_bars += usize::from(volume > 0.0);
        self.traded_bars -= usize::from(oldest > 0.0);
        sum.map(|sum| volume * self.period / sum)
    }

    fn warmup(&self) -> usize {
        self.before.len() + 1
    }
}
