//! The execution node: inputs, outputs and the paths between them.

use super::bracket::{Bracket, Desk};
use super::draft::Draft;
use super::life::{Change, Doubt, LiveOrder};
use super::messages::{ExecIn, ExecOut, ExecutionRules, Outcome, Priority, Tally};
use super::orders::{OrderRef, OrderState};
use crate::control::{Notice, Severity};
use crate::gate::{GateState, GateWord, Role};
use crate::id::{ClientOrderId, DecisionId, Epoch, IntentSeq, OrderId, OwnOrder, StrategyId, TimerId, TradeId};
use crate::node::{ClockKind, Node, WakeAt};
use crate::num::Qty;
use crate::order::{
    AlgoEvent, CancelIntent, ExitReason, Fill, MarginMode, OrderEvent, OrderIntent, OrderRole, OrderStatus, OrderUpdate, PositionSide,
    Purpose, Side, VenueError, VenueOrder,
};
use crate::record::Record;
use crate::risk::{ApprovedOrder, ApprovedProtection, ProtectiveAction};
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a wake-up was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerFor {
    StopDeadline(Desk),
    Doubt(ClientOrderId),
    LateFills(ClientOrderId),
    CancelAgain(ClientOrderId),
    Protect(Desk),
    Survey,
}

/// How many final orders are remembered, to recognise late events and their fills.
pub(super) const FINAL_ORDERS_KEPT: usize = 4_096;

/// Owner of the orders of one account. See the module's page.
#[derive(Debug, Clone)]
pub struct ExecutionNode {
    pub(super) rules: ExecutionRules,
    pub(super) epoch: Epoch,
    pub(super) next_intent: u64,
    pub(super) next_update: u64,
    pub(super) next_timer: u64,
    pub(super) sign_until: Option<Timestamp>,
    pub(super) leader: bool,
    pub(super) orders: BTreeMap<ClientOrderId, LiveOrder>,
    pub(super) finals: VecDeque<ClientOrderId>,
    pub(super) by_order: BTreeMap<OrderId, ClientOrderId>,
    pub(super) counted: BTreeMap<Symbol, BTreeSet<TradeId>>,
    pub(super) net: BTreeMap<Desk, Qty>,
    pub(super) brackets: BTreeMap<Desk, Bracket>,
    pub(super) configured: BTreeMap<Symbol, (u16, MarginMode)>,
    pub(super) awaiting_settings: BTreeMap<Symbol, Vec<(OrderIntent, u64)>>,
    pub(super) frozen: BTreeMap<Symbol, u32>,
    pub(super) timers: BTreeMap<TimerId, TimerFor>,
    pub(super) survey: u64,
    pub(super) surveying: bool,
    pub(super) survey_again: bool,
    pub(super) since: Timestamp,
    pub(super) traded: BTreeSet<Symbol>,
    pub(super) tally: Tally,
    pub(super) unsettled: Vec<(Desk, Qty, Qty)>,
    pub(super) steps: BTreeMap<Symbol, Qty>,
}

impl ExecutionNode {
    /// An execution that knows of no order. `since`: exchange time from which on fills and incomes are asked for at a survey.
    #[must_use]
    pub fn new(rules: ExecutionRules, epoch: Epoch, symbols: &[Symbol], since: Timestamp) -> Self {
        Self {
            rules,
            epoch,
            next_intent: 1,
            next_update: 1,
            next_timer: 1,
            sign_until: None,
            leader: true,
            orders: BTreeMap::new(),
            finals: VecDeque::new(),
            by_order: BTreeMap::new(),
            counted: BTreeMap::new(),
            net: BTreeMap::new(),
            brackets: BTreeMap::new(),
            configured: BTreeMap::new(),
            awaiting_settings: BTreeMap::new(),
            frozen: BTreeMap::new(),
            timers: BTreeMap::new(),
            survey: 0,
            surveying: false,
            survey_again: false,
            since,
            traded: symbols.iter().copied().collect(),
            tally: Tally::default(),
            unsettled: Vec::new(),
            steps: BTreeMap::new(),
        }
    }

    /// The counts so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Orders that are not final.
    pub fn open_orders(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders.values().filter(|o| !o.is_final())
    }

    /// Net signed quantity by contract and side, as the fills say.
    #[must_use]
    pub fn net(&self, symbol: Symbol, side: PositionSide) -> Qty {
        self.net.get(&(symbol, side)).copied().unwrap_or_default()
    }

    fn approved(&mut self, approved: &ApprovedOrder, gate: GateWord, now: Now, out: &mut Vec<ExecOut>) {
        let intent = approved.intent();
        self.tally.approved += 1;
        if let Some(cause) = self.entry_barred(intent.symbol, gate, approved.gate_epoch()) {
            self.void(intent, cause, now, out);
            return;
        }
        if self.configured.get(&intent.symbol) == Some(&(intent.leverage, intent.margin_mode)) {
            self.plan_entry(intent, now, out);
            return;
        }
        let waiting = self.awaiting_settings.entry(intent.symbol).or_default();
        waiting.push((intent.clone(), approved.gate_epoch()));
        if waiting.len() == 1 {
            out.push(ExecOut::Configure { symbol: intent.symbol, leverage: intent.leverage, margin_mode: intent.margin_mode });
        }
    }

    fn entry_barred(&self, symbol: Symbol, gate: GateWord, epoch: u64) -> Option<&'static str> {
        if !self.leader {
            Some("this process does not hold the lease")
        } else if gate.state != GateState::Open || gate.epoch != epoch {
            Some("the gate moved after the approval")
        } else if self.frozen.contains_key(&symbol) {
            Some("an order of unknown fate freezes the symbol")
        } else {
            None
        }
    }

    fn void(&mut self, intent: &OrderIntent, cause: &str, now: Now, out: &mut Vec<ExecOut>) {
        self.tally.voided += 1;
        out.push(ExecOut::Journal {
            record: Record::OrderVoided { decision: intent.decision, intent: None, cause: cause.to_owned() },
            durable: None,
            priority: Priority::Protective,
        });
        let update = OrderUpdate {
            seq: self.take_update(),
            client_id: None,
            strategy: intent.strategy,
            decision: intent.decision,
            symbol: intent.symbol,
            side: intent.side,
            position_side: intent.position_side,
            role: None,
            kind: Some(intent.kind),
            order: None,
            algo: None,
            status: OrderStatus::Dead,
            qty: intent.qty,
            filled: Qty::ZERO,
            fill: None,
            reject: None,
            frees_reservation: true,
            time: now.market,
        };
        out.push(ExecOut::Update(update));
    }

    fn settings_answered(&mut self, symbol: Symbol, outcome: &Outcome<(u16, MarginMode)>, now: Now, out: &mut Vec<ExecOut>) {
        let waiting = self.awaiting_settings.remove(&symbol).unwrap_or_default();
        match outcome {
            Outcome::Done(settings) => {
                self.configured.insert(symbol, *settings);
                for (intent, _) in &waiting {
                    if (intent.leverage, intent.margin_mode) == *settings {
                        self.plan_entry(intent, now, out);
                    } else {
                        self.void(intent, "another leverage was being set for the symbol", now, out);
                    }
                }
            }
            Outcome::Refused(error) | Outcome::NotExecuted { error, .. } | Outcome::Unknown { error, .. } => {
                self.configured.remove(&symbol);
                out.push(ExecOut::Notice(
                    Notice::new(Severity::Warning, "LEVERAGE_NOT_SET", format!("leverage and margin mode could not be set: {error}"))
                        .about(symbol),
                ));
                for (intent, _) in &waiting {
                    self.void(intent, "leverage and margin mode could not be set", now, out);
                }
            }
        }
    }

    fn plan_entry(&mut self, intent: &OrderIntent, now: Now, out: &mut Vec<ExecOut>) {
        let role = match &intent.purpose {
            Purpose::Entry { protection: Some(protection) } => OrderRole::Entry { protection: protection.clone() },
            Purpose::Entry { protection: None } => {
                self.void(intent, "an entry without a stop", now, out);
                return;
            }
            Purpose::Exit { reason } => OrderRole::Exit { reason: *reason },
        };
        self.plan(Draft::of_intent(intent, role), now, out);
    }

    /// Journals an order. It is sent once its record is on disk.
    pub(super) fn plan(&mut self, draft: Draft, now: Now, out: &mut Vec<ExecOut>) -> Option<ClientOrderId> {
        let intent = IntentSeq(self.next_intent);
        let own = OwnOrder { epoch: self.epoch, intent, attempt: 0 };
        let Some(client_id) = ClientOrderId::own(&self.rules.instance, own) else {
            out.push(ExecOut::Notice(Notice::new(
                Severity::Critical,
                "BAD_INSTANCE_NAME",
                format!(
                    "no client order id can be made from the instance name {:?}: 1 to 8 ASCII letters or digits expected",
                    self.rules.instance
                ),
            )));
            self.tally.voided += 1;
            return None;
        };
        self.next_intent += 1;
        let priority = if matches!(draft.role, OrderRole::Entry { .. }) { Priority::Normal } else { Priority::Protective };
        let order = VenueOrder {
            intent,
            client_id,
            decision: draft.decision,
            strategy: draft.strategy,
            symbol: draft.symbol,
            side: draft.side,
            position_side: draft.position_side,
            kind: draft.kind,
            qty: draft.qty,
            reduce_only: draft.reduce_only,
            close_position: draft.close_position,
            role: draft.role,
            decided: now.market,
        };
        self.traded.insert(order.symbol);
        self.orders.insert(client_id, LiveOrder::planned(order.clone()));
        out.push(ExecOut::Journal { record: Record::OrderPlanned(order), durable: Some(client_id), priority });
        self.report(client_id, None, None, now, out);
        Some(client_id)
    }

    fn durable(&mut self, client_id: ClientOrderId, gate: GateWord, now: Now, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get_mut(&client_id) else { return };
        if live.sent || live.status != OrderStatus::Pending {
            return;
        }
        let entry = matches!(live.order.role, OrderRole::Entry { .. });
        let barred = if !self.leader {
            Some("this process does not hold the lease")
        } else if entry && gate.state != GateState::Open {
            Some("the gate closed before the order left")
        } else {
            None
        };
        if let Some(cause) = barred {
            self.drop_unsent(client_id, cause, now, out);
            return;
        }
        live.sent = true;
        let order = live.order.clone();
        self.tally.sent += 1;
        out.push(ExecOut::Place { order, sign_until: self.sign_until });
    }

    fn drop_unsent(&mut self, client_id: ClientOrderId, cause: &str, now: Now, out: &mut Vec<ExecOut>) {
        if self.void_planned(client_id, cause, out) {
            self.ended(client_id, None, now, out);
        }
    }

    /// A planned order will not leave; `false` when it has, or is over.
    pub(super) fn void_planned(&mut self, client_id: ClientOrderId, cause: &str, out: &mut Vec<ExecOut>) -> bool {
        let Some(live) = self.orders.get_mut(&client_id).filter(|o| !o.sent && !o.is_final()) else { return false };
        self.tally.voided += 1;
        live.status = OrderStatus::Dead;
        let (decision, intent) = (live.order.decision, live.order.intent);
        out.push(ExecOut::Journal {
            record: Record::OrderVoided { decision, intent: Some(intent), cause: cause.to_owned() },
            durable: None,
            priority: Priority::Protective,
        });
        true
    }

    fn placed(&mut self, client_id: ClientOrderId, outcome: &Outcome<OrderState>, now: Now, out: &mut Vec<ExecOut>) {
        match outcome {
            Outcome::Done(state) => self.seen(client_id, state, now, out),
            Outcome::Refused(error) => self.refused(client_id, error, OrderStatus::Rejected, now, out),
            Outcome::NotExecuted { error, .. } => self.refused(client_id, error, OrderStatus::Dead, now, out),
            Outcome::Unknown { fence, error } => {
                let Some(live) = self.orders.get_mut(&client_id) else { return };
                if live.status != OrderStatus::Pending {
                    return; // the stream was faster than the lost answer
                }
                live.doubt = Some(Doubt { fence: *fence, not_found: 0 });
                live.advance(OrderStatus::Unknown);
                let symbol = live.order.symbol;
                out.push(ExecOut::Notice(
                    Notice::new(
                        Severity::Warning,
                        "ORDER_UNKNOWN",
                        format!("the fate of order {client_id} is unknown ({error}); asking for it"),
                    )
                    .about(symbol),
                ));
                self.freeze(symbol, out);
                self.report(client_id, None, None, now, out);
                self.wake(ClockKind::Protocol, *fence, TimerFor::Doubt(client_id), out);
            }
        }
    }

    fn refused(&mut self, client_id: ClientOrderId, error: &VenueError, status: OrderStatus, now: Now, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get_mut(&client_id) else { return };
        if live.status.rank() >= OrderStatus::New.rank() {
            return; // the stream has shown it to live: a refusal of a duplicate send proves nothing
        }
        live.advance(status);
        out.push(ExecOut::Notice(
            Notice::new(Severity::Warning, "ORDER_REFUSED", format!("the exchange refused order {client_id}: {error}"))
                .about(live.order.symbol),
        ));
        self.ended(client_id, Some(error.clone()), now, out);
    }

    /// The exchange showed the order in this state, by answer or by query.
    pub(super) fn seen(&mut self, client_id: ClientOrderId, state: &OrderState, now: Now, out: &mut Vec<ExecOut>) {
        match state {
            OrderState::Regular(event) => self.on_order(event, Some(client_id), now, out),
            OrderState::Algo(event) => self.on_algo(event, Some(client_id), now, out),
        }
    }

    fn owner_of(&self, event: &OrderEvent) -> Option<ClientOrderId> {
        event.client_id.filter(|id| self.orders.contains_key(id)).or_else(|| self.by_order.get(&event.order).copied())
    }

    pub(super) fn on_order(&mut self, event: &OrderEvent, named: Option<ClientOrderId>, now: Now, out: &mut Vec<ExecOut>) {
        let fresh = event.fill.is_some_and(|fill| self.count(&fill));
        let Some(client_id) = named.or_else(|| self.owner_of(event)) else {
            self.foreign(event, fresh, now, out);
            return;
        };
        self.by_order.insert(event.order, client_id);
        let Some(live) = self.orders.get_mut(&client_id) else { return };
        let was_unknown = live.status == OrderStatus::Unknown;
        let change = live.on_regular(event, fresh);
        let late = live.misses_fills();
        self.settle_change(client_id, &change, was_unknown, now, out);
        if late {
            self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.fills_late), TimerFor::LateFills(client_id), out);
        }
    }

    pub(super) fn on_algo(&mut self, event: &AlgoEvent, named: Option<ClientOrderId>, now: Now, out: &mut Vec<ExecOut>) {
        let Some(client_id) = named.or(event.client_id).filter(|id| self.orders.contains_key(id)) else { return };
        if let Some(child) = event.child {
            self.by_order.insert(child, client_id);
        }
        let Some(live) = self.orders.get_mut(&client_id) else { return };
        let was_unknown = live.status == OrderStatus::Unknown;
        let change = live.on_algo(event);
        let waits = live.status == OrderStatus::Triggered && event.status == Some(OrderStatus::Filled);
        self.settle_change(client_id, &change, was_unknown, now, out);
        if waits {
            self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.fills_late), TimerFor::LateFills(client_id), out);
        }
    }

    fn settle_change(&mut self, client_id: ClientOrderId, change: &Change, was_unknown: bool, now: Now, out: &mut Vec<ExecOut>) {
        if !change.any() {
            return;
        }
        let Some(live) = self.orders.get(&client_id) else { return };
        let (symbol, known, is_final) = (live.order.symbol, live.status != OrderStatus::Unknown, live.is_final());
        if was_unknown && known {
            self.thaw(symbol, out);
        }
        if let Some(fill) = change.fill {
            self.apply_fill(client_id, fill, now, out);
        } else if is_final {
            self.ended(client_id, None, now, out);
            return;
        } else {
            self.report(client_id, None, None, now, out);
        }
        if is_final {
            self.forget_later(client_id);
        }
        self.protect_after(client_id, now, out);
    }

    /// Books a fill of ours: reports it, moves the net position, raises the bracket that came with an entry.
    pub(super) fn apply_fill(&mut self, client_id: ClientOrderId, fill: Fill, now: Now, out: &mut Vec<ExecOut>) {
        self.report(client_id, Some(fill), None, now, out);
        self.move_net(&fill);
        let Some(live) = self.orders.get(&client_id) else { return };
        if let OrderRole::Entry { protection } = &live.order.role {
            let (strategy, protection) = (live.order.strategy, protection.clone());
            self.raise_bracket((fill.symbol, fill.position_side), strategy, protection, fill.side == Side::Buy);
        }
    }

    pub(super) fn move_net(&mut self, fill: &Fill) {
        let signed = Qty::from_raw(fill.qty.raw().saturating_mul(fill.side.sign()));
        let net = self.net.entry((fill.symbol, fill.position_side)).or_default();
        *net = net.checked_add(signed).unwrap_or(*net);
        if net.is_zero() {
            self.net.remove(&(fill.symbol, fill.position_side));
        }
    }

    /// True when this fill had not been counted before.
    pub(super) fn count(&mut self, fill: &Fill) -> bool {
        self.counted.entry(fill.symbol).or_default().insert(fill.trade)
    }

    fn foreign(&mut self, event: &OrderEvent, fresh: bool, now: Now, out: &mut Vec<ExecOut>) {
        let Some(status) = event.status else { return };
        self.traded.insert(event.symbol);
        let fill = event.fill.filter(|_| fresh);
        if let Some(fill) = &fill {
            self.move_net(fill);
        }
        let reason = if event.client_text.starts_with("autoclose-")
            || event.client_text.starts_with("adl_autoclose")
            || event.client_text.starts_with("settlement_autoclose-")
        {
            out.push(ExecOut::Notice(
                Notice::new(
                    Severity::Critical,
                    "EXCHANGE_CLOSED_POSITION",
                    format!("the exchange itself closed a position (order {}); its fill is adopted", event.client_text),
                )
                .about(event.symbol),
            ));
            Some(OrderRole::Exit { reason: ExitReason::Liquidation })
        } else {
            None
        };
        let update = OrderUpdate {
            seq: self.take_update(),
            client_id: event.client_id,
            strategy: StrategyId::external(),
            decision: DecisionId(0),
            symbol: event.symbol,
            side: event.side,
            position_side: event.position_side,
            role: reason,
            kind: None,
            order: Some(event.order),
            algo: None,
            status,
            qty: event.qty,
            filled: event.filled,
            fill,
            reject: None,
            frees_reservation: false,
            time: now.market,
        };
        out.push(ExecOut::Update(update));
        self.keep((event.symbol, event.position_side), now, out);
    }

    fn cancelled(&mut self, client_id: ClientOrderId, outcome: &Outcome<OrderState>, now: Now, out: &mut Vec<ExecOut>) {
        match outcome {
            Outcome::Done(state) => self.seen(client_id, state, now, out),
            Outcome::Refused(_) => {
                // Not open any more: what became of it is asked, never assumed.
                if let Some(live) = self.orders.get(&client_id).filter(|o| !o.is_final()) {
                    out.push(ExecOut::Query(live.reference()));
                }
            }
            Outcome::NotExecuted { .. } | Outcome::Unknown { .. } => {
                self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.retry), TimerFor::CancelAgain(client_id), out);
            }
        }
    }

    fn queried(&mut self, client_id: ClientOrderId, answer: &Result<Option<OrderState>, String>, now: Now, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get_mut(&client_id) else { return };
        if live.is_final() {
            return;
        }
        match answer {
            Ok(Some(state)) => self.seen(client_id, &state.clone(), now, out),
            Err(_) => {
                self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.doubt_interval), TimerFor::Doubt(client_id), out);
            }
            Ok(None) => {
                let Some(doubt) = live.doubt.as_mut() else {
                    self.vanished(client_id, now, out);
                    return;
                };
                if now.protocol >= doubt.fence {
                    doubt.not_found = doubt.not_found.saturating_add(1);
                }
                let next = now.protocol.plus(self.rules.doubt_interval).max(doubt.fence);
                if doubt.not_found < self.rules.doubt_answers {
                    self.wake(ClockKind::Protocol, next, TimerFor::Doubt(client_id), out);
                    return;
                }
                live.doubt = None;
                live.status = OrderStatus::Dead;
                let symbol = live.order.symbol;
                self.thaw(symbol, out);
                self.ended(client_id, None, now, out);
                // No fill of it may have slipped by: compare positions as well.
                self.reconcile(now, out);
            }
        }
    }

    /// The order was known to live and is gone from the exchange's books (-2013): it ended without a fill that we miss.
    pub(super) fn vanished(&mut self, client_id: ClientOrderId, now: Now, out: &mut Vec<ExecOut>) {
        if let Some(live) = self.orders.get_mut(&client_id) {
            live.advance(OrderStatus::Expired);
            self.ended(client_id, None, now, out);
        }
    }

    /// A fill of ours that a survey brought and the stream did not.
    pub(super) fn late_fill(&mut self, client_id: ClientOrderId, fill: Fill, now: Now, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get_mut(&client_id) else { return };
        let was_unknown = live.status == OrderStatus::Unknown;
        let change = live.on_fill(fill);
        self.settle_change(client_id, &change, was_unknown, now, out);
    }

    /// A fill of nobody we know.
    pub(super) fn foreign_fill(&mut self, fill: Fill, now: Now, out: &mut Vec<ExecOut>) {
        self.move_net(&fill);
        let update = OrderUpdate {
            seq: self.take_update(),
            client_id: None,
            strategy: StrategyId::external(),
            decision: DecisionId(0),
            symbol: fill.symbol,
            side: fill.side,
            position_side: fill.position_side,
            role: None,
            kind: None,
            order: Some(fill.order),
            algo: None,
            status: OrderStatus::Filled,
            qty: fill.qty,
            filled: fill.qty,
            fill: Some(fill),
            reject: None,
            frees_reservation: false,
            time: now.market,
        };
        out.push(ExecOut::Update(update));
    }

    /// The order is final without a fill in this step.
    pub(super) fn ended(&mut self, client_id: ClientOrderId, reject: Option<VenueError>, now: Now, out: &mut Vec<ExecOut>) {
        self.report(client_id, None, reject.clone(), now, out);
        self.forget_later(client_id);
        self.protection_ended(client_id, reject.as_ref(), now, out);
        self.protect_after(client_id, now, out);
    }

    fn protect_after(&mut self, client_id: ClientOrderId, now: Now, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get(&client_id) else { return };
        let desk = (live.order.symbol, live.order.position_side);
        self.protection_seen(client_id, out);
        self.keep(desk, now, out);
    }

    pub(super) fn forget_later(&mut self, client_id: ClientOrderId) {
        self.finals.push_back(client_id);
        while self.finals.len() > FINAL_ORDERS_KEPT {
            if let Some(order) = self.finals.pop_front().and_then(|old| self.orders.remove(&old)).and_then(|o| o.order_id) {
                self.by_order.remove(&order);
            }
        }
    }

    /// Tells the world where an order stands.
    pub(super) fn report(
        &mut self,
        client_id: ClientOrderId,
        fill: Option<Fill>,
        reject: Option<VenueError>,
        now: Now,
        out: &mut Vec<ExecOut>,
    ) {
        let seq = self.take_update();
        let Some(live) = self.orders.get(&client_id) else { return };
        let order = &live.order;
        out.push(ExecOut::Update(OrderUpdate {
            seq,
            client_id: Some(client_id),
            strategy: order.strategy,
            decision: order.decision,
            symbol: order.symbol,
            side: order.side,
            position_side: order.position_side,
            role: Some(order.role.clone()),
            kind: Some(order.kind),
            order: live.order_id,
            algo: live.algo_id,
            status: live.status,
            qty: order.qty,
            filled: live.filled,
            fill,
            reject,
            frees_reservation: live.is_final(),
            time: now.market,
        }));
    }

    fn take_update(&mut self) -> u64 {
        let seq = self.next_update;
        self.next_update += 1;
        seq
    }

    pub(super) fn freeze(&mut self, symbol: Symbol, out: &mut Vec<ExecOut>) {
        let count = self.frozen.entry(symbol).or_insert(0);
        *count += 1;
        if *count == 1 {
            out.push(ExecOut::Frozen { symbol, frozen: true });
        }
    }

    pub(super) fn thaw(&mut self, symbol: Symbol, out: &mut Vec<ExecOut>) {
        let Some(count) = self.frozen.get_mut(&symbol) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.frozen.remove(&symbol);
            out.push(ExecOut::Frozen { symbol, frozen: false });
        }
    }

    pub(super) fn wake(&mut self, clock: ClockKind, at: Timestamp, why: TimerFor, out: &mut Vec<ExecOut>) -> TimerId {
        let timer = TimerId(self.next_timer);
        self.next_timer += 1;
        self.timers.insert(timer, why);
        out.push(ExecOut::Wake(WakeAt { clock, at, timer }));
        timer
    }

    fn woken(&mut self, timer: TimerId, now: Now, out: &mut Vec<ExecOut>) {
        match self.timers.remove(&timer) {
            None => {}
            Some(TimerFor::StopDeadline(desk)) => self.deadline(desk, timer, now, out),
            Some(TimerFor::Protect(desk)) => self.pause_over(desk, now, out),
            Some(TimerFor::Doubt(client_id)) => {
                if let Some(live) = self.orders.get(&client_id).filter(|o| !o.is_final() && o.doubt.is_some()) {
                    out.push(ExecOut::Query(live.reference()));
                }
            }
            Some(TimerFor::LateFills(client_id)) => {
                let late = self.orders.get(&client_id).is_some_and(|o| o.misses_fills() || o.status == OrderStatus::Triggered);
                if late {
                    self.reconcile(now, out);
                }
            }
            Some(TimerFor::CancelAgain(client_id)) => {
                if let Some(live) = self.orders.get(&client_id).filter(|o| !o.is_final()) {
                    out.push(ExecOut::Cancel(live.reference()));
                }
            }
            Some(TimerFor::Survey) => self.reconcile(now, out),
        }
    }

    fn protect(&mut self, protection: &ApprovedProtection, now: Now, out: &mut Vec<ExecOut>) {
        match protection.action() {
            ProtectiveAction::Exit(intent) => {
                let reason = match &intent.purpose {
                    Purpose::Exit { reason } => *reason,
                    Purpose::Entry { .. } => ExitReason::Signal,
                };
                self.tally.protective += 1;
                let mut draft = Draft::of_intent(intent, OrderRole::Exit { reason });
                draft.reduce_only = true;
                self.plan(draft, now, out);
            }
            ProtectiveAction::Cancel(cancel) => self.cancel_entries(cancel, out),
            ProtectiveAction::Flatten { symbol, position_side, reason, .. } => {
                self.cancel_entries(
                    &CancelIntent { strategy: StrategyId::external(), symbol: *symbol, client_id: None, decided: now.market },
                    out,
                );
                self.close_out((*symbol, *position_side), *reason, now, out);
            }
        }
    }

    /// Withdraws standing entries: of the intent's strategy, or of every strategy where it names the external one.
    fn cancel_entries(&mut self, cancel: &CancelIntent, out: &mut Vec<ExecOut>) {
        let every = cancel.strategy == StrategyId::external();
        let mut wanted = Vec::new();
        for live in self.orders.values_mut() {
            let entry = matches!(live.order.role, OrderRole::Entry { .. });
            let meant = live.order.symbol == cancel.symbol && (every || live.order.strategy == cancel.strategy);
            let named = cancel.client_id.is_none_or(|id| id == live.order.client_id);
            if entry && meant && named && live.sent && !live.is_final() && !live.cancelling {
                live.cancelling = true;
                wanted.push(live.reference());
            }
        }
        for order in wanted {
            self.send_cancel(order, out);
        }
    }

    pub(super) fn send_cancel(&mut self, order: OrderRef, out: &mut Vec<ExecOut>) {
        out.push(ExecOut::Journal {
            record: Record::CancelPlanned { client_id: order.client_id, symbol: order.symbol, algo: order.algo },
            durable: None,
            priority: Priority::Protective,
        });
        out.push(ExecOut::Cancel(order));
    }

    fn role_changed(&mut self, role: Role) {
        match role {
            Role::Leader { epoch, sign_until } => {
                self.leader = true;
                if epoch > self.epoch {
                    self.epoch = epoch;
                }
                self.sign_until = Some(Timestamp(sign_until));
            }
            Role::Standby | Role::Fenced => self.leader = false,
        }
    }
}

impl Node for ExecutionNode {
    type In = ExecIn;
    type Out = ExecOut;

    fn on(&mut self, input: &ExecIn, now: Now, out: &mut Vec<ExecOut>) {
        match input {
            ExecIn::Approved { order, gate } => self.approved(order, *gate, now, out),
            ExecIn::Protect(protection) => self.protect(protection, now, out),
            ExecIn::Durable { client_id, gate } => self.durable(*client_id, *gate, now, out),
            ExecIn::NotDurable { client_id, cause } => self.drop_unsent(*client_id, cause, now, out),
            ExecIn::Configured { symbol, outcome } => self.settings_answered(*symbol, outcome, now, out),
            ExecIn::Placed { client_id, outcome } => self.placed(*client_id, outcome, now, out),
            ExecIn::Cancelled { client_id, outcome } => self.cancelled(*client_id, outcome, now, out),
            ExecIn::Queried { client_id, answer } => self.queried(*client_id, answer, now, out),
            ExecIn::Order(event) => self.on_order(event, None, now, out),
            ExecIn::Algo(event) => self.on_algo(event, None, now, out),
            ExecIn::Account(event) => out.push(ExecOut::Account(event.clone())),
            ExecIn::Role(role) => self.role_changed(*role),
            ExecIn::Instrument(instrument) => {
                self.steps.insert(instrument.symbol, instrument.step);
            }
            ExecIn::Reconcile { .. } | ExecIn::Poll => self.reconcile(now, out),
            ExecIn::Surveyed(answer) => self.surveyed(answer, now, out),
            ExecIn::Wake(timer) => self.woken(*timer, now, out),
        }
    }
}
