//! Time and market come in: points, triggers, fills, funding, liquidation, in a fixed order.
//!
//! Within a step: time first (count-downs, GTD, minutes without a trade), then funding that has fallen due (with a mark of
//! that very instant where the step brings one, on positions held before any fill of the step), then the points in order. A point changes the market, then
//! fills resting orders that it reached, then meets the orders that were waiting for it, then sets off triggers, then (a mark)
//! liquidates. Last come forming klines, tickers and depth.

use super::exchange::Exchange;
use super::klines::Tick;
use super::{Emission, MarketEmission, PublicTrade};
use crate::source::{MarketPoint, PointKind, Step};
use fulmar_domain::market::Level;
use fulmar_domain::matching::Print;
use fulmar_domain::num::{Price, Rounding, Usdt, notional};
use fulmar_domain::order::{Side, WorkingType};
use fulmar_domain::time::Timestamp;

impl Exchange {
    /// Applies all points of one instant in order: market, triggers, fills, funding, liquidations. Appends what follows.
    /// Points of unknown contracts are left out.
    pub fn advance(&mut self, step: &Step, out: &mut Vec<Emission>) {
        self.pass_time(step.time, &step.points, out);
        let mut found: Option<(fulmar_domain::symbol::Symbol, usize)> = None;
        let mut touched: Vec<usize> = Vec::with_capacity(8);
        for point in &step.points {
            let at = match found {
                Some((symbol, at)) if symbol == point.symbol => at,
                _ => {
                    let Some(at) = self.index.get(&point.symbol).copied() else { continue };
                    found = Some((point.symbol, at));
                    if !touched.contains(&at) {
                        touched.push(at);
                    }
                    at
                }
            };
            self.point(at, point, out);
        }
        for at in touched {
            let time = self.now;
            let symbol = self.symbol_mut(at);
            symbol.flush_prints(time, out);
            symbol.flush_depth(time, out);
        }
    }
    /// Lets market time pass without a point: count-downs, GTD, funding, minutes without trades.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<Emission>) {
        self.pass_time(now, &[], out);
    }
    fn pass_time(&mut self, now: Timestamp, points: &[MarketPoint], out: &mut Vec<Emission>) {
        self.now = self.now.max(now);
        let now = self.now;
        for point in points {
            // Known before time closes the first bar that the source is about to close.
            if let PointKind::BarClosed(bar) = &point.kind
                && let Some(symbol) = self.index.get(&point.symbol).and_then(|at| self.symbols.get_mut(*at))
            {
                symbol.klines.learn(bar.timeframe);
            }
        }
        self.run_timers(out);
        if now >= self.next_funding {
            self.run_funding(points, out);
        }
        for symbol in &mut self.symbols {
            symbol.on_time(now, out);
        }
    }
    fn point(&mut self, at: usize, point: &MarketPoint, out: &mut Vec<Emission>) {
        let now = self.now;
        match &point.kind {
            PointKind::Trade { price, qty, taker } => {
                let value = notional(*price, *qty, Rounding::HalfEven).unwrap_or(Usdt::MAX);
                let symbol = self.symbol_mut(at);
                let id = symbol.take_trade_id();
                let (name, taker) = (symbol.instrument.symbol, *taker);
                symbol.publish_trade(PublicTrade { symbol: name, id, price: *price, qty: *qty, quote: value, taker, time: now }, out);
                symbol.on_print(&Tick { price: *price, qty: *qty, value, taker, id, time: now }, out);
                symbol.book.liquidity_mut().on_trade(*price, taker);
                symbol.touch(now);
                let stands_in = !symbol.mark_given;
                if stands_in {
                    symbol.on_mark(*price, *price, now);
                    self.emit_mark(at, out);
                }
                self.meet(at, Print::Trade { price: *price, qty: *qty, taker }, out);
                self.run_triggers(at, WorkingType::ContractPrice, *price, out);
                if stands_in {
                    self.on_new_mark(at, *price, out);
                }
            }
            PointKind::Top { bid, bid_qty, ask, ask_qty } => {
                let symbol = self.symbol_mut(at);
                symbol.book.liquidity_mut().on_top(Level { price: *bid, qty: *bid_qty }, Level { price: *ask, qty: *ask_qty });
                symbol.offer_seen(*bid, *ask);
                symbol.touch(now);
                self.meet(at, Print::Quote { bid: Some(*bid), ask: Some(*ask) }, out);
            }
            PointKind::Depth { bids, asks } => {
                let symbol = self.symbol_mut(at);
                symbol.book.liquidity_mut().on_depth(bids, asks);
                symbol.touch(now);
                let best = |side| symbol.book.liquidity().best(side).map(|(_, l)| l.price);
                let (bid, ask) = (best(Side::Buy), best(Side::Sell));
                if let (Some(bid), Some(ask)) = (bid, ask) {
                    symbol.offer_seen(bid, ask);
                }
                self.meet(at, Print::Quote { bid, ask }, out);
            }
            PointKind::Mark { price, index } => {
                let symbol = self.symbol_mut(at);
                symbol.mark_given = true;
                symbol.on_mark(*price, *index, now);
                self.emit_mark(at, out);
                self.on_new_mark(at, *price, out);
            }
            PointKind::FundingRate(rate) => self.symbol_mut(at).rate = Some(*rate),
            PointKind::BarClosed(bar) => self.symbol_mut(at).on_bar(*bar, now, out),
        }
        let symbol = self.symbol_mut(at);
        symbol.flush_top(now, out);
    }
    fn emit_mark(&self, at: usize, out: &mut Vec<Emission>) {
        let symbol = self.symbol(at);
        if symbol.interest.mark
            && let Some(mark) = symbol.mark_report()
        {
            out.push(Emission::Market { time: self.now, event: MarketEmission::Mark(mark) });
        }
    }
    fn on_new_mark(&mut self, at: usize, price: Price, out: &mut Vec<Emission>) {
        self.run_triggers(at, WorkingType::MarkPrice, price, out);
        self.check_margins(at, out);
    }
    /// Orders meet what the market did.
    fn meet(&mut self, at: usize, print: Print, out: &mut Vec<Emission>) {
        if self.trading(at) {
            self.work_crossings(at, print, out);
            self.work_arrivals(at, out);
        }
    }
}
