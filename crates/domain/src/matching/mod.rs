//! Matching: how orders meet a market.
//!
//! [`SymbolBook`] holds the resting orders of one contract by price and time, beside the [`Liquidity`] of everybody else,
//! which is recorded or drawn around the market price. Triggers, fees, latency and the place in the queue are separate
//! rules. Who owns an order, what an order does to a position and whether it is allowed is not known here.
//!
//! Invariant: nothing is filled at a price that the market did not offer, worse than the order's limit, or beyond the
//! quantity that stands there.

mod book;
mod fee;
mod latency;
mod liquidity;
mod queue;
mod trigger;

pub use book::{Counter, Crossing, Execution, Owner, Print, Resting, SymbolBook, Taker};
pub use fee::{FeeModel, FixedRates};
pub use latency::{FixedLatency, LatencyModel};
pub use liquidity::{Liquidity, SyntheticBook};
pub use queue::{BehindVisible, OnTouch, QueueModel, QueuePlace, ThroughOnly};
pub use trigger::{Trigger, TriggerDirection};

#[cfg(test)]
mod tests;
