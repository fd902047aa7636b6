//! One symbol of a replay: its bars, its contract as the data shows it, and where the replay stands.

use super::super::{MarketPoint, PointKind, SourceError};
use super::ReplayOptions;
use super::candles::{Candle, Candles};
use super::discover::{self, Layout};
use super::path::{self, PathOrder, PathPoint};
use super::series::{self, Basis, FUNDING_DEFAULT, Fundings};
use crate::contracts;
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{DECIMALS, Price, Qty};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct Track {
    instrument: Instrument,
    brackets: Brackets,
    timeframe: Timeframe,
    spread: Price,
    order: PathOrder,
    candles: Vec<Candle>,
    /// Number of bars before the start.
    history: usize,
    /// Index of the bar being played, or next to be played.
    next: usize,
    path: Option<[PathPoint; path::POINTS]>,
    basis: Basis,
    fundings: Fundings,
    remarks: Vec<String>,
}

impl Track {
    pub fn load(options: &ReplayOptions, files: &[PathBuf], symbol: Symbol) -> Result<Self, SourceError> {
        let found = discover::of_symbol(files, symbol, options.timeframe);
        if found.klines.is_empty() {
            let (folder, found) = (options.folder.clone(), discover::names(files));
            return Err(SourceError::Missing { folder, symbol, timeframe: options.timeframe, found });
        }
        let mut remarks = Vec::new();
        let mut rows = Candles::new(options.timeframe, options.allow_gaps);
        for file in &found.klines {
            match discover::layout(file) {
                Some(Layout::Columnar) => super::columnar::candles(file, &mut rows)?,
                _ => super::text::candles(file, &mut rows)?,
            }
        }
        let (candles, gaps, missing) = rows.finish();
        if candles.is_empty() {
            return Err(SourceError::Empty { file: found.klines.into_iter().next().unwrap_or_default() });
        }
        if gaps > 0 {
            remarks.push(format!("{symbol}: {missing} bars are missing in {gaps} gaps; nothing happens in their time"));
        }
        let contract = contracts::contract(symbol).map_err(|e| SourceError::Settings { what: e.to_string() })?;
        if !contract.listed {
            remarks.push(format!("{symbol}: no listed contract; filters and leverage tiers are the general ones"));
        }
        let mut instrument = contract.instrument;
        fit(&mut instrument, contract.listed, &candles, &mut remarks);
        let marks: Vec<(Timestamp, i64)> = series::load(&found.marks, true)?.into_iter().map(|(_, _, time, mark)| (time, mark)).collect();
        let basis = Basis::new(&marks, &candles);
        if basis.is_empty() {
            remarks.push(format!("{symbol}: no mark series; the contract price stands in for mark and index"));
        } else {
            remarks
                .push(format!("{symbol}: mark = contract price + basis of the mark file, interpolated; the mark stands in for the index"));
        }
        let fundings = load_fundings(&found.fundings, options.allow_gaps)?;
        match fundings.range() {
            None => remarks.push(format!("{symbol}: no funding file; {FUNDING_DEFAULT} stands in for every funding rate")),
            Some((first, last)) if outside(first, last, fundings.interval, &candles) => {
                remarks.push(format!("{symbol}: funding rates from {first} to {last}; {FUNDING_DEFAULT} stands in outside"));
            }
            Some(_) => {}
        }
        instrument.funding_interval = fundings.interval;
        let spread = instrument
            .tick
            .times_int(i64::from(options.spread_ticks))
            .map_err(|_| SourceError::Settings { what: format!("spread_ticks {} is too wide for {symbol}", options.spread_ticks) })?;
        Ok(Self {
            instrument,
            brackets: contract.brackets,
            timeframe: options.timeframe,
            spread,
            order: options.order,
            candles,
            history: 0,
            next: 0,
            path: None,
            basis,
            fundings,
            remarks,
        })
    }
    pub const fn symbol(&self) -> Symbol {
        self.instrument.symbol
    }
    pub const fn instrument(&self) -> &Instrument {
        &self.instrument
    }
    pub const fn brackets(&self) -> &Brackets {
        &self.brackets
    }
    /// Start of the first bar of the file.
    pub fn first(&self) -> Timestamp {
        self.candles.first().map_or(Timestamp(i64::MAX), |c| c.open_time)
    }
    /// Makes everything before `start` history.
    pub fn start_at(&mut self, start: Timestamp) {
        self.history = self.candles.partition_point(|c| c.open_time < start);
        self.next = self.history;
    }
    pub const fn history_bars(&self) -> u64 {
        self.history as u64
    }
    pub const fn live_bars(&self) -> u64 {
        (self.candles.len() - self.history) as u64
    }
    /// The bars before the start; after a gap in them, only those after the last one.
    pub fn history(&self) -> Vec<Bar> {
        let bars = &self.candles[..self.history];
        let whole = bars.windows(2).rposition(|w| w[1].open_time.since(w[0].open_time) != self.timeframe.span()).map_or(0, |i| i + 1);
        bars[whole..].iter().map(|c| c.bar(self.symbol(), self.timeframe)).collect()
    }
    /// What a reader must know; `first` is the earliest bar of all symbols.
    pub fn remarks(&mut self, first: Timestamp) -> Vec<String> {
        let mut out = std::mem::take(&mut self.remarks);
        if self.first() > first {
            out.push(format!("{}: data begins at {}, {} bars of history", self.symbol(), self.first(), self.history));
        }
        out
    }
    /// Start of the next bar to be played.
    pub fn next_open(&self) -> Option<Timestamp> {
        self.candles.get(self.next).map(|c| c.open_time)
    }
    /// Adds what happens at instant number `point` of the bar that begins at `bar`.
    pub fn play(&mut self, bar: Timestamp, point: usize, time: Timestamp, out: &mut Vec<MarketPoint>) -> Result<(), SourceError> {
        let Some(candle) = self.candles.get(self.next).filter(|c| c.open_time == bar).copied() else { return Ok(()) };
        let symbol = self.instrument.symbol;
        let mut add = |kind| out.push(MarketPoint { time, symbol, kind });
        if point == 0 {
            self.path = Some(path::path(&candle, self.instrument.step, self.spread, self.order));
            if self.next == self.history {
                add(PointKind::FundingRate(self.fundings.standing_at(bar)));
            }
        }
        let Some(here) = self.path.as_ref().and_then(|p| p.get(point)) else { return Ok(()) };
        let end = bar.plus(self.timeframe.span());
        let last = point + 1 == path::POINTS;
        if last && let Some(rate) = self.fundings.paid_at(end) {
            add(PointKind::FundingRate(rate));
        }
        if here.qty.is_positive() {
            add(PointKind::Trade { price: here.price, qty: here.qty, taker: here.taker });
        }
        add(PointKind::Top { bid: here.bid, bid_qty: here.top_qty, ask: here.ask, ask_qty: here.top_qty });
        let mark = self.basis.mark(time, here.price, self.instrument.tick);
        add(PointKind::Mark { price: mark, index: mark });
        if last {
            add(PointKind::BarClosed(candle.bar(symbol, self.timeframe)));
            self.next += 1;
        }
        Ok(())
    }
}

fn load_fundings(files: &[PathBuf], allow_gaps: bool) -> Result<Fundings, SourceError> {
    let rows = series::load(files, false)?;
    let Some((file, ..)) = rows.first() else { return Ok(Fundings::standing()) };
    let plain: Vec<(u64, Timestamp, i64)> = rows.iter().map(|(_, row, time, rate)| (*row, *time, *rate)).collect();
    Fundings::new(file, &plain, allow_gaps)
}

/// Is a funding due in the time of the bars that the file does not hold?
fn outside(first: Timestamp, last: Timestamp, interval: Span, candles: &[Candle]) -> bool {
    let (Some(begin), Some(end)) = (candles.first(), candles.last()) else { return false };
    first > begin.open_time.floor_to(interval).plus(interval) || end.open_time >= last.plus(interval)
}

/// Makes tick and step as fine as the data: an older recording may hold finer prices than the listed contract allows. A
/// contract that is not listed takes both from the data, and its price range is widened to hold it.
fn fit(instrument: &mut Instrument, listed: bool, candles: &[Candle], remarks: &mut Vec<String>) {
    let (mut price_places, mut qty_places) = (0, 0);
    let (mut fits_tick, mut fits_step) = (true, true);
    for c in candles {
        for price in [c.open, c.high, c.low, c.close] {
            fits_tick &= price.is_multiple_of(instrument.tick);
            price_places = price_places.max(price.places());
        }
        fits_step &= c.volume.is_multiple_of(instrument.step);
        qty_places = qty_places.max(c.volume.places());
    }
    let unit = |places: u32| 10_i64.pow(DECIMALS - places.min(DECIMALS));
    if !fits_tick || !listed {
        instrument.tick = Price::from_raw(unit(price_places));
        instrument.price_places = if listed { instrument.price_places.max(price_places) } else { price_places };
        instrument.price_min = instrument.price_min.min(instrument.tick);
        remarks.push(format!("{}: tick {} as in the data", instrument.symbol, instrument.tick));
    }
    if !fits_step || !listed {
        let step = Qty::from_raw(unit(qty_places));
        (instrument.step, instrument.qty_min, instrument.market_step, instrument.market_qty_min) = (step, step, step, step);
        instrument.qty_places = if listed { instrument.qty_places.max(qty_places) } else { qty_places };
        remarks.push(format!("{}: quantity step {step} as in the data", instrument.symbol));
    }
    let (low, high) = (candles.iter().map(|c| c.low).min(), candles.iter().map(|c| c.high).max());
    instrument.price_min = low.map_or(instrument.price_min, |low| instrument.price_min.min(low));
    instrument.price_max = high.map_or(instrument.price_max, |high| instrument.price_max.max(high));
}
