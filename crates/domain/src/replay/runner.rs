//! The runner: nodes, their turns, the journal.

use super::mail::{Mail, Post, Request, Turn};
use super::{Gate, Report, Venue};
use crate::account::AccountFrame;
use crate::audit::{AuditIn, AuditNode};
use crate::breaker::{BreakerIn, BreakerNode, BreakerSettings, BreakerState};
use crate::control::{Command, Notice, Severity};
use crate::execution::{ExecIn, ExecutionNode, Outcome, SurveyAnswer, SurveyPlan, Tally};
use crate::failover::{FailoverIn, FailoverNode, LeaseRules};
use crate::feed::{FeedIn, FeedNode};
use crate::gate::{GateOwner, GateState};
use crate::id::{Epoch, TradeId};
use crate::indicator::{IndicatorIn, IndicatorNode, IndicatorSpec, Layout};
use crate::instrument::{Brackets, Instrument};
use crate::market::{FeedStatus, MarketEvent, WarmupBars};
use crate::node::Node;
use crate::notify::{NotifyIn, NotifyNode};
use crate::operator::{OperatorIn, OperatorNode};
use crate::order::MarginMode;
use crate::position::node::{PositionIn, PositionNode};
use crate::record::Record;
use crate::risk::RiskLimits;
use crate::risk::node::{RiskIn, RiskNode};
use crate::strategy::{DecisionIds, SettingsError, StrategyIn, StrategyNode, StrategySettings, StrategyStart};
use crate::symbol::Symbol;
use crate::time::{Now, Span, Timestamp};
use std::sync::Arc;

/// What a runner is made of: the pure part of what the engine is made of.
pub struct RunnerParts<V> {
    /// The exchange.
    pub venue: V,
    /// Contracts known before the start.
    pub instruments: Vec<Arc<Instrument>>,
    /// Their brackets.
    pub brackets: Vec<Arc<Brackets>>,
    /// Strategy instances.
    pub strategies: Vec<StrategySettings>,
    /// Indicators of all strategies.
    pub specs: Vec<IndicatorSpec>,
    /// Bars that warm every strategy up.
    pub warmup_bars: u16,
    /// Limits of risk.
    pub limits: RiskLimits,
    /// Limits of the circuit breaker.
    pub breaker: BreakerSettings,
    /// Its stored state.
    pub breaker_state: Option<BreakerState>,
    /// Orders as the journal tells them.
    pub execution: ExecutionNode,
    /// Books as the journal tells them.
    pub position: PositionNode,
    /// The lease's epoch and end.
    pub grant: (Epoch, Timestamp),
    /// Figures of the lease. It is never renewed here, for it lives on the wall clock: give a grant that outlasts the tape.
    pub lease_rules: LeaseRules,
    /// How long a signed request may still reach the exchange.
    pub fence: Span,
    /// For how long equal notices are gathered.
    pub notice_window: Span,
    /// The instant of the start.
    pub start: Timestamp,
}

/// Something that comes from outside.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from the tape to a queue")]
pub enum Input {
    /// Bars from before the stream.
    Warmup(WarmupBars),
    /// A symbol's data state.
    Feed(FeedStatus),
    /// A market fact.
    Market(MarketEvent),
    /// The operator orders something; `id` is unique on the tape.
    Command {
        /// Correlation.
        id: u64,
        /// The order.
        command: Command,
    },
}

/// A line of the journal.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Both clocks.
    pub now: Now,
    /// What was written.
    pub record: Record,
}

/// The engine without actors. See the module.
pub struct Runner<V> {
    pub(super) venue: V,
    pub(super) feed: FeedNode,
    pub(super) indicator: IndicatorNode,
    pub(super) strategies: Vec<StrategyNode>,
    pub(super) operator: OperatorNode,
    pub(super) risk: RiskNode,
    pub(super) execution: ExecutionNode,
    pub(super) position: PositionNode,
    pub(super) breaker: BreakerNode,
    pub(super) failover: FailoverNode,
    pub(super) notifier: NotifyNode,
    pub(super) audit: AuditNode,
    pub(super) mail: Mail,
    pub(super) gate: Gate,
    pub(super) journal: Vec<Entry>,
    pub(super) now: Now,
    pub(super) recovering: bool,
    pub(super) tally: Tally,
    pub(super) account: Option<Arc<AccountFrame>>,
    warmup_bars: u16,
    instruments: Vec<Arc<Instrument>>,
    breaker_state: Option<BreakerState>,
    grant: (Epoch, Timestamp),
    fence: Span,
}

impl<V: Venue> Runner<V> {
    /// A runner that has not begun: its first step begins it.
    ///
    /// # Errors
    /// Every violation of the first strategy's settings that cannot work.
    pub fn new(parts: RunnerParts<V>) -> Result<Self, Vec<SettingsError>> {
        let now = Now::both(parts.start);
        let layout = Layout::new(&parts.specs);
        let gate = Gate::default();
        let mut strategies = Vec::new();
        for (settings, lane) in parts.strategies.iter().zip(1_u8..=u8::MAX) {
            let start = StrategyStart { gate: gate.read().state, paused: false, ids: DecisionIds::new(lane, 1) };
            strategies.push(StrategyNode::new(settings.clone(), &layout, start)?);
        }
        let mut mail = Mail { strategies: strategies.iter().map(|_| Post::default()).collect(), ..Mail::default() };
        // The order in which the engine starts its actors: what it is started with is on the list before anything else.
        mail.turns.extend([Turn::Position, Turn::Risk]);
        mail.turns.extend((0..strategies.len()).map(Turn::Strategy));
        mail.turns.extend([Turn::Operator, Turn::Indicator, Turn::Feed, Turn::Breaker, Turn::Failover, Turn::Audit]);
        mail.turns.extend([Turn::Notifier, Turn::Execution]);
        let mut runner = Self {
            venue: parts.venue,
            feed: FeedNode::default(),
            indicator: IndicatorNode::new(&parts.specs),
            strategies,
            operator: OperatorNode::default(),
            risk: RiskNode::new(parts.limits),
            execution: parts.execution,
            position: parts.position,
            breaker: BreakerNode::new(parts.breaker),
            failover: FailoverNode::new(parts.lease_rules),
            notifier: NotifyNode::new(parts.notice_window),
            audit: AuditNode::default(),
            mail,
            gate,
            journal: Vec::new(),
            now,
            recovering: true,
            tally: Tally::default(),
            account: None,
            warmup_bars: parts.warmup_bars,
            instruments: parts.instruments,
            breaker_state: parts.breaker_state,
            grant: parts.grant,
            fence: parts.fence,
        };
        runner.tell_contracts(&parts.brackets);
        runner.begin();
        Ok(runner)
    }

    /// What every node is built with.
    fn tell_contracts(&mut self, brackets: &[Arc<Brackets>]) {
        let now = self.now;
        for instrument in &self.instruments {
            self.position.on(&PositionIn::Instrument(Arc::clone(instrument)), now, &mut Vec::new());
            self.risk.on(&RiskIn::Instrument(Arc::clone(instrument)), now, &mut Vec::new());
            self.operator.on(&OperatorIn::Instrument(Arc::clone(instrument)), now, &mut Vec::new());
            for strategy in &mut self.strategies {
                strategy.on(&StrategyIn::Instrument(Arc::clone(instrument)), now, &mut Vec::new());
            }
        }
        for brackets in brackets {
            self.position.on(&PositionIn::Brackets(Arc::clone(brackets)), now, &mut Vec::new());
            self.risk.on(&RiskIn::Brackets(Arc::clone(brackets)), now, &mut Vec::new());
        }
    }

    /// First turns, in their order, with what each node puts out when it begins.
    fn begin(&mut self) {
        let turns = std::mem::take(&mut self.mail.turns);
        for turn in turns {
            let now = self.now;
            match turn {
                Turn::Breaker => {
                    let mut out = Vec::new();
                    self.breaker.on(&BreakerIn::Restore(self.breaker_state.take()), now, &mut out);
                    self.route_breaker(out);
                }
                Turn::Failover => {
                    let (epoch, expiry) = self.grant;
                    let mut out = Vec::new();
                    self.failover.on(&FailoverIn::Granted { epoch, expiry }, now, &mut out);
                    self.route_failover(out);
                }
                Turn::Execution => {
                    let mut out = Vec::new();
                    for instrument in self.instruments.clone() {
                        self.execution.on(&ExecIn::Instrument(instrument), now, &mut out);
                    }
                    self.hold(GateOwner::Recovery, GateState::Halted, "orders and positions are compared with the exchange");
                    self.execution.recover(now.protocol.plus(self.fence), now, &mut out);
                    self.route_execution(out);
                }
                _ => {}
            }
            self.turn(turn);
        }
    }

    /// One instant: the exchange moves, its reports and then the inputs are taken, and everything that follows is done.
    pub fn step(&mut self, at: Timestamp, inputs: &[Input]) {
        self.settle();
        self.now = Now::both(at);
        let events: Vec<MarketEvent> =
            inputs.iter().filter_map(|i| if let Input::Market(event) = i { Some(event.clone()) } else { None }).collect();
        for report in self.venue.advance(at, &events) {
            self.mail.execution(match report {
                Report::Order(event) => ExecIn::Order(event),
                Report::Algo(event) => ExecIn::Algo(event),
                Report::Account(event) => ExecIn::Account(event),
            });
        }
        for input in inputs {
            match input.clone() {
                Input::Warmup(warmup) => self.mail.feed(FeedIn::Warmup(warmup)),
                Input::Feed(status) => self.mail.feed(FeedIn::Status(status)),
                Input::Market(event) => self.mail.feed(FeedIn::Event(event)),
                Input::Command { id, command } => self.mail.audit(AuditIn::Command { id, command }),
            }
        }
        self.mail.tick();
        self.settle();
    }

    /// A whole tape, taken by (time, sequence): what stands first on it comes first among equals.
    pub fn run(&mut self, tape: impl IntoIterator<Item = (Timestamp, Input)>) {
        let mut tape: Vec<_> = tape.into_iter().collect();
        tape.sort_by_key(|(at, _)| *at);
        for instant in tape.chunk_by(|a, b| a.0 == b.0) {
            let inputs: Vec<Input> = instant.iter().map(|(_, input)| input.clone()).collect();
            if let Some((at, _)) = instant.first() {
                self.step(*at, &inputs);
            }
        }
    }

    /// Does everything that is left to do at this instant.
    pub fn settle(&mut self) {
        loop {
            self.take_turns();
            if self.mail.owed.is_empty() {
                return;
            }
            for answer in std::mem::take(&mut self.mail.owed).into_values() {
                self.mail.execution(answer);
                self.take_turns();
            }
        }
    }

    fn take_turns(&mut self) {
        while let Some(turn) = self.mail.turns.pop_front() {
            self.turn(turn);
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Position => {
                while let Some(message) = self.mail.position.next() {
                    self.take_position(&message);
                }
            }
            Turn::Risk => {
                while let Some(message) = self.mail.risk.next() {
                    self.take_risk(message);
                }
            }
            Turn::Strategy(index) => self.turn_strategy(index),
            Turn::Operator => {
                while let Some(message) = self.mail.operator.next() {
                    let mut out = Vec::new();
                    self.operator.on(&message, self.now, &mut out);
                    self.route_operator(out);
                }
            }
            Turn::Indicator => {
                while let Some(message) = self.mail.indicator.next() {
                    let mut out = Vec::new();
                    self.indicator.on(&message, self.now, &mut out);
                    self.route_indicator(out);
                }
            }
            Turn::Feed => {
                while let Some(message) = self.mail.feed.next() {
                    let mut out = Vec::new();
                    self.feed.on(&message, self.now, &mut out);
                    self.route_feed(out);
                }
            }
            Turn::Breaker => {
                while let Some(message) = self.mail.breaker.next() {
                    while let Some(timer) = self.mail.breaker.woken(self.now) {
                        self.take_breaker(&BreakerIn::Wake(timer));
                    }
                    self.take_breaker(&message);
                }
            }
            Turn::Failover => {
                while let Some(message) = self.mail.failover.next() {
                    let mut out = Vec::new();
                    self.failover.on(&message, self.now, &mut out);
                    self.route_failover(out);
                }
            }
            Turn::Audit => {
                while let Some(message) = self.mail.audit.next() {
                    let mut out = Vec::new();
                    self.audit.on(&message, self.now, &mut out);
                    self.route_audit(out);
                }
            }
            Turn::Notifier => {
                while let Some(message) = self.mail.notifier.next() {
                    while let Some(timer) = self.mail.notifier.woken(self.now) {
                        self.take_notice(&NotifyIn::Wake(timer));
                    }
                    self.take_notice(&message);
                }
            }
            Turn::Execution => {
                while let Some(message) = self.mail.execution.next() {
                    while let Some(timer) = self.mail.execution.woken(self.now) {
                        self.take_execution(ExecIn::Wake(timer));
                    }
                    self.take_execution(message);
                }
            }
            Turn::Request(number, request) => self.ask(number, request),
        }
    }

    fn turn_strategy(&mut self, index: usize) {
        while let Some(message) = self.mail.strategies.get_mut(index).and_then(Post::next) {
            let mut out = Vec::new();
            if let Some(strategy) = self.strategies.get_mut(index) {
                strategy.on(&message, self.now, &mut out);
            }
            self.route_strategy(out);
        }
    }

    /// Asks the exchange. The answer enters execution when nobody has anything to do, as at the actors' turnstile.
    fn ask(&mut self, number: u64, request: Request) {
        let (answer, failed) = match request {
            Request::Place(order) => {
                let outcome = self.venue.place(&order);
                let failed = troubled(&outcome);
                (ExecIn::Placed { client_id: order.client_id, outcome }, failed)
            }
            Request::Cancel(order) => {
                let outcome = self.venue.cancel(order);
                let failed = troubled(&outcome);
                (ExecIn::Cancelled { client_id: order.client_id, outcome }, failed)
            }
            Request::Query(order) => (ExecIn::Queried { client_id: order.client_id, answer: Ok(self.venue.query(order)) }, false),
            Request::Configure { symbol, leverage, margin_mode } => {
                let outcome = self.configure(symbol, leverage, margin_mode);
                let failed = troubled(&outcome);
                (ExecIn::Configured { symbol, outcome }, failed)
            }
            Request::Survey(plan) => (ExecIn::Surveyed(Ok(Box::new(self.survey(&plan)))), false),
            Request::Refill { symbol, timeframe } => {
                let bars = self.venue.bars(symbol, timeframe, self.warmup_bars);
                self.mail.indicator(IndicatorIn::Warmup(WarmupBars { symbol, timeframe, bars: bars.into() }));
                return;
            }
        };
        self.mail.breaker(BreakerIn::Errors { failed });
        self.mail.owed.insert(number, answer);
    }

    fn configure(&mut self, symbol: Symbol, leverage: u16, margin_mode: MarginMode) -> Outcome<(u16, MarginMode)> {
        match self.venue.set_margin_mode(symbol, margin_mode) {
            Outcome::Done(()) => {}
            Outcome::Refused(error) => return Outcome::Refused(error),
            Outcome::NotExecuted { error, retry_after } => return Outcome::NotExecuted { error, retry_after },
            Outcome::Unknown { error, fence } => return Outcome::Unknown { error, fence },
        }
        match self.venue.set_leverage(symbol, leverage) {
            Outcome::Done(set) => Outcome::Done((set, margin_mode)),
            Outcome::Refused(error) => Outcome::Refused(error),
            Outcome::NotExecuted { error, retry_after } => Outcome::NotExecuted { error, retry_after },
            Outcome::Unknown { error, fence } => Outcome::Unknown { error, fence },
        }
    }

    /// Everything that a survey needs, in the order that it promises.
    fn survey(&mut self, plan: &SurveyPlan) -> SurveyAnswer {
        let orders = plan.orders.iter().map(|order| (order.client_id, self.venue.query(*order))).collect();
        let open = self.venue.open_orders();
        let mut fills = Vec::new();
        for (symbol, from) in &plan.fills {
            let mut from = *from;
            loop {
                let page = self.venue.fills(*symbol, from, plan.since);
                let next = page.last().map(|fill| TradeId(fill.trade.0.saturating_add(1)));
                let full = page.len() >= FILLS_PAGE;
                fills.extend(page);
                if !full {
                    break;
                }
                from = next;
            }
        }
        SurveyAnswer { number: plan.number, orders, open, fills, incomes: self.venue.incomes(plan.since), account: self.venue.account() }
    }

    pub(super) fn note(&mut self, record: Record) {
        self.journal.push(Entry { now: self.now, record });
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.mail.notifier(NotifyIn::Notice(notice));
    }

    /// Moves the gate and tells whoever must hear of it; holding the same again says nothing new.
    pub(super) fn hold(&mut self, owner: GateOwner, state: GateState, cause: &str) {
        let before = self.gate.read();
        let gate = self.gate.hold(owner, state);
        if gate == before {
            return;
        }
        self.note(Record::GateChanged { owner, gate, cause: cause.to_owned() });
        if gate.state != before.state {
            self.mail.each_strategy(&StrategyIn::Gate(gate.state));
            let (severity, code) = match gate.state {
                GateState::Open => (Severity::Info, "TRADING_OPEN"),
                GateState::ReduceOnly => (Severity::Critical, "TRADING_REDUCE_ONLY"),
                GateState::Halted => (Severity::Critical, "TRADING_HALTED"),
            };
            self.notify(Notice::new(severity, code, cause));
        }
    }

    /// What was journalled so far.
    #[must_use]
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }
    /// Counts of orders: once nothing is on its way, approved + protective = sent + voided.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }
    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }
    /// The newest account frame.
    #[must_use]
    pub const fn account(&self) -> Option<&Arc<AccountFrame>> {
        self.account.as_ref()
    }
    /// The exchange.
    pub const fn venue(&mut self) -> &mut V {
        &mut self.venue
    }
}

/// Fills that the exchange gives at once.
const FILLS_PAGE: usize = 1_000;

/// Whether an answer tells of trouble with the exchange, as against a refusal.
const fn troubled<T>(outcome: &Outcome<T>) -> bool {
    matches!(outcome, Outcome::Unknown { .. } | Outcome::NotExecuted { .. })
}
