//! What tests of the engine stand on: a small exchange in memory, ports that need neither disk nor network nor wall clock, short
//! builders, and tapes of a market from a seed.
//!
//! Everything here is deterministic and runs on one thread in virtual time. Invariant: nothing here is linked into the program.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot be set up must fail at once")]

pub mod build;
pub mod exchange;
pub mod fakes;
pub mod tapes;
