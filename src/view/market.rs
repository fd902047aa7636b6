//! What is known of each symbol's market: prices, day statistics, bars and indicator rows.

use super::shape::{BarShape, IndicatorShape, TickerShape};
use fulmar_domain::market::{Bar, BookTop, FeedState, IndicatorFrame, Mark, Ticker, Timeframe};
use fulmar_domain::num::{Price, Qty, Rounding, Usdt};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{DAY, Span, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Hour sums of closed bars: a day's statistics where no ticker comes, at 25 rows a symbol.
#[derive(Debug, Default)]
struct Day {
    hours: VecDeque<Hour>,
    until: Timestamp,
}

#[derive(Debug)]
struct Hour {
    start: Timestamp,
    open: Price,
    high: Price,
    low: Price,
    volume: Qty,
    quote: Usdt,
}

impl Day {
    fn take(&mut self, bar: &Bar) {
        if bar.open_time < self.until {
            return;
        }
        self.until = bar.end();
        let start = bar.open_time.floor_to(Span::hours(1));
        match self.hours.back_mut() {
            Some(hour) if hour.start == start => {
                hour.high = hour.high.max(bar.high);
                hour.low = hour.low.min(bar.low);
                hour.volume = hour.volume.checked_add(bar.volume).unwrap_or(Qty::MAX);
                hour.quote = hour.quote.checked_add(bar.quote_volume).unwrap_or(Usdt::MAX);
            }
            _ => self.hours.push_back(Hour {
                start,
                open: bar.open,
                high: bar.high,
                low: bar.low,
                volume: bar.volume,
                quote: bar.quote_volume,
            }),
        }
        let oldest = self.until.minus(DAY);
        while self.hours.front().is_some_and(|h| h.start < oldest) {
            self.hours.pop_front();
        }
    }
    fn fill(&self, shape: &mut TickerShape) {
        let Some(first) = self.hours.front() else { return };
        shape.open_24h = Some(first.open);
        shape.high_24h = self.hours.iter().map(|h| h.high).max();
        shape.low_24h = self.hours.iter().map(|h| h.low).min();
        shape.volume_24h = self.hours.iter().try_fold(Qty::ZERO, |sum, h| sum.checked_add(h.volume)).ok();
        shape.quote_volume_24h = self.hours.iter().try_fold(Usdt::ZERO, |sum, h| sum.checked_add(h.quote)).ok();
    }
}

/// The newest facts of a symbol that came since the view last looked; each replaces the one before.
#[derive(Debug, Default, Clone, Copy)]
#[expect(missing_docs, reason = "plain words")]
pub struct Newest {
    pub top: Option<BookTop>,
    pub mark: Option<Mark>,
    pub trade: Option<(Price, Timestamp)>,
    pub ticker: Option<Ticker>,
    pub forming: Option<Bar>,
}

#[derive(Debug, Default)]
struct Quote {
    newest: Newest,
    last: Option<Price>,
    feed: Option<FeedState>,
    day: Day,
    time: Timestamp,
}

#[derive(Debug, Default)]
struct Series {
    bars: VecDeque<Bar>,
    rows: VecDeque<(Timestamp, bool, Arc<[f64]>)>,
    forming: Option<Bar>,
}

/// All symbols.
#[derive(Debug)]
pub struct Market {
    quotes: BTreeMap<Symbol, Quote>,
    series: BTreeMap<(Symbol, Timeframe), Series>,
    columns: Vec<String>,
    kept: usize,
}

const fn feed_word(state: FeedState) -> &'static str {
    match state {
        FeedState::Up => "up",
        FeedState::Stale => "stale",
        FeedState::Gap => "gap",
        FeedState::Resynced => "resynced",
    }
}

impl Market {
    /// `columns`: names of the indicator values; `kept`: bars and rows kept per symbol and timeframe.
    #[must_use]
    pub fn new(symbols: &[Symbol], columns: Vec<String>, kept: usize) -> Self {
        Self { quotes: symbols.iter().map(|s| (*s, Quote::default())).collect(), series: BTreeMap::new(), columns, kept }
    }
    /// Takes what came since the last look.
    pub fn newest(&mut self, symbol: Symbol, came: Newest) {
        let quote = self.quotes.entry(symbol).or_default();
        let known = &mut quote.newest;
        known.top = came.top.or(known.top);
        known.mark = came.mark.or(known.mark);
        known.ticker = came.ticker.or(known.ticker);
        let middle = came.top.map(|t| Price::from_raw(t.bid.raw() / 2 + t.ask.raw() / 2));
        let last = came.trade.map(|(p, _)| p).or(came.forming.map(|b| b.close)).or(came.ticker.map(|t| t.last));
        quote.last = last.or(if quote.last.is_none() { middle } else { quote.last });
        let times = [came.top.map(|t| t.time), came.mark.map(|m| m.time), came.trade.map(|(_, t)| t), came.ticker.map(|t| t.time)];
        quote.time = times.into_iter().flatten().fold(quote.time, Timestamp::max);
        if let Some(bar) = came.forming {
            self.series.entry((symbol, bar.timeframe)).or_default().forming = Some(bar);
        }
    }
    /// Takes a data state.
    pub fn feed(&mut self, symbol: Symbol, state: FeedState) {
        self.quotes.entry(symbol).or_default().feed = Some(state);
    }
    /// Takes a closed bar; one that is not newer than those known replaces its like or is left out. Was it taken?
    pub fn bar(&mut self, bar: &Bar) -> bool {
        let quote = self.quotes.entry(bar.symbol).or_default();
        quote.day.take(bar);
        if bar.end() >= quote.time {
            quote.last = Some(bar.close);
            quote.time = bar.end();
        }
        let series = self.series.entry((bar.symbol, bar.timeframe)).or_default();
        match series.bars.back_mut() {
            Some(last) if last.open_time > bar.open_time => return false,
            Some(last) if last.open_time == bar.open_time => {
                if last == bar {
                    return false;
                }
                *last = *bar;
            }
            _ => series.bars.push_back(*bar),
        }
        if series.bars.len() > self.kept {
            series.bars.pop_front();
        }
        true
    }
    /// Takes indicator values and the bar that they belong to.
    pub fn indicators(&mut self, frame: &IndicatorFrame) {
        self.bar(&frame.bar);
        let series = self.series.entry((frame.bar.symbol, frame.bar.timeframe)).or_default();
        if series.rows.back().is_some_and(|(time, ..)| *time >= frame.bar.open_time) {
            return;
        }
        series.rows.push_back((frame.bar.open_time, frame.warm, Arc::clone(&frame.values)));
        if series.rows.len() > self.kept {
            series.rows.pop_front();
        }
    }
    /// Prices of a symbol, day statistics from the ticker where one came, else from the bars.
    #[must_use]
    pub fn ticker(&self, symbol: Symbol) -> Option<TickerShape> {
        let quote = self.quotes.get(&symbol)?;
        let known = &quote.newest;
        let mut shape = TickerShape {
            last: quote.last,
            bid: known.top.map(|t| t.bid),
            ask: known.top.map(|t| t.ask),
            mark: known.mark.map(|m| m.price),
            index: known.mark.map(|m| m.index),
            funding_rate: known.mark.map(|m| m.funding_rate),
            next_funding: known.mark.map(|m| m.next_funding),
            feed: quote.feed.map(feed_word),
            time: quote.time,
            ..TickerShape::default()
        };
        quote.day.fill(&mut shape);
        if let Some(day) = known.ticker {
            shape.open_24h = Some(day.open);
            shape.high_24h = Some(day.high);
            shape.low_24h = Some(day.low);
            shape.volume_24h = Some(day.volume);
            shape.quote_volume_24h = Some(day.quote_volume);
        }
        shape.change_24h = shape
            .last
            .zip(shape.open_24h)
            .and_then(|(last, open)| last.checked_sub(open).and_then(|d| d.share_of(open, Rounding::HalfEven)).ok());
        Some(shape)
    }
    /// The symbols known, in order.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        self.quotes.keys().copied().collect()
    }
    /// The timeframes known of a symbol, shortest first.
    #[must_use]
    pub fn timeframes(&self, symbol: Symbol) -> Vec<Timeframe> {
        self.series.keys().filter(|(s, _)| *s == symbol).map(|(_, t)| *t).collect()
    }
    /// The last `limit` bars, oldest first, with the forming one at the end where it is known.
    #[must_use]
    pub fn bars(&self, symbol: Symbol, timeframe: Timeframe, limit: usize) -> Vec<BarShape> {
        let Some(series) = self.series.get(&(symbol, timeframe)) else { return vec![] };
        let skip = series.bars.len().saturating_sub(limit);
        let mut bars: Vec<BarShape> = series.bars.iter().skip(skip).map(|bar| BarShape { bar: *bar, closed: true }).collect();
        bars.extend(self.forming(symbol, timeframe));
        bars
    }
    /// The bar that is not closed yet.
    #[must_use]
    pub fn forming(&self, symbol: Symbol, timeframe: Timeframe) -> Option<BarShape> {
        let series = self.series.get(&(symbol, timeframe))?;
        let bar = series.forming.filter(|f| series.bars.back().is_none_or(|b| b.open_time < f.open_time))?;
        Some(BarShape { bar, closed: false })
    }
    /// The last `limit` rows of indicator values, oldest first.
    #[must_use]
    pub fn rows(&self, symbol: Symbol, timeframe: Timeframe, limit: usize) -> Vec<IndicatorShape> {
        let Some(series) = self.series.get(&(symbol, timeframe)) else { return vec![] };
        let skip = series.rows.len().saturating_sub(limit);
        series
            .rows
            .iter()
            .skip(skip)
            .map(|(open_time, warm, values)| IndicatorShape {
                symbol,
                timeframe,
                open_time: *open_time,
                warm: *warm,
                values: values
                    .iter()
                    .enumerate()
                    .map(|(at, v)| (self.columns.get(at).cloned().unwrap_or_else(|| format!("column {at}")), v.is_finite().then_some(*v)))
                    .collect(),
            })
            .collect()
    }
}
