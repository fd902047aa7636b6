//! What clients ask for, as typed values; the protocol layer reads them from parameters.

use super::report::{OrderType, Stp, Tif};
use fulmar_domain::id::{AlgoId, OrderId};
use fulmar_domain::num::{Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{PositionSide, Side, WorkingType};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;

/// `priceMatch`: the exchange takes the price from the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the exchange's own words")]
pub enum PriceMatch {
    Opponent,
    Opponent5,
    Opponent10,
    Opponent20,
    Queue,
    Queue5,
    Queue10,
    Queue20,
}
impl PriceMatch {
    /// As the exchange writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opponent => "OPPONENT",
            Self::Opponent5 => "OPPONENT_5",
            Self::Opponent10 => "OPPONENT_10",
            Self::Opponent20 => "OPPONENT_20",
            Self::Queue => "QUEUE",
            Self::Queue5 => "QUEUE_5",
            Self::Queue10 => "QUEUE_10",
            Self::Queue20 => "QUEUE_20",
        }
    }
    /// Reads the exchange's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Opponent, Self::Opponent5, Self::Opponent10, Self::Opponent20, Self::Queue, Self::Queue5, Self::Queue10, Self::Queue20]
            .into_iter()
            .find(|m| m.as_str() == text)
    }
}

/// POST /fapi/v1/order. Missing parameters are `None`; the exchange answers with its code for those that the type needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// `positionSide`.
    pub position_side: Option<PositionSide>,
    /// Type; conditional ones are refused with −4120.
    pub order_type: OrderType,
    /// Time in force.
    pub tif: Option<Tif>,
    /// Quantity.
    pub qty: Option<Qty>,
    /// Price.
    pub price: Option<Price>,
    /// `reduceOnly`.
    pub reduce_only: Option<bool>,
    /// `newClientOrderId`, unchecked.
    pub client_id: Option<String>,
    /// `priceMatch`.
    pub price_match: Option<PriceMatch>,
    /// `selfTradePreventionMode`.
    pub stp: Option<Stp>,
    /// `goodTillDate`.
    pub good_till: Option<Timestamp>,
}
impl NewOrder {
    /// A market order with nothing special.
    #[must_use]
    pub const fn market(symbol: Symbol, side: Side, qty: Qty) -> Self {
        Self {
            symbol,
            side,
            position_side: None,
            order_type: OrderType::Market,
            tif: None,
            qty: Some(qty),
            price: None,
            reduce_only: None,
            client_id: None,
            price_match: None,
            stp: None,
            good_till: None,
        }
    }
    /// A limit order with nothing special.
    #[must_use]
    pub fn limit(symbol: Symbol, side: Side, qty: Qty, price: Price, tif: Tif) -> Self {
        Self { order_type: OrderType::Limit, tif: Some(tif), price: Some(price), ..Self::market(symbol, side, qty) }
    }
}

/// POST /fapi/v1/algoOrder (algoType CONDITIONAL).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlgoOrder {
    /// Contract.
    pub symbol: Symbol,
    /// Side.
    pub side: Side,
    /// `positionSide`.
    pub position_side: Option<PositionSide>,
    /// Type; LIMIT and MARKET are refused.
    pub order_type: OrderType,
    /// Time in force of the child.
    pub tif: Option<Tif>,
    /// Quantity; not with `close_position`.
    pub qty: Option<Qty>,
    /// Limit price of the child.
    pub price: Option<Price>,
    /// `triggerPrice`.
    pub trigger: Option<Price>,
    /// `workingType`.
    pub working: Option<WorkingType>,
    /// `activatePrice` (also `activationPrice`).
    pub activation: Option<Price>,
    /// `callbackRate` in percent, 0.1 to 10.
    pub callback_percent: Option<Ratio>,
    /// `reduceOnly`.
    pub reduce_only: Option<bool>,
    /// `closePosition`.
    pub close_position: Option<bool>,
    /// `priceProtect`.
    pub price_protect: Option<bool>,
    /// `priceMatch`.
    pub price_match: Option<PriceMatch>,
    /// `clientAlgoId`, unchecked.
    pub client_id: Option<String>,
    /// `selfTradePreventionMode`.
    pub stp: Option<Stp>,
    /// `goodTillDate`.
    pub good_till: Option<Timestamp>,
}
impl NewAlgoOrder {
    /// A conditional market order that only reduces.
    #[must_use]
    pub const fn market(symbol: Symbol, side: Side, order_type: OrderType, qty: Qty, trigger: Price) -> Self {
        Self {
            symbol,
            side,
            position_side: None,
            order_type,
            tif: None,
            qty: Some(qty),
            price: None,
            trigger: Some(trigger),
            working: None,
            activation: None,
            callback_percent: None,
            reduce_only: Some(true),
            close_position: None,
            price_protect: None,
            price_match: None,
            client_id: None,
            stp: None,
            good_till: None,
        }
    }
}

/// Names a regular order: by number, else by client id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRef {
    /// `orderId`.
    pub order: Option<OrderId>,
    /// `origClientOrderId`.
    pub client_id: Option<String>,
}

/// Names an algo order: by number, else by client id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlgoRef {
    /// `algoId`.
    pub algo: Option<AlgoId>,
    /// `clientAlgoId`.
    pub client_id: Option<String>,
}

/// PUT /fapi/v1/order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModifyOrder {
    /// Contract.
    pub symbol: Symbol,
    /// Which order.
    pub order: OrderRef,
    /// Side; must be the order's own.
    pub side: Side,
    /// New quantity.
    pub qty: Option<Qty>,
    /// New price.
    pub price: Option<Price>,
    /// `priceMatch`.
    pub price_match: Option<PriceMatch>,
}

/// Limits of a history query; `limit` is cut by the caller to what the endpoint allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery {
    /// `startTime`, inclusive.
    pub from: Option<Timestamp>,
    /// `endTime`, inclusive.
    pub to: Option<Timestamp>,
    /// `fromId` (or `orderId` of allOrders), inclusive.
    pub from_id: Option<i64>,
    /// Most entries. With `from` or `from_id` the oldest of the window, otherwise the newest; always oldest first.
    pub limit: usize,
}

/// Which orders of an account are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Only this contract.
    pub symbol: Option<Symbol>,
}

/// POST /fapi/v1/positionMargin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionMarginChange {
    /// Contract.
    pub symbol: Symbol,
    /// Which position; `None` is BOTH.
    pub side: Option<PositionSide>,
    /// Amount, positive.
    pub amount: Usdt,
    /// `true` = add (type 1), `false` = reduce (type 2).
    pub add: bool,
}

/// What the fault interface may do to a symbol.
#[derive(Debug, Clone, PartialEq)]
pub enum SymbolFault {
    /// Replaces the filters (and status) of a contract.
    Filters(Box<fulmar_domain::instrument::Instrument>),
    /// Replaces the brackets of a contract.
    Brackets(fulmar_domain::instrument::Brackets),
    /// Stops (or resumes) trading of a contract: orders answer −4140, nothing fills.
    Halt(Symbol, bool),
    /// Sets the funding interval in hours.
    FundingInterval(Symbol, u8),
    /// Sets the current funding rate.
    FundingRate(Symbol, Ratio),
}
