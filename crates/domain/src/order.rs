//! Orders: what is wanted, what is sent, what came of it.
//!
//! A decision becomes an [`OrderIntent`]; risk turns it into an approval; execution journals a [`VenueOrder`] and sends it;
//! the exchange answers with [`OrderEvent`]s and [`AlgoEvent`]s; execution turns those into [`OrderUpdate`]s.

use crate::id::{AlgoId, ClientOrderId, DecisionId, FactSeq, IntentSeq, OrderId, StrategyId, TradeId};
use crate::num::{Price, Qty, Ratio, Usdt};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Buy or sell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "plain words")]
pub enum Side {
    Buy,
    Sell,
}
impl Side {
    /// +1 for buy, −1 for sell.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

/// Which position an order works on: the net one, or one of the two of hedge mode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum PositionSide {
    #[default]
    Both,
    Long,
    Short,
}
impl PositionSide {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "BOTH",
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }
}

/// Whose collateral a position uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum MarginMode {
    Cross,
    #[default]
    Isolated,
}

/// How long an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE", tag = "tif")]
pub enum TimeInForce {
    /// Until cancelled (a year at most).
    #[default]
    Gtc,
    /// At once, the rest is cancelled.
    Ioc,
    /// At once and whole, or not at all.
    Fok,
    /// Only as maker.
    Gtx,
    /// Until the given instant, at least 600 s ahead.
    Gtd {
        /// When it ends.
        until: Timestamp,
    },
}

/// Which price sets off a conditional order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum WorkingType {
    MarkPrice,
    #[default]
    ContractPrice,
}

/// The kind of an order with what that kind needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum OrderKind {
    /// At the best price there is.
    Market,
    /// At this price or better.
    Limit {
        /// The limit.
        price: Price,
        /// How long.
        tif: TimeInForce,
    },
    /// Algo: market order once the price goes against us to the trigger.
    StopMarket {
        /// Trigger price.
        trigger: Price,
        /// Which price triggers.
        working: WorkingType,
    },
    /// Algo: limit order once triggered.
    Stop {
        /// Trigger price.
        trigger: Price,
        /// The limit.
        price: Price,
        /// Which price triggers.
        working: WorkingType,
    },
    /// Algo: market order once the price goes our way to the trigger.
    TakeProfitMarket {
        /// Trigger price.
        trigger: Price,
        /// Which price triggers.
        working: WorkingType,
    },
    /// Algo: limit order once triggered.
    TakeProfit {
        /// Trigger price.
        trigger: Price,
        /// The limit.
        price: Price,
        /// Which price triggers.
        working: WorkingType,
    },
    /// Algo: market order once the price falls back by the rate from its extreme.
    TrailingStopMarket {
        /// Price from which on the extreme is followed; at once where missing.
        activation: Option<Price>,
        /// Callback rate as a share (0.01 = 1 %); 0.1 % to 10 %.
        callback: Ratio,
        /// Which price is followed.
        working: WorkingType,
    },
}
impl OrderKind {
    /// Goes to the algo endpoints (conditional orders, since 2025-12-09).
    #[must_use]
    pub const fn is_algo(&self) -> bool {
        !matches!(self, Self::Market | Self::Limit { .. })
    }
}

/// One rung of a take-profit ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Where to take profit.
    pub price: Price,
    /// Share of the filled quantity to close there.
    pub share: Ratio,
}

/// A stop that follows the price.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trailing {
    /// Price from which on it follows.
    pub activation: Option<Price>,
    /// Distance from the extreme as a share of the price.
    pub distance: Ratio,
}

/// The protection that travels with an entry. Execution places the stop at the first fill, whatever becomes of the strategy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Protection {
    /// Stop price, on the tick.
    pub stop: Price,
    /// Which price triggers the stop.
    pub working: WorkingType,
    /// Take-profit ladder, possibly empty.
    pub targets: Vec<Target>,
    /// Trailing stop.
    pub trailing: Option<Trailing>,
}

/// Why a position is being left or cut.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "plain words")]
pub enum ExitReason {
    Signal,
    StopLoss,
    TakeProfit,
    Trailing,
    BreakEven,
    TimeStop,
    MinimalRoi,
    Operator,
    Unprotected,
    Flatten,
    Liquidation,
    External,
}

/// What a decision is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "purpose")]
pub enum Purpose {
    /// Opens or adds; carries its protection (risk refuses an entry without).
    Entry {
        /// Stop, targets, trailing.
        protection: Option<Protection>,
    },
    /// Reduces or closes.
    Exit {
        /// Why.
        reason: ExitReason,
    },
}

/// A strategy's (or the operator's) wish to trade, before risk has seen it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderIntent {
    /// Correlation with the verdict.
    pub decision: DecisionId,
    /// Who wants it.
    pub strategy: StrategyId,
    /// Contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Market or limit.
    pub kind: OrderKind,
    /// Quantity, positive, on the step.
    pub qty: Qty,
    /// Leverage to trade with.
    pub leverage: u16,
    /// Whose collateral.
    pub margin_mode: MarginMode,
    /// Entry or exit.
    pub purpose: Purpose,
    /// Price on which the decision was made (close of the bar).
    pub reference: Price,
    /// Last order, fill or position fact of this strategy and symbol that the decision knew of.
    pub seen: FactSeq,
    /// When it was decided (market clock).
    pub decided: Timestamp,
}
impl OrderIntent {
    /// Does it open or add?
    #[must_use]
    pub const fn is_entry(&self) -> bool {
        matches!(self.purpose, Purpose::Entry { .. })
    }
}

/// A strategy's wish to withdraw its standing entry orders of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CancelIntent {
    /// Who wants it.
    pub strategy: StrategyId,
    /// Contract.
    pub symbol: Symbol,
    /// One order, or all entry orders of the strategy there.
    pub client_id: Option<ClientOrderId>,
    /// When it was decided (market clock).
    pub decided: Timestamp,
}

/// What an order of ours is for, as the journal keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role")]
pub enum OrderRole {
    /// Opens or adds.
    Entry {
        /// What protects it.
        protection: Protection,
    },
    /// Reduces or closes on a decision.
    Exit {
        /// Why.
        reason: ExitReason,
    },
    /// The stop of a position.
    Stop,
    /// A rung of the take-profit ladder.
    Target,
    /// A trailing stop.
    Trailing,
}

/// An order ready for the wire: journalled whole before its first byte leaves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VenueOrder {
    /// Its journalled intent.
    pub intent: IntentSeq,
    /// Its client id.
    pub client_id: ClientOrderId,
    /// The decision behind it, zero for protection.
    pub decision: DecisionId,
    /// Owner.
    pub strategy: StrategyId,
    /// Contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Kind.
    pub kind: OrderKind,
    /// Quantity; zero when `close_position`.
    pub qty: Qty,
    /// May only reduce.
    pub reduce_only: bool,
    /// Algo orders: close whatever stands when triggered.
    pub close_position: bool,
    /// What it is for.
    pub role: OrderRole,
    /// When it was decided (market clock).
    pub decided: Timestamp,
}

/// Where an order stands. Never goes back: see [`OrderStatus::rank`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Journalled; not known to have left.
    Pending,
    /// Sent and no answer that tells what became of it.
    Unknown,
    /// Accepted by the exchange.
    New,
    /// Algo: triggered, its child order works.
    Triggered,
    /// Partly filled.
    PartiallyFilled,
    /// Filled.
    Filled,
    /// Cancelled.
    Canceled,
    /// Refused by the exchange.
    Rejected,
    /// Ran out (IOC, FOK, GTD, self-trade prevention, reduce-only with nothing left).
    Expired,
    /// Certainly never reached the exchange.
    Dead,
}
impl OrderStatus {
    /// Nothing more can happen to it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired | Self::Dead)
    }
    /// Order of life: an event of a lower rank than the state known never moves it.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Unknown => 1,
            Self::New => 2,
            Self::Triggered => 3,
            Self::PartiallyFilled => 4,
            Self::Canceled | Self::Rejected | Self::Expired | Self::Dead => 5,
            Self::Filled => 6,
        }
    }
}

/// One execution, as reported by the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fill {
    /// Contract.
    pub symbol: Symbol,
    /// The exchange's number, unique per symbol; fills are applied once by it.
    pub trade: TradeId,
    /// The order.
    pub order: OrderId,
    /// Side of the order.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Price.
    pub price: Price,
    /// Quantity, positive.
    pub qty: Qty,
    /// Realised profit as the exchange reckons it, without fee.
    pub realized: Usdt,
    /// Fee in `fee_asset`, positive when paid.
    pub fee: Usdt,
    /// The fee is in USDT; otherwise it is left out of the USDT ledger and reported.
    pub fee_in_usdt: bool,
    /// We were the maker.
    pub maker: bool,
    /// When.
    pub time: Timestamp,
}

/// `ORDER_TRADE_UPDATE`, or the same knowledge from a query: the state of a regular order at the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderEvent {
    /// Contract.
    pub symbol: Symbol,
    /// The exchange's number.
    pub order: OrderId,
    /// Client id (foreign ones included).
    pub client_id: Option<ClientOrderId>,
    /// The client id as the exchange wrote it, for special ids (`autoclose-`, `adl_autoclose`, `settlement_autoclose-`).
    pub client_text: String,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Status; `None` for a word that this version does not know.
    pub status: Option<OrderStatus>,
    /// Ordered quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// Average price so far; unknown where the exchange no longer sends it.
    pub average: Option<Price>,
    /// Limit price, zero for market orders.
    pub price: Price,
    /// May only reduce.
    pub reduce_only: bool,
    /// Original type as the exchange writes it (`LIMIT`, `MARKET`, `STOP_MARKET`, `LIQUIDATION`…).
    pub type_text: String,
    /// The fill that this event brings, if any.
    pub fill: Option<Fill>,
    /// Event time `E` (or update time of a query).
    pub time: Timestamp,
}

/// `ALGO_UPDATE`, or the same knowledge from a query: the state of a conditional order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlgoEvent {
    /// Contract.
    pub symbol: Symbol,
    /// The exchange's number.
    pub algo: AlgoId,
    /// Client id.
    pub client_id: Option<ClientOrderId>,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// Status (`NEW`, `TRIGGERING`/`TRIGGERED` → Triggered, `FINISHED` → Filled, …); `None` for an unknown word.
    pub status: Option<OrderStatus>,
    /// Trigger price.
    pub trigger: Price,
    /// Quantity, zero when it closes the position.
    pub qty: Qty,
    /// Closes whatever stands.
    pub close_position: bool,
    /// The regular order that the trigger created (`ai` / `actualOrderId`).
    pub child: Option<OrderId>,
    /// Original type as the exchange writes it.
    pub type_text: String,
    /// Event time.
    pub time: Timestamp,
}

/// What execution says about an order of ours or a foreign one on our account: a fact, numbered, applied once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// Dense number of execution's facts in this epoch.
    pub seq: u64,
    /// The order as journalled; `None` for foreign orders.
    pub client_id: Option<ClientOrderId>,
    /// Owner; `external` for foreign orders.
    pub strategy: StrategyId,
    /// The decision behind it, zero where there is none.
    pub decision: DecisionId,
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// Which position.
    pub position_side: PositionSide,
    /// What it is for; `None` for foreign orders.
    pub role: Option<OrderRole>,
    /// Kind; `None` for foreign orders of a type that is not ours to name.
    pub kind: Option<OrderKind>,
    /// The exchange's number of the regular order, once known.
    pub order: Option<OrderId>,
    /// The exchange's number of the algo order, once known.
    pub algo: Option<AlgoId>,
    /// Status.
    pub status: OrderStatus,
    /// Ordered quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// The fill that this update brings.
    pub fill: Option<Fill>,
    /// Code and text of a refusal by the exchange.
    pub reject: Option<VenueError>,
    /// The margin reservation that this update frees, whole or in part, ends with it (final state, or never sent).
    pub frees_reservation: bool,
    /// When (market clock).
    pub time: Timestamp,
}

/// An error answer of the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code} {message}")]
pub struct VenueError {
    /// The exchange's code, such as −2019; zero where only an HTTP status came.
    pub code: i32,
    /// Its text.
    pub message: String,
}
