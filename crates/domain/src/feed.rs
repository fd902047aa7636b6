//! The market feed as a node: what reaches the rest of the engine is in order, once, and plausible.
//!
//! Gaps are found and filled by the adapter; here the last check is made. Invariant: bars of one series leave with strictly
//! growing open times; tops and marks never go back; a price that is not positive leaves never.

use crate::control::{Notice, Severity};
use crate::market::{Bar, FeedState, FeedStatus, MarketEvent, Timeframe, WarmupBars};
use crate::node::Node;
use crate::num::Price;
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
use std::collections::BTreeMap;

/// What the feed takes.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedIn {
    /// Bars from before the stream.
    Warmup(WarmupBars),
    /// A market fact.
    Event(MarketEvent),
    /// A symbol's data state, as the connection sees it.
    Status(FeedStatus),
}

/// What the feed gives.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedOut {
    /// Bars from before the stream.
    Warmup(WarmupBars),
    /// A market fact.
    Event(MarketEvent),
    /// A symbol's data state.
    Status(FeedStatus),
    /// For people.
    Notice(Notice),
}

/// Suspect events in a row after which a symbol's feed is called stale.
const SUSPECT_MAX: u32 = 3;

/// Checks what the sockets bring.
#[derive(Debug, Clone, Default)]
pub struct FeedNode {
    bars: BTreeMap<(Symbol, Timeframe), Timestamp>,
    tops: BTreeMap<Symbol, i64>,
    marks: BTreeMap<Symbol, Timestamp>,
    suspects: BTreeMap<Symbol, u32>,
    /// Bars taken, for the balance "bars in = bars processed".
    bars_in: u64,
    /// Events left out as repeated or older than what is known.
    stale: u64,
}

impl FeedNode {
    /// Bars handed on so far.
    #[must_use]
    pub const fn bars_in(&self) -> u64 {
        self.bars_in
    }

    fn bar(&mut self, bar: &Bar, out: &mut Vec<FeedOut>) {
        let key = (bar.symbol, bar.timeframe);
        let last = self.bars.get(&key).copied();
        if last.is_some_and(|last| bar.open_time <= last) {
            self.stale += 1;
            return;
        }
        if let Some(last) = last.filter(|last| bar.open_time != last.plus(bar.timeframe.span())) {
            let text = format!("{} {} bars are missing between {last} and {}", bar.symbol, bar.timeframe, bar.open_time);
            out.push(FeedOut::Notice(Notice::new(Severity::Warning, "BARS_MISSING", text).about(bar.symbol)));
            out.push(FeedOut::Status(FeedStatus { symbol: bar.symbol, state: FeedState::Gap }));
        }
        self.bars.insert(key, bar.open_time);
        self.bars_in += 1;
        out.push(FeedOut::Event(MarketEvent::BarClosed(*bar)));
    }

    fn plausible(event: &MarketEvent) -> bool {
        let positive = |prices: &[Price]| prices.iter().all(|p| p.is_positive());
        match event {
            MarketEvent::Trade(x) => positive(&[x.price]) && x.qty.is_positive(),
            MarketEvent::BookTop(x) => positive(&[x.bid, x.ask]) && x.bid <= x.ask,
            MarketEvent::BarClosed(x) | MarketEvent::BarForming(x) => {
                positive(&[x.open, x.high, x.low, x.close])
                    && x.low <= x.open.min(x.close)
                    && x.high >= x.open.max(x.close)
                    && !x.volume.is_negative()
            }
            MarketEvent::Mark(x) => positive(&[x.price]),
            MarketEvent::Ticker(x) => positive(&[x.last]),
            MarketEvent::Liquidation(x) => x.qty.is_positive(),
            MarketEvent::Depth(_) | MarketEvent::Funding(_) => true,
        }
    }

    fn suspect(&mut self, event: &MarketEvent, out: &mut Vec<FeedOut>) {
        let symbol = event.symbol();
        let count = self.suspects.entry(symbol).or_insert(0);
        *count += 1;
        if *count == SUSPECT_MAX {
            let text = format!("{symbol}: {SUSPECT_MAX} implausible market events in a row; its data count as stale");
            out.push(FeedOut::Notice(Notice::new(Severity::Warning, "FEED_SUSPECT", text).about(symbol)));
            out.push(FeedOut::Status(FeedStatus { symbol, state: FeedState::Stale }));
        }
    }
}

impl Node for FeedNode {
    type In = FeedIn;
    type Out = FeedOut;

    fn on(&mut self, input: &FeedIn, _now: Now, out: &mut Vec<FeedOut>) {
        match input {
            FeedIn::Warmup(warmup) => {
                if let Some(last) = warmup.bars.last() {
                    self.bars.insert((warmup.symbol, warmup.timeframe), last.open_time);
                }
                out.push(FeedOut::Warmup(warmup.clone()));
            }
            FeedIn::Status(status) => out.push(FeedOut::Status(*status)),
            FeedIn::Event(event) => {
                if !Self::plausible(event) {
                    self.suspect(event, out);
                    return;
                }
                if self.suspects.remove(&event.symbol()).is_some_and(|count| count >= SUSPECT_MAX) {
                    out.push(FeedOut::Status(FeedStatus { symbol: event.symbol(), state: FeedState::Up }));
                }
                match event {
                    MarketEvent::BarClosed(bar) => self.bar(bar, out),
                    MarketEvent::BookTop(top) => {
                        let last = self.tops.entry(top.symbol).or_insert(i64::MIN);
                        if top.update > *last {
                            *last = top.update;
                            out.push(FeedOut::Event(event.clone()));
                        } else {
                            self.stale += 1;
                        }
                    }
                    MarketEvent::Mark(mark) => {
                        let last = self.marks.entry(mark.symbol).or_insert(Timestamp(i64::MIN));
                        if mark.time >= *last {
                            *last = mark.time;
                            out.push(FeedOut::Event(event.clone()));
                        } else {
                            self.stale += 1;
                        }
                    }
                    _ => out.push(FeedOut::Event(event.clone())),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::BookTop;
    use crate::num::{Qty, Usdt};

    fn bar(minute: i64) -> FeedIn {
        let price = Price::ONE;
        FeedIn::Event(MarketEvent::BarClosed(Bar {
            symbol: Symbol::new("BTCUSDT").expect("symbol"),
            timeframe: Timeframe::M1,
            open_time: Timestamp(minute * 60_000),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ONE,
            quote_volume: Usdt::ONE,
            trades: 1,
        }))
    }

    fn give(node: &mut FeedNode, input: &FeedIn) -> Vec<FeedOut> {
        let mut out = vec![];
        node.on(input, Now::default(), &mut out);
        out
    }

    #[test]
    fn bars_leave_once_and_in_order_and_a_hole_is_told() {
        let mut node = FeedNode::default();
        assert_eq!(give(&mut node, &bar(1)).len(), 1);
        assert_eq!(give(&mut node, &bar(1)).len(), 0, "repeated");
        assert_eq!(give(&mut node, &bar(0)).len(), 0, "older");
        assert_eq!(give(&mut node, &bar(2)).len(), 1);
        let out = give(&mut node, &bar(5));
        assert!(matches!(out.as_slice(), [FeedOut::Notice(_), FeedOut::Status(_), FeedOut::Event(_)]), "{out:?}");
        assert_eq!(node.bars_in(), 3);
    }

    #[test]
    fn absurd_prices_never_leave_and_three_in_a_row_make_the_feed_stale() {
        let mut node = FeedNode::default();
        let bad = FeedIn::Event(MarketEvent::BookTop(BookTop {
            symbol: Symbol::new("BTCUSDT").expect("symbol"),
            update: 1,
            bid: Price::from_raw(-1),
            bid_qty: Qty::ONE,
            ask: Price::ONE,
            ask_qty: Qty::ONE,
            time: Timestamp(0),
        }));
        assert!(give(&mut node, &bad).is_empty());
        assert!(give(&mut node, &bad).is_empty());
        assert!(give(&mut node, &bad).iter().any(|o| matches!(o, FeedOut::Status(FeedStatus { state: FeedState::Stale, .. }))));
        assert!(give(&mut node, &bar(1)).iter().any(|o| matches!(o, FeedOut::Status(FeedStatus { state: FeedState::Up, .. }))));
    }
}
