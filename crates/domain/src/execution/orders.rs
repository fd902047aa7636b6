//! How execution names an order and what the exchange says about one.

use crate::id::ClientOrderId;
use crate::order::{AlgoEvent, OrderEvent};
use crate::symbol::Symbol;

/// State of a regular order, or of an algo order, as answered to placing or asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// A regular order.
    Regular(OrderEvent),
    /// A conditional order.
    Algo(AlgoEvent),
}

/// Which order is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRef {
    /// Contract.
    pub symbol: Symbol,
    /// By our id.
    pub client_id: ClientOrderId,
    /// It lives in the algo list.
    pub algo: bool,
}
