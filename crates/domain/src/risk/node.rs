//! The gate as a node: facts in, verdicts out.

use super::{ApprovedOrder, ApprovedProtection};
use crate::account::AccountFrame;
use crate::gate::GateWord;
use crate::instrument::{Brackets, Instrument};
use crate::market::{FeedStatus, Mark};
use crate::node::Node;
use crate::order::{CancelIntent, OrderIntent};
use crate::record::RefusalRecord;
use crate::symbol::Symbol;
use crate::time::{Now, Timestamp};
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
    /// No entry on a symbol until an instant (market clock).
    Lock(Lock),
    /// Removes every lock of a symbol, and forgives losing streak, cool-down and low profit up to now.
    Unlock {
        /// Contract.
        symbol: Symbol,
    },
}

/// A symbol on which no entry is made.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Lock {
    /// Contract.
    pub symbol: Symbol,
    /// Only entries on this side; both where missing.
    pub side: Option<crate::order::Side>,
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
#[derive(Debug, Default)]
pub struct RiskNode {}

impl Node for RiskNode {
    type In = RiskIn;
    type Out = RiskOut;
    fn on(&mut self, _input: &RiskIn, _now: Now, _out: &mut Vec<RiskOut>) {}
}
