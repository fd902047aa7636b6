//! Exchanges: one folder each. What stands here speaks the exchange's own protocol and nothing else of the engine.

pub mod binance;
