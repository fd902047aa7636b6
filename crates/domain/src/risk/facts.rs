//! What the gate knows: the last account frame, marks, filters, brackets, and what it approved itself and has not seen again.
//!
//! Invariant: an approved entry is counted (margin, exposure, number of orders) from its approval on: here until the account
//! frame has heard of it, in the frame from then on; never in neither.

use super::node::Lock;
use crate::account::{AccountFrame, Desk};
use crate::gate::GateState;
use crate::id::{DecisionId, StrategyId};
use crate::instrument::{Brackets, Instrument};
use crate::market::{FeedState, Mark};
use crate::num::{NumError, Price, Qty, Usdt};
use crate::order::{OrderIntent, OrderKind, PositionSide, Side};
use crate::symbol::Symbol;
use crate::time::{Now, Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// An approved entry that the account frame does not show yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reservation {
    pub decision: DecisionId,
    pub symbol: Symbol,
    pub position_side: PositionSide,
    pub side: Side,
    pub qty: Qty,
    pub price: Price,
    /// Margin and fee.
    pub amount: Usdt,
    pub since: Timestamp,
}

/// A reservation of which nothing was heard for so long (protocol clock) was dropped on the way: execution journals, and thereby
/// tells, an order within milliseconds.
const RESERVATION_MAX: Span = Span::minutes(1);
/// Window of the order rate.
const MINUTE: Span = Span::minutes(1);

/// What makes two orders the same.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shape {
    strategy: StrategyId,
    symbol: Symbol,
    side: Side,
    position_side: PositionSide,
    kind: OrderKind,
    qty: Qty,
}

impl Shape {
    fn of(intent: &OrderIntent) -> Self {
        Self {
            strategy: intent.strategy,
            symbol: intent.symbol,
            side: intent.side,
            position_side: intent.position_side,
            kind: intent.kind,
            qty: intent.qty,
        }
    }
}

/// Everything the rules read.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub account: Option<Arc<AccountFrame>>,
    pub marks: BTreeMap<Symbol, (Mark, Timestamp)>,
    pub instruments: BTreeMap<Symbol, Arc<Instrument>>,
    pub brackets: BTreeMap<Symbol, Arc<Brackets>>,
    pub feeds: BTreeMap<Symbol, FeedState>,
    pub frozen: BTreeSet<Symbol>,
    pub locks: Vec<Lock>,
    /// Until when (market clock) a desk's past is forgiven.
    pub forgiven: BTreeMap<Symbol, Timestamp>,
    pub reservations: Vec<Reservation>,
    /// Protocol instants of approved orders, one minute back.
    sent: VecDeque<Timestamp>,
    shapes: VecDeque<(Shape, Timestamp)>,
    notional: BTreeMap<StrategyId, (i64, Usdt)>,
}

impl Facts {
    /// Takes a complete account over and frees what it accounts for.
    pub fn take_account(&mut self, frame: &Arc<AccountFrame>) {
        self.reservations.retain(|r| !frame.heard.contains(&r.decision));
        self.account = Some(Arc::clone(frame));
    }
    /// Forgets what time has ended.
    pub fn expire(&mut self, now: Now) {
        self.reservations.retain(|r| now.protocol.since(r.since).0 <= RESERVATION_MAX.0);
        while self.sent.front().is_some_and(|at| now.protocol.since(*at).0 >= MINUTE.0) {
            self.sent.pop_front();
        }
        self.locks.retain(|lock| lock.until > now.market);
    }
    /// Orders approved within the span before now (protocol clock).
    pub fn sent_within(&self, span: Span, now: Now) -> usize {
        self.sent.iter().filter(|at| now.protocol.since(**at).0 < span.0).count()
    }
    /// When the same order was approved last (market clock).
    pub fn last_alike(&self, intent: &OrderIntent) -> Option<Timestamp> {
        let shape = Shape::of(intent);
        self.shapes.iter().rev().find(|(known, _)| *known == shape).map(|(_, at)| *at)
    }
    /// Notional of a strategy's entries on the UTC day of `at`.
    pub fn notional_of_day(&self, strategy: StrategyId, at: Timestamp) -> Usdt {
        self.notional.get(&strategy).filter(|(day, _)| *day == at.day()).map_or(Usdt::ZERO, |(_, sum)| *sum)
    }
    /// Counts an approved order of any kind.
    pub fn count_sent(&mut self, now: Now) {
        self.sent.push_back(now.protocol);
    }
    /// Counts an approved entry; `keep` is how long its shape matters.
    pub fn count_entry(&mut self, intent: &OrderIntent, keep: Option<Span>, now: Now) {
        if let Some(keep) = keep {
            self.shapes.retain(|(_, at)| now.market.since(*at).0 < keep.0);
            self.shapes.push_back((Shape::of(intent), now.market));
        }
    }
    /// Adds to the notional of the day.
    pub fn count_notional(&mut self, strategy: StrategyId, notional: Usdt, at: Timestamp) -> Result<(), NumError> {
        let sum = self.notional_of_day(strategy, at).checked_add(notional)?;
        self.notional.insert(strategy, (at.day(), sum));
        Ok(())
    }
    /// Closes the day for a strategy.
    pub fn cap_notional(&mut self, strategy: StrategyId, at: Timestamp) {
        self.notional.insert(strategy, (at.day(), Usdt::MAX));
    }
    /// A desk's trades up to this instant no longer lock it.
    pub fn forgiven_until(&self, desk: Desk) -> Timestamp {
        self.forgiven.get(&desk.1).copied().unwrap_or(Timestamp(i64::MIN))
    }
    /// Margin and fees of what is on its way.
    pub fn reserved(&self) -> Result<Usdt, NumError> {
        self.reservations.iter().try_fold(Usdt::ZERO, |sum, r| sum.checked_add(r.amount))
    }
}

/// The gate's word as text.
pub(super) const fn gate_word(state: GateState) -> &'static str {
    match state {
        GateState::Open => "open",
        GateState::ReduceOnly => "reduce_only",
        GateState::Halted => "halted",
    }
}
