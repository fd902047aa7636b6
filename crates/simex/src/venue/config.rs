//! How the exchange is set up. Nothing is defaulted silently: [`ExchangeConfig::new`] names every default.

use fulmar_domain::instrument::{Brackets, Instrument};
use fulmar_domain::num::{Ratio, Usdt};
use fulmar_domain::time::{Span, Timestamp};

/// When a resting limit order is filled by the trades and quotes of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitFill {
    /// Whole, once the market trades through the price (the default).
    Through,
    /// Whole, once the market touches the price.
    Touch,
    /// By its place in the queue: what stood at the price when it came in must trade first; through fills the rest.
    Queue,
}

/// Liquidity around the market price where the source gives only trades, quotes or bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookConfig {
    /// Levels a side, at most 1000.
    pub levels: u16,
    /// Value standing at each level, in USDT.
    pub level_value: Usdt,
    /// Ticks between one level and the next.
    pub level_ticks: u16,
    /// Ticks between best bid and best ask where the source gives only trades.
    pub spread_ticks: u16,
}

/// How orders meet the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillConfig {
    /// Resting limit orders.
    pub limit_fill: LimitFill,
    /// Market time between the arrival of an order and its place in the book; the first event after that matches it.
    pub latency: Span,
    /// Extra cost of a taker fill in ticks, against the taker; zero keeps to prices that the data offered.
    pub slippage_ticks: u16,
    /// A stop on the contract price fills at its trigger where the running bar has spanned it, else at the book. For sources
    /// whose trades are a path through bars: between two points of the path the price went all the way.
    pub stops_at_trigger: bool,
    /// The synthetic book around the price.
    pub book: BookConfig,
}

/// Everything an exchange needs to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeConfig {
    /// Market time at the start.
    pub start: Timestamp,
    /// Contracts with their filters.
    pub instruments: Vec<Instrument>,
    /// Brackets, one for each contract.
    pub brackets: Vec<Brackets>,
    /// Wallet of a new account.
    pub start_balance: Usdt,
    /// Leverage of a symbol until an account sets another (cut to the first tier's).
    pub leverage: u16,
    /// Maker fee.
    pub maker_fee: Ratio,
    /// Taker fee.
    pub taker_fee: Ratio,
    /// Fills.
    pub fills: FillConfig,
    /// Klines kept per symbol and timeframe.
    pub klines_kept: usize,
    /// Public trades kept per symbol.
    pub trades_kept: usize,
}

impl ExchangeConfig {
    /// The defaults: 10,000 USDT, leverage 20, maker 0.02 %, taker 0.05 %, no latency, no slippage, stops at the book, limits fill when the
    /// market trades through them, 20 levels of 5,000,000 USDT one tick apart, spread one tick, 10,000 klines of each
    /// timeframe and 1,000 trades kept.
    #[must_use]
    pub fn new(start: Timestamp, instruments: Vec<Instrument>, brackets: Vec<Brackets>) -> Self {
        const UNIT: i64 = fulmar_domain::num::SCALE;
        Self {
            start,
            instruments,
            brackets,
            start_balance: Usdt::from_raw(10_000 * UNIT),
            leverage: 20,
            maker_fee: Ratio::from_raw(UNIT / 5_000),
            taker_fee: Ratio::from_raw(UNIT / 2_000),
            fills: FillConfig {
                limit_fill: LimitFill::Through,
                latency: Span(0),
                slippage_ticks: 0,
                stops_at_trigger: false,
                book: BookConfig { levels: 20, level_value: Usdt::from_raw(5_000_000 * UNIT), level_ticks: 1, spread_ticks: 1 },
            },
            klines_kept: 10_000,
            trades_kept: 1_000,
        }
    }
}
