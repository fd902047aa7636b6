//! From closed bars to indicator frames: one series per contract and timeframe, all with the same indicators.
//!
//! A bar that was seen before is dropped; a bar that leaves a gap starts its series anew and the gap is reported, so a
//! frame that says `warm` rests on bars without a hole. Warm-up bars yield frames marked as history.
//! Invariant: the frames of a series carry strictly growing bar times, except that a series refilled after a gap may
//! repeat bars as history.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BarF64, IndicatorSet, IndicatorSpec, Layout, UncomputableBar};
use crate::market::{Bar, IndicatorFrame, Timeframe, WarmupBars};
use crate::node::Node;
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};

/// What the indicator node takes.
#[derive(Debug, Clone, PartialEq)]
pub enum IndicatorIn {
    /// Bars from before the stream, or those that close a gap.
    Warmup(WarmupBars),
    /// A bar of the stream that has closed.
    Bar(Bar),
}

/// What the indicator node gives.
#[derive(Debug, Clone, PartialEq)]
pub enum IndicatorOut {
    /// Values at the close of a bar.
    Frame(IndicatorFrame),
    /// Bars are missing: the series is cold until warm-up bars come or it has filled by itself.
    Missing {
        /// Contract.
        symbol: Symbol,
        /// Length of the bars.
        timeframe: Timeframe,
        /// Start of the first bar that is missing.
        from: Timestamp,
        /// Start of the bar that came instead.
        to: Timestamp,
    },
    /// A bar that cannot be computed with was left out; the gap it leaves is reported with the next one.
    Refused {
        /// Contract.
        symbol: Symbol,
        /// Why.
        error: UncomputableBar,
    },
}

/// One contract and timeframe.
#[derive(Debug)]
struct Series {
    set: IndicatorSet,
    last: Option<Timestamp>,
    row: Option<Arc<[f64]>>,
}

/// Computes the frames of all contracts.
#[derive(Debug)]
pub struct IndicatorNode {
    fresh: IndicatorSet,
    series: BTreeMap<(Symbol, Timeframe), Series>,
}

impl IndicatorNode {
    /// A node that computes `specs` for every series it is given bars of.
    #[must_use]
    pub fn new(specs: &[IndicatorSpec]) -> Self {
        Self { fresh: IndicatorSet::new(specs), series: BTreeMap::new() }
    }

    /// Which column of a frame holds what.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        self.fresh.layout()
    }

    /// Bars of history that make every indicator speak.
    #[must_use]
    pub const fn warmup(&self) -> usize {
        self.fresh.warmup()
    }

    fn warm_up(&mut self, warmup: &WarmupBars, out: &mut Vec<IndicatorOut>) {
        let Self { fresh, series } = self;
        let series = series.entry((warmup.symbol, warmup.timeframe)).or_insert_with(|| Series::new(fresh));
        let newer = |last| warmup.bars.iter().position(|bar| bar.open_time > last);
        let start = match series.last {
            None => 0,
            Some(last) if series.set.is_warm() => {
                let Some(start) = newer(last) else { return };
                let follows = warmup.bars.get(start).is_some_and(|bar| bar.open_time == last.plus(warmup.timeframe.span()));
                if follows { start } else { 0 }
            }
            // Cold: history that reaches the last bar replaces what little the series has.
            Some(last) if warmup.bars.last().is_some_and(|bar| bar.open_time >= last) => 0,
            Some(_) => return,
        };
        if start == 0 {
            (series.set, series.last, series.row) = (fresh.clone(), None, None);
        }
        for bar in warmup.bars.iter().skip(start) {
            series.feed(bar, true, fresh, out);
        }
    }
}

impl Series {
    fn new(fresh: &IndicatorSet) -> Self {
        Self { set: fresh.clone(), last: None, row: None }
    }

    fn feed(&mut self, bar: &Bar, history: bool, fresh: &IndicatorSet, out: &mut Vec<IndicatorOut>) {
        if let Some(last) = self.last {
            if bar.open_time <= last {
                return;
            }
            let expected = last.plus(bar.timeframe.span());
            if bar.open_time != expected {
                (self.set, self.row) = (fresh.clone(), None);
                // A hole in history is the exchange's own: asking again would bring the same bars.
                if !history {
                    out.push(IndicatorOut::Missing { symbol: bar.symbol, timeframe: bar.timeframe, from: expected, to: bar.open_time });
                }
            }
        }
        match self.set.update(&BarF64::from(bar)) {
            Err(error) => out.push(IndicatorOut::Refused { symbol: bar.symbol, error }),
            Ok(row) => {
                let values: Arc<[f64]> = row.into();
                let previous = self.row.replace(Arc::clone(&values));
                self.last = Some(bar.open_time);
                out.push(IndicatorOut::Frame(IndicatorFrame { bar: *bar, values, previous, warm: self.set.is_warm(), history }));
            }
        }
    }
}

impl Node for IndicatorNode {
    type In = IndicatorIn;
    type Out = IndicatorOut;

    fn on(&mut self, input: &IndicatorIn, _: Now, out: &mut Vec<IndicatorOut>) {
        match input {
            IndicatorIn::Warmup(warmup) => self.warm_up(warmup, out),
            IndicatorIn::Bar(bar) => {
                let Self { fresh, series } = self;
                let series = series.entry((bar.symbol, bar.timeframe)).or_insert_with(|| Series::new(fresh));
                series.feed(bar, false, fresh, out);
            }
        }
    }
}
