//! Bollinger bands: mean of the last `n` closes, and that mean plus and minus a multiple of the population σ.
//! Reference: TA-Lib `BBANDS` with a simple average.
//!
//! The textbook's mean of squares less square of the mean loses all digits where the price is large against σ.
//! Instead mean and Σ(x − mean)² slide in Welford's form, and are renewed at each wrap of the ring from sums of
//! distances to the mean of the window before, so rounding errors live for less than `n` bars. Invariant: the sum of
//! squares is never negative.

use super::{BarF64, Bollinger, Indicator, Outputs};

/// The three bands, in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// Middle plus the multiple of σ.
    pub upper: f64,
    /// Mean of the window.
    pub middle: f64,
    /// Middle minus the multiple of σ.
    pub lower: f64,
}

impl Outputs for Bands {
    #[inline]
    fn write(self, out: &mut [f64]) {
        if let [upper, middle, lower] = out {
            (*upper, *middle, *lower) = (self.upper, self.middle, self.lower);
        }
    }
}

/// Bollinger bands of the close.
#[derive(Debug, Clone)]
pub struct Bbands {
    ring: Box<[f64]>,
    at: usize,
    full: bool,
    inverse: f64,
    deviations: f64,
    mean: f64,
    squares: f64,
    anchor: Option<f64>,
    distance_since_wrap: f64,
    squares_since_wrap: f64,
}

impl Bbands {
    /// At a wrap every value of the window was measured from the same anchor: mean and squares follow exactly anew.
    #[inline]
    fn renew(&mut self, anchor: f64) {
        let mean_distance = self.distance_since_wrap * self.inverse;
        self.mean = anchor + mean_distance;
        self.squares = (self.squares_since_wrap - self.distance_since_wrap * mean_distance).max(0.0);
        self.anchor = Some(self.mean);
        (self.at, self.full) = (0, true);
        (self.distance_since_wrap, self.squares_since_wrap) = (0.0, 0.0);
    }
}

impl Indicator for Bbands {
    const NAME: &'static str = "bbands";
    const EXAMPLE: &'static str = "bbands(20,2)";
    const OUTPUTS: &'static [&'static str] = &["upper", "middle", "lower"];
    type Params = Bollinger;
    type Output = Bands;

    fn new(params: Bollinger) -> Self {
        Self {
            ring: vec![0.0; params.period().bars()].into_boxed_slice(),
            at: 0,
            full: false,
            inverse: 1.0 / params.period().as_f64(),
            deviations: params.deviations(),
            mean: 0.0,
            squares: 0.0,
            anchor: None,
            distance_since_wrap: 0.0,
            squares_since_wrap: 0.0,
        }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<Bands> {
        let x = bar.close;
        let anchor = *self.anchor.get_or_insert(x);
        let oldest = std::mem::replace(&mut self.ring[self.at], x);
        let distance = x - anchor;
        self.distance_since_wrap += distance;
        self.squares_since_wrap += distance * distance;
        self.at += 1;
        if self.at == self.ring.len() {
            self.renew(anchor);
        } else if self.full {
            let step = x - oldest;
            let mean = self.mean + step * self.inverse;
            self.squares = (self.squares + step * ((x - mean) + (oldest - self.mean))).max(0.0);
            self.mean = mean;
        }
        self.full.then(|| {
            let reach = self.deviations * (self.squares * self.inverse).sqrt();
            Bands { upper: self.mean + reach, middle: self.mean, lower: self.mean - reach }
        })
    }

    fn warmup(&self) -> usize {
        self.ring.len()
    }
}
