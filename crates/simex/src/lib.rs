//! A simulated Binance USDⓈ-M futures exchange.
//!
//! [`source`] gives the market, [`venue`] is the exchange itself (accounts, books, orders, funding, liquidation; pure of
//! I/O), and the protocol layer speaks Binance's REST and WebSocket on top of it.

pub mod contracts;
pub mod server;
pub mod source;
pub mod venue;
