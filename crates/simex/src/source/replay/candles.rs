//! Recorded bars of one symbol in memory, checked row by row.
//!
//! Invariant: once loaded, bars stand in order, each begins at a multiple of its length, every price is above zero, and the
//! high and low enclose open and close. A gap is an error unless the caller allows gaps; then it is counted and kept open.

use super::super::{RowFault, SourceError};
use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use std::path::Path;

/// A bar as kept in memory: its symbol and length are known from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candle {
    pub open_time: Timestamp,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    pub volume: Qty,
    pub quote_volume: Usdt,
    pub trades: u64,
}

impl Candle {
    /// As the engine's bar.
    pub fn bar(&self, symbol: Symbol, timeframe: Timeframe) -> Bar {
        Bar {
            symbol,
            timeframe,
            open_time: self.open_time,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
            volume: self.volume,
            quote_volume: self.quote_volume,
            trades: self.trades,
        }
    }
}

/// A cell of a file: floats of columnar files, text of CSV.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    /// A float; rounded to the nearest 10⁻⁸.
    Float(f64),
    /// Decimal text; read without a float where it is plain.
    Text(&'a str),
    /// Nothing.
    Null,
}

impl Cell<'_> {
    /// The count of 10⁻⁸, of either sign.
    pub fn fixed(self, column: &'static str) -> Result<i64, RowFault> {
        let float = |value: f64| {
            Price::from_f64(value).map(Price::raw).map_err(|error| match error {
                NumError::Syntax => RowFault::NotANumber { column },
                _ => RowFault::OutOfRange { column },
            })
        };
        match self {
            Self::Float(value) => float(value),
            Self::Null => Err(RowFault::NotANumber { column }),
            Self::Text(text) => match Price::parse(text) {
                Ok(value) => Ok(value.raw()),
                Err(NumError::Overflow) => Err(RowFault::OutOfRange { column }),
                // Exponents and a ninth decimal occur in files written by data tools.
                Err(_) => match text.trim().parse::<f64>() {
                    Ok(value) => float(value),
                    Err(_) if text.trim().is_empty() => Err(RowFault::NotANumber { column }),
                    Err(_) => Err(RowFault::Unparsable { column, text: text.chars().take(40).collect() }),
                },
            },
        }
    }
    fn positive(self, column: &'static str) -> Result<i64, RowFault> {
        match self.fixed(column)? {
            0 => Err(RowFault::Zero { column }),
            value if value < 0 => Err(RowFault::Negative { column }),
            value => Ok(value),
        }
    }
    fn not_negative(self, column: &'static str) -> Result<i64, RowFault> {
        let value = self.fixed(column)?;
        if value < 0 { Err(RowFault::Negative { column }) } else { Ok(value) }
    }
}

/// One row as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawCandle<'a> {
    pub open_time: Timestamp,
    pub open: Cell<'a>,
    pub high: Cell<'a>,
    pub low: Cell<'a>,
    pub close: Cell<'a>,
    pub volume: Cell<'a>,
    /// Missing in files that do not have the column: then it is volume times the middle of the bar.
    pub quote_volume: Option<Cell<'a>>,
    /// Missing in files that do not have the column: then it is the number of trades that the replay makes.
    pub trades: Option<u64>,
}

/// Bars of one symbol, growing file by file.
#[derive(Debug)]
pub(super) struct Candles {
    timeframe: Timeframe,
    allow_gaps: bool,
    rows: Vec<Candle>,
    gaps: u64,
    missing: u64,
}

impl Candles {
    pub fn new(timeframe: Timeframe, allow_gaps: bool) -> Self {
        Self { timeframe, allow_gaps, rows: Vec::new(), gaps: 0, missing: 0 }
    }
    /// Checks a row and keeps it.
    pub fn push(&mut self, file: &Path, row: u64, raw: &RawCandle<'_>) -> Result<(), SourceError> {
        let at = |fault| SourceError::Row { file: file.to_path_buf(), row, fault };
        let candle = read(raw).map_err(at)?;
        if candle.open_time.floor_to(self.timeframe.span()) != candle.open_time {
            return Err(at(RowFault::Misaligned { time: candle.open_time, timeframe: self.timeframe }));
        }
        if let Some(before) = self.rows.last().map(|c| c.open_time) {
            let (found, expected) = (candle.open_time, before.plus(self.timeframe.span()));
            if found == before {
                return Err(at(RowFault::Duplicate { time: found }));
            }
            if found < before {
                return Err(at(RowFault::Disorder { before, found }));
            }
            if found != expected {
                if !self.allow_gaps {
                    return Err(at(RowFault::Gap { expected, found }));
                }
                self.gaps += 1;
                self.missing += u64::try_from(found.since(expected).0 / self.timeframe.span().0).unwrap_or(0);
            }
        }
        self.rows.push(candle);
        Ok(())
    }
    /// The bars, with the number of gaps and of bars missing in them.
    pub fn finish(self) -> (Vec<Candle>, u64, u64) {
        (self.rows, self.gaps, self.missing)
    }
}

fn read(raw: &RawCandle<'_>) -> Result<Candle, RowFault> {
    let price = |cell: Cell<'_>, column| cell.positive(column).map(Price::from_raw);
    let (open, high, low, close) = (price(raw.open, "open")?, price(raw.high, "high")?, price(raw.low, "low")?, price(raw.close, "close")?);
    if high < open.max(close).max(low) || low > open.min(close) {
        return Err(RowFault::Inconsistent);
    }
    let volume = Qty::from_raw(raw.volume.not_negative("volume")?);
    let quote_volume = match raw.quote_volume {
        Some(cell) => Usdt::from_raw(cell.not_negative("quote_volume")?),
        None => {
            let middle = Price::from_raw(low.raw() + (high.raw() - low.raw()) / 2);
            notional(middle, volume, Rounding::HalfEven).map_err(|_| RowFault::OutOfRange { column: "volume" })?
        }
    };
    let made = if volume.is_zero() { 0 } else { super::path::POINTS as u64 };
    Ok(Candle { open_time: raw.open_time, open, high, low, close, volume, quote_volume, trades: raw.trades.unwrap_or(made) })
}
