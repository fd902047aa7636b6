//! Supervision: an actor that fails is restarted in place, and a group that fails too often is escalated.
//!
//! - [`guard`] polls one actor inside `catch_unwind`, so that a panic anywhere in it costs one message and no address.
//! - [`supervisor`] decides: whom to restart with the failed one, how soon, and when enough is enough.
//! - [`policy`] holds the figures of each group, all of them settings.
//! - [`failure`] says what was being handled when it happened; [`dead_letters`] takes the reports.
//! - [`hooks`] is what the wiring implements: close the gate before a restart, halt when a group gives up.
//! - [`watchdog`] finds the one thing a guard cannot: an actor that never comes back from a handler.
//! - [`fault`] lets a test or a demonstration fail any actor at any of the nine places where a panic can strike.
//!
//! Invariant: no message is lost without a report, and no group restarts more often than its intensity allows.
//!
//! What a guard cannot catch, by the rules of the language: a second panic while the first one unwinds, a panic
//! inside an `extern "C"` callback, a stack overflow, `abort()`. They end the process; starting again is recovering.

pub mod child;
pub mod dead_letters;
pub mod failure;
pub mod fault;
pub mod group;
pub mod guard;
pub mod hooks;
pub mod policy;
mod round;
mod slot;
pub mod supervisor;
pub mod tree;
pub mod watchdog;
