//! Execution from the journal: what a fresh or a broken node needs to know before it asks the exchange.

use super::life::{Doubt, LiveOrder};
use super::messages::ExecOut;
use super::node::{ExecutionNode, TimerFor};
use super::survey::SURVEY_OVERLAP;
use crate::id::ClientOrderId;
use crate::node::ClockKind;
use crate::order::{OrderRole, OrderStatus, OrderUpdate, Side};
use crate::record::Record;
use crate::time::{Now, Timestamp};
use std::collections::BTreeSet;

impl ExecutionNode {
    /// Applies one record of the journal. Feed all of them in order to a new node, then call [`ExecutionNode::recover`].
    pub fn replay(&mut self, record: &Record) {
        match record {
            Record::OrderPlanned(order) => {
                self.next_intent = self.next_intent.max(order.intent.0.saturating_add(1));
                self.traded.insert(order.symbol);
                self.orders.insert(order.client_id, LiveOrder::planned(order.clone()));
            }
            Record::OrderVoided { intent: Some(intent), .. } => {
                let voided = self.orders.values_mut().find(|o| o.order.intent == *intent && o.status == OrderStatus::Pending);
                if let Some(live) = voided {
                    live.status = OrderStatus::Dead;
                    let client_id = live.order.client_id;
                    self.forget_later(client_id);
                }
            }
            Record::OrderUpdated(update) => self.replay_update(update),
            Record::CancelPlanned { client_id, .. } => {
                if let Some(live) = self.orders.get_mut(client_id) {
                    live.cancelling = true;
                }
            }
            // What came while no process ran is asked for from the last adoption on, however late this one started.
            Record::SnapshotAdopted(snapshot) => self.since = snapshot.time.minus(SURVEY_OVERLAP),
            _ => {}
        }
    }

    fn replay_update(&mut self, update: &OrderUpdate) {
        self.next_update = self.next_update.max(update.seq.saturating_add(1));
        self.traded.insert(update.symbol);
        let own = update.client_id.filter(|id| self.orders.contains_key(id));
        if let (Some(order), Some(client_id)) = (update.order, own) {
            self.by_order.insert(order, client_id);
        }
        let mut ended = None;
        if let Some(live) = own.and_then(|id| self.orders.get_mut(&id)) {
            if !live.is_final() && update.status.is_final() {
                ended = own;
            }
            live.status = update.status;
            live.order_id = update.order.or(live.order_id);
            live.algo_id = update.algo.or(live.algo_id);
            live.filled = update.filled;
            live.filled_at_venue = live.filled_at_venue.max(update.filled);
            live.sent = live.sent || update.status.rank() >= OrderStatus::New.rank();
        }
        // A fold that runs as long as the process keeps no more than the node does.
        if let Some(client_id) = ended {
            self.forget_later(client_id);
        }
        let Some(fill) = update.fill.filter(|fill| self.count(fill)) else { return };
        self.move_net(&fill);
        let desk = (fill.symbol, fill.position_side);
        if let Some(OrderRole::Entry { protection }) = &update.role {
            self.raise_bracket(desk, update.strategy, protection.clone(), fill.side == Side::Buy);
        }
        if !self.net.contains_key(&desk) {
            self.brackets.remove(&desk);
        }
    }

    /// After a restart within one process: planned orders that never reached the wire are dropped, so that what they were for
    /// (a stop, above all) can be planned anew at once. `sent`: orders handed to the wire whose fate was not told yet.
    pub fn void_unsent(&mut self, sent: &BTreeSet<ClientOrderId>, now: Now, out: &mut Vec<ExecOut>) {
        let unsent: Vec<ClientOrderId> = self
            .orders
            .values()
            .filter(|o| o.status == OrderStatus::Pending && !sent.contains(&o.order.client_id))
            .map(|o| o.order.client_id)
            .collect();
        for client_id in unsent {
            // Only dropped here: what takes its place is planned once the exchange has been asked.
            self.void_planned(client_id, "execution restarted before the order left", out);
            self.report(client_id, None, None, now, out);
            self.forget_later(client_id);
        }
    }

    /// After the replay: orders of unknown fate are asked for once `fence` has passed, the rest is compared at once.
    /// `fence`: last moment at which the process that wrote the journal may have signed, plus receive window and margin.
    pub fn recover(&mut self, fence: Timestamp, now: Now, out: &mut Vec<ExecOut>) {
        let doubtful: Vec<ClientOrderId> = self
            .orders
            .values()
            .filter(|o| matches!(o.status, OrderStatus::Pending | OrderStatus::Unknown))
            .map(|o| o.order.client_id)
            .collect();
        for client_id in doubtful {
            let Some(live) = self.orders.get_mut(&client_id) else { continue };
            live.doubt = Some(Doubt { fence, not_found: 0 });
            live.status = OrderStatus::Unknown;
            live.sent = true;
            let symbol = live.order.symbol;
            self.freeze(symbol, out);
            self.report(client_id, None, None, now, out);
            self.wake(ClockKind::Protocol, fence, TimerFor::Doubt(client_id), out);
        }
        // Stops of the brackets, found again by what they are for.
        let stops: Vec<_> = self
            .orders
            .values()
            .filter(|o| !o.is_final() && !o.cancelling && o.order.role == OrderRole::Stop)
            .map(|o| ((o.order.symbol, o.order.position_side), o.order.client_id))
            .collect();
        for (desk, client_id) in stops {
            if let Some(bracket) = self.brackets.get_mut(&desk) {
                bracket.stop = Some(client_id);
            }
        }
        let extras: Vec<_> = self
            .orders
            .values()
            .filter(|o| !o.is_final() && matches!(o.order.role, OrderRole::Target | OrderRole::Trailing))
            .map(|o| (o.order.symbol, o.order.position_side))
            .collect();
        for desk in extras {
            if let Some(bracket) = self.brackets.get_mut(&desk) {
                bracket.extras_placed = true;
            }
        }
        // A cancellation of which no answer is known is asked for again.
        let cancelling: Vec<_> = self.orders.values().filter(|o| !o.is_final() && o.cancelling).map(LiveOrder::reference).collect();
        for order in cancelling {
            out.push(ExecOut::Cancel(order));
        }
        self.reconcile(now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::ExecutionRules;
    use crate::execution::node::FINAL_ORDERS_KEPT;
    use crate::id::{DecisionId, Epoch, IntentSeq, OwnOrder, StrategyId};
    use crate::num::Qty;
    use crate::order::{ExitReason, OrderKind, PositionSide, VenueOrder};
    use crate::symbol::Symbol;

    #[test]
    fn a_fold_remembers_no_more_final_orders_than_the_node() {
        let symbol = Symbol::new("BTCUSDT").expect("symbol");
        let mut fold = ExecutionNode::new(ExecutionRules::default(), Epoch(1), &[symbol], Timestamp::ZERO);
        for intent in 1..=FINAL_ORDERS_KEPT as u64 + 100 {
            let own = OwnOrder { epoch: Epoch(1), intent: IntentSeq(intent), attempt: 0 };
            let order = VenueOrder {
                intent: IntentSeq(intent),
                client_id: ClientOrderId::own("fulmar", own).expect("fits"),
                decision: DecisionId(intent),
                strategy: StrategyId::operator(),
                symbol,
                side: Side::Buy,
                position_side: PositionSide::Both,
                kind: OrderKind::Market,
                qty: Qty::ONE,
                reduce_only: true,
                close_position: false,
                role: OrderRole::Exit { reason: ExitReason::Signal },
                decided: Timestamp::ZERO,
            };
            fold.replay(&Record::OrderPlanned(order));
            fold.replay(&Record::OrderVoided { decision: DecisionId(intent), intent: Some(IntentSeq(intent)), cause: String::new() });
        }
        assert_eq!(fold.orders.len(), FINAL_ORDERS_KEPT);
    }
}
