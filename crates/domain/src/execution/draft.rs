//! An order on its way from a wish to its numbers.

use crate::id::{DecisionId, StrategyId};
use crate::num::Qty;
use crate::order::{OrderIntent, OrderKind, OrderRole, PositionSide, Side};
use crate::symbol::Symbol;

/// An order before it has its numbers.
pub(super) struct Draft {
    pub decision: DecisionId,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub side: Side,
    pub position_side: PositionSide,
    pub kind: OrderKind,
    pub qty: Qty,
    pub reduce_only: bool,
    pub close_position: bool,
    pub role: OrderRole,
}
impl Draft {
    pub(super) fn of_intent(intent: &OrderIntent, role: OrderRole) -> Self {
        Self {
            decision: intent.decision,
            strategy: intent.strategy,
            symbol: intent.symbol,
            side: intent.side,
            position_side: intent.position_side,
            kind: intent.kind,
            qty: intent.qty,
            reduce_only: !intent.is_entry(),
            close_position: false,
            role,
        }
    }
}
