//! A simulated exchange that speaks the Binance USDⓈ-M futures protocol.
//!
//! [`source`] gives the market, step by step.

pub mod source;
