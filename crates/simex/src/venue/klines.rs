//! Klines of one price series in every timeframe.
//!
//! Bars of the base timeframe are built from prints and replaced by the source's own bar where it gives one; longer ones are
//! folded from closed base bars. Invariant: a bar that the source closed is served exactly as given.

use super::report::Kline;
use crate::source::aggregate;
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::collections::VecDeque;

/// One print of the series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick {
    pub price: Price,
    pub qty: Qty,
    pub value: Usdt,
    pub taker: Side,
    pub id: i64,
    pub time: Timestamp,
}

#[derive(Debug, Clone, Default)]
struct Series {
    closed: VecDeque<Kline>,
    /// At or below the base: the bar being built. Above it: what closed base bars of the window add up to.
    open: Option<Kline>,
}

/// All timeframes of one series.
#[derive(Debug, Clone)]
pub(super) struct KlineSet {
    symbol: Symbol,
    base: Timeframe,
    series: [Series; 12],
    /// The base bar whose time is over and that the source has yet to close.
    awaited: Option<Kline>,
    source_closes: bool,
    kept: usize,
}

fn add(a: i64, b: i64) -> i64 {
    a.saturating_add(b)
}

fn absorb(into: &mut Kline, part: &Kline) {
    let (a, b) = (&mut into.bar, &part.bar);
    a.high = a.high.max(b.high);
    a.low = a.low.min(b.low);
    a.close = b.close;
    a.volume = Qty::from_raw(add(a.volume.raw(), b.volume.raw()));
    a.quote_volume = Usdt::from_raw(add(a.quote_volume.raw(), b.quote_volume.raw()));
    a.trades = a.trades.saturating_add(b.trades);
    into.taker_volume = Qty::from_raw(add(into.taker_volume.raw(), part.taker_volume.raw()));
    into.taker_quote = Usdt::from_raw(add(into.taker_quote.raw(), part.taker_quote.raw()));
    if into.first_trade < 0 {
        into.first_trade = part.first_trade;
    }
    into.last_trade = into.last_trade.max(part.last_trade);
}

fn of_history(bar: Bar) -> Kline {
    Kline { bar, taker_volume: Qty::ZERO, taker_quote: Usdt::ZERO, first_trade: -1, last_trade: -1, closed: true }
}

fn widened(part: &Kline, timeframe: Timeframe) -> Kline {
    let open_time = part.bar.open_time.floor_to(timeframe.span());
    Kline { bar: Bar { timeframe, open_time, ..part.bar }, closed: false, ..*part }
}

impl KlineSet {
    pub fn new(symbol: Symbol, kept: usize) -> Self {
        Self { symbol, base: Timeframe::M1, series: Default::default(), awaited: None, source_closes: false, kept: kept.max(1) }
    }
    fn slot(&self, timeframe: Timeframe) -> &Series {
        self.series.get(timeframe as usize).unwrap_or_else(|| unreachable!())
    }
    fn slot_mut(&mut self, timeframe: Timeframe) -> &mut Series {
        self.series.get_mut(timeframe as usize).unwrap_or_else(|| unreachable!())
    }
    fn push(&mut self, timeframe: Timeframe, kline: Kline) {
        let kept = self.kept;
        let closed = &mut self.slot_mut(timeframe).closed;
        if closed.back().is_some_and(|last| last.bar.open_time >= kline.bar.open_time) {
            return;
        }
        if closed.len() >= kept {
            closed.pop_front();
        }
        closed.push_back(kline);
    }
    /// Closed bars from before the start. Bars of the shortest timeframe given also fill the longer ones that have none.
    pub fn add_history(&mut self, timeframe: Timeframe, bars: &[Bar], first: bool) {
        if first || timeframe < self.base {
            self.base = timeframe;
        }
        let kept = self.kept;
        self.slot_mut(timeframe).closed = bars.iter().rev().take(kept).rev().map(|b| of_history(*b)).collect();
        if timeframe != self.base {
            return;
        }
        for longer in Timeframe::ALL.into_iter().filter(|t| *t > timeframe) {
            if self.slot(longer).closed.is_empty() {
                let folded = aggregate(bars, longer);
                self.slot_mut(longer).closed = folded.into_iter().rev().take(kept).rev().map(of_history).collect();
            }
            let Some(last) = bars.last() else { continue };
            let window = last.open_time.floor_to(longer.span());
            self.slot_mut(longer).open = None;
            if last.end() < window.plus(longer.span()) {
                for bar in bars.iter().rev().take_while(|b| b.open_time >= window).collect::<Vec<_>>().into_iter().rev() {
                    self.gather(longer, &of_history(*bar));
                }
            }
        }
    }
    fn gather(&mut self, longer: Timeframe, part: &Kline) {
        let window = part.bar.open_time.floor_to(longer.span());
        let open = &mut self.slot_mut(longer).open;
        match open {
            Some(sum) if sum.bar.open_time == window => absorb(sum, part),
            other => *other = Some(widened(part, longer)),
        }
    }
    /// A print. Bars whose time is over close first; what closed is appended.
    pub fn on_tick(&mut self, tick: &Tick, closed: &mut Vec<Kline>) {
        self.on_time(tick.time, closed);
        let buyer = tick.taker == Side::Buy;
        let (symbol, base) = (self.symbol, self.base);
        for timeframe in Timeframe::ALL.into_iter().take_while(|t| *t <= base) {
            let part = Kline {
                bar: Bar {
                    symbol,
                    timeframe,
                    open_time: tick.time.floor_to(timeframe.span()),
                    open: tick.price,
                    high: tick.price,
                    low: tick.price,
                    close: tick.price,
                    volume: tick.qty,
                    quote_volume: tick.value,
                    trades: 1,
                },
                taker_volume: if buyer { tick.qty } else { Qty::ZERO },
                taker_quote: if buyer { tick.value } else { Usdt::ZERO },
                first_trade: tick.id,
                last_trade: tick.id,
                closed: false,
            };
            match &mut self.slot_mut(timeframe).open {
                Some(open) if open.bar.open_time == part.bar.open_time => absorb(open, &part),
                other => *other = Some(part),
            }
        }
    }
    /// Lets bars end whose time is over. A bar that the source will close is only set aside; minutes without a print
    /// repeat the last close with volume zero.
    pub fn on_time(&mut self, now: Timestamp, closed: &mut Vec<Kline>) {
        let base = self.base;
        for timeframe in Timeframe::ALL.into_iter().take_while(|t| *t <= base) {
            let Some(open) = self.slot(timeframe).open else { continue };
            if open.bar.end() > now {
                continue;
            }
            self.slot_mut(timeframe).open = None;
            if timeframe == base && self.source_closes {
                if let Some(late) = self.awaited.replace(open) {
                    self.close(late, closed);
                }
                continue;
            }
            self.finish(open, closed);
            let mut next = open.bar.end();
            let close = open.bar.close;
            // A source that closes its bars itself also says which minutes were empty.
            while !self.source_closes && next.plus(timeframe.span()) <= now && closed.len() < 2_000 {
                let flat = Bar {
                    open_time: next,
                    open: close,
                    high: close,
                    low: close,
                    volume: Qty::ZERO,
                    quote_volume: Usdt::ZERO,
                    trades: 0,
                    ..open.bar
                };
                self.finish(of_history(flat), closed);
                next = next.plus(timeframe.span());
            }
        }
    }
    fn finish(&mut self, kline: Kline, closed: &mut Vec<Kline>) {
        if kline.bar.timeframe == self.base {
            self.close(kline, closed);
        } else {
            let kline = Kline { closed: true, ..kline };
            self.push(kline.bar.timeframe, kline);
            closed.push(kline);
        }
    }
    fn close(&mut self, kline: Kline, closed: &mut Vec<Kline>) {
        let kline = Kline { closed: true, ..kline };
        let base = self.base;
        if self.slot(base).closed.back().is_some_and(|last| last.bar.open_time >= kline.bar.open_time) {
            return;
        }
        self.push(base, kline);
        closed.push(kline);
        for longer in Timeframe::ALL.into_iter().filter(|t| *t > base) {
            let window = kline.bar.open_time.floor_to(longer.span());
            if let Some(old) = self.slot(longer).open.filter(|sum| sum.bar.open_time != window) {
                let old = Kline { closed: true, ..old };
                self.push(longer, old);
                closed.push(old);
                self.slot_mut(longer).open = None;
            }
            self.gather(longer, &kline);
            if kline.bar.end() == window.plus(longer.span())
                && let Some(sum) = self.slot_mut(longer).open.take()
            {
                let sum = Kline { closed: true, ..sum };
                self.push(longer, sum);
                closed.push(sum);
            }
        }
    }
    /// The source closes bars of this timeframe itself: they are not closed by time any more.
    pub const fn learn(&mut self, timeframe: Timeframe) {
        if !self.source_closes {
            self.source_closes = true;
            self.base = timeframe;
        }
    }
    /// The source's own bar: replaces what prints had built.
    pub fn on_bar(&mut self, bar: Bar, closed: &mut Vec<Kline>) {
        self.learn(bar.timeframe);
        if bar.timeframe != self.base {
            return;
        }
        let built = [self.awaited, self.slot(self.base).open].into_iter().flatten().find(|k| k.bar.open_time == bar.open_time);
        if self.awaited.is_some_and(|k| k.bar.open_time <= bar.open_time) {
            self.awaited = None;
        }
        let open = &mut self.slot_mut(bar.timeframe).open;
        if open.is_some_and(|k| k.bar.open_time <= bar.open_time) {
            *open = None;
        }
        let kline = built.map_or_else(|| of_history(bar), |k| Kline { bar, ..k });
        // Taker shares were counted on prints; they are kept within the bar's own volume.
        let kline =
            Kline { taker_volume: kline.taker_volume.min(bar.volume), taker_quote: kline.taker_quote.min(bar.quote_volume), ..kline };
        self.close(kline, closed);
    }
    /// Lowest and highest print of the running base bar.
    pub fn running_range(&self) -> Option<(Price, Price)> {
        self.slot(self.base).open.map(|k| (k.bar.low, k.bar.high))
    }
    /// The bar being built.
    pub fn forming(&self, timeframe: Timeframe) -> Option<Kline> {
        if timeframe <= self.base {
            return self.slot(timeframe).open;
        }
        let mut whole = self.slot(timeframe).open;
        for part in [self.awaited, self.slot(self.base).open].into_iter().flatten() {
            let window = part.bar.open_time.floor_to(timeframe.span());
            match &mut whole {
                Some(sum) if sum.bar.open_time == window => absorb(sum, &part),
                Some(sum) if sum.bar.open_time > window => {}
                other => *other = Some(widened(&part, timeframe)),
            }
        }
        whole
    }
    /// The shortest timeframe of which closed bars are known, and those bars.
    pub fn base_bars(&self) -> (Timeframe, &VecDeque<Kline>) {
        (self.base, &self.slot(self.base).closed)
    }
    /// Closed bars of a timeframe.
    pub fn closed(&self, timeframe: Timeframe) -> &VecDeque<Kline> {
        &self.slot(timeframe).closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::SCALE;

    fn tick(minute: i64, price: i64) -> Tick {
        Tick {
            price: Price::from_raw(price * SCALE),
            qty: Qty::ONE,
            value: Usdt::from_raw(price * SCALE),
            taker: Side::Buy,
            id: minute,
            time: Timestamp(minute * 60_000),
        }
    }
    fn set() -> KlineSet {
        KlineSet::new(Symbol::new("BTCUSDT").unwrap(), 100)
    }

    #[test]
    fn without_source_bars_minutes_close_by_time_and_longer_bars_add_them_up() {
        let mut set = set();
        let mut closed = Vec::new();
        for minute in 0..5 {
            set.on_tick(&tick(minute, 100 + minute), &mut closed);
        }
        set.on_time(Timestamp(5 * 60_000), &mut closed);
        let names: Vec<_> = closed.iter().map(|k| (k.bar.timeframe.as_str(), k.bar.open_time.0 / 60_000)).collect();
        assert_eq!(names, [("1m", 0), ("1m", 1), ("1m", 2), ("3m", 0), ("1m", 3), ("1m", 4), ("5m", 0)]);
        let five = closed.last().unwrap();
        assert_eq!(
            (five.bar.open.to_string(), five.bar.close.to_string(), five.bar.volume.to_string()),
            ("100".into(), "104".into(), "5".into())
        );
    }

    #[test]
    fn a_bar_that_the_source_closed_is_served_exactly() {
        let mut set = set();
        let mut closed = Vec::new();
        set.on_tick(&tick(0, 100), &mut closed);
        let own = set.forming(Timeframe::M1).unwrap().bar;
        let given = Bar { high: Price::from_raw(300 * SCALE), volume: Qty::from_raw(7), ..own };
        set.on_tick(&tick(1, 101), &mut closed);
        closed.clear();
        let mut set2 = set.clone();
        set2.on_bar(Bar { open_time: Timestamp(60_000), ..given }, &mut closed);
        assert_eq!(set2.closed(Timeframe::M1).back().unwrap().bar.high, given.high);
        assert_eq!(closed.len(), 1);
    }

    #[test]
    fn the_forming_longer_bar_holds_closed_and_running_minutes() {
        let mut set = set();
        let mut closed = Vec::new();
        for minute in 0..4 {
            set.on_tick(&tick(minute, 100 + minute), &mut closed);
        }
        let five = set.forming(Timeframe::M5).unwrap();
        assert_eq!((five.bar.trades, five.bar.open.to_string(), five.bar.close.to_string()), (4, "100".into(), "103".into()));
    }

    #[test]
    fn history_goes_on_into_the_running_window() {
        let mut set = set();
        let bars: Vec<Bar> = (0..7)
            .map(|m| Bar {
                symbol: Symbol::new("BTCUSDT").unwrap(),
                timeframe: Timeframe::M1,
                open_time: Timestamp(m * 60_000),
                open: Price::ONE,
                high: Price::ONE,
                low: Price::ONE,
                close: Price::ONE,
                volume: Qty::ONE,
                quote_volume: Usdt::ONE,
                trades: 1,
            })
            .collect();
        set.add_history(Timeframe::M1, &bars, true);
        assert_eq!(set.closed(Timeframe::M5).len(), 1);
        assert_eq!(set.forming(Timeframe::M5).unwrap().bar.trades, 2);
    }
}
