//! Facts about the market, as the feed hands them on.

use crate::num::{Price, Qty, Ratio, Usdt};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Length of a bar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the exchange's own")]
pub enum Timeframe {
    M1,
    M3,
    M5,
    M15,
    M30,
    H1,
    H2,
    H4,
    H6,
    H8,
    H12,
    D1,
}

impl Timeframe {
    /// Every timeframe, shortest first.
    pub const ALL: [Self; 12] =
        [Self::M1, Self::M3, Self::M5, Self::M15, Self::M30, Self::H1, Self::H2, Self::H4, Self::H6, Self::H8, Self::H12, Self::D1];
    /// Its length.
    #[must_use]
    pub const fn span(self) -> Span {
        match self {
            Self::M1 => Span::minutes(1),
            Self::M3 => Span::minutes(3),
            Self::M5 => Span::minutes(5),
            Self::M15 => Span::minutes(15),
            Self::M30 => Span::minutes(30),
            Self::H1 => Span::hours(1),
            Self::H2 => Span::hours(2),
            Self::H4 => Span::hours(4),
            Self::H6 => Span::hours(6),
            Self::H8 => Span::hours(8),
            Self::H12 => Span::hours(12),
            Self::D1 => Span::hours(24),
        }
    }
    /// The exchange's name, such as `1m`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H8 => "8h",
            Self::H12 => "12h",
            Self::D1 => "1d",
        }
    }
}
impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
/// The text names no timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no timeframe: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d expected")]
pub struct BadTimeframe(pub String);
impl FromStr for Timeframe {
    type Err = BadTimeframe;
    fn from_str(text: &str) -> Result<Self, BadTimeframe> {
        Self::ALL.into_iter().find(|t| t.as_str() == text).ok_or_else(|| BadTimeframe(text.chars().take(16).collect()))
    }
}
impl Serialize for Timeframe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Timeframe {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A closed bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bar {
    /// Contract.
    pub symbol: Symbol,
    /// Length.
    pub timeframe: Timeframe,
    /// Start, a multiple of the length. The bar ends one millisecond before `open_time` + length.
    pub open_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Traded quantity.
    pub volume: Qty,
    /// Traded value.
    pub quote_volume: Usdt,
    /// Number of trades.
    pub trades: u64,
}
impl Bar {
    /// The instant at which the bar is complete: `open_time` + length.
    #[must_use]
    pub const fn end(&self) -> Timestamp {
        self.open_time.plus(self.timeframe.span())
    }
}

/// One trade (or aggregate of trades at one price).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trade {
    /// Contract.
    pub symbol: Symbol,
    /// The exchange's number of it.
    pub id: i64,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Side of the taker.
    pub taker: Side,
    /// When it happened.
    pub time: Timestamp,
}

/// Best bid and ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BookTop {
    /// Contract.
    pub symbol: Symbol,
    /// Update number of the book.
    pub update: i64,
    /// Best bid.
    pub bid: Price,
    /// Quantity at the best bid.
    pub bid_qty: Qty,
    /// Best ask.
    pub ask: Price,
    /// Quantity at the best ask.
    pub ask_qty: Qty,
    /// Transaction time.
    pub time: Timestamp,
}

/// A price level; quantity zero removes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Level {
    /// Price.
    pub price: Price,
    /// Quantity now standing there.
    pub qty: Qty,
}

/// A change of the book: update numbers `first..=last`, following `previous`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DepthDelta {
    /// Contract.
    pub symbol: Symbol,
    /// `U`.
    pub first: i64,
    /// `u`.
    pub last: i64,
    /// `pu`: `last` of the frame before this one.
    pub previous: i64,
    /// Changed bids.
    pub bids: Vec<Level>,
    /// Changed asks.
    pub asks: Vec<Level>,
    /// Transaction time.
    pub time: Timestamp,
}

/// The whole book at one update number, best levels first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DepthSnapshot {
    /// Contract.
    pub symbol: Symbol,
    /// `lastUpdateId`.
    pub last: i64,
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
    /// Transaction time.
    pub time: Timestamp,
}

/// Mark price with the running funding rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Contract.
    pub symbol: Symbol,
    /// Mark price.
    pub price: Price,
    /// Index price.
    pub index: Price,
    /// Rate of the next funding as it stands now.
    pub funding_rate: Ratio,
    /// When the next funding is booked.
    pub next_funding: Timestamp,
    /// Event time.
    pub time: Timestamp,
}

/// Rolling day statistics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ticker {
    /// Contract.
    pub symbol: Symbol,
    /// Last price.
    pub last: Price,
    /// Price 24 h ago.
    pub open: Price,
    /// Highest of 24 h.
    pub high: Price,
    /// Lowest of 24 h.
    pub low: Price,
    /// Quantity traded in 24 h.
    pub volume: Qty,
    /// Value traded in 24 h.
    pub quote_volume: Usdt,
    /// Event time.
    pub time: Timestamp,
}

/// A liquidation seen in the public feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Liquidation {
    /// Contract.
    pub symbol: Symbol,
    /// Side of the liquidation order.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub qty: Qty,
    /// When.
    pub time: Timestamp,
}

/// A funding that was booked, by symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Funding {
    /// Contract.
    pub symbol: Symbol,
    /// The rate that was paid.
    pub rate: Ratio,
    /// Mark price used.
    pub mark: Price,
    /// Funding time.
    pub time: Timestamp,
}

/// A fact about the market. Top and mark: the latest wins; the rest is never lost.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is documented at its type")]
pub enum MarketEvent {
    Trade(Trade),
    BookTop(BookTop),
    Depth(DepthDelta),
    BarClosed(Bar),
    /// The bar as it stands, for display only; never reaches an indicator.
    BarForming(Bar),
    Mark(Mark),
    Funding(Funding),
    Ticker(Ticker),
    Liquidation(Liquidation),
}

impl MarketEvent {
    /// The contract that it speaks of.
    #[must_use]
    pub const fn symbol(&self) -> Symbol {
        match self {
            Self::Trade(x) => x.symbol,
            Self::BookTop(x) => x.symbol,
            Self::Depth(x) => x.symbol,
            Self::BarClosed(x) | Self::BarForming(x) => x.symbol,
            Self::Mark(x) => x.symbol,
            Self::Funding(x) => x.symbol,
            Self::Ticker(x) => x.symbol,
            Self::Liquidation(x) => x.symbol,
        }
    }
}

/// State of one symbol's data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum FeedState {
    /// Fresh and complete.
    Up,
    /// Nothing came within the limit, or the connection is down.
    Stale,
    /// Something is missing and is being fetched.
    Gap,
    /// The gap was closed.
    Resynced,
}

/// A change of one symbol's data state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedStatus {
    /// Contract.
    pub symbol: Symbol,
    /// State from now on.
    pub state: FeedState,
}

/// Closed bars from before the stream began, oldest first, without gap.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WarmupBars {
    /// Contract.
    pub symbol: Symbol,
    /// Timeframe.
    pub timeframe: Timeframe,
    /// The bars.
    pub bars: Arc<[Bar]>,
}

/// Indicator values at the close of one bar.
#[derive(Clone, PartialEq, Debug)]
pub struct IndicatorFrame {
    /// The bar that closed.
    pub bar: Bar,
    /// One value for each output column of the strategies' indicators, in the order of the set's columns; NaN until warm.
    pub values: Arc<[f64]>,
    /// The row of the bar directly before this one, so that a crossing can be seen without state; `None` for the first bar
    /// of a series and after a gap.
    pub previous: Option<Arc<[f64]>>,
    /// All values are there.
    pub warm: bool,
    /// The bar is from before the stream began: strategies learn from it and decide nothing.
    pub history: bool,
}
