//! The circuit breaker: halts new risk when the engine cannot trust its data, the exchange or its own results.
//!
//! Invariant: it fails closed. Without a restored state it is tripped; once tripped it opens only by the operator's command or,
//! for causes that heal by themselves (data, errors), through a half-open trial.
#![deny(clippy::float_arithmetic)]

mod node;
mod state;

pub use node::{BreakerIn, BreakerNode, BreakerOut};
pub use state::{BreakerState, TripCause, TripRule};
