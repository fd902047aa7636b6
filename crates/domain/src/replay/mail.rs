//! Queues and turns: who is sent what, and whose turn it is.
//!
//! Invariant: a node is on the list of turns at most once, from its first waiting message until its queue has run empty.

use crate::audit::AuditIn;
use crate::breaker::BreakerIn;
use crate::execution::{ExecIn, OrderRef, SurveyPlan};
use crate::failover::FailoverIn;
use crate::feed::FeedIn;
use crate::id::TimerId;
use crate::indicator::IndicatorIn;
use crate::market::Timeframe;
use crate::node::WakeAt;
use crate::notify::NotifyIn;
use crate::operator::OperatorIn;
use crate::order::{MarginMode, VenueOrder};
use crate::position::node::PositionIn;
use crate::risk::node::RiskIn;
use crate::strategy::StrategyIn;
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    Position,
    Risk,
    Strategy(usize),
    Operator,
    Indicator,
    Feed,
    Breaker,
    Failover,
    Audit,
    Notifier,
    Execution,
    Request(u64, Request),
}

/// Something that is asked of the exchange, outside of any node.
#[derive(Debug)]
pub(super) enum Request {
    Place(Box<VenueOrder>),
    Cancel(OrderRef),
    Query(OrderRef),
    Configure { symbol: Symbol, leverage: u16, margin_mode: MarginMode },
    Survey(SurveyPlan),
    Refill { symbol: Symbol, timeframe: Timeframe },
}

/// One node's queue and wake-ups. A node that has not begun is on the list of turns already.
#[derive(Debug)]
pub(super) struct Post<M> {
    waiting: VecDeque<M>,
    listed: bool,
    due: BTreeSet<(Timestamp, TimerId)>,
}

impl<M> Default for Post<M> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), listed: true, due: BTreeSet::new() }
    }
}

impl<M> Post<M> {
    fn put(&mut self, message: M, turn: Turn, turns: &mut VecDeque<Turn>) {
        self.waiting.push_back(message);
        if !self.listed {
            self.listed = true;
            turns.push_back(turn);
        }
    }
    /// The next message; `None` ends the turn.
    pub(super) fn next(&mut self) -> Option<M> {
        let next = self.waiting.pop_front();
        self.listed = next.is_some();
        next
    }
    pub(super) fn arm(&mut self, wake: WakeAt) {
        self.due.insert((wake.at, wake.timer));
    }
    /// The earliest wake-up that market time has passed.
    pub(super) fn woken(&mut self, now: Now) -> Option<TimerId> {
        let first = *self.due.first()?;
        if first.0 > now.market {
            return None;
        }
        self.due.remove(&first);
        Some(first.1)
    }
}

/// All queues.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub turns: VecDeque<Turn>,
    pub feed: Post<FeedIn>,
    pub indicator: Post<IndicatorIn>,
    pub strategies: Vec<Post<StrategyIn>>,
    pub operator: Post<OperatorIn>,
    pub risk: Post<RiskIn>,
    pub execution: Post<ExecIn>,
    pub position: Post<PositionIn>,
    pub breaker: Post<BreakerIn>,
    pub failover: Post<FailoverIn>,
    pub notifier: Post<NotifyIn>,
    pub audit: Post<AuditIn>,
    /// Answers that have come, by the number of their question; they enter when nobody has anything to do.
    pub owed: BTreeMap<u64, ExecIn>,
    pub next_question: u64,
}

macro_rules! senders {
    ($($name:ident: $message:ty => $turn:ident),* $(,)?) => {$(
        pub(super) fn $name(&mut self, message: $message) {
            self.$name.put(message, Turn::$turn, &mut self.turns);
        }
    )*};
}

impl Mail {
    senders! {
        feed: FeedIn => Feed,
        indicator: IndicatorIn => Indicator,
        operator: OperatorIn => Operator,
        risk: RiskIn => Risk,
        execution: ExecIn => Execution,
        position: PositionIn => Position,
        breaker: BreakerIn => Breaker,
        notifier: NotifyIn => Notifier,
        audit: AuditIn => Audit,
    }
    pub(super) fn each_strategy(&mut self, message: &StrategyIn) {
        for (index, post) in self.strategies.iter_mut().enumerate() {
            post.put(message.clone(), Turn::Strategy(index), &mut self.turns);
        }
    }
    /// Number of a question that is asked now.
    pub(super) fn question(&mut self) -> u64 {
        self.next_question += 1;
        self.next_question
    }
    pub(super) fn request(&mut self, request: Request) {
        let number = self.question();
        self.turns.push_back(Turn::Request(number, request));
    }
    /// Market time moved: whoever waits for a time looks whether it has come.
    pub(super) fn tick(&mut self) {
        let nobody = TimerId(0);
        self.execution(ExecIn::Wake(nobody));
        self.breaker(BreakerIn::Wake(nobody));
        self.notifier(NotifyIn::Wake(nobody));
    }
}
