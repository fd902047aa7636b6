//! The circuit breaker: halts new risk when the engine cannot trust its data, the exchange or its own results.
//!
//! It halts on stale data of most symbols, on a share of failed calls in a sliding window, on drawdown and on the day's loss.
//! Data heal by themselves; errors heal through a trial of a few calls (those that a halted engine still makes: queries, exits,
//! cancellations) while entries stay shut; the day's loss ends with the UTC day; drawdown and a missing state end by the
//! operator's reset only.
//!
//! Invariant: it fails closed. Without a restored state it is tripped.
#![deny(clippy::float_arithmetic)]

mod calls;
mod feeds;
mod node;
mod settings;
mod state;

pub use node::{BreakerIn, BreakerNode, BreakerOut};
pub use settings::BreakerSettings;
pub use state::{BreakerState, DayBase, TripCause, TripRule};
