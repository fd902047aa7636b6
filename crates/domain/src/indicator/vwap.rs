//! Volume-weighted average price of the session, which is the UTC day. Reference: pandas-ta `vwap` with anchor "D".

use super::{BarF64, Indicator, NoParams};

/// Length of a session.
const SESSION_MS: i64 = 86_400_000;

/// Σ(typical price · volume) / Σ volume since UTC midnight, typical price = (high + low + close)/3.
///
/// Undefined, hence `None`, while nothing has been traded in the session.
#[derive(Debug, Clone)]
pub struct SessionVwap {
    session: Option<i64>,
    turnover: f64,
    volume: f64,
}

impl Indicator for SessionVwap {
    const NAME: &'static str = "vwap";
    const EXAMPLE: &'static str = "vwap";
    const OUTPUTS: &'static [&'static str] = &[""];
    type Params = NoParams;
    type Output = f64;

    fn new(_: NoParams) -> Self {
        Self { session: None, turnover: 0.0, volume: 0.0 }
    }

    #[inline]
    fn update(&mut self, bar: &BarF64) -> Option<f64> {
        let session = bar.open_time_ms.div_euclid(SESSION_MS);
        if self.session != Some(session) {
            self.session = Some(session);
            (self.turnover, self.volume) = (0.0, 0.0);
        }
        self.turnover += (bar.high + bar.low + bar.close) / 3.0 * bar.volume;
        self.volume += bar.volume;
        // A subnormal volume could push the quotient out of range: no real trade is that small.
        (self.volume >= f64::MIN_POSITIVE).then(|| self.turnover / self.volume)
    }

    fn warmup(&self) -> usize {
        1
    }
}
