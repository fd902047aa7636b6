//! Execution: the life of every order, from approval to its last fill, and the protection of every position.
//!
//! The node owns our orders. It journals an order before a byte of it leaves, treats a lost answer as [`Unknown`], never as a
//! failure, applies each fill once, and keeps a live stop at the exchange for every position that it opened. What it knows
//! comes from the journal and the exchange alone, so it can be rebuilt at any time.
//!
//! [`Unknown`]: crate::order::OrderStatus::Unknown

mod bracket;
mod draft;
mod life;
mod messages;
mod node;
mod orders;
mod rebuild;
mod survey;
#[cfg(test)]
mod tests;

pub use life::{Change, LiveOrder};
pub use messages::{ExecIn, ExecOut, ExecutionRules, Outcome, Priority, Tally};
pub use node::ExecutionNode;
pub use orders::{OrderRef, OrderState};
pub use survey::{SurveyAnswer, SurveyPlan};
