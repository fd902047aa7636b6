//! A simulated Binance USDⓈ-M futures exchange.
//!
//! [`source`] gives the market, [`venue`] is the exchange itself (accounts, books, orders, funding, liquidation; pure of
//! I/O), [`server`] speaks Binance's REST and WebSocket on top of it, [`run`] plays the source to it at any speed, and
//! [`contracts`] lists the contracts of a market that brings none of its own.

pub mod contracts;
pub mod run;
pub mod server;
pub mod source;
pub mod venue;
