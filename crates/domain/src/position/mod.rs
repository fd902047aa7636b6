//! Positions, fees, funding and the ledger: what the account holds, kept by the engine itself and held against the exchange.
//!
//! [`node::PositionNode`] applies fills once by (symbol, trade id), funding once by its transaction number, books each fact in a
//! double-entry ledger and publishes the complete [`crate::account::AccountFrame`].
//!
//! Invariant: after every fact the ledger's sum is zero and its wallet account equals the wallet; when all facts of a batch are
//! known the wallet equals the exchange's, or a mismatch is put out.
#![deny(clippy::float_arithmetic)]

mod adopt;
mod books;
mod flows;
mod frame;
mod holding;
mod ledger;
pub mod liquidation;
pub mod margin;
pub mod node;
mod orders;
mod seen;
