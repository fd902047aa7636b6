//! Public events as frames: field names, order and types as in Binance's "Websocket Market Streams".
//!
//! Streams with a pace send the newest state, at most once in each interval of market time; the changes of a book are merged
//! meanwhile: first `U`, last `u`, newest quantity of each price, and `pu` = `u` of the frame before.

use super::topic::Spelled;
use super::{Hub, Kind, Places, Topic};
use crate::server::json::Json;
use crate::venue::{BookReport, Exchange, ForceOrderReport, Kline, MarketEmission, PublicTrade, TickerReport};
use fulmar_domain::instrument::SymbolStatus;
use fulmar_domain::market::{BookTop, DepthDelta, Level, Mark};
use fulmar_domain::num::{Price, Qty};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// Klines are sent at this pace while they form (Binance: 250 ms).
const KLINE_MS: i64 = 250;
/// Day statistics are sent at this pace.
const TICKER_MS: i64 = 1_000;

/// Every spelling of a depth stream's pace.
const DEPTH_PACES: [Spelled; 5] = [
    Spelled { ms: 250, named: false },
    Spelled { ms: 0, named: true },
    Spelled { ms: 100, named: true },
    Spelled { ms: 250, named: true },
    Spelled { ms: 500, named: true },
];

/// Changes of a book since the last frame of a stream.
#[derive(Debug)]
pub(super) struct DepthMerge {
    first: i64,
    last: i64,
    previous: i64,
    time: Timestamp,
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
}

impl DepthMerge {
    fn of(delta: &DepthDelta) -> Self {
        Self {
            first: delta.first,
            last: delta.last,
            previous: delta.previous,
            time: delta.time,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
        }
    }
    fn add(&mut self, delta: &DepthDelta, levels: bool) {
        self.last = delta.last;
        self.time = delta.time;
        if levels {
            self.bids.extend(delta.bids.iter().map(|l| (l.price, l.qty)));
            self.asks.extend(delta.asks.iter().map(|l| (l.price, l.qty)));
        }
    }
}

impl Hub {
    /// Sends a public event to its listeners, or keeps it until their stream is due.
    pub(crate) fn publish_market(&mut self, now: Timestamp, event: &MarketEmission) {
        match event {
            MarketEmission::Trade(trade) => {
                let places = self.places(trade.symbol);
                self.publish(&Topic::of(Kind::Trade, trade.symbol), |j| write_trade(j, now, trade, places));
                self.publish(&Topic::of(Kind::AggTrade, trade.symbol), |j| write_agg_trade(j, now, trade, places));
            }
            MarketEmission::Top(top) => {
                let places = self.places(top.symbol);
                self.publish(&Topic::of(Kind::BookTicker, top.symbol), |j| write_top(j, now, top, places));
                self.publish(&Topic::all(Kind::BookTicker), |j| write_top(j, now, top, places));
            }
            MarketEmission::Depth(delta) => self.depth(now, delta),
            MarketEmission::Kline(kline) => self.kline(now, kline),
            MarketEmission::ForceOrder(report) => {
                let places = self.places(report.order.symbol);
                self.publish(&Topic::of(Kind::ForceOrder, report.order.symbol), |j| write_force_order(j, now, report, places));
                self.publish(&Topic::all(Kind::ForceOrder), |j| write_force_order(j, now, report, places));
            }
            // Both are read from the exchange when their streams are due.
            MarketEmission::Mark(_) | MarketEmission::Ticker(_) => {}
        }
    }
    fn depth(&mut self, now: Timestamp, delta: &DepthDelta) {
        let places = self.places(delta.symbol);
        for pace in DEPTH_PACES {
            let topic = Topic::of(Kind::Depth(pace), delta.symbol);
            if pace.ms == 0 {
                self.publish(&topic, |j| write_depth(j, now, delta, places));
            } else if self.topics.contains_key(&topic) {
                self.merges.entry(topic).or_insert_with(|| DepthMerge::of(delta)).add(delta, true);
            }
            for levels in [5, 10, 20] {
                let topic = Topic::of(Kind::Partial(levels, pace), delta.symbol);
                if self.topics.contains_key(&topic) {
                    self.merges.entry(topic).or_insert_with(|| DepthMerge::of(delta)).add(delta, false);
                }
            }
        }
    }
    fn kline(&mut self, now: Timestamp, kline: &Kline) {
        let (symbol, timeframe) = (kline.bar.symbol, kline.bar.timeframe);
        for topic in [Topic::of(Kind::Kline(timeframe), symbol), Topic::of(Kind::ContinuousKline(timeframe), symbol)] {
            if !self.topics.contains_key(&topic) {
                continue;
            }
            if kline.closed {
                self.klines.remove(&topic);
                self.send_kline(&topic, now, kline);
            } else {
                self.klines.insert(topic, *kline);
            }
        }
    }
    fn send_kline(&mut self, topic: &Topic, now: Timestamp, kline: &Kline) {
        let places = self.places(kline.bar.symbol);
        let continuous = matches!(topic.kind, Kind::ContinuousKline(_));
        self.publish(topic, |j| write_kline(j, now, kline, places, continuous));
    }
    /// Is a paced stream due? Its interval then counts as used.
    fn due(&mut self, topic: &Topic, pace: i64, now: Timestamp) -> bool {
        if pace == 0 {
            return true;
        }
        let slot = now.millis().div_euclid(pace);
        self.slots.insert(*topic, slot) != Some(slot)
    }
    /// Sends every paced stream that is due.
    pub(crate) fn flush(&mut self, now: Timestamp, exchange: &Exchange) {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        due.extend(self.topics.keys().filter(|t| {
            matches!(
                t.kind,
                Kind::Mark(_)
                    | Kind::Ticker
                    | Kind::MiniTicker
                    | Kind::Depth(_)
                    | Kind::Partial(..)
                    | Kind::Kline(_)
                    | Kind::ContinuousKline(_)
            )
        }));
        due.sort_unstable_by_key(|t| (t.symbol, order_of(t.kind)));
        for topic in &due {
            self.flush_topic(topic, now, exchange);
        }
        self.due = due;
    }
    fn flush_topic(&mut self, topic: &Topic, now: Timestamp, exchange: &Exchange) {
        match topic.kind {
            Kind::Mark(pace) if self.due(topic, pace.ms, now) => match topic.symbol {
                Some(symbol) => {
                    if let Some(mark) = exchange.mark(symbol) {
                        self.publish(topic, |j| write_mark(j, now, &mark));
                    }
                }
                None => self.publish(topic, |j| {
                    j.list();
                    for mark in exchange.instruments().iter().filter_map(|i| exchange.mark(i.symbol)) {
                        write_mark(j, now, &mark);
                    }
                    j.end();
                }),
            },
            Kind::Ticker | Kind::MiniTicker if self.due(topic, TICKER_MS, now) => {
                let mini = topic.kind == Kind::MiniTicker;
                match topic.symbol {
                    Some(symbol) => {
                        if let Some(ticker) = exchange.ticker(symbol) {
                            let places = self.places(symbol);
                            self.publish(topic, |j| write_ticker(j, now, &ticker, places, mini));
                        }
                    }
                    None => {
                        let tickers: Vec<(TickerReport, Places)> = exchange
                            .instruments()
                            .iter()
                            .filter_map(|i| Some((exchange.ticker(i.symbol)?, self.places(i.symbol))))
                            .collect();
                        self.publish(topic, |j| {
                            j.list();
                            for (ticker, places) in &tickers {
                                write_ticker(j, now, ticker, *places, mini);
                            }
                            j.end();
                        });
                    }
                }
            }
            Kind::Depth(pace) if self.merges.contains_key(topic) && self.due(topic, pace.ms, now) => {
                if let (Some(merge), Some(symbol)) = (self.merges.remove(topic), topic.symbol) {
                    let levels = |side: &BTreeMap<Price, Qty>| side.iter().map(|(p, q)| Level { price: *p, qty: *q }).collect::<Vec<_>>();
                    let mut bids = levels(&merge.bids);
                    bids.reverse();
                    let delta = DepthDelta {
                        symbol,
                        first: merge.first,
                        last: merge.last,
                        previous: merge.previous,
                        bids,
                        asks: levels(&merge.asks),
                        time: merge.time,
                    };
                    let places = self.places(symbol);
                    self.publish(topic, |j| write_depth(j, now, &delta, places));
                }
            }
            Kind::Partial(levels, pace) if self.merges.contains_key(topic) && self.due(topic, pace.ms, now) => {
                if let (Some(merge), Some(symbol)) = (self.merges.remove(topic), topic.symbol)
                    && let Some(BookReport { bids, asks, .. }) = exchange.peek_book(symbol, usize::from(levels))
                {
                    let delta =
                        DepthDelta { symbol, first: merge.first, last: merge.last, previous: merge.previous, bids, asks, time: merge.time };
                    let places = self.places(symbol);
                    self.publish(topic, |j| write_depth(j, now, &delta, places));
                }
            }
            Kind::Kline(_) | Kind::ContinuousKline(_) if self.klines.contains_key(topic) && self.due(topic, KLINE_MS, now) => {
                if let Some(kline) = self.klines.remove(topic) {
                    self.send_kline(topic, now, &kline);
                }
            }
            _ => {}
        }
    }
    /// Tells the listeners of `!contractInfo` that a contract changed.
    pub(crate) fn publish_contract(&mut self, now: Timestamp, symbol: Symbol, exchange: &Exchange) {
        let brackets = exchange.brackets(symbol);
        let status = exchange.instruments().iter().find(|i| i.symbol == symbol).map_or(SymbolStatus::NotTrading, |i| i.status);
        self.publish(&Topic::all(Kind::ContractInfo), |j| {
            j.open().word("e", "contractInfo").int("E", now.millis()).word("s", symbol.as_str()).word("ps", symbol.as_str());
            j.word("ct", "PERPETUAL").int("dt", 4_133_404_800_000_i64).int("ot", 0).word("cs", status_word(status)).list_at("bks");
            for tier in brackets.iter().flat_map(|b| &b.tiers) {
                j.open().int("bs", tier.tier).num("bnf", tier.floor).num("bnc", tier.cap).num("mmr", tier.mmr).num("cf", tier.cum);
                j.int("mi", 1).int("ma", tier.leverage_max).close();
            }
            j.end().close();
        });
    }
}

/// Status of a contract as the exchange writes it.
pub(crate) const fn status_word(status: SymbolStatus) -> &'static str {
    match status {
        SymbolStatus::Trading => "TRADING",
        SymbolStatus::PendingTrading => "PENDING_TRADING",
        SymbolStatus::NotTrading => "SETTLING",
    }
}

/// Position of a kind within the frames of one symbol, so that the order of frames never depends on a hash.
const fn order_of(kind: Kind) -> (u8, i64, u8) {
    match kind {
        Kind::AggTrade | Kind::Trade | Kind::BookTicker | Kind::ForceOrder | Kind::ContractInfo => (0, 0, 0),
        Kind::Depth(pace) => (1, pace.ms, pace.named as u8),
        Kind::Partial(levels, pace) => (2, pace.ms, levels + pace.named as u8),
        Kind::Mark(pace) => (3, pace.ms, pace.named as u8),
        Kind::Kline(timeframe) => (4, timeframe.span().0, 0),
        Kind::ContinuousKline(timeframe) => (5, timeframe.span().0, 0),
        Kind::Ticker => (6, 0, 0),
        Kind::MiniTicker => (7, 0, 0),
    }
}

fn write_trade(j: &mut Json, now: Timestamp, t: &PublicTrade, places: Places) {
    j.open().word("e", "trade").int("E", now.millis()).int("T", t.time.millis()).word("s", t.symbol.as_str()).int("t", t.id);
    j.dec("p", t.price, places.price).dec("q", t.qty, places.qty).word("X", "MARKET").flag("m", t.taker == Side::Sell).close();
}

fn write_agg_trade(j: &mut Json, now: Timestamp, t: &PublicTrade, places: Places) {
    j.open().word("e", "aggTrade").int("E", now.millis()).int("a", t.id).word("s", t.symbol.as_str());
    j.dec("p", t.price, places.price).dec("q", t.qty, places.qty).dec("nq", t.qty, places.qty);
    j.int("f", t.id).int("l", t.id).int("T", t.time.millis()).flag("m", t.taker == Side::Sell).int("st", 1).close();
}

fn write_top(j: &mut Json, now: Timestamp, t: &BookTop, places: Places) {
    j.open().word("e", "bookTicker").int("u", t.update).word("s", t.symbol.as_str());
    j.dec("b", t.bid, places.price).dec("B", t.bid_qty, places.qty).dec("a", t.ask, places.price).dec("A", t.ask_qty, places.qty);
    j.int("T", t.time.millis()).int("E", now.millis()).int("st", 1).word("ps", t.symbol.as_str()).close();
}

fn write_depth(j: &mut Json, now: Timestamp, d: &DepthDelta, places: Places) {
    j.open().word("e", "depthUpdate").int("E", now.millis()).int("T", d.time.millis()).word("s", d.symbol.as_str());
    j.word("ps", d.symbol.as_str()).int("st", 1).int("U", d.first).int("u", d.last).int("pu", d.previous);
    j.list_at("b");
    write_levels(j, &d.bids, places);
    j.end().list_at("a");
    write_levels(j, &d.asks, places);
    j.end().close();
}

/// Price and quantity pairs.
pub(crate) fn write_levels(j: &mut Json, levels: &[Level], places: Places) {
    for level in levels {
        j.list().dec_item(level.price, places.price).dec_item(level.qty, places.qty).end();
    }
}

fn write_mark(j: &mut Json, now: Timestamp, m: &Mark) {
    j.open().word("e", "markPriceUpdate").int("E", now.millis()).word("s", m.symbol.as_str());
    j.dec("p", m.price, 8).dec("ap", m.price, 8).dec("P", m.price, 8).dec("i", m.index, 8).dec("r", m.funding_rate, 8);
    j.int("T", m.next_funding.millis()).int("st", 1).close();
}

fn write_kline(j: &mut Json, now: Timestamp, k: &Kline, places: Places, continuous: bool) {
    let bar = &k.bar;
    j.open().word("e", if continuous { "continuous_kline" } else { "kline" }).int("E", now.millis());
    if continuous {
        j.word("ps", bar.symbol.as_str()).word("ct", "PERPETUAL");
    } else {
        j.word("s", bar.symbol.as_str());
    }
    j.open_at("k").int("t", bar.open_time.millis()).int("T", bar.end().minus(Span(1)).millis());
    if !continuous {
        j.word("s", bar.symbol.as_str());
    }
    j.word("i", bar.timeframe.as_str()).int("f", k.first_trade).int("L", k.last_trade);
    j.dec("o", bar.open, places.price).dec("c", bar.close, places.price).dec("h", bar.high, places.price).dec("l", bar.low, places.price);
    j.dec("v", bar.volume, places.qty).int("n", bar.trades).flag("x", k.closed);
    j.dec("q", bar.quote_volume, places.price).dec("V", k.taker_volume, places.qty).dec("Q", k.taker_quote, places.price);
    j.word("B", "0").close().close();
}

fn write_ticker(j: &mut Json, now: Timestamp, t: &TickerReport, places: Places, mini: bool) {
    if mini {
        j.open().word("e", "24hrMiniTicker").int("E", now.millis()).word("s", t.symbol.as_str());
        j.dec("c", t.last, places.price).dec("o", t.open, places.price).dec("h", t.high, places.price).dec("l", t.low, places.price);
        j.dec("v", t.volume, places.qty).dec("q", t.quote_volume, 2).word("ps", t.symbol.as_str()).int("st", 1).close();
        return;
    }
    j.open().word("e", "24hrTicker").int("E", now.millis()).word("s", t.symbol.as_str()).word("ps", t.symbol.as_str());
    j.dec("p", t.change, places.price).dec("P", t.change_percent, 3).dec("w", t.weighted_average, places.price);
    j.dec("c", t.last, places.price).dec("Q", t.last_qty, places.qty).dec("o", t.open, places.price).dec("h", t.high, places.price);
    j.dec("l", t.low, places.price).dec("v", t.volume, places.qty).dec("q", t.quote_volume, 2);
    j.int("O", t.opened.millis()).int("C", t.closed.millis()).int("F", t.first_trade).int("L", t.last_trade).int("n", t.trades);
    j.int("st", 1).close();
}

fn write_force_order(j: &mut Json, now: Timestamp, f: &ForceOrderReport, places: Places) {
    let o = &f.order;
    j.open().word("e", "forceOrder").int("E", now.millis()).open_at("o").word("s", o.symbol.as_str()).word("S", o.side.as_str());
    j.word("o", o.order_type.as_str()).word("f", o.tif.as_str()).dec("q", o.qty, places.qty).dec("p", o.price, places.price);
    j.dec("ap", o.average, places.price).word("X", o.status.as_str()).dec("l", o.filled, places.qty).dec("z", o.filled, places.qty);
    j.int("T", o.updated.millis()).word("ps", o.symbol.as_str()).int("st", 1).close().close();
}
