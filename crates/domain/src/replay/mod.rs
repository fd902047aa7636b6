//! The whole engine as one pure function of a tape: the same nodes as live, without actors, threads, clocks or sockets.
//!
//! [`Runner`] composes feed, indicators, strategies, operator, risk, execution, position, breaker, fail-over, audit and notifier
//! and routes what each puts out exactly as the actors do; what it journals on a tape is what the engine journals on it, byte for
//! byte. Market and account come from a [`Venue`].
//!
//! Order of work. Time comes first: inputs are taken by (time, sequence), all inputs of one instant make one step, and the next
//! step begins when nothing is left to do. Within a step the discipline is that of the links on one thread: each node has its own
//! queue, first in first out; a node gets its turn in the order in which it was first sent something, and then empties its queue,
//! its own messages to itself included; a request to the exchange is a turn of its own, in the order of asking. Answers of journal
//! and exchange enter execution only when no node has anything to do, in the order of asking, one by one: the turnstile of
//! lock-step.
//!
//! Invariant: nothing here reads anything but its inputs, so the same tape gives the same journal.

mod gate;
mod mail;
mod routes;
mod runner;

pub use gate::Gate;
pub use runner::{Entry, Input, Runner, RunnerParts};

use crate::account::{AccountEvent, AccountSnapshot, Income};
use crate::execution::{OrderRef, OrderState, Outcome};
use crate::id::TradeId;
use crate::market::{Bar, MarketEvent, Timeframe};
use crate::order::{AlgoEvent, Fill, MarginMode, OrderEvent, VenueOrder};
use crate::symbol::Symbol;
use crate::time::Timestamp;

/// What the exchange reports on the account's own stream, in the order in which it took effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A regular order changed.
    Order(OrderEvent),
    /// A conditional order changed.
    Algo(AlgoEvent),
    /// Wallet or positions changed.
    Account(AccountEvent),
}

/// An exchange that answers at once and matches at the next market event. Deterministic.
pub trait Venue {
    /// The market has moved to `at` by `events`: orders that stood before are matched. Gives what happened to the account since
    /// the last call, oldest first.
    fn advance(&mut self, at: Timestamp, events: &[MarketEvent]) -> Vec<Report>;
    /// Takes one order; it is matched against the first event after now.
    fn place(&mut self, order: &VenueOrder) -> Outcome<OrderState>;
    /// Withdraws one order.
    fn cancel(&mut self, order: OrderRef) -> Outcome<OrderState>;
    /// Sets the leverage of a contract; gives what is set.
    fn set_leverage(&mut self, symbol: Symbol, leverage: u16) -> Outcome<u16>;
    /// Sets the margin mode of a contract.
    fn set_margin_mode(&mut self, symbol: Symbol, mode: MarginMode) -> Outcome<()>;
    /// State of one order; `None` where the exchange does not know it.
    fn query(&mut self, order: OrderRef) -> Option<OrderState>;
    /// All open orders, regular and conditional.
    fn open_orders(&mut self) -> Vec<OrderState>;
    /// Fills of one contract from a number on (included), else those since `since`; oldest first, at most 1,000.
    fn fills(&mut self, symbol: Symbol, from: Option<TradeId>, since: Timestamp) -> Vec<Fill>;
    /// Income records since an instant, oldest first.
    fn incomes(&mut self, since: Timestamp) -> Vec<Income>;
    /// Wallet, positions and settings.
    fn account(&mut self) -> AccountSnapshot;
    /// The newest closed bars, oldest first, at most `limit`.
    fn bars(&mut self, symbol: Symbol, timeframe: Timeframe, limit: u16) -> Vec<Bar>;
}
