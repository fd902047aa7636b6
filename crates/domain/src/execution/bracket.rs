//! The protection of every position: its stop, its targets, its trailing stop, and what is done when the stop cannot be had.
//!
//! Invariant: a position that we opened has a stop that stands at the exchange or is on its way; when none is accepted before
//! the deadline, the position is closed. When the position is gone, so are its orders.

use super::draft::Draft;
use super::messages::ExecOut;
use super::node::{ExecutionNode, TimerFor};
use crate::control::{Notice, Severity};
use crate::id::{ClientOrderId, DecisionId, StrategyId, TimerId};
use crate::node::ClockKind;
use crate::num::{Qty, Rounding};
use crate::order::{ExitReason, OrderKind, OrderRole, OrderStatus, PositionSide, Protection, Side, VenueError, WorkingType};
use crate::symbol::Symbol;
use crate::time::Now;

/// A position's place: contract and side.
pub(crate) type Desk = (Symbol, PositionSide);

/// What protects a position that we opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bracket {
    /// Owner of the position.
    pub strategy: StrategyId,
    /// As the entry brought it.
    pub protection: Protection,
    /// The position is long.
    pub long: bool,
    /// The stop that stands or is on its way.
    pub stop: Option<ClientOrderId>,
    /// Targets and trailing stop were placed: they are sized by the whole entry, so only after it has ended.
    pub extras_placed: bool,
    /// Waits for the stop to be accepted.
    pub deadline: Option<TimerId>,
    /// Placing the stop failed for now; tried again at this wake-up.
    pub pause: Option<TimerId>,
    /// The market order that closes the position because no stop could be had.
    pub flatten: Option<ClientOrderId>,
}

impl ExecutionNode {
    /// An entry filled: its protection becomes the position's.
    pub(super) fn raise_bracket(&mut self, desk: Desk, strategy: StrategyId, protection: Protection, long: bool) {
        match self.brackets.get_mut(&desk) {
            Some(bracket) if bracket.long == long => {
                if bracket.protection != protection {
                    bracket.protection = protection;
                    bracket.stop = None; // the old one is withdrawn once the new one stands
                    bracket.extras_placed = false;
                }
            }
            _ => {
                let bracket =
                    Bracket { strategy, protection, long, stop: None, extras_placed: false, deadline: None, pause: None, flatten: None };
                self.brackets.insert(desk, bracket);
            }
        }
    }

    /// Makes the protection of one position what it must be.
    pub(super) fn keep(&mut self, desk: Desk, now: Now, out: &mut Vec<ExecOut>) {
        let net = self.net.get(&desk).copied().unwrap_or_default();
        let Some(bracket) = self.brackets.get(&desk) else {
            if net.is_zero() {
                self.withdraw(desk, None, out);
            }
            return;
        };
        if net.is_zero() || bracket.long == net.is_negative() {
            self.brackets.remove(&desk);
            self.withdraw(desk, None, out);
            return;
        }
        let (stop, flatten, paused) = (bracket.stop, bracket.flatten, bracket.pause.is_some());
        if flatten.is_some_and(|id| self.orders.get(&id).is_some_and(|o| !o.is_final())) || !self.leader {
            return;
        }
        let standing = stop.is_some_and(|id| self.orders.get(&id).is_some_and(|o| !o.is_final() && !o.cancelling));
        if !standing && !paused {
            self.place_stop(desk, now, out);
        }
        self.place_extras(desk, net, now, out);
    }

    fn place_stop(&mut self, desk: Desk, now: Now, out: &mut Vec<ExecOut>) {
        let Some(bracket) = self.brackets.get(&desk) else { return };
        let draft = Draft {
            decision: DecisionId(0),
            strategy: bracket.strategy,
            symbol: desk.0,
            side: if bracket.long { Side::Sell } else { Side::Buy },
            position_side: desk.1,
            kind: OrderKind::StopMarket { trigger: bracket.protection.stop, working: bracket.protection.working },
            qty: Qty::ZERO,
            reduce_only: false,
            close_position: true,
            role: OrderRole::Stop,
        };
        let waits = bracket.deadline.is_some();
        self.tally.protective += 1;
        let planned = self.plan(draft, now, out);
        let deadline = if waits {
            None
        } else {
            Some(self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.stop_deadline), TimerFor::StopDeadline(desk), out))
        };
        if let Some(bracket) = self.brackets.get_mut(&desk) {
            bracket.stop = planned;
            bracket.deadline = bracket.deadline.or(deadline);
        }
    }

    fn place_extras(&mut self, desk: Desk, net: Qty, now: Now, out: &mut Vec<ExecOut>) {
        let Some(bracket) = self.brackets.get(&desk) else { return };
        let nothing = bracket.protection.targets.is_empty() && bracket.protection.trailing.is_none();
        let entering = self
            .orders
            .values()
            .any(|o| (o.order.symbol, o.order.position_side) == desk && matches!(o.order.role, OrderRole::Entry { .. }) && !o.is_final());
        if nothing || bracket.extras_placed || entering {
            return;
        }
        let Some(step) = self.steps.get(&desk.0).copied() else { return };
        let side = if bracket.long { Side::Sell } else { Side::Buy };
        let strategy = bracket.strategy;
        let mut drafts = Vec::new();
        let mut rest = net.abs();
        let last = bracket.protection.targets.len().saturating_sub(1);
        for (rung, target) in bracket.protection.targets.iter().enumerate() {
            let share = net.abs().times(target.share, Rounding::Floor).and_then(|q| q.round_to(step, Rounding::Floor)).unwrap_or(Qty::ZERO);
            let whole = rung == last && bracket.protection.targets.iter().map(|t| t.share.raw()).sum::<i64>() >= crate::num::SCALE;
            let qty = if whole { rest } else { share.min(rest) };
            rest = rest.checked_sub(qty).unwrap_or(Qty::ZERO);
            drafts.push((
                OrderKind::TakeProfitMarket { trigger: target.price, working: WorkingType::ContractPrice },
                qty,
                OrderRole::Target,
            ));
        }
        if let Some(trailing) = bracket.protection.trailing {
            let kind = OrderKind::TrailingStopMarket {
                activation: trailing.activation,
                callback: trailing.distance,
                working: WorkingType::ContractPrice,
            };
            drafts.push((kind, net.abs(), OrderRole::Trailing));
        }
        if let Some(bracket) = self.brackets.get_mut(&desk) {
            bracket.extras_placed = true;
        }
        for (kind, qty, role) in drafts.into_iter().filter(|(_, qty, _)| qty.is_positive()) {
            self.tally.protective += 1;
            let draft = Draft {
                decision: DecisionId(0),
                strategy,
                symbol: desk.0,
                side,
                position_side: desk.1,
                kind,
                qty,
                reduce_only: true,
                close_position: false,
                role,
            };
            self.plan(draft, now, out);
        }
    }

    /// Cancels the standing protective orders of a place, all or all but one stop.
    fn withdraw(&mut self, desk: Desk, but: Option<ClientOrderId>, out: &mut Vec<ExecOut>) {
        let mut orphans = Vec::new();
        for live in self.orders.values_mut() {
            let order = &live.order;
            let protective = match order.role {
                OrderRole::Stop => true,
                OrderRole::Target | OrderRole::Trailing => but.is_none(),
                OrderRole::Entry { .. } | OrderRole::Exit { .. } => false,
            };
            if protective
                && (order.symbol, order.position_side) == desk
                && live.is_live()
                && live.status != OrderStatus::Triggered
                && !live.cancelling
                && but != Some(order.client_id)
            {
                live.cancelling = true;
                orphans.push(live.reference());
            }
        }
        for order in orphans {
            self.send_cancel(order, out);
        }
    }

    /// A protective order was heard of: a stop that stands ends the wait, and older stops go.
    pub(super) fn protection_seen(&mut self, client_id: ClientOrderId, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get(&client_id) else { return };
        if live.order.role != OrderRole::Stop || !live.is_live() {
            return;
        }
        let desk = (live.order.symbol, live.order.position_side);
        let current = self.brackets.get(&desk).is_some_and(|b| b.stop == Some(client_id));
        if !current {
            return;
        }
        let deadline = self.brackets.get_mut(&desk).and_then(|bracket| {
            bracket.pause = None;
            bracket.deadline.take()
        });
        if let Some(timer) = deadline {
            self.timers.remove(&timer);
            self.withdraw(desk, Some(client_id), out);
        }
    }

    /// A stop or a closing order ended without having done its work.
    pub(super) fn protection_ended(&mut self, client_id: ClientOrderId, reject: Option<&VenueError>, now: Now, out: &mut Vec<ExecOut>) {
        let Some(live) = self.orders.get(&client_id) else { return };
        let desk = (live.order.symbol, live.order.position_side);
        let (status, asked) = (live.status, live.cancelling);
        let Some(bracket) = self.brackets.get_mut(&desk) else { return };
        if bracket.flatten == Some(client_id) {
            bracket.flatten = None;
            if status != OrderStatus::Filled {
                self.pause(desk, now, out);
                self.reconcile(now, out);
            }
        } else if bracket.stop == Some(client_id) {
            bracket.stop = None;
            match status {
                OrderStatus::Rejected => {
                    let why = reject.map_or_else(|| "no reason given".to_owned(), ToString::to_string);
                    out.push(ExecOut::Notice(
                        Notice::new(
                            Severity::Critical,
                            "STOP_REFUSED",
                            format!("the exchange refused the stop ({why}); closing the position"),
                        )
                        .about(desk.0),
                    ));
                    self.close_out(desk, ExitReason::Unprotected, now, out);
                }
                OrderStatus::Canceled if !asked => {
                    out.push(ExecOut::Notice(
                        Notice::new(Severity::Warning, "STOP_VANISHED", "the stop was cancelled outside; placing it again").about(desk.0),
                    ));
                }
                OrderStatus::Dead | OrderStatus::Expired => self.pause(desk, now, out),
                _ => {}
            }
        }
    }

    fn pause(&mut self, desk: Desk, now: Now, out: &mut Vec<ExecOut>) {
        let timer = self.wake(ClockKind::Protocol, now.protocol.plus(self.rules.retry), TimerFor::Protect(desk), out);
        if let Some(bracket) = self.brackets.get_mut(&desk) {
            bracket.pause = Some(timer);
        }
    }

    /// The pause after a failed try is over.
    pub(super) fn pause_over(&mut self, desk: Desk, now: Now, out: &mut Vec<ExecOut>) {
        if let Some(bracket) = self.brackets.get_mut(&desk) {
            bracket.pause = None;
        }
        self.keep(desk, now, out);
    }

    /// The stop's deadline passed.
    pub(super) fn deadline(&mut self, desk: Desk, timer: TimerId, now: Now, out: &mut Vec<ExecOut>) {
        let Some(bracket) = self.brackets.get_mut(&desk) else { return };
        if bracket.deadline != Some(timer) {
            return;
        }
        bracket.deadline = None;
        out.push(ExecOut::Notice(
            Notice::new(Severity::Critical, "STOP_LATE", "no stop was accepted within the deadline; closing the position").about(desk.0),
        ));
        self.close_out(desk, ExitReason::Unprotected, now, out);
    }

    /// Closes a position at the market, whoever opened it.
    pub(super) fn close_out(&mut self, desk: Desk, reason: ExitReason, now: Now, out: &mut Vec<ExecOut>) {
        let net = self.net.get(&desk).copied().unwrap_or_default();
        let closing = self
            .orders
            .values()
            .any(|o| (o.order.symbol, o.order.position_side) == desk && matches!(o.order.role, OrderRole::Exit { .. }) && !o.is_final());
        if net.is_zero() || closing || !self.leader {
            return;
        }
        let strategy = self.brackets.get(&desk).map_or_else(StrategyId::external, |b| b.strategy);
        self.tally.protective += 1;
        let draft = Draft {
            decision: DecisionId(0),
            strategy,
            symbol: desk.0,
            side: if net.is_negative() { Side::Buy } else { Side::Sell },
            position_side: desk.1,
            kind: OrderKind::Market,
            qty: net.abs(),
            reduce_only: true,
            close_position: false,
            role: OrderRole::Exit { reason },
        };
        let planned = self.plan(draft, now, out);
        if let Some(bracket) = self.brackets.get_mut(&desk) {
            bracket.flatten = planned;
        }
    }
}
