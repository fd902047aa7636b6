//! The breaker as a node.

use super::BreakerState;
use crate::account::AccountFrame;
use crate::control::{Command, Notice};
use crate::gate::GateState;
use crate::id::TimerId;
use crate::market::FeedStatus;
use crate::node::{Node, WakeAt};
use crate::record::Record;
use crate::time::Now;
use std::sync::Arc;

/// What the breaker takes.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum BreakerIn {
    /// State of a symbol's data.
    Feed(FeedStatus),
    /// The complete account.
    Account(Arc<AccountFrame>),
    /// One call to the exchange has ended.
    Errors {
        /// It failed (timeout, 5xx, throttled; not: an order refused for business reasons).
        failed: bool,
    },
    /// The operator's orders; only `ResetBreaker` concerns it.
    Command(Command),
    /// The stored state at start; `None` where none was found: stays tripped.
    Restore(Option<BreakerState>),
    /// A wake-up asked for.
    Wake(TimerId),
}

/// What the breaker gives.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum BreakerOut {
    /// The breaker's hold on the gate from now on.
    Gate {
        /// Wanted state.
        state: GateState,
        /// Why, in one sentence: rule, value, limit, when.
        cause: String,
    },
    /// For people.
    Notice(Notice),
    /// Call again.
    Wake(WakeAt),
    /// For the journal.
    Journal(Record),
}

/// The circuit breaker.
#[derive(Debug, Default)]
pub struct BreakerNode {}

impl Node for BreakerNode {
    type In = BreakerIn;
    type Out = BreakerOut;
    fn on(&mut self, _input: &BreakerIn, _now: Now, _out: &mut Vec<BreakerOut>) {}
}
