//! One contract: filters, market state, its book, what waits on it, and what the public sees of it.

use super::emission::{Emission, Interest, MarketEmission, PublicTrade, TickerReport};
use super::klines::{KlineSet, Tick};
use super::report::{BookReport, FundingReport, Kline};
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{BookTop, DepthDelta, Level, Mark, Timeframe};
use fulmar_domain::matching::SymbolBook;
use fulmar_domain::num::{Price, Qty, Ratio, Rounding, Usdt, average_price};
use fulmar_domain::order::Side;
use fulmar_domain::time::{DAY, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// Levels a side that depth events and snapshots cover; Binance serves at most this many.
pub(super) const DEPTH_LEVELS: usize = 1_000;

/// What rolls over 24 hours, kept so that a ticker costs the same however long the window is.
#[derive(Debug, Default)]
struct Day {
    bars: VecDeque<Kline>,
    volume: i64,
    value: i64,
    trades: u64,
    highs: VecDeque<(Timestamp, Price)>,
    lows: VecDeque<(Timestamp, Price)>,
}
impl Day {
    fn push(&mut self, kline: &Kline) {
        let bar = &kline.bar;
        self.volume = self.volume.saturating_add(bar.volume.raw());
        self.value = self.value.saturating_add(bar.quote_volume.raw());
        self.trades = self.trades.saturating_add(bar.trades);
        while self.highs.back().is_some_and(|(_, p)| *p <= bar.high) {
            self.highs.pop_back();
        }
        self.highs.push_back((bar.open_time, bar.high));
        while self.lows.back().is_some_and(|(_, p)| *p >= bar.low) {
            self.lows.pop_back();
        }
        self.lows.push_back((bar.open_time, bar.low));
        self.bars.push_back(*kline);
        let from = bar.end().minus(DAY);
        while let Some(old) = self.bars.front().filter(|k| k.bar.open_time < from) {
            self.volume = self.volume.saturating_sub(old.bar.volume.raw());
            self.value = self.value.saturating_sub(old.bar.quote_volume.raw());
            self.trades = self.trades.saturating_sub(old.bar.trades);
            self.bars.pop_front();
        }
        for line in [&mut self.highs, &mut self.lows] {
            while line.front().is_some_and(|(t, _)| *t < from) {
                line.pop_front();
            }
        }
    }
}

/// A contract with everything that stands on it.
#[derive(Debug)]
pub(super) struct SymbolState {
    pub instrument: Arc<Instrument>,
    pub brackets: Arc<Brackets>,
    pub halted: bool,
    pub book: SymbolBook,
    /// Orders (indexes) that wait for the first event after their arrival.
    pub arrivals: VecDeque<u32>,
    /// Algo orders (indexes) that wait for their trigger.
    pub waiting: Vec<u32>,
    /// Accounts (indexes) with a position here.
    pub holders: Vec<u32>,
    pub last: Option<Price>,
    pub last_qty: Qty,
    pub mark: Option<Price>,
    pub index_price: Option<Price>,
    pub mark_given: bool,
    pub mark_time: Timestamp,
    pub rate: Option<Ratio>,
    pub next_funding: Timestamp,
    pub fundings: Vec<FundingReport>,
    pub klines: KlineSet,
    pub mark_klines: KlineSet,
    pub interest: Interest,
    pub trades: VecDeque<PublicTrade>,
    /// Quotes seen since the running bar began, for what the data offered.
    pub offered: Option<(Price, Price)>,
    day: Day,
    has_history: bool,
    trades_kept: usize,
    next_trade: i64,
    update: i64,
    published: i64,
    shown: Option<(Vec<Level>, Vec<Level>)>,
    shown_top: Option<(Level, Level)>,
    book_time: Timestamp,
    touched: bool,
    printed: bool,
    closed_now: Vec<Kline>,
}

impl SymbolState {
    pub fn new(instrument: Instrument, brackets: Brackets, book: SymbolBook, start: Timestamp, klines: usize, trades: usize) -> Self {
        let symbol = instrument.symbol;
        let interval = instrument.funding_interval;
        Self {
            instrument: Arc::new(instrument),
            brackets: Arc::new(brackets),
            halted: false,
            book,
            arrivals: VecDeque::new(),
            waiting: Vec::new(),
            holders: Vec::new(),
            last: None,
            last_qty: Qty::ZERO,
            mark: None,
            index_price: None,
            mark_given: false,
            mark_time: start,
            rate: None,
            next_funding: start.floor_to(interval).plus(interval),
            fundings: Vec::new(),
            klines: KlineSet::new(symbol, klines),
            mark_klines: KlineSet::new(symbol, klines),
            interest: Interest::default(),
            trades: VecDeque::new(),
            offered: None,
            day: Day::default(),
            has_history: false,
            trades_kept: trades.max(1),
            next_trade: 1,
            update: 1,
            published: 1,
            shown: None,
            shown_top: None,
            book_time: start,
            touched: false,
            printed: false,
            closed_now: Vec::new(),
        }
    }
    pub fn add_history(&mut self, timeframe: Timeframe, bars: &[fulmar_domain::market::Bar]) {
        let first = !std::mem::replace(&mut self.has_history, true);
        self.klines.add_history(timeframe, bars, first);
        if self.klines.base_bars().0 == timeframe {
            self.day = Day::default();
            for kline in self.klines.base_bars().1 {
                self.day.push(kline);
            }
            self.last = bars.last().map(|b| b.close).or(self.last);
            if !self.mark_given {
                self.mark = self.last;
            }
        }
    }
    /// Takes the next trade number.
    pub fn take_trade_id(&mut self) -> i64 {
        let id = self.next_trade;
        self.next_trade = self.next_trade.saturating_add(1);
        id
    }
    /// Shows a trade to the public.
    pub fn publish_trade(&mut self, trade: PublicTrade, out: &mut Vec<Emission>) {
        if self.trades.len() >= self.trades_kept {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
        if self.interest.trades {
            out.push(Emission::Market { time: trade.time, event: MarketEmission::Trade(trade) });
        }
    }
    /// A trade of the source: last price, klines, ticker.
    pub fn on_print(&mut self, tick: &Tick, out: &mut Vec<Emission>) {
        self.last = Some(tick.price);
        self.last_qty = tick.qty;
        self.printed = true;
        let mut closed = std::mem::take(&mut self.closed_now);
        self.klines.on_tick(tick, &mut closed);
        self.emit_closed(&mut closed, tick.time, out);
        self.closed_now = closed;
    }
    pub fn on_mark(&mut self, price: Price, index: Price, time: Timestamp) {
        self.mark = Some(price);
        self.index_price = Some(index);
        self.mark_time = time;
        let tick = Tick { price, qty: Qty::ZERO, value: Usdt::ZERO, taker: Side::Sell, id: -1, time };
        let mut closed = std::mem::take(&mut self.closed_now);
        self.mark_klines.on_tick(&tick, &mut closed);
        closed.clear();
        self.closed_now = closed;
    }
    pub fn on_bar(&mut self, bar: fulmar_domain::market::Bar, time: Timestamp, out: &mut Vec<Emission>) {
        let mut closed = std::mem::take(&mut self.closed_now);
        self.klines.on_bar(bar, &mut closed);
        self.emit_closed(&mut closed, time, out);
        self.closed_now = closed;
        self.offered = None;
    }
    pub fn on_time(&mut self, now: Timestamp, out: &mut Vec<Emission>) {
        let mut closed = std::mem::take(&mut self.closed_now);
        self.klines.on_time(now, &mut closed);
        self.emit_closed(&mut closed, now, out);
        self.closed_now = closed;
    }
    fn emit_closed(&mut self, closed: &mut Vec<Kline>, time: Timestamp, out: &mut Vec<Emission>) {
        let base = self.klines.base_bars().0;
        for kline in closed.drain(..) {
            if kline.bar.timeframe == base {
                self.day.push(&kline);
                self.offered = None;
            }
            if self.interest.wants_kline(kline.bar.timeframe) {
                out.push(Emission::Market { time, event: MarketEmission::Kline(kline) });
            }
        }
    }
    /// The book has changed at `time`.
    pub fn touch(&mut self, time: Timestamp) {
        self.update = self.update.saturating_add(1);
        self.book_time = time;
        self.touched = true;
    }
    pub fn top(&self) -> Option<BookTop> {
        let (bid, ask) = (self.book.best_level(Side::Buy)?, self.book.best_level(Side::Sell)?);
        Some(BookTop {
            symbol: self.instrument.symbol,
            update: self.update,
            bid: bid.price,
            bid_qty: bid.qty,
            ask: ask.price,
            ask_qty: ask.qty,
            time: self.book_time,
        })
    }
    /// Sends the best prices when they changed.
    pub fn flush_top(&mut self, time: Timestamp, out: &mut Vec<Emission>) {
        if !self.interest.top || !self.touched {
            return;
        }
        let Some(top) = self.top() else { return };
        let seen = (Level { price: top.bid, qty: top.bid_qty }, Level { price: top.ask, qty: top.ask_qty });
        if self.shown_top.replace(seen) != Some(seen) {
            out.push(Emission::Market { time, event: MarketEmission::Top(top) });
        }
    }
    pub fn set_interest(&mut self, interest: Interest) {
        if interest.depth && !self.interest.depth {
            self.shown = Some((self.book.levels(Side::Buy, DEPTH_LEVELS), self.book.levels(Side::Sell, DEPTH_LEVELS)));
            self.published = self.update;
        }
        if !interest.depth {
            self.shown = None;
        }
        if !interest.top {
            self.shown_top = None;
        }
        self.interest = interest;
    }
    /// Sends what changed in the book since the last depth event.
    pub fn flush_depth(&mut self, time: Timestamp, out: &mut Vec<Emission>) {
        if !std::mem::take(&mut self.touched) || !self.interest.depth {
            return;
        }
        let now = (self.book.levels(Side::Buy, DEPTH_LEVELS), self.book.levels(Side::Sell, DEPTH_LEVELS));
        let before = self.shown.take().unwrap_or_default();
        let (bids, asks) = (changes(&before.0, &now.0, Side::Buy), changes(&before.1, &now.1, Side::Sell));
        self.shown = Some(now);
        if bids.is_empty() && asks.is_empty() {
            return;
        }
        let delta = DepthDelta {
            symbol: self.instrument.symbol,
            first: self.published.saturating_add(1),
            last: self.update,
            previous: self.published,
            bids,
            asks,
            time: self.book_time,
        };
        self.published = self.update;
        out.push(Emission::Market { time, event: MarketEmission::Depth(delta) });
    }
    /// Forming klines and ticker, once a step, where prints came.
    pub fn flush_prints(&mut self, time: Timestamp, out: &mut Vec<Emission>) {
        if !std::mem::take(&mut self.printed) {
            return;
        }
        if self.interest.klines != 0 {
            for timeframe in Timeframe::ALL {
                if self.interest.wants_kline(timeframe)
                    && let Some(kline) = self.klines.forming(timeframe)
                {
                    out.push(Emission::Market { time, event: MarketEmission::Kline(kline) });
                }
            }
        }
        if self.interest.ticker
            && let Some(ticker) = self.ticker(time)
        {
            out.push(Emission::Market { time, event: MarketEmission::Ticker(ticker) });
        }
    }
    /// The book with a number of its own: the next depth event spans it.
    pub fn snapshot(&mut self, limit: usize) -> BookReport {
        self.update = self.update.saturating_add(1);
        self.peek(limit)
    }
    pub fn peek(&self, limit: usize) -> BookReport {
        let limit = limit.min(DEPTH_LEVELS);
        BookReport {
            symbol: self.instrument.symbol,
            last: self.update,
            bids: self.book.levels(Side::Buy, limit),
            asks: self.book.levels(Side::Sell, limit),
            time: self.book_time,
        }
    }
    pub fn mark_report(&self) -> Option<Mark> {
        let price = self.mark?;
        Some(Mark {
            symbol: self.instrument.symbol,
            price,
            index: self.index_price.unwrap_or(price),
            funding_rate: self.rate.unwrap_or(Ratio::ZERO),
            next_funding: self.next_funding,
            time: self.mark_time,
        })
    }
    pub fn ticker(&self, now: Timestamp) -> Option<TickerReport> {
        let last = self.last?;
        let forming = self.klines.forming(self.klines.base_bars().0);
        let oldest = self.day.bars.front().copied().or(forming)?;
        let running = forming.map(|k| k.bar);
        let high = self.day.highs.front().map(|(_, p)| *p).into_iter().chain(running.map(|b| b.high)).max()?;
        let low = self.day.lows.front().map(|(_, p)| *p).into_iter().chain(running.map(|b| b.low)).min()?;
        let volume = Qty::from_raw(self.day.volume.saturating_add(running.map_or(0, |b| b.volume.raw())));
        let quote_volume = Usdt::from_raw(self.day.value.saturating_add(running.map_or(0, |b| b.quote_volume.raw())));
        let change = Price::from_raw(last.raw().saturating_sub(oldest.bar.open.raw()));
        let share = change.share_of(oldest.bar.open, Rounding::HalfEven).unwrap_or(Ratio::ZERO);
        Some(TickerReport {
            symbol: self.instrument.symbol,
            last,
            last_qty: self.last_qty,
            open: oldest.bar.open,
            high,
            low,
            volume,
            quote_volume,
            change,
            change_percent: Ratio::from_raw(share.raw().saturating_mul(100)),
            weighted_average: average_price(quote_volume, volume, Rounding::HalfEven).unwrap_or(last),
            opened: oldest.bar.open_time,
            closed: now,
            first_trade: oldest.first_trade,
            last_trade: self.next_trade.saturating_sub(1),
            trades: self.day.trades.saturating_add(running.map_or(0, |b| b.trades)),
        })
    }
    /// The prices that the data offered since the running bar began.
    pub fn spanned(&self) -> Option<(Price, Price)> {
        match (self.klines.running_range(), self.offered) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (a, b) => a.or(b),
        }
    }
    /// A quote widens what the data offered.
    pub fn offer_seen(&mut self, bid: Price, ask: Price) {
        self.offered = Some(self.offered.map_or((bid, ask), |(low, high)| (low.min(bid), high.max(ask))));
    }
}

fn changes(before: &[Level], now: &[Level], side: Side) -> Vec<Level> {
    let mut out = Vec::new();
    let (mut a, mut b) = (before.iter().peekable(), now.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(old), Some(new)) if old.price == new.price => {
                if old.qty != new.qty {
                    out.push(**new);
                }
                a.next();
                b.next();
            }
            (Some(old), new) if new.is_none_or(|n| if side == Side::Buy { old.price > n.price } else { old.price < n.price }) => {
                out.push(Level { price: old.price, qty: Qty::ZERO });
                a.next();
            }
            (_, Some(new)) => {
                out.push(**new);
                b.next();
            }
            (_, None) => return out,
        }
    }
}
