//! The actors of the engine, and what keeps them alive.
//!
//! [`engine`] puts the house together: one [`shell`] around every node, its role beside it (market feed, indicator, strategy,
//! operator, risk, execution, position, circuit breaker, fail-over, audit, notifier), [`links`] between them by lane.
//! [`supervision`] restarts an actor that failed without losing its address or its queue, [`link`] is the only way by which one
//! actor sends to another, [`trade_gate`] is the one word that says whether an order may leave, [`facts`] and [`recent`] are
//! what a restarted actor is rebuilt from.
//!
//! Invariant: nothing in this crate reads the wall clock, a socket or a file. Time comes in as data or from
//! tokio's clock, which a test can hold still.

pub mod audit;
pub mod circuit_breaker;
pub mod engine;
pub mod execution;
pub mod facts;
pub mod failover;
pub mod gate_desk;
pub mod indicator;
pub mod link;
pub mod links;
pub mod market_feed;
pub mod notifier;
pub mod operator;
pub mod position;
pub mod recent;
pub mod risk;
pub mod shell;
pub mod strategy;
pub mod supervision;
pub mod trade_gate;
pub mod turnstile;
