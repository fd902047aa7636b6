//! One series of closed bars: in order, each exactly once, gaps found at once and filled from REST.

use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::time::Timestamp;
use std::collections::BTreeMap;

/// Bars that wait for a repair at most: a day of minutes.
const HELD_MAX: usize = 1_440;

/// What the series wants or gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarOut {
    /// The next bar.
    Bar(Bar),
    /// Bars from this open time on are missing: fetch them.
    Fetch(Timestamp),
    /// Nothing is missing any more.
    Repaired,
}

/// A series.
#[derive(Debug)]
pub struct BarTrack {
    timeframe: Timeframe,
    last: Option<Timestamp>,
    held: BTreeMap<Timestamp, Bar>,
    repairing: bool,
}

impl BarTrack {
    /// A series whose last known bar opened at `last`; without it, the first bar that comes starts it.
    #[must_use]
    pub const fn new(timeframe: Timeframe, last: Option<Timestamp>) -> Self {
        Self { timeframe, last, held: BTreeMap::new(), repairing: false }
    }
    /// Is something missing?
    #[must_use]
    pub const fn is_repairing(&self) -> bool {
        self.repairing
    }
    fn next(&self) -> Option<Timestamp> {
        self.last.map(|last| last.plus(self.timeframe.span()))
    }
    fn fetch(&mut self, out: &mut Vec<BarOut>) {
        if let Some(next) = self.next()
            && !self.repairing
        {
            self.repairing = true;
            out.push(BarOut::Fetch(next));
        }
    }
    /// The connection is back: whatever closed meanwhile is fetched.
    pub fn reconnected(&mut self, out: &mut Vec<BarOut>) {
        self.fetch(out);
    }
    /// A closed bar of the stream.
    pub fn on_closed(&mut self, bar: Bar, out: &mut Vec<BarOut>) {
        match self.next() {
            Some(next) if bar.open_time < next => {}
            Some(next) if self.repairing || bar.open_time > next => {
                if self.held.len() < HELD_MAX {
                    self.held.insert(bar.open_time, bar);
                }
                self.fetch(out);
            }
            _ => {
                self.last = Some(bar.open_time);
                out.push(BarOut::Bar(bar));
            }
        }
    }
    /// A bar that is still forming: every bar before it has closed.
    pub fn on_forming(&mut self, bar: &Bar, out: &mut Vec<BarOut>) {
        if self.next().is_some_and(|next| bar.open_time > next) {
            self.fetch(out);
        }
    }
    /// The answer to a fetch; empty when nothing closed meanwhile. `failed`: there was no answer.
    pub fn on_fetched(&mut self, bars: &[Bar], failed: bool, out: &mut Vec<BarOut>) {
        for bar in bars {
            self.held.entry(bar.open_time).or_insert(*bar);
        }
        while let Some(next) = self.next() {
            self.held = self.held.split_off(&next);
            let Some(bar) = self.held.remove(&next) else { break };
            self.last = Some(next);
            out.push(BarOut::Bar(bar));
        }
        self.repairing = false;
        if failed || !self.held.is_empty() {
            self.fetch(out);
        } else {
            out.push(BarOut::Repaired);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::{Price, Qty, Usdt};
    use fulmar_domain::symbol::Symbol;
    use proptest::prelude::*;

    fn bar(n: i64) -> Bar {
        let p = Price::from_raw(n + 1);
        Bar {
            symbol: Symbol::new("BTCUSDT").expect("name"),
            timeframe: Timeframe::M1,
            open_time: Timestamp(n * 60_000),
            open: p,
            high: p,
            low: p,
            close: p,
            volume: Qty::ONE,
            quote_volume: Usdt::ONE,
            trades: 1,
        }
    }

    proptest! {
        #[test]
        fn whatever_the_stream_loses_or_doubles_each_bar_comes_once_and_in_order(
            fates in proptest::collection::vec(0_u8..6, 1..120), delay in 0_i64..4, fail in 0_u8..3,
        ) {
            let mut track = BarTrack::new(Timeframe::M1, Some(Timestamp(0)));
            let (mut got, mut due, mut fails) = (Vec::new(), None::<(i64, i64)>, fail);
            let total = i64::try_from(fates.len()).expect("small");
            for n in 1..=total + 20 {
                let mut out = Vec::new();
                if n <= total {
                    match fates[usize::try_from(n - 1).expect("small")] {
                        0 => {}
                        1 => { track.on_closed(bar(n), &mut out); track.on_closed(bar(n), &mut out); }
                        2 => { track.on_forming(&bar(n), &mut out); track.on_closed(bar(n), &mut out); }
                        _ => track.on_closed(bar(n), &mut out),
                    }
                    track.on_forming(&bar(n + 1), &mut out);
                }
                if let Some((from, _)) = due.filter(|(_, at)| *at <= n) {
                    due = None;
                    if fails > 0 { fails -= 1; track.on_fetched(&[], true, &mut out); }
                    else { let bars: Vec<_> = (from / 60_000..=n.min(total)).map(bar).collect(); track.on_fetched(&bars, false, &mut out); }
                }
                for o in out { match o { BarOut::Bar(b) => got.push(b), BarOut::Fetch(from) => due = Some((from.millis(), n + 1 + delay)), BarOut::Repaired => {} } }
            }
            prop_assert_eq!(got, (1..=total).map(bar).collect::<Vec<_>>());
        }
    }

    #[test]
    fn without_history_the_first_bar_starts_the_series() {
        let mut track = BarTrack::new(Timeframe::M1, None);
        let mut out = Vec::new();
        track.reconnected(&mut out);
        track.on_closed(bar(7), &mut out);
        assert_eq!(out, vec![BarOut::Bar(bar(7))]);
    }
}
