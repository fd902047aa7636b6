//! The risk gate: the only place where a wish to trade becomes something that may be sent.
//!
//! [`node::RiskNode`] holds an intent against every rule of the catalog, in the table's order, and gives either an
//! [`ApprovedOrder`] (entries), an [`ApprovedProtection`] (whatever only reduces or withdraws) or a refusal that lists every
//! rule that failed.
//!
//! Invariant: it fails closed. A missing account, price, bracket or filter refuses; no approval is made outside this crate, and
//! no entry is approved that would leave the account past a limit.
#![deny(clippy::float_arithmetic)]

mod approval;
mod check;
mod facts;
pub mod limits;
pub mod node;
mod refusal;
mod reserve;
pub mod rules;
mod signal;

pub use approval::{ApprovedOrder, ApprovedProtection, ProtectiveAction};
pub use limits::{Limit, LimitViolation, LossStreak, LowProfit, RiskLimits, StrategyLimits};
pub use refusal::{Measure, Refusal, RefusalCode};
