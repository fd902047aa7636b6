//! The actors of the engine, and what keeps them alive.
//!
//! What is here: [`supervision`] restarts an actor that failed without losing its address or its queue,
//! [`link`] is the only way by which one actor sends to another, [`trade_gate`] is the one word that says
//! whether an order may leave.
//!
//! Invariant: nothing in this crate reads the wall clock, a socket or a file. Time comes in as data or from
//! tokio's clock, which a test can hold still.

pub mod link;
pub mod supervision;
pub mod trade_gate;
