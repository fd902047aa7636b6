//! Why an order may not be sent: a stable code with what was measured and what is allowed.

use crate::num::{Price, Qty, Ratio, Usdt};
use crate::record::RefusalDetail;
use crate::time::Span;
use serde::Serialize;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The stable codes, in the order in which the rules run. The first that fails is the verdict.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        pub enum RefusalCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }
        impl RefusalCode {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The code as it is written everywhere outside.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The gate is halted and the order is an entry.
    TradingHalted = "TRADING_HALTED",
    /// The gate lets only reducing orders pass and the order is an entry.
    ReduceOnlyMode = "REDUCE_ONLY_MODE",
    /// The mark price is older than the limit, or the symbol's feed is not up.
    DataStale = "DATA_STALE",
    /// The decision has not seen the newest fact of its strategy and symbol.
    AccountStale = "ACCOUNT_STALE",
    /// No filters are known for the contract.
    UnknownSymbol = "UNKNOWN_SYMBOL",
    /// The contract is not trading.
    SymbolNotTrading = "SYMBOL_NOT_TRADING",
    /// No leverage brackets are known for the contract.
    UnknownBracket = "UNKNOWN_BRACKET",
    /// No account is known.
    UnknownAccount = "UNKNOWN_ACCOUNT",
    /// An exit that is larger than the position or on its side.
    NotReducing = "NOT_REDUCING",
    /// Price outside the price filter or off the tick.
    PriceTick = "PRICE_TICK",
    /// Quantity off the step.
    QtyStep = "QTY_STEP",
    /// Quantity outside the lot filter.
    QtyRange = "QTY_RANGE",
    /// Notional below the exchange's least.
    MinNotional = "MIN_NOTIONAL",
    /// Price too far from mark.
    PriceBand = "PRICE_BAND",
    /// Leverage above a cap.
    LeverageTooHigh = "LEVERAGE_TOO_HIGH",
    /// Initial margin of the position after the fill above its share of equity.
    PositionTooLarge = "POSITION_TOO_LARGE",
    /// Σ |notional| / equity above the cap.
    GrossExposure = "GROSS_EXPOSURE",
    /// |Σ notional| / equity above the cap.
    NetExposure = "NET_EXPOSURE",
    /// Loss since UTC midnight.
    DailyLoss = "DAILY_LOSS",
    /// Loss from the equity peak.
    Drawdown = "DRAWDOWN",
    /// Losing trades in a row of one strategy and symbol.
    ConsecutiveLosses = "CONSECUTIVE_LOSSES",
    /// The liquidation price after the fill is too near.
    LiquidationDistance = "LIQUIDATION_DISTANCE",
    /// Free margin less what is reserved does not cover the order.
    InsufficientMargin = "INSUFFICIENT_MARGIN",
    /// An entry without a stop.
    StopRequired = "STOP_REQUIRED",
    /// The stop is on the wrong side of the entry.
    StopWrongSide = "STOP_WRONG_SIDE",
    /// (entry − stop) · quantity above a share of equity.
    RiskPerTrade = "RISK_PER_TRADE",
    /// The next funding payment above a share of the position's margin.
    FundingCost = "FUNDING_COST",
    /// Too many positions.
    MaxPositions = "MAX_POSITIONS",
    /// Too many orders that are not final.
    MaxOrders = "MAX_ORDERS",
    /// Too many orders in a second or a minute.
    OrderRate = "ORDER_RATE",
    /// The same order again in a short time.
    RepeatedOrder = "REPEATED_ORDER",
    /// Notional of entries of one UTC day above the cap.
    NotionalPerDay = "NOTIONAL_PER_DAY",
    /// Too soon after the last trade of the strategy on the symbol.
    Cooldown = "COOLDOWN",
    /// The strategy earns too little on the symbol.
    LowProfitSymbol = "LOW_PROFIT_SYMBOL",
    /// The symbol is locked, or an order of unknown fate freezes it.
    SymbolLocked = "SYMBOL_LOCKED",
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A measured value or a limit, exact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Measure {
    /// The fact was not there; printed as nothing.
    Missing,
    /// A count or a number of a fact.
    Count(i64),
    /// A price, quantity, amount or share in units of 10⁻⁸.
    Fixed(i64),
    /// A span.
    Millis(i64),
    /// A word, such as the state of the gate.
    Word(&'static str),
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Count(n) => n.fmt(f),
            Self::Fixed(raw) => Ratio::from_raw(*raw).fmt(f),
            Self::Millis(ms) => ms.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}

macro_rules! measures {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Measure {
            fn from(value: $kind) -> Self { Self::Fixed(value.raw()) }
        }
    )*};
}
measures!(Price, Qty, Ratio, Usdt);
impl From<Span> for Measure {
    fn from(span: Span) -> Self {
        Self::Millis(span.0)
    }
}

/// One rule that failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// Stable code.
    pub code: RefusalCode,
    /// What was measured.
    pub value: Measure,
    /// What is allowed.
    pub limit: Measure,
    /// One sentence: what is wrong and what would help.
    pub message: String,
}

impl Refusal {
    /// As the journal and the API carry it.
    #[must_use]
    pub fn detail(&self) -> RefusalDetail {
        RefusalDetail {
            code: self.code.as_str().to_owned(),
            value: self.value.to_string(),
            limit: self.limit.to_string(),
            message: self.message.clone(),
        }
    }
}
