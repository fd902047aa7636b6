//! The gate as a node: facts in, verdicts out.

use super::check::{Check, Fault};
use super::facts::Facts;
use super::limits::RiskLimits;
use super::refusal::{Measure, Refusal, RefusalCode};
use super::reserve::reservation;
use super::rules::failures;
use super::signal::intent_of;
use super::{ApprovedOrder, ApprovedProtection, ProtectiveAction};
use crate::account::AccountFrame;
use crate::control::Signal;
use crate::gate::GateWord;
use crate::id::DecisionId;
use crate::instrument::{Brackets, Instrument};
use crate::market::{FeedStatus, Mark};
use crate::node::Node;
use crate::num::{Rounding, Usdt, notional};
use crate::order::{CancelIntent, OrderIntent, OrderKind, OrderRole, Side};
use crate::record::{Record, RefusalRecord};
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the gate takes.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum RiskIn {
    /// A wish to trade, with the gate as read when it arrived.
    Intent {
        /// The wish.
        intent: OrderIntent,
        /// The gate now.
        gate: GateWord,
    },
    /// The operator's wish, to be sized by equity; the verdict carries its decision.
    Signal {
        /// The wish.
        signal: Signal,
        /// The gate now.
        gate: GateWord,
    },
    /// A wish to withdraw entry orders: always approved.
    Cancel {
        /// The wish.
        intent: CancelIntent,
        /// The gate now.
        gate: GateWord,
    },
    /// The complete account; replaces the one before.
    Account(Arc<AccountFrame>),
    /// Mark price and funding rate.
    Mark(Mark),
    /// Filters of a contract.
    Instrument(Arc<Instrument>),
    /// Leverage brackets of a contract.
    Brackets(Arc<Brackets>),
    /// State of a symbol's data.
    Feed(FeedStatus),
    /// An order of unknown fate freezes the symbol for new risk, until it is known.
    Frozen {
        /// Contract.
        symbol: Symbol,
        /// From now on?
        frozen: bool,
    },
    /// An approval was voided before any order fact came of it: its reservation ends.
    Voided(DecisionId),
    /// No entry on a symbol until an instant (market clock).
    Lock(Lock),
    /// Removes every lock of a symbol, and forgives losing streak, cool-down and low profit up to now.
    Unlock {
        /// Contract.
        symbol: Symbol,
    },
}

/// A symbol on which no entry is made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lock {
    /// Contract.
    pub symbol: Symbol,
    /// Only entries of this side; both where missing.
    pub side: Option<Side>,
    /// Until when (market clock).
    pub until: Timestamp,
    /// Why, in one sentence.
    pub reason: String,
}

/// What the gate gives: one verdict for each wish.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum RiskOut {
    /// An entry that passed.
    Approved(ApprovedOrder),
    /// An exit or a withdrawal that passed.
    Protect(ApprovedProtection),
    /// Refused, with every rule that failed.
    Refused(RefusalRecord),
}

/// The risk gate.
#[derive(Clone, Debug, Default)]
pub struct RiskNode {
    limits: RiskLimits,
    facts: Facts,
}

impl RiskNode {
    /// A gate that knows nothing yet and so refuses every entry.
    #[must_use]
    pub fn new(limits: RiskLimits) -> Self {
        Self { limits, facts: Facts::default() }
    }

    /// Counts the entries of the journal into the notional of their day. Everything else comes anew with the account frame,
    /// marks, filters and brackets.
    pub fn restore<'a>(&mut self, records: impl Iterator<Item = &'a Record>) {
        let mut raised = BTreeMap::new();
        for record in records {
            match record {
                Record::SessionStarted { .. } => raised.clear(),
                Record::IntentRaised(intent) => {
                    raised.insert(intent.decision, intent.reference);
                }
                Record::OrderPlanned(order) if matches!(order.role, OrderRole::Entry { .. }) => {
                    let price = match order.kind {
                        OrderKind::Limit { price, .. } => Some(price),
                        _ => raised.remove(&order.decision),
                    };
                    let value = price.and_then(|p| notional(p, order.qty, Rounding::Ceil).ok()).unwrap_or(Usdt::MAX);
                    if self.facts.count_notional(order.strategy, value, order.decided).is_err() {
                        // Beyond all counting is beyond the limit too: the day stays closed for this strategy.
                        self.facts.cap_notional(order.strategy, order.decided);
                    }
                }
                _ => {}
            }
        }
    }

    /// Every lock in force at `now` (market clock): those set by hand and those that follow from the track records.
    #[must_use]
    pub fn locks(&self, now: Timestamp) -> Vec<Lock> {
        let mut locks: Vec<Lock> = self.facts.locks.iter().filter(|l| l.until > now).cloned().collect();
        let Some(account) = self.facts.account.as_deref() else { return locks };
        for ((strategy, symbol), record) in &account.records {
            if record.trades == 0 || record.last_close <= self.facts.forgiven_until((*strategy, *symbol)) {
                continue;
            }
            let limits = self.limits.of(*strategy);
            let streak = limits.consecutive_losses.get().filter(|l| record.losses_in_a_row >= l.losses).map(|l| (l.lock, "losing streak"));
            let low = limits.low_profit.get().filter(|l| record.trades >= l.trades && record.realized < l.profit);
            let rules = [streak, limits.cooldown.get().map(|span| (span, "cool-down")), low.map(|l| (l.lock, "low profit"))];
            for (span, why) in rules.into_iter().flatten() {
                let until = record.last_close.plus(span);
                if until > now {
                    locks.push(Lock { symbol: *symbol, side: None, until, reason: format!("{why} of {strategy}") });
                }
            }
        }
        locks
    }

    /// Margin and fees set aside for entries of which the account frame has not heard.
    #[must_use]
    pub fn reserved(&self) -> Usdt {
        self.facts.reserved().unwrap_or(Usdt::MAX)
    }

    fn judge(&mut self, intent: &OrderIntent, gate: GateWord, now: Now) -> RiskOut {
        self.facts.expire(now);
        let limits = self.limits.of(intent.strategy);
        let check = Check::new(intent, gate, now, &limits, &self.facts);
        let failed = failures(&check);
        if !failed.is_empty() {
            return refused(intent, &failed);
        }
        if !intent.is_entry() {
            self.facts.count_sent(now);
            return RiskOut::Protect(ApprovedProtection::new(ProtectiveAction::Exit(intent.clone())));
        }
        let reserved = reservation(&check)
            .and_then(|r| notional(r.price, r.qty, Rounding::Ceil).map(|value| (r, value)).map_err(Fault::from))
            .and_then(|(r, value)| self.facts.count_notional(intent.strategy, value, now.market).map(|()| r).map_err(Fault::from));
        match reserved {
            Ok(reservation) => {
                let amount = reservation.amount;
                self.facts.reservations.push(reservation);
                self.facts.count_sent(now);
                self.facts.count_entry(intent, limits.repeat_span.get(), now);
                RiskOut::Approved(ApprovedOrder::new(intent.clone(), gate.epoch, amount))
            }
            Err(_) => refused(intent, &[no_room()]),
        }
    }
}

fn no_room() -> Refusal {
    Refusal {
        code: RefusalCode::InsufficientMargin,
        value: Measure::Missing,
        limit: Measure::Missing,
        message: "the reservation of the order does not fit".to_owned(),
    }
}

fn refused(intent: &OrderIntent, failed: &[Refusal]) -> RiskOut {
    RiskOut::Refused(RefusalRecord { intent: intent.clone(), failures: failed.iter().map(Refusal::detail).collect() })
}

impl Node for RiskNode {
    type In = RiskIn;
    type Out = RiskOut;

    fn on(&mut self, input: &RiskIn, now: Now, out: &mut Vec<RiskOut>) {
        match input {
            RiskIn::Intent { intent, gate } => out.push(self.judge(intent, *gate, now)),
            RiskIn::Signal { signal, gate } => {
                let intent = intent_of(signal, &self.facts, now);
                out.push(self.judge(&intent, *gate, now));
            }
            RiskIn::Cancel { intent, .. } => out.push(RiskOut::Protect(ApprovedProtection::new(ProtectiveAction::Cancel(*intent)))),
            RiskIn::Account(frame) => self.facts.take_account(frame),
            RiskIn::Mark(mark) => {
                self.facts.marks.insert(mark.symbol, (*mark, now.protocol));
            }
            RiskIn::Instrument(instrument) => {
                self.facts.instruments.insert(instrument.symbol, Arc::clone(instrument));
            }
            RiskIn::Brackets(brackets) => {
                self.facts.brackets.insert(brackets.symbol, Arc::clone(brackets));
            }
            RiskIn::Feed(status) => {
                self.facts.feeds.insert(status.symbol, status.state);
            }
            RiskIn::Frozen { symbol, frozen: true } => {
                self.facts.frozen.insert(*symbol);
            }
            RiskIn::Frozen { symbol, frozen: false } => {
                self.facts.frozen.remove(symbol);
            }
            RiskIn::Voided(decision) => self.facts.reservations.retain(|r| r.decision != *decision),
            RiskIn::Lock(lock) => self.facts.locks.push(lock.clone()),
            RiskIn::Unlock { symbol } => {
                self.facts.locks.retain(|lock| lock.symbol != *symbol);
                self.facts.forgiven.insert(*symbol, now.market);
            }
        }
    }
}
