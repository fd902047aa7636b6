//! Where the output of each node goes. Every enum is matched whole: a new output compiles only when it is routed here too.

use super::mail::Request;
use super::{Runner, Venue};
use crate::audit::{AuditIn, AuditOut};
use crate::breaker::{BreakerIn, BreakerOut};
use crate::control::{Command, Notice, Severity};
use crate::execution::{ExecIn, ExecOut};
use crate::failover::FailoverOut;
use crate::feed::FeedOut;
use crate::gate::{GateOwner, GateState, Role};
use crate::id::ClientOrderId;
use crate::indicator::{IndicatorIn, IndicatorOut};
use crate::market::MarketEvent;
use crate::node::Node;
use crate::notify::{NotifyIn, NotifyOut};
use crate::operator::{OperatorIn, OperatorOut};
use crate::order::OrderRole;
use crate::position::node::{PositionIn, PositionOut};
use crate::record::Record;
use crate::risk::node::{RiskIn, RiskOut};
use crate::strategy::{StrategyIn, StrategyOut};
use std::sync::Arc;

impl<V: Venue> Runner<V> {
    pub(super) fn route_feed(&mut self, out: Vec<FeedOut>) {
        for effect in out {
            match effect {
                FeedOut::Warmup(warmup) => self.mail.indicator(IndicatorIn::Warmup(warmup)),
                FeedOut::Event(event) => match event {
                    MarketEvent::BarClosed(bar) => {
                        self.mail.indicator(IndicatorIn::Bar(bar));
                        self.note(Record::BarSeen(bar));
                    }
                    MarketEvent::Mark(mark) => {
                        self.mail.position(PositionIn::Mark(mark));
                        self.mail.risk(RiskIn::Mark(mark));
                        self.mail.operator(OperatorIn::Mark(mark));
                    }
                    // Shown to whoever looks; no rule of this engine reads them yet.
                    MarketEvent::Trade(_)
                    | MarketEvent::BookTop(_)
                    | MarketEvent::Depth(_)
                    | MarketEvent::BarForming(_)
                    | MarketEvent::Funding(_)
                    | MarketEvent::Ticker(_)
                    | MarketEvent::Liquidation(_) => {}
                },
                FeedOut::Status(status) => {
                    self.mail.risk(RiskIn::Feed(status));
                    self.mail.breaker(BreakerIn::Feed(status));
                }
                FeedOut::Notice(notice) => self.notify(notice),
            }
        }
    }

    pub(super) fn route_indicator(&mut self, out: Vec<IndicatorOut>) {
        for effect in out {
            match effect {
                IndicatorOut::Frame(frame) => self.mail.each_strategy(&StrategyIn::Frame(frame)),
                IndicatorOut::Missing { symbol, timeframe, .. } => self.mail.request(Request::Refill { symbol, timeframe }),
                IndicatorOut::Refused { symbol, error } => {
                    let text = format!("{symbol}: a bar was left out of the indicators: {error}");
                    self.notify(Notice::new(Severity::Warning, "BAR_REFUSED", text).about(symbol));
                }
            }
        }
    }

    pub(super) fn route_strategy(&mut self, out: Vec<StrategyOut>) {
        for effect in out {
            match effect {
                StrategyOut::Intent(intent) => {
                    self.note(Record::IntentRaised(intent.clone()));
                    self.mail.risk(RiskIn::Intent { intent, gate: self.gate.read() });
                }
                StrategyOut::Cancel(intent) => {
                    self.note(Record::CancelRaised(intent));
                    self.mail.risk(RiskIn::Cancel { intent, gate: self.gate.read() });
                }
                StrategyOut::Notice(notice) => self.notify(notice),
            }
        }
    }

    pub(super) fn route_operator(&mut self, out: Vec<OperatorOut>) {
        for effect in out {
            match effect {
                OperatorOut::Intent(intent) => {
                    self.note(Record::IntentRaised(intent.clone()));
                    self.mail.risk(RiskIn::Intent { intent, gate: self.gate.read() });
                }
                OperatorOut::Notice(notice) => self.notify(notice),
            }
        }
    }

    /// The gate is read at the instant of use.
    pub(super) fn take_risk(&mut self, mut message: RiskIn) {
        if let RiskIn::Intent { gate, .. } | RiskIn::Cancel { gate, .. } = &mut message {
            *gate = self.gate.read();
        }
        let mut out = Vec::new();
        self.risk.on(&message, self.now, &mut out);
        for effect in out {
            match effect {
                RiskOut::Approved(order) => self.mail.execution(ExecIn::Approved { order, gate: self.gate.read() }),
                RiskOut::Protect(protection) => self.mail.execution(ExecIn::Protect(protection)),
                RiskOut::Refused(refusal) => {
                    self.note(Record::IntentRefused(refusal.clone()));
                    self.mail.each_strategy(&StrategyIn::Refused(refusal));
                }
            }
        }
    }

    pub(super) fn take_execution(&mut self, mut message: ExecIn) {
        match &mut message {
            ExecIn::Approved { gate, .. } => {
                *gate = self.gate.read();
                self.tally.approved += 1;
            }
            ExecIn::Durable { gate, .. } => *gate = self.gate.read(),
            ExecIn::Reconcile { .. } => self.recovering = true,
            _ => {}
        }
        let mut out = Vec::new();
        self.execution.on(&message, self.now, &mut out);
        self.route_execution(out);
    }

    /// A record is on disk as soon as it is written here, so the answer is owed at once.
    fn journal_order(&mut self, record: Record, durable: Option<ClientOrderId>) {
        match &record {
            Record::OrderPlanned(order) if !matches!(order.role, OrderRole::Entry { .. }) => self.tally.protective += 1,
            Record::OrderVoided { .. } => self.tally.voided += 1,
            _ => {}
        }
        self.note(record);
        if let Some(client_id) = durable {
            let (number, gate) = (self.mail.question(), self.gate.read());
            self.mail.owed.insert(number, ExecIn::Durable { client_id, gate });
        }
    }

    pub(super) fn route_execution(&mut self, out: Vec<ExecOut>) {
        for effect in out {
            match effect {
                ExecOut::Journal { record, durable, priority: _ } => self.journal_order(record, durable),
                ExecOut::Place { order, sign_until: _ } => {
                    self.tally.sent += 1;
                    self.mail.request(Request::Place(Box::new(order)));
                }
                ExecOut::Cancel(order) => self.mail.request(Request::Cancel(order)),
                ExecOut::Query(order) => self.mail.request(Request::Query(order)),
                ExecOut::Configure { symbol, leverage, margin_mode } => {
                    self.mail.request(Request::Configure { symbol, leverage, margin_mode });
                }
                ExecOut::Survey(plan) => self.mail.request(Request::Survey(plan)),
                ExecOut::Update(update) => self.mail.position(PositionIn::Update(update)),
                ExecOut::Account(event) => self.mail.position(PositionIn::Account(event)),
                ExecOut::Snapshot { account, incomes } => {
                    for income in incomes {
                        self.mail.position(PositionIn::Income(income));
                    }
                    for settings in &account.settings {
                        self.mail.position(PositionIn::Settings(*settings));
                    }
                    self.mail.position(if self.recovering { PositionIn::Snapshot(account) } else { PositionIn::Polled(account) });
                }
                ExecOut::Frozen { symbol, frozen } => self.mail.risk(RiskIn::Frozen { symbol, frozen }),
                ExecOut::Reconciled => {
                    self.recovering = false;
                    self.hold(GateOwner::Recovery, GateState::Open, "orders and positions agree with the exchange");
                    self.hold(GateOwner::Supervisor, GateState::Open, "orders and positions agree with the exchange");
                }
                ExecOut::Notice(notice) => self.notify(notice),
                ExecOut::Wake(wake) => self.mail.execution.arm(wake),
            }
        }
    }

    /// Facts are written before they are booked: what follows from them is computed, not believed.
    pub(super) fn take_position(&mut self, message: &PositionIn) {
        match message {
            PositionIn::Update(update) => self.note(Record::OrderUpdated(update.clone())),
            PositionIn::Account(event) => self.note(Record::AccountChanged(event.clone())),
            PositionIn::Snapshot(snapshot) => self.note(Record::SnapshotAdopted(snapshot.clone())),
            PositionIn::Polled(_)
            | PositionIn::Income(_)
            | PositionIn::Mark(_)
            | PositionIn::Settings(_)
            | PositionIn::Instrument(_)
            | PositionIn::Brackets(_) => {}
        }
        let mut out = Vec::new();
        self.position.on(message, self.now, &mut out);
        for effect in out {
            match effect {
                PositionOut::Frame(frame) => {
                    self.mail.risk(RiskIn::Account(Arc::clone(&frame)));
                    self.mail.each_strategy(&StrategyIn::Account(Arc::clone(&frame)));
                    self.mail.operator(OperatorIn::Account(Arc::clone(&frame)));
                    self.mail.breaker(BreakerIn::Account(Arc::clone(&frame)));
                    self.account = Some(frame);
                }
                PositionOut::Journal(Record::AccountChanged(_) | Record::SnapshotAdopted(_)) => {}
                PositionOut::Journal(record) => self.note(record),
                PositionOut::Notice(notice) => self.notify(notice),
                PositionOut::Mismatch { text } => {
                    self.hold(GateOwner::Recovery, GateState::Halted, &text);
                    self.notify(Notice::new(Severity::Critical, "BOOKS_DIFFER", text));
                    self.mail.execution(ExecIn::Reconcile { cause: "books and exchange differ" });
                }
            }
        }
    }

    pub(super) fn take_breaker(&mut self, message: &BreakerIn) {
        let mut out = Vec::new();
        self.breaker.on(message, self.now, &mut out);
        self.route_breaker(out);
    }

    pub(super) fn route_breaker(&mut self, out: Vec<BreakerOut>) {
        for effect in out {
            match effect {
                BreakerOut::Gate { state, cause } => self.hold(GateOwner::Breaker, state, &cause),
                BreakerOut::Notice(notice) => self.notify(notice),
                BreakerOut::Wake(wake) => self.mail.breaker.arm(wake),
                BreakerOut::Journal(record) => self.note(record),
            }
        }
    }

    pub(super) fn route_failover(&mut self, out: Vec<FailoverOut>) {
        for effect in out {
            match effect {
                FailoverOut::Role(role) => {
                    self.mail.execution(ExecIn::Role(role));
                    self.note(Record::RoleChanged(role));
                    match role {
                        Role::Leader { epoch, .. } => {
                            self.hold(GateOwner::Failover, GateState::Open, &format!("this process holds the lease, epoch {epoch}"));
                            self.mail.execution(ExecIn::Reconcile { cause: "this process became leader" });
                        }
                        Role::Standby => {
                            self.hold(GateOwner::Failover, GateState::Halted, "another process holds the lease; this one stands by");
                        }
                        Role::Fenced => self.hold(GateOwner::Failover, GateState::Halted, "the lease was lost"),
                    }
                }
                // The lease lives on the wall clock, which does not pass on a tape.
                FailoverOut::Acquire | FailoverOut::Renew | FailoverOut::Wake(_) => {}
            }
        }
    }

    pub(super) fn route_audit(&mut self, out: Vec<AuditOut>) {
        for effect in out {
            match effect {
                AuditOut::Journal { id, record } => {
                    self.note(record);
                    self.mail.audit(AuditIn::Written { id });
                }
                // Nobody waits for an answer on a tape.
                AuditOut::Acknowledge { .. } => {}
                AuditOut::Deliver(command) => self.deliver(command),
            }
        }
    }

    fn deliver(&mut self, command: Command) {
        match &command {
            Command::Signal(_) => self.mail.operator(OperatorIn::Command(command)),
            Command::Pause { .. } | Command::Resume { .. } | Command::Flatten { .. } => {
                self.mail.each_strategy(&StrategyIn::Command(command));
            }
            Command::ResetBreaker => self.mail.breaker(BreakerIn::Command(command)),
            Command::SetGate { state } => self.hold(GateOwner::Operator, *state, "by order of the operator"),
        }
    }

    pub(super) fn take_notice(&mut self, message: &NotifyIn) {
        if let NotifyIn::Notice(notice) = message {
            self.note(Record::Noticed(notice.clone()));
        }
        let mut out = Vec::new();
        self.notifier.on(message, self.now, &mut out);
        for effect in out {
            match effect {
                NotifyOut::Wake(wake) => self.mail.notifier.arm(wake),
                // A tape reaches nobody; that it was told stands in the journal.
                NotifyOut::Deliver { .. } => {}
            }
        }
    }
}
