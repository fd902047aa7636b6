//! The account as a node: facts in, complete frames and journal records out.

use crate::account::{AccountEvent, AccountFrame, AccountSnapshot, Income, SymbolSettings};
use crate::control::Notice;
use crate::instrument::{Brackets, Instrument};
use crate::market::Mark;
use crate::node::Node;
use crate::order::OrderUpdate;
use crate::record::Record;
use crate::time::Now;
use std::sync::Arc;

/// What position keeping takes.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum PositionIn {
    /// A fact about an order, with its fill.
    Update(OrderUpdate),
    /// Wallet or positions changed at the exchange.
    Account(AccountEvent),
    /// An income record.
    Income(Income),
    /// Mark price.
    Mark(Mark),
    /// The account read whole: its truth is adopted, differences are reported.
    Snapshot(AccountSnapshot),
    /// Leverage or margin mode of a contract.
    Settings(SymbolSettings),
    /// Filters of a contract (liquidation fee, funding interval).
    Instrument(Arc<Instrument>),
    /// Leverage brackets of a contract.
    Brackets(Arc<Brackets>),
}

/// What position keeping gives.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum PositionOut {
    /// The complete account; replaces the one before.
    Frame(Arc<AccountFrame>),
    /// For the journal: `LedgerBooked`, `TradeClosed`, `EquityMarked`, `IncomeBooked`, `DifferenceFound`, `AccountChanged`,
    /// `SnapshotAdopted`.
    Journal(Record),
    /// For people.
    Notice(Notice),
    /// Our books and the exchange's differ: halt and reconcile.
    Mismatch {
        /// What differs, with both figures.
        text: String,
    },
}

/// The keeper of positions and ledger.
#[derive(Debug, Default)]
pub struct PositionNode {}

impl Node for PositionNode {
    type In = PositionIn;
    type Out = PositionOut;
    fn on(&mut self, _input: &PositionIn, _now: Now, _out: &mut Vec<PositionOut>) {}
}
