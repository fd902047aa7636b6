//! Binance USDⓈ-M futures: one adapter for the simulated exchange, the test network, paper and live trading.
//!
//! - [`BinanceVenue`] asks and trades over REST: it signs, keeps the request budget, measures the exchange's clock and says of
//!   every order whether it was executed, refused, certainly not executed, or is unknown until a fence.
//! - [`BinanceStreams`] reads the three sockets on the current thread and hands facts on: without gap, once, in order.
//! - [`decode`] turns frames into typed values straight from their bytes.
//!
//! Invariants: nothing is signed whose receive window lies beyond the lease; a lost answer is never a failure; missing fields
//! are never defaulted; no byte from outside makes it panic.

mod answers;
mod bars;
mod budget;
mod clock;
pub mod decode;
mod depth;
mod errors;
mod rest;
mod scan;
mod settings;
mod sign;
mod streams;
mod trading;
mod user;
mod venue;
mod words;

pub use bars::{BarOut, BarTrack};
pub use budget::{Budget, Use, UsedHeaders};
pub use clock::{Probe, VenueClock};
pub use depth::{DepthOut, DepthSync};
pub use errors::{Class, classify, read_error};
pub use rest::SetupError;
pub use settings::{BinanceSettings, RequestLimits};
pub use sign::{Query, Signer};
pub use streams::{Acknowledger, BinanceStreams, StreamStart};
pub use user::UserEvent;
pub use venue::BinanceVenue;
