//! The orders that are not final, as the frame shows them.
//!
//! Invariant: an order never goes back in its life, and one that ended does not come back.

use crate::account::OrderView;
use crate::id::{AlgoId, ClientOrderId, OrderId, StrategyId};
use crate::num::Price;
use crate::order::{OrderKind, OrderRole, OrderStatus, OrderUpdate, PositionSide, Side};
use crate::symbol::Symbol;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ended orders that are remembered, so that a late report cannot revive them.
const ENDED_MAX: usize = 1_024;

/// What tells an order from another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Own(ClientOrderId),
    Algo(Symbol, AlgoId),
    Regular(Symbol, OrderId),
}

/// Orders that are not final.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct OpenOrders {
    open: BTreeMap<Key, OrderView>,
    ended: BTreeSet<Key>,
    ended_order: VecDeque<Key>,
}

impl OpenOrders {
    /// Takes one fact in.
    pub fn apply(&mut self, update: &OrderUpdate) {
        let key = match (update.client_id, update.algo, update.order) {
            (Some(id), _, _) => Key::Own(id),
            (None, Some(algo), _) => Key::Algo(update.symbol, algo),
            (None, None, Some(order)) => Key::Regular(update.symbol, order),
            (None, None, None) => return,
        };
        if self.ended.contains(&key) {
            return;
        }
        if update.status.is_final() {
            self.open.remove(&key);
            self.ended.insert(key);
            self.ended_order.push_back(key);
            if self.ended_order.len() > ENDED_MAX
                && let Some(oldest) = self.ended_order.pop_front()
            {
                self.ended.remove(&oldest);
            }
            return;
        }
        let known = self.open.get(&key);
        let status = known.map_or(update.status, |k| if k.status.rank() > update.status.rank() { k.status } else { update.status });
        let filled = known.map_or(update.filled, |k| k.filled.max(update.filled));
        self.open.insert(
            key,
            OrderView {
                client_id: update.client_id,
                decision: update.decision,
                strategy: update.strategy,
                symbol: update.symbol,
                side: update.side,
                position_side: update.position_side,
                role: update.role.clone(),
                kind: update.kind,
                status,
                qty: update.qty,
                filled,
                updated: update.time,
            },
        );
    }
    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &OrderView> {
        self.open.values()
    }
    /// The price of the live stop that protects a position of `strategy`: of several the one that triggers first.
    pub fn stop_of(&self, symbol: Symbol, side: PositionSide, long: bool, strategy: StrategyId) -> Option<Price> {
        let closing = if long { Side::Sell } else { Side::Buy };
        let live = |o: &&OrderView| {
            o.symbol == symbol
                && o.position_side == side
                && o.side == closing
                && o.strategy == strategy
                && matches!(o.role, Some(OrderRole::Stop | OrderRole::Trailing))
                && matches!(o.status, OrderStatus::New | OrderStatus::Triggered | OrderStatus::PartiallyFilled)
        };
        let trigger = |o: &OrderView| match o.kind {
            Some(OrderKind::StopMarket { trigger, .. } | OrderKind::Stop { trigger, .. }) => Some(trigger),
            _ => None,
        };
        let prices = self.iter().filter(live).filter_map(trigger);
        if long { prices.max() } else { prices.min() }
    }
}
