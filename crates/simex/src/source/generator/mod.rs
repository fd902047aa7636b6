//! A seeded market: plausible perpetual contracts for any number of symbols.
//!
//! Volatility changes its regime, clusters and jumps, symbols move together, volume comes in bursts, funding follows the
//! premium. The same seed, start and settings give the same bytes; a symbol's series does not depend on which others are
//! generated. The history is the beginning of the very series that the steps go on with.
//!
//! Each minute has `points_per_minute` evenly spaced instants from its first one on and one more a millisecond before its
//! end. At each of them every symbol trades and shows a book top and a mark; at the last one the funding rate comes as well,
//! and the bar made of exactly those trades closes. The trade's price is one side of the book, by the side of its taker.

mod model;
mod noise;

use super::{MarketPoint, MarketSource, PointKind, SourceError, Step, SymbolPlan, aggregate};
use crate::contracts::{self, Contract};
use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{NumError, Price, Qty, Ratio, Rounding, Usdt, notional};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use model::{Climate, Part, Process};

/// Lowest price in ticks that a generated market may reach.
const TICKS_MIN: i64 = 20;
/// Half a basis point: the usual distance of bid and ask where the tick is finer.
const SPREAD: f64 = 0.000_05;
const MINUTE: Span = Span::minutes(1);

/// One symbol to generate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolSetup {
    /// Contract; its filters come from [`contracts`].
    pub symbol: Symbol,
    /// Price at the start of the history; the contract's usual price otherwise.
    pub price: Option<Price>,
    /// Tick; the contract's otherwise.
    pub tick: Option<Price>,
}

/// What to generate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GeneratorOptions {
    /// Seed of everything.
    pub seed: u64,
    /// The contracts, in the order in which steps name them.
    pub symbols: Vec<SymbolSetup>,
    /// When the market opens; a whole minute.
    pub start: Timestamp,
    /// Closed one-minute bars before the start.
    pub history_bars: u32,
    /// Evenly spaced instants in a minute, 1 to 60; one more closes it.
    pub points_per_minute: u32,
    /// The market ends after so many minutes; never where there is none.
    pub minutes: Option<u64>,
}

impl GeneratorOptions {
    /// An endless market with 1,500 bars of history that moves every five seconds.
    #[must_use]
    pub fn new(seed: u64, symbols: &[Symbol], start: Timestamp) -> Self {
        let symbols = symbols.iter().map(|&symbol| SymbolSetup { symbol, price: None, tick: None }).collect();
        Self { seed, symbols, start: start.floor_to(MINUTE), history_bars: 1_500, points_per_minute: 12, minutes: None }
    }
}

/// A generated market.
#[derive(Debug)]
pub struct GeneratorSource {
    climate: Climate,
    markets: Vec<Market>,
    start: Timestamp,
    parts: usize,
    minutes: Option<u64>,
    /// The minute being played, counted from the start, and the next instant in it.
    minute: u64,
    part: usize,
    history: u64,
}

#[derive(Debug)]
struct Market {
    contract: Contract,
    process: Process,
    history: Vec<Bar>,
    parts: Vec<Trade>,
    bar: Option<Bar>,
    rate: Ratio,
}

/// One part of a minute in the exchange's units.
#[derive(Clone, Copy, Debug)]
struct Trade {
    price: Price,
    qty: Qty,
    taker: Side,
    bid: Price,
    ask: Price,
    top_qty: Qty,
    mark: Price,
    index: Price,
}

impl GeneratorSource {
    /// Generates the history and stands at the start.
    ///
    /// # Errors
    /// [`SourceError::Settings`] when the options do not fit.
    pub fn new(options: &GeneratorOptions) -> Result<Self, SourceError> {
        check(options)?;
        let mut markets = Vec::with_capacity(options.symbols.len());
        for setup in &options.symbols {
            markets.push(Market::new(options.seed, setup)?);
        }
        let mut source = Self {
            climate: Climate::new(options.seed),
            markets,
            start: options.start,
            parts: options.points_per_minute as usize + 1,
            minutes: options.minutes,
            minute: 0,
            part: 0,
            history: u64::from(options.history_bars),
        };
        let first = options.start.minus(Span(MINUTE.0 * i64::from(options.history_bars)));
        for minute in 0..i64::from(options.history_bars) {
            source.generate(first.plus(Span(MINUTE.0 * minute)))?;
            for market in &mut source.markets {
                market.history.extend(market.bar);
            }
        }
        Ok(source)
    }
    fn generate(&mut self, open_time: Timestamp) -> Result<(), SourceError> {
        let weather = self.climate.minute(self.parts);
        for market in &mut self.markets {
            let parts = market.process.minute(&weather);
            market.take(open_time, &parts).map_err(|error| SourceError::Settings {
                what: format!(
                    "{}: a generated number does not fit ({error}); set a smaller start price",
                    market.contract.instrument.symbol
                ),
            })?;
        }
        Ok(())
    }
    fn instant(&self, open_time: Timestamp) -> Timestamp {
        if self.part + 1 == self.parts {
            return open_time.plus(Span(MINUTE.0 - 1));
        }
        let (part, even) = (i64::try_from(self.part).unwrap_or(0), i64::try_from(self.parts - 1).unwrap_or(1));
        open_time.plus(Span(MINUTE.0 * part / even))
    }
}

fn check(options: &GeneratorOptions) -> Result<(), SourceError> {
    let refuse = |what: String| Err(SourceError::Settings { what });
    if options.symbols.is_empty() {
        return refuse("no symbol to generate; name at least one".to_owned());
    }
    if let Some(twice) =
        options.symbols.iter().enumerate().find_map(|(i, s)| options.symbols[..i].iter().any(|o| o.symbol == s.symbol).then_some(s.symbol))
    {
        return refuse(format!("symbol {twice} is named twice; name it once"));
    }
    if !(1..=60).contains(&options.points_per_minute) {
        return refuse(format!("points_per_minute is {}; 1 to 60 fit", options.points_per_minute));
    }
    if options.start.floor_to(MINUTE) != options.start {
        return refuse(format!("the market's start {} is no whole minute; use {}", options.start, options.start.floor_to(MINUTE)));
    }
    Ok(())
}

impl Market {
    fn new(seed: u64, setup: &SymbolSetup) -> Result<Self, SourceError> {
        let refuse = |what: String| SourceError::Settings { what };
        let mut contract = contracts::contract(setup.symbol).map_err(|e| refuse(e.to_string()))?;
        if let Some(tick) = setup.tick {
            if !tick.is_positive() {
                return Err(refuse(format!("{}: tick {tick} is not above zero", setup.symbol)));
            }
            contract.instrument.tick = tick;
            contract.instrument.price_places = contract.instrument.price_places.max(tick.places());
        }
        let price = setup.price.unwrap_or(contract.price);
        if price.raw() < contract.instrument.tick.raw().saturating_mul(TICKS_MIN * 5) {
            return Err(refuse(format!("{}: start price {price} is below {} ticks; set a finer tick", setup.symbol, TICKS_MIN * 5)));
        }
        let name = setup.symbol.as_str();
        let process = Process::new(seed, name, price.to_f64(), contract.sd_1m, contract.market_share, contract.volume_1m.to_f64());
        contract.instrument.price_min = contract.instrument.price_min.min(contract.instrument.tick);
        contract.instrument.price_max =
            contract.instrument.price_max.max(price.times_int(100).map_err(|e| refuse(format!("{name}: {e}")))?);
        Ok(Self { contract, process, history: Vec::new(), parts: Vec::new(), bar: None, rate: Ratio::ZERO })
    }
    /// Rounds a minute to the contract's units and makes its bar.
    fn take(&mut self, open_time: Timestamp, parts: &[Part]) -> Result<(), NumError> {
        let instrument = &self.contract.instrument;
        let before = self.parts.last().map(|t| t.price);
        self.parts.clear();
        for part in parts {
            let last = self.parts.last().map(|t| t.price).or(before);
            self.parts.push(trade(instrument, part, last)?);
        }
        let interval = instrument.funding_interval;
        self.rate = Ratio::from_f64(self.process.funding_rate())?;
        let end = open_time.plus(MINUTE);
        if end.floor_to(interval) == end {
            self.process.funding_booked();
        }
        self.bar = bar(instrument.symbol, open_time, &self.parts)?;
        Ok(())
    }
}

fn trade(instrument: &Instrument, part: &Part, last: Option<Price>) -> Result<Trade, NumError> {
    let tick = instrument.tick;
    let floor = tick.times_int(TICKS_MIN)?;
    let price = Price::from_f64(part.price)?.round_to(tick, Rounding::HalfEven)?.max(floor);
    let spread = Price::from_f64(part.price * SPREAD)?.round_to(tick, Rounding::HalfEven)?.clamp(tick, tick.times_int(TICKS_MIN / 2)?);
    let taker = match last {
        Some(last) if price > last => Side::Buy,
        Some(last) if price < last => Side::Sell,
        _ if part.coin < 0.5 => Side::Buy,
        _ => Side::Sell,
    };
    let (bid, ask) = match taker {
        Side::Buy => (price.checked_sub(spread)?, price),
        Side::Sell => (price, price.checked_add(spread)?),
    };
    let amount =
        |share: f64| Ok(Qty::from_f64(part.value * share / part.price)?.round_to(instrument.step, Rounding::Floor)?.max(instrument.step));
    Ok(Trade {
        price,
        qty: amount(1.0)?,
        taker,
        bid,
        ask,
        top_qty: amount(0.5 + part.coin)?,
        mark: Price::from_f64(part.mark)?.max(floor),
        index: Price::from_f64(part.index)?.max(floor),
    })
}

fn bar(symbol: Symbol, open_time: Timestamp, trades: &[Trade]) -> Result<Option<Bar>, NumError> {
    let (Some(first), Some(last)) = (trades.first(), trades.last()) else { return Ok(None) };
    let (mut high, mut low, mut volume, mut quote_volume) = (first.price, first.price, Qty::ZERO, Usdt::ZERO);
    for trade in trades {
        (high, low) = (high.max(trade.price), low.min(trade.price));
        volume = volume.checked_add(trade.qty)?;
        quote_volume = quote_volume.checked_add(notional(trade.price, trade.qty, Rounding::HalfEven)?)?;
    }
    let (open, close, trades) = (first.price, last.price, trades.len() as u64);
    Ok(Some(Bar { symbol, timeframe: Timeframe::M1, open_time, open, high, low, close, volume, quote_volume, trades }))
}

impl MarketSource for GeneratorSource {
    fn instruments(&self) -> Vec<Instrument> {
        self.markets.iter().map(|m| m.contract.instrument.clone()).collect()
    }
    fn brackets(&self) -> Vec<Brackets> {
        self.markets.iter().map(|m| m.contract.brackets.clone()).collect()
    }
    fn start(&self) -> Timestamp {
        self.start
    }
    fn plan(&self) -> Vec<SymbolPlan> {
        let plan = |m: &Market| SymbolPlan {
            symbol: m.contract.instrument.symbol,
            timeframe: Timeframe::M1,
            history_bars: self.history,
            live_bars: self.minutes,
        };
        self.markets.iter().map(plan).collect()
    }
    fn history(&self, symbol: Symbol, timeframe: Timeframe) -> Vec<Bar> {
        let market = self.markets.iter().find(|m| m.contract.instrument.symbol == symbol);
        market.map(|m| aggregate(&m.history, timeframe)).unwrap_or_default()
    }
    fn next_step(&mut self) -> Result<Option<Step>, SourceError> {
        if self.minutes.is_some_and(|end| self.minute >= end) {
            return Ok(None);
        }
        let open_time = self.start.plus(Span(MINUTE.0.saturating_mul(i64::try_from(self.minute).unwrap_or(i64::MAX))));
        if self.part == 0 {
            self.generate(open_time)?;
        }
        let time = self.instant(open_time);
        let last = self.part + 1 == self.parts;
        let opening = self.part == 0 && self.minute == 0;
        let mut points = Vec::with_capacity(self.markets.len() * 5);
        for market in &self.markets {
            let Some(t) = market.parts.get(self.part) else { continue };
            let symbol = market.contract.instrument.symbol;
            let mut add = |kind| points.push(MarketPoint { time, symbol, kind });
            if last || opening {
                add(PointKind::FundingRate(market.rate));
            }
            add(PointKind::Trade { price: t.price, qty: t.qty, taker: t.taker });
            add(PointKind::Top { bid: t.bid, bid_qty: t.top_qty, ask: t.ask, ask_qty: t.top_qty });
            add(PointKind::Mark { price: t.mark, index: t.index });
            if let Some(bar) = market.bar.filter(|_| last) {
                add(PointKind::BarClosed(bar));
            }
        }
        self.part += 1;
        if last {
            self.part = 0;
            self.minute += 1;
        }
        Ok(Some(Step { time, points }))
    }
    fn remarks(&self) -> Vec<String> {
        vec!["the market is generated; its prices are no prices of any exchange".to_owned()]
    }
}
