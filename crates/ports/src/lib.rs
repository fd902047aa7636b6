//! The traits behind which the outside of the engine stands: exchange, journal, store, lease, secrets, channels, clocks.
//!
//! Actors know only these; adapters implement them; the root package brings the two together.

pub mod clock;
pub mod exchange;
