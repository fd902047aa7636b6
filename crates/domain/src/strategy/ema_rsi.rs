//! `EmaRsiStrategy`: trade the crossing of two exponential averages, unless the market has already run.
//!
//! Long when the fast average crosses above the slow one and RSI is below its upper limit, short when it crosses below
//! and RSI is above its lower limit; out on the opposite crossing; stop at a fixed distance. It keeps no state: both rows
//! of the crossing come with the frame, so a rebuilt strategy misses nothing.

use super::{BarView, CatalogEntry, Decision, Entry, Level, ParameterError, ParameterRange, Parameters, Strategy, StrategySpec};
use crate::indicator::{IndicatorSpec, Period};
use crate::market::Timeframe;
use crate::num::Ratio;
use crate::order::{ExitReason, Side};

const PARAMETERS: &[ParameterRange] = &[
    ParameterRange::count("fast", "period of the fast average, bars", [2, 12, 1_000]),
    ParameterRange::count("slow", "period of the slow average, bars", [3, 26, 1_000]),
    ParameterRange::count("rsi", "period of the RSI, bars", [2, 14, 1_000]),
    ParameterRange::thousandths("rsi_long_below", "no long entry at or above this RSI", [0, 70_000, 100_000]),
    ParameterRange::thousandths("rsi_short_above", "no short entry at or below this RSI", [0, 30_000, 100_000]),
    ParameterRange::thousandths("stop", "distance of the stop from the close, a share of it", [1, 20, 500]),
];

/// The catalog line.
pub const ENTRY: CatalogEntry = CatalogEntry {
    name: "EmaRsiStrategy",
    aliases: &["ema_rsi"],
    parameters: PARAMETERS,
    make: |parameters| Ok(Box::new(EmaRsi::new(parameters)?)),
};

/// After ten periods the seed of a recursive average weighs less than 3e-9.
const SEED_FADES_AFTER_PERIODS: usize = 10;

const FAST: usize = 0;
const SLOW: usize = 1;
const RSI: usize = 2;

/// The strategy on one contract.
#[derive(Debug, Clone)]
pub struct EmaRsi {
    spec: StrategySpec,
    rsi_long_below: f64,
    rsi_short_above: f64,
    stop: Ratio,
}

impl EmaRsi {
    /// Makes it from checked parameters.
    ///
    /// # Errors
    /// [`ParameterError::Together`] when the fast period is not below the slow one.
    pub fn new(parameters: &Parameters) -> Result<Self, ParameterError> {
        let (fast, slow, rsi) = (parameters.count("fast")?, parameters.count("slow")?, parameters.count("rsi")?);
        if fast >= slow {
            return Err(ParameterError::Together(format!("`fast` = {fast} must be below `slow` = {slow}")));
        }
        let period = |bars| Period::new(bars).map_err(|error| ParameterError::Together(error.to_string()));
        let spec = StrategySpec {
            name: ENTRY.name,
            aliases: ENTRY.aliases,
            timeframe: Timeframe::M1,
            warmup_bars: usize::from(slow.max(rsi)) * SEED_FADES_AFTER_PERIODS + 1,
            indicators: vec![IndicatorSpec::Ema(period(fast)?), IndicatorSpec::Ema(period(slow)?), IndicatorSpec::Rsi(period(rsi)?)],
            parameters: PARAMETERS,
        };
        Ok(Self {
            spec,
            rsi_long_below: parameters.get("rsi_long_below")?.to_f64(),
            rsi_short_above: parameters.get("rsi_short_above")?.to_f64(),
            stop: parameters.get("stop")?,
        })
    }

    /// What follows from a crossing towards `side`, which the filter lets in or not.
    fn crossing(&self, side: Side, let_in: bool, view: &BarView<'_>) -> Decision {
        if let_in {
            Decision::Reverse(Entry::with_stop(side, Level::Distance(self.stop)))
        } else if view.position().is_some_and(|own| own.side == side) {
            Decision::Hold
        } else {
            // Also where nothing stands yet: an entry of the other side may still be on its way.
            Decision::Exit(ExitReason::Signal)
        }
    }
}

impl Strategy for EmaRsi {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn on_bar(&mut self, view: &BarView<'_>) -> Decision {
        if view.crossed_above(FAST, SLOW) {
            self.crossing(Side::Buy, view.value(RSI) < self.rsi_long_below, view)
        } else if view.crossed_below(FAST, SLOW) {
            self.crossing(Side::Sell, view.value(RSI) > self.rsi_short_above, view)
        } else {
            Decision::Hold
        }
    }
}
